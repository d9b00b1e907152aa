"""An image sampled on rays across a vessel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates, spline_filter
from scipy.spatial import cKDTree

from coreg.centerline import Centerline
from coreg.signed_distance import cropped_volume
from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]

ANGLES = 36
REACH_MM = 5.4
RAY_STEP_MM = 0.15
AIR_HU = -1000.0


@dataclass(frozen=True, eq=False)
class Rays:
    """Brightness on rays from the points of a line, in the planes across it.

    Attributes
    ----------
    line : Centerline
        N points at equal steps.
    frames : (N, 3, 3) array
        Moving frames at the points.
    values_hu : (N, ANGLES, K) float array
        From the normal towards the binormal, and from the line outwards.
    """

    line: Centerline
    frames: FloatArray
    values_hu: FloatArray

    @property
    def step_mm(self) -> float:
        """Arc length between points."""
        return float(np.ptp(self.line.arc_length_mm)) / (len(self.line.points_mm) - 1)

    @cached_property
    def rho_mm(self) -> FloatArray:
        """Distance from the line along the rays, shape (K,)."""
        return _along(self.values_hu.shape[2])

    @property
    def angles_rad(self) -> FloatArray:
        """Angle of the rays, shape (ANGLES,)."""
        return 2.0 * np.pi * np.arange(ANGLES) / ANGLES

    @cached_property
    def world_mm(self) -> FloatArray:
        """World points of the samples, shape (N, ANGLES, K, 3)."""
        return ray_points(self.line.points_mm, self.frames, self.rho_mm)

    def within(self, balls: FloatArray) -> FloatArray:
        """Which samples (N, ANGLES, K) lie in any of some balls (M, 4): world centre and radius in mm."""
        inside = np.zeros(self.values_hu.shape)
        if not len(balls):
            return inside
        # Balls of one branch hardly differ in size, so the nearest centre decides.
        distance, nearest = cKDTree(balls[:, :3]).query(self.world_mm, distance_upper_bound=balls[:, 3].max())
        near = np.isfinite(distance)
        inside[near] = distance[near] < balls[nearest[near], 3]
        return inside


def _along(count: int) -> FloatArray:
    """Distances (count,) of samples from the line, in mm."""
    along: FloatArray = RAY_STEP_MM * (np.arange(float(count)) + 0.5)
    return along


def ray_points(points_mm: FloatArray, frames: FloatArray, rho_mm: FloatArray) -> FloatArray:
    """World points (N, ANGLES, K, 3) on rays across a line's points (N, 3) in moving frames (N, 3, 3)."""
    angles = 2.0 * np.pi * np.arange(ANGLES) / ANGLES
    across = np.column_stack([np.cos(angles), np.sin(angles)])
    directions = np.einsum("nij,aj->nai", frames[:, :, :2], across)
    return points_mm[:, None, None] + rho_mm[:, None] * directions[:, :, None]


class SmoothImage:
    """An image near a vessel, interpolated by cubic splines.

    Parameters
    ----------
    image : Volume
        HU.
    points_mm : (M, 3) array
        World points along the vessel.
    margin_mm : float
        How far from their box the image is wanted.
    """

    def __init__(self, image: Volume, points_mm: FloatArray, *, margin_mm: float = REACH_MM + 12.0) -> None:
        part = cropped_volume(image, points_mm, margin_mm=margin_mm)
        self.part = part
        values = np.asarray(part.values, dtype=np.float32)
        self._spline = spline_filter(values, order=3, output=np.float32, mode="mirror")

    def at(self, world_mm: FloatArray) -> FloatArray:
        """Sample HU at world points (..., 3), shape (...); air beyond the image."""
        index = np.moveaxis(self.part.to_index(world_mm), -1, 0)
        return np.asarray(
            map_coordinates(self._spline, index, order=3, mode="constant", cval=AIR_HU, prefilter=False),
            dtype=np.float64,
        )

    def rays(self, line: Centerline, *, reach_mm: float = REACH_MM) -> Rays:
        """Sample rays across a line whose points lie at equal steps."""
        frames = line.frames_at(line.arc_length_mm)
        rho = _along(round(reach_mm / RAY_STEP_MM))
        return Rays(line, frames, self.at(ray_points(line.points_mm, frames, rho)))
