"""Synthetic patients with exact truth: arteries, catheters, CCTA labels and pullback contours."""

from coreg.phantom.ccta import true_centerline
from coreg.phantom.ccta_image import PhantomCcta, make_ccta
from coreg.phantom.ccta_settings import CctaSettings, ExtraPlaque, ImageLevel, ccta_preset
from coreg.phantom.patient import PhantomPatient, make_patient
from coreg.phantom.pullback_image import PhantomPullback, make_pullback_images
from coreg.phantom.pullback_settings import PullbackImageSettings, pullback_preset
from coreg.phantom.settings import Level, PhantomSettings, preset
from coreg.phantom.surface import lumen_surface, wall_surface

__all__ = [
    "CctaSettings",
    "ExtraPlaque",
    "ImageLevel",
    "Level",
    "PhantomCcta",
    "PhantomPatient",
    "PhantomPullback",
    "PhantomSettings",
    "PullbackImageSettings",
    "ccta_preset",
    "lumen_surface",
    "make_ccta",
    "make_patient",
    "make_pullback_images",
    "preset",
    "pullback_preset",
    "true_centerline",
    "wall_surface",
]
