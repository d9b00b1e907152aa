"""A vessel of circles and an ellipse, whose areas are known."""

import dataclasses

import numpy as np
import pytest

from coreg.pullback_measures import (
    PullbackMeasures,
    areas_mm2,
    counted_frames,
    gated_frames,
    measures_of,
    plaque_burdens,
)
from coreg.pullback_vessel import Gating, PullbackVessel

ANGLES = 128
RADIUS_MM = np.array([1.5, 1.0, 1.2, 2.0])


def vessel(**changes):
    lumen = np.repeat(RADIUS_MM[:, None], ANGLES, axis=1)
    made = PullbackVessel(
        lumen_mm=lumen,
        wall_mm=lumen,
        eem_mm=lumen * np.sqrt(2.0),
        state=np.zeros_like(lumen),
        eem_seen=np.ones_like(lumen, dtype=bool),
        quality=np.ones(4),
        reason=("",) * 4,
        field_of_view_mm=5.0,
    )
    return dataclasses.replace(made, **changes)


def test_the_area_of_an_ellipse_about_an_inner_point_is_pi_a_b():
    angle = 2.0 * np.pi * np.arange(ANGLES) / ANGLES
    # x = r cos, y = r sin on ((x + 0.5) / 2)^2 + y^2 = 1, solved for r.
    a, b = np.cos(angle) ** 2 / 4.0 + np.sin(angle) ** 2, 0.125 * np.cos(angle)
    distance = (-b + np.sqrt(b**2 - a * (0.0625 - 1.0))) / a
    assert areas_mm2(distance[None])[0] == pytest.approx(2.0 * np.pi, rel=2e-3)


def test_numbers_are_those_of_the_circles():
    found = measures_of(vessel())
    areas = np.pi * RADIUS_MM**2
    assert found.frames == 4
    assert found.lumen_area_mm2 == pytest.approx(areas.mean(), rel=1e-3)
    assert found.lumen_diameter_mm == pytest.approx(2.0 * RADIUS_MM.mean(), rel=1e-3)
    assert (found.smallest_frame, found.smallest_area_mm2) == (1, pytest.approx(np.pi, rel=1e-3))
    # The membrane has twice the area.
    assert found.plaque_burden == pytest.approx(0.5)
    assert found.eem_area_mm2 == pytest.approx(2.0 * areas.mean(), rel=1e-3)


def test_marked_frames_are_left_out():
    found = measures_of(vessel(reason=("", "blood in the lumen", "", "")))
    assert (found.frames, found.smallest_frame) == (3, 2)
    assert measures_of(vessel(reason=("blood",) * 4)) == PullbackMeasures(0)


def test_a_smaller_lumen_in_a_marked_frame_is_named_unless_it_is_excluded():
    found = measures_of(vessel(reason=("", "blood in the lumen", "", "")))
    assert (found.doubtful_frame, found.doubtful_area_mm2) == (1, pytest.approx(np.pi, rel=1e-3))
    excluded = vessel(reason=("", "excluded: stent", "", ""), quality=np.array([1.0, 0.0, 1.0, 1.0]))
    assert measures_of(excluded).doubtful_frame is None
    assert measures_of(vessel(reason=("blood in the lumen", "", "", ""))).doubtful_frame is None


def test_of_a_gated_pullback_one_frame_per_beat_counts():
    gating = Gating(np.array([0, 3]), 3.0, "diastole", 0.8, np.zeros(4))
    gated = vessel(gating=gating, reason=("", "", "", "blood"))
    np.testing.assert_array_equal(gated_frames(gated), [True, False, False, True])
    np.testing.assert_array_equal(counted_frames(gated), [True, False, False, False])
    assert measures_of(gated).smallest_frame == 0


def test_a_membrane_that_is_hidden_over_most_of_the_circle_tells_no_burden():
    seen = np.ones((4, ANGLES), dtype=bool)
    seen[2, : ANGLES * 6 // 10] = False
    burden = plaque_burdens(vessel(eem_seen=seen))
    np.testing.assert_array_equal(np.isnan(burden), [False, False, True, False])


def test_without_a_membrane_there_is_no_burden():
    bare = vessel(eem_mm=None, eem_seen=None)
    assert np.isnan(plaque_burdens(bare)).all()
    assert measures_of(bare).plaque_burden is None
