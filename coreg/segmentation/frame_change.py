"""How much the frames of a pullback differ from each other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import sparse

from coreg.pullback_images import PullbackImages

Float32Array = npt.NDArray[np.float32]

ANGLES, RADII = 48, 24
# What lies nearer shows the catheter.
NEAREST_MM = 0.65
BATCH = 16
LARGEST = 3.0


def coarse_frames(images: PullbackImages, *, progress: Callable[[float], None]) -> Float32Array:
    """Average frames over the cells of a polar grid, in which speckle vanishes and motion does not.

    Parameters
    ----------
    images : PullbackImages
        N frames; read a few at a time.
    progress : callable
        Takes the share that is done.

    Returns
    -------
    (N, C) array
        Mean grey value of each cell that shows anything.
    """
    average = _cell_averages(images)
    frames = np.empty((len(images), average.shape[0]), dtype=np.float32)
    for first in range(0, len(images), BATCH):
        batch = images.pixels[first : first + BATCH]
        frames[first : first + BATCH] = (average @ batch.reshape(len(batch), -1).T.astype(np.float32)).T
        progress(min(first + BATCH, len(images)) / len(images))
    return frames


def _cell_averages(images: PullbackImages) -> sparse.csr_matrix:
    """Matrix (C, pixels) that takes an image to the means of its cells."""
    rows, columns = np.indices(images.pixels.shape[1:])
    x = (columns - images.catheter_px[0]) * images.pixel_spacing_mm[0]
    y = (rows - images.catheter_px[1]) * images.pixel_spacing_mm[1]
    radius, turn = np.hypot(x, y), np.arctan2(y, x) / (2.0 * np.pi) % 1.0
    reach = images.field_of_view_mm
    nearest = min(NEAREST_MM, 0.5 * reach)
    shown = (radius > nearest) & (radius < reach)
    if images.hidden is not None:
        shown &= ~images.hidden
    ring = (RADII * (radius[shown] - nearest) / (reach - nearest)).astype(np.int64)
    sector = np.minimum((ANGLES * turn[shown]).astype(np.int64), ANGLES - 1)
    _, cell, count = np.unique(sector * RADII + ring, return_inverse=True, return_counts=True)
    weight = (1.0 / count[cell]).astype(np.float32)
    return sparse.csr_matrix((weight, (cell, np.flatnonzero(shown))), shape=(len(count), shown.size))


def differences(frames: Float32Array, most: int) -> Float32Array:
    """How much each frame differs from those after it: mean square over the cells.

    The difference of a cell counts up to `LARGEST` times the median one between frames far apart: the
    shadow of a guide wire that wanders must not outweigh all else.

    Parameters
    ----------
    frames : (N, C) array
        As `coarse_frames` gives them.
    most : int
        Largest distance between two frames.

    Returns
    -------
    (N, most + 1) array
        NaN where the run ends before.
    """
    count, cells = frames.shape
    far = min(most, count - 1) // 3 + 1
    cap = LARGEST * float(np.median(np.abs(frames[far:] - frames[:-far]))) if count > far else 0.0
    difference = np.full((count, most + 1), np.nan, dtype=np.float32)
    difference[:, 0] = 0.0
    change = np.empty_like(frames)
    for lag in range(1, min(most, count - 1) + 1):
        part = change[:-lag]
        np.subtract(frames[lag:], frames[:-lag], out=part)
        np.clip(part, -cap, cap, out=part)
        difference[:-lag, lag] = np.einsum("ij,ij->i", part, part) / cells
    return difference
