"""From lines of sight to the square image that a console shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

# The circle of the field of view leaves a narrow rim.
FILLED_SHARE = 0.985


@dataclass(frozen=True, eq=False)
class ScanGrid:
    """Where the pixels of an image lie between lines and depths.

    Attributes
    ----------
    size : int
        Rows and columns.
    pixel_mm : float
        Spacing.
    centre_px : float
        Row and column of the catheter.
    inside : (rows, columns) bool array
        Pixels within the field of view.
    corner : (P,) int array
        Index of their line and depth in a table whose first line is repeated at its end.
    columns : int
        Depths of that table.
    across, along : (P,) arrays
        How far they are towards the next line and depth.
    """

    size: int
    pixel_mm: float
    centre_px: float
    inside: npt.NDArray[np.bool_]
    corner: IntArray
    columns: int
    across: Float32Array
    along: Float32Array

    def converted(self, lines: Float32Array) -> npt.NDArray[np.uint8]:
        """Turn grey values (A, R) along lines into an image; black outside the field of view."""
        table = np.concatenate([lines, lines[:1]]).ravel()
        corner, wide = self.corner, self.columns
        near = table[corner] + self.along * (table[corner + 1] - table[corner])
        low, high = table[corner + wide], table[corner + wide + 1]
        value = near + self.across * (low + self.along * (high - low) - near)
        image = np.zeros((self.size, self.size), dtype=np.uint8)
        image[self.inside] = np.clip(value + 0.5, 0.0, 255.0)
        return image


def scan_grid(size: int, *, field_of_view_mm: float, angles: int, step_mm: float) -> ScanGrid:
    """Lay a square image over lines that go once round and reach to the field of view."""
    centre = 0.5 * (size - 1.0)
    pixel_mm = field_of_view_mm / (FILLED_SHARE * 0.5 * size)
    ticks = pixel_mm * (np.arange(size) - centre)
    x, y = np.meshgrid(ticks, ticks)
    radius = np.hypot(x, y)
    inside = radius <= field_of_view_mm
    columns = len(depths_mm(field_of_view_mm, step_mm))
    line = (np.arctan2(y, x)[inside] % (2.0 * np.pi)) * (angles / (2.0 * np.pi))
    depth = radius[inside] / step_mm
    low = np.minimum(line.astype(np.int64), angles - 1)
    deep = np.minimum(depth.astype(np.int64), columns - 2)
    return ScanGrid(
        size,
        pixel_mm,
        centre,
        inside,
        low * columns + deep,
        columns,
        (line - low).astype(np.float32),
        (depth - deep).astype(np.float32),
    )


def depths_mm(field_of_view_mm: float, step_mm: float) -> Float32Array:
    """Distances (R,) of a line's samples, from the catheter's centre to past the field of view."""
    count = int(np.ceil(field_of_view_mm / step_mm)) + 2
    return (step_mm * np.arange(count)).astype(np.float32)
