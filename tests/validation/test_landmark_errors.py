from dataclasses import replace

import numpy as np
import pytest

from coreg.landmarks import Landmark
from coreg.validation import landmark_errors

Z_MM = 50.0 + 0.2 * np.arange(101)
RADIUS_MM = 1.7


def seen_in(path, *, row, angle_deg, radius_mm=RADIUS_MM, **changes):
    """Landmark that a reader marks in the frame of a row, and in the CCTA where that frame lies."""
    angle = np.radians(angle_deg)
    world = (
        path.origin_mm[row]
        + radius_mm * np.cos(angle) * path.column[row]
        + radius_mm * np.sin(angle) * path.row[row]
    )
    known = {"frame": float(path.frame[row]), "angle_rad": angle, "world_mm": world} | changes
    return Landmark("B1", **known)


def test_the_true_path_has_no_error(straight_path):
    truth = straight_path(Z_MM)
    (error,) = landmark_errors(truth, [seen_in(truth, row=40, angle_deg=170.0)])
    assert error.frame_expected == error.frame_found == 60.0
    measured = [
        error.error_frames,
        error.error_mm,
        error.error_deg,
        error.error_tangential_mm,
        error.error_3d_mm,
    ]
    np.testing.assert_allclose(measured, 0.0, atol=1e-9)
    assert error.reason == ""


@pytest.mark.parametrize("view", ["looking-distal", "looking-proximal"])
@pytest.mark.parametrize(("shift_mm", "turn_deg"), [(0.5, 10.0), (-0.31, -25.0), (0.0, 100.0)])
def test_known_shift_and_turn_are_measured_with_their_sign(straight_path, view, shift_mm, turn_deg):
    truth = straight_path(Z_MM, view=view, turn_deg=-60.0)
    found = straight_path(Z_MM + shift_mm, view=view, turn_deg=-60.0 + turn_deg)
    (error,) = landmark_errors(found, [seen_in(truth, row=40, angle_deg=100.0)])
    # Frames that were put too far distally: a frame withdrawn farther shows the landmark.
    assert error.error_mm == pytest.approx(shift_mm, abs=1e-9)
    assert error.error_frames == pytest.approx(shift_mm / 0.2, abs=1e-9)
    assert error.frame_found == pytest.approx(60.0 + shift_mm / 0.2)
    # Images that were turned on show the landmark at an angle that is smaller by as much.
    assert error.error_deg == pytest.approx(-turn_deg)
    assert error.error_tangential_mm == pytest.approx(-np.radians(turn_deg) * RADIUS_MM)
    chord_mm = 2.0 * RADIUS_MM * np.sin(np.radians(turn_deg) / 2.0)
    assert error.error_3d_mm == pytest.approx(np.hypot(shift_mm, chord_mm))


def test_turn_is_wrapped_to_the_nearer_side(straight_path):
    truth = straight_path(Z_MM)
    found = straight_path(Z_MM, turn_deg=-20.0)
    (error,) = landmark_errors(found, [seen_in(truth, row=40, angle_deg=170.0)])
    assert error.error_deg == pytest.approx(20.0)


def test_angle_is_measured_about_the_catheter_that_was_found(straight_path):
    landmark = seen_in(straight_path(Z_MM), row=40, angle_deg=0.0, radius_mm=1.0)
    # The catheter is put 1 mm lower in the image, so the landmark appears 45 degrees further up.
    found = straight_path(Z_MM, offset_mm=(0.0, 1.0))
    (error,) = landmark_errors(found, [landmark])
    assert error.error_deg == pytest.approx(-45.0)


def test_tangential_error_uses_the_annotated_distance_where_it_is_known(straight_path):
    truth, found = straight_path(Z_MM), straight_path(Z_MM, turn_deg=10.0)
    landmark = seen_in(truth, row=40, angle_deg=0.0, radius_mm=1.0)
    given = Landmark("B2", "branch", landmark.frame, landmark.angle_rad, landmark.world_mm, radius_mm=2.0)
    one, two = landmark_errors(found, [landmark, given])
    assert two.error_tangential_mm == pytest.approx(2.0 * one.error_tangential_mm)


def test_place_that_the_catheter_passed_repeatedly_is_its_middle_pass(straight_path):
    # Distally, back by 1 mm, distally again: the plane at 53.5 mm is passed at rows 3.5, 4.5 and 5.5.
    z_mm = [50.0, 51.0, 52.0, 53.0, 54.0, 53.0, 54.0, 55.0]
    path = straight_path(z_mm)
    world = np.array([1.0, 0.0, 53.5])
    (error,) = landmark_errors(path, [Landmark("B1", frame=2.0, angle_rad=0.0, world_mm=world)])
    assert error.frame_found == pytest.approx(7.0 - 4.5)
    assert error.error_frames == pytest.approx(0.5)


