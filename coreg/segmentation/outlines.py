"""What is found of the lumen in frames, before it is judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]

ELSEWHERE_MM = 0.15


@dataclass(frozen=True, eq=False)
class Outlines:
    """Lumen outlines by frame and angle, as in `coreg.pullback_vessel.PullbackVessel`.

    Attributes
    ----------
    lumen_mm, wall_mm : (N, A) arrays
        Distance of the outline from the catheter, with the mouths of side branches and without.
    state : (N, A) uint8 array
        How it is known.
    evidence : (N, A) array
        How much worse the image would fit an outline elsewhere on the ray, from 0 to 1.
    haze : (N,) array
        Share of the lumen that is as bright as wall.
    """

    lumen_mm: FloatArray
    wall_mm: FloatArray
    state: npt.NDArray[np.uint8]
    evidence: FloatArray
    haze: FloatArray


@dataclass(frozen=True, eq=False)
class Membrane:
    """The external elastic membrane by frame and angle.

    Attributes
    ----------
    eem_mm : (N, A) array
        Distance from the catheter.
    seen : (N, A) bool array
        Whether it is seen there.
    calcium : (N, A) bool array
        Rays that end at calcium.
    """

    eem_mm: FloatArray
    seen: npt.NDArray[np.bool_]
    calcium: npt.NDArray[np.bool_]


def evidence_of(total: Float32Array, step_mm: float, *, certain: float) -> FloatArray:
    """How much dearer a surface would be elsewhere on each ray (N, A), from 0 to 1.

    Parameters
    ----------
    total : (N, A, R) array
        Cost of the best surface through each place.
    step_mm : float
        Between places.
    certain : float
        Difference that leaves no doubt.
    """
    best = total.argmin(axis=2)[..., None]
    elsewhere = np.abs(np.arange(total.shape[2]) - best) > ELSEWHERE_MM / step_mm
    second = np.where(elsewhere, total, np.inf).min(axis=2)
    margin = second - np.take_along_axis(total, best, axis=2)[..., 0]
    return np.clip(margin / certain, 0.0, 1.0).astype(np.float64)


Tables = TypeVar("Tables", Outlines, Membrane)


def joined(rows: Sequence[slice], parts: Sequence[Tables]) -> Tables:
    """Join what was found in overlapping runs of frames, of each the rows that are its own."""
    tables = [
        np.concatenate([getattr(part, field.name)[own] for own, part in zip(rows, parts, strict=True)])
        for field in fields(parts[0])
    ]
    return type(parts[0])(*tables)
