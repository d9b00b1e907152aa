"""Synthetic patients with exact truth: arteries, catheters, CCTA labels and pullback contours."""

from coreg.phantom.patient import PhantomPatient, make_patient
from coreg.phantom.settings import Level, PhantomSettings, preset

__all__ = ["Level", "PhantomPatient", "PhantomSettings", "make_patient", "preset"]
