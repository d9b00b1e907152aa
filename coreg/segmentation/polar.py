"""Frames of a pullback along rays from the catheter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coreg.pullback_images import PullbackImages

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

ANGLES = 256
MOST_RADII = 224


@dataclass(frozen=True, eq=False)
class PolarFrames:
    """Images along rays from the catheter, in acquisition order.

    Attributes
    ----------
    values : (N, A, R) uint8 array
        Grey values; ray ``k`` points at ``2 pi k / A`` from +column towards +row, sample ``i`` lies at
        ``(i + 0.5) step_mm`` from the catheter.
    hidden : (A, R) bool array
        Samples that tell nothing in any frame.
    marks : mapping of int to (A, R) bool array
        All samples that tell nothing, for the frames that have more of them.
    step_mm : float
        Between samples.
    """

    values: npt.NDArray[np.uint8]
    hidden: BoolArray
    marks: Mapping[int, BoolArray]
    step_mm: float

    def part(self, first: int, last: int) -> PolarFrames:
        """Frames from ``first`` up to before ``last``."""
        marks = {frame - first: mask for frame, mask in self.marks.items() if first <= frame < last}
        return PolarFrames(self.values[first:last], self.hidden, marks, self.step_mm)

    def cleaned(self, frame: int) -> Float32Array:
        """Values (A, R) of a frame; what is hidden is taken from the nearest rays that show something."""
        values = self.values[frame].astype(np.float32)
        hidden = self.marks.get(frame, self.hidden)
        if hidden.any():
            values[hidden] = _between_rays(values, hidden)[hidden]
        return values


def polar_frames(images: PullbackImages, *, angles: int = ANGLES) -> PolarFrames:
    """Sample images along rays from the catheter, out to the edge of the field of view.

    Parameters
    ----------
    images : PullbackImages
        N frames.
    angles : int
        How many rays.
    """
    spacing = images.pixel_spacing_mm
    count = int(min(MOST_RADII, np.ceil(images.field_of_view_mm / spacing.min())))
    step = images.field_of_view_mm / count
    radius = (np.arange(count) + 0.5) * step
    theta = 2.0 * np.pi * np.arange(angles) / angles
    column = images.catheter_px[0] + np.outer(np.cos(theta), radius) / spacing[0]
    row = images.catheter_px[1] + np.outer(np.sin(theta), radius) / spacing[1]
    corners, weights, outside = _bilinear(column, row, images.pixels.shape[1:])
    values = np.empty((len(images), angles, count), np.uint8)
    for frame, image in enumerate(images.pixels):
        flat = image.reshape(-1)
        total = sum(flat[c] * w for c, w in zip(corners, weights, strict=True))
        values[frame] = np.where(outside, 0.0, total + 0.5).reshape(angles, count)

    def sampled(mask: BoolArray) -> BoolArray:
        flat = mask.reshape(-1)
        touched = sum(flat[c] * w for c, w in zip(corners, weights, strict=True))
        return (outside | (touched > 0.01)).reshape(angles, count)

    hidden = sampled(images.hidden_in(-1))
    marks = {frame: sampled(images.hidden_in(frame)) for frame in images.marks}
    return PolarFrames(values, hidden, marks, step)


def _bilinear(
    column: FloatArray, row: FloatArray, shape: tuple[int, ...]
) -> tuple[list[IntArray], list[Float32Array], BoolArray]:
    """Flat indices and weights of the four pixels around places, and which places lie outside."""
    rows, columns = shape
    outside = (column < -0.5) | (column > columns - 0.5) | (row < -0.5) | (row > rows - 0.5)
    x, y = np.clip(column, 0.0, columns - 1.001), np.clip(row, 0.0, rows - 1.001)
    i, j = y.astype(np.int64), x.astype(np.int64)
    dy, dx = (y - i).astype(np.float32), (x - j).astype(np.float32)
    start = i * columns + j
    corners = [start, start + 1, start + columns, start + columns + 1]
    weights = [(1 - dy) * (1 - dx), (1 - dy) * dx, dy * (1 - dx), dy * dx]
    return [c.ravel() for c in corners], [w.ravel() for w in weights], outside.ravel()


def _between_rays(values: Float32Array, hidden: BoolArray) -> Float32Array:
    """Fill hidden samples (A, R) linearly between the nearest rays on either side, round the circle."""
    count = len(values)
    rays = np.arange(count)[:, None]
    shown = np.where(hidden, -10 * count, rays)
    before = np.maximum.accumulate(np.concatenate([shown - count, shown]), axis=0)[count:]
    after = np.where(hidden, 10 * count, rays)
    after = np.minimum.accumulate(np.concatenate([after, after + count])[::-1], axis=0)[::-1][:count]
    known = (before > -count - 1) & (after < 2 * count)
    before, after = np.where(known, before, rays), np.where(known, after, rays)
    share = (rays - before) / np.maximum(after - before, 1)
    low = np.take_along_axis(values, before % count, axis=0)
    high = np.take_along_axis(values, after % count, axis=0)
    filled: Float32Array = ((1.0 - share) * low + share * high).astype(np.float32)
    return np.where(known, filled, np.float32(0.0))
