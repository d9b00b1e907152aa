"""Published numbers, and readers' landmarks whose differences are known."""

import numpy as np
import pytest

from coreg.landmarks import Landmark
from coreg.pullback import Pullback
from coreg.validation import agreement, reader_agreement

# Peak expiratory flow in l/min, first readings by large and by mini Wright meter: Bland and Altman,
# Lancet 1986, table.
LARGE = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]


def test_peak_flows_agree_as_published():
    found = agreement(LARGE, MINI)
    assert found.count == 17
    assert found.mean_difference == pytest.approx(-2.1, abs=0.05)
    assert found.sd == pytest.approx(38.8, abs=0.05)
    # With 1.96 instead of 2 standard deviations: -78.1 and 73.9 (Bland and Altman 1999).
    assert found.lower == pytest.approx(-78.1, abs=0.05)
    assert found.upper == pytest.approx(73.9, abs=0.05)


def test_95_percent_of_normal_differences_lie_within_the_limits():
    rng = np.random.default_rng(1)
    difference = rng.normal(0.3, 2.0, 200_000)
    found = agreement(difference, np.zeros_like(difference))
    within = (difference > found.lower) & (difference < found.upper)
    assert within.mean() == pytest.approx(0.95, abs=0.002)


def test_pairs_with_a_gap_are_left_out():
    assert agreement([1.0, np.nan, 2.0, 4.0], [1.0, 7.0, 1.0, 2.0]) == agreement([1, 2, 4], [1, 1, 2])


def test_too_few_pairs_are_refused():
    with pytest.raises(ValueError, match="needs two pairs, got 1"):
        agreement([1.0, np.nan], [1.0, 2.0])
    with pytest.raises(ValueError, match=r"one shape \(N,\), got \(2,\) and \(3,\)"):
        agreement([1.0, 2.0], [1.0, 2.0, 3.0])


def mark(name, frame=None, degrees=None, world=None):
    angle = None if degrees is None else np.radians(degrees)
    return Landmark(name, "branch", frame, angle, None if world is None else np.array(world, dtype=float))


@pytest.fixture(scope="module")
def pullback():
    """0.5 mm a frame up to frame 10, then 0.2 mm."""
    return Pullback(np.arange(21), np.concatenate([np.arange(11) * 0.5, 5.0 + 0.2 * np.arange(1, 11)]), {})


def test_readers_are_compared_by_id(pullback):
    first = [mark("A", 4.0, 170.0, [0, 0, 0]), mark("B", 12.0, 10.0, [1, 1, 1]), mark("C", 3.0)]
    second = [mark("D", 1.0), mark("B", 10.0, 30.0, [1, 1, 3]), mark("A", 5.5, -170.0, [3, 4, 0])]
    found = reader_agreement(first, second, pullback)
    assert [each.id for each in found.differences] == ["A", "B"]
    assert (found.only_first, found.only_second) == (("C",), ("D",))
    a, b = found.differences
    assert (a.frames, b.frames) == (-1.5, 2.0)
    # 1.5 frames of 0.5 mm, and 2 of 0.2 mm.
    assert (a.position_mm, b.position_mm) == pytest.approx((-0.75, 0.4))
    # From -170 to 170 degrees it is 20 the short way.
    assert (a.angle_deg, b.angle_deg) == pytest.approx((-20.0, -20.0))
    assert (a.world_mm, b.world_mm) == pytest.approx((5.0, 2.0))
    assert found.mean_world_mm == pytest.approx(3.5)
    assert found.frames.mean_difference == pytest.approx(0.25)
    assert found.frames.sd == pytest.approx(np.std([-1.5, 2.0], ddof=1))
    assert found.position_mm.mean_difference == pytest.approx(-0.175)
    assert found.angle_deg.sd == pytest.approx(0.0, abs=1e-9)


def test_a_half_that_one_reader_lacks_is_left_out(pullback):
    first = [mark("A", 4.0, 10.0), mark("B", 5.0), mark("C", world=[0, 0, 0])]
    second = [mark("A", 4.0), mark("B", 6.0, 20.0), mark("C", 3.0)]
    found = reader_agreement(first, second, pullback)
    assert found.frames.count == 2
    assert found.angle_deg is None
    assert np.isnan(found.mean_world_mm)
    assert np.isnan(found.differences[2].frames)


def test_readers_who_share_nothing_do_not_compare(pullback):
    found = reader_agreement([mark("A", 1.0)], [], pullback)
    assert found.differences == ()
    assert found.only_first == ("A",)
    assert found.frames is None


def test_an_id_may_come_once_per_reader(pullback):
    with pytest.raises(ValueError, match="the second reader has landmark A twice"):
        reader_agreement([], [mark("A", 1.0), mark("A", 2.0)], pullback)
