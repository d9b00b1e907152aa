"""How far results are from what is known: landmarks, or a phantom's exact poses, line and lumen."""

from coreg.validation.centerline_errors import CenterlineErrors, centerline_errors
from coreg.validation.frame_errors import FrameErrors, frame_errors
from coreg.validation.landmark_errors import LandmarkError, landmark_errors
from coreg.validation.lumen_errors import (
    BranchErrors,
    LumenOverlap,
    RadiusErrors,
    branch_errors,
    lumen_overlap,
    radius_errors,
)

__all__ = [
    "BranchErrors",
    "CenterlineErrors",
    "FrameErrors",
    "LandmarkError",
    "LumenOverlap",
    "RadiusErrors",
    "branch_errors",
    "centerline_errors",
    "frame_errors",
    "landmark_errors",
    "lumen_overlap",
    "radius_errors",
]
