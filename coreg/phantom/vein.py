"""The vein beside a synthetic artery."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from coreg.phantom.ccta_settings import CctaSettings
from coreg.phantom.heart import Heart
from coreg.phantom.lumen import Lumen
from coreg.phantom.plaque import VesselWall
from coreg.phantom.randomness import component_rng, smooth_noise

FloatArray = npt.NDArray[np.float64]

STEP_MM = 0.2
LEAVES_MM = 8.0
LEAVING_MM = 6.0


@dataclass(frozen=True, eq=False)
class Vein:
    """A tube beside the artery.

    Attributes
    ----------
    points_mm : (K, 3) array
        Its axis.
    radius_mm : (K,) array
        At the points.
    arc_length_mm : (K,) array
        Of the points, on the artery's axis.
    gap_mm : (K,) array
        To the artery's outer wall, beside them.
    contrast : float
        Share of the artery's contrast over fat.
    """

    points_mm: FloatArray
    radius_mm: FloatArray
    arc_length_mm: FloatArray
    gap_mm: FloatArray
    contrast: float

    def level(self, world_mm: FloatArray) -> FloatArray:
        """Level (M,), negative inside; infinite farther than 4 mm from the axis."""
        distance, nearest = cKDTree(self.points_mm).query(world_mm, distance_upper_bound=4.0)
        seen = np.isfinite(distance)
        level = np.full(len(world_mm), np.inf)
        level[seen] = distance[seen] - self.radius_mm[nearest[seen]]
        return level


def draw_vein(seed: int, heart: Heart, lumen: Lumen, wall: VesselWall, settings: CctaSettings) -> Vein | None:
    """Lay a vein beside the artery, over its top from one side to the other."""
    rng = component_rng(seed, "ccta vein")
    if rng.uniform() >= settings.vein_odds:
        return None
    length = rng.uniform(0.34, 0.66) * lumen.length_mm
    first = rng.uniform(8.0, lumen.length_mm - length - 2.0)
    s = np.arange(first, first + length, STEP_MM)
    radius = rng.uniform(1.0, 1.8) * np.exp(0.08 * smooth_noise(rng, s.shape, correlation=8.0 / STEP_MM))
    low, high = settings.vein_gap_mm
    gap = low + (high - low) * 0.5 * (1.0 + np.tanh(smooth_noise(rng, s.shape, correlation=8.0 / STEP_MM)))
    touch, half = rng.uniform(first + 10.0, first + length - 10.0), rng.uniform(2.0, 4.0)
    if rng.uniform() < settings.vein_touch_odds:
        gap *= 1.0 - np.exp(-(((s - touch) / half) ** 8) / 2.0)
    from_end = np.minimum(s - s[0], s[-1] - s)
    gap_there = gap + LEAVES_MM * np.clip(1.0 - from_end / LEAVING_MM, 0.0, 1.0) ** 2
    points, frames = lumen.axis.at(s)
    outward = heart.outward(points)
    top = np.arctan2(
        np.einsum("ij,ij->i", outward, frames[:, :, 1]), np.einsum("ij,ij->i", outward, frames[:, :, 0])
    )
    swap, sense = rng.uniform(0.3, 0.7), rng.choice([-1.0, 1.0])
    angle = np.unwrap(top) + sense * 1.45 * np.tanh((s - first - swap * length) / 5.0)
    direction = np.cos(angle)[:, None] * frames[:, :, 0] + np.sin(angle)[:, None] * frames[:, :, 1]
    wall_points = cKDTree(_wall_points(lumen, wall))
    away = np.full(len(s), 3.0) + gap_there + radius
    for _ in range(12):
        # Both curve, so that the place which keeps the gap is found step by step.
        found = wall_points.query(points + away[:, None] * direction)[0] - radius
        away += 0.7 * (gap_there - found)
    return Vein(
        points + away[:, None] * direction, radius, s, gap_there, rng.uniform(*settings.vein_contrast)
    )


def _wall_points(lumen: Lumen, wall: VesselWall) -> FloatArray:
    """Points (M, 3) of the main vessel's outer wall, every 0.2 mm along it."""
    rows, columns = wall.outer_mm.shape
    angle = 2.0 * np.pi * np.arange(columns) / columns
    s: FloatArray = lumen.radius_step_mm * np.arange(float(rows))
    centre, frames = lumen.axis.at(s)
    u, v = wall.outer_mm * np.cos(angle), wall.outer_mm * np.sin(angle)
    points = centre[:, None] + u[..., None] * frames[:, None, :, 0] + v[..., None] * frames[:, None, :, 1]
    return points.reshape(-1, 3)
