"""How well a centerline follows a reference, by the measures of the Rotterdam benchmark.

Schaap et al., Medical Image Analysis 13 (2009) 701-714. Both lines are resampled at equal steps and
their points connected in order, start to start and end to end, so that the connections' lengths
have the least sum. A connection is right where it is shorter than the reference's radius.

What of the found line lies before the reference's start is left out: all before it first crosses a
disc there, of twice the radius, across the reference. What goes on beyond the reference's end
counts as wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist

from coreg.centerline import Centerline

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

STEP_MM = 0.03
FORGIVEN_MM = 5.0
RELEVANT_RADIUS_MM = 0.75


@dataclass(frozen=True)
class CenterlineErrors:
    """Overlap of a found line with a reference, from 0 to 1, and its distance from it.

    Attributes
    ----------
    overlap : float
        OV: share of right points, of both lines.
    overlap_until_error : float
        OF: share of the reference's points that are right and before its first wrong one; wrong
        ones of the first 5 mm end nothing.
    overlap_relevant : float
        OT: as OV, of the reference from its start to its last point with a radius of 0.75 mm or
        more; NaN where it has none.
    inside_mm : float
        AI: mean length of the connections that are right; NaN where none is.
    """

    overlap: float
    overlap_until_error: float
    overlap_relevant: float
    inside_mm: float


def centerline_errors(
    found: Centerline, reference: Centerline, *, step_mm: float = STEP_MM
) -> CenterlineErrors:
    """Measure a found centerline against a reference with radii.

    Parameters
    ----------
    found : Centerline
        Ostium first.
    reference : Centerline
        Ostium first, with its lumen's radius.
    step_mm : float
        Distance between the points that are compared.

    Raises
    ------
    ValueError
        If the reference has no radius, the found line runs the other way, or the step is not
        positive.

    Examples
    --------
    >>> line = Centerline(np.array([[0.0, 0.0, 0.0], [20.0, 0.0, 0.0]]), np.array([1.5, 1.0]))
    >>> beside = Centerline(line.points_mm + [0.0, 0.2, 0.0])
    >>> errors = centerline_errors(beside, line)
    >>> round(errors.overlap, 3), round(errors.inside_mm, 3)
    (1.0, 0.2)
    """
    if reference.radius_mm is None:
        msg = "the reference centerline needs a radius, got none"
        raise ValueError(msg)
    if step_mm <= 0.0:
        msg = f"step_mm must be positive, got {step_mm:g}"
        raise ValueError(msg)
    _check_direction(found.points_mm, reference.points_mm)
    points, radius_mm = _resampled(reference, step_mm)
    mine = _after_start(found.resampled(spacing_mm=step_mm).points_mm, points, float(radius_mm[0]))
    first, second = connections(points, mine)
    length_mm = np.linalg.norm(points[first] - mine[second], axis=1)
    right = length_mm < radius_mm[first]
    true_points = _any_right(first, right, len(points))
    found_points = _any_right(second, right, len(mine))
    return CenterlineErrors(
        _share(true_points, found_points),
        _until_error(true_points, step_mm),
        _relevant(first, second, right, radius_mm),
        float(length_mm[right].mean()) if right.any() else float("nan"),
    )


def connections(a_mm: FloatArray, b_mm: FloatArray) -> tuple[IntArray, IntArray]:
    """Connect the points of two lines in order, with the least sum of the connections' lengths.

    Parameters
    ----------
    a_mm, b_mm : (N, 3) and (M, 3) arrays
        Every point is connected, the first ones and the last ones with each other.

    Returns
    -------
    tuple of two (K,) int arrays
        Indices into ``a_mm`` and ``b_mm``, both never falling.
    """
    total = np.empty((len(a_mm), len(b_mm)))
    total[0] = np.cumsum(cdist(a_mm[:1], b_mm)[0])
    for row in range(1, len(a_mm)):
        above = total[row - 1]
        entry = np.append(above[0], np.minimum(above[1:], above[:-1]))
        step = cdist(a_mm[row : row + 1], b_mm)[0]
        # The way within the row costs the difference of two sums, so its best start is a running minimum.
        along = np.cumsum(step)
        total[row] = along + np.minimum.accumulate(entry - along + step)
    return _traced(total)


def _traced(total: FloatArray) -> tuple[IntArray, IntArray]:
    i, j = (each - 1 for each in total.shape)
    path = [(i, j)]
    while i or j:
        # Straight on first, so that equal lines are connected point by point.
        steps = [(i - 1, j - 1)] if i and j else []
        steps += ([(i - 1, j)] if i else []) + ([(i, j - 1)] if j else [])
        i, j = min(steps, key=total.__getitem__)
        path.append((i, j))
    first, second = np.array(path[::-1]).T
    return first, second


def _check_direction(found: FloatArray, reference: FloatArray) -> None:
    ends = cdist(found[[0, -1]], reference[[0, -1]])
    same, other = ends[0, 0] + ends[1, 1], ends[0, 1] + ends[1, 0]
    if other < same:
        msg = (
            f"the found centerline runs the other way: its ends are {same:.1f} mm from the reference's "
            f"in order and {other:.1f} mm in reverse, expected both from the ostium"
        )
        raise ValueError(msg)


def _resampled(line: Centerline, step_mm: float) -> tuple[FloatArray, FloatArray]:
    even = line.resampled(spacing_mm=step_mm)
    assert even.radius_mm is not None  # noqa: S101 - checked by the caller
    return even.points_mm, even.radius_mm


def _after_start(found: FloatArray, reference: FloatArray, radius_mm: float) -> FloatArray:
    """Drop found points before their line first crosses the disc at the reference's start."""
    start = reference[0]
    normal = (reference[1] - start) / np.linalg.norm(reference[1] - start)
    height = (found - start) @ normal
    crossing = np.flatnonzero((height[:-1] < 0.0) != (height[1:] < 0.0))
    share = height[crossing] / (height[crossing] - height[crossing + 1])
    met = found[crossing] + share[:, None] * (found[crossing + 1] - found[crossing])
    within = crossing[np.linalg.norm(met - start, axis=1) <= 2.0 * radius_mm]
    return found[within[0] + 1 :] if len(within) else found


def _any_right(index: IntArray, right: BoolArray, count: int) -> BoolArray:
    """Which of ``count`` points have a connection that is right."""
    return np.bincount(index, weights=right, minlength=count) > 0.0


def _share(true_points: BoolArray, found_points: BoolArray) -> float:
    return float((true_points.sum() + found_points.sum()) / (len(true_points) + len(found_points)))


def _until_error(true_points: BoolArray, step_mm: float) -> float:
    wrong = ~true_points
    wrong[: int(FORGIVEN_MM / step_mm)] = False
    end = int(np.argmax(wrong)) if wrong.any() else len(wrong)
    return float(true_points[:end].sum() / len(true_points))


def _relevant(first: IntArray, second: IntArray, right: BoolArray, radius_mm: FloatArray) -> float:
    wide = np.flatnonzero(radius_mm >= RELEVANT_RADIUS_MM)
    if not len(wide):
        return float("nan")
    counted = first <= wide[-1]
    first, second, right = first[counted], second[counted], right[counted]
    return _share(_any_right(first, right, int(wide[-1]) + 1), _any_right(second, right, int(second[-1]) + 1))
