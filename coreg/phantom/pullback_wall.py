"""The wall of an artery as a pullback shows it: the wall and the plaque of the CCTA, finer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coreg.phantom.ccta_image import shown_lumen
from coreg.phantom.ccta_settings import CctaSettings
from coreg.phantom.patient import PhantomPatient
from coreg.phantom.plaque import LEAST_PLAQUE_MM, make_wall
from coreg.phantom.stent import Stent, draw_stent

FloatArray = npt.NDArray[np.float64]

# What a CCTA shows as the wall of a healthy artery is mostly adventitia and blur.
ADVENTITIA_SHARE = 0.6
LIPID_HU, LIPID_RANGE_HU = 85.0, 30.0
THINNEST_CALCIUM_MM = 0.1
BEHIND_CALCIUM_MM = 0.05


@dataclass(frozen=True, eq=False)
class LayeredWall:
    """Layers as tables (S, A) over the arc lengths and angles of the true lumen's own table.

    Attributes
    ----------
    eem_mm : array
        Radius of the external elastic membrane.
    calcium_inner_mm, calcium_outer_mm : arrays
        Radii between which it is calcified; outer below inner where it is not.
    lipid : array
        How lipid-rich the plaque is, from 0 to 1; 0 where there is none.
    plaque_mm : array
        Thickness of the plaque.
    stent : Stent or None
        Against the lumen's wall.
    """

    eem_mm: FloatArray
    calcium_inner_mm: FloatArray
    calcium_outer_mm: FloatArray
    lipid: FloatArray
    plaque_mm: FloatArray
    stent: Stent | None


def layered_wall(patient: PhantomPatient, settings: CctaSettings) -> LayeredWall:
    """Give the true lumen the wall, plaque and stent that the CCTA of the same settings shows."""
    lumen, healthy = shown_lumen(patient, settings)
    wall = make_wall(patient.seed, lumen, healthy, settings)
    true = patient.lumen.radius_mm
    # The CCTA shows the lumen larger or smaller; what lies around it keeps its thickness.
    shift = true - lumen.radius_mm[: len(true)]
    outer, inner, calcium, normal = (
        each[: len(true)]
        for each in (wall.outer_mm, wall.calcium_inner_mm, wall.calcium_outer_mm, wall.normal_mm[:, None])
    )
    thickness = outer - lumen.radius_mm[: len(true)] - normal
    soft = np.clip((LIPID_HU - wall.plaque_hu[: len(true)]) / LIPID_RANGE_HU, 0.0, 1.0)
    hard = calcium - inner > THINNEST_CALCIUM_MM
    eem = np.maximum(outer - ADVENTITIA_SHARE * normal, np.where(hard, calcium + BEHIND_CALCIUM_MM, 0.0))
    return LayeredWall(
        eem + shift,
        inner + shift,
        np.where(hard, calcium, inner - THINNEST_CALCIUM_MM) + shift,
        soft * np.clip(thickness / LEAST_PLAQUE_MM - 1.0, 0.0, 1.0),
        np.maximum(thickness, 0.0),
        draw_stent(patient.seed, lumen, wall, settings),
    )
