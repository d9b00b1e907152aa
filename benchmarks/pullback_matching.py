"""Side branches and calcium of a pullback against the true ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from coreg.landmarks import SideBranch
from coreg.pullback_vessel import CalciumArc

LEAST_PROBABILITY = 0.5
SMALLEST_MM = 0.375
REACH_MM, REACH_RAD = 0.6, np.radians(15.0)
LOOSE_MM, LOOSE_RAD = 1.0, np.radians(30.0)


@dataclass(frozen=True, eq=False)
class BranchMatch:
    """Found side branches against true ones, matched one to one.

    Attributes
    ----------
    expected, recalled : int
        True branches whose mouth is 0.75 mm wide or more, and how many were found.
    offered, right : int
        Found ones of a probability of 0.5 or more, and how many are true ones of any width.
    error_mm, error_rad : (K,) arrays
        Of the matched ones, found minus true: withdrawal and angle.
    """

    expected: int
    recalled: int
    offered: int
    right: int
    error_mm: np.ndarray
    error_rad: np.ndarray


@dataclass(frozen=True)
class CalciumMatch:
    """Found calcium against the true one: what overlaps in frames and angle is right."""

    expected: int
    recalled: int
    offered: int
    right: int


def branch_match(
    found: Sequence[SideBranch], truth: Sequence[SideBranch], position_mm: np.ndarray, *, loose: bool = False
) -> BranchMatch:
    """Match side branches, as many as possible and then the nearest.

    Parameters
    ----------
    found, truth : sequence of SideBranch
        With frame and angle; the true ones with a radius.
    position_mm : (N,) array
        Of the frames in acquisition order.
    loose : bool
        Whether they may be as far apart as 1 mm and 30 degrees.
    """
    reach_mm, reach_rad = (LOOSE_MM, LOOSE_RAD) if loose else (REACH_MM, REACH_RAD)
    sure = [each for each in found if each.probability >= LEAST_PROBABILITY]
    mine_mm, mine_rad = _places(sure, position_mm)
    true_mm, true_rad = _places(truth, position_mm)
    apart_mm = mine_mm[:, None] - true_mm
    apart_rad = np.angle(np.exp(1j * (mine_rad[:, None] - true_rad)))
    near = (np.abs(apart_mm) <= reach_mm + 1e-6) & (np.abs(apart_rad) <= reach_rad)
    cost = (apart_mm / reach_mm) ** 2 + (apart_rad / reach_rad) ** 2
    # Any match too far costs more than all that are near together.
    a, b = linear_sum_assignment(np.where(near, cost, 2.0 * (1 + min(cost.shape)) + 1.0))
    kept = near[a, b]
    a, b = a[kept], b[kept]
    large = np.array([(each.radius_mm or 0.0) >= SMALLEST_MM for each in truth], dtype=bool)
    return BranchMatch(
        int(large.sum()), int(large[b].sum()), len(sure), len(a), apart_mm[a, b], apart_rad[a, b]
    )


def _places(branches: Sequence[SideBranch], position_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    frame = np.array([each.frame for each in branches], dtype=np.float64)
    angle = np.array([each.angle_rad for each in branches], dtype=np.float64)
    return np.interp(frame, np.arange(len(position_mm)), position_mm), angle


def calcium_match(found: Sequence[CalciumArc], truth: Sequence[CalciumArc]) -> CalciumMatch:
    """Match arcs of calcium; one may overlap with several."""
    meets = np.array([[_overlap(a, b) for b in truth] for a in found], dtype=bool)
    meets = meets.reshape(len(found), len(truth))
    recalled, right = int(meets.any(axis=0).sum()), int(meets.any(axis=1).sum())
    return CalciumMatch(len(truth), recalled, len(found), right)


def _overlap(a: CalciumArc, b: CalciumArc) -> bool:
    apart = abs((a.angle_rad - b.angle_rad + np.pi) % (2.0 * np.pi) - np.pi)
    both = a.first_frame <= b.last_frame and b.first_frame <= a.last_frame
    return both and apart < 0.5 * (a.extent_rad + b.extent_rad)
