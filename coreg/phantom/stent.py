"""A stent in a synthetic artery."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter1d

from coreg.phantom.ccta_settings import CctaSettings
from coreg.phantom.lumen import Lumen
from coreg.phantom.plaque import VesselWall
from coreg.phantom.randomness import component_rng

FloatArray = npt.NDArray[np.float64]

STRUT_MM = 0.3
PITCH_MM = 1.4
CROWNS = 6
ZIGZAG_MM = 0.5


@dataclass(frozen=True)
class Stent:
    """Rings of zigzag struts against the lumen's wall.

    Attributes
    ----------
    first_mm, last_mm : float
        Arc lengths of its ends.
    hu : float
        Of the struts.
    """

    first_mm: float
    last_mm: float
    hu: float

    def cylinder(self, arc_length_mm: FloatArray, above_lumen_mm: FloatArray) -> FloatArray:
        """Level (M,) of the sheet that holds the struts, at heights above the lumen's wall."""
        sheet = np.abs(above_lumen_mm - 0.5 * STRUT_MM) - 0.5 * STRUT_MM
        return np.maximum(sheet, np.maximum(self.first_mm - arc_length_mm, arc_length_mm - self.last_mm))

    def struts(self, arc_length_mm: FloatArray, angle_rad: FloatArray, cylinder: FloatArray) -> FloatArray:
        """Level (M,) of the struts within that sheet."""
        ring = self.ring_mm(arc_length_mm, angle_rad)
        return np.maximum(cylinder, 0.75 * np.abs(ring) - 0.5 * STRUT_MM)

    def ring_mm(self, arc_length_mm: FloatArray, angle_rad: FloatArray) -> FloatArray:
        """How far (M,) points on the cylinder lie past the nearest ring of struts, along the vessel."""
        turn = (CROWNS * angle_rad / (2.0 * np.pi)) % 1.0
        return (arc_length_mm + ZIGZAG_MM * np.abs(4.0 * turn - 2.0)) % PITCH_MM - 0.5 * PITCH_MM

    def covers(self, arc_length_mm: FloatArray) -> npt.NDArray[np.bool_]:
        """Which arc lengths (M,) it reaches over."""
        return (arc_length_mm >= self.first_mm) & (arc_length_mm <= self.last_mm)


def draw_stent(seed: int, lumen: Lumen, wall: VesselWall, settings: CctaSettings) -> Stent | None:
    """Put a stent where there is least plaque, or none."""
    rng = component_rng(seed, "ccta stent")
    if rng.uniform() >= settings.stent_odds:
        return None
    length = rng.uniform(*settings.stent_length_mm)
    plaque = (wall.outer_mm - lumen.radius_mm).max(axis=1) - wall.normal_mm
    rows = round(length / lumen.radius_step_mm)
    mean = uniform_filter1d(plaque, rows, mode="nearest")
    low, high = round(5.0 / lumen.radius_step_mm) + rows // 2, round(0.7 * len(plaque)) - rows // 2
    middle = lumen.radius_step_mm * (low + int(np.argmin(mean[low:high])))
    return Stent(middle - 0.5 * length, middle + 0.5 * length, rng.uniform(*settings.stent_hu))
