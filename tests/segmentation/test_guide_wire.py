import numpy as np
import pytest

from coreg.segmentation.guide_wire import wire_shadow

FRAMES, RAYS, WIDE = 30, 256, 18
BESIDE_MM, BEYOND_MM = 0.6, 1.8


def scene(course, *, width=WIDE):
    """Likeness, distance and darkness (N, A) of a wire at rays (N,) that hides so many of them."""
    apart = np.abs((np.arange(RAYS) - course[:, None] + RAYS // 2) % RAYS - RAYS // 2)
    hidden = apart <= width // 2
    return np.where(hidden, 0.9, -0.5).astype(np.float32), np.where(hidden, BESIDE_MM, BEYOND_MM), hidden


def most_wrong_rays(shadow, hidden):
    return int((shadow != hidden).sum(axis=1).max())


@pytest.mark.parametrize("speed", [0, 1, -4])
def test_the_shadow_is_followed_round_the_circle(speed):
    likeness, away_mm, dark = scene(120 + speed * np.arange(FRAMES))
    # Two more rays on either side, whose edges are blurred.
    assert most_wrong_rays(wire_shadow(likeness, away_mm, dark, sure=0.2), dark) <= 4


def test_a_frame_without_a_sign_of_the_wire_has_no_shadow():
    likeness, away_mm, dark = scene(np.full(FRAMES, 250))
    likeness[12], dark[12] = -0.5, False
    shadow = wire_shadow(likeness, away_mm, dark, sure=0.2)
    assert not shadow[12].any()
    assert shadow[[11, 13]].any(axis=1).all()


def test_one_frame_with_a_better_sign_elsewhere_does_not_draw_the_course_away():
    likeness, away_mm, dark = scene(np.full(FRAMES, 60))
    likeness[9, 180:200], away_mm[9, 180:200], dark[9, 180:200] = 1.0, BESIDE_MM, True
    shadow = wire_shadow(likeness, away_mm, dark, sure=0.2)
    assert shadow[9, 55:66].all()
    assert not shadow[9, 180:200].any()


def test_calcium_that_is_wider_and_farther_out_than_a_wire_is_none():
    likeness, _, dark = scene(np.full(FRAMES, 60), width=120)
    away_mm = np.full(dark.shape, 2.0)
    assert not wire_shadow(likeness, away_mm, dark, sure=0.2).any()


def test_what_lies_farther_out_beside_the_wire_is_not_the_wire():
    likeness, away_mm, dark = scene(np.full(FRAMES, 60))
    beside = slice(70, 80)
    likeness[:, beside], away_mm[:, beside], dark[:, beside] = 0.9, BESIDE_MM + 0.7, True
    shadow = wire_shadow(likeness, away_mm, dark, sure=0.2)
    assert not shadow[:, 72:].any()
    assert shadow[:, 52:69].all()


def test_of_two_courses_the_wire_is_the_one_beside_the_catheter():
    likeness, away_mm, dark = scene(np.full(FRAMES, 60))
    farther, _, also_dark = scene(np.full(FRAMES, 180))
    away_mm = np.where(also_dark, BESIDE_MM + 0.6, away_mm)
    shadow = wire_shadow(np.maximum(likeness, farther), away_mm, dark | also_dark, sure=0.2)
    assert most_wrong_rays(shadow, dark) <= 4


def test_without_a_wire_there_is_no_shadow():
    rng = np.random.default_rng(0)
    likeness = rng.normal(-0.5, 0.2, (FRAMES, RAYS)).astype(np.float32)
    assert not wire_shadow(
        likeness, np.full((FRAMES, RAYS), BESIDE_MM), np.zeros((FRAMES, RAYS), dtype=bool), sure=0.2
    ).any()


def test_a_single_frame_is_enough():
    likeness, away_mm, dark = scene(np.array([3]))
    assert most_wrong_rays(wire_shadow(likeness, away_mm, dark, sure=0.2), dark) <= 4
