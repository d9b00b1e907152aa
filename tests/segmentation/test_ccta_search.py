import numpy as np
import pytest
from scipy.spatial import cKDTree

from coreg.errors import InputError
from coreg.segmentation.ccta_search import (
    cheapest_path,
    level_at,
    search_field,
    snapped,
    step_cost,
    tube_along,
)


@pytest.fixture(scope="module")
def field(vessel):
    return search_field(vessel.image, vessel.points[[20, -40]])


@pytest.fixture(scope="module")
def beside_muscle(scenes, vessel):
    """The artery with muscle beyond y = 5 mm."""
    wall, blood = scenes.artery(vessel.points, vessel.radius_mm)
    muscle = scenes.half_space([0.0, 5.0, 0.0], [0.0, -1.0, 0.0])
    low, high = scenes.around_bow
    parts = [(muscle, scenes.muscle_hu), *wall, *blood, *scenes.aorta]
    return scenes.scan(parts, (*low[:2], -18.0), (high[0], 16.0, high[2]))


def length_mm(points):
    return np.linalg.norm(np.diff(points, axis=0), axis=1).sum()


def snapped_clicks(image, clicks):
    field = search_field(image, clicks)
    return [snapped(field, clicks[i], name) for i, name in enumerate(("ccta.ostium", "ccta.distal"))]


def refused(image, clicks, name):
    with pytest.raises(InputError, match=rf"^{name}: found .* expected a contrast-filled artery") as caught:
        snapped_clicks(image, clicks)
    return str(caught.value)


def test_level_is_the_brightness_of_the_blood(field, scenes, vessel):
    assert field.level_hu == pytest.approx(scenes.blood_hu, rel=0.05)
    # A click at the wall sees the same blood, and more of its faded edge.
    at_wall = level_at(vessel.image, vessel.points[200] + [0.0, 1.8, 0.0])
    assert at_wall == pytest.approx(scenes.blood_hu, rel=0.3)


def test_level_does_not_count_calcium(scenes, vessel):
    wall, blood = scenes.artery(vessel.points, vessel.radius_mm)
    stone = [(scenes.ball(vessel.points[60] + [0.0, 2.0, 0.0], 1.2), 1300.0)]
    image = scenes.scan([*wall, *blood, *scenes.aorta, *stone], *scenes.around_bow)
    assert level_at(image, vessel.points[60]) == pytest.approx(scenes.blood_hu, rel=0.15)


def test_grid_has_equal_steps_and_shows_the_same_image(field, scenes, vessel):
    np.testing.assert_allclose(field.grid.spacing_mm, field.grid.spacing_mm[0])
    index = np.rint(field.grid.to_index(vessel.points[50:-50:20])).astype(int)
    middle = np.asarray(field.grid.values)[tuple(index.T)]
    np.testing.assert_allclose(middle, scenes.blood_hu, rtol=0.2)


def test_middle_of_the_artery_is_a_tube_and_aorta_and_tissue_are_not(field, scenes, vessel):
    assert tube_along(field, vessel.points[100:-60]).min() > 0.7
    inside = scenes.aorta_mm + np.random.default_rng(1).uniform(-3.0, 3.0, (50, 3))
    assert tube_along(field, inside).max() < 0.2
    fat = vessel.points[200] + np.array([[0.0, 6.0, 0.0], [6.0, 0.0, 0.0]])
    assert tube_along(field, fat).max() < 0.1
    assert field.tube.max() <= 1.0


def test_step_through_tissue_costs_hundreds_of_steps_through_the_artery(field, vessel):
    cost = step_cost(field)
    inside = cost[field.nearest_voxel(vessel.points[200])]
    outside = cost[field.nearest_voxel(vessel.points[200] + [0.0, 6.0, 0.0])]
    assert inside == pytest.approx(1.0, abs=0.6)
    assert outside > 100.0 * inside


@pytest.mark.parametrize("off_mm", [(0.0, 0.0, 0.0), (0.0, 2.5, 0.0), (-2.0, -1.0, 0.0)])
def test_click_beside_the_artery_means_the_artery(field, vessel, off_mm):
    voxel = snapped(field, vessel.points[300] + off_mm, "ccta.distal")
    distance, nearest = cKDTree(vessel.points).query(field.grid.to_world(np.array(voxel, dtype=float)))
    # Within the lumen's middle, and not far along.
    assert distance < 0.8
    assert abs(nearest - 300) * 0.05 < 3.0


