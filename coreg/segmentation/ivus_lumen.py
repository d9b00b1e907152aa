"""Lumen and external elastic membrane in IVUS frames."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, gaussian_filter1d, median_filter, uniform_filter1d

from coreg.pullback_vessel import BEYOND, BRIDGED, OPEN, SEEN
from coreg.segmentation.closing import closed_over, smooth_outline
from coreg.segmentation.ivus_appearance import IvusLevels, IvusLook, blurred_rays, ivus_levels, ivus_look
from coreg.segmentation.oct_appearance import sums_along
from coreg.segmentation.openings import closed_wall, dilated, without_narrow
from coreg.segmentation.outlines import Membrane, Outlines, evidence_of
from coreg.segmentation.surface import lowest, total_cost

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]

ADVENTITIA_MM, MEDIA_MM = 0.3, 0.13
THINNEST_WALL_MM = 0.06
INTIMA_MM, BLOOD_MM = 0.12, 0.2
WALL_PERCENT, LEAST_CONTRAST, MOST_EXCESS = 85, 0.15, 0.55
USUAL_WALL_COUNTS_MM, DIMMEST_WALL = 0.1, 0.4
BLOOD_MARGIN = 0.04
IMPOSSIBLE, OUT_OF_VIEW = 10.0, -0.5
MOST_CALCIUM = 0.5
MOUTH_RAD, BLOOD_LIKE = np.radians(10.0), 0.15
AROUND_MM, AROUND_RAD, USUAL_WALL_MM, GUESS_WEIGHT = 2.0, np.radians(30.0), 0.5, 0.1
BEHIND_CALCIUM_MM = 0.3
EDGE_MM = 0.05
CERTAIN = 0.15


def ivus_lumen(
    values: Float32Array, step_mm: float, *, pitch_mm: float, levels: IvusLevels | None = None
) -> tuple[Outlines, Membrane]:
    """Outline lumen and membrane in IVUS frames along rays from the catheter.

    First the membrane, the border of dark media and bright adventitia, then the lumen inside it, the
    border of blood and what is brighter; each is the smooth surface through all frames that fits best
    (semi-global matching). Behind wire and calcium the membrane is closed from its surroundings.

    Parameters
    ----------
    values : (N, A, R) array
        Grey values, as `coreg.segmentation.polar.PolarFrames` has them.
    step_mm : float
        Between the samples of a ray.
    pitch_mm : float
        Between frames.
    levels : IvusLevels, optional
        Of the run that the frames belong to; by default of these frames.
    """
    look = ivus_look(values, step_mm, levels or ivus_levels(values, step_mm))
    hidden = look.wire | look.calcium
    seen_eem = lowest(_eem_total(look)) * step_mm
    eem, branching = closed_wall(seen_eem, hidden, pitch_mm=pitch_mm)
    rays = blurred_rays(values.shape[1])
    # Speckle may lead a few rays astray.
    eem = median_filter(eem, (1, 2 * rays + 1), mode="wrap")
    limit = np.where(branching, seen_eem, eem) - THINNEST_WALL_MM
    # Blood does not lie behind calcium.
    limit = np.where(look.calcium, look.front * step_mm, limit)
    total = _lumen_total(look, limit)
    distance = np.clip(lowest(total) * step_mm, look.first * step_mm, limit)
    wall, opened = closed_wall(distance, look.wire, pitch_mm=pitch_mm)
    # Where a branch leaves, the membrane is open too, and blood goes on from one to the other.
    mouth_rays = round(MOUTH_RAD / (2.0 * np.pi) * wall.shape[1])
    opened &= dilated(branching, mouth_rays)
    filled = branching & (look.between(wall, seen_eem) < look.blood + BLOOD_LIKE * (1.0 - look.blood))
    opened |= filled
    distance = np.where(filled, np.maximum(distance, seen_eem - THINNEST_WALL_MM), distance)
    # Between shadows of much calcium, thick plaque looks like a mouth.
    opened &= look.calcium.mean(axis=1, keepdims=True) < MOST_CALCIUM
    low, reach = look.first * step_mm, (values.shape[2] - 0.5) * step_mm
    wall = np.clip(gaussian_filter1d(wall, 1.5, axis=1, mode="wrap"), low, reach)
    lumen = np.clip(np.where(opened, np.maximum(distance, wall), wall), low, reach)
    seen = ~dilated(hidden, rays) & ~branching & ~opened & (eem < reach - EDGE_MM)
    # A few rays between two shadows show more of the shadows than of the membrane.
    seen = without_narrow(seen, rays)
    eem = _behind_shadows(look, wall, eem, seen, pitch_mm)
    state = np.full(lumen.shape, SEEN, np.uint8)
    state[opened] = OPEN
    state[look.wire] = BRIDGED
    state[~opened & (wall > reach - EDGE_MM)] = BEYOND
    evidence = evidence_of(total, step_mm, certain=CERTAIN)
    outlines = Outlines(lumen, wall, state, evidence, np.zeros(len(values)))
    return outlines, Membrane(eem, seen, look.calcium)


def _behind_shadows(
    look: IvusLook, wall: FloatArray, eem: FloatArray, seen: BoolArray, pitch_mm: float
) -> FloatArray:
    """Put the membrane (N, A) where it is hidden as far from the lumen as it is seen around there."""
    sigma = (min(AROUND_MM / max(pitch_mm, 1e-3), 50.0), AROUND_RAD / (2.0 * np.pi) * wall.shape[1])
    known = gaussian_filter(seen.astype(np.float64), sigma, mode=("nearest", "wrap"))
    thick = gaussian_filter(np.where(seen, eem - wall, 0.0), sigma, mode=("nearest", "wrap"))
    guess = np.where(known > 1e-6, thick / np.maximum(known, 1e-6), USUAL_WALL_MM)
    behind = np.where(look.calcium, look.front * look.step_mm + BEHIND_CALCIUM_MM, 0.0)
    filled = np.maximum(np.where(seen, eem, wall + guess), behind)
    smooth = smooth_outline(filled, np.where(seen, 1.0, GUESS_WEIGHT))
    result = closed_over(filled, smooth, ~seen)
    return np.maximum(np.maximum(result, behind), wall + THINNEST_WALL_MM)


def _eem_total(look: IvusLook) -> Float32Array:
    """Total cost (N, A, R + 1) of the membrane: dark media before it, bright adventitia behind it."""
    outside = look.mean(0.0, ADVENTITIA_MM)
    cost: Float32Array = look.mean(-MEDIA_MM, 0.0) - outside
    cost -= np.float32(0.5) * np.minimum(outside, np.float32(1.0))
    thick = uniform_filter1d(look.bright, look.samples(ADVENTITIA_MM), axis=2)
    # Adventitia lies outside of the membrane, never inside.
    cost += sums_along(np.maximum(thick - np.float32(0.75), 0.0)) * np.float32(3.0 * look.step_mm)
    cost[:, :, : look.first + look.samples(0.1)] = IMPOSSIBLE
    last = cost.shape[2] - look.samples(ADVENTITIA_MM)
    cost[:, :, last:] = np.maximum(cost[:, :, last:], np.float32(0.5))
    # It may also lie beyond the field of view.
    cost[:, :, -1] = OUT_OF_VIEW
    # Calcium's bright edge would pass for adventitia.
    cost[look.wire | dilated(look.calcium, blurred_rays(cost.shape[1]))] = 0.0
    place = np.arange(cost.shape[2])
    before = place < look.front[..., None] + look.samples(BEHIND_CALCIUM_MM)
    cost += np.where(look.calcium[..., None] & before, np.float32(0.3), np.float32(0.0))
    return total_cost(cost, around=(0.02, 0.5), along=(0.01, 0.3))


def _lumen_total(look: IvusLook, limit_mm: FloatArray) -> Float32Array:
    """Total cost (N, A, R + 1) of the lumen's border: blood before it, and brighter wall up to the limit.

    How bright the wall is may differ from ray to ray, since lipid is hardly brighter than blood. On each
    ray it is the most probable level, given what lies behind the border and the run's usual wall; the
    cost is the log likelihood against a ray of blood alone, for grey values of equal spread (the
    piecewise constant model of Chan and Vese, IEEE TIP 2001).
    """
    step, blood = look.step_mm, look.blood + BLOOD_MARGIN
    limit = np.maximum(limit_mm / step, look.first + 1)[..., None]
    place = np.arange(look.bright.shape[2] + 1)
    told = (place >= look.first) & (place < limit - 2.0 - MEDIA_MM / 2.0 / step) & ~look.wire[..., None]
    told = told[..., :-1]
    wall = float(np.percentile(look.bright[told], WALL_PERCENT)) if told.any() else 1.0
    usual = np.float32(max(wall - blood, LEAST_CONTRAST))
    excess = np.where(told, np.clip(look.bright - np.float32(blood), -MOST_EXCESS, MOST_EXCESS), 0.0)
    behind, count = (_after(each) for each in (excess.astype(np.float32), told.astype(np.float32)))
    prior = np.float32(USUAL_WALL_COUNTS_MM / step)
    level = np.maximum((behind + prior * usual) / (count + prior), np.float32(DIMMEST_WALL) * usual)
    gain = 2.0 * level * behind - count * level**2 - prior * (level - usual) ** 2
    cost: Float32Array = gain * np.float32(-0.5 * step / usual)
    cost -= np.float32(0.05) * (look.mean(0.0, INTIMA_MM) - look.mean(-BLOOD_MM, 0.0))
    cost[look.wire] = 0.0
    cost[:, :, : look.first] = IMPOSSIBLE
    cost += np.where(place > limit, np.float32(IMPOSSIBLE), np.float32(0.0))
    return total_cost(cost, around=(0.6 * step, 0.3), along=(0.15 * step, 0.04))


def _after(values: Float32Array) -> Float32Array:
    """Sum (N, A, R + 1) over the samples from each place on."""
    sums = sums_along(values)
    return sums[:, :, -1:] - sums
