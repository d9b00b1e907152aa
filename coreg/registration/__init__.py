"""Placing a pullback in a CCTA: global start, then a differentiable catheter path."""

from coreg.registration.register import register, torch_device
from coreg.registration.scene import vessel_centerline
from coreg.registration.segmented import doubted, doubted_contours, doubted_frames, phase_note

__all__ = [
    "doubted",
    "doubted_contours",
    "doubted_frames",
    "phase_note",
    "register",
    "torch_device",
    "vessel_centerline",
]
