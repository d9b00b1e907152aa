import numpy as np
import pytest
from scipy.spatial import cKDTree

from coreg.errors import InputError
from coreg.phantom import ccta_preset, make_ccta, make_patient, true_centerline
from coreg.segmentation.segment_ccta import segment_ccta
from coreg.volume import Volume


@pytest.fixture(scope="module")
def told():
    """Stages and shares of the work as they were told."""
    return []


@pytest.fixture(scope="module")
def clicks(branched):
    """Beside the axis at both ends."""
    return branched.points[[30, -50]] + np.array([[0.8, -0.5, 0.0], [0.0, 1.0, 0.0]])


@pytest.fixture(scope="module")
def found(branched, clicks, told):
    return segment_ccta(branched.image, *clicks, progress=lambda *each: told.append(each))


def inner(vessel):
    """Sections away from the mouth, where the aorta's wall goes over into the vessel's, and the end."""
    s = vessel.centerline.arc_length_mm
    return (s > 2.5) & (s < s[-1] - 2.0)


def test_line_runs_from_the_aorta_to_the_distal_click_in_the_middle(found, branched):
    line = found.centerline
    assert np.linalg.norm(line.points_mm[0] - [0.0, 0.0, 1.0]) < 1.0
    assert np.linalg.norm(line.points_mm[-1] - branched.points[-50]) < 0.6
    assert cKDTree(branched.points).query(line.points_mm[inner(found)])[0].mean() < 0.1
    assert line.arc_length_mm[0] == 0.0
    np.testing.assert_allclose(np.diff(line.arc_length_mm), 0.5, atol=0.05)


def test_lumen_and_wall_have_their_radii(found, branched, scenes):
    radius = found.centerline.radius_mm[inner(found)]
    assert radius.mean() == pytest.approx(branched.radius_mm, abs=0.08)
    # Also where branches leave.
    np.testing.assert_allclose(radius, branched.radius_mm, atol=0.25)
    wall = (found.wall_radius_mm - found.lumen_radius_mm)[inner(found)]
    assert wall.mean() == pytest.approx(scenes.wall_mm, abs=0.3)
    assert (found.wall_radius_mm > found.lumen_radius_mm).all()
    np.testing.assert_array_equal(found.calcium_mm, 0.0)


def test_both_branches_are_given_with_place_direction_and_size(found, branched):
    likely = [each for each in found.side_branches if each.probability >= 0.5]
    assert [each.id for each in found.side_branches] == [f"B{i + 1}" for i in range(len(found.side_branches))]
    assert len(likely) == len(branched.branches)
    for branch, truth in zip(likely, branched.branches, strict=True):
        assert np.linalg.norm(branch.world_mm - truth.ostium_mm) < 0.5
        assert np.degrees(np.arccos(np.clip(branch.direction @ truth.direction, -1.0, 1.0))) < 10.0
        assert branch.radius_mm == pytest.approx(branched.branch_radius_mm, abs=0.15)
        foot = found.centerline.points_at(np.array(branch.arc_length_mm))
        assert np.linalg.norm(foot - branch.world_mm) == pytest.approx(branched.radius_mm, abs=0.3)


def test_nothing_is_marked_in_a_clear_vessel(found):
    assert not found.marked[inner(found)].any()
    assert found.quality[inner(found)].min() > 0.5
    assert found.wall_quality[inner(found)].min() > 0.5


def test_moves_of_the_clicks_are_told(found, clicks):
    for name, end in (("ostium", 0), ("distal", -1)):
        moved = np.linalg.norm(found.centerline.points_mm[end] - clicks[end])
        assert found.moved_mm[name] == pytest.approx(moved)


@pytest.mark.usefixtures("found")
def test_progress_goes_from_nothing_towards_all(told):
    shares = [share for _, share in told]
    assert shares[0] == 0.0
    assert shares == sorted(shares)
    assert shares[-1] < 1.0
    assert all(stage.startswith("CCTA: ") for stage, _ in told)


def test_same_image_gives_the_same_vessel_and_stays_as_it_is(found, branched, clicks):
    before = branched.image.values.copy()
    again = segment_ccta(branched.image, *clicks)
    for name in ("lumen_radius_mm", "wall_radius_mm", "calcium_mm", "quality", "wall_quality"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
    np.testing.assert_array_equal(again.centerline.points_mm, found.centerline.points_mm)
    assert again.reason == found.reason
    np.testing.assert_array_equal(branched.image.values, before)


def test_rigid_motion_of_the_scene_moves_the_vessel_with_it(found, branched, clicks, scenes):
    motion = np.eye(4)
    motion[:3, :3] = scenes.turned([1.0, -0.3, 0.6], [0.5, 1.0, -0.2], [0.2, 0.4, 1.0])
    motion[:3, 3] = [12.0, -200.0, 1700.0]

    def carried(world_mm):
        return world_mm @ motion[:3, :3].T + motion[:3, 3]

    image = Volume(branched.image.values, motion @ branched.image.index_to_world)
    moved = segment_ccta(image, *carried(clicks))
    # Rays start at another angle, and the search's path may take another voxel.
    gap, _ = cKDTree(carried(branched.points)).query(moved.centerline.points_mm[inner(moved)])
    assert gap.mean() < 0.1
    mean_mm = found.centerline.radius_mm[inner(found)].mean()
    assert moved.centerline.radius_mm[inner(moved)].mean() == pytest.approx(mean_mm, abs=0.03)
    for here, there in zip(found.side_branches, moved.side_branches, strict=True):
        np.testing.assert_allclose(there.world_mm, carried(here.world_mm), atol=0.3)


def test_int16_as_scanners_write_it_gives_the_same(found, branched, clicks):
    whole = Volume(np.rint(branched.image.values).astype(np.int16), branched.image.index_to_world)
    vessel = segment_ccta(whole, *clicks)
    both = (vessel, found)
    means = [each.centerline.radius_mm[inner(each)].mean() for each in both]
    # Rounding to 1 HU is a twentieth of the noise.
    assert means[0] == pytest.approx(means[1], abs=0.02)


@pytest.mark.parametrize("bad", [[0.0, np.nan, 0.0], [0.0, 1.0], [np.inf, 0.0, 0.0]])
def test_click_that_is_not_a_point_is_refused(branched, bad):
    with pytest.raises(ValueError, match=r"three finite numbers|inhomogeneous"):
        segment_ccta(branched.image, np.array(bad), branched.points[-50])


def test_click_in_fat_is_refused_by_name(branched):
    with pytest.raises(InputError, match=r"ccta\.distal: found air, fat"):
        segment_ccta(branched.image, branched.points[30], branched.points[100] + [11.0, 0.0, 0.0])


@pytest.mark.slow
@pytest.mark.parametrize("seed", [7, 12])
def test_line_and_lumen_of_a_typical_patient_are_those_it_was_made_with(seed):
    patient = make_patient(seed)
    made = make_ccta(patient, settings=ccta_preset("typical"))
    vessel = segment_ccta(made.image, patient.case.ostium_mm, patient.case.distal_mm)
    truth = true_centerline(made.lumen)
    s = truth.nearest_arc_length(vessel.centerline.points_mm)
    distance = np.linalg.norm(vessel.centerline.points_mm - truth.points_at(s), axis=1)
    # Less than a voxel; a quarter of one for the radius.
    assert distance.mean() < 0.3
    error_mm = vessel.centerline.radius_mm - np.interp(s, truth.arc_length_mm, truth.radius_mm)
    assert error_mm[~vessel.marked].mean() == pytest.approx(0.0, abs=0.1)
