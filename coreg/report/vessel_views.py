"""A CCTA image resampled about a vessel: straightened, in cross-sections, and as slabs along it."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial import cKDTree

from coreg.centerline import Centerline
from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]
PictureArray = npt.NDArray[np.float32]

STEP_MM = 0.2
SLAB_STEP_MM = 0.4
SLAB_HALF_MM = 3.0
SLAB_MARGIN_MM = 15.0
_SMOOTH_DEPTH_MM = 2.0


class Slab(NamedTuple):
    """The brightest voxels within a slab that follows a vessel, seen along one axis of the patient.

    Attributes
    ----------
    picture : (rows, columns) array
        HU; NaN outside the image.
    extent_mm : four numbers
        World mm of the picture's left, right, lower and upper border.
    across, up : int
        World axes (0 to 2 for L, P, S) along the picture's columns and rows.
    """

    picture: PictureArray
    extent_mm: tuple[float, float, float, float]
    across: int
    up: int


def sampled_hu(image: Volume, world_mm: FloatArray) -> PictureArray:
    """HU at world points (..., 3), by linear interpolation; NaN outside the image."""
    index = np.moveaxis(image.to_index(world_mm), -1, 0)
    values: PictureArray = map_coordinates(
        image.values, index, output=np.float32, order=1, mode="constant", cval=np.nan
    )
    return values


def straightened(
    image: Volume, line: Centerline, angle_rad: float, *, reach_mm: float
) -> tuple[PictureArray, tuple[float, float, float, float]]:
    """Cut a vessel lengthwise, at an angle from its frames' normal towards the binormal.

    Returns
    -------
    picture : (rows, columns) array
        HU; columns run distally at equal steps, rows from the opposite side to the given angle.
    extent_mm : four numbers
        Arc length of the left and right border, and distance from the centerline of the lower and
        upper border.
    """
    first, last = float(line.arc_length_mm[0]), float(line.arc_length_mm[-1])
    s = np.linspace(first, last, max(2, round((last - first) / STEP_MM) + 1))
    frames = line.frames_at(s)
    side = np.cos(angle_rad) * frames[:, :, 0] + np.sin(angle_rad) * frames[:, :, 1]
    across = np.arange(-reach_mm, reach_mm + 0.5 * STEP_MM, STEP_MM)
    world = line.points_at(s) + across[:, None, None] * side
    half_s, half = 0.5 * (s[1] - s[0]), 0.5 * STEP_MM
    return sampled_hu(image, world), (first - half_s, last + half_s, -reach_mm - half, across[-1] + half)


def cross_section(image: Volume, line: Centerline, arc_length_mm: float, *, reach_mm: float) -> PictureArray:
    """Cut a vessel across, seen looking distally: columns along the normal, rows along the binormal."""
    frame = line.frames_at(np.array([arc_length_mm]))[0]
    lattice = np.arange(-reach_mm, reach_mm + 0.5 * STEP_MM, STEP_MM)
    offset = lattice[None, :, None] * frame[:, 0] + lattice[:, None, None] * frame[:, 1]
    return sampled_hu(image, line.points_at(np.array(arc_length_mm)) + offset)


def followed_slab(image: Volume, points_mm: FloatArray, axis: int) -> Slab:
    """Project the brightest voxels along a world axis, within a slab at the depth of a vessel.

    Parameters
    ----------
    image : Volume
        HU.
    points_mm : (N, 3) array
        Along the vessels, at most a few mm apart; each part of the slab lies at the depth of the
        one that is nearest in the picture.
    axis : int
        0, 1 or 2: sagittal, coronal or axial.
    """
    across, up = [(1, 2), (0, 2), (0, 1)][axis]
    first, last = _box(image)
    low = np.maximum(points_mm.min(axis=0) - SLAB_MARGIN_MM, first)
    high = np.minimum(points_mm.max(axis=0) + SLAB_MARGIN_MM, last)
    u = np.arange(low[across], high[across], SLAB_STEP_MM)
    v = np.arange(low[up], high[up], SLAB_STEP_MM)
    plane = np.stack(np.meshgrid(u, v), axis=-1)
    nearest = cKDTree(points_mm[:, [across, up]]).query(plane)[1]
    depth = gaussian_filter(points_mm[nearest, axis], _SMOOTH_DEPTH_MM / SLAB_STEP_MM)
    picture = np.full(depth.shape, -np.inf, dtype=np.float32)
    world = np.empty((*depth.shape, 3))
    world[..., across], world[..., up] = plane[..., 0], plane[..., 1]
    for step in np.arange(-SLAB_HALF_MM, SLAB_HALF_MM + 0.5 * SLAB_STEP_MM, SLAB_STEP_MM):
        world[..., axis] = depth + step
        picture = np.fmax(picture, sampled_hu(image, world))
    picture[np.isinf(picture)] = np.nan
    half = 0.5 * SLAB_STEP_MM
    extent = (float(u[0]) - half, float(u[-1]) + half, float(v[0]) - half, float(v[-1]) + half)
    return Slab(picture, extent, across, up)


def _box(image: Volume) -> tuple[FloatArray, FloatArray]:
    """Opposite corners of the box, along the world's axes, around the centres of an image's voxels."""
    ends = [(0, count - 1) for count in image.values.shape]
    corners = image.to_world(np.array(list(itertools.product(*ends)), dtype=np.float64))
    return corners.min(axis=0), corners.max(axis=0)


def blood_hu(image: Volume, line: Centerline, radius_mm: FloatArray) -> FloatArray:
    """Median HU of the middle of the lumen, within half its radius, at each point (N,) of a line."""
    frames = line.frames_at(line.arc_length_mm)
    turn = np.linspace(0.0, 2.0 * np.pi, 8, endpoint=False)
    ring = np.column_stack([np.cos(turn), np.sin(turn)])
    disc = np.vstack([[[0.0, 0.0]], 0.25 * ring, 0.5 * ring])
    offset = np.einsum("nij,aj->nai", frames[:, :, :2], disc) * radius_mm[:, None, None]
    return np.median(sampled_hu(image, line.points_mm[:, None] + offset), axis=1).astype(np.float64)
