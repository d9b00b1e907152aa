"""Planes and lengthwise cuts through images: what is seen where the catheter is, or would be."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates

from coreg.catheter_path import VirtualCatheterPath
from coreg.pullback_images import PullbackImages
from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
PictureArray = npt.NDArray[np.float32]

PIXELS = 240


def plane_images(
    volume: Volume,
    origin_mm: FloatArray,
    column: FloatArray,
    row: FloatArray,
    *,
    reach_mm: float,
    step_mm: float,
) -> PictureArray:
    """Sample a volume in planes, linearly.

    Parameters
    ----------
    volume : Volume
        Values of any kind; only the voxels that are met are looked at.
    origin_mm : (M, 3) array
        Middle of each plane, LPS mm: the middle pixel of its image.
    column, row : (M, 3) arrays
        Unit vectors in which column and row indices grow.
    reach_mm : float
        How far from the middle, at most.
    step_mm : float
        Between pixels.

    Returns
    -------
    (M, P, P) float32 array
        P = 2 floor(reach_mm / step_mm) + 1; NaN outside of the volume and for poses that are NaN.

    Raises
    ------
    ValueError
        If ``reach_mm`` or ``step_mm`` is not positive.
    """
    if not (reach_mm > 0.0 and step_mm > 0.0):
        msg = f"reach_mm and step_mm must be positive, got {reach_mm} and {step_mm}"
        raise ValueError(msg)
    # A reach of whole steps must not lose one to rounding.
    half = int(reach_mm / step_mm + 1e-9)
    across = step_mm * np.arange(-half, half + 1)
    origin, column, row = (
        np.atleast_2d(np.asarray(each, dtype=np.float64)) for each in (origin_mm, column, row)
    )
    images = np.full((len(origin), len(across), len(across)), np.nan, dtype=np.float32)
    turn = volume.world_to_index[:3, :3]
    for i in np.flatnonzero(np.isfinite(np.hstack([origin, column, row])).all(axis=1)):
        along_columns, along_rows = np.outer(turn @ column[i], across), np.outer(turn @ row[i], across)
        start = volume.to_index(origin[i])[:, None, None]
        images[i] = _sampled(volume, start + along_rows[:, :, None] + along_columns[:, None, :])
    return images


def ccta_cut(
    volume: Volume, path: VirtualCatheterPath, angle_rad: float, *, reach_mm: float, pixels: int = PIXELS
) -> PictureArray:
    """Cut a volume lengthwise through the catheter, as `lengthwise_cut` cuts the pullback's images.

    Parameters
    ----------
    volume : Volume
        Such as the CCTA.
    path : VirtualCatheterPath
        Poses of N frames.
    angle_rad : float
        In the pullback's image, from +column towards +row. The last row lies there, the first opposite.
    reach_mm : float
        How far from the catheter.
    pixels : int
        Rows of the cut, at equal steps from -reach_mm to reach_mm.

    Returns
    -------
    (pixels, N) float32 array
        A column for each row of the path; NaN outside of the volume and for frames without a pose.
    """
    cut = np.full((pixels, len(path)), np.nan, dtype=np.float32)
    origin, column, row = (each[path.posed] for each in (path.origin_mm, path.column, path.row))
    towards = np.cos(angle_rad) * column + np.sin(angle_rad) * row
    across = np.linspace(-reach_mm, reach_mm, pixels)
    start = volume.to_index(origin).T
    cut[:, path.posed] = _sampled(
        volume, start[:, None] + (volume.world_to_index[:3, :3] @ towards.T)[:, None] * across[:, None]
    )
    return cut


def lengthwise_cut(
    images: PullbackImages, frame: IntArray, angle_rad: float, *, reach_mm: float, pixels: int = PIXELS
) -> PictureArray:
    """Cut images lengthwise through the catheter, at an angle from +column towards +row.

    Parameters
    ----------
    images : PullbackImages
        Of all frames.
    frame : (C,) int array
        Acquisition index of each column.
    angle_rad : float
        Towards which the last row lies; the first lies opposite.
    reach_mm : float
        How far from the catheter.
    pixels : int
        Rows of the cut, at equal steps from -reach_mm to reach_mm.

    Returns
    -------
    (pixels, C) array
        Grey values; NaN outside of the images.
    """
    across = np.linspace(-reach_mm, reach_mm, pixels)
    x = images.catheter_px[0] + np.cos(angle_rad) * across / images.pixel_spacing_mm[0]
    y = images.catheter_px[1] + np.sin(angle_rad) * across / images.pixel_spacing_mm[1]
    rows, columns = images.pixels.shape[1:]
    inside = (x >= 0.0) & (x <= columns - 1.0) & (y >= 0.0) & (y <= rows - 1.0)
    j = np.clip(x.astype(np.int64), 0, max(0, columns - 2))
    i = np.clip(y.astype(np.int64), 0, max(0, rows - 2))
    u, v = np.clip(x - j, 0.0, 1.0), np.clip(y - i, 0.0, 1.0)
    shown, column = np.unique(frame, return_inverse=True)
    picture = np.zeros((len(shown), pixels), dtype=np.float32)
    for below, right, share in (
        (0, 0, (1.0 - u) * (1.0 - v)),
        (0, 1, u * (1.0 - v)),
        (1, 0, (1.0 - u) * v),
        (1, 1, u * v),
    ):
        at = np.minimum(i + below, rows - 1), np.minimum(j + right, columns - 1)
        picture += images.pixels[shown[:, None], at[0], at[1]] * share.astype(np.float32)
    picture[:, ~inside] = np.nan
    return picture[column].T


def _sampled(volume: Volume, index: FloatArray) -> PictureArray:
    """Values at array indices (3, ...), linear between voxels, NaN beyond the outermost voxels' centres."""
    return np.asarray(
        map_coordinates(
            volume.values, index, order=1, mode="constant", cval=np.nan, output=np.float32, prefilter=False
        )
    )
