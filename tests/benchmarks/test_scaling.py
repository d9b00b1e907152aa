import numpy as np
import pytest
from measuring import Cost, measured
from scaling import Point, slope, table, thinned

from coreg.pullback import Pullback


def test_exponent_of_a_power_law_is_found():
    points = [Point(n, Cost(0.01 * n**1.5, 0.5)) for n in (0, 100, 200, 400, 800)]
    assert slope(points) == pytest.approx(1.5)


def test_exponent_is_that_of_the_upper_half_where_the_constant_part_does_not_count():
    points = [Point(n, Cost(2.0 if n < 400 else 2.0 * n / 400, 0.5)) for n in (50, 100, 200, 400, 800, 1600)]
    assert slope(points) == pytest.approx(1.0)


def test_one_size_gives_no_exponent():
    assert np.isnan(slope([Point(100, Cost(1.0, 0.5))]))


def test_thinned_pullback_keeps_its_ends_and_the_contours_of_the_frames_that_stay():
    circle = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    lumen = {k: (1.0 + 0.1 * k) * circle for k in range(11) if k != 5}
    whole = Pullback(np.arange(11), 0.2 * np.arange(11), lumen)
    some = thinned(whole, 5)
    assert len(some) == 5
    assert {some.position_mm[0], some.position_mm[-1]} == {0.0, 2.0}
    assert set(some.lumen) == set(some.frame.tolist()) - {5}
    np.testing.assert_allclose(some.lumen[0], whole.lumen[0])


def test_table_has_a_row_per_size():
    text = table("frames", [Point(100, Cost(1.234, 0.5))])
    assert text.splitlines()[2] == "| 100 | 1.23 | 0.50 |"


def test_peak_memory_holds_what_a_call_used_and_gave_back():
    def use(megabytes):
        return float(np.ones(megabytes * 125_000).sum())

    _, small = measured(use, 1)
    total, large = measured(use, 200)
    assert total == 25e6
    assert large.memory_gb - small.memory_gb == pytest.approx(0.2, abs=0.05)
