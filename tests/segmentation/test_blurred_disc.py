import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import ncx2

from coreg.segmentation.blurred_disc import disc_share

BLUR_MM = 0.42
DISTANCE_MM = np.linspace(0.0, 5.0, 101)
RADIUS_MM = np.array([0.25, 0.5, 0.8, 1.3, 2.0, 3.5])[:, None]


def marcum(distance_mm, radius_mm, blur_mm):
    """A Gaussian point falls within a disc as often as a noncentral chi-squared value is small."""
    return ncx2.cdf((radius_mm / blur_mm) ** 2, 2, (distance_mm / blur_mm) ** 2)


@pytest.mark.parametrize("blur_mm", [0.3, 0.42, 0.6])
def test_share_is_that_of_a_noncentral_chi_squared_distribution(blur_mm):
    share, _ = disc_share(DISTANCE_MM, RADIUS_MM, blur_mm)
    # A thousandth of the contrast is below half a HU.
    np.testing.assert_allclose(share, marcum(DISTANCE_MM, RADIUS_MM, blur_mm), atol=1e-3)


def test_share_is_what_a_blurred_image_of_a_disc_shows():
    pixel_mm, radius_mm = 0.02, 0.8
    at = pixel_mm * np.arange(-150, 151)
    disc = np.clip(0.5 - (np.hypot(at[:, None], at) - radius_mm) / pixel_mm, 0.0, 1.0)
    image = gaussian_filter(disc, BLUR_MM / pixel_mm, truncate=6.0)
    share, _ = disc_share(at[150:], np.array(radius_mm), BLUR_MM)
    np.testing.assert_allclose(share, image[150, 150:], atol=2e-3)


def test_slope_is_the_change_with_the_radius():
    h = 1e-4
    _, slope = disc_share(DISTANCE_MM, RADIUS_MM, BLUR_MM)
    more, less = (marcum(DISTANCE_MM, RADIUS_MM + step, BLUR_MM) for step in (h, -h))
    np.testing.assert_allclose(slope, (more - less) / (2.0 * h), atol=3e-3)


def test_middle_of_a_disc_fades_as_the_gaussian_integral():
    radius = RADIUS_MM.ravel()
    share, _ = disc_share(np.zeros(1), radius, BLUR_MM)
    np.testing.assert_allclose(share, 1.0 - np.exp(-0.5 * (radius / BLUR_MM) ** 2), atol=1e-3)


def test_nothing_is_seen_far_outside_and_all_of_it_deep_inside():
    share, slope = disc_share(np.array([6.0, 60.0, 0.0]), np.array([1.0, 1.0, 8.0]), BLUR_MM)
    np.testing.assert_allclose(share, [0.0, 0.0, 1.0], atol=1e-4)
    np.testing.assert_allclose(slope, 0.0, atol=1e-6)


def test_edge_of_a_large_disc_shows_half_and_of_a_small_one_less():
    share, _ = disc_share(np.array([8.0, 0.4]), np.array([8.0, 0.4]), BLUR_MM)
    assert share[0] == pytest.approx(0.5, abs=0.02)
    assert share[1] < 0.35


def test_share_falls_with_the_distance_and_grows_with_the_radius():
    share, _ = disc_share(DISTANCE_MM, RADIUS_MM, BLUR_MM)
    # Less than the error of the share itself.
    assert np.diff(share, axis=1).max() < 1e-5
    assert np.diff(share, axis=0).min() > -1e-5


def test_only_ratios_to_the_blur_matter():
    share, slope = disc_share(DISTANCE_MM, RADIUS_MM, BLUR_MM)
    twice, twice_slope = disc_share(2.0 * DISTANCE_MM, 2.0 * RADIUS_MM, 2.0 * BLUR_MM)
    np.testing.assert_allclose(twice, share, atol=1e-12)
    np.testing.assert_allclose(2.0 * twice_slope, slope, atol=1e-12)
