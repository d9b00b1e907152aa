"""One frame of a pullback, before it is painted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from coreg.phantom.guide_wire import GuideWire
from coreg.phantom.sections import Section

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]

Before = Literal["", "guide", "aorta"]
BRANCH_WALL_MM = 0.22
PAST_WALL_MM = 0.05


@dataclass(frozen=True, eq=False)
class Samples:
    """A section on samples (A, R) along its lines.

    Attributes
    ----------
    depth_mm : (R,) array
        Distance from the catheter.
    behind_mm : (A, R) array
        Behind the lumen's outline.
    membrane_mm : (A, 1) array
        Where the membrane of what the line meets is: the main vessel's, or that of a side branch.
    inside : (A, R) bool array
        In a lumen, also where a line comes into a branch again behind the wall.
    """

    depth_mm: Float32Array
    behind_mm: Float32Array
    membrane_mm: Float32Array
    inside: BoolArray


@dataclass(frozen=True, eq=False)
class Shot:
    """What there is to see in one frame.

    Attributes
    ----------
    section : Section
        What the lines of sight meet.
    samples : Samples
        The same at the depths that are painted.
    angle_rad : (A,) array
        Their true angles.
    wire : GuideWire or None
        Beside the catheter.
    struts : (A,) bool array
        Lines that meet a strut of a stent on the wall.
    blood_fall : (A, R) array or None
        Light that residual blood takes per mm, in grey values (OCT); None where there is no blood.
    before : str
        ``guide`` or ``aorta`` where the catheter has left the vessel; else empty.
    """

    section: Section
    samples: Samples
    angle_rad: FloatArray
    wire: GuideWire | None
    struts: BoolArray
    blood_fall: Float32Array | None
    before: Before


def sampled(section: Section, depth_mm: Float32Array) -> Samples:
    """Sample a section at depths (R,)."""
    lumen, wall = column(section.lumen_mm), column(section.wall_mm)
    behind = depth_mm - lumen
    inside = behind < 0.0
    membrane = np.where(lumen > wall + PAST_WALL_MM, lumen + BRANCH_WALL_MM, column(section.eem_mm))
    if section.branch_level_mm is not None:
        inside |= along(section.branch_level_mm, section, depth_mm) < 0.0
    return Samples(depth_mm, behind, membrane.astype(np.float32), inside)


def along(values: FloatArray, section: Section, depth_mm: Float32Array) -> Float32Array:
    """Interpolate values (A, K) at a section's own steps to depths (R,)."""
    count = values.shape[1]
    place = np.clip(depth_mm / section.field_of_view_mm * (count - 1.0), 0.0, count - 1.0)
    low = np.minimum(place.astype(np.int64), count - 2)
    share = (place - low).astype(np.float32)
    weights = np.zeros((count, len(depth_mm)), dtype=np.float32)
    weights[low, np.arange(len(depth_mm))] = 1.0 - share
    weights[low + 1, np.arange(len(depth_mm))] = share
    return values.astype(np.float32) @ weights


def column(values: FloatArray) -> Float32Array:
    """Values (A,) of lines as a column (A, 1)."""
    return values.astype(np.float32)[:, None]
