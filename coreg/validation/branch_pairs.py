"""Side branches that both modalities show, paired on a registered path: landmarks for a reader to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from coreg.catheter_path import VirtualCatheterPath
from coreg.landmarks import Landmark, SideBranch

FloatArray = npt.NDArray[np.float64]

ALONG_MM, TURN_RAD = 2.0, np.radians(60.0)
# A bent vessel's other limb may lie in a frame's plane too, but farther off.
REACH_MM = 8.0
LONGEST_ID = 64


def paired_branches(
    path: VirtualCatheterPath, ccta: Sequence[SideBranch], pullback: Sequence[SideBranch]
) -> tuple[Landmark, ...]:
    """Pair the side branches of both modalities where a registration puts them.

    A branch of the CCTA may be that of the pullback if its ostium lies within 2 mm of the plane of the
    frame that shows the other, and within 60 degrees of its direction there. As many as possible are
    paired, with the least sum of squares of both differences.

    Such pairs follow the registration that they come from: until a reader has looked at them they
    neither guide nor validate it.

    Parameters
    ----------
    path : VirtualCatheterPath
        The registration's poses.
    ccta : sequence of SideBranch
        Ostium centres in the world; those without are left out.
    pullback : sequence of SideBranch
        Frames and angles; those without a frame are left out, those without an angle are paired by
        place alone.

    Returns
    -------
    tuple of Landmark
        Pairs, proximal to distal, named after the CCTA's branch; then what is left of the pullback and
        of the CCTA, with one half each. No two have the same name.
    """
    marked = [each for each in ccta if each.world_mm is not None]
    seen = [each for each in pullback if each.frame is not None]
    rows = path.rows_of(np.array([each.frame for each in seen], dtype=np.float64))
    mine, theirs = _matched(_costs(path, rows, seen, marked))
    order = np.argsort(rows[mine], kind="stable")
    pairs = [_landmark(marked[theirs[i]].id, seen[mine[i]], marked[theirs[i]]) for i in order]
    alone = [_landmark(each.id, each, None) for i, each in enumerate(seen) if i not in mine]
    rest = [_landmark(each.id, None, each) for i, each in enumerate(marked) if i not in theirs]
    return _uniquely_named([*pairs, *alone, *rest])


def _costs(
    path: VirtualCatheterPath, rows: FloatArray, seen: Sequence[SideBranch], marked: Sequence[SideBranch]
) -> FloatArray:
    """Squares (S, M) of both differences in units of what is allowed; infinite for what is no pair."""
    world = np.array([each.world_mm for each in marked], dtype=np.float64).reshape(-1, 3)
    # An angle that is not known fits any.
    angle = np.array(
        [np.nan if each.angle_rad is None else each.angle_rad for each in seen], dtype=np.float64
    )
    origin, axes = path.poses_at(rows)
    local = np.einsum("sji,smj->smi", axes, world - origin[:, None])
    along = local[..., 2] / ALONG_MM
    between = np.arctan2(local[..., 1], local[..., 0]) - angle[:, None]
    turn = np.nan_to_num(np.angle(np.exp(1j * between)) / TURN_RAD)
    near = (np.abs(along) <= 1.0) & (np.abs(turn) <= 1.0) & (np.hypot(*local[..., :2].T).T <= REACH_MM)
    return np.asarray(np.where(near, along**2 + turn**2, np.inf))


def _matched(cost: FloatArray) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Rows and columns of the pairs: as many as possible, at the least cost."""
    # One that is no pair costs more than all that are together.
    mine, theirs = linear_sum_assignment(np.where(np.isfinite(cost), cost, 2.0 * min(cost.shape) + 1.0))
    allowed = np.isfinite(cost[mine, theirs])
    return mine[allowed], theirs[allowed]


def _landmark(name: str, seen: SideBranch | None, marked: SideBranch | None) -> Landmark:
    return Landmark(
        name,
        "branch",
        frame=None if seen is None else seen.frame,
        angle_rad=None if seen is None else seen.angle_rad,
        world_mm=None if marked is None else marked.world_mm,
    )


def _uniquely_named(landmarks: Sequence[Landmark]) -> tuple[Landmark, ...]:
    """Number the names that come again, keeping them short enough for files."""
    taken: set[str] = set()
    named = []
    for each in landmarks:
        name, count = each.id, 1
        while name in taken:
            count += 1
            end = f"-{count}"
            name = each.id[: LONGEST_ID - len(end)] + end
        taken.add(name)
        named.append(replace(each, id=name))
    return tuple(named)
