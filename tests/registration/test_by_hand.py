"""Placements moved by hand, on lines whose geometry is known: a straight one and a helix."""

import numpy as np
import pytest

from coreg.catheter_path import BEFORE_VESSEL, BEYOND_VESSEL, VirtualCatheterPath
from coreg.centerline import Centerline
from coreg.pullback import Pullback
from coreg.registration.by_hand import MOVED_IN, Adjustment, adjusted, lumen_centres

COUNT = 41
CENTRE = np.tile([0.6, -0.4], (COUNT, 1))
# A smooth line departs from the helix by this at its ends; 0.1 mm is half a frame.
NEAR_MM = 0.02
HELIX_MM, PITCH_MM = 18.0, 40.0


def straight():
    z = np.linspace(0.0, 60.0, 121)
    return Centerline(np.column_stack([np.zeros_like(z), np.zeros_like(z), z]))


def helix_at(arc_length_mm):
    """Points and unit tangents (M, 3) of the helix."""
    rise = PITCH_MM / (2.0 * np.pi)
    turn = arc_length_mm / np.hypot(HELIX_MM, rise)
    points = np.column_stack([HELIX_MM * np.cos(turn), HELIX_MM * np.sin(turn), rise * turn])
    along = np.column_stack([-HELIX_MM * np.sin(turn), HELIX_MM * np.cos(turn), np.full_like(turn, rise)])
    return points, along / np.hypot(HELIX_MM, rise)


def helix():
    return Centerline(helix_at(np.linspace(0.0, 60.0, 121))[0])


def placed(line, *, first_mm=15.0, spacing_mm=0.5, turn_rad=0.3, view=1.0, middle_mm=(0.0, 0.0), missing=()):
    """Poses across a line whose lumens' middles lie on it, or off it by ``middle_mm``."""
    s = first_mm + spacing_mm * np.arange(COUNT)
    frames = line.frames_at(s)
    cosine, sine = np.cos(turn_rad), np.sin(turn_rad)
    column = cosine * frames[..., 0] + sine * frames[..., 1]
    row = view * (cosine * frames[..., 1] - sine * frames[..., 0])
    off = frames[..., :2] @ np.array(middle_mm)
    origin = line.points_at(s) + off - CENTRE[:, :1] * column - CENTRE[:, 1:] * row
    arc_length = line.nearest_arc_length(origin)
    reason = [""] * COUNT
    for i, why in dict(missing).items():
        origin[i] = column[i] = row[i] = arc_length[i] = np.nan
        reason[i] = why
    turned = np.where(np.isnan(arc_length), np.nan, turn_rad)
    reliable = np.isfinite(arc_length)
    position = spacing_mm * np.arange(COUNT)[::-1]
    return VirtualCatheterPath(
        np.arange(COUNT)[::-1],
        position,
        arc_length,
        turned,
        origin,
        column,
        row,
        reliable,
        tuple(reason),
        np.full(COUNT, 0.2),
        np.full(COUNT, 0.1),
    )


def middles(path):
    return path.origin_mm + CENTRE[:, :1] * path.column + CENTRE[:, 1:] * path.row


def assert_same_poses(one, other, *, atol=1e-9):
    np.testing.assert_allclose(one.origin_mm, other.origin_mm, atol=atol)
    np.testing.assert_allclose(one.column, other.column, atol=atol)
    np.testing.assert_allclose(one.row, other.row, atol=atol)


def test_no_adjustment_leaves_the_path_as_it_is():
    path = placed(straight())
    assert Adjustment().is_none
    assert not Adjustment(turn_rad=0.1).is_none
    assert adjusted(path, straight(), CENTRE, Adjustment()) is path


@pytest.mark.parametrize("line", [straight(), helix()], ids=["straight", "helix"])
@pytest.mark.parametrize("view", [1.0, -1.0], ids=["distal", "proximal"])
def test_a_shift_takes_every_frame_as_far_along_the_line_and_keeps_its_look(line, view):
    path = placed(line, view=view)
    moved = adjusted(path, line, CENTRE, Adjustment(shift_mm=3.0))
    there = placed(line, view=view, first_mm=18.0)
    assert_same_poses(moved, there, atol=NEAR_MM)
    np.testing.assert_allclose(moved.arc_length_mm, path.arc_length_mm + 3.0, atol=NEAR_MM)
    np.testing.assert_allclose(moved.rotation_rad, path.rotation_rad, atol=0.01)
    assert (moved.frame == path.frame).all()
    assert np.isnan(moved.arc_length_sd_mm).all()


@pytest.mark.parametrize("shift_mm", [7.0, -7.0])
def test_shifted_middles_lie_on_the_helix_itself(shift_mm):
    path = placed(helix())
    moved = adjusted(path, helix(), CENTRE, Adjustment(shift_mm=shift_mm))
    there, along = helix_at(15.0 + shift_mm + 0.5 * np.arange(COUNT))
    np.testing.assert_allclose(middles(moved), there, atol=0.05)
    assert np.einsum("ij,ij->i", moved.plane_normal, along).min() > np.cos(np.radians(1.0))


@pytest.mark.parametrize("view", [1.0, -1.0], ids=["distal", "proximal"])
def test_a_turn_is_about_the_lumens_middle_and_adds_to_the_rotation(view):
    path = placed(straight(), view=view, middle_mm=(0.3, 0.2))
    moved = adjusted(path, straight(), CENTRE, Adjustment(turn_rad=0.5))
    np.testing.assert_allclose(middles(moved), middles(path), atol=1e-9)
    np.testing.assert_allclose(moved.rotation_rad, path.rotation_rad + 0.5, atol=1e-9)
    np.testing.assert_allclose(moved.plane_normal, path.plane_normal, atol=1e-9)
    # By hand: the column axis of rotation 0.8 in the frame of a line along +z, whose normal is +x.
    np.testing.assert_allclose(moved.column[0], [np.cos(0.8), np.sin(0.8), 0.0], atol=1e-9)


