"""The cheapest course through a table of costs, by dynamic programming (Bellman 1957; Viterbi 1967)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Moves:
    """Steps that a course may take from one frame to the next along one axis of its states.

    Attributes
    ----------
    by : (K,) int array
        In states.
    price : (K,) array
        Of each.
    """

    by: IntArray
    price: FloatArray

    @classmethod
    def quadratic(cls, by: npt.ArrayLike, *, usual: float, weight: float) -> Moves:
        """Price steps by the square of how far they are from the usual one."""
        steps = np.asarray(by, dtype=np.int64)
        return cls(steps, np.asarray(weight * (steps - usual) ** 2, dtype=np.float64))


STAY = Moves(np.zeros(1, dtype=np.int64), np.zeros(1))


def cheapest_course(
    costs: Iterable[FloatArray], *, places: Moves = STAY, turns: Moves = STAY
) -> tuple[IntArray, IntArray, float]:
    """Find the course of least total cost through states (place, turn).

    Parameters
    ----------
    costs : iterable of (S, A) arrays
        Cost of each state at each frame.
    places, turns : Moves
        Steps along the two axes. Turns go round, places end at the table's edges.

    Returns
    -------
    place, turn : (M,) int arrays
        The state at each frame.
    cost : float
        Sum of the states' costs and of the steps' prices.

    Raises
    ------
    ValueError
        If there is no frame.
    """
    total: FloatArray | None = None
    came_place, came_turn = [], []
    for cost in costs:
        if total is not None:
            total, turned = _stepped(total.T, turns, around=True)
            total, moved = _stepped(total.T, places, around=False)
            came_turn.append(turned.T)
            came_place.append(moved)
        total = cost if total is None else total + cost
    if total is None:
        msg = "costs has no frame, expected one or more"
        raise ValueError(msg)
    place, turn = np.unravel_index(int(total.argmin()), total.shape)
    course = [(int(place), int(turn))]
    for moved, turned in zip(reversed(came_place), reversed(came_turn), strict=True):
        s, a = course[-1]
        s -= int(places.by[moved[s, a]])
        a = (a - int(turns.by[turned[s, a]])) % total.shape[1]
        course.append((s, a))
    states = np.array(course[::-1], dtype=np.int64)
    return states[:, 0], states[:, 1], float(total.min())


def _stepped(total: FloatArray, moves: Moves, *, around: bool) -> tuple[FloatArray, npt.NDArray[np.uint8]]:
    """Cheapest way (S, A) into each state along the first axis, and which move it was."""
    best = np.full(total.shape, np.inf)
    which = np.zeros(total.shape, dtype=np.uint8)
    for k, (by, price) in enumerate(zip(moves.by.tolist(), moves.price.tolist(), strict=True)):
        there = _shifted(total, by, around=around) + price
        better = there < best
        np.copyto(best, there, where=better)
        which[better] = k
    return best, which


def _shifted(total: FloatArray, by: int, *, around: bool) -> FloatArray:
    """Move entries on along the first axis; what comes in from beyond an edge is out of reach."""
    if by == 0:
        return total
    moved = np.roll(total, by, axis=0)
    if not around:
        moved[slice(0, by) if by > 0 else slice(by, None)] = np.inf
    return moved
