import numpy as np
import pytest

from coreg.centerline import Centerline
from coreg.errors import InputError
from coreg.segmentation.ccta_ends import ended
from coreg.segmentation.ccta_search import search_field
from coreg.segmentation.rays import SmoothImage
from coreg.segmentation.segment_ccta import vessel_path
from coreg.segmentation.traced import roughly_centred


def line_between(image, ostium_mm, distal_mm):
    """Line from click to click as far as its ends are looked for."""
    clicks = np.array([ostium_mm, distal_mm], dtype=float)
    field = search_field(image, clicks)
    path = vessel_path(field, clicks)
    smooth = SmoothImage(image, path)
    return ended(smooth, roughly_centred(smooth, path, field.level_hu), clicks, field.level_hu)


def gap(line, end, point_mm):
    return np.linalg.norm(line.points_mm[end] - point_mm)


@pytest.mark.parametrize(
    "click",
    [(0.2, 0.0, 4.0), (0.0, 0.0, 1.0), (0.0, 0.0, -2.0), (1.0, 1.0, -4.0), (0.6, 0.0, 7.0), (0.0, 2.5, 1.0)],
    ids=[
        "in the vessel",
        "at the mouth",
        "in the aorta",
        "deep in the aorta",
        "far down",
        "beside the mouth",
    ],
)
def test_line_begins_at_the_aortas_wall_wherever_the_click_was(vessel, click):
    line = line_between(vessel.image, click, vessel.points[-40])
    assert gap(line, 0, vessel.mouth_mm) < 1.0


@pytest.mark.parametrize("at", [200, 300, 400, 500])
def test_line_ends_at_the_distal_click(vessel, at):
    line = line_between(vessel.image, vessel.points[30], vessel.points[at] + [0.0, 0.8, 0.0])
    assert gap(line, -1, vessel.points[at]) < 0.6


def test_line_reaches_a_click_beyond_what_a_search_finds_and_no_further_than_the_blood(vessel):
    ahead = vessel.points[-1] - vessel.points[-21]
    last = vessel.points[-1]
    line = line_between(vessel.image, vessel.points[30], last)
    assert gap(line, -1, last) < 0.6
    beyond = line_between(vessel.image, vessel.points[30], last + 3.5 * ahead)
    # The vessel's round end lies one radius beyond its axis.
    assert gap(beyond, -1, last) < vessel.radius_mm + 0.6


def test_line_has_equal_steps(vessel):
    line = line_between(vessel.image, vessel.points[30], vessel.points[-40])
    np.testing.assert_allclose(np.diff(line.arc_length_mm), 0.5, atol=0.02)


def test_click_is_the_start_where_nothing_opens(scenes, vessel):
    wall, blood = scenes.artery(vessel.points, vessel.radius_mm)
    image = scenes.scan(wall + blood, *scenes.around_bow)
    line = line_between(image, vessel.points[100], vessel.points[-40])
    assert gap(line, 0, vessel.points[100]) < 1.0


def interrupted(scenes, vessel, first_mm, last_mm):
    """The artery with soft plaque instead of blood between two arc lengths."""
    wall, blood = scenes.artery(vessel.points, vessel.radius_mm)
    s = np.linspace(0.0, 28.0, len(vessel.points))
    ends = [vessel.points[np.searchsorted(s, each)] for each in (first_mm, last_mm)]
    ahead = Centerline(vessel.points[::10]).tangents_at(np.array([first_mm, last_mm]))
    low, high = scenes.half_space(ends[0], -ahead[0]), scenes.half_space(ends[1], ahead[1])
    tube = scenes.tube(vessel.points, vessel.radius_mm)

    def plug(world):
        return np.maximum.reduce([tube(world), low(world), high(world)])

    return scenes.scan([*wall, *blood, *scenes.aorta, (plug, 50.0)], *scenes.around_bow)


def test_occlusion_is_refused_with_its_place(scenes, vessel):
    image = interrupted(scenes, vessel, 12.0, 19.0)
    with pytest.raises(InputError, match=r"ccta\.distal: no contrast between .*occluded") as caught:
        line_between(image, vessel.points[30], vessel.points[-40])
    numbers = [float(word) for word in str(caught.value).split() if word.isdigit()]
    # The blur and the search make its edges uncertain by some mm.
    np.testing.assert_allclose(numbers, [11.0, 18.0], atol=2.5)


def test_short_interruption_is_bridged(scenes, vessel):
    image = interrupted(scenes, vessel, 12.0, 13.2)
    line = line_between(image, vessel.points[30], vessel.points[-40])
    assert gap(line, -1, vessel.points[-40]) < 0.6


def test_way_through_a_chamber_is_refused(scenes, vessel):
    wall, blood = scenes.artery(vessel.points, vessel.radius_mm)
    chamber = (scenes.ball(vessel.points[300], 7.0), scenes.blood_hu)
    image = scenes.scan([*wall, *blood, chamber], *scenes.around_bow)
    with pytest.raises(InputError, match=r"ccta\.distal: the only .* leads through the aorta or a chamber"):
        line_between(image, vessel.points[20], vessel.points[-40])


def test_distal_click_in_another_artery_is_refused(scenes, vessel):
    other = scenes.curve(scenes.aorta_mm, [-15.0, 0.0, -8.0], [-22.0, 0.0, 8.0])
    vessels = [scenes.artery(each, vessel.radius_mm) for each in (vessel.points, other)]
    walls, bloods = ([part for each in vessels for part in each[i]] for i in (0, 1))
    low, high = scenes.around_bow
    image = scenes.scan([*walls, *bloods, *scenes.aorta], (-27.0, low[1], -18.0), high)
    with pytest.raises(InputError, match=r"ccta\.(ostium|distal): .* (aorta|artery)"):
        line_between(image, vessel.points[60], other[-40])


def test_clicks_near_each_other_are_refused(vessel):
    with pytest.raises(InputError, match=r"ccta\.ostium and ccta\.distal: found .* mm of vessel between"):
        line_between(vessel.image, vessel.points[20], vessel.points[60])


def test_clicks_the_wrong_way_round_are_refused(vessel):
    with pytest.raises(InputError, match=r"opens into the aorta .* at ccta\.distal .* swapped\?"):
        line_between(vessel.image, vessel.points[-40], vessel.points[20])