def test_the_lumens_middle_stays_on_the_helix_under_a_turn():
    path = placed(helix())
    moved = adjusted(path, helix(), CENTRE, Adjustment(turn_rad=2.0))
    np.testing.assert_allclose(middles(moved), helix_at(15.0 + 0.5 * np.arange(COUNT))[0], atol=0.05)


def test_a_stretch_is_about_the_middle_of_the_placed_frames():
    path = placed(straight())
    moved = adjusted(path, straight(), CENTRE, Adjustment(stretch=1.2))
    np.testing.assert_allclose(moved.origin_mm[:, 2], 25.0 + 1.2 * (path.origin_mm[:, 2] - 25.0), atol=1e-9)
    np.testing.assert_allclose(moved.origin_mm[:, :2], path.origin_mm[:, :2], atol=1e-9)


def test_a_mirrored_image_shows_contours_reflected_about_the_lumens_middle():
    path = placed(straight(), turn_rad=0.0)
    moved = adjusted(path, straight(), CENTRE, Adjustment(mirrored=True))
    contour = np.array([[0.6, 0.6]])
    # 1 mm along +row from the middle, which lies on the axis: along +y before, along -y after.
    np.testing.assert_allclose(path.to_world(np.array([5.0]), contour), [[0.0, 1.0, 17.5]], atol=1e-9)
    np.testing.assert_allclose(moved.to_world(np.array([5.0]), contour), [[0.0, -1.0, 17.5]], atol=1e-9)
    np.testing.assert_allclose(moved.plane_normal, -path.plane_normal, atol=1e-9)


def test_mirrored_twice_is_the_same_again_but_for_the_turns_which_add():
    path = placed(helix(), middle_mm=(0.2, 0.1))
    there = adjusted(path, helix(), CENTRE, Adjustment(turn_rad=0.7, mirrored=True))
    back = adjusted(there, helix(), CENTRE, Adjustment(turn_rad=0.7, mirrored=True))
    np.testing.assert_allclose(back.rotation_rad, path.rotation_rad + 1.4, atol=0.02)
    again = adjusted(back, helix(), CENTRE, Adjustment(turn_rad=-1.4))
    assert_same_poses(again, path, atol=1e-6)


@pytest.mark.parametrize("line", [straight(), helix()], ids=["straight", "helix"])
def test_a_shift_there_and_back_changes_nothing(line):
    path = placed(line, middle_mm=(0.4, -0.2))
    there = adjusted(path, line, CENTRE, Adjustment(shift_mm=6.0))
    back = adjusted(there, line, CENTRE, Adjustment(shift_mm=-6.0))
    assert_same_poses(back, path, atol=1e-6)
    np.testing.assert_allclose(back.arc_length_mm, path.arc_length_mm, atol=1e-6)


def test_frames_that_leave_the_vessel_have_no_pose_and_say_so():
    path = placed(straight())
    proximal = adjusted(path, straight(), CENTRE, Adjustment(shift_mm=-20.1))
    assert not proximal.posed[:10].any()
    assert proximal.posed[11:].all()
    assert proximal.reason[0] == BEFORE_VESSEL
    assert not proximal.reliable[:10].any()
    distal = adjusted(path, straight(), CENTRE, Adjustment(shift_mm=30.1))
    assert distal.reason[-1] == BEYOND_VESSEL
    assert np.isnan(distal.arc_length_mm[-1])


def test_a_shift_brings_frames_into_the_vessel_that_had_no_pose():
    missing = dict.fromkeys(range(30, COUNT), BEYOND_VESSEL)
    path = placed(straight(), first_mm=45.0, missing=missing)
    moved = adjusted(path, straight(), CENTRE, Adjustment(shift_mm=-10.0))
    whole = placed(straight(), first_mm=35.0)
    assert_same_poses(moved, whole)
    assert moved.reason[30:] == (MOVED_IN,) * (COUNT - 30)
    assert not moved.reliable[30:].any()
    assert moved.reliable[:30].all()


def test_rows_without_a_centre_are_interpolated():
    path = placed(straight())
    sparse = CENTRE.copy()
    sparse[5:20] = np.nan
    turn = Adjustment(turn_rad=1.0)
    assert_same_poses(adjusted(path, straight(), sparse, turn), adjusted(path, straight(), CENTRE, turn))


def test_centres_are_those_of_each_rows_contour():
    path = placed(straight())
    square = np.array([[1.0, 1.0], [3.0, 1.0], [3.0, 2.0], [1.0, 2.0]])
    pullback = Pullback(path.frame, path.position_mm, {40: square})
    centres = lumen_centres(path, pullback)
    np.testing.assert_allclose(centres[0], [2.0, 1.5])
    assert np.isnan(centres[1:]).all()


def test_senseless_arguments_are_refused():
    with pytest.raises(ValueError, match="stretch must be positive, got 0"):
        Adjustment(stretch=0.0)
    with pytest.raises(ValueError, match="must be finite"):
        Adjustment(shift_mm=np.nan)
    with pytest.raises(ValueError, match=r"centre_mm must have shape \(41, 2\), got \(3, 2\)"):
        adjusted(placed(straight()), straight(), np.zeros((3, 2)), Adjustment(shift_mm=1.0))
    nowhere = placed(straight(), missing=dict.fromkeys(range(COUNT), BEYOND_VESSEL))
    with pytest.raises(ValueError, match="no frame with a pose"):
        adjusted(nowhere, straight(), CENTRE, Adjustment(shift_mm=1.0))
