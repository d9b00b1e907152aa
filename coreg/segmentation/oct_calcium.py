"""Calcium in the wall of OCT frames."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, maximum_filter1d, uniform_filter1d

from coreg.pullback_vessel import BEYOND, BRIDGED
from coreg.segmentation.oct_appearance import WEAKEST
from coreg.segmentation.openings import dilated
from coreg.segmentation.outlines import Outlines

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]

BEFORE_MM, REACH_MM = 0.1, 1.6
DEEPEST_MM = 1.0
LAYER_MM, BLOCK_MM, EDGE_MM = 0.09, 0.17, 0.015
THICKEST_MM = 0.8
DROP, RISE = 0.38, 0.01
BLUR_RAD, BLUR_MM = np.radians(4.0), 0.2
BLOOD_PERCENT = 15
FEWEST_SEEN = 0.2
WIRE_RAD = np.radians(40.0)


def oct_calcium(values: Float32Array, outlines: Outlines, step_mm: float, *, pitch_mm: float) -> BoolArray:
    """Find the rays (N, A) that meet calcium in OCT frames.

    Calcium is a dark block in the wall: the light drops sharply where it begins, hardly fades inside,
    and tissue is bright again behind it. Lipid swallows the light, so that nothing shows behind its
    front; a shadow has no bright cap. Behind the guide wire lies calcium if it lies on both sides.

    Parameters
    ----------
    values : (N, A, R) array
        Grey values, as `coreg.segmentation.polar.PolarFrames` has them.
    outlines : Outlines
        Of the lumen in the same frames.
    step_mm : float
        Between the samples of a ray.
    pitch_mm : float
        Between frames.
    """
    seen = (outlines.state != BRIDGED) & (outlines.state != BEYOND)
    wall = _smoothed(_wall(values, outlines.lumen_mm / step_mm, step_mm), seen, pitch_mm)
    found = (_contrast(wall, step_mm) > 0.0) & seen
    half = round(0.5 * WIRE_RAD / (2.0 * np.pi) * seen.shape[1])
    closed = ~dilated(~dilated(found, half), half)
    return found | (closed & ~seen)


def _wall(values: Float32Array, edge: FloatArray, step_mm: float) -> Float32Array:
    """Grey values (D, N, A) over those of blood, from a little before the lumen's edge (N, A), in samples."""
    depth = np.arange(-round(BEFORE_MM / step_mm), round(REACH_MM / step_mm))
    place = np.rint(edge).astype(np.int32)[..., None] + depth.astype(np.int32)
    wall = np.take_along_axis(values, np.clip(place, 0, values.shape[2] - 1), axis=2)
    blood = np.percentile(values[:, ::4, ::4], BLOOD_PERCENT)
    return np.ascontiguousarray(np.moveaxis(wall, 2, 0)) - np.float32(blood)


def _smoothed(wall: Float32Array, seen: BoolArray, pitch_mm: float) -> Float32Array:
    """Mean (D, N, A) over frames and angles near each ray, of those that see the wall; 0 where few do."""
    sigma = (min(BLUR_MM / max(pitch_mm, 1e-3), 4.0), BLUR_RAD / (2.0 * np.pi) * seen.shape[1])
    weight = gaussian_filter(seen.astype(np.float32), sigma, mode=("nearest", "wrap"))
    mean = gaussian_filter(wall * seen, (0.0, *sigma), mode=("nearest", "nearest", "wrap"))
    return np.where(weight > FEWEST_SEEN, mean / np.maximum(weight, np.float32(FEWEST_SEEN)), np.float32(0.0))


def _contrast(wall: Float32Array, step_mm: float) -> Float32Array:
    """How clearly a dark block begins somewhere on each ray (N, A) and ends, against its brightest layer."""

    def samples(mm: float) -> int:
        return max(1, round(mm / step_mm))

    layer, block = (
        uniform_filter1d(wall, samples(mm), axis=0, mode="nearest") for mm in (LAYER_MM, BLOCK_MM)
    )
    front = np.arange(samples(BEFORE_MM) + 1, samples(BEFORE_MM + DEEPEST_MM))
    inside = block[front + samples(0.5 * BLOCK_MM + EDGE_MM)]
    nearest, farthest = samples(BLOCK_MM + LAYER_MM), samples(THICKEST_MM)
    brightest = maximum_filter1d(layer, farthest - nearest, axis=0, mode="nearest")
    behind = brightest[np.minimum(front + (nearest + farthest) // 2, len(layer) - 1)]
    cap = layer.max(axis=0)
    # A ray that shows hardly any wall must not be blown up.
    cap = np.maximum(cap, np.float32(max(WEAKEST * float(np.median(cap)), 1.0)))
    drop, rise = layer[front - samples(0.5 * LAYER_MM + EDGE_MM)] - inside, behind - inside
    contrast: Float32Array = np.minimum(drop - np.float32(DROP) * cap, rise - np.float32(RISE) * cap)
    return contrast.max(axis=0)
