"""Synthetic patients with exact truth: arteries, catheters, CCTA labels and pullback contours."""

from coreg.phantom.patient import PhantomPatient, make_patient
from coreg.phantom.settings import Level, PhantomSettings, preset
from coreg.phantom.surface import lumen_surface

__all__ = ["Level", "PhantomPatient", "PhantomSettings", "lumen_surface", "make_patient", "preset"]
