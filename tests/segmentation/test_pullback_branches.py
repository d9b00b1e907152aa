import numpy as np
import pytest

from coreg.pullback_vessel import BRIDGED, OPEN, SEEN
from coreg.segmentation.outlines import Outlines
from coreg.segmentation.pullback_branches import pullback_branches

FRAMES, RAYS, PITCH_MM, RADIUS_MM = 60, 256, 0.2, 1.5
ANGLE_RAD = 2.0 * np.pi * np.arange(RAYS) / RAYS


def outlines(*mouths, hidden=None):
    """A round lumen about the catheter with round mouths: frame, angle, radius and depth of each."""
    wall_mm = np.full((FRAMES, RAYS), RADIUS_MM)
    lumen_mm = wall_mm.copy()
    frames = np.arange(FRAMES)[:, None]
    for frame, angle_rad, radius_mm, depth_mm in mouths:
        apart = (ANGLE_RAD - angle_rad + np.pi) % (2.0 * np.pi) - np.pi
        inside = np.hypot(PITCH_MM * (frames - frame), RADIUS_MM * apart) < radius_mm
        lumen_mm[inside] = RADIUS_MM + depth_mm
    state = np.where(lumen_mm > wall_mm, OPEN, SEEN).astype(np.uint8)
    if hidden is not None:
        lumen_mm[:, hidden], state[:, hidden] = RADIUS_MM, BRIDGED
    return Outlines(lumen_mm, wall_mm, state, np.ones_like(wall_mm), np.zeros(FRAMES))


def branches(found, position_mm=None):
    return pullback_branches(found, PITCH_MM * np.arange(FRAMES) if position_mm is None else position_mm)


def test_a_round_mouth_has_the_frame_and_angle_of_its_middle():
    (branch,) = branches(outlines((20, 1.2, 0.6, 1.0)))
    assert branch.id == "S1"
    assert branch.frame == pytest.approx(20.0, abs=0.1)
    assert branch.angle_rad == pytest.approx(1.2, abs=np.pi / RAYS)
    assert (branch.first_frame, branch.last_frame) == (18, 22)
    assert branch.probability > 0.9


def test_a_mouth_across_angle_zero_is_one():
    (branch,) = branches(outlines((20, 0.05, 0.6, 1.0)))
    assert branch.angle_rad == pytest.approx(0.05, abs=np.pi / RAYS)


def test_branches_are_numbered_in_acquisition_order():
    found = branches(outlines((45, 4.0, 0.5, 1.0), (10, 1.0, 0.5, 1.0), (30, 2.0, 0.5, 1.0)))
    assert [each.id for each in found] == ["S1", "S2", "S3"]
    assert [each.frame for each in found] == pytest.approx([10.0, 30.0, 45.0], abs=0.1)


def test_two_mouths_on_opposite_sides_of_one_frame_are_two_branches():
    found = branches(outlines((30, 0.5, 0.5, 1.0), (30, 0.5 + np.pi, 0.5, 1.0)))
    assert sorted(each.angle_rad % (2.0 * np.pi) for each in found) == pytest.approx(
        [0.5, 0.5 + np.pi], abs=np.pi / RAYS
    )


def test_a_mouth_that_one_frame_interrupts_is_one_branch():
    found = outlines((20, 1.2, 0.7, 1.0))
    found.state[21] = SEEN
    (branch,) = branches(found)
    assert (branch.first_frame, branch.last_frame) == (17, 23)


def test_deep_wide_mouths_are_more_probable_than_shallow_narrow_ones():
    sizes = ((0.9, 1.2), (0.45, 0.8), (0.25, 0.4))
    found = [branches(outlines((20, 1.2, *size))) for size in sizes]
    probable = [each[0].probability if each else 0.0 for each in found]
    assert probable[0] > 0.95
    assert probable == sorted(probable, reverse=True)
    assert probable[2] < 0.5


def test_a_mouth_that_a_frame_or_two_show_is_less_probable_than_one_that_more_show():
    found = outlines((20, 1.2, 0.6, 1.5))
    (whole,) = branches(found)
    for shown in (1, 2):
        cut = outlines((20, 1.2, 0.6, 1.5))
        cut.state[20 + shown :], cut.state[:20] = SEEN, SEEN
        (short,) = branches(cut)
        # Of 27 such mouths in 25 synthetic pullbacks, 19 were branches.
        assert 0.5 < short.probability <= 0.7
    assert whole.probability > 0.9
    # Of 102 that more frames showed, 97 were.
    assert whole.probability <= 0.96


def test_a_dent_of_one_ray_is_no_branch():
    assert not branches(outlines((20, 1.2, 0.04, 0.5)))
    assert not branches(outlines())


def test_a_mouth_beside_the_wire_goes_on_into_its_shadow():
    hidden = (ANGLE_RAD > 1.3) & (ANGLE_RAD < 1.6)
    (free,) = branches(outlines((20, 1.2, 0.6, 1.0)))
    (beside,) = branches(outlines((20, 1.2, 0.6, 1.0), hidden=hidden))
    cut = outlines((20, 1.2, 0.6, 1.0), hidden=hidden)
    cut.state[cut.state == BRIDGED] = SEEN
    (blind,) = branches(cut)
    assert abs(beside.angle_rad - free.angle_rad) < abs(blind.angle_rad - free.angle_rad)


def test_falling_positions_give_the_same_branches():
    found = outlines((20, 1.2, 0.6, 1.0), (40, 3.0, 0.4, 0.9))
    rising, falling = branches(found), branches(found, -PITCH_MM * np.arange(FRAMES))
    assert [(a.frame, a.angle_rad, a.probability) for a in rising] == [
        (b.frame, b.angle_rad, b.probability) for b in falling
    ]


def test_where_a_mouth_hardly_leaves_the_vessel_it_has_no_say_in_frame_and_angle():
    found = outlines((20, 1.2, 0.6, 1.0))
    (alone,) = branches(found)
    # A dim wall beside it, wide, but no deeper than a wall is thick.
    beside = np.abs(ANGLE_RAD - 1.5) < 0.6
    for frame in (15, 16, 17):
        found.lumen_mm[frame, beside] = RADIUS_MM + 0.4
        found.state[frame, beside] = OPEN
    (branch,) = branches(found)
    assert (branch.frame, branch.angle_rad) == pytest.approx((alone.frame, alone.angle_rad))
    assert branch.first_frame == alone.first_frame
