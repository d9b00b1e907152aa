"""Calcified plaque of a pullback, from the rays that meet calcium."""

from __future__ import annotations

from itertools import count

import numpy as np
import numpy.typing as npt

from coreg.pullback_vessel import CalciumArc
from coreg.segmentation.openings import dilated, runs_round

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

NARROWEST_RAD, SHORTEST_MM = np.radians(15.0), 0.4
GAP_RAD, SLIVER_RAD = np.radians(12.0), np.radians(6.0)


def calcium_arcs(calcium: BoolArray, position_mm: FloatArray) -> tuple[CalciumArc, ...]:
    """Gather rays that meet calcium into arcs.

    Parameters
    ----------
    calcium : (N, A) bool array
        Rays that meet calcium, in acquisition order.
    position_mm : (N,) array
        How far the catheter had been withdrawn.

    Returns
    -------
    tuple of CalciumArc
        In acquisition order; none so narrow or so short that speckle may have made it.
    """
    rays = calcium.shape[1]
    turn = np.exp(2j * np.pi * np.arange(rays) / rays)
    pitch_mm = float(np.median(np.abs(np.diff(position_mm)))) if len(position_mm) > 1 else SHORTEST_MM
    numbers, parts = runs_round(_even(calcium))
    arcs = []
    for number in range(1, parts + 1):
        widths = (numbers == number).sum(axis=1)
        frames, widest = np.flatnonzero(widths), int(widths.argmax())
        first, last = int(frames[0]), int(frames[-1])
        extent = 2.0 * np.pi * int(widths[widest]) / rays
        length = abs(float(position_mm[last] - position_mm[first])) + pitch_mm
        if extent >= NARROWEST_RAD and length > SHORTEST_MM - 0.5 * pitch_mm:
            middle = float(np.angle(turn[numbers[widest] == number].sum()))
            arcs.append((first, last, middle, extent))
    return tuple(CalciumArc(f"C{i}", *each) for i, each in zip(count(1), sorted(arcs), strict=False))


def _even(calcium: BoolArray) -> BoolArray:
    """Close narrow gaps along the circle, then drop narrow slivers."""
    gap, sliver = (round(0.5 * width / (2.0 * np.pi) * calcium.shape[1]) for width in (GAP_RAD, SLIVER_RAD))
    closed = ~dilated(~dilated(calcium, gap), gap)
    return dilated(~dilated(~closed, sliver), sliver)
