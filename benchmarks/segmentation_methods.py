"""Ways to find a coronary artery in a CCTA image from two clicks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import label as components_of
from scipy.ndimage import map_coordinates

from coreg import segmentation
from coreg.centerline import Centerline
from coreg.errors import CoregError
from coreg.landmarks import SideBranch
from coreg.volume import Volume

CLICK_REACH_MM = 3.0


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a method found; ``branches`` is None where it does not look for any.

    Where it failed, ``error`` says why, and what it has nevertheless is kept.
    """

    label: Volume | None = None
    line: Centerline | None = None
    marked: np.ndarray | None = None
    branches: tuple[SideBranch, ...] | None = None
    error: str = ""


def by_coreg(image: Volume, ostium_mm: np.ndarray, distal_mm: np.ndarray) -> Outcome:
    """Segment as users do."""
    try:
        vessel = segmentation.segment_ccta(image, ostium_mm, distal_mm)
    except CoregError as error:
        return Outcome(branches=(), error=str(error))
    label = segmentation.lumen_label(vessel, image, branches=True)
    return Outcome(label, vessel.centerline, vessel.marked, vessel.side_branches)


def by_half_level(image: Volume, ostium_mm: np.ndarray, distal_mm: np.ndarray) -> Outcome:
    """Take what is brighter than half the blood at the ostium, as measured in this very image."""
    around = image.to_index(_ball(ostium_mm))
    blood_hu = np.percentile(map_coordinates(image.values, around.T, order=1, mode="nearest"), 90.0)
    return _grown(image, 0.5 * float(blood_hu), ostium_mm, distal_mm)


def by_fixed_level(image: Volume, ostium_mm: np.ndarray, distal_mm: np.ndarray) -> Outcome:
    """Take what is brighter than 200 HU."""
    return _grown(image, 200.0, ostium_mm, distal_mm)


def _grown(image: Volume, level_hu: float, ostium_mm: np.ndarray, distal_mm: np.ndarray) -> Outcome:
    """Grow a region from the ostium over all that is brighter than a level; the line is the label's."""
    parts, _ = components_of(image.values > level_hu)
    near = np.clip(np.rint(image.to_index(_ball(ostium_mm))).astype(int), 0, np.array(parts.shape) - 1)
    met = parts[tuple(near.T)]
    if not met.any():
        return Outcome(error="nothing is bright at the ostium")
    label = Volume((parts == np.bincount(met[met > 0]).argmax()).astype(np.uint8), image.index_to_world)
    try:
        line = segmentation.centerline_from_label(label, ostium_mm, distal_mm)
    except CoregError as error:
        return Outcome(label, error=str(error))
    return Outcome(label, line, np.zeros(len(line.points_mm), dtype=bool))


def _ball(centre_mm: np.ndarray) -> np.ndarray:
    """World points (M, 3) every 0.5 mm in a ball about a click."""
    axis = np.arange(-CLICK_REACH_MM, CLICK_REACH_MM + 0.1, 0.5)
    offsets = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)
    return centre_mm + offsets[np.linalg.norm(offsets, axis=1) <= CLICK_REACH_MM]


METHODS = {
    "coreg": by_coreg,
    "region growing above 200 HU": by_fixed_level,
    "region growing above half the ostium's blood": by_half_level,
}
