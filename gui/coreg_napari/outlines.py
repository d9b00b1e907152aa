"""Outlines of all frames of a pullback in one array, so that a lengthwise cut meets them all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coreg.contours import area_mm2

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Outlines:
    """Closed outlines of N frames, joined end to end.

    Attributes
    ----------
    points_mm : (P, 2) array
        In image mm from the catheter.
    following : (P,) int array
        Index of the point that comes next on the same outline.
    row : (P,) int array
        Whose outline a point is of.
    area_mm2 : (N,) array
        Inside each outline; NaN where there is none.
    """

    points_mm: FloatArray
    following: IntArray
    row: IntArray
    area_mm2: FloatArray


def no_outlines(count: int) -> Outlines:
    """Return the outlines of frames that have none."""
    nothing = np.empty(0, dtype=np.int64)
    return Outlines(np.empty((0, 2)), nothing, nothing, np.full(count, np.nan))


def joined(contours: Sequence[FloatArray | None]) -> Outlines:
    """Join contours (M, 2) in image mm, one per row or None.

    >>> square = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0]])
    >>> joined([None, square]).area_mm2.tolist()
    [nan, 4.0]
    """
    rows = np.array([i for i, each in enumerate(contours) if each is not None], dtype=np.int64)
    if not len(rows):
        return no_outlines(len(contours))
    known = [each for each in contours if each is not None]
    sizes = np.array([len(each) for each in known])
    following = np.arange(1, sizes.sum() + 1)
    following[np.cumsum(sizes) - 1] = np.cumsum(sizes) - sizes
    areas = np.full(len(contours), np.nan)
    areas[rows] = [area_mm2(each) for each in known]
    return Outlines(np.concatenate(known), following, np.repeat(rows, sizes), areas)


def joined_rows(contours_mm: FloatArray, rows: IntArray, areas_mm2: FloatArray) -> Outlines:
    """Join contours (K, M, 2) of some rows (K,), where the areas (N,) of all are known."""
    count, size = contours_mm.shape[:2]
    following = np.roll(np.arange(count * size).reshape(count, size), -1, axis=1).reshape(-1)
    return Outlines(contours_mm.reshape(-1, 2), following, np.repeat(rows, size), areas_mm2)


def edges_mm(outlines: Outlines, angle_rad: float) -> FloatArray:
    """Where the line of a lengthwise cut enters and leaves each outline.

    Parameters
    ----------
    outlines : Outlines
        Of N frames.
    angle_rad : float
        Of the line through the catheter, from +column towards +row.

    Returns
    -------
    (N, 2) array
        Lowest and highest distance from the catheter towards the angle, in mm; NaN where there is no
        outline or the line misses it.
    """
    edges = np.full((len(outlines.area_mm2), 2), np.nan)
    along = outlines.points_mm @ np.array([np.cos(angle_rad), np.sin(angle_rad)])
    across = outlines.points_mm @ np.array([-np.sin(angle_rad), np.cos(angle_rad)])
    here = np.flatnonzero((across >= 0.0) != (across[outlines.following] >= 0.0))
    then = outlines.following[here]
    share = across[here] / (across[here] - across[then])
    met = along[here] + share * (along[then] - along[here])
    np.fmin.at(edges[:, 0], outlines.row[here], met)
    np.fmax.at(edges[:, 1], outlines.row[here], met)
    return edges
