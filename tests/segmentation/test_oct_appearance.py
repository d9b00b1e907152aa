import numpy as np
import pytest

from coreg.segmentation.oct_appearance import (
    USUAL_CATHETER_MM,
    brightness,
    catheter_radius_mm,
    strongest_wall,
    sums_along,
    wire_likeness,
)

FIRST = 20


@pytest.fixture
def lumen_mm(rays):
    """The catheter goes round in the lumen, as it does when it is withdrawn."""
    turns = 2.0 * np.pi * np.arange(16) / 16
    return np.stack([rays.circle_mm(1.4, (0.6 * np.cos(turn), 0.6 * np.sin(turn))) for turn in turns])


def test_the_catheter_ends_where_the_outermost_ring_of_its_sheath_does(rays, lumen_mm):
    found = catheter_radius_mm(rays.oct_frames(lumen_mm), rays.step_mm)
    assert found == pytest.approx(rays.sheath_mm, abs=1.5 * rays.step_mm)


def test_without_rings_the_catheter_has_the_usual_size(rays, lumen_mm):
    values = rays.oct_frames(lumen_mm)
    values[..., : int(0.5 / rays.step_mm)] = 8.0
    assert catheter_radius_mm(values, rays.step_mm) == USUAL_CATHETER_MM


def test_few_frames_cannot_tell_rings_from_the_wall(rays, lumen_mm):
    assert catheter_radius_mm(rays.oct_frames(lumen_mm[:3]), rays.step_mm) == USUAL_CATHETER_MM


def test_flushed_lumen_is_dark_and_the_wall_is_one(rays, lumen_mm):
    bright = brightness(rays.oct_frames(lumen_mm), FIRST, rays.step_mm)
    behind = (np.arange(bright.shape[2]) + 0.5) * rays.step_mm - lumen_mm[..., None]
    lumen = (behind < -0.05) & (np.arange(bright.shape[2]) >= FIRST)
    assert np.abs(bright[lumen]).max() < 0.05
    assert bright[(behind > 0.02) & (behind < 0.1)].mean() == pytest.approx(1.0, abs=0.07)


def test_brightness_does_not_depend_on_gain_and_offset(rays, lumen_mm):
    values = rays.oct_frames(lumen_mm)
    one, other = (brightness(each, FIRST, rays.step_mm) for each in (values, 0.5 * values + 30.0))
    assert np.abs(one - other).max() < 1e-3


def test_rays_with_weakened_light_are_brightened(rays, lumen_mm):
    values = rays.oct_frames(lumen_mm)
    weak = rays.near(1.0, 0.8)
    values[:, weak, FIRST:] *= 0.6
    bright = brightness(values, FIRST, rays.step_mm)
    middle = rays.near(1.0, 0.6)
    behind = (np.arange(bright.shape[2]) + 0.5) * rays.step_mm - lumen_mm[..., None]
    wall = (behind > 0.02) & (behind < 0.1)
    assert bright[:, middle][wall[:, middle]].mean() == pytest.approx(1.0, abs=0.1)


def test_sums_are_those_of_the_samples_before():
    values = np.random.default_rng(0).random((2, 3, 7), dtype=np.float32)
    sums = sums_along(values)
    assert sums.shape == (2, 3, 8)
    for k in range(8):
        assert sums[..., k] == pytest.approx(values[..., :k].sum(axis=2), abs=1e-5)


def test_the_strongest_wall_is_low_on_rays_without_any(rays, lumen_mm):
    values = rays.oct_frames(lumen_mm)
    empty = rays.near(2.0, 0.5)
    values[:, empty, FIRST:] = 8.0
    # A thin bright line is no wall.
    values[:, empty, 60:63] = 220.0
    bright = brightness(values, FIRST, rays.step_mm)
    strongest = strongest_wall(sums_along(bright), FIRST, rays.step_mm)
    assert strongest[:, empty].max() < 0.3
    assert strongest[:, ~empty].min() > 0.5


def test_a_thin_bright_thing_in_the_dark_is_like_a_wire_and_found_where_it_is(rays, lumen_mm):
    middle, width, distance_mm = 2.5, np.radians(24.0), 0.75
    values = rays.oct_frames(lumen_mm, wire=(middle, width, distance_mm))
    bright = brightness(values, FIRST, rays.step_mm)
    likeness, place = wire_likeness(bright, sums_along(bright), FIRST, rays.step_mm)
    hidden = rays.near(middle, 0.8 * width)
    assert likeness[:, hidden].min() > 0.6
    assert likeness[:, ~rays.near(middle, 1.3 * width)].max() < 0.2
    # It begins within the stretch that is looked at from there.
    assert np.ptp(place[:, hidden] * rays.step_mm - distance_mm + 0.2) < 0.45
    assert np.abs(place[:, hidden] * rays.step_mm - distance_mm + 0.2).max() < 0.25
