"""The best surface through a stack of frames: one distance for every frame and angle."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

STEEPEST = 8


def total_cost(
    cost: Float32Array, *, around: tuple[float, float], along: tuple[float, float]
) -> Float32Array:
    """Add to the cost of each place what the best surface through it costs in four directions.

    Semi-global matching (Hirschmueller, IEEE TPAMI 2008): the optimal paths that reach a place from
    both sides around the circle and from both sides along the pullback.

    Parameters
    ----------
    cost : (N, A, R) array
        Of the surface to pass at each of R distances; frames N in order, angles A round the circle.
    around, along : pairs
        Price of a step by one distance between neighbouring angles, and between frames, and the most
        that any step costs.

    Returns
    -------
    (N, A, R) array
    """
    total = _passes(cost, *around, axis=1) + _passes(cost, *along, axis=0)
    total -= cost
    return total


def lowest(total: Float32Array) -> FloatArray:
    """Distance (N, A) of the lowest cost, to a fraction of a step, by a parabola through its neighbours."""
    best = np.clip(total.argmin(axis=2), 1, total.shape[2] - 2)
    left, middle, right = (
        np.take_along_axis(total, (best + d)[..., None], axis=2)[..., 0].astype(np.float64)
        for d in (-1, 0, 1)
    )
    bend = left - 2.0 * middle + right
    offset = np.where(bend > 1e-9, 0.5 * (left - right) / np.maximum(bend, 1e-9), 0.0)
    return best + np.clip(offset, -0.5, 0.5)


def _passes(cost: Float32Array, step: float, most: float, *, axis: int) -> Float32Array:
    """Cost of the best path from either side through each place, along one axis."""
    moved = np.moveaxis(cost, axis, 0)
    count = len(moved)
    total = -moved.copy()
    for order in (range(count), range(count - 1, -1, -1)):
        steps = list(order)
        # Round the circle, half a turn is enough to forget where the path began.
        lead = steps[-count // 2 :] if axis == 1 else []
        reached = np.zeros_like(moved[0])
        for i in lead:
            reached = moved[i] + _stepped(reached, step, most)
        for i in steps:
            reached = moved[i] + _stepped(reached, step, most)
            total[i] += reached
    return np.moveaxis(total, 0, axis)


def _stepped(reached: Float32Array, step: float, most: float) -> Float32Array:
    """Lowest cost with which each place is entered from any place before, less the lowest of all."""
    lowest_cost = reached.min(axis=-1, keepdims=True)
    best = np.minimum(reached, lowest_cost + np.float32(most))
    for width in range(1, STEEPEST + 1):
        price = np.float32(step * width)
        np.minimum(best[..., width:], reached[..., :-width] + price, out=best[..., width:])
        np.minimum(best[..., :-width], reached[..., width:] + price, out=best[..., :-width])
    best -= lowest_cost
    return best
