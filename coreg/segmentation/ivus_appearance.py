"""What IVUS frames show along rays: usual grey values, and what the guide wire and calcium hide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from coreg.segmentation.guide_wire import wire_shadow
from coreg.segmentation.oct_appearance import sums_along
from coreg.segmentation.openings import without_narrow

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

BRIGHTEST = 1.4
LARGEST_CATHETER_MM = 1.0
LIT_PERCENT = 75
RING_PERCENT, RING_MM, NEAR_MM = 40, 0.6, 0.2
SHADOW_MM, SHADOW_SHARE, SHADOW_REACH_MM = 0.6, 0.53, 2.5
WIRE_MM, SURELY_WIRE = 0.35, 0.35
CALCIUM_LEVEL, CALCIUM_MM, CALCIUM_REACH_MM = 0.9, 0.1, 0.5
BLUR_RAD = np.radians(5.0)


@dataclass(frozen=True, eq=False)
class IvusLevels:
    """What a run looks like as a whole.

    Attributes
    ----------
    first : int
        First sample outside of the catheter.
    adventitia : float
        Grey value of bright tissue.
    blood : float
        Of the lumen, relative to it.
    usual : (R,) array
        What is not in a shadow, over distance, relative to it.
    ring : (R,) array
        What the catheter adds around itself by ringing down, relative to it.
    """

    first: int
    adventitia: float
    blood: float
    usual: FloatArray
    ring: FloatArray


@dataclass(frozen=True, eq=False)
class IvusLook:
    """Frames scaled so that adventitia is 1, and what hides what.

    Attributes
    ----------
    bright : (N, A, R) array
    sums : (N, A, R + 1) array
        Of it, over the samples before each.
    step_mm : float
        Between samples.
    first : int
        First sample outside of the catheter.
    blood : float
        Of the lumen.
    wire, calcium : (N, A) bool arrays
        Rays behind the guide wire, and those that end at calcium.
    front : (N, A) int array
        Where the calcium begins.
    """

    bright: Float32Array
    sums: Float32Array
    step_mm: float
    first: int
    blood: float
    wire: BoolArray
    calcium: BoolArray
    front: IntArray

    def samples(self, mm: float) -> int:
        """How many samples a length is."""
        return max(1, round(mm / self.step_mm))

    def between(self, start_mm: FloatArray, end_mm: FloatArray) -> FloatArray:
        """Mean brightness (N, A) from one distance to another."""
        last = self.sums.shape[2] - 1
        low = np.clip(np.round(start_mm / self.step_mm).astype(np.int64), 0, last - 1)
        high = np.clip(np.round(end_mm / self.step_mm).astype(np.int64), low + 1, last)
        ends = (np.take_along_axis(self.sums, each[..., None], axis=2)[..., 0] for each in (high, low))
        after, before = (each.astype(np.float64) for each in ends)
        return (after - before) / (high - low)

    def mean(self, start_mm: float, end_mm: float) -> Float32Array:
        """Mean brightness (N, A, R + 1) between two distances from each place."""
        return _mean(self.sums, round(start_mm / self.step_mm), round(end_mm / self.step_mm))


def ivus_levels(values: Float32Array, step_mm: float) -> IvusLevels:
    """Find catheter and usual grey values in some frames (N, A, R) of a run."""
    usual = np.median(values[:, ::4], axis=(0, 1))
    tissue = np.median(usual[round(0.5 / step_mm) : round(2.0 / step_mm)])
    first = int(np.argmax(usual[: round(LARGEST_CATHETER_MM / step_mm)] > 0.6 * tissue)) + 1
    layers = uniform_filter1d(values[:, :, first:], max(1, round(0.25 / step_mm)), axis=2).max(axis=2)
    adventitia = max(float(np.percentile(layers, 60)), 1.0)
    ring = _ring_down(values, first, step_mm)
    near = slice(first + 2, first + 2 + max(1, round(NEAR_MM / step_mm)))
    blood = max(float(np.median(values[:, :, near] - ring[near])) / adventitia, 0.02)
    # Not the median, since calcium may hide half of a vessel.
    lit = np.percentile(values[:, ::4], LIT_PERCENT, axis=(0, 1)).astype(np.float64)
    return IvusLevels(first, adventitia, blood, lit / adventitia, ring / adventitia)


def _ring_down(values: Float32Array, first: int, step_mm: float) -> FloatArray:
    """How much brighter (R,) than blood farther out everything is around the catheter."""
    low = np.percentile(values[:, ::4], RING_PERCENT, axis=(0, 1)).astype(np.float64)
    end = first + max(1, round(RING_MM / step_mm))
    smooth = uniform_filter1d(low[first:end], max(1, round(0.1 / step_mm)))
    ring = np.zeros_like(low)
    ring[first:end] = np.maximum(low[first:end] - smooth.min(), 0.0)
    ring[first + int(smooth.argmin()) :] = 0.0
    return ring


def ivus_look(values: Float32Array, step_mm: float, levels: IvusLevels) -> IvusLook:
    """Scale frames, and find what casts shadows."""

    def samples(mm: float) -> int:
        return max(1, round(mm / step_mm))

    first, blood = levels.first, levels.blood
    bright = values / np.float32(levels.adventitia) - levels.ring.astype(np.float32)
    np.clip(bright, 0.0, BRIGHTEST, out=bright)
    bright[:, :, :first] = 0.0
    sums = sums_along(bright)
    behind = _mean(sums, 0, samples(SHADOW_MM))
    last = min(values.shape[2] - samples(SHADOW_MM), samples(SHADOW_REACH_MM))
    # Far tissue is dim everywhere; a shadow is darker than what is usual there.
    usual_behind = _mean(sums_along(levels.usual[None, None].astype(np.float32)), 0, samples(SHADOW_MM))
    dark = behind < SHADOW_SHARE * np.minimum(usual_behind, blood)
    shadow: BoolArray = np.asarray(dark[:, :, first:last].any(axis=2))
    begins = np.argmax(dark[:, :, first:], axis=2) + first
    likeness = _wire_likeness(bright, sums, behind, first, samples, blood)
    blur = blurred_rays(values.shape[1])
    wire = wire_shadow(
        likeness.max(axis=2), likeness.argmax(axis=2) * step_mm, shadow, sure=SURELY_WIRE, blur=blur
    )
    layers = uniform_filter1d(bright, samples(CALCIUM_MM), axis=2)
    place = np.arange(bright.shape[2])
    near = (place >= np.maximum(begins - samples(CALCIUM_REACH_MM), first)[..., None]) & (
        place <= begins[..., None] + 1
    )
    lit = np.where(near, layers, 0.0)
    calcium = without_narrow(shadow & ~wire & (lit.max(axis=2) > CALCIUM_LEVEL), blur // 2)
    front = lit.argmax(axis=2)
    return IvusLook(bright, sums, step_mm, first, blood, wire, calcium, front)


def _wire_likeness(
    bright: Float32Array,
    sums: Float32Array,
    behind: Float32Array,
    first: int,
    samples: Callable[[float], int],
    blood: float,
) -> Float32Array:
    """How much each place (N, A, K) looks like a bright thing in blood with nothing behind it."""
    start = np.arange(first, min(samples(SHADOW_REACH_MM), bright.shape[2] - samples(SHADOW_MM)))
    thick = samples(WIRE_MM)
    peak = maximum_filter1d(uniform_filter1d(bright, 3, axis=2), thick, axis=2, origin=-(thick // 2))
    low = np.maximum(start - samples(0.25), first)
    before = (sums[:, :, start] - sums[:, :, low]) / np.maximum(start - low, 1)
    over = np.maximum(before - blood, 0.0) / max(1.0 - blood, 0.1)
    end = np.minimum(start + thick, behind.shape[2] - 1)
    likeness: Float32Array = np.minimum(peak[:, :, start], 1.0) - 2.0 * over - 1.5 * behind[:, :, end] / blood
    return likeness


def blurred_rays(count: int) -> int:
    """How many of the rays of a turn the beam spreads an edge over."""
    return round(BLUR_RAD / (2.0 * np.pi) * count)


def _mean(sums: Float32Array, start: int, end: int) -> Float32Array:
    """Mean (N, A, R + 1) over the samples from ``start`` to before ``end`` beyond each place."""
    last = sums.shape[2] - 1
    place = np.arange(last + 1)
    low, high = np.clip(place + start, 0, last), np.clip(place + end, 0, last)
    mean: Float32Array = (sums[:, :, high] - sums[:, :, low]) / np.maximum(high - low, 1).astype(np.float32)
    return mean
