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
    points = distance[..., None] * np.column_stack([np.cos(angle), np.sin(angle)])
    centre, radius = _circles(points, weight)
    # Rays are dense where the catheter is near; each counts for the outline it sees.
    shares = weight * _arc_per_ray(angle, centre, radius)
    coefficients = np.zeros((len(distance), 2 * harmonics + 1))
    for rounds_left in range(ROUNDS - 1, -1, -1):
        offset = points - centre[:, None]
        turn = np.arctan2(offset[..., 1], offset[..., 0])
        coefficients = _series(turn, np.linalg.norm(offset, axis=2), shares, harmonics)
        # The first harmonics are a shift of the centre.
        if rounds_left:
            centre = centre + coefficients[:, [1, 2]]
    dense = np.linspace(0.0, 2.0 * np.pi, 2 * count, endpoint=False)
    far = np.maximum(coefficients @ _waves(dense, harmonics).T, 1e-3)
    outlines = centre[:, None] + far[..., None] * np.column_stack([np.cos(dense), np.sin(dense)])
    smooth = np.array([_about_catheter(each, angle) for each in outlines])
    # Too little to fit anything to: the usual distance, all round.
    for i in np.flatnonzero((weight > 0.0).sum(axis=1) < 2 * harmonics):
        known = distance[i, weight[i] > 0.0]
        smooth[i] = np.median(known) if len(known) else 0.0
    return smooth


def _series(turn: FloatArray, radius: FloatArray, shares: FloatArray, harmonics: int) -> FloatArray:
    """Coefficients (N, K) of smooth series through radii (N, A) at angles (N, A)."""
    waves = _waves(turn, harmonics)
    order = np.concatenate([[0.0], np.repeat(np.arange(1.0, harmonics + 1.0), 2)])
    price = STIFFNESS * (order * (order**2 - 1.0)) ** 1.5
    weighted = (waves * shares[..., None]).transpose(0, 2, 1)
    normal = weighted @ waves + (1e-9 + shares.sum(axis=1)[:, None] * price)[:, :, None] * np.eye(len(order))
    return np.linalg.solve(normal, weighted @ radius[..., None])[..., 0]


def _waves(turn: FloatArray, harmonics: int) -> FloatArray:
    """Constant, cosines and sines (..., K) of angles (...)."""
    order = np.arange(1, harmonics + 1) * turn[..., None]
    waves = np.stack([np.cos(order), np.sin(order)], axis=-1).reshape(*turn.shape, 2 * harmonics)
    return np.concatenate([np.ones((*turn.shape, 1)), waves], axis=-1)


def _circles(points: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Centres (N, 2) and radii (N,) of circles on which most points (N, A, 2) lie (Kasa, reweighted)."""
    seen = weight > 0.0
    known = np.where(seen[..., None], points, np.nan)
    known[~seen.any(axis=1)] = 0.0
    middle, spread = np.nanmedian(known, axis=1), np.nanmax(known, axis=1) - np.nanmin(known, axis=1)
    most = spread.max(axis=1, keepdims=True)
    local = points - middle[:, None]
    design = np.concatenate([2.0 * local, np.ones((*weight.shape, 1))], axis=2)
    square = (local**2).sum(axis=2)
    share, centre, radius = weight, middle, np.ones(len(points))
    for _ in range(CIRCLE_ROUNDS):
        weighted = (design * share[..., None]).transpose(0, 2, 1)
        normal = weighted @ design + 1e-9 * np.eye(3)
        solution = np.linalg.solve(normal, weighted @ square[..., None])[..., 0]
        # A short arc can put it anywhere.
        centre = middle + np.clip(solution[:, :2], -most, most)
        distance = np.linalg.norm(points - centre[:, None], axis=2)
        radius = np.nanmedian(np.where(seen | ~seen.any(axis=1, keepdims=True), distance, np.nan), axis=1)
        share = weight / (1.0 + ((distance - radius[:, None]) / CIRCLE_MM) ** 2)
    return centre, np.maximum(radius, 1e-3)


def _arc_per_ray(angle: FloatArray, centre: FloatArray, radius: FloatArray) -> FloatArray:
    """Length of a circle's arc (N, A) that each ray from the catheter stands for, relative to the usual."""
    rays = np.column_stack([np.cos(angle), np.sin(angle)])
    forward, around = centre @ rays.T, radius[:, None]
    off_axis = (centre**2).sum(axis=1, keepdims=True) - forward**2
    half = np.sqrt(np.maximum(around**2 - off_axis, (0.2 * around) ** 2))
    arc = np.maximum(forward + half, 0.05 * around) * around / half
    share: FloatArray = np.clip(arc / np.median(arc, axis=1, keepdims=True), 0.1, 5.0)
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
