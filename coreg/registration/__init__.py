"""Placing a pullback in a CCTA: global start, then a differentiable catheter path."""

from coreg.registration.batch import register_many
from coreg.registration.by_hand import Adjustment, LocalPoses, adjusted, lumen_centres
from coreg.registration.from_placement import solve_from
from coreg.registration.left_out import left_out_errors
from coreg.registration.likeness import Likeness, Nearby, best_nearby
from coreg.registration.register import register, solve, torch_device
from coreg.registration.resolve import Solved, resolve
from coreg.registration.scene import vessel_centerline
from coreg.registration.segmented import doubted, doubted_contours, doubted_frames, phase_note

__all__ = [
    "Adjustment",
    "Likeness",
    "LocalPoses",
    "Nearby",
    "Solved",
    "adjusted",
    "best_nearby",
    "doubted",
    "doubted_contours",
    "doubted_frames",
    "left_out_errors",
    "lumen_centres",
    "phase_note",
    "register",
    "register_many",
    "resolve",
    "solve",
    "solve_from",
    "torch_device",
    "vessel_centerline",
]
