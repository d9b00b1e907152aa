import itertools

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from coreg.centerline import Centerline
from coreg.validation import centerline_errors
from coreg.validation.centerline_errors import connections

STEP_MM = 0.03
# A handful of points more or less at an end of a line of a thousand and more.
ENDS = 0.003


def straight(length_mm=40.0, radius_mm=1.5, *, start_mm=0.0, spacing_mm=0.5, offset_mm=0.0):
    """Line along world +x, beside the axis by an offset along +y."""
    x = np.linspace(start_mm, length_mm, round((length_mm - start_mm) / spacing_mm) + 1)
    radius = np.interp(x, [0.0, 40.0], np.broadcast_to(radius_mm, 2))
    return Centerline(np.column_stack([x, np.full_like(x, offset_mm), np.zeros_like(x)]), radius)


def kinked(at_mm, *, rise=4.0):
    """Line along +x that leaves straight along +y at a place."""
    corner = np.arange(0.0, at_mm + 1e-9, 0.01)
    away = np.arange(0.01, 40.0 - at_mm, 0.01) * rise
    x = np.append(corner, np.full_like(away, at_mm))
    return Centerline(np.column_stack([x, np.append(0.0 * corner, away), 0.0 * x]))


def helix(radius_mm):
    angle = np.linspace(0.0, 3.0 * np.pi, 601)
    return np.column_stack([radius_mm * np.cos(angle), radius_mm * np.sin(angle), 3.0 * angle])


def test_a_line_agrees_with_itself():
    line = Centerline(helix(10.0), np.full(601, 1.2))
    errors = centerline_errors(line, line)
    assert errors.overlap == errors.overlap_until_error == errors.overlap_relevant == 1.0
    # Connected with itself before the start's disc only at the first point.
    assert errors.inside_mm < 1e-3


@pytest.mark.parametrize("offset_mm", [0.1, 0.7, -1.4])
def test_a_constant_offset_within_the_radius_is_the_distance_inside(offset_mm):
    errors = centerline_errors(straight(offset_mm=offset_mm), straight())
    assert errors.overlap == errors.overlap_until_error == errors.overlap_relevant == 1.0
    assert errors.inside_mm == pytest.approx(abs(offset_mm), abs=1e-3)


def test_concentric_helices_are_apart_by_the_difference_of_their_radii():
    errors = centerline_errors(Centerline(helix(10.4)), Centerline(helix(10.0), np.full(601, 1.0)))
    assert errors.overlap == 1.0
    # Points differ in length of step, so connections are a little aslant.
    assert errors.inside_mm == pytest.approx(0.4, abs=0.005)


def test_an_offset_beyond_the_radius_is_no_overlap():
    errors = centerline_errors(straight(offset_mm=1.6), straight())
    assert errors.overlap == errors.overlap_until_error == errors.overlap_relevant == 0.0
    assert np.isnan(errors.inside_mm)


def test_a_line_that_leaves_half_way_is_wrong_from_there_on_both_lines():
    # 20 mm of each are the same; beyond, points as far from the corner are connected, at right angles,
    # so that they are right up to a radius of 1.5 mm over the square root of two.
    same = centerline_errors(kinked(20.0, rise=1.0), straight())
    right_mm = 20.0 + 1.5 / np.sqrt(2.0)
    assert same.overlap == pytest.approx(right_mm / 40.0, abs=ENDS)
    assert same.overlap_until_error == pytest.approx(right_mm / 40.0, abs=ENDS)
    # Of 60 mm that leave, the first 40 are connected with the corner, whence they are farthest least.
    longer = centerline_errors(kinked(20.0, rise=3.0), straight())
    assert longer.overlap == pytest.approx((20.0 + 21.5) / (40.0 + 80.0), abs=ENDS)
    assert longer.overlap_until_error == pytest.approx(20.0 / 40.0, abs=ENDS)


def test_a_detour_ends_the_stretch_before_the_first_error_but_not_the_overlap():
    x = np.arange(0.0, 40.001, 0.01)
    bump = np.where((x >= 10.0) & (x <= 14.0), 1e9, 0.0)
    y = np.minimum(bump, 3.0)
    errors = centerline_errors(Centerline(np.column_stack([x, y, 0.0 * x])), straight())
    # The steps are right up to 1.5 mm: the reference is wrong from 10 + 1.5 to 14 - 1.5 mm or over less
    # than the bump's 4 mm, the found line over 4 mm and two rises of 1.5 mm.
    assert 10.0 / 40.0 - ENDS <= errors.overlap_until_error <= 11.5 / 40.0 + ENDS
    assert 1.0 - 11.0 / 86.0 - ENDS <= errors.overlap <= 1.0 - 8.0 / 86.0 + ENDS


def test_errors_of_the_first_five_millimetres_end_nothing_but_count():
    x = np.arange(0.0, 40.001, 0.01)
    for last_mm, until in ((4.9, 1.0 - 4.9 / 40.0), (5.3, 0.0)):
        y = np.where(x <= last_mm, 3.0, 0.0)
        errors = centerline_errors(Centerline(np.column_stack([x, y, 0.0 * x])), straight())
        # The corner's connections to the return are short within a radius of it.
        assert errors.overlap_until_error == pytest.approx(until, abs=1.6 / 40.0)


