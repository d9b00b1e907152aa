"""What is said of guides that do not fit, on a straight path of known poses."""

from dataclasses import replace

import numpy as np
import pytest

from coreg.catheter_path import VirtualCatheterPath
from coreg.centerline import Centerline
from coreg.landmarks import Landmark
from coreg.pullback import Pullback
from coreg.registration.conflicts import with_conflicts
from coreg.registration.guides import guides_of
from coreg.registration.observations import observe
from coreg.result import Registration

COUNT, STEP_MM = 60, 0.5


def registration(*, reliable=True, verdict="good"):
    """Frame 59 lies at z = 0, frame 0 at z = 29.5; columns along +x, rows along +y."""
    frame = np.arange(COUNT)[::-1]
    z = STEP_MM * np.arange(COUNT)
    zero, one = np.zeros(COUNT), np.ones(COUNT)
    path = VirtualCatheterPath(
        frame,
        z[-1] - z,
        z,
        zero,
        np.column_stack([zero, zero, z]),
        np.column_stack([one, zero, zero]),
        np.column_stack([zero, one, zero]),
        np.full(COUNT, reliable),
        ("" if reliable else "the lumen is round here",) * COUNT,
    )
    line = Centerline(np.column_stack([zero, zero, z]))
    return Registration(path, path, line, verdict, (), 1.0, 1.0, (), {}, zero)


def mark(name, frame, *, off_mm=0.0, off_deg=0.0, **extra):
    """A point 2 mm from the catheter, at 30 degrees, in the frame it was annotated in but for errors."""
    angle = np.radians(30.0 + off_deg)
    z = STEP_MM * (COUNT - 1 - frame) + off_mm
    point = np.array([2.0 * np.cos(angle), 2.0 * np.sin(angle), z])
    return Landmark(name, "branch", frame, np.radians(30.0), point, 2.0, **extra)


@pytest.fixture(scope="module")
def images():
    angles = 2.0 * np.pi * np.arange(60) / 60
    contour = 2.0 * np.column_stack([np.cos(angles), np.sin(angles)])
    return Pullback(np.arange(COUNT), STEP_MM * np.arange(COUNT), dict.fromkeys(range(COUNT), contour))


def told(images, marks, *, before=(), **how):
    guides = guides_of(marks, images, observe(images, points=24, correlation_mm2=3.0))
    return with_conflicts(replace(registration(**how), reasons=before), marks, guides)


def test_guides_that_fit_change_nothing(images):
    result = told(images, [mark("A", 20.0, off_mm=1.2, off_deg=-20.0), mark("B", 40.5)])
    assert result.verdict == "good"
    assert result.reasons == ()


@pytest.mark.parametrize(("off_mm", "way"), [(4.0, "distal"), (-4.0, "proximal")])
def test_a_guide_far_along_the_vessel_is_named_with_what_speaks_against_it(images, off_mm, way):
    result = told(images, [mark("A", 20.0, off_mm=off_mm), mark("B", 40.0)])
    assert result.verdict == "review"
    assert result.reasons == (
        f"The landmark A does not fit: its point in the CCTA lies 4.0 mm further {way} than frame 20, in "
        "which it was annotated. The lumens around it and the landmark B speak against it; check the pair.",
    )


def test_a_guide_that_is_turned_alone_says_so(images):
    (reason,) = told(images, [mark("A", 20.0, off_deg=70.0)], reliable=False).reasons
    assert reason == (
        "The landmark A does not fit: its direction differs by 70 degrees. Only the pullback's usual motion "
        "speaks against it; check the pair."
    )


def test_one_other_landmark_speaks_and_a_locked_one_is_called_so(images):
    marks = [mark("A", 20.0, off_mm=4.0, locked=True), mark("B", 40.0)]
    (reason,) = told(images, marks, reliable=False).reasons
    assert reason.startswith("The locked landmark A does not fit")
    assert "The landmark B speaks against it" in reason


def test_a_point_that_no_frame_comes_near_is_a_conflict(images):
    (reason,) = told(images, [mark("A", 20.0, off_mm=60.0)]).reasons
    assert "A does not fit: no frame's plane passes within 8 mm of its point in the CCTA" in reason


def test_a_reader_who_is_not_sure_is_not_contradicted(images):
    # 3 standard deviations of 4 frames of half a millimetre are 6 mm.
    assert told(images, [mark("A", 20.0, off_mm=4.0, sd_frames=4.0)]).verdict == "good"


def test_conflicts_come_before_what_may_follow_from_them(images):
    result = told(images, [mark("A", 20.0, off_mm=5.0)], before=("The lumens differ.",), verdict="review")
    assert result.reasons[0].startswith("The landmark A does not fit")
    assert result.reasons[1:] == ("The lumens differ.",)


def test_a_failed_registration_stays_failed(images):
    assert told(images, [mark("A", 20.0, off_mm=4.0)], verdict="failed").verdict == "failed"
