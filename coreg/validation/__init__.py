"""How far a registration is from what is known: landmarks, or a phantom's exact poses."""

from coreg.validation.frame_errors import FrameErrors, frame_errors
from coreg.validation.landmark_errors import LandmarkError, landmark_errors

__all__ = ["FrameErrors", "LandmarkError", "frame_errors", "landmark_errors"]
