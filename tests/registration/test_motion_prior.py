from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import BSpline

from coreg.registration.motion_prior import motion_precision, spline_basis, spline_knots
from coreg.settings import MotionPrior, SurfacePrior

DEPTH = np.linspace(0.0, 23.0, 180)


@settings(deadline=None, max_examples=25)
@given(st.floats(3.0, 80.0), st.floats(0.5, 6.0), st.floats(-5.0, 40.0))
def test_splines_add_up_to_one_wherever_there_are_frames(length_mm, spacing_mm, start_mm):
    depth = start_mm + np.linspace(0.0, length_mm, 57)
    knots = spline_knots(depth, spacing_mm)
    assert np.diff(knots).max() <= spacing_mm + 1e-9
    np.testing.assert_allclose(spline_basis(depth, knots).sum(axis=1), 1.0, atol=1e-9)


def test_coefficients_on_a_straight_line_give_that_line():
    knots = spline_knots(DEPTH, 2.0)
    np.testing.assert_allclose(spline_basis(DEPTH, knots) @ (3.0 - 0.7 * knots), 3.0 - 0.7 * DEPTH, atol=1e-9)


def test_the_basis_is_that_of_scipy():
    knots = spline_knots(DEPTH, 1.5)
    width = knots[1] - knots[0]
    # A cubic B-spline reaches two knots to either side of its centre.
    scipy_knots = knots[0] + width * np.arange(-2, len(knots) + 2)
    inner = np.clip(DEPTH, knots[1], knots[-2] - 1e-9)
    expected = BSpline.design_matrix(inner, scipy_knots, 3).toarray()
    np.testing.assert_allclose(spline_basis(inner, knots), expected, atol=1e-7)


def test_the_precision_is_symmetric_and_positive_definite():
    precision = motion_precision(spline_knots(DEPTH, 1.0), MotionPrior(), SurfacePrior())
    assert precision.shape[0] == 5
    for block in precision:
        np.testing.assert_allclose(block, block.T, rtol=1e-5, atol=1e-5 * np.abs(block).max())
        assert np.linalg.eigvalsh(0.5 * (block + block.T)).min() > 0.0


def direct_covariance(knots, free, slope_sd, smooth, rough):
    """Entry by entry, as the formulas of a Gaussian process are written in books."""
    centre = knots.mean()
    out = np.empty((len(knots), len(knots)))
    for i, a in enumerate(knots):
        for j, b in enumerate(knots):
            gap = abs(a - b)
            value = free**2 + slope_sd**2 * (a - centre) * (b - centre)
            for sd, length in smooth:
                value += sd**2 * np.exp(-(gap**2) / (2.0 * length**2))
            for sd, length in rough:
                t = np.sqrt(3.0) * gap / length
                value += sd**2 * (1.0 + t) * np.exp(-t)
            out[i, j] = value
    return out


def test_differences_of_the_functions_have_the_covariance_that_the_settings_state():
    prior = replace(MotionPrior(), slow_mm=0.7, swing_mm=0.5)
    surface = SurfacePrior(radius_mm=0.3)
    knots = spline_knots(DEPTH, 3.0)
    precision = motion_precision(knots, prior, surface)
    slow, fast = prior.slow_length_mm, prior.swing_length_mm
    expected = (
        # The constant of the first two is free: only differences between knots are believed anything of.
        direct_covariance(knots, 0.0, prior.stretch_sd, [(prior.slow_mm, slow)], [(prior.swing_mm, fast)]),
        direct_covariance(
            knots, 0.0, prior.drift_rad_per_mm, [(prior.slow_rad, slow)], [(prior.beat_rad, fast)]
        ),
        direct_covariance(knots, 0.0, 0.0, [], [(prior.offset_mm, prior.offset_length_mm)]),
        direct_covariance(knots, 0.0, 0.0, [], [(prior.offset_mm, prior.offset_length_mm)]),
        direct_covariance(knots, 0.0, 0.0, [], [(surface.radius_mm, surface.radius_length_mm)]),
    )
    differences = np.diff(np.eye(len(knots)), axis=0)
    for block, covariance in zip(precision, expected, strict=True):
        found = differences @ np.linalg.inv(block) @ differences.T
        # 1e-5 mm2 on the diagonal keeps the inverse well conditioned.
        np.testing.assert_allclose(found, differences @ covariance @ differences.T, atol=1e-4)


def test_a_shift_of_the_whole_pullback_costs_next_to_nothing():
    precision = motion_precision(spline_knots(DEPTH, 2.0), MotionPrior(), SurfacePrior())
    shift = np.full(precision.shape[1], 30.0)
    assert shift @ precision[0] @ shift < 0.01
    quarter = np.full(precision.shape[1], np.pi / 2.0)
    assert quarter @ precision[1] @ quarter < 0.01


@pytest.mark.parametrize("name", ["swing_mm", "slow_mm", "stretch_sd"])
def test_more_motion_believed_makes_motion_cheaper(name):
    knots = spline_knots(DEPTH, 1.0)
    wave = 0.4 * np.sin(knots) + 0.02 * knots
    costs = [
        wave @ motion_precision(knots, replace(MotionPrior(), **{name: value}), SurfacePrior())[0] @ wave
        for value in (0.1, 1.0)
    ]
    assert costs[1] < costs[0]
