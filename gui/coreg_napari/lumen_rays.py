"""Outlines of the CCTA lumen in the planes of all frames at once, fast enough to follow a slider.

`coreg.report.cuts` traces each outline whole and takes milliseconds for a frame. Here rays start at a
place in the lumen and end where they first leave it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates

from coreg.catheter_path import VirtualCatheterPath
from coreg.signed_distance import blurred_label, cropped_volume, signed_distance
from coreg.surface import Surface
from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]

RAYS = 48
REACH_MM = 7.0
STEP_MM = 0.25
# Distances to a surface are known this far from the vessel's line; more takes seconds.
TUBE_MM, TUBE_STEP_MM = 5.0, 0.4
# What lies beyond the volume is not lumen.
BEYOND = -0.5
# Where a catheter lies outside of the lumen, rays start on the nearest of these rings about it that does not.
RING_MM = np.array([0.5, 1.0, 1.5, 2.0, 3.0])


def lumen_level(lumen: Volume | Surface, around_mm: FloatArray) -> Volume:
    """Make a function that is positive in the lumen, negative outside and zero on its surface.

    Parameters
    ----------
    lumen : Volume or Surface
        Label image, non-zero inside, or a closed surface.
    around_mm : (M, 3) array
        Points along the vessel, at most a millimetre apart; the function is known near them.

    Raises
    ------
    ValueError
        If a label has no voxel near the points.
    """
    if isinstance(lumen, Surface):
        distance = signed_distance(lumen, around_mm, reach_mm=TUBE_MM, spacing_mm=TUBE_STEP_MM)
        return Volume(-np.asarray(distance.values), distance.index_to_world)
    label = cropped_volume(lumen, around_mm, margin_mm=1.5 * REACH_MM)
    inside = np.asarray(label.values != 0, dtype=np.float32)
    return Volume(blurred_label(inside, label.spacing_mm) - 0.5, label.index_to_world)


@dataclass(frozen=True, eq=False)
class RayLumen:
    """A lumen in the planes of N frames, as it is seen from a place in it.

    Attributes
    ----------
    start_mm : (N, 2) array
        Where the rays start, in image mm from the catheter; NaN for a frame without a lumen or a pose.
    radius_mm : (N, RAYS) array
        How far each ray goes, at equal steps of the angle from +column towards +row.
    """

    start_mm: FloatArray
    radius_mm: FloatArray

    @property
    def outline_mm(self) -> FloatArray:
        """Ends of the rays in image mm from the catheter, shape (N, RAYS, 2)."""
        return self.start_mm[:, None] + self.radius_mm[..., None] * _rays()

    @property
    def area_mm2(self) -> FloatArray:
        """Area that the rays sweep over, shape (N,), in mm2."""
        return np.pi * np.mean(self.radius_mm**2, axis=1)


def ray_lumen(level: Volume, path: VirtualCatheterPath, centre_mm: FloatArray) -> RayLumen:
    """See the lumen in the plane of every frame.

    Parameters
    ----------
    level : Volume
        As `lumen_level` makes it.
    path : VirtualCatheterPath
        Poses of N frames.
    centre_mm : (N, 2) array
        Middle of the pullback's lumen in each image, mm from the catheter: where the rays start if the
        CCTA has its lumen there, else at the nearest such place about the catheter. They end
        ``REACH_MM`` from there at the latest.
    """
    rows = np.flatnonzero(path.posed)
    turn = level.world_to_index[:3, :3]
    origin = level.to_index(path.origin_mm[rows])
    axes = np.stack([path.column[rows] @ turn.T, path.row[rows] @ turn.T], axis=1)
    start_mm, radius_mm = np.full((len(path), 2), np.nan), np.full((len(path), RAYS), np.nan)
    start_mm[rows] = _starts(level, origin, axes, centre_mm[rows])
    known = np.isfinite(start_mm[rows, 0])
    rows, origin, axes = rows[known], origin[known], axes[known]
    start = origin + (start_mm[rows, None] @ axes)[:, 0]
    radius = _exits(level, np.repeat(start, RAYS, axis=0), (_rays() @ axes).reshape(-1, 3))
    radius_mm[rows] = radius.reshape(-1, RAYS)
    return RayLumen(start_mm, radius_mm)


def _rays() -> FloatArray:
    """Unit vectors (RAYS, 2) of the rays in the image."""
    angle = 2.0 * np.pi * np.arange(RAYS) / RAYS
    return np.column_stack([np.cos(angle), np.sin(angle)])


def _starts(level: Volume, origin: FloatArray, axes: FloatArray, centre_mm: FloatArray) -> FloatArray:
    """Place (N, 2) in each plane that lies in the lumen, mm from the catheter; NaN where none was found."""
    start_mm = centre_mm.copy()
    inside = _sampled(level, origin + (centre_mm[:, None] @ axes)[:, 0]) > 0.0
    lost = np.flatnonzero(~inside)
    about = np.vstack([[[0.0, 0.0]], *(radius * _rays()[::6] for radius in RING_MM)])
    lumen = np.asarray(_sampled(level, origin[lost, None] + about @ axes[lost]) > 0.0)
    start_mm[lost] = np.where(lumen.any(axis=1, keepdims=True), about[np.argmax(lumen, axis=1)], np.nan)
    return start_mm


def _exits(level: Volume, start: FloatArray, ray: FloatArray) -> FloatArray:
    """How far (R,) in mm rays (R, 3) from array indices (R, 3) run before they first leave the lumen."""
    exit_mm = np.full(len(start), REACH_MM)
    going = np.arange(len(start))
    before = _sampled(level, start)
    for step in range(1, round(REACH_MM / STEP_MM) + 1):
        after = _sampled(level, start[going] + step * STEP_MM * ray[going])
        out = after < 0.0
        share = before[out] / (before[out] - after[out])
        exit_mm[going[out]] = (step - 1 + share) * STEP_MM
        going, before = going[~out], after[~out]
        if not len(going):
            break
    return exit_mm


def _sampled(level: Volume, index: FloatArray) -> npt.NDArray[np.float32]:
    at = np.moveaxis(index, -1, 0)
    return np.asarray(
        map_coordinates(level.values, at, order=1, mode="constant", cval=BEYOND, output=np.float32)
    )
