from dataclasses import replace

import numpy as np
import pytest

from coreg.pullback import Pullback
from coreg.registration.observations import observe
from coreg.registration.trust import FrameEvidence, Whole, frame_reasons, judge, sd_of_no_knowledge

FINE = Whole(
    margin=0.8,
    mirror_margin=0.7,
    median_residual_mm=0.15,
    inside_share=1.0,
    trusted_share=0.95,
    turned_share=0.95,
    stretch=1.03,
    twist_deg_per_mm=1.2,
    radius_scale=0.97,
)


def test_a_good_registration_needs_no_reason():
    assert judge(FINE) == ("good", ())


@pytest.mark.parametrize("field", ["margin", "mirror_margin"])
def test_lumens_that_fit_less_well_need_a_clearer_lead(field):
    lead = replace(FINE, **{field: 0.13})
    assert judge(lead) == ("good", ())
    verdict, reasons = judge(replace(lead, median_residual_mm=0.21))
    assert verdict == "review"
    assert "+13% in cost, in lumens 0.21 mm apart" in reasons[0]
    assert judge(replace(FINE, median_residual_mm=0.21)) == ("good", ())


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("margin", 0.05, "Another placement fits nearly as well"),
        ("mirror_margin", 0.05, "does not confirm the viewing direction"),
        ("mirror_margin", -0.3, "mirror image fits better"),
        ("median_residual_mm", 0.45, "differ by 0.45 mm"),
        ("inside_share", 0.5, "50% of the outlined frames"),
        ("trusted_share", 0.5, "50% of the frames in the vessel are reliable"),
        ("turned_share", 0.4, "rotation in only 40%"),
        ("stretch", 1.4, "stretched by 1.40"),
        ("stretch", 0.6, "stretched by 0.60"),
        ("twist_deg_per_mm", 6.0, "6.0 degrees per mm"),
        ("twist_deg_per_mm", -6.0, "-6.0 degrees per mm"),
        ("radius_scale", 1.4, "1.40 times"),
        ("radius_scale", 0.7, "0.70 times"),
    ],
)
def test_each_doubt_asks_for_review_and_says_why(field, value, words):
    verdict, reasons = judge(replace(FINE, **{field: value}))
    assert verdict == "review"
    assert len(reasons) == 1
    assert words in reasons[0]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("median_residual_mm", 0.9, "lumens do not match"),
        ("median_residual_mm", np.inf, "lumens do not match"),
        ("inside_share", 0.0, "None of the outlined frames lies in the CCTA's vessel"),
        ("trusted_share", 0.1, "Only 10% of the frames"),
    ],
)
def test_lumens_that_do_not_match_fail(field, value, words):
    verdict, reasons = judge(replace(FINE, **{field: value}))
    assert verdict == "failed"
    assert words in reasons[0]


def test_all_doubts_are_told():
    _, reasons = judge(replace(FINE, margin=0.01, stretch=1.5, radius_scale=0.5))
    assert len(reasons) == 3


def test_what_may_be_anywhere_has_the_spread_of_all_places_and_angles():
    place, turn = sd_of_no_knowledge(first_mm=5.0, last_mm=65.0)
    assert place == pytest.approx(np.linspace(5.0, 65.0, 20001).std(), rel=1e-3)
    assert np.degrees(turn) == pytest.approx(np.linspace(-180.0, 180.0, 20001).std(), rel=1e-3)


@pytest.fixture
def evidence():
    """Twelve frames 0.5 mm apart, each of them fine."""
    return FrameEvidence(10.0 + 0.5 * np.arange(12), np.full(12, 0.1), np.full(12, 0.05), np.full(12, 0.1))


def reasons_of(evidence, *, missing=(), excluded=None, first_mm=0.0, last_mm=50.0):
    angles = 2.0 * np.pi * np.arange(60) / 60
    circle = 1.5 * np.column_stack([np.cos(angles), np.sin(angles)])
    frame = np.arange(12)[::-1]
    lumen = {int(f): circle for f in frame if f not in missing}
    pullback = Pullback(frame, 0.5 * frame, lumen, excluded=excluded or {})
    seen = observe(pullback, points=24, correlation_mm2=3.0)
    return frame_reasons(pullback, seen, evidence, first_mm=first_mm, last_mm=last_mm)


def test_fine_frames_have_a_pose_and_no_reason(evidence):
    posed, reasons = reasons_of(evidence)
    assert posed.all()
    assert reasons == ("",) * 12


def test_frames_beyond_the_vessel_say_on_which_side(evidence):
    posed, reasons = reasons_of(evidence, first_mm=11.2, last_mm=14.2)
    assert [("before the vessel" in each, "distal end" in each) for each in reasons] == [
        (s < 11.2, s > 14.2) for s in evidence.arc_length_mm
    ]
    # Shortly beyond, the pose still follows from its neighbours.
    assert posed.all()


def test_frames_far_beyond_the_vessel_have_no_pose(evidence):
    posed, _ = reasons_of(evidence, first_mm=14.5, last_mm=50.0)
    assert not posed[0]
    assert posed[-1]


def test_excluded_frames_carry_their_reason(evidence):
    _, reasons = reasons_of(evidence, excluded={4: "stent"})
    # Frame 4 is row 7: rows run proximal to distal.
    assert [i for i, each in enumerate(reasons) if each] == [7]
    assert "stent" in reasons[7]


def test_frames_without_contour_are_interpolated(evidence):
    _, reasons = reasons_of(evidence, missing={0, 1, 2, 3, 4, 5, 9})
    assert "no contour" in reasons[2]
    assert "mm from the nearest" not in reasons[2]
    # Frame 0 lies 3 mm from frame 6.
    assert "3.0 mm from the nearest" in reasons[11]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("residual_mm", 0.9, "lumens differ by 0.9 mm"),
        ("arc_length_sd_mm", 2.0, "place along the vessel is not determined"),
        ("rotation_sd_rad", 0.5, "rotation is not determined"),
    ],
)
def test_vague_frames_say_what_is_vague(evidence, field, value, words):
    changed = getattr(evidence, field).copy()
    changed[3] = value
    posed, reasons = reasons_of(replace(evidence, **{field: changed}))
    assert posed.all()
    assert [i for i, each in enumerate(reasons) if each] == [3]
    assert words in reasons[3]
