"""How far results are from what is known: landmarks, or a phantom's exact poses, line and lumen."""

from coreg.validation.centerline_errors import CenterlineErrors, centerline_errors
from coreg.validation.frame_errors import FrameErrors, frame_errors
from coreg.validation.landmark_errors import LandmarkError, landmark_errors

__all__ = [
    "CenterlineErrors",
    "FrameErrors",
    "LandmarkError",
    "centerline_errors",
    "frame_errors",
    "landmark_errors",
]
