import dataclasses

import numpy as np
import pytest

from coreg.report.measured import in_rows_of, landmark_marks, measured, sections_at_landmarks, sections_by_fit
from coreg.validation import landmark_errors

QUARTER_VOXEL_MM = 0.1


def test_profiles_of_a_tube_are_its_radius(case, registration, tube):
    data = measured(case, registration)
    known = np.isfinite(data.centre_mm[:, 0])
    assert known.sum() == 39
    assert data.pullback.radius_mm[known] == pytest.approx(1.45, rel=2e-3)
    assert data.ccta_after.radius_mm[known] == pytest.approx(tube.radius_mm, abs=QUARTER_VOXEL_MM)
    assert data.ccta_after.area_mm2 == pytest.approx(np.pi * tube.radius_mm**2, rel=0.04)


def test_profiles_are_about_the_lumen_not_the_catheter(case, registration, z_mm, tube):
    shifted = {frame: contour - [0.8, 0.0] for frame, contour in case.pullback.lumen.items()}
    case = dataclasses.replace(case, pullback=dataclasses.replace(case.pullback, lumen=shifted))
    registration = dataclasses.replace(registration, path=tube.path(z_mm, offset_mm=(0.8, 0.0)))
    data = measured(case, registration)
    known = np.isfinite(data.centre_mm[:, 0])
    assert data.ccta_after.radius_mm[known] == pytest.approx(tube.radius_mm, abs=QUARTER_VOXEL_MM)


def test_marks_show_annotation_and_finding_in_place_and_angle(case, registration):
    errors = landmark_errors(registration.path, case.landmarks)
    (mark,) = landmark_marks(measured(case, registration), registration.path, case.landmarks, errors)
    assert mark.annotated == pytest.approx((10.0, 0.0))
    assert mark.found == pytest.approx((9.5, 0.0))


def test_sections_run_from_best_to_worst(case, registration):
    sections = sections_by_fit(measured(case, registration), registration.residual_mm)
    assert sections[0].title.startswith("frame 40: best")
    assert sections[-1].title.startswith("frame 0: worst, 0.15 mm")


def test_landmark_sections_show_the_annotated_frame(case, registration):
    errors = landmark_errors(registration.path, case.landmarks)
    (section,) = sections_at_landmarks(
        measured(case, registration), registration.path, case.landmarks, errors
    )
    assert section.title.startswith("frame 20: landmark B1")
    assert section.landmark_mm == pytest.approx([1.5, 0.0])


def test_frames_that_only_one_path_knows_have_no_pose_in_the_other(registration, z_mm, tube):
    part = in_rows_of(registration.path, tube.path(z_mm[5:]))
    assert part.frame.tolist() == registration.path.frame.tolist()
    assert (~part.posed).sum() == 5
