"""How well a segmented lumen and its side branches agree with what is known of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from coreg.centerline import Centerline
from coreg.landmarks import SideBranch
from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Membership = Callable[[FloatArray], BoolArray]

REACH_RADII = 1.5
BRANCH_REACH_MM = 2.0
SMALLEST_BRANCH_MM = 0.75
LEAST_PROBABILITY = 0.5


@dataclass(frozen=True)
class LumenOverlap:
    """Volumes in the region of one vessel, in mm3.

    Attributes
    ----------
    found_mm3, true_mm3, common_mm3 : float
        Labelled, truly lumen, and both.
    """

    found_mm3: float
    true_mm3: float
    common_mm3: float

    @property
    def dice(self) -> float:
        """Twice the common volume over the sum of the two; NaN where both are empty."""
        total = self.found_mm3 + self.true_mm3
        return 2.0 * self.common_mm3 / total if total > 0.0 else float("nan")


def lumen_overlap(
    label: Volume, inside: Membership, line: Centerline, *, belonging: Membership | None = None
) -> LumenOverlap:
    """Compare a label with the true lumen around one vessel.

    The region is of those voxels whose centres are at most 1.5 local radii from the vessel's line,
    and between the planes at its ends: what lies beyond was not asked for.

    Parameters
    ----------
    label : Volume
        Non-zero inside the lumen.
    inside : callable
        Whether world points (M, 3) lie in the true lumen, shape (M,).
    line : Centerline
        The vessel's true one with radii, over the stretch that counts.
    belonging : callable, optional
        Whether world points (M, 3) belong to the vessel rather than to a branch, shape (M,); by
        default all do.

    Raises
    ------
    ValueError
        If the line has no radius.
    """
    index = _voxels_around(label, line)
    world = label.to_world(index.astype(np.float64))
    if belonging is not None:
        own = belonging(world)
        index, world = index[own], world[own]
    found, true = label.values[tuple(index.T)] != 0, inside(world)
    voxel_mm3 = abs(float(np.linalg.det(label.index_to_world[:3, :3])))
    found_mm3, true_mm3, common_mm3 = (float(voxel_mm3 * each.sum()) for each in (found, true, found & true))
    return LumenOverlap(found_mm3, true_mm3, common_mm3)


def _radii(line: Centerline) -> FloatArray:
    if line.radius_mm is None:
        msg = "the true centerline needs a radius, got none"
        raise ValueError(msg)
    return line.radius_mm


def _voxels_around(grid: Volume, line: Centerline) -> IntArray:
    """Array indices (M, 3) of voxels within 1.5 radii of a line and between its ends."""
    fine = line.resampled(spacing_mm=0.5 * float(grid.spacing_mm.min()))
    reach_mm = REACH_RADII * _radii(fine)
    index = _boxes(grid, fine.points_mm, float(reach_mm.max()))
    world = grid.to_world(index.astype(np.float64))
    distance, nearest = cKDTree(fine.points_mm).query(world)
    near = distance <= reach_mm[nearest]
    for end, inwards in ((0, 1.0), (-1, -1.0)):
        tangent = fine.tangents_at(fine.arc_length_mm[end])
        beyond = (world - fine.points_mm[end]) @ tangent * inwards < 0.0
        near &= ~(beyond & (nearest == end % len(fine.points_mm)))
    return index[near]


def _boxes(grid: Volume, points_mm: FloatArray, reach_mm: float) -> IntArray:
    """Array indices (M, 3), each once, of the voxels in boxes of ``reach_mm`` about points."""
    half = np.ceil(reach_mm * np.linalg.norm(grid.world_to_index[:3, :3], axis=1)).astype(int)
    axes = [np.arange(-each, each + 1) for each in half]
    offsets = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    centres = np.unique(np.rint(grid.to_index(points_mm)).astype(np.int64), axis=0)
    index = (centres[:, None] + offsets).reshape(-1, 3)
    index = index[((index >= 0) & (index < grid.values.shape)).all(axis=1)]
    flat = np.unique(np.ravel_multi_index(tuple(index.T), grid.values.shape))
    return np.column_stack(np.unravel_index(flat, grid.values.shape))


@dataclass(frozen=True, eq=False)
class RadiusErrors:
    """Radius of a found lumen against the true one along the true centerline, found minus true.

    Attributes
    ----------
    arc_length_mm : (N,) array
        Of the true centerline's points.
    error_mm : (N,) array
        NaN where the found line does not run within the true radius.
    marked : (N,) bool array
        Where the found line says that it is not to be trusted.
    """

    arc_length_mm: FloatArray
    error_mm: FloatArray
    marked: BoolArray

    @property
    def bias_mm(self) -> float:
        """Mean signed error; NaN where none could be measured."""
        return _mean(self.error_mm)

    @property
    def absolute_mm(self) -> float:
        """Mean absolute error; NaN where none could be measured."""
        return _mean(np.abs(self.error_mm))

    @property
    def sd_mm(self) -> float:
        """Standard deviation of the errors; NaN where none could be measured."""
        return float(np.sqrt(_mean((self.error_mm - self.bias_mm) ** 2)))

    @property
    def measured_share(self) -> float:
        """Share of the points where the found line runs within the true radius."""
        return float(np.isfinite(self.error_mm).mean())

    @property
    def marked_share(self) -> float:
        """Share of the points that are marked."""
        return float(self.marked.mean())


def _mean(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def radius_errors(found: Centerline, truth: Centerline, *, marked: BoolArray | None = None) -> RadiusErrors:
    """Compare radii at the points of the true centerline with those at the found line's nearest.

    Parameters
    ----------
    found : Centerline
        With radii of circles of the sections' area.
    truth : Centerline
        Likewise, over the stretch that counts.
    marked : (N,) bool array, optional
        Which points of the found line are not to be trusted; by default none.

    Raises
    ------
    ValueError
        If either line has no radius, or ``marked`` has another length than the found line.
    """
    true_mm = _radii(truth)
    if found.radius_mm is None:
        msg = "the found centerline needs a radius, got none"
        raise ValueError(msg)
    if marked is None:
        marked = np.zeros(len(found.points_mm), dtype=bool)
    if marked.shape != (len(found.points_mm),):
        msg = f"marked must have shape ({len(found.points_mm)},), got {marked.shape}"
        raise ValueError(msg)
    s = found.nearest_arc_length(truth.points_mm)
    error_mm = np.interp(s, found.arc_length_mm, found.radius_mm) - true_mm
    apart = np.linalg.norm(found.points_at(s) - truth.points_mm, axis=1) >= true_mm
    error_mm[apart] = np.nan
    nearest = cKDTree(found.arc_length_mm[:, None]).query(s[:, None])[1]
    return RadiusErrors(truth.arc_length_mm, error_mm, marked[nearest])


@dataclass(frozen=True, eq=False)
class BranchErrors:
    """Found side branches against the true ones, matched one to one.

    Attributes
    ----------
    expected, recalled : int
        True branches of a sufficient radius, and how many of them were found.
    offered, right : int
        Found branches of a sufficient radius, and how many of them are true ones of any radius.
    distance_mm : (K,) array
        Between the ostia of all matched branches.
    """

    expected: int
    recalled: int
    offered: int
    right: int
    distance_mm: FloatArray

    @property
    def recall(self) -> float:
        """Share of the expected branches that were found; NaN where none is expected."""
        return self.recalled / self.expected if self.expected else float("nan")

    @property
    def precision(self) -> float:
        """Share of the offered branches that are right; NaN where none is offered."""
        return self.right / self.offered if self.offered else float("nan")


def branch_errors(found: Sequence[SideBranch], truth: Sequence[SideBranch]) -> BranchErrors:
    """Match found side branches to true ones by their ostia and count both.

    As many as possible are matched, at most 2 mm apart, with the least sum of distances. Found
    branches of a probability below 0.5 are left out. Of a sufficient radius are those of 0.75 mm
    and more; a found one may be matched to a smaller true one and the other way round.

    Parameters
    ----------
    found, truth : sequence of SideBranch
        With ostium centre and radius; the true ones of the stretch that counts.

    Raises
    ------
    ValueError
        If a branch has no ostium centre or no radius.
    """
    sure = [each for each in found if each.probability >= LEAST_PROBABILITY]
    mine, theirs = _matched(_ostia(sure), _ostia(truth))
    large_found, large_true = _large(sure), _large(truth)
    distance_mm = np.linalg.norm(_ostia(sure)[mine] - _ostia(truth)[theirs], axis=1)
    return BranchErrors(
        int(large_true.sum()),
        int(large_true[theirs].sum()),
        int(large_found.sum()),
        int(large_found[mine].sum()),
        distance_mm,
    )


def _matched(found_mm: FloatArray, true_mm: FloatArray) -> tuple[IntArray, IntArray]:
    gap_mm = cdist(found_mm, true_mm)
    # Any match too far costs more than all that are near together.
    too_far = BRANCH_REACH_MM * (1.0 + min(gap_mm.shape))
    mine, theirs = linear_sum_assignment(np.where(gap_mm <= BRANCH_REACH_MM, gap_mm, too_far))
    near = gap_mm[mine, theirs] <= BRANCH_REACH_MM
    return mine[near], theirs[near]


def _ostia(branches: Sequence[SideBranch]) -> FloatArray:
    for each in branches:
        if each.world_mm is None or each.radius_mm is None:
            msg = f"side branch {each.id} needs an ostium centre and a radius"
            raise ValueError(msg)
    return np.array([each.world_mm for each in branches], dtype=np.float64).reshape(-1, 3)


def _large(branches: Sequence[SideBranch]) -> BoolArray:
    return np.array([(each.radius_mm or 0.0) >= SMALLEST_BRANCH_MM for each in branches], dtype=bool)