@pytest.mark.parametrize("length_mm", [10.0, 33.0])
def test_a_shorter_line_misses_the_rest_of_the_reference(length_mm):
    errors = centerline_errors(straight(length_mm), straight())
    # Points of the reference within a radius of the line's end are right too.
    assert errors.overlap == pytest.approx((2.0 * length_mm + 1.5) / (length_mm + 40.0), abs=ENDS)
    assert errors.overlap_until_error == pytest.approx((length_mm + 1.5) / 40.0, abs=ENDS)


def test_a_line_that_goes_on_beyond_the_reference_is_wrong_there():
    errors = centerline_errors(straight(60.0), straight())
    assert errors.overlap == pytest.approx((40.0 + 41.5) / 100.0, abs=ENDS)
    assert errors.overlap_until_error == 1.0
    # The last of the reference is relevant, so all that is connected to it counts.
    assert errors.overlap_relevant == pytest.approx(errors.overlap)


def test_what_lies_before_the_start_of_the_reference_is_left_out():
    whole = straight(start_mm=-15.0, offset_mm=2.0)
    # Crosses the disc of twice the radius, 3 mm, though no point of it is within the radius.
    assert centerline_errors(whole, straight()).overlap == 0.0
    near = straight(start_mm=-15.0, offset_mm=0.5)
    errors = centerline_errors(near, straight())
    assert errors.overlap == 1.0
    assert errors.inside_mm == pytest.approx(0.5, abs=1e-3)


def test_only_the_stretch_up_to_the_last_wide_point_is_relevant():
    # The radius falls from 1.5 to 0.5 mm and passes 0.75 mm at 30 mm.
    reference = straight(radius_mm=(1.5, 0.5))
    errors = centerline_errors(straight(30.0), reference)
    assert errors.overlap_relevant == 1.0
    assert errors.overlap == pytest.approx((30.0 + 30.75) / 70.0, abs=0.01)
    half = centerline_errors(straight(15.0), reference)
    # 15 mm found; of the reference's 30 mm 15 and the radius beyond, r = 1.5 - (15 + r) / 40.
    reach = (1.5 - 15.0 / 40.0) / (1.0 + 1.0 / 40.0)
    assert half.overlap_relevant == pytest.approx((15.0 + 15.0 + reach) / 45.0, abs=ENDS)


def test_a_narrow_reference_has_no_relevant_stretch():
    errors = centerline_errors(straight(), straight(radius_mm=0.6))
    assert errors.overlap == 1.0
    assert np.isnan(errors.overlap_relevant)


def test_the_sampling_of_either_line_does_not_matter():
    fine = centerline_errors(straight(spacing_mm=0.04, offset_mm=0.3), straight(spacing_mm=2.0))
    coarse = centerline_errors(straight(spacing_mm=4.0, offset_mm=0.3), straight(spacing_mm=0.05))
    assert fine.overlap == coarse.overlap == 1.0
    assert fine.inside_mm == pytest.approx(coarse.inside_mm, abs=1e-3)
    rough = centerline_errors(straight(33.0), straight(), step_mm=0.1)
    assert rough.overlap == pytest.approx(centerline_errors(straight(33.0), straight()).overlap, abs=0.01)


def test_connections_have_the_least_sum_of_all_orders():
    rng = np.random.default_rng(0)
    for _ in range(5):
        a, b = np.cumsum(rng.standard_normal((5, 3)), axis=0), np.cumsum(rng.standard_normal((4, 3)), axis=0)
        gaps = cdist(a, b)

        def least(i, j, gaps=gaps):
            before = [(i - 1, j), (i, j - 1), (i - 1, j - 1)]
            rest = [least(*each) for each in before if min(each) >= 0]
            return gaps[i, j] + (min(rest) if rest else 0.0)

        first, second = connections(a, b)
        assert gaps[first, second].sum() == pytest.approx(least(4, 3))
        assert (first[0], second[0], first[-1], second[-1]) == (0, 0, 4, 3)
        steps = {(int(i), int(j)) for i, j in zip(np.diff(first), np.diff(second), strict=True)}
        assert steps <= set(itertools.product((0, 1), (0, 1))) - {(0, 0)}


def test_a_line_that_runs_the_other_way_is_refused():
    backwards = Centerline(straight().points_mm[::-1])
    with pytest.raises(ValueError, match=r"runs the other way: .* 80.0 mm .* and 0.0 mm in reverse"):
        centerline_errors(backwards, straight())


def test_a_reference_without_radius_and_a_step_of_nothing_are_refused():
    with pytest.raises(ValueError, match="reference centerline needs a radius, got none"):
        centerline_errors(straight(), Centerline(straight().points_mm))
    with pytest.raises(ValueError, match="step_mm must be positive, got 0"):
        centerline_errors(straight(), straight(), step_mm=0.0)
