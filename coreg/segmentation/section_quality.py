"""How far the lumen of each section can be trusted, and why not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter1d, minimum_filter1d, uniform_filter1d

from coreg.segmentation.lumen_fit import WALL_HU, Layout
from coreg.segmentation.traced import Traced

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

CALCIUM_SHARE = 0.5
RING_SHARE = 0.75
FEWEST_VOXELS = 2.0
LEAST_CONTRAST = 0.35
LARGEST_SD_MM = 0.065
LARGEST_RESIDUAL = 2.4
NEIGHBOUR_SHARE, NEIGHBOUR_LEVEL = 0.15, 0.75
GAP_MM = 1.0
# Near calcium a poor fit means more of it, as bright as the blood.
NEAR_MM, NEAR_CALCIUM_SHARE, NEAR_RESIDUAL = 4.0, 0.05, 1.3
WALL_CONTRAST_HU = 100.0


@dataclass(frozen=True, eq=False)
class Signs:
    """What speaks against each section, N of them.

    Attributes
    ----------
    calcium : (N,) array
        Share of the circumference where calcium lies on the lumen.
    calcium_seen : (N,) array
        Share of the circumference with calcium anywhere on the ray.
    voxels : (N,) array
        Lumen diameter in voxels.
    contrast : (N,) array
        Of the blood with the wall, relative to that at the ostium.
    radius_sd_mm : (N,) array
        Of the fit.
    residual : (N,) array
        What the model leaves near the wall, over the noise.
    neighbour : (N,) array
        Share of the circumference beyond which something as bright as the blood lies.
    """

    calcium: FloatArray
    calcium_seen: FloatArray
    voxels: FloatArray
    contrast: FloatArray
    radius_sd_mm: FloatArray
    residual: FloatArray
    neighbour: FloatArray


def signs(vessel: Traced, voxel_mm: float, first_hu: float) -> Signs:
    """Measure what speaks against the sections of a vessel."""
    lumen_hu = vessel.fit.coefficients[:, Layout(vessel.rays.angles_rad).columns["lumen"]][:, 0]
    above = (lumen_hu - WALL_HU)[:, None]
    calcium = (vessel.cleared.calcium_mm > 0.0) & (vessel.series("wall") > lumen_hu[:, None])
    beyond = vessel.series("outside") > WALL_HU + NEIGHBOUR_LEVEL * above
    return Signs(
        calcium.mean(axis=1),
        (vessel.cleared.calcium_mm > 0.0).mean(axis=1),
        2.0 * np.sqrt((vessel.radius_mm**2).mean(axis=1)) / voxel_mm,
        above[:, 0] / (first_hu - WALL_HU),
        vessel.fit.radius_sd_mm,
        vessel.fit.residual_hu / vessel.fit.noise_hu,
        beyond.mean(axis=1),
    )


def judged(found: Signs, step_mm: float) -> tuple[FloatArray, tuple[str, ...]]:
    """Quality (N,) from 0 to 1, and for each section the reason not to trust it (or nothing)."""
    residual = _smooth(found.residual, step_mm)
    near_calcium = _smooth(found.calcium_seen, step_mm) > NEAR_CALCIUM_SHARE
    rules: tuple[tuple[str, FloatArray], ...] = (
        ("calcium or metal all around hides the lumen", RING_SHARE / np.maximum(found.calcium, 1e-3)),
        ("calcium hides a part of the lumen's edge", CALCIUM_SHARE / np.maximum(found.calcium, 1e-3)),
        (
            "calcium as bright as the blood may hide a part of the lumen's edge",
            np.where(near_calcium, NEAR_RESIDUAL / np.maximum(residual, 1e-3), np.inf),
        ),
        ("the lumen is under 2 voxels wide", found.voxels / FEWEST_VOXELS),
        ("there is little contrast", found.contrast / LEAST_CONTRAST),
        (
            "a chamber, vein or other vessel as bright as the lumen touches it",
            NEIGHBOUR_SHARE / np.maximum(found.neighbour, 1e-3),
        ),
        (
            "the image does not look like a vessel's section: motion or a neighbour",
            LARGEST_RESIDUAL / np.maximum(found.residual, 1e-3),
        ),
        (
            "the image does not determine the lumen's size",
            LARGEST_SD_MM / np.maximum(found.radius_sd_mm, 1e-3),
        ),
    )
    reasons = [""] * len(found.calcium)
    quality = np.ones(len(found.calcium))
    for text, ratio in rules:
        # Ratios below 1 break the rule; the quality is one half there.
        quality = np.minimum(quality, 1.0 / (1.0 + np.maximum(ratio, 1e-3) ** -3.0))
        for n in np.flatnonzero(_filled(ratio < 1.0, step_mm)):
            reasons[n] = reasons[n] or text
    return quality, tuple(reasons)


def wall_quality(vessel: Traced) -> FloatArray:
    """How far the outer wall of each section can be trusted, (N,), from 0 to 1.

    It shows where fat or anything else of another brightness than the wall lies beyond it.
    """
    beyond = np.abs(vessel.series("outside") - WALL_HU) / WALL_CONTRAST_HU
    seen = np.clip(beyond, 0.0, 1.0).mean(axis=1)
    free = 1.0 - (vessel.cleared.calcium_mm > 0.0).mean(axis=1)
    return seen * free


def _smooth(values: FloatArray, step_mm: float) -> FloatArray:
    """Mean (N,) over the sections near each."""
    return np.asarray(uniform_filter1d(values, 2 * round(0.5 * NEAR_MM / step_mm) + 1, mode="nearest"))


def _filled(bad: BoolArray, step_mm: float) -> BoolArray:
    """Close short gaps between marked sections."""
    size = 2 * round(0.5 * GAP_MM / step_mm) + 1
    return np.asarray(minimum_filter1d(maximum_filter1d(bad.astype(np.uint8), size), size) > 0)