@pytest.mark.parametrize(("at", "name"), [(0, r"ccta\.ostium"), (1, r"ccta\.distal")])
@pytest.mark.parametrize(
    ("place", "words"),
    [
        ((13.0, -1.0, 2.0), "air, fat or nothing of the image"),
        ((60.0, 0.0, 10.0), "air, fat or nothing of the image"),
        ((3.0, 12.0, 10.0), "tissue of 1"),
    ],
    ids=["fat", "outside", "muscle"],
)
def test_click_where_no_artery_is_says_what_is_there(beside_muscle, vessel, at, name, place, words):
    clicks = vessel.points[[20, -40]].copy()
    clicks[at] = place
    message = refused(beside_muscle, clicks, name)
    assert words in message
    assert f"({place[0]:.1f}, {place[1]:.1f}, {place[2]:.1f})" in message


def test_click_in_the_air_of_a_lung_is_refused(scenes, vessel):
    wall, blood = scenes.artery(vessel.points, vessel.radius_mm)
    lung = scenes.half_space([0.0, -4.0, 0.0], [0.0, 1.0, 0.0])
    low, high = scenes.around_bow
    image = scenes.scan([(lung, -900.0), *wall, *blood], (low[0], -14.0, low[2]), high)
    clicks = np.array([vessel.points[20], [5.0, -11.0, 10.0]])
    assert "air, fat" in refused(image, clicks, r"ccta\.distal")


def test_click_deep_in_a_chamber_is_no_vessel(scenes, vessel):
    wall, blood = scenes.artery(vessel.points, vessel.radius_mm)
    chamber = (scenes.ball([4.0, 14.0, 12.0], 9.5), scenes.blood_hu)
    low, high = scenes.around_bow
    image = scenes.scan([*wall, *blood, chamber], low, (high[0], 25.0, high[2]))
    clicks = np.array([vessel.points[20], [4.0, 14.0, 12.0]])
    assert "that is no vessel" in refused(image, clicks, r"ccta\.distal")


def test_path_runs_along_the_artery(field, vessel):
    start, end = (snapped(field, vessel.points[i], "ccta.ostium") for i in (60, -40))
    path = cheapest_path(field, start, end)
    np.testing.assert_allclose(path[[0, -1]], field.grid.to_world(np.array([start, end], dtype=float)))
    # A voxel and a half of the search grid.
    assert cKDTree(vessel.points).query(path)[0].max() < 1.0


def test_horseshoe_is_followed_and_not_cut_across(scenes):
    half_turn = np.linspace(0.0, np.pi, 300)
    bend = np.column_stack([3.0 - 3.0 * np.cos(half_turn), 0.0 * half_turn, 20.0 + 3.0 * np.sin(half_turn)])
    out, home = scenes.curve([0, 0, 0], [0, 0, 20]), scenes.curve([6, 0, 20], [6, 0, 0])
    points = np.vstack([out[:-1], bend, home[1:]])
    wall, blood = scenes.artery(points, 1.4)
    field = search_field(scenes.scan(wall + blood, [-6, -6, -4], [12, 6, 28]), points[[20, -20]])
    ends = [snapped(field, points[i], "ccta.ostium") for i in (20, -20)]
    path = cheapest_path(field, *ends)
    assert cKDTree(points).query(path)[0].max() < 1.3
    assert cKDTree(path).query(points[20:-20])[0].max() < 1.5
    assert length_mm(path) == pytest.approx(length_mm(points[20:-20]), rel=0.1)


def test_known_level_is_not_measured(vessel):
    fat = vessel.points[:1] + np.array([12.0, 0.0, 0.0])
    assert search_field(vessel.image, fat, level_hu=380.0).level_hu == 380.0


def test_same_image_gives_the_same_field_and_stays_as_it_is(field, vessel):
    before = vessel.image.values.copy()
    again = search_field(vessel.image, vessel.points[[20, -40]])
    np.testing.assert_array_equal(again.tube, field.tube)
    np.testing.assert_array_equal(vessel.image.values, before)


def test_blood_of_a_thin_artery_is_told_from_the_muscle_around_it(scenes):
    axis = scenes.curve([0.0, 0.0, -8.0], [0.0, 0.0, 8.0])
    wall, blood = scenes.artery(axis, 0.9)
    muscle = (scenes.ball([0.0, 0.0, 0.0], 30.0), scenes.muscle_hu)
    image = scenes.scan([muscle, *wall, *blood], (-8.0, -8.0, -8.0), (8.0, 8.0, 8.0))
    # Blur leaves a lumen of 0.9 mm nine tenths of its brightness in the middle, half of it at the edge.
    assert level_at(image, np.zeros(3)) > 0.5 * scenes.blood_hu
