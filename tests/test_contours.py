import numpy as np
import pytest

from coreg.contours import (
    area_mm2,
    centroid_mm,
    normalised_contour,
    radial_profile,
    radial_profiles,
    resampled_contour,
    signed_area_mm2,
    spline_outline,
)

LONG_MM, SHORT_MM, TILT_RAD = 2.2, 1.3, 0.6
CENTRE_MM = np.array([0.7, -0.4])


def turned(points):
    c, s = np.cos(TILT_RAD), np.sin(TILT_RAD)
    return points @ np.array([[c, s], [-s, c]])


def ellipse(count=720):
    """A tilted ellipse, wound from +x towards +y."""
    t = 2.0 * np.pi * np.arange(count) / count
    return CENTRE_MM + turned(np.column_stack([LONG_MM * np.cos(t), SHORT_MM * np.sin(t)]))


@pytest.mark.parametrize("step", [1, -1])
def test_area_and_centroid_are_those_of_the_ellipse_in_either_winding(step):
    contour = ellipse()[::step]
    # A polygon of 720 corners lies inside by a hundred-thousandth.
    assert area_mm2(contour) == pytest.approx(np.pi * LONG_MM * SHORT_MM, rel=2e-5)
    np.testing.assert_allclose(centroid_mm(contour), CENTRE_MM, atol=1e-9)
    assert np.sign(signed_area_mm2(contour)) == step


@pytest.mark.parametrize("step", [1, -1])
@pytest.mark.parametrize("from_centre_mm", [(0.0, 0.0), (1.5, 0.3), (-0.2, -0.9)])
def test_radial_profile_meets_the_ellipse_also_off_its_centre(step, from_centre_mm):
    start = turned(np.array(from_centre_mm))
    profile = radial_profile(ellipse()[::step], CENTRE_MM + start, 90)
    a = 2.0 * np.pi * np.arange(90) / 90 - TILT_RAD
    u = np.column_stack([np.cos(a), np.sin(a)]) / [LONG_MM, SHORT_MM]
    p = np.array(from_centre_mm) / [LONG_MM, SHORT_MM]
    uu, up = np.einsum("ij,ij->i", u, u), u @ p
    expected = (-up + np.sqrt(up**2 - uu * (p @ p - 1.0))) / uu
    np.testing.assert_allclose(profile, expected, atol=1e-3)


def test_radial_profile_takes_the_farthest_crossing():
    # A C whose arms the ray along +x passes through.
    contour = np.array([[-1, -1], [3, -1], [3, 1], [2.5, 1], [2.5, -0.5], [0.5, -0.5], [0.5, 1], [-1, 1.0]])
    assert radial_profile(contour, np.zeros(2), 4)[0] == pytest.approx(3.0)


def test_radial_profile_hits_corners():
    square = np.array([[1.0, 1], [-1, 1], [-1, -1], [1, -1]])
    np.testing.assert_allclose(radial_profile(square, np.zeros(2), 8), np.tile([1.0, np.sqrt(2)], 4))


def test_radial_profiles_of_many_contours_are_those_of_each():
    star = ellipse() * (1.0 + 0.4 * np.cos(7.0 * np.linspace(0.0, 2.0 * np.pi, len(ellipse()))))[:, None]
    contours = [ellipse(), ellipse()[::7], star, ellipse()[::-1]]
    centres = np.array([CENTRE_MM, CENTRE_MM + 0.2, np.zeros(2), CENTRE_MM])
    together = radial_profiles(contours, centres, 90)
    for profile, contour, centre in zip(together, contours, centres, strict=True):
        np.testing.assert_array_equal(profile, radial_profile(contour, centre, 90))
    assert radial_profiles([], np.empty((0, 2)), 90).shape == (0, 90)


def test_radial_profile_from_outside_has_rays_without_a_crossing():
    square = np.array([[3.0, 1], [2, 1], [2, -1], [3, -1]])
    profile = radial_profile(square, np.zeros(2), 4)
    np.testing.assert_allclose(profile, [3.0, 0.0, 0.0, 0.0])


def test_resampled_contour_has_equal_steps_and_the_same_area():
    contour = resampled_contour(ellipse(), 60)
    steps = np.linalg.norm(np.roll(contour, -1, axis=0) - contour, axis=1)
    assert np.ptp(steps) < 0.002 * steps.mean() + 1e-3
    # Sixty chords of an ellipse lose less than half a percent.
    assert area_mm2(contour) == pytest.approx(np.pi * LONG_MM * SHORT_MM, rel=5e-3)


def test_resampled_contour_does_not_depend_on_the_starting_point():
    contour = ellipse()
    np.testing.assert_allclose(
        resampled_contour(np.roll(contour, 200, axis=0), 60), resampled_contour(contour, 60), atol=1e-9
    )


@pytest.mark.parametrize("step", [1, -1])
def test_normalised_contour_winds_from_x_towards_y_and_drops_repeats(step):
    contour = ellipse(40)[::step]
    closed = np.vstack([contour[:3], contour[2:], contour[:1]])
    clean = normalised_contour(closed)
    assert len(clean) == 40
    assert signed_area_mm2(clean) == pytest.approx(abs(signed_area_mm2(contour)))
    assert not clean.flags.writeable


@pytest.mark.parametrize(
    ("contour", "message"),
    [
        (np.zeros((4, 3)), r"shape \(M, 2\), got \(4, 3\)"),
        ([[0.0, 0], [1, np.inf], [1, 1]], "contour point 1 is not finite"),
        ([[0.0, 0], [1, 0], [1, 0], [0, 0]], "three distinct points, got 2"),
        ([[0.0, 0], [1, 1], [2, 2]], "must enclose an area, got .* from 3 points"),
        ([[1.0, 1]] * 5, "three distinct points, got 0"),
    ],
)
def test_degenerate_contours_say_what_is_wrong(contour, message):
    with pytest.raises(ValueError, match=message):
        normalised_contour(contour)


@pytest.mark.parametrize("step", [1, -1])
def test_a_spline_through_knots_of_an_ellipse_is_that_ellipse_to_fourth_order(step):
    errors = []
    for count in (10, 20, 40):
        outline = spline_outline(ellipse(count)[::step], 4000)
        errors.append(abs(area_mm2(outline) / (np.pi * LONG_MM * SHORT_MM) - 1.0))
    assert errors[0] < 0.005
    # Doubling the knots of a cubic spline divides its error by 16; a polygon's only by 4.
    assert errors[0] / errors[1] > 8.0
    assert errors[1] / errors[2] > 8.0


def test_a_spline_goes_through_its_knots_wherever_they_start_and_whether_the_first_comes_again():
    knots = ellipse(11)
    outlines = [
        spline_outline(each, 3000) for each in (knots, np.roll(knots, 4, axis=0), knots[[*range(11), 0]])
    ]
    for outline in outlines:
        gaps = np.linalg.norm(outline[:, None] - knots, axis=2).min(axis=0)
        # Points of the outline are 4 micrometres apart.
        assert gaps.max() < 0.004
        assert area_mm2(outline) == pytest.approx(area_mm2(outlines[0]), rel=1e-6)


def test_two_knots_are_no_outline():
    with pytest.raises(ValueError, match="needs three distinct points, got 2"):
        spline_outline(np.array([[0.0, 0.0], [1.0, 1.0]]), 100)
