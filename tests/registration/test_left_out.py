"""Landmarks measured on paths that were found without them, on a tube with one branch."""

from dataclasses import replace

import numpy as np
import pytest

from coreg.case import Case
from coreg.centerline import VesselTree
from coreg.landmarks import Landmark
from coreg.registration import left_out_errors, solve
from coreg.registration.branch_removal import closed_wall, without_branch
from coreg.registration.guides import guides_of
from coreg.registration.vessel import ANGLES, sample
from coreg.validation import landmark_errors

START_MM, STEP_MM = 14.0, 0.5
Z_MM = START_MM + np.arange(0.0, 30.0, STEP_MM)
MOUTH_MM, MOUTH_RAD = 30.0, np.radians(-40.0)
SHIFT_MM = 1.0
ROUND_MM = 1.7


def branch(z_mm, angle_rad, *, at_mm=MOUTH_MM):
    """How far a branch opens the wall."""
    turn = np.angle(np.exp(1j * (angle_rad - MOUTH_RAD)))
    return 2.0 * np.exp(-0.5 * ((z_mm - at_mm) / 0.7) ** 2 - 0.5 * (turn / 0.35) ** 2)


def landmark(name="B", *, z_mm=MOUTH_MM, by_mm=0.0, **extra):
    """The mouth's centre as the pullback shows it, and in the CCTA ``by_mm`` further distal."""
    wall = ROUND_MM * np.array([np.cos(MOUTH_RAD), np.sin(MOUTH_RAD)])
    frame = len(Z_MM) - 1 - (z_mm - START_MM) / STEP_MM
    return Landmark(name, "branch", frame, float(MOUTH_RAD), np.array([*wall, z_mm + by_mm]), **extra)


@pytest.fixture(scope="module")
def solved(tube):
    """The tube's bumps lie where the pullback shows them, the branch 1 mm further distal in the CCTA."""

    def wall(z, angle):
        # No bumps beside the mouth, so that the wall around it tells what the mouth's would be.
        bumpy = 1.0 - np.exp(-0.5 * ((np.asarray(z) - MOUTH_MM) / 3.0) ** 2)
        return ROUND_MM + bumpy * (tube.radius(z, angle) - ROUND_MM)

    def shown(z, angle):
        return wall(z, angle) + branch(z, angle)

    def in_ccta(z, angle):
        return wall(z, angle) + branch(z, angle, at_mm=MOUTH_MM + SHIFT_MM)

    images = tube.pullback(Z_MM, radius_of=shown)
    case = Case("branch", tube.surface(radius_of=in_ccta), images, VesselTree((tube.centerline(),)))
    return solve(case, device="cpu")


def closed(solved, mark):
    (guide,) = guides_of([mark], solved.scene.case.pullback, solved.scene.seen)
    return without_branch(solved.scene, mark, guide)


def test_a_bulge_is_cut_down_to_the_wall_around_it_and_nothing_else_is_touched():
    place = np.arange(0.0, 30.0, 0.3)
    angles = 2.0 * np.pi * np.arange(ANGLES) / ANGLES
    # A wall that tapers and is oval.
    wall = (2.2 - 0.02 * place)[:, None] * (1.0 + 0.1 * np.cos(2.0 * angles))
    mouth = branch(place[:, None], angles[None], at_mm=15.0)
    for angle in (MOUTH_RAD, None):
        found = closed_wall(place, wall + mouth, at_mm=15.2, angle_rad=angle)
        rows = found.rows(place)
        there = rows >= 0
        left = found.radius_mm[rows[there]] - wall[there]
        assert np.abs(left).max() < 0.2
        # Out of some 17 by 13 mm of wall.
        assert 2.0 < found.mouth.sum() * 0.25 * 2.0 * np.pi * 1.9 / ANGLES < 25.0
        untouched = ~found.mouth
        grid = found.first_mm + 0.25 * np.arange(len(found.radius_mm))
        before = np.stack([np.interp(grid, place, each) for each in (wall + mouth).T], axis=1)
        np.testing.assert_array_equal(found.radius_mm[untouched], before[untouched])


def test_where_nothing_bulges_a_small_disc_is_smoothed():
    place = np.arange(0.0, 30.0, 0.25)
    flat = np.full((len(place), ANGLES), 1.8)
    found = closed_wall(place, flat, at_mm=12.0, angle_rad=0.3)
    np.testing.assert_allclose(found.radius_mm, 1.8)
    assert 1.0 < found.mouth.sum() * 0.25 * 2.0 * np.pi * 1.8 / ANGLES < 6.0


def test_both_lumens_are_closed_at_the_mouth_and_alike_elsewhere(solved):
    without = closed(solved, landmark())
    # The CCTA's wall at the mouth is that of the tube again.
    z = MOUTH_MM + SHIFT_MM + np.array([-0.5, 0.0, 0.5])
    at = np.column_stack([np.tile(ROUND_MM * np.array([np.cos(MOUTH_RAD), np.sin(MOUTH_RAD)]), (3, 1)), z])
    before = sample(solved.scene.vessel.distance, at)
    assert (before < -0.4).all()
    assert np.abs(sample(without.vessel.distance, at)).max() < 0.25
    far = np.abs(without.seen.depth_mm + START_MM - MOUTH_MM) > 5.0
    np.testing.assert_array_equal(without.seen.points_mm[far], solved.scene.seen.points_mm[far])
    here = np.abs(without.seen.depth_mm + START_MM - MOUTH_MM) < 1.0
    column = round(MOUTH_RAD / (2.0 * np.pi) * ANGLES) % ANGLES
    assert (solved.scene.seen.profile_mm[here, column] > 2.5).all()
    assert (without.seen.profile_mm[here, column] < 2.0).all()


def test_a_branch_that_misleads_the_fit_does_not_mislead_what_is_measured_without_it(solved):
    mark = landmark(by_mm=SHIFT_MM)
    (plain,) = landmark_errors(solved.registration.path, [mark])
    (out,) = left_out_errors(solved, [mark])
    # Frames run distal first: a point further distal is found in an earlier frame.
    assert abs(out.error_mm) == pytest.approx(SHIFT_MM, abs=0.25)
    assert abs(plain.error_mm) < abs(out.error_mm)


def test_moving_a_landmark_in_the_ccta_changes_its_own_error_by_as_much_and_no_other(solved):
    other = Landmark("C", "calcium", 40.0, 0.5, np.array([1.5, 0.8, START_MM + 9.5]))
    first = left_out_errors(solved, [landmark(by_mm=SHIFT_MM), other])
    second = left_out_errors(solved, [landmark(by_mm=SHIFT_MM + 0.6), other])
    assert second[0].error_mm - first[0].error_mm == pytest.approx(-0.6, abs=0.1)
    assert second[1] == first[1]


def test_a_guide_does_not_guide_what_it_is_measured_on(solved):
    wrong = replace(landmark(by_mm=SHIFT_MM), kind="other", locked=True)
    (alone,) = left_out_errors(solved, [wrong])
    (guided,) = left_out_errors(solved, [wrong], guides=[wrong])
    assert guided == alone
    helper = Landmark("H", "other", 20.0, None, np.array([1.5, 0.8, START_MM + 19.5 + 3.0]), locked=True)
    (other,) = left_out_errors(solved, [wrong], guides=[wrong, helper])
    assert other != alone


def test_a_method_without_paths_to_start_from_is_refused(solved):
    rigid = solve(solved.scene.case, method="rigid", device="cpu")
    with pytest.raises(ValueError, match="'rigid' leaves no paths to start from"):
        left_out_errors(rigid, [landmark()])
