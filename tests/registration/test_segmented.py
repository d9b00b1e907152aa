"""A straight vessel of 40 mm whose lumen is marked here and there, and a pullback from 10 to 30 mm."""

import dataclasses

import numpy as np
import pytest

from coreg.catheter_path import VirtualCatheterPath
from coreg.ccta_vessel import CctaVessel
from coreg.centerline import Centerline
from coreg.pullback import Pullback
from coreg.pullback_vessel import Gating, PullbackVessel
from coreg.registration.segmented import doubted, doubted_contours, doubted_frames, phase_note
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


def test_one_more_stretch_is_singular():
    marks = [(10.0 + 3.0 * i, 11.0 + 3.0 * i, f"cause {i}") for i in range(4)]
    (reason,) = doubted(registered(), vessel_marked(*marks)).reasons
    assert "and 1 more stretch)" in reason


def test_a_stretch_within_a_millimetre_is_a_place():
    marks = [(12.0, 12.0, "calcium"), (14.0, 20.0, "motion")]
    (reason,) = doubted(registered(), vessel_marked(*marks)).reasons
    assert "at 12 mm: calcium; 14 to 20 mm: motion" in reason


def test_only_the_longest_stretches_are_named():
    marks = [(10.0 + 2.0 * i, 11.0 + 2.0 * i, f"cause {i}") for i in range(6)]
    (reason,) = doubted(registered(), vessel_marked(*marks, (22.5, 29.0, "motion"))).reasons
    assert "23 to 29 mm: motion" in reason
    assert "more stretches" in reason


COUNT = 21


def seen_pullback(*stretches, gating=None):
    """Frames 0 (at 30 mm) to 20 (at 10 mm) of a round lumen; some are marked."""
    reason = [next((why for a, b, why in stretches if a <= i <= b), "") for i in range(COUNT)]
    radius = np.full((COUNT, 24), 1.5)
    state = np.zeros((COUNT, 24), np.uint8)
    quality = np.where(np.array(reason) == "", 1.0, 0.3)
    return PullbackVessel(radius, radius, None, state, None, quality, tuple(reason), 5.0, gating=gating)


def test_frames_whose_lumen_is_doubted_are_not_reliable_for_the_reason_of_the_segmentation():
    found = doubted_frames(registered(), seen_pullback((3, 4, "blood in the lumen")))
    by_frame = dict(
        zip(found.path.frame.tolist(), zip(found.path.reliable, found.path.reason, strict=True), strict=True)
    )
    assert by_frame[3] == (False, "lumen not to be trusted: blood in the lumen")
    assert by_frame[5] == (True, "")
    # 2 of 21 frames are less than a tenth.
    assert (found.verdict, found.reasons) == ("good", ())


def test_many_doubted_frames_ask_for_review_and_are_named():
    vessel = seen_pullback((3, 6, "blood in the lumen"), (9, 9, "no clear border of the lumen"))
    found = doubted_frames(registered(), vessel)
    assert found.verdict == "review"
    (reason,) = found.reasons
    assert "24% of its placed frames" in reason
    assert "frames 3 to 6: blood in the lumen; frame 9: no clear border of the lumen" in reason
    assert doubted_frames(registered("failed"), vessel).verdict == "failed"


def test_frames_out_of_the_gated_phase_do_not_count():
    gating = Gating(np.array([0, 5, 10, 15, 20]), 5.0, "diastole", 0.8, np.zeros(COUNT))
    beside = ((1, 4, "blood in the lumen"), (6, 9, "blood in the lumen"))
    assert doubted_frames(registered(), seen_pullback(*beside, gating=gating)).verdict == "good"
    found = doubted_frames(registered(), seen_pullback((5, 5, "blood in the lumen"), *beside, gating=gating))
    assert "20% of its placed frames" in found.reasons[0]
    assert "frames 1 to 9" in found.reasons[0]


def test_what_keeps_a_frame_out_altogether_stays_its_reason():
    registration = registered()
    reason = ("beyond the vessel", "excluded: stent; interpolated", "no contour; interpolated") + ("",) * 18
    path = dataclasses.replace(
        registration.path, reason=reason, reliable=np.array([each == "" for each in reason])
    )
    registration = dataclasses.replace(registration, path=path)
    found = doubted_frames(registration, seen_pullback((18, 20, "blood in the lumen")))
    assert found.path.frame[:3].tolist() == [20, 19, 18]
    assert found.path.reason[:3] == (*reason[:2], "lumen not to be trusted: blood in the lumen")


def test_marks_that_came_with_contours_count_among_the_frames_that_have_one():
    square = np.array([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])
    drawn = dict.fromkeys(range(0, COUNT, 2), square)
    marked = dict.fromkeys((2, 4), "blood in the lumen")
    found = doubted_contours(registered(), Pullback(np.arange(COUNT), np.arange(COUNT), drawn, marked=marked))
    by_frame = dict(zip(found.path.frame.tolist(), found.path.reliable.tolist(), strict=True))
    assert [frame for frame, reliable in by_frame.items() if not reliable] == [4, 2]
    # 2 of 11 frames with a contour.
    (reason,) = found.reasons
    assert "The pullback's contours came with marks: 18% of its placed frames" in reason
    assert "frame 2: blood in the lumen; frame 4: blood in the lumen" in reason
    without = Pullback(np.arange(COUNT), np.arange(COUNT), drawn)
    assert doubted_contours(registered(), without).verdict == "good"


@pytest.mark.parametrize(
    ("percent", "phase", "noted"),
    [
        (40.0, "diastole", True),
        (75.0, "systole", True),
        (75.0, "diastole", False),
        (40.0, "systole", False),
        (55.0, "diastole", False),
        (None, "diastole", False),
    ],
)
def test_different_phases_of_the_heart_are_noted_where_both_are_known(percent, phase, noted):
    gating = Gating(np.array([0, 5]), 5.0, phase, 0.8, np.zeros(COUNT))
    note = phase_note(percent, gating)
    assert bool(note) == noted
    if noted:
        assert f"({percent:g} % of the beat)" in note
        assert "80%" in note
    assert phase_note(percent, None) == ""
