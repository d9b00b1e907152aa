"""Closing gaps in outlines that are seen from the catheter: behind shadows and over branch mouths."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

HARMONICS = 7
STIFFNESS = 2e-4
ROUNDS = 4
CIRCLE_ROUNDS, CIRCLE_MM = 6, 0.25


def smooth_outline(distance: FloatArray, weight: FloatArray, *, harmonics: int = HARMONICS) -> FloatArray:
    """Fit a smooth closed outline through what is seen of it.

    The outline is a short Fourier series about the lumen's own centre, with a price on bends, so that
    a gap is closed as roundly as the rest allows; about the catheter, which may touch the wall, a
    round lumen has no such simple form.

    Parameters
    ----------
    distance : (N, A) array
        From the catheter, over equal steps of the angle.
    weight : (N, A) array
        0 where nothing is seen.
    harmonics : int
        Of the series.

    Returns
    -------
    (N, A) array
        Distance of the smooth outline from the catheter.
    """
    count = distance.shape[1]
    angle = 2.0 * np.pi * np.arange(count) / count
    rays = np.column_stack([np.cos(angle), np.sin(angle)])
    return np.array(
        [_fitted(d[:, None] * rays, w, angle, harmonics) for d, w in zip(distance, weight, strict=True)]
    )


def _fitted(points: FloatArray, weight: FloatArray, angle: FloatArray, harmonics: int) -> FloatArray:
    seen = weight > 0.0
    if seen.sum() < 2 * harmonics:
        known = points[seen]
        usual = float(np.median(np.linalg.norm(known, axis=1))) if len(known) else 0.0
        return np.full(len(angle), usual)
    centre, usual_mm = _circle(points[seen], weight[seen])
    # Rays are dense where the catheter is near; each counts for the outline it sees.
    shares = weight * _arc_per_ray(angle, centre, usual_mm)
    for rounds_left in range(ROUNDS - 1, -1, -1):
        offset = points - centre
        turn, radius = np.arctan2(offset[:, 1], offset[:, 0]), np.hypot(offset[:, 0], offset[:, 1])
        coefficients = _series(turn, radius, shares, harmonics)
        # The first harmonics are a shift of the centre.
        if rounds_left:
            centre = centre + coefficients[[1, 2]]
    dense = np.linspace(0.0, 2.0 * np.pi, 2 * len(angle), endpoint=False)
    far = np.maximum(_waves(dense, harmonics) @ coefficients, 1e-3)
    return _about_catheter(centre + far[:, None] * np.column_stack([np.cos(dense), np.sin(dense)]), angle)


def _series(turn: FloatArray, radius: FloatArray, shares: FloatArray, harmonics: int) -> FloatArray:
    waves = _waves(turn, harmonics)
    order = np.concatenate([[0.0], np.repeat(np.arange(1.0, harmonics + 1.0), 2)])
    price = 1e-9 + STIFFNESS * float(shares.sum()) * (order * (order**2 - 1.0)) ** 1.5
    normal = (waves * shares[:, None]).T @ waves + np.diag(price)
    solution: FloatArray = np.linalg.solve(normal, (waves * shares[:, None]).T @ radius)
    return solution


def _waves(turn: FloatArray, harmonics: int) -> FloatArray:
    order = np.arange(1, harmonics + 1) * turn[:, None]
    waves = np.stack([np.cos(order), np.sin(order)], axis=2).reshape(len(turn), -1)
    return np.concatenate([np.ones((len(turn), 1)), waves], axis=1)


def _circle(points: FloatArray, weight: FloatArray) -> tuple[FloatArray, float]:
    """Centre and radius of the circle that most of the points (M, 2) lie on (Kasa, reweighted)."""
    middle, spread = np.median(points, axis=0), np.ptp(points, axis=0).max()
    share = weight
    for _ in range(CIRCLE_ROUNDS):
        design = np.column_stack([2.0 * points, np.ones(len(points))]) * share[:, None]
        solution = np.linalg.lstsq(design, (points**2).sum(axis=1) * share, rcond=None)[0]
        # A short arc can put it anywhere.
        centre = middle + np.clip(solution[:2] - middle, -spread, spread)
        distance = np.linalg.norm(points - centre, axis=1)
        radius = float(np.median(distance))
        share = weight / (1.0 + ((distance - radius) / CIRCLE_MM) ** 2)
    return centre, radius


def _arc_per_ray(angle: FloatArray, centre: FloatArray, radius: float) -> FloatArray:
    """Length of a circle's arc (A,) that each ray from the origin stands for, relative to the usual."""
    rays = np.column_stack([np.cos(angle), np.sin(angle)])
    forward = rays @ centre
    half = np.sqrt(np.maximum(radius**2 - (centre @ centre - forward**2), (0.2 * radius) ** 2))
    reach = np.maximum(forward + half, 0.05 * radius)
    arc = reach * radius / half
    share: FloatArray = np.clip(arc / np.median(arc), 0.1, 5.0)
    return share


def _about_catheter(outline: FloatArray, angle: FloatArray) -> FloatArray:
    """Distances at angles (A,) of an outline (M, 2), the farthest where a ray meets it more than once."""
    turn = np.unwrap(np.arctan2(outline[:, 1], outline[:, 0]))
    radius = np.hypot(outline[:, 0], outline[:, 1])
    turns = turn[-1] - turn[0]
    if not 0.9 * 2.0 * np.pi < turns + 4.0 * np.pi / len(outline) or (np.diff(turn) < -0.2).any():
        # The catheter lies outside of what was fitted, so it must touch the wall there.
        order = np.argsort(turn % (2.0 * np.pi))
        return np.interp(angle, (turn % (2.0 * np.pi))[order], radius[order], period=2.0 * np.pi)
    return np.interp(angle, turn % (2.0 * np.pi), radius, period=2.0 * np.pi)


def closed_over(distance: FloatArray, smooth: FloatArray, gap: BoolArray) -> FloatArray:
    """Replace gaps in outlines (N, A) by a smooth outline (N, A), joined to both ends of each gap."""
    rest = distance - smooth
    count = distance.shape[1]
    rays = np.arange(count)
    closed = distance.copy()
    for i in np.flatnonzero(gap.any(axis=1)):
        known = rays[~gap[i]]
        if not len(known):
            closed[i] = smooth[i]
            continue
        step = np.interp(rays, known, rest[i][known], period=count)
        closed[i][gap[i]] = (smooth[i] + step)[gap[i]]
    return closed
