"""Outlines of labelled frames, to a fraction of a pixel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from skimage.measure import find_contours, points_in_poly

from coreg.contours import signed_area_mm2

FloatArray = npt.NDArray[np.float64]
ShareArray = npt.NDArray[np.float64] | npt.NDArray[np.bool_]

# Specks of a segmentation that are this much smaller than the frame's largest piece are noise.
_SPECK = 0.05


def frame_outline(share: ShareArray, catheter_px: FloatArray) -> FloatArray | None:
    """Outline a frame at the half level.

    Parameters
    ----------
    share : (rows, columns) array
        How much of each pixel is inside, from 0 to 1, or whether it is.
    catheter_px : (2,) array
        Column and row of the catheter's centre.

    Returns
    -------
    (M, 2) array or None
        Columns and rows of the largest piece that encloses the catheter, else of the one nearest to it;
        None for an empty frame.
    """
    inside = share > 0.5
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not len(rows):
        return None
    corner = np.array([columns[0], rows[0]], dtype=np.float64) - 1.0
    cut = _framed(share, rows, columns)
    loops = [loop[:-1, ::-1] + corner for loop in find_contours(cut, 0.5)]
    areas = np.array([signed_area_mm2(loop) for loop in loops])
    # Holes wind against the outer borders; the largest loop is a border.
    outer = areas * np.sign(areas[np.argmax(np.abs(areas))])
    kept = [loop for loop, area in zip(loops, outer, strict=True) if area > _SPECK * outer.max()]
    enclosing = [loop for loop in kept if points_in_poly(catheter_px[None], loop)[0]]
    if enclosing:
        return max(enclosing, key=lambda loop: abs(signed_area_mm2(loop)))
    return min(kept, key=lambda loop: float(np.linalg.norm(loop - catheter_px, axis=1).min()))


def _framed(share: ShareArray, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]) -> FloatArray:
    """Cut out what is inside, with one more pixel all round; beyond the image nothing is inside."""
    height, width = share.shape
    low, high = max(rows[0] - 1, 0), min(rows[-1] + 2, height)
    left, right = max(columns[0] - 1, 0), min(columns[-1] + 2, width)
    cut = share[low:high, left:right].astype(np.float64)
    before = (int(rows[0] == 0), int(columns[0] == 0))
    after = (int(rows[-1] == height - 1), int(columns[-1] == width - 1))
    return np.pad(cut, tuple(zip(before, after, strict=True)))
