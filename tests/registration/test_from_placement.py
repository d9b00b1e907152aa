"""Paths found from one given placement: a bumpy tube whose truth is known, and synthetic patients."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from coreg.case import Case
from coreg.catheter_path import BEYOND_VESSEL, VirtualCatheterPath
from coreg.centerline import VesselTree
from coreg.landmarks import Landmark
from coreg.phantom import make_patient
from coreg.registration import Adjustment, adjusted, left_out_errors, lumen_centres, resolve, solve_from
from coreg.registration.from_placement import FARTHEST_MM, FARTHEST_RAD, ONLY_THIS, placed_functions
from coreg.registration.placement import frame_depth_mm
from coreg.registration.scene import prepare_scene
from coreg.registration.search import wrapped
from coreg.settings import RegistrationSettings

Z_MM = np.arange(14.0, 44.0, 0.5)
TURN_RAD = 0.4


def exact_path(*, shift_mm=0.0, turn_rad=0.0, mirrored=False, missing=0):
    """Where the tube's images are, or as far off; the last frames may lack a pose."""
    count = len(Z_MM)
    turn = TURN_RAD + turn_rad
    column = np.tile([np.cos(turn), np.sin(turn), 0.0], (count, 1))
    row = (-1.0 if mirrored else 1.0) * np.tile([-np.sin(turn), np.cos(turn), 0.0], (count, 1))
    origin = np.column_stack([np.zeros(count), np.zeros(count), Z_MM + shift_mm])
    for each in (origin, column, row):
        each[count - missing :] = np.nan
    posed = np.isfinite(origin[:, 0])
    return VirtualCatheterPath(
        np.arange(count)[::-1],
        Z_MM.max() - Z_MM,
        origin[:, 2],
        np.full(count, turn),
        origin,
        column,
        row,
        posed,
        tuple("" if each else BEYOND_VESSEL for each in posed),
    )


@pytest.fixture(scope="module")
def scene(tube):
    images = tube.pullback(Z_MM, turn_rad=TURN_RAD)
    case = Case("tube", tube.surface(), images, VesselTree((tube.centerline(),)))
    return prepare_scene(case, RegistrationSettings(), tube.cpu)


@pytest.fixture(scope="module")
def solved(scene):
    return solve_from(scene, exact_path(shift_mm=1.0, turn_rad=0.5))


def assert_exact(path, *, rows=slice(None)):
    np.testing.assert_allclose(path.origin_mm[rows, 2], Z_MM[rows], atol=0.25)
    turned = np.degrees(path.rotation_rad[rows] - TURN_RAD)
    assert np.abs(turned).mean() < 3.0


@pytest.mark.parametrize("missing", [0, 8])
def test_a_placement_is_taken_apart_into_place_and_rotation(scene, missing):
    place, turn = placed_functions(scene, exact_path(missing=missing))
    # The axis runs through the bumpy lumen's middle: up to 0.1 mm off the tube's own.
    np.testing.assert_allclose(place, Z_MM, atol=0.3)
    np.testing.assert_allclose(turn, TURN_RAD, atol=0.05)


def test_from_a_millimetre_and_thirty_degrees_off_the_tube_is_met(solved):
    assert_exact(solved.registration.path)
    assert solved.registration.residual_mm.max() < 0.15


def test_frames_that_had_no_pose_are_found_too(scene):
    found = solve_from(scene, exact_path(shift_mm=-1.0, missing=8))
    assert_exact(found.registration.path)


def test_it_is_for_review_and_says_that_nothing_far_was_compared(solved):
    result = solved.registration
    assert result.verdict == "review"
    assert result.reasons[0] == ONLY_THIS
    assert np.isnan(result.margin)
    assert result.hypotheses[0].cost == min(each.cost for each in result.hypotheses)
    # Straight lines through the placement that was given.
    np.testing.assert_allclose(result.rigid_path.origin_mm[:, 2], Z_MM + 1.0, atol=0.3)


@pytest.mark.parametrize(("shift_mm", "turn_deg"), [(2.8, 40.0), (-3.0, 60.0), (3.0, -60.0)])
def test_from_as_far_off_as_a_hand_may_be_the_tube_is_met(scene, shift_mm, turn_deg):
    found = solve_from(scene, exact_path(shift_mm=shift_mm, turn_rad=np.radians(turn_deg)))
    assert_exact(found.registration.path)


