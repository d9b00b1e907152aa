"""Cross-sections of a lumen label, to a fraction of a voxel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, map_coordinates

from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]

RAY_REACH_MM = 4.5
RAY_STEP_MM = 0.15
RAY_COUNT = 24
# Elliptic lumens stay below this many times the median ray, side branches do not.
LONGEST_RAY = 1.4


class CrossSections:
    """A lumen label made smooth, and the sections through it.

    Parameters
    ----------
    lumen : Volume
        True inside, cropped to the vessel.
    """

    def __init__(self, lumen: Volume) -> None:
        self._lumen = lumen
        self._blur_mm = 0.8 * float(np.prod(lumen.spacing_mm)) ** (1.0 / 3.0)
        values = np.asarray(lumen.values, dtype=np.float32)
        self._blurred = gaussian_filter(values, self._blur_mm / lumen.spacing_mm, mode="constant")

    def contain(self, world_mm: FloatArray) -> npt.NDArray[np.bool_]:
        """Whether world points (..., 3) lie in the lumen, shape (...)."""
        return np.asarray(self._sampled(world_mm) >= 0.5)

    def measured(self, points_mm: FloatArray, frames: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Measure the sections in the planes of moving frames.

        Parameters
        ----------
        points_mm : (N, 3) array
            World mm.
        frames : (N, 3, 3) array
            Columns are normal, binormal and tangent.

        Returns
        -------
        shift_mm : (N, 3) array
            From the points to the sections' centres of area; 0 where most rays meet no wall.
        radius_mm : (N,) array
            Of circles of the same area; 0 for points outside the lumen.
        """
        angles = 2.0 * np.pi * np.arange(RAY_COUNT) / RAY_COUNT
        rays = np.column_stack([np.cos(angles), np.sin(angles)])
        directions = np.einsum("nij,kj->nki", frames[:, :, :2], rays)
        along_mm = np.arange(0.0, RAY_REACH_MM, RAY_STEP_MM)
        world = points_mm[:, None, None] + along_mm[:, None] * directions[:, :, None]
        wall_mm = _first_fall(self._sampled(world), along_mm)
        usual_mm = np.median(wall_mm, axis=1)
        wall_mm = np.minimum(wall_mm, LONGEST_RAY * usual_mm[:, None])
        centre = 2.0 / 3.0 * wall_mm**3 @ rays / np.maximum((wall_mm**2).sum(axis=1), 1e-6)[:, None]
        centre[usual_mm > 0.9 * RAY_REACH_MM] = 0.0
        radius_mm = np.sqrt((wall_mm**2).mean(axis=1))
        # Blurring moves a tube's wall inwards by half its curvature times sigma squared.
        radius_mm += np.where(
            radius_mm > 0.0, 0.5 * self._blur_mm**2 / np.maximum(radius_mm, self._blur_mm), 0.0
        )
        return np.einsum("nij,nj->ni", frames[:, :, :2], centre), radius_mm

    def _sampled(self, world_mm: FloatArray) -> FloatArray:
        index = np.moveaxis(self._lumen.to_index(world_mm), -1, 0)
        return np.asarray(map_coordinates(self._blurred, index, order=1))


def _first_fall(values: FloatArray, along_mm: FloatArray) -> FloatArray:
    """Where values (..., K) first fall below one half along rays, shape (...); the rays' ends if nowhere."""
    below = values < 0.5
    below[..., -1] = True
    at = below.argmax(axis=-1)
    before = np.maximum(at - 1, 0)
    high = np.take_along_axis(values, before[..., None], axis=-1)[..., 0]
    low = np.take_along_axis(values, at[..., None], axis=-1)[..., 0]
    share = np.clip((high - 0.5) / np.maximum(high - low, 1e-6), 0.0, 1.0)
    return np.where(at > 0, along_mm[before] + share * (along_mm[at] - along_mm[before]), 0.0)
