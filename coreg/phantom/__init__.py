"""Synthetic patients with exact truth: arteries, catheters, CCTA labels and pullback contours."""

from coreg.phantom.ccta import true_centerline
from coreg.phantom.ccta_image import PhantomCcta, make_ccta
from coreg.phantom.ccta_settings import CctaSettings, ExtraPlaque, ImageLevel, ccta_preset
from coreg.phantom.patient import PhantomPatient, make_patient
from coreg.phantom.settings import Level, PhantomSettings, preset
from coreg.phantom.surface import lumen_surface, wall_surface

__all__ = [
    "CctaSettings",
    "ExtraPlaque",
    "ImageLevel",
    "Level",
    "PhantomCcta",
    "PhantomPatient",
    "PhantomSettings",
    "ccta_preset",
    "lumen_surface",
    "make_ccta",
    "make_patient",
    "preset",
    "true_centerline",
    "wall_surface",
]
