"""What lumen, wall, catheter and guide wire look like in OCT."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter1d, uniform_filter1d

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

LARGEST_CATHETER_MM, USUAL_CATHETER_MM = 1.0, 0.5
RING_GREY = 8.0
BRIGHTEST = 1.3
LAYER_MM, WEAKEST = 0.1, 0.4
WALL_DEPTH_MM = 0.16
WIRE_DEPTH_MM = 0.42
BEFORE_WIRE_MM, BEHIND_WIRE_MM = 0.25, 0.8
FEWEST_FOR_RINGS = 12


def catheter_radius_mm(values: Float32Array, step_mm: float) -> float:
    """Radius of the catheter: out to there rings are bright in nearly every frame (N, A, R)."""
    count = int(LARGEST_CATHETER_MM / step_mm)
    if len(values) < FEWEST_FOR_RINGS:
        return USUAL_CATHETER_MM
    every = max(1, len(values) // 100)
    usual = np.median(np.percentile(values[::every, ::2, :count], 15, axis=0), axis=0)
    floor = usual[count // 2 :].min()
    bright = np.flatnonzero(usual > floor + RING_GREY)
    return float((bright.max() + 2) * step_mm) if len(bright) else USUAL_CATHETER_MM


def brightness(values: Float32Array, first: int, step_mm: float) -> Float32Array:
    """Scale grey values (N, A, R) so that blood without cells is 0 and the wall 1.

    A ray whose light was weakened on its way is brightened, within limits. ``first`` is the first
    sample outside of the catheter.
    """
    low = np.percentile(values[:, ::4, first::2], 15)
    width = max(3, round(LAYER_MM / step_mm))
    layers = uniform_filter1d(values[:, :, first:], width, axis=2).max(axis=2) - low
    usual = max(float(np.percentile(layers, 70)), 1.0)
    high = np.clip(uniform_filter1d(layers, 5, axis=1, mode="wrap"), WEAKEST * usual, usual)
    scaled: Float32Array = np.clip((values - low) / high[:, :, None], 0.0, BRIGHTEST)
    return scaled


def sums_along(values: Float32Array) -> Float32Array:
    """Sums (N, A, R + 1) over the samples before each."""
    sums = np.zeros((*values.shape[:2], values.shape[2] + 1), np.float32)
    np.cumsum(values, axis=2, out=sums[:, :, 1:])
    return sums


def strongest_wall(sums: Float32Array, first: int, step_mm: float) -> Float32Array:
    """How bright the brightest thick layer is on each ray (N, A); low where there is no wall."""
    width = max(2, round(WALL_DEPTH_MM / step_mm))
    start = np.arange(first, sums.shape[2] - 1 - 2 * width)
    near = sums[:, :, start + width] - sums[:, :, start]
    far = sums[:, :, start + 2 * width] - sums[:, :, start + width]
    strongest: Float32Array = np.minimum(near, far).max(axis=2) / width
    return strongest


def wire_likeness(
    values: Float32Array, sums: Float32Array, first: int, step_mm: float
) -> tuple[Float32Array, IntArray]:
    """How much a ray (N, A) looks like a thin bright thing with nothing before and behind it, and where."""
    count = values.shape[2]
    thick, before, behind = (round(mm / step_mm) for mm in (WIRE_DEPTH_MM, BEFORE_WIRE_MM, BEHIND_WIRE_MM))
    # In a narrow field of view the shadow is shorter.
    behind = int(np.clip(count - first - thick - 1, 1, behind))
    start = np.arange(first, count - thick - behind)
    low, end = np.maximum(start - before, first), start + thick + behind
    dark_before = (sums[:, :, start] - sums[:, :, low]) / np.maximum(start - low, 1)
    dark_behind = (sums[:, :, end] - sums[:, :, start + thick]) / behind
    peak = maximum_filter1d(uniform_filter1d(values, 3, axis=2), thick, axis=2, origin=-(thick // 2))
    likeness: Float32Array = np.minimum(peak[:, :, start], 1.0) - 4.0 * dark_behind - 2.0 * dark_before
    return likeness.max(axis=2), likeness.argmax(axis=2) + first
