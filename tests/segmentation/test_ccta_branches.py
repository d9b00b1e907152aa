import numpy as np
import pytest

from coreg.centerline import Centerline
from coreg.segmentation.ccta_branches import find_branches, mouths, ostium_of
from coreg.segmentation.ccta_search import search_field
from coreg.segmentation.rays import SmoothImage
from coreg.segmentation.segment_ccta import without_branches
from coreg.segmentation.traced import traced


def measured_with_branches(image, points):
    """The vessel measured along its true axis, and the branches found on it."""
    field = search_field(image, points[[40, -60]])
    smooth = SmoothImage(image, points)
    line = Centerline(points[40:-60:10]).resampled(spacing_mm=0.5)
    first = traced(smooth, line, field.level_hu)
    found = find_branches(field, smooth, first)
    return first, found, without_branches(smooth, first, found)


@pytest.fixture(scope="module")
def measured(branched):
    return measured_with_branches(branched.image, branched.points)


def beside(scenes, vessel, *, hu, gap_mm, radius_mm=1.2):
    """The artery and another vessel beside all of it, with fat of a thickness between their walls."""
    wall, blood = scenes.artery(vessel.points, vessel.radius_mm)
    apart = vessel.radius_mm + scenes.wall_mm + gap_mm + radius_mm
    vein = scenes.tube(vessel.points[60:] + np.array([0.0, apart, 0.0]), radius_mm)
    return scenes.scan([(vein, hu), *wall, *blood, *scenes.aorta], *scenes.around_bow)


def test_both_branches_are_found_from_proximal_to_distal_and_nothing_else(measured, branched):
    _, found, _ = measured
    likely = [each for each in found if each.probability >= 0.5]
    assert len(likely) == len(branched.branches)
    for branch, truth in zip(likely, branched.branches, strict=True):
        assert np.linalg.norm(branch.mouth_mm - truth.ostium_mm) < 2.0 * branched.branch_radius_mm


@pytest.mark.parametrize("which", [0, 1], ids=["90 degrees", "45 degrees"])
def test_ostium_direction_and_radius_are_those_of_the_branch(measured, branched, which):
    _, found, final = measured
    branch, truth = [each for each in found if each.probability >= 0.5][which], branched.branches[which]
    ostium, direction = ostium_of(final, branch.line, branch.exit_mm)
    assert np.linalg.norm(ostium - truth.ostium_mm) < 0.5
    assert np.degrees(np.arccos(np.clip(direction @ truth.direction, -1.0, 1.0))) < 10.0
    assert branch.radius_mm == pytest.approx(branched.branch_radius_mm, abs=0.15)


def test_course_of_a_branch_runs_in_its_middle_from_inside_the_vessel(measured, branched):
    _, found, _ = measured
    for branch, truth in zip(
        [each for each in found if each.probability >= 0.5], branched.branches, strict=True
    ):
        along = (branch.line.points_mm - truth.axis_mm) @ truth.direction
        across = branch.line.points_mm - truth.axis_mm - along[:, None] * truth.direction
        outside = (along > 2.5) & (along < 8.0)
        assert np.linalg.norm(across[outside], axis=1).mean() < 0.25
        assert np.linalg.norm(branch.line.points_mm[0] - truth.axis_mm) < 1.0
        # The branch is 9 mm long from the vessel's axis, and ends in half a ball.
        assert along[-1] == pytest.approx(9.4, abs=1.2)
        assert branch.reach_mm > 4.0


def test_lumen_is_closed_at_the_mouths(measured, branched):
    _, _, final = measured
    radius = np.sqrt((final.radius_mm**2).mean(axis=1))
    for truth in branched.branches:
        near = np.linalg.norm(final.line.points_mm - truth.axis_mm, axis=1) < 2.5
        np.testing.assert_allclose(radius[near], branched.radius_mm, atol=0.25)
    np.testing.assert_allclose(radius[4:-4], branched.radius_mm, atol=0.25)
    assert final.radius_mm[4:-4].max() < branched.radius_mm + 0.6


def test_balls_fill_the_mouths(measured, branched):
    _, found, _ = measured
    balls = mouths(found)
    for truth in branched.branches:
        for beyond in (0.3, 1.5):
            point = truth.ostium_mm + beyond * truth.direction
            assert (np.linalg.norm(balls[:, :3] - point, axis=1) < balls[:, 3]).any()
    # The vessel's own lumen is not hidden.
    inside = np.linalg.norm(balls[:, None, :3] - branched.points[::10], axis=-1)
    assert (inside > balls[:, None, 3]).all()
    assert mouths(()).shape == (0, 4)


def test_vessel_without_branches_has_none(vessel):
    _, found, _ = measured_with_branches(vessel.image, vessel.points)
    assert not [each for each in found if each.probability >= 0.5]


@pytest.mark.parametrize("gap_mm", [0.3, 1.0])
def test_vein_beside_the_vessel_is_no_branch(scenes, vessel, gap_mm):
    contrast = scenes.blood_hu - scenes.fat_hu
    image = beside(scenes, vessel, hu=scenes.fat_hu + 0.6 * contrast, gap_mm=gap_mm)
    _, found, final = measured_with_branches(image, vessel.points)
    assert all(each.probability < 0.5 for each in found)
    radius = np.sqrt((final.radius_mm**2).mean(axis=1))[4:-4]
    np.testing.assert_allclose(radius, vessel.radius_mm, atol=0.25)


def test_artery_that_passes_by_as_bright_as_the_vessel_is_no_branch(scenes, vessel):
    image = beside(scenes, vessel, hu=scenes.blood_hu, gap_mm=1.0)
    _, found, _ = measured_with_branches(image, vessel.points)
    assert all(each.probability < 0.5 for each in found)


def test_calcium_is_no_branch(scenes, vessel):
    wall, blood = scenes.artery(vessel.points, vessel.radius_mm)
    plaque = scenes.crescent(vessel.points[240:340], 1.4, 2.3, [0.0, 1.0, 0.0])
    image = scenes.scan([*wall, *blood, *scenes.aorta, (plaque, 1000.0)], *scenes.around_bow)
    _, found, _ = measured_with_branches(image, vessel.points)
    assert all(each.probability < 0.5 for each in found)


def test_same_image_gives_the_same_branches(measured, branched):
    _, found, _ = measured
    _, again, _ = measured_with_branches(branched.image, branched.points)
    for one, two in zip(found, again, strict=True):
        np.testing.assert_array_equal(one.line.points_mm, two.line.points_mm)
        assert one.probability == two.probability
