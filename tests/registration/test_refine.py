import numpy as np
import pytest
import torch

from coreg.registration.observations import observe
from coreg.registration.path_model import PathModel
from coreg.registration.refine import posterior_covariance, refine
from coreg.settings import RegistrationSettings, SurfacePrior

WIDTH_MM = 0.5
START_MM = 14.0


def build(tube, tensors, settings):
    """Every frame lies where a motor of true speed puts it, turned by 50 degrees, off the middle."""
    images = tube.pullback(
        np.arange(START_MM, 40.0, 0.4), turn_rad=np.radians(50.0), catheter=(0.3, -0.2), scale=1.0
    )
    seen = observe(images, points=24, correlation_mm2=3.0)
    return PathModel.build(tensors, seen, settings, knot_spacing_mm=3.0, frames=100, points=24)


@pytest.fixture(scope="module")
def model(tube, tensors):
    return build(tube, tensors, RegistrationSettings())


def starts(model, *, shifts_mm, turns_deg):
    knots = len(model.knots_mm)
    at = model.mean.repeat(len(shifts_mm), 1)
    at[:, :knots] += START_MM + torch.as_tensor(shifts_mm, dtype=torch.float64)[:, None]
    at[:, knots : 2 * knots] += torch.deg2rad(torch.as_tensor(turns_deg, dtype=torch.float64))[:, None]
    return at


def test_cost_never_rises_however_far_the_start(model):
    at = starts(model, shifts_mm=[0.0, 1.0, -3.0, 9.0, 30.0], turns_deg=[50.0, 80.0, 0.0, 200.0, -90.0])
    before = model.cost(at, WIDTH_MM)
    for _ in range(6):
        at, after = refine(model, at, width_mm=WIDTH_MM, iterations=1)
        assert (after <= before).all()
        # What it returns is the cost of what it returns.
        np.testing.assert_allclose(after.numpy(), model.cost(at, WIDTH_MM).detach().numpy(), rtol=1e-9)
        before = after


@pytest.mark.parametrize(("shift", "turn"), [(0.8, 0.0), (-0.8, 15.0), (0.5, -25.0)])
def test_a_displaced_path_returns_to_where_it_was_cut(model, shift, turn):
    at, _ = refine(
        model,
        starts(model, shifts_mm=[shift], turns_deg=[50.0 + turn]),
        width_mm=WIDTH_MM,
        iterations=40,
        tolerance=1e-6,
    )
    # Judged in the world: the axis meanders a little from bump to bump, and its arc length with it.
    origin, column, _ = (each[0].numpy() for each in model.poses(model.functions(at)))
    z = np.arange(START_MM, 40.0, 0.4)
    away = np.linalg.norm(origin - np.column_stack([np.full_like(z, 0.3), np.full_like(z, -0.2), z]), axis=1)
    # The tube's bumps are some millimetres apart; between them the prior holds the path.
    assert away.mean() < 0.1
    turned = np.degrees(np.arctan2(column[:, 1], column[:, 0])) - 50.0
    assert np.abs(turned).mean() < 2.0
    assert abs(float(at[0, -1])) < 0.03


def test_a_batch_gives_what_its_members_give_alone(model):
    shifts, turns = [0.7, -1.5, 4.0], [60.0, 30.0, 170.0]
    together, costs = refine(
        model,
        starts(model, shifts_mm=shifts, turns_deg=turns),
        width_mm=WIDTH_MM,
        iterations=8,
        tolerance=0.0,
    )
    for i, (shift, turn) in enumerate(zip(shifts, turns, strict=True)):
        alone, cost = refine(
            model,
            starts(model, shifts_mm=[shift], turns_deg=[turn]),
            width_mm=WIDTH_MM,
            iterations=8,
            tolerance=0.0,
        )
        np.testing.assert_allclose(together[i].numpy(), alone[0].numpy(), atol=1e-4)
        assert float(costs[i]) == pytest.approx(float(cost[0]), rel=1e-6)


def test_uncertainty_is_a_covariance_and_larger_where_lumens_say_less(tube, tensors, model):
    at, _ = refine(model, starts(model, shifts_mm=[0.3], turns_deg=[50.0]), width_mm=WIDTH_MM, iterations=15)
    blind = build(tube, tensors, RegistrationSettings(surface=SurfacePrior(patch_mm=0.7)))
    measured, vague = (
        posterior_covariance(each, at, width_mm=WIDTH_MM)[0].numpy() for each in (model, blind)
    )
    for covariance in (measured, vague):
        np.testing.assert_allclose(covariance, covariance.T, atol=1e-6 * np.abs(covariance).max())
        assert np.linalg.eigvalsh(0.5 * (covariance + covariance.T)).min() > -1e-9
    assert (np.diag(vague) >= np.diag(measured) * (1.0 - 1e-6)).all()
