"""The samples along a frame's lines of sight, and what lies at them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coreg.phantom.sections import Section

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]

BRANCH_WALL_MM = 0.22
PAST_WALL_MM = 0.05


@dataclass(frozen=True, eq=False)
class Lines:
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


def lines_of(section: Section, depth_mm: Float32Array) -> Lines:
    """Sample a section at depths (R,)."""
    lumen, wall = column(section.lumen_mm), column(section.wall_mm)
    behind = depth_mm - lumen
    inside = behind < 0.0
    membrane = np.where(lumen > wall + PAST_WALL_MM, lumen + BRANCH_WALL_MM, column(section.eem_mm))
    if section.branch_level_mm is not None:
        inside |= along(section.branch_level_mm, section, depth_mm) < 0.0
    return Lines(depth_mm, behind, membrane.astype(np.float32), inside)


def along(values: FloatArray, section: Section, depth_mm: Float32Array) -> Float32Array:
    """Interpolate values (A, K) at a section's own steps to depths (R,)."""
    count = values.shape[1]
    place = np.clip(depth_mm / section.field_of_view_mm * (count - 1.0), 0.0, count - 1.0)
    low = np.minimum(place.astype(np.int64), count - 2)
    weights = np.zeros((count, len(depth_mm)), dtype=np.float32)
    weights[low, np.arange(len(depth_mm))] = 1.0 - (place - low)
    weights[low + 1, np.arange(len(depth_mm))] = place - low
    return values.astype(np.float32) @ weights


def column(values: FloatArray) -> Float32Array:
    """Values (A,) of lines as a column (A, 1)."""
    return values.astype(np.float32)[:, None]
