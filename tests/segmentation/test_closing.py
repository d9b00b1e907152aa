import numpy as np
import pytest

from coreg.segmentation.closing import closed_over, smooth_outline
from coreg.segmentation.openings import closed_wall, runs_round

ANGLE = 2.0 * np.pi * np.arange(256) / 256


def ellipse_from(x, y, a, b):
    """Distance along rays from a point (x, y) inside an ellipse about the origin."""
    cosine, sine = np.cos(ANGLE), np.sin(ANGLE)
    p = (cosine / a) ** 2 + (sine / b) ** 2
    q = x * cosine / a**2 + y * sine / b**2
    r = (x / a) ** 2 + (y / b) ** 2 - 1.0
    return (-q + np.sqrt(q**2 - p * r)) / p


@pytest.mark.parametrize("lean", [0.0, 0.6, 1.05])
def test_a_circle_is_closed_behind_a_shadow_wherever_the_catheter_lies(lean):
    truth = ellipse_from(lean, 0.0, 1.5, 1.5)[None]
    hidden = (np.abs(ANGLE - 3.0) < np.radians(20.0))[None]
    spoilt = np.where(hidden, 0.3, truth)
    wall, opened = closed_wall(spoilt, hidden, pitch_mm=0.2)
    assert not opened.any()
    assert np.abs(wall - truth).max() < 0.03


def test_an_ellipse_is_closed_over_the_mouth_of_a_branch():
    truth = np.array([ellipse_from(0.4, 0.2, 1.9, 1.4)] * 20)
    mouth = np.zeros(truth.shape, bool)
    mouth[6:12] = np.abs(ANGLE - 1.2) < np.radians(14.0)
    seen = np.where(mouth, 4.0, truth)
    wall, opened = closed_wall(seen, np.zeros(truth.shape, bool), pitch_mm=0.2)
    assert (opened == mouth).mean() > 0.995
    assert np.abs(wall - truth).max() < 0.08


def test_a_smooth_outline_keeps_the_ellipse_it_fits():
    truth = ellipse_from(0.3, -0.5, 1.8, 1.3)[None]
    assert np.abs(smooth_outline(truth, np.ones(truth.shape)) - truth).max() < 0.03


def test_a_gap_is_joined_to_both_of_its_ends():
    smooth = np.full((1, 256), 1.5)
    distance = smooth + np.linspace(0.0, 0.1, 256)
    gap = np.zeros((1, 256), bool)
    gap[0, 100:120] = True
    closed = closed_over(np.where(gap, 9.0, distance), smooth, gap)
    assert np.abs(closed - distance).max() < 1e-9


def test_parts_that_meet_across_angle_zero_are_one():
    mask = np.zeros((4, 32), bool)
    mask[1, 30:] = mask[2, :2] = True
    mask[0, 10] = True
    numbers, count = runs_round(mask)
    assert count == 2
    assert numbers[1, 31] == numbers[2, 0] != numbers[0, 10]