@pytest.mark.parametrize(("shift_mm", "turn_rad"), [(1.0, 0.5), (9.0, 0.5), (0.0, 2.8)])
def test_what_is_taken_is_close_to_the_placement(scene, shift_mm, turn_rad):
    given = exact_path(shift_mm=shift_mm, turn_rad=turn_rad)
    place, turn = solve_from(scene, given).stages["coarse"].functions_at(frame_depth_mm(scene))[0, :2]
    # Of the axis of the vessel as seen, up to 0.1 mm off the tube's own.
    assert np.abs(place - given.arc_length_mm).mean() < FARTHEST_MM + 0.3
    assert np.abs(wrapped(turn - given.rotation_rad)).mean() < FARTHEST_RAD + 0.05


def test_a_placement_far_off_is_not_called_good(scene):
    result = solve_from(scene, exact_path(shift_mm=9.0, turn_rad=2.5)).registration
    assert result.verdict != "good"


def test_it_can_be_solved_again_and_still_is_for_review(tube, solved):
    wall = tube.radius(np.array(30.0), np.array(0.9))
    point = np.array([wall * np.cos(0.9), wall * np.sin(0.9), 30.0])
    frame = len(Z_MM) - 1 - (30.0 - Z_MM[0]) / 0.5
    mark = Landmark("A", "other", frame, 0.9 - TURN_RAD, point)
    again = resolve(solved, [mark])
    assert again.registration.verdict == "review"
    assert again.registration.reasons[0] == ONLY_THIS
    assert again.registration.guides == {"A": "guide"}
    assert_exact(again.registration.path)
    (error,) = left_out_errors(again, [mark], guides=[mark])
    assert abs(error.error_mm) < 0.3
    assert abs(error.error_deg) < 5.0


def test_guides_have_a_say(tube, scene):
    point = np.array([1.7, 0.0, 30.8])
    mark = Landmark("A", "other", len(Z_MM) - 1 - (30.0 - Z_MM[0]) / 0.5, -TURN_RAD, point, locked=True)
    guided = solve_from(scene, exact_path(), guides=[mark])
    assert guided.registration.guides == {"A": "locked"}
    at = np.searchsorted(Z_MM, 30.0)
    assert guided.registration.path.origin_mm[at, 2] == pytest.approx(30.8, abs=0.2)


def test_a_mirrored_placement_is_refused(scene):
    with pytest.raises(ValueError, match=r"mirrored against pullback.view 'looking-distal'"):
        solve_from(scene, exact_path(mirrored=True))


def test_the_path_of_another_pullback_is_refused(scene):
    other = exact_path()
    other = replace(other, frame=other.frame + 1)
    with pytest.raises(ValueError, match="frames that are not the 60 of case tube"):
        solve_from(scene, other)


@cache
def patient(seed):
    return make_patient(seed)


@cache
def patient_scene(seed, device):
    return prepare_scene(patient(seed).case, RegistrationSettings(), device)


@pytest.mark.parametrize(
    ("seed", "frames", "degrees"),
    [
        (3, 14, 40),
        *(pytest.param(3, *off, marks=pytest.mark.slow) for off in ((-7, 40), (-15, 60), (15, -60))),
        *(pytest.param(seed, 15, 60, marks=pytest.mark.slow) for seed in (0, 1, 2)),
    ],
)
def test_a_patient_is_found_from_as_far_off_as_a_hand_may_be(tube, seed, frames, degrees):
    made, scene = patient(seed), patient_scene(seed, tube.cpu)
    off = Adjustment(shift_mm=0.2 * frames, turn_rad=np.radians(degrees))
    centres = lumen_centres(made.truth, made.case.pullback)
    path = solve_from(scene, adjusted(made.truth, scene.centerline, centres, off)).registration.path
    line = made.centerline
    along = line.nearest_arc_length(path.origin_mm) - line.nearest_arc_length(made.truth.origin_mm)
    turned = np.degrees(np.arccos(np.clip(np.sum(path.column * made.truth.column, axis=1), -1.0, 1.0)))
    # As near as the whole search comes on typical patients.
    assert np.nanmean(np.abs(along)) < 0.6
    assert np.nanmean(turned) < 10.0
