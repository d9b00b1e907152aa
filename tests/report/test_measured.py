import dataclasses

import numpy as np
import pytest
from scipy.stats import spearmanr

from coreg.pullback import Pullback
from coreg.registration.observations import Observations
from coreg.registration.trust import FrameEvidence, frame_reasons
from coreg.report.measured import (
    area_agreement,
    doubt_around,
    in_rows_of,
    in_vessel,
    landmark_marks,
    measured,
    sections_at_landmarks,
    sections_by_fit,
    typical_distance_mm,
)
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


def beside_the_vessel(z_mm):
    """Reasons as for the first four frames in the aorta."""
    return tuple("before the vessel: aorta or guide catheter" if i < 4 else "" for i in range(len(z_mm)))


def test_reasons_of_registrations_tell_which_frames_lie_in_the_vessel(z_mm, tube):
    # Found between 2 and 22 mm where the CCTA shows 5 to 20 mm: frames outside may still have poses.
    count = len(z_mm)
    pullback = Pullback(np.arange(count), 0.5 * np.arange(count)[::-1], {})
    seen = Observations(
        row=np.arange(count),
        depth_mm=0.5 * np.arange(count),
        length_mm=0.5 * (count - 1),
        points_mm=np.zeros((count, 8, 2)),
        seen=np.ones((count, 8)),
        centre_mm=np.zeros((count, 2)),
        profile_mm=np.ones((count, 8)),
        patches=np.ones(count),
    )
    evidence = FrameEvidence(z_mm, np.zeros(count), np.full(count, 3.0), np.full(count, 0.1))
    _, reason = frame_reasons(pullback, seen, evidence, first_mm=5.0, last_mm=20.0)
    path = tube.path(z_mm, reason=reason)
    assert path.posed.all()
    # None is reliable: the rotation of all is open.
    assert not path.reliable.any()
    found = in_vessel(path, np.array([0.0, 24.0]))
    assert found.tolist() == ((z_mm >= 5.0) & (z_mm <= 20.0)).tolist()


def test_a_frame_nearest_to_the_end_of_the_line_does_not_lie_in_the_vessel(z_mm, tube):
    path = tube.path(np.clip(z_mm, 4.0, 18.0))
    assert in_vessel(path, np.array([4.0, 18.0])).tolist() == ((z_mm > 4.0) & (z_mm < 18.0)).tolist()


def test_frames_before_the_vessel_have_no_say_in_how_well_lumens_agree(case, registration, z_mm, tube):
    # The pullback shows areas that change with the CCTA's tube only by voxels; those of the guide
    # catheter lie far off.
    registration = dataclasses.replace(registration, path=tube.path(z_mm, reason=beside_the_vessel(z_mm)))
    data = measured(case, registration)
    ramp = np.linspace(4.0, 9.0, len(z_mm))
    pullback = data.pullback._replace(area_mm2=np.where(np.arange(len(z_mm)) < 4, 2.0, ramp))
    ccta = data.ccta_after._replace(area_mm2=np.where(np.arange(len(z_mm)) < 4, 140.0, 2.0 * ramp + 1.0))
    data = dataclasses.replace(data, pullback=pullback, ccta_after=ccta)
    assert area_agreement(data) == pytest.approx(1.0)
    # One plane that cuts the ostium's rim lengthwise weighs no more than any other.
    rim = np.where(np.arange(len(z_mm)) == 4, 80.0, ccta.area_mm2)
    known = np.isfinite(rim) & (np.arange(len(z_mm)) >= 4)
    found = area_agreement(dataclasses.replace(data, ccta_after=ccta._replace(area_mm2=rim)))
    assert found == pytest.approx(spearmanr(pullback.area_mm2[known], rim[known]).statistic)
    residual = np.where(np.arange(len(z_mm)) < 4, 2.0, 0.1)
    assert typical_distance_mm(data, residual) == pytest.approx(0.1)
    assert np.isnan(typical_distance_mm(data, np.full(len(z_mm), np.nan)))


def test_the_worst_section_lies_in_the_vessel_and_says_if_it_is_not_reliable(case, registration, z_mm, tube):
    reason = [*beside_the_vessel(z_mm)[:-1], "the rotation is not determined: the lumen is round here"]
    registration = dataclasses.replace(registration, path=tube.path(z_mm, reason=tuple(reason)))
    residual = np.where(np.arange(len(z_mm)) < 4, 2.0, np.linspace(0.05, 0.15, len(z_mm)))
    sections = sections_by_fit(measured(case, registration), residual)
    assert sections[-1].title == "frame 0: worst, 0.15 mm\nnot reliable"
    assert "not reliable" not in sections[0].title


def test_a_landmark_between_frames_says_where_it_was_annotated(case, registration):
    between = dataclasses.replace(case.landmarks[0], frame=20.5)
    errors = landmark_errors(registration.path, [between])
    (section,) = sections_at_landmarks(measured(case, registration), registration.path, [between], errors)
    assert "landmark B1 (at 20.5)" in section.title


def test_doubts_about_frames_where_a_landmark_was_found_are_told_apart(case, registration, z_mm, tube):
    # Annotated in frame 20, found in frame 19, the next row.
    reason = tuple("no contour, 3.1 mm from the nearest; interpolated" if i == 21 else "" for i in range(41))
    path = tube.path(z_mm, reason=reason)
    (error,) = landmark_errors(path, case.landmarks)
    assert error.frame_found == pytest.approx(19.0)
    assert doubt_around(path, error) == "frames where it was found are not reliable (no contour)"
    assert doubt_around(registration.path, error) == ""
