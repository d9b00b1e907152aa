"""The last stage, against where a tube with bumps was cut by a catheter that swings."""

from dataclasses import replace

import numpy as np
import pytest

from coreg.case import Case
from coreg.centerline import VesselTree
from coreg.registration.register import solve
from coreg.registration.search import SHARP_TRUST

START_MM, STEP_MM = 12.0, 0.25


@pytest.fixture(scope="module")
def even_mm():
    """Places where a steady catheter would have been."""
    return START_MM + np.arange(0.0, 36.0, STEP_MM)


@pytest.fixture(scope="module")
def true_mm(even_mm):
    """Places along the tube, of a catheter that goes to and fro by 0.8 mm."""
    return even_mm + 0.4 * np.sin(2.0 * np.pi * even_mm / 9.0)


@pytest.fixture(scope="module")
def solved(tube, even_mm, true_mm):
    images = tube.pullback(true_mm, turn_rad=0.15 * np.sin(0.3 * true_mm))
    images = replace(images, position_mm=even_mm.max() - even_mm)
    return solve(Case("swung", tube.label(), images, VesselTree((tube.centerline(),))), device="cpu")


def errors(solved, stage, true_mm):
    """Distance along the tube and angle (degrees) of a stage's best path from the truth, each (N,)."""
    depth = solved.scene.seen.depth_mm
    place, turn = solved.stages[stage].functions_at(depth)[0][:2]
    true = np.sort(true_mm)[: len(depth)]
    off = np.degrees(turn - 0.15 * np.sin(0.3 * true))
    return np.abs(place - true), np.abs(off - np.median(off))


def test_the_last_stage_ends_nearer_to_the_truth_than_the_one_before(solved, true_mm):
    fine, sharp = (errors(solved, stage, true_mm) for stage in ("fine", "sharp"))
    assert sharp[0].mean() < 0.95 * fine[0].mean()
    assert sharp[1].mean() < fine[1].mean()


def test_the_result_is_the_last_stage_and_its_cost_is_not_set_beside_the_others(solved):
    fine, sharp = solved.stages["fine"], solved.stages["sharp"]
    assert solved.registration.radius_scale == pytest.approx(np.exp(sharp.log_scale[0]))
    np.testing.assert_allclose(sharp.model.patches, SHARP_TRUST * fine.model.patches)
    assert "fine" in solved.registration.costs
    assert "sharp" not in solved.registration.costs
