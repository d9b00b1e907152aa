"""Placing a pullback in a CCTA: global start, then a differentiable catheter path."""

from coreg.registration.register import register, torch_device
from coreg.registration.scene import vessel_centerline
from coreg.registration.segmented import doubted

__all__ = ["doubted", "register", "torch_device", "vessel_centerline"]
