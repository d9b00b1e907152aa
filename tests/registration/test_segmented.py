"""A straight vessel of 40 mm whose lumen is marked here and there, and a pullback from 10 to 30 mm."""

import numpy as np
import pytest

from coreg.catheter_path import VirtualCatheterPath
from coreg.ccta_vessel import CctaVessel
from coreg.centerline import Centerline
from coreg.registration.segmented import doubted
from coreg.result import Registration

Z_MM = np.linspace(0.0, 40.0, 81)


def vessel_marked(*stretches):
    line = Centerline(np.column_stack([0.0 * Z_MM, 0.0 * Z_MM, Z_MM]), np.full(81, 1.5))
    marks = [next((why for low, high, why in stretches if low <= z <= high), "") for z in Z_MM]
    radius, ones = np.full((81, 24), 1.5), np.ones(81)
    return CctaVessel(line, radius, radius, 0.0 * radius, ones, tuple(marks), ones)


def registered(verdict="good", count=21):
    arc = np.linspace(10.0, 30.0, count)
    one = np.ones(count)
    path = VirtualCatheterPath(
        np.arange(count)[::-1],
        30.0 - arc,
        arc,
        0.0 * arc,
        np.column_stack([0.0 * arc, 0.0 * arc, arc]),
        np.outer(one, [1.0, 0.0, 0.0]),
        np.outer(one, [0.0, 1.0, 0.0]),
        one > 0,
        ("",) * count,
    )
    line = vessel_marked().centerline
    return Registration(path, path, line, verdict, (), 1.0, 0.5, (), {}, 0.1 * one)


def test_a_trusted_lumen_leaves_the_verdict():
    assert doubted(registered(), vessel_marked()).verdict == "good"


def test_marks_beyond_the_pullback_do_not_count():
    found = doubted(registered(), vessel_marked((0.0, 9.0, "calcium"), (31.0, 40.0, "too small")))
    assert (found.verdict, found.reasons) == ("good", ())


def test_a_tenth_is_tolerated_and_more_is_not():
    assert doubted(registered(), vessel_marked((12.0, 13.5, "calcium"))).verdict == "good"
    found = doubted(registered(), vessel_marked((12.0, 16.0, "calcium")))
    assert found.verdict == "review"
    # 9 of the 41 points from 10 to 30 mm.
    assert "22% of it along the pullback" in found.reasons[0]
    assert "12 to 16 mm: calcium" in found.reasons[0]


@pytest.mark.parametrize("verdict", ["review", "failed"])
def test_a_worse_verdict_stays(verdict):
    assert doubted(registered(verdict), vessel_marked((12.0, 28.0, "motion"))).verdict == verdict


def test_only_the_longest_stretches_are_named():
    marks = [(10.0 + 2.0 * i, 11.0 + 2.0 * i, f"cause {i}") for i in range(6)]
    (reason,) = doubted(registered(), vessel_marked(*marks, (22.5, 29.0, "motion"))).reasons
    assert "22 to 29 mm: motion" in reason
    assert "more stretches" in reason
