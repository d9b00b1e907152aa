"""Carrying images from one space to the other."""

from coreg.fusion.planes import ccta_cut, lengthwise_cut, plane_images

__all__ = ["ccta_cut", "lengthwise_cut", "plane_images"]
