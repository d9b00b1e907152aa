import numpy as np
import pytest

from coreg.pullback import Pullback
from coreg.registration.global_start import find_starts
from coreg.registration.observations import observe

FOUND_MM = 0.5
FOUND_DEG = 6.0


def starts(vessel, images, **changes):
    seen = observe(images, points=48, correlation_mm2=3.0)
    how = {"count": 6, "scale_sd": 0.06, "minimum_overlap": 0.5, **changes}
    return find_starts(vessel, seen, **how)


def turned_by(start, degrees):
    """Smallest angle between a start's rotation and another one, in degrees."""
    return abs(np.degrees(np.angle(np.exp(1j * (start.rotation_rad - np.radians(degrees))))))


@pytest.mark.parametrize(("place_mm", "turn_deg"), [(5.0, 0.0), (12.3, 70.0), (21.0, -160.0), (27.5, 135.0)])
def test_a_known_shift_and_turn_are_found(tube, vessel, place_mm, turn_deg):
    images = tube.pullback(place_mm + np.arange(0.0, 28.0, 0.4), turn_rad=np.radians(turn_deg))
    best = starts(vessel, images)[0]
    assert best.arc_length_mm == pytest.approx(place_mm, abs=FOUND_MM)
    assert turned_by(best, turn_deg) < FOUND_DEG
    assert best.stretch == 1.0
    assert best.twist_rad_per_mm == 0.0


def test_a_catheter_off_the_middle_does_not_matter(tube, vessel):
    z = 15.0 + np.arange(0.0, 28.0, 0.4)
    aside = np.column_stack([0.5 * np.cos(0.2 * z), 0.5 * np.sin(0.2 * z)])
    best = starts(vessel, tube.pullback(z, turn_rad=1.0, catheter=aside))[0]
    assert best.arc_length_mm == pytest.approx(15.0, abs=FOUND_MM)
    assert turned_by(best, np.degrees(1.0)) < FOUND_DEG


@pytest.mark.parametrize("scale", [0.9, 1.0, 1.1])
def test_the_place_does_not_depend_on_the_size_of_the_lumens(tube, vessel, scale):
    z = 13.0 + np.arange(0.0, 28.0, 0.4)
    best = starts(vessel, tube.pullback(z, turn_rad=0.5, scale=scale))[0]
    assert best.arc_length_mm == pytest.approx(13.0, abs=FOUND_MM)
    assert turned_by(best, np.degrees(0.5)) < FOUND_DEG
    # CCTA over pullback; the prior holds it a little towards 1.
    assert best.log_scale == pytest.approx(-np.log(scale), abs=0.03)


def test_a_steady_twist_is_found(tube, vessel):
    depth = np.arange(0.0, 28.0, 0.4)
    twist = np.radians(100.0) / depth.max()
    images = tube.pullback(14.0 + depth, turn_rad=0.8 + twist * (depth - 0.5 * depth.max()))
    best = starts(vessel, images)[0]
    assert best.arc_length_mm == pytest.approx(14.0, abs=FOUND_MM)
    assert best.twist_rad_per_mm == pytest.approx(twist)
    assert turned_by(best, np.degrees(0.8)) < FOUND_DEG


@pytest.mark.parametrize("stretch", [0.88, 1.12])
def test_a_wrong_pullback_speed_is_found(tube, vessel, stretch):
    z = 10.0 + np.arange(0.0, 35.0, 0.4)
    images = tube.pullback(z, turn_rad=-0.7)
    slower = Pullback(images.frame, images.position_mm / stretch, images.lumen)
    best = starts(vessel, slower)[0]
    assert best.stretch == pytest.approx(stretch, abs=0.041)
    middle = best.arc_length_mm + best.stretch * 0.5 * slower.length_mm
    assert middle == pytest.approx(z.mean(), abs=1.0)


def test_starts_come_best_first_and_are_distinct(tube, vessel):
    found = starts(vessel, tube.pullback(15.0 + np.arange(0.0, 28.0, 0.4)), count=10)
    assert len(found) == 10
    costs = [each.cost for each in found]
    assert costs == sorted(costs)
    assert costs[1] > 1.5 * costs[0]


def test_a_pullback_that_runs_out_of_the_vessel_is_found_by_the_part_within(tube, vessel):
    # The last 10 mm show a vessel beyond the CCTA: their lumens are those of other places.
    depth = np.arange(0.0, 32.0, 0.4)
    frame = np.arange(len(depth))[::-1]
    place = np.where(depth < 22.0, 38.0 + depth, depth - 20.0)
    lumen = {int(f): tube.section(z, turn_rad=0.4) for f, z in zip(frame, place, strict=True)}
    images = Pullback(frame, depth.max() - depth, lumen)
    fits = [
        each
        for each in starts(vessel, images)
        if abs(each.arc_length_mm - 38.0) < 1.0 and turned_by(each, np.degrees(0.4)) < 10.0
    ]
    assert fits


def test_too_little_overlap_leaves_nothing(tube, vessel):
    # 150 mm of pullback in a vessel of 60 mm.
    z = np.linspace(2.0, 58.0, 300)
    images = tube.pullback(z)
    longer = Pullback(images.frame, images.position_mm * 150.0 / images.length_mm, images.lumen)
    assert starts(vessel, longer) == []
    assert starts(vessel, longer, minimum_overlap=0.2)
