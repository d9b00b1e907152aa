"""Paths of several cases as one batch: every row is as it is alone."""

import numpy as np
import pytest
import torch

from coreg.registration.observations import observe
from coreg.registration.path_model import PathModel, VesselTensors
from coreg.registration.refine import posterior_covariance, refine
from coreg.registration.stacked import Stack
from coreg.settings import RegistrationSettings, SurfacePrior

WIDTH_MM = 0.5
# First place, length and spacing of the frames, spacing of the knots, mm; how far surfaces may differ, mm.
CASES = ((14.0, 26.0, 0.4, 3.0, 0.1), (20.0, 12.0, 0.5, 2.0, 0.15), (10.0, 40.0, 0.8, 4.0, 0.1))
ROWS = (2, 3, 1)


def model_of(tube, tensors, case, *, points=24):
    start, length, step, knots, patch_mm = case
    seen = observe(tube.pullback(np.arange(start, start + length, step)), points=points, correlation_mm2=3.0)
    settings = RegistrationSettings(surface=SurfacePrior(patch_mm=patch_mm))
    return PathModel.build(tensors, seen, settings, knot_spacing_mm=knots, frames=100, points=points)


@pytest.fixture(scope="module")
def models(tube, tensors):
    return [model_of(tube, tensors, case) for case in CASES]


@pytest.fixture(scope="module")
def stack(models):
    return Stack.of(models, ROWS)


def near(models, *, size):
    """Coefficients of each case's rows, near where its frames lie."""
    rng = np.random.default_rng(0)
    out = []
    for model, rows, (start, *_) in zip(models, ROWS, CASES, strict=True):
        at = model.mean + torch.as_tensor(size * rng.standard_normal((rows, len(model.mean))))
        at[:, : len(model.knots_mm)] += start
        out.append(at)
    return out


def test_coefficients_that_are_joined_come_back_when_parted(models, stack):
    own = near(models, size=0.3)
    for there, here in zip(stack.parted(stack.joined(own)), own, strict=True):
        np.testing.assert_array_equal(there.numpy(), here.numpy())


def test_each_row_lies_in_its_own_vessel(tube):
    # Linear between voxels, so that sampling is exact; the second vessel is longer before the first station.
    first = VesselTensors.on(tube.vessel_with(lambda at: 0.5 * at[:, 0] + 0.01 * at[:, 2]), tube.cpu)
    second = VesselTensors.on(tube.vessel_with(lambda at: 1.0 - 0.2 * at[:, 1], spacing_mm=0.5), tube.cpu)
    models = [model_of(tube, vessel, case) for vessel, case in zip((first, second), CASES, strict=False)]
    vessel = Stack.of(models, (1, 2)).model.vessel
    world = np.random.default_rng(1).uniform([-4.0, -4.0, 0.0], [4.0, 4.0, 60.0], (3, 5, 7, 3))
    x, y, z = np.moveaxis(world, -1, 0)
    expected = np.where(np.arange(3)[:, None, None] == 0, 0.5 * x + 0.01 * z, 1.0 - 0.2 * y)
    # Distances are float32.
    np.testing.assert_allclose(vessel.distance_at(torch.as_tensor(world)).numpy(), expected, atol=1e-5)


def test_each_row_follows_its_own_axis(tube, tensors, vessel):
    other = VesselTensors.on(tube.vessel_with(lambda at: at[:, 0]), tube.cpu)
    models = [model_of(tube, each, CASES[0]) for each in (tensors, other)]
    s = torch.tensor([-3.0, 0.1, 31.7, 57.2, 66.0], dtype=torch.float64).repeat(2, 1)
    point, normal, _, tangent = Stack.of(models, (1, 1)).model.vessel.at(s)
    # The second is the z axis itself, and both go straight on beyond their ends.
    np.testing.assert_allclose(point[1, :, 2].numpy(), s[1].numpy(), atol=1e-9)
    np.testing.assert_allclose(tangent[1].numpy(), np.tile([0.0, 0.0, 1.0], (5, 1)), atol=1e-9)
    np.testing.assert_allclose(normal[1].numpy(), np.tile([1.0, 0.0, 0.0], (5, 1)), atol=1e-9)
    inside = slice(1, 4)
    for axis in range(3):
        expected = np.interp(s[0, inside], vessel.arc_length_mm, vessel.points_mm[:, axis])
        np.testing.assert_allclose(point[0, inside, axis].numpy(), expected, atol=1e-9)


def test_rows_have_the_cost_gradient_and_uncertainty_that_they_have_alone(models, stack):
    own = near(models, size=0.1)
    joined = stack.joined(own).requires_grad_(True)
    cost = stack.model.cost(joined, WIDTH_MM)
    (gradient,) = torch.autograd.grad(cost.sum(), joined)
    covariance = posterior_covariance(stack.model, joined.detach(), width_mm=WIDTH_MM)
    parts = zip(cost.split(ROWS), stack.parted(gradient), covariance.split(ROWS), stack.slots, strict=True)
    for model, at, (own_cost, own_gradient, spread, slot) in zip(models, own, parts, strict=True):
        at.requires_grad_(True)
        alone = model.cost(at, WIDTH_MM)
        (expected,) = torch.autograd.grad(alone.sum(), at)
        np.testing.assert_allclose(own_cost.detach(), alone.detach(), rtol=1e-9)
        np.testing.assert_allclose(own_gradient, expected, atol=1e-9 * float(expected.abs().max()))
        there = spread[:, slot][:, :, slot]
        here = posterior_covariance(model, at.detach(), width_mm=WIDTH_MM)
        np.testing.assert_allclose(there, here, atol=1e-8 * float(here.abs().max()))


@pytest.mark.parametrize("tolerance", [0.005, 5.0, 200.0])
def test_each_case_takes_the_steps_that_it_takes_alone(models, stack, tolerance):
    # Cases stop at different times: the first starts at its minimum, the others are some way off.
    own = near(models, size=0.2)
    how = {"width_mm": WIDTH_MM, "iterations": 12, "tolerance": tolerance}
    own[0], _ = refine(models[0], own[0], width_mm=WIDTH_MM, iterations=40, tolerance=0.0)
    found, cost = refine(stack.model, stack.joined(own), **how)
    for model, at, there, there_cost in zip(models, own, stack.parted(found), cost.split(ROWS), strict=True):
        here, here_cost = refine(model, at, **how)
        np.testing.assert_allclose(there, here, atol=1e-6)
        np.testing.assert_allclose(there_cost, here_cost, rtol=1e-7)


def test_models_of_different_levels_cannot_be_stacked(tube, tensors, models):
    with pytest.raises(ValueError, match=r"models look at \[12, 24\] points a frame"):
        Stack.of([models[0], model_of(tube, tensors, CASES[0], points=12)], (1, 1))


def test_a_stack_cannot_be_stacked_again(models, stack):
    with pytest.raises(ValueError, match=r"cannot be stacked again"):
        Stack.of([models[0], stack.model], (1, 1))
