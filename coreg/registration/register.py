"""From a case to a registration."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from coreg.centerline import Centerline
from coreg.registration.global_start import Start, find_starts
from coreg.registration.motion_prior import spline_basis
from coreg.registration.observations import Observations
from coreg.registration.path_model import FUNCTIONS, PathModel, VesselTensors
from coreg.registration.refine import refine
from coreg.settings import RegistrationSettings

FloatArray = npt.NDArray[np.float64]


def coefficients_of_start(model: PathModel, start: Start, length_mm: float) -> FloatArray:
    """Spline coefficients (P,) of a rigid placement: straight lines have straight coefficients."""
    knots = model.knots_mm
    arc_length = start.arc_length_mm + start.stretch * knots
    rotation = start.rotation_rad + start.twist_rad_per_mm * (knots - 0.5 * length_mm)
    return np.concatenate([arc_length, rotation, np.zeros(2 * len(knots)), [start.log_scale]])


def carried_over(coefficients: Tensor, coarse: PathModel, fine: PathModel) -> Tensor:
    """Coefficients of the same functions on another model's knots."""
    dense = np.linspace(fine.knots_mm[1], fine.knots_mm[-2], 4 * len(fine.knots_mm))
    to_values = spline_basis(dense, coarse.knots_mm)
    from_values = np.linalg.pinv(spline_basis(dense, fine.knots_mm))
    change = torch.as_tensor(from_values @ to_values, dtype=coefficients.dtype, device=coefficients.device)
    batch = len(coefficients)
    functions = coefficients[:, :-1].reshape(batch, FUNCTIONS, -1) @ change.T
    return torch.cat([functions.reshape(batch, -1), coefficients[:, -1:]], dim=1)
