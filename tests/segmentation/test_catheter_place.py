"""The catheter is found where it was drawn, and nothing else is taken for it."""

import numpy as np
import pytest

from coreg.segmentation.catheter_place import catheter_offset_mm

FRAMES, RAYS, SAMPLES, STEP_MM = 60, 128, 150, 0.025
R_MM = (np.arange(SAMPLES) + 0.5) * STEP_MM
ANGLE_RAD = 2.0 * np.pi * np.arange(RAYS) / RAYS
X_MM, Y_MM = R_MM * np.cos(ANGLE_RAD)[:, None], R_MM * np.sin(ANGLE_RAD)[:, None]
VIEW_MM = SAMPLES * STEP_MM


def frames(modality, at_mm, *, still=False):
    """A catheter at a place in a lumen that wanders round it, or stays in place."""
    rng = np.random.default_rng(1)
    from_catheter = np.hypot(X_MM - at_mm[0], Y_MM - at_mm[1])
    values = np.empty((FRAMES, RAYS, SAMPLES), np.float32)
    for i in range(FRAMES):
        turn = 0.0 if still else 2.0 * np.pi * i / FRAMES
        middle = np.array(at_mm) + 0.8 * np.array([np.cos(turn), np.sin(turn)])
        in_lumen = np.hypot(X_MM - middle[0], Y_MM - middle[1]) < 1.5
        grey = np.where(in_lumen, 8.0, 120.0) if modality == "OCT" else np.where(in_lumen, 60.0, 150.0)
        if modality == "OCT":
            rings = np.where(from_catheter > 0.39, 110.0, 40.0)
            values[i] = np.where(from_catheter < 0.45, rings, grey)
        else:
            values[i] = np.where(from_catheter < 0.5, 0.0, grey * rng.uniform(0.5, 1.5, grey.shape))
    return values


@pytest.mark.parametrize("modality", ["OCT", "IVUS"])
@pytest.mark.parametrize("at_mm", [(0.6, -0.4), (-0.2, 1.1)])
def test_a_catheter_off_the_centre_is_found(modality, at_mm):
    found = catheter_offset_mm(frames(modality, at_mm), STEP_MM, modality=modality, field_of_view_mm=VIEW_MM)
    np.testing.assert_allclose(found, at_mm, atol=0.12)


@pytest.mark.parametrize("modality", ["OCT", "IVUS"])
@pytest.mark.parametrize("still", [False, True])
def test_a_catheter_at_the_centre_leaves_nothing_to_find(modality, still):
    values = frames(modality, (0.0, 0.0), still=still)
    assert catheter_offset_mm(values, STEP_MM, modality=modality, field_of_view_mm=VIEW_MM) is None


def test_few_frames_tell_nothing():
    values = frames("OCT", (0.6, -0.4))[:40]
    assert catheter_offset_mm(values, STEP_MM, modality="OCT", field_of_view_mm=VIEW_MM) is None
