"""Lumen outlines as a reader draws them, by casting rays from the catheter at the surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from anatomy_catheter import Withdrawal
from anatomy_lines import Vessel
from anatomy_surface import LumenSurface
from scipy.ndimage import binary_dilation, gaussian_filter, gaussian_filter1d
from scipy.spatial import cKDTree

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

RAYS = 120
REACH_MM = 5.0
SAME_MOUTH_MM = 3.0
SHORTEST_POINTS, ON_POINTS = 8, 6


@dataclass(frozen=True, eq=False)
class Branches:
    """Other vessels of the tree, as far as they lie outside one vessel.

    Attributes
    ----------
    main : Vessel
        In which the catheter runs.
    points_mm, radius_mm : (K, 3), (K,) arrays
        Of the others' lines, outside the main vessel's inscribed balls.
    mouths_mm : (B, 3) array
        Where those that are smaller than it leave the main vessel's inscribed balls.
    """

    main: Vessel
    points_mm: FloatArray
    radius_mm: FloatArray
    mouths_mm: FloatArray

    def holds(self, points_mm: FloatArray) -> BoolArray:
        """Which points (M, 3) are rather in a branch than in the main vessel."""
        if not len(self.points_mm):
            return np.zeros(len(points_mm), dtype=bool)
        to_main, at = cKDTree(self.main.line_mm).query(points_mm)
        to_branch, nearest = cKDTree(self.points_mm).query(points_mm)
        inside = to_branch / self.radius_mm[nearest]
        return (inside < 2.0) & (inside < to_main / np.maximum(self.main.radius_mm[at], 0.3))


def branches_of(main: Vessel, tree: list[Vessel]) -> Branches:
    """Find the parts of a tree's lines that lie outside one of its vessels, and where they leave it."""
    points, radii, mouths = [np.empty((0, 3))], [np.empty(0)], [np.empty((0, 3))]
    lines = cKDTree(main.line_mm)
    for other in tree:
        distance, at = lines.query(other.line_mm)
        shared = np.flatnonzero(distance <= main.radius_mm[at])
        if other is main or not len(shared):
            continue
        first = int(shared[-1]) + 1
        if len(other.line_mm) - first < SHORTEST_POINTS:
            continue
        points.append(other.line_mm[first:])
        radii.append(np.maximum(other.radius_mm[first:], 0.3))
        known = np.vstack(mouths)
        fresh = not len(known) or np.linalg.norm(known - other.line_mm[first], axis=1).min() > SAME_MOUTH_MM
        # A parent vessel that goes on past a main one which left it has no mouth that a frame shows.
        smaller = other.radius_mm[first + ON_POINTS] < _beyond_mm(main, other.line_mm[first])
        if fresh and smaller:
            mouths.append(other.line_mm[first : first + 1])
    return Branches(main, np.vstack(points), np.concatenate(radii), np.vstack(mouths))


def _beyond_mm(main: Vessel, mouth_mm: FloatArray) -> float:
    """Radius of the main vessel a little beyond a mouth (3,)."""
    at = int(np.linalg.norm(main.line_mm - mouth_mm, axis=1).argmin())
    return float(main.radius_mm[min(at + ON_POINTS, len(main.radius_mm) - 1)])


def outlines(
    rng: np.random.Generator,
    surface: LumenSurface,
    branches: Branches,
    poses: tuple[FloatArray, FloatArray, FloatArray],
    withdrawal: Withdrawal,
    *,
    noise_mm: float,
) -> dict[int, FloatArray]:
    """Draw contours (A, 2) in mm by acquisition index; some frames have none.

    Parameters
    ----------
    rng : Generator
        Source.
    surface, branches
        What is seen.
    poses : triple of (N, 3) arrays
        Exact, in acquisition order.
    withdrawal : Withdrawal
        Its uneven rotation bends what is seen.
    noise_mm : float
        Standard deviation of the reader's error.
    """
    origin, column, row = poses
    shown = 2.0 * np.pi * np.arange(RAYS) / RAYS
    true = withdrawal.true_angles(shown)
    direction = np.cos(true)[:, :, None] * column[:, None] + np.sin(true)[:, :, None] * row[:, None]
    start = np.repeat(origin, RAYS, axis=0)
    flat = direction.reshape(-1, 3)
    radii = surface.first_hit_mm(start, flat, limit_mm=REACH_MM)
    open_ = branches.holds(start + radii[:, None] * flat).reshape(-1, RAYS)
    radii = closed_mouths(radii.reshape(-1, RAYS), open_, bulge_mm=rng.uniform(0.7, 1.3))
    pitch_mm = float(np.median(np.diff(withdrawal.position_mm)))
    noise = gaussian_filter(rng.standard_normal(radii.shape), (0.4 / pitch_mm, 2.5), mode=("nearest", "wrap"))
    radii = np.maximum(radii + noise_mm * noise / noise.std(), 0.3)
    kept = _kept(rng, len(radii))
    rays = np.column_stack([np.cos(shown), np.sin(shown)])
    return {int(i): radii[i, :, None] * rays for i in np.flatnonzero(kept)}


def closed_mouths(radii_mm: FloatArray, open_: BoolArray, *, bulge_mm: float) -> FloatArray:
    """Cut outlines (N, A) off in the rays (N, A) that look into branches: a bulge is left of them."""
    closed = radii_mm.copy()
    angle = np.arange(radii_mm.shape[1])
    for i in np.flatnonzero(open_.any(axis=1) & ~open_.all(axis=1)):
        mouth = binary_dilation(np.tile(open_[i], 3))[len(angle) : 2 * len(angle)]
        if mouth.all():
            continue
        wall = np.interp(angle, angle[~mouth], radii_mm[i, ~mouth], period=len(angle))
        extra = np.where(mouth, np.clip(radii_mm[i] - wall, 0.0, bulge_mm), 0.0)
        closed[i] = np.where(mouth, wall, radii_mm[i]) + gaussian_filter1d(extra, 1.0, mode="wrap")
    return closed


def _kept(rng: np.random.Generator, count: int) -> BoolArray:
    """All frames but some 3 %, which are left out in runs."""
    kept = np.ones(count, dtype=bool)
    while kept.mean() > 0.97:
        start = int(rng.integers(1, count - 5))
        kept[start : start + int(rng.integers(1, 5))] = False
    return kept
