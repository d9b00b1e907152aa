import numpy as np
import pytest

from coreg.centerline import Centerline
from coreg.segmentation.lumen_fit import Layout, fit_sections, start_from
from coreg.segmentation.rays import ANGLES, SmoothImage

LEVEL_HU = 400.0
ANGLE = 2.0 * np.pi * np.arange(ANGLES) / ANGLES
LAYOUT = Layout(ANGLE)


def started(count, radius_mm=1.2):
    table = np.ones((count, ANGLES))
    return start_from(
        LAYOUT,
        radius_mm=radius_mm * table,
        thickness_mm=0.8 * table,
        level_hu=np.full(count, LEVEL_HU),
        wall_hu=65.0 * table,
    )


def fitted(rays, *, weights=None, blur_mm, start_mm=1.2):
    return fit_sections(
        rays,
        np.ones_like(rays.values_hu) if weights is None else weights,
        started(len(rays.values_hu), start_mm),
        np.full(len(rays.values_hu), LEVEL_HU),
        calcium=np.zeros(rays.values_hu.shape[:2], dtype=bool),
        blur_mm=blur_mm,
    )


def mean_radius(fit):
    return np.sqrt((LAYOUT.series(fit.coefficients, "radius") ** 2).mean(axis=1))


@pytest.fixture(scope="module")
def rays_through(scenes):
    """Rays along the true axis of a straight vessel of a radius and a noise."""

    def make(radius_mm, noise_hu=20.0):
        points = scenes.curve([0.0, 0.0, 0.0], [0.0, 0.0, 18.0])
        wall, blood = scenes.artery(points, radius_mm)
        # The axis lies beside the voxels' centres, and the vessel goes on beyond both faces.
        image = scenes.scan(
            wall + blood, [-6.1, -6.2, 1], [6, 6, 17], spacing_mm=(0.4,) * 3, noise_hu=noise_hu
        )
        line = Centerline(points[40:-40]).resampled(spacing_mm=0.5)
        return SmoothImage(image, points).rays(line)

    return make


def test_coefficients_give_back_the_series_they_were_made_of():
    radius = 1.5 + 0.3 * np.cos(ANGLE) - 0.1 * np.sin(3.0 * ANGLE) + np.array([[0.0], [0.2]])
    thickness = 0.8 + 0.2 * np.cos(2.0 * ANGLE) + np.zeros((2, 1))
    wall = np.full((2, ANGLES), 65.0)
    x = start_from(
        LAYOUT, radius_mm=radius, thickness_mm=thickness, level_hu=np.array([400.0, 380.0]), wall_hu=wall
    )
    np.testing.assert_allclose(LAYOUT.series(x, "radius"), radius, atol=1e-9)
    np.testing.assert_allclose(LAYOUT.series(x, "thickness"), thickness, atol=1e-9)
    np.testing.assert_allclose(LAYOUT.series(x, "wall"), wall, atol=1e-9)
    np.testing.assert_allclose(LAYOUT.series(x, "lumen")[:, 0], [400.0, 380.0])


@pytest.mark.parametrize("start_mm", [0.8, 2.2])
def test_answer_does_not_depend_on_the_start(rays_through, scenes, start_mm):
    rays = rays_through(1.4)
    near = fitted(rays, blur_mm=scenes.blur_mm, start_mm=1.4)
    far = fitted(rays, blur_mm=scenes.blur_mm, start_mm=start_mm)
    np.testing.assert_allclose(mean_radius(far), mean_radius(near), atol=0.02)


@pytest.mark.parametrize("radius_mm", [0.7, 1.1, 1.8])
def test_lumen_of_a_round_vessel_has_its_radius_and_brightness(rays_through, scenes, radius_mm):
    fit = fitted(rays_through(radius_mm), blur_mm=scenes.blur_mm)
    assert mean_radius(fit).mean() == pytest.approx(radius_mm, abs=0.05)
    # Less is known of the blood of a vessel that the blur makes faint.
    lumen = LAYOUT.series(fit.coefficients, "lumen").mean()
    assert lumen == pytest.approx(scenes.blood_hu, rel=0.05 if radius_mm > 1.0 else 0.15)
    assert LAYOUT.series(fit.coefficients, "outside").mean() == pytest.approx(scenes.fat_hu, abs=20.0)


def test_stated_deviation_is_that_of_the_found_radius(rays_through, scenes):
    fit = fitted(rays_through(1.4), blur_mm=scenes.blur_mm)
    error = mean_radius(fit) - 1.4
    # Chi-squared of some ten independent sections.
    assert 0.3 < np.sqrt(((error / fit.radius_sd_mm) ** 2).mean()) < 2.0


def test_noise_is_that_of_the_image(rays_through, scenes):
    noise = [fitted(rays_through(1.4, each), blur_mm=scenes.blur_mm).noise_hu for each in (15.0, 30.0)]
    # Voxels are interpolated, which takes some of the noise.
    assert 0.65 * 15.0 < noise[0] < 1.15 * 15.0
    assert noise[1] == pytest.approx(2.0 * noise[0], rel=0.2)


def test_wrong_blur_leaves_more_of_the_image(rays_through, scenes):
    rays = rays_through(1.1)
    rest = [np.median(fitted(rays, blur_mm=scenes.blur_mm + each).residual_hu) for each in (-0.15, 0.0, 0.15)]
    assert rest[1] < min(rest[0], rest[2])


def test_hidden_sector_is_bridged_and_less_certain(rays_through, scenes):
    rays = rays_through(1.4)
    weights = np.ones_like(rays.values_hu)
    weights[10:16, :9] = 0.0
    whole, part = (fitted(rays, weights=w, blur_mm=scenes.blur_mm) for w in (None, weights))
    bridged = LAYOUT.series(part.coefficients, "radius")[10:16, :9]
    # A quarter of the circle, 3 mm long: the rest of the section and the neighbours tell it.
    np.testing.assert_allclose(bridged, 1.4, atol=0.2)
    assert (part.radius_sd_mm[11:15] > whole.radius_sd_mm[11:15]).all()


def test_what_is_not_seen_at_all_is_an_artery_of_usual_size_and_no_certainty(rays_through, scenes):
    rays = rays_through(2.0)
    fit = fitted(rays, weights=np.zeros_like(rays.values_hu), blur_mm=scenes.blur_mm)
    assert np.ptp(mean_radius(fit)) < 1e-3
    assert 1.0 < mean_radius(fit)[0] < 2.0
    assert (fit.radius_sd_mm > 10.0 * fitted(rays, blur_mm=scenes.blur_mm).radius_sd_mm).all()


def test_one_outlying_section_does_not_bend_its_neighbours(rays_through, scenes):
    rays = rays_through(1.4)
    rays.values_hu[15] = 900.0
    fit = fitted(rays, blur_mm=scenes.blur_mm)
    np.testing.assert_allclose(np.delete(mean_radius(fit), [14, 15, 16]), 1.4, atol=0.15)
    assert fit.residual_hu.argmax() == 15


def test_same_rays_give_the_same_fit_and_stay_as_they_are(rays_through, scenes):
    rays = rays_through(1.1)
    before = rays.values_hu.copy()
    one, two = (fitted(rays, blur_mm=scenes.blur_mm) for _ in range(2))
    np.testing.assert_array_equal(one.coefficients, two.coefficients)
    np.testing.assert_array_equal(rays.values_hu, before)
