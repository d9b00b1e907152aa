"""A rough lumen along a line: where each ray leaves the blood, and what calcium hides of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import solveh_banded
from scipy.ndimage import gaussian_filter1d, median_filter
from skimage.filters import apply_hysteresis_threshold

from coreg.segmentation.bending import bending_bands
from coreg.segmentation.rays import RAY_STEP_MM, Rays

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

# What borders on blood: wall, muscle.
BACKGROUND_HU = 70.0
# Calcium is denser than the blood beside it by more than noise makes; what hangs together with such
# a place may be less so. In HU, and in standard deviations of the blood's own brightness.
CALCIUM_ABOVE_HU, FAINT_CALCIUM_HU = 70.0, 30.0
CALCIUM_ABOVE_SD, FAINT_CALCIUM_SD = 2.8, 1.2
CALM_MM, CALM_RAYS = 0.5, 1.0
CENTRE_MM = 0.5
FARTHEST_CALCIUM_MM = 3.6
LEVEL_LENGTH_MM = 12.0


@dataclass(frozen=True, eq=False)
class Cleared:
    """Rays without their calcium.

    Attributes
    ----------
    rays : Rays
        Calcium and what lies behind it are replaced by wall.
    weights : (N, A, K) array
        Low where that was done.
    calcium_mm : (N, A) array
        Thickness of the calcium along the ray; 0 where there is none.
    calcium_hu : (N, A) array
        Its brightness.
    """

    rays: Rays
    weights: FloatArray
    calcium_mm: FloatArray
    calcium_hu: FloatArray


def blood_level(rays: Rays, first_hu: float) -> FloatArray:
    """Brightness (N,) of the vessel's blood in HU: a smooth line over what its middle shows.

    Narrow stretches are fainter through the scanner's blur alone, so the line follows the brighter
    sections.
    """
    middle = rays.values_hu[:, :, rays.rho_mm < CENTRE_MM].reshape(len(rays.values_hu), -1)
    blood = np.where(middle < first_hu + CALCIUM_ABOVE_HU, middle, np.nan)
    known = np.isfinite(blood).mean(axis=1) > 0.3
    shown = np.full(len(blood), np.nan)
    shown[known] = np.nanmedian(blood[known], axis=1)
    shown = np.interp(np.arange(len(shown)), np.flatnonzero(known), shown[known]) if known.any() else shown
    if not known.any():
        return np.full(len(blood), first_hu)
    return _upper_line(shown, rays.step_mm)


def _upper_line(values: FloatArray, step_mm: float) -> FloatArray:
    """Smooth line that follows the higher values (asymmetric least squares, Eilers 2003)."""
    count = len(values)
    if count < 3:
        return values
    bands = bending_bands(np.full(count - 2, (LEVEL_LENGTH_MM / step_mm) ** 4))
    weight = np.ones(count)
    line = values
    for _ in range(8):
        system = bands.copy()
        system[0] += weight
        line = solveh_banded(system, weight * values, lower=True)
        weight = np.where(values > line, 0.85, 0.15)
    return line


def cleared(rays: Rays, level_hu: FloatArray, blur_mm: float) -> Cleared:
    """Take calcium out of rays.

    The inner face of calcium lies half way between the blood's brightness and the calcium's peak.
    A thin deposit looks as thick as the blur; its face is moved to where one of the right
    thickness would have it.
    """
    values = rays.values_hu
    calm = gaussian_filter1d(values, CALM_MM / rays.step_mm, axis=0, mode="nearest")
    calm = gaussian_filter1d(calm, CALM_RAYS, axis=1, mode="wrap")
    above = calm - level_hu[:, None, None]
    dense = _dense(above, _spread(above[:, :, rays.rho_mm < CENTRE_MM])) & (rays.rho_mm < FARTHEST_CALCIUM_MM)
    out, weights = values.copy(), np.ones_like(values)
    thickness, brightness = np.zeros(values.shape[:2]), np.zeros(values.shape[:2])
    for n, a in np.argwhere(dense.any(axis=2)):
        inner, thick, peak = _deposit(calm[n, a], dense[n, a], rays.rho_mm, level_hu[n], blur_mm)
        thickness[n, a], brightness[n, a] = thick, peak
        face = int(np.searchsorted(rays.rho_mm, inner))
        out[n, a, face:] = BACKGROUND_HU
        weights[n, a, face + 2 :] = 0.15
        out[n, a, :face] = np.minimum(out[n, a, :face], level_hu[n])
    return Cleared(Rays(rays.line, rays.frames, out), weights, thickness, brightness)


def _spread(blood_hu: FloatArray) -> float:
    """Robust standard deviation of the brightness of blood."""
    return 1.4826 * float(np.median(np.abs(blood_hu - np.median(blood_hu))))


def _dense(above_hu: FloatArray, spread_hu: float) -> BoolArray:
    """Which samples (N, A, K) are calcium, by how much brighter than blood they are."""
    faint = max(FAINT_CALCIUM_HU, FAINT_CALCIUM_SD * spread_hu)
    certain = max(CALCIUM_ABOVE_HU, CALCIUM_ABOVE_SD * spread_hu)
    angles = above_hu.shape[1]
    # Once round and a bit, so that deposits across angle 0 hang together.
    around = np.concatenate([above_hu, above_hu[:, : angles // 3]], axis=1)
    found = apply_hysteresis_threshold(around, faint, certain)
    found[:, : angles // 3] |= found[:, angles:]
    return np.asarray(found[:, :angles])


def _deposit(
    values: FloatArray, dense: BoolArray, rho: FloatArray, level_hu: float, blur_mm: float
) -> tuple[float, float, float]:
    """Inner face in mm, thickness in mm and brightness in HU of the first deposit on one ray."""
    first = int(np.argmax(dense))
    gone = np.flatnonzero(~dense[first:])
    last = first + int(gone[0]) - 1 if len(gone) else len(dense) - 1
    at = first + int(np.argmax(values[first : last + 1]))
    peak = float(values[at])
    inner, outer = at, at
    while inner > 0 and values[inner - 1] > 0.5 * (peak + level_hu):
        inner -= 1
    while outer < len(values) - 1 and values[outer + 1] > 0.5 * (peak + BACKGROUND_HU):
        outer += 1
    width = (outer - inner + 1) * RAY_STEP_MM
    # The blur's own width at half height is 2.355 standard deviations.
    thick = float(np.sqrt(max(width**2 - (2.355 * blur_mm) ** 2, (0.4 * width) ** 2)))
    face = rho[inner] - 0.5 * RAY_STEP_MM + 0.5 * (width - thick)
    full = level_hu + (peak - level_hu) * min(width / thick, 2.0)
    return float(max(face, 0.2)), thick, full


def clear_run(rays: Rays, level_hu: FloatArray) -> FloatArray:
    """How far each ray (N, A) runs through blood, in mm: the image calmed, at half the contrast."""
    calm = gaussian_filter1d(rays.values_hu, CALM_MM / rays.step_mm, axis=0, mode="nearest")
    calm = gaussian_filter1d(calm, CALM_RAYS, axis=1, mode="wrap")
    dark = calm < 0.5 * (level_hu + BACKGROUND_HU)[:, None, None]
    dark[:, :, -1] = True
    return np.asarray(rays.rho_mm[np.argmax(dark, axis=2)])


def first_radius(rays: Rays, weights: FloatArray, level_hu: FloatArray) -> FloatArray:
    """Radius (N, A) at which each ray best parts blood from the rest, smooth over its neighbours."""
    contrast = np.maximum(level_hu - BACKGROUND_HU, 60.0)[:, None, None]
    share = np.clip((rays.values_hu - BACKGROUND_HU) / contrast, 0.0, 1.0)
    inside, outside = weights * (1.0 - share) ** 2, weights * share**2
    window = round(1.2 / RAY_STEP_MM)
    within = np.cumsum(inside, axis=2)
    total = np.concatenate([np.zeros_like(outside[..., :1]), np.cumsum(outside, axis=2)], axis=2)
    count = outside.shape[2]
    ahead = np.minimum(np.arange(count) + 1 + window, count)
    cost = within + total[:, :, ahead] - total[:, :, np.arange(count) + 1]
    cost = gaussian_filter1d(cost, 0.6 / rays.step_mm, axis=0, mode="nearest")
    cost = gaussian_filter1d(cost, 1.5, axis=1, mode="wrap")
    at = np.argmin(cost[:, :, : count - window], axis=2)
    radius = rays.rho_mm[at] + 0.5 * RAY_STEP_MM
    padded = np.concatenate([radius[:, -3:], radius, radius[:, :3]], axis=1)
    return median_filter(padded, size=(3, 5), mode="nearest")[:, 3:-3]
