"""What the oracles say of a phantom, against its exact poses."""

import numpy as np
import pytest
from oracles import true_functions, true_rigid_functions

from coreg.phantom import make_patient, preset
from coreg.registration import torch_device
from coreg.registration.global_start import Start
from coreg.registration.outcome import placed_outcome
from coreg.registration.placement import Placement
from coreg.registration.scene import prepare_scene
from coreg.settings import RegistrationSettings
from coreg.validation import frame_errors

pytestmark = pytest.mark.slow
START = Start(0.0, 1.0, 0.0, 0.0, 0.0, 0.0)


def test_exact_functions_give_the_exact_poses_and_lines_are_their_best_fit():
    patient = make_patient(2, settings=preset("typical", modality="OCT"))
    scene = prepare_scene(patient.case, RegistrationSettings(), torch_device("cpu"))
    exact = true_functions(scene, patient.truth)
    placement = Placement(exact, 0.0, 0.0)
    path = placed_outcome(scene, START, placement, method="exact", reason="exact").path
    errors = frame_errors(path, patient.truth)
    assert np.abs(errors.error_mm).max() < 0.02
    # The catheter's direction comes from its offsets, smoothed.
    assert np.abs(errors.error_deg).mean() < 0.3
    off = (true_rigid_functions(scene, patient.truth) - exact)[:2]
    depth = patient.truth.position_mm.max() - patient.truth.position_mm
    # Residuals of least squares are orthogonal to constants and to depth.
    np.testing.assert_allclose(off @ np.column_stack([np.ones_like(depth), depth]), 0.0, atol=1e-6)
