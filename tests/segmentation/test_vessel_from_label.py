import numpy as np
import pytest
from scipy.spatial import cKDTree

from coreg.errors import InputError
from coreg.segmentation.vessel_from_label import vessel_from_label
from coreg.volume import Volume

RADIUS_MM, BRANCH_MM = 1.5, 0.9


@pytest.fixture(scope="module")
def digitised(scenes):
    """Label of the voxels that lie more than half inside some tubes."""

    def make(*tubes, spacing_mm=(0.4, 0.4, 0.4)):
        parts = [(scenes.tube(points, radius), 1.0) for points, radius in tubes]
        every = np.vstack([points for points, _ in tubes])
        low, high = every.min(axis=0) - 4.13, every.max(axis=0) + 4.0
        image = scenes.scan(parts, low, high, spacing_mm=spacing_mm, blur_mm=0.0, noise_hu=0.0, back_hu=0.0)
        return Volume((image.values > 0.5).astype(np.uint8), image.index_to_world)

    return make


@pytest.fixture(scope="module")
def points(scenes):
    return scenes.bow(26.0)


@pytest.fixture(scope="module")
def label(digitised, scenes, points):
    branch = scenes.curve(points[260], points[260] + [0.0, 8.0, 0.0])
    return digitised((points, RADIUS_MM), (branch, BRANCH_MM))


@pytest.fixture(scope="module")
def vessel(label, points):
    return vessel_from_label(label, points[0], points[-1])


def test_line_runs_in_the_middle_of_the_labelled_tube(vessel, points):
    # A quarter of a voxel.
    assert cKDTree(points).query(vessel.centerline.points_mm)[0].mean() < 0.1
    np.testing.assert_allclose(vessel.centerline.points_mm[[0, -1]], points[[0, -1]], atol=1.0)


def test_radius_is_that_of_the_tube(vessel):
    inner = vessel.centerline.radius_mm[4:-4]
    assert inner.mean() == pytest.approx(RADIUS_MM, abs=0.08)
    np.testing.assert_allclose(inner, RADIUS_MM, atol=0.2)


@pytest.mark.parametrize(("radius_mm", "spacing_mm"), [(0.9, (0.4, 0.4, 0.4)), (2.0, (0.6, 0.35, 0.35))])
def test_small_and_large_tubes_on_other_grids_have_their_radius(digitised, points, radius_mm, spacing_mm):
    found = vessel_from_label(digitised((points, radius_mm), spacing_mm=spacing_mm), points[0], points[-1])
    assert found.centerline.radius_mm[4:-4].mean() == pytest.approx(radius_mm, abs=0.08)


def test_branch_is_found(vessel, points):
    likely = [each for each in vessel.side_branches if each.probability >= 0.5]
    assert len(likely) == 1
    ostium = points[260] + [0.0, RADIUS_MM, 0.0]
    assert np.linalg.norm(likely[0].world_mm - ostium) < 0.5
    assert np.degrees(np.arccos(likely[0].direction[1])) < 10.0
    assert likely[0].radius_mm == pytest.approx(BRANCH_MM, abs=0.15)


def test_what_a_label_does_not_show_is_left_open(vessel):
    np.testing.assert_array_equal(vessel.wall_quality, 0.0)
    np.testing.assert_array_equal(vessel.wall_radius_mm, vessel.lumen_radius_mm)
    np.testing.assert_array_equal(vessel.calcium_mm, 0.0)
    assert not vessel.marked.any()


def test_any_value_but_zero_is_inside(label, vessel, points):
    other = Volume(7 * label.values.astype(np.int16), label.index_to_world)
    found = vessel_from_label(other, points[0], points[-1])
    np.testing.assert_array_equal(found.lumen_radius_mm, vessel.lumen_radius_mm)


def test_empty_label_is_refused(label, points):
    empty = Volume(np.zeros_like(label.values), label.index_to_world)
    with pytest.raises(InputError, match=r"ccta\.lumen: the label is empty"):
        vessel_from_label(empty, points[0], points[-1])


def test_click_that_is_not_a_point_is_refused(label, points):
    with pytest.raises(ValueError, match="three finite numbers each"):
        vessel_from_label(label, points[0], [np.nan, 0.0, 0.0])
