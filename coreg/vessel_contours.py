"""The outlines of a segmented pullback as closed contours."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from coreg.contours import area_mm2
from coreg.pullback_vessel import OPEN, PullbackVessel

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Contours = dict[int, FloatArray]

# A mouth that is seen less deep is not worth an outline.
_SHALLOWEST_MM = 0.05


def vessel_contours(vessel: PullbackVessel) -> dict[str, Contours]:
    """Outline lumen, membrane and the mouths of side branches in all frames that have an outline.

    Returns
    -------
    dict of str to dict of int to (M, 2) array
        ``lumen``, ``eem`` where it was looked for, and ``branch``: in mm from the catheter by acquisition
        index; of several mouths in a frame the largest.
    """
    contours = {"lumen": _outlines(vessel, vessel.lumen_mm, vessel.outlined)}
    if vessel.eem_mm is not None:
        contours["eem"] = _outlines(vessel, vessel.eem_mm, vessel.membraned)
    branches = {}
    for frame in range(len(vessel)):
        mouths = mouth_outlines(vessel, frame)
        if mouths:
            branches[frame] = max(mouths, key=area_mm2)
    return contours | {"branch": branches}


def _outlines(vessel: PullbackVessel, distance_mm: FloatArray, outlined: npt.NDArray[np.bool_]) -> Contours:
    """Outlines of a table (N, A) by acquisition index, of the rows (N,) that have one."""
    rows = np.flatnonzero(outlined)
    return dict(zip(rows.tolist(), vessel.outline_mm(distance_mm[rows]), strict=True))


def mouth_outlines(vessel: PullbackVessel, frame: int) -> list[FloatArray]:
    """Outline what a frame shows of side branches beyond the vessel's own wall, each (M, 2) in mm.

    >>> wall = np.full((1, 36), 1.5)
    >>> lumen, state = wall.copy(), np.zeros((1, 36), dtype=np.uint8)
    >>> lumen[0, :3], state[0, :3] = 2.5, OPEN
    >>> vessel = PullbackVessel(lumen, wall, None, state, None, np.ones(1), ("",), 5.0)
    >>> len(mouth_outlines(vessel, 0))
    1
    """
    depth = vessel.lumen_mm[frame] - vessel.wall_mm[frame]
    rays = np.column_stack([np.cos(vessel.angles_rad), np.sin(vessel.angles_rad)])
    mouths = []
    for run in _runs(vessel.state[frame] == OPEN):
        if len(run) < 2 or depth[run].max() < _SHALLOWEST_MM:
            continue
        out, back = run, run[::-1]
        far = vessel.lumen_mm[frame, out, None] * rays[out]
        near = vessel.wall_mm[frame, back, None] * rays[back]
        mouths.append(np.concatenate([far, near]))
    return mouths


def _runs(marked: npt.NDArray[np.bool_]) -> list[IntArray]:
    """Indices of each unbroken stretch of a closed row of marks."""
    if marked.all() or not marked.any():
        return [np.arange(len(marked))] if marked.all() else []
    # From an unmarked place on, no stretch goes over the row's end.
    start = int(np.flatnonzero(~marked)[0])
    order = (np.arange(len(marked)) + start) % len(marked)
    at = np.flatnonzero(marked[order])
    return [order[each] for each in np.split(at, np.flatnonzero(np.diff(at) > 1) + 1)]
