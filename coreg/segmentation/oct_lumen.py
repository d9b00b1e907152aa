"""The lumen in OCT frames."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import median_filter, uniform_filter1d

from coreg.pullback_vessel import BEYOND, BLOOD, BRIDGED, OPEN, SEEN
from coreg.segmentation.guide_wire import wire_shadow
from coreg.segmentation.oct_appearance import (
    brightness,
    catheter_radius_mm,
    strongest_wall,
    sums_along,
    wire_likeness,
)
from coreg.segmentation.openings import closed_wall
from coreg.segmentation.outlines import Outlines, evidence_of
from coreg.segmentation.surface import lowest, total_cost

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]

WALL_LEVEL = 0.3
LOOK_DEPTH_MM = 0.33
DARK_SHARE, THIN_MM = 0.3, 0.04
NO_WALL, SURELY_WIRE = 0.2, 0.2
SLOPE, JUMP_MM = 0.3, 0.11
IMPOSSIBLE = 1e3
HAZE_LEVEL, HAZY_SHARE = 0.25, 0.2
LAYER_MM, FAINT_SHARE, FAINT_FRAME = 0.2, 0.65, 0.1
LEAST_SAY, CLEAR_SAY, SURE_SAY, HOLD = 0.05, 0.4, 0.8, 0.3
HAZY_FRAME = 0.08
CERTAIN = 0.15
EDGE_MM = 0.05


def oct_lumen(values: Float32Array, step_mm: float, *, pitch_mm: float) -> Outlines:
    """Outline the lumen in OCT frames along rays from the catheter.

    The outline of all frames is the surface that best separates dark lumen from bright wall while it
    is smooth round the circle and along the pullback (semi-global matching). Rays that the guide wire
    hides have no say, and are bridged.

    Parameters
    ----------
    values : (N, A, R) array
        Grey values, as `coreg.segmentation.polar.PolarFrames` has them.
    step_mm : float
        Between the samples of a ray.
    pitch_mm : float
        Between frames.
    """
    first = round(catheter_radius_mm(values, step_mm) / step_mm)
    bright = brightness(values, first, step_mm)
    sums = sums_along(bright)
    dark = strongest_wall(sums, first, step_mm) < NO_WALL
    likeness, place = wire_likeness(bright, sums, first, step_mm)
    wire = wire_shadow(likeness, (place - first).astype(np.float64) * step_mm, dark, sure=SURELY_WIRE)
    cost = _cost(bright, first, step_mm, wire)
    price = (SLOPE * step_mm, JUMP_MM)
    total = total_cost(cost, around=price, along=price)
    say = _say(values, first, step_mm, lowest(total), dark | wire)
    if (say < 1.0).any():
        cost[:, :, first:] *= say[:, None, None]
        _hold(cost, lowest(total), say, first, step_mm)
        total = total_cost(cost, around=price, along=price)
    distance = lowest(total) * step_mm
    wall, opened = closed_wall(distance, wire, pitch_mm=pitch_mm)
    _, haze = _haze(bright, first, wall / step_mm)
    # Blood casts shadows that look like mouths.
    opened &= ((say >= SURE_SAY) & (haze < HAZY_FRAME))[:, None]
    reach = (values.shape[2] - 0.5) * step_mm
    lumen = np.clip(np.where(opened, distance, wall), first * step_mm, reach)
    wall = np.clip(wall, first * step_mm, reach)
    hazy, haze = _haze(bright, first, lumen / step_mm)
    state = np.full(lumen.shape, SEEN, np.uint8)
    state[hazy] = BLOOD
    state[opened] = OPEN
    state[dark & ~opened] = BEYOND
    state[wire | (dark & ~opened & (wall < reach - EDGE_MM))] = BRIDGED
    # What holds an outline in blood is not what the frame itself shows.
    evidence = evidence_of(total, step_mm, certain=CERTAIN) * np.minimum(say / CLEAR_SAY, 1.0)[:, None]
    return Outlines(lumen, np.minimum(wall, lumen), state, evidence, haze)


def _cost(bright: Float32Array, first: int, step_mm: float, wire: BoolArray) -> Float32Array:
    """Cost (N, A, R + 1) of the wall to begin at a sample: bright lumen before it, dark wall behind it."""
    excess = bright - np.float32(WALL_LEVEL)
    excess[:, :, :first] = 0.0
    behind = sums_along(excess)
    ahead = np.minimum(np.arange(behind.shape[2]) + round(LOOK_DEPTH_MM / step_mm), behind.shape[2] - 1)
    cost = behind - behind[:, :, ahead]
    passed = sums_along(np.maximum(excess, 0.0))
    # The darkness behind a wall must not make up for having passed through it.
    fresh = np.exp(passed[:, :, :-1] * np.float32(-step_mm / THIN_MM))
    cost += passed + np.float32(DARK_SHARE) * sums_along(np.minimum(excess, 0.0) * fresh)
    cost *= np.float32(step_mm)
    cost[wire] = 0.0
    cost[:, :, :first] = IMPOSSIBLE
    return cost


def _say(
    values: Float32Array, first: int, step_mm: float, edge: FloatArray, hidden: BoolArray
) -> Float32Array:
    """How much each frame (N,) is to be believed: little where much of what was found is faint as blood."""
    sums = sums_along(values)
    start = np.clip(np.rint(edge).astype(np.int64), 0, values.shape[2] - 2)
    end = np.minimum(start + max(1, round(LAYER_MM / step_mm)), values.shape[2])
    layer = (
        np.take_along_axis(sums, end[..., None], axis=2) - np.take_along_axis(sums, start[..., None], axis=2)
    )[..., 0] / (end - start)
    dark = np.percentile(values[:, ::4, first::2], 15)
    usual = float(np.median(layer[~hidden])) if not hidden.all() else 255.0
    faint = ((layer - dark < FAINT_SHARE * (usual - dark)) & ~hidden).sum(axis=1)
    share = faint / np.maximum((~hidden).sum(axis=1), 1)
    say: Float32Array = np.clip((FAINT_FRAME / np.maximum(share, 1e-6)) ** 2, LEAST_SAY, 1.0)
    return say.astype(np.float32)


def _hold(cost: Float32Array, edge: FloatArray, say: Float32Array, first: int, step_mm: float) -> None:
    """Let outlines (N, A) of frames with little say pay for leaving those of the clear frames around them."""
    clear = np.flatnonzero(say >= CLEAR_SAY)
    if not len(clear):
        return
    steady = median_filter(edge[clear], size=(min(5, len(clear)), 1), mode="nearest")
    place = np.arange(cost.shape[2], dtype=np.float32)
    for i in np.flatnonzero(say < CLEAR_SAY):
        after = int(np.searchsorted(clear, i))
        low, high = clear[max(after - 1, 0)], clear[min(after, len(clear) - 1)]
        share = (i - low) / (high - low) if high > low else 0.0
        usual = (1.0 - share) * steady[max(after - 1, 0)] + share * steady[min(after, len(clear) - 1)]
        away = np.abs(place - usual[:, None].astype(np.float32))[:, first:]
        cost[i, :, first:] += np.float32(HOLD * step_mm * (1.0 - say[i])) * away


def _haze(bright: Float32Array, first: int, edge: FloatArray) -> tuple[BoolArray, FloatArray]:
    """Rays (N, A) that cross residual blood, and the share of the lumen that is hazy in each frame (N,)."""
    hazy = sums_along((uniform_filter1d(bright, 3, axis=2) > HAZE_LEVEL).astype(np.float32))
    last = np.clip(np.rint(edge).astype(np.int64) - 3, first + 1, bright.shape[2])[..., None]
    within = np.take_along_axis(hazy, last, axis=2)[..., 0] - hazy[:, :, first]
    length = last[..., 0] - first
    return within > HAZY_SHARE * np.maximum(length, 8), within.sum(axis=1) / length.sum(axis=1)