def test_landmark_beyond_the_path_has_no_error_but_a_reason(straight_path):
    path = straight_path(Z_MM)
    beyond = seen_in(path, row=40, angle_deg=0.0, world_mm=np.array([1.0, 0.0, 90.0]))
    aside = seen_in(path, row=40, angle_deg=0.0, world_mm=np.array([30.0, 0.0, 55.0]))
    for error in landmark_errors(path, [beyond, aside]):
        assert np.isnan([error.frame_found, error.error_frames, error.error_mm, error.error_deg]).all()
        assert "no frame's plane passes within 8 mm" in error.reason
        assert error.frame_expected == 60.0


def test_a_landmark_in_ras_is_told(straight_path):
    path = straight_path(Z_MM)
    moved = replace(path, origin_mm=path.origin_mm + np.array([40.0, -150.0, 0.0]))
    right = seen_in(moved, row=40, angle_deg=0.0, world_mm=np.array([41.0, -150.0, 55.0]))
    assert landmark_errors(moved, [right])[0].reason == ""
    (error,) = landmark_errors(moved, [replace(right, world_mm=right.world_mm * [-1.0, -1.0, 1.0])])
    assert "with x and y negated one would: is it in RAS?" in error.reason
    assert np.isnan(error.error_mm)


def test_annotated_frame_without_a_pose_is_named(straight_path):
    path = straight_path(Z_MM)
    landmark = seen_in(path, row=3, angle_deg=20.0, world_mm=np.array([1.0, 0.0, 55.0]))
    origin = path.origin_mm.copy()
    origin[:10] = np.nan
    (error,) = landmark_errors(replace(path, origin_mm=origin), [landmark])
    assert error.reason == "frame 97 has no pose"
    # The landmark itself is met: 5 mm on, at row 25, though nothing is carried there from frame 97.
    assert error.frame_found == pytest.approx(75.0)
    assert np.isnan(error.error_3d_mm)


def test_frame_that_the_pullback_does_not_have_is_named(straight_path):
    path = straight_path(Z_MM)
    (error,) = landmark_errors(path, [seen_in(path, row=40, angle_deg=0.0, frame=400.0)])
    assert error.reason == "frame 400 is not in the pullback"
    assert np.isnan([error.error_frames, error.error_mm, error.error_3d_mm]).all()


def test_landmark_without_an_angle_has_only_errors_along_the_vessel(straight_path):
    truth, found = straight_path(Z_MM), straight_path(Z_MM + 0.2)
    (error,) = landmark_errors(found, [seen_in(truth, row=40, angle_deg=0.0, angle_rad=None)])
    assert error.error_frames == pytest.approx(1.0)
    assert np.isnan([error.error_deg, error.error_tangential_mm, error.error_3d_mm]).all()


def test_landmarks_with_one_half_are_left_out(straight_path):
    path = straight_path(Z_MM)
    whole = seen_in(path, row=40, angle_deg=0.0)
    halves = [Landmark("A", frame=3.0), Landmark("B", world_mm=np.zeros(3))]
    assert [each.id for each in landmark_errors(path, [*halves, whole])] == ["B1"]


def test_a_landmark_just_beyond_the_frames_is_measured_on_the_path_continued(straight_path):
    truth = straight_path(Z_MM)
    mark = seen_in(truth, row=100, angle_deg=30.0)
    found = straight_path(Z_MM - 1.0)
    (error,) = landmark_errors(found, [mark])
    # The landmark's plane now lies 1 mm, five frames, past the most distal frame.
    assert error.error_frames == pytest.approx(-5.0)
    assert error.error_mm == pytest.approx(-1.0)
    assert error.error_deg == pytest.approx(0.0, abs=1e-9)
    assert error.error_3d_mm == pytest.approx(1.0)
    assert "1.0 mm beyond the placed frames" in error.reason


def test_a_landmark_far_beyond_the_frames_is_not_measured(straight_path):
    truth = straight_path(Z_MM)
    (error,) = landmark_errors(straight_path(Z_MM - 4.0), [seen_in(truth, row=100, angle_deg=30.0)])
    assert np.isnan(error.error_frames)
    assert "no frame's plane" in error.reason
