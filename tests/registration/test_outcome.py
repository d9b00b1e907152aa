"""What is told of the placements that were compared."""

from dataclasses import replace

import numpy as np
import pytest

from coreg.case import Case
from coreg.centerline import VesselTree
from coreg.registration.outcome import nonrigid_outcome
from coreg.registration.register import solve
from coreg.registration.search import carried_over


@pytest.fixture(scope="module")
def solved(tube):
    images = tube.pullback(np.arange(14.0, 44.0, 0.5))
    return solve(Case("tube", tube.label(), images, VesselTree((tube.centerline(),))), device="cpu")


def test_the_placement_that_became_the_path_is_told_first(solved):
    stages = dict(solved.stages)
    middle, sharp = stages["middle"], stages["sharp"]
    as_it_was = solved.registration.hypotheses
    assert [each.cost for each in as_it_was[:2]] == pytest.approx(middle.cost[:2])
    second = carried_over(middle.coefficients[1:2], middle.model, sharp.model)
    stages["sharp"] = replace(sharp, coefficients=second)
    told = nonrigid_outcome(solved.scene, solved.rigid, stages).hypotheses
    assert told[:2] == (as_it_was[1], as_it_was[0])
    assert told[2:] == as_it_was[2:]


def test_the_other_placement_is_named_by_where_it_lies_from_the_path(solved):
    stages = dict(solved.stages)
    middle = stages["middle"]
    stages["middle"] = replace(middle, cost=middle.cost[0] * np.linspace(1.0, 1.01, len(middle.cost)))
    found = nonrigid_outcome(solved.scene, solved.rigid, stages)
    shift = found.hypotheses[1].arc_length_mm - found.hypotheses[0].arc_length_mm
    way = "distal" if shift > 0.0 else "proximal"
    (reason,) = (each for each in found.reasons if each.startswith("Another placement"))
    assert f"{abs(shift):.1f} mm further {way} at the distal end" in reason
