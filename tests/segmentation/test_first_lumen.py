import numpy as np
import pytest

from coreg.centerline import Centerline
from coreg.segmentation.blurred_disc import disc_share
from coreg.segmentation.first_lumen import blood_level, clear_run, cleared, first_radius
from coreg.segmentation.rays import ANGLES, REACH_MM, Rays, SmoothImage

FIRST_HU, FAT_HU, BLUR_MM = 400.0, -80.0, 0.42
HEIGHT_MM = np.arange(0.0, 30.1, 0.5)
LINE = Centerline(HEIGHT_MM[:, None] * [0.0, 0.0, 1.0])


def rays_of(radius_mm, blood_hu=FIRST_HU, *, noise_hu=0.0):
    """Rays across a straight vessel in fat; radius and blood are one number or one per section."""
    rho = 0.15 * (np.arange(round(REACH_MM / 0.15)) + 0.5)
    radius = np.broadcast_to(radius_mm, len(HEIGHT_MM))[:, None, None]
    share = np.broadcast_to(disc_share(rho, radius, BLUR_MM)[0], (len(HEIGHT_MM), ANGLES, len(rho)))
    above = np.broadcast_to(blood_hu, len(HEIGHT_MM))[:, None, None] - FAT_HU
    noise = np.random.default_rng(2).normal(0.0, noise_hu, share.shape) if noise_hu else 0.0
    return Rays(LINE, LINE.frames_at(LINE.arc_length_mm), FAT_HU + above * share + noise)


def test_level_of_even_blood_is_its_brightness():
    np.testing.assert_allclose(blood_level(rays_of(1.8, noise_hu=20.0), FIRST_HU), FIRST_HU, rtol=0.03)


def test_level_follows_blood_that_fades_along_the_vessel():
    blood = np.linspace(420.0, 300.0, len(HEIGHT_MM))
    level = blood_level(rays_of(1.8, blood, noise_hu=20.0), FIRST_HU)
    # Less than the noise of one voxel.
    np.testing.assert_allclose(level, blood, atol=20.0)


def test_level_does_not_sink_in_a_stenosis_that_the_blur_makes_faint():
    radius = np.where(np.abs(HEIGHT_MM - 15.0) < 2.0, 0.5, 1.8)
    rays = rays_of(radius)
    assert rays.values_hu[30, :, 0].mean() < 0.6 * FIRST_HU
    assert blood_level(rays, FIRST_HU).min() > 0.9 * FIRST_HU


def test_level_is_not_raised_by_calcium_in_the_middle():
    blood = np.where(np.abs(HEIGHT_MM - 15.0) < 2.0, 1200.0, FIRST_HU)
    np.testing.assert_allclose(blood_level(rays_of(1.8, blood), FIRST_HU), FIRST_HU, rtol=0.05)


def test_level_of_a_vessel_full_of_metal_is_that_at_the_ostium():
    np.testing.assert_array_equal(blood_level(rays_of(1.8, 2500.0), FIRST_HU), FIRST_HU)


@pytest.mark.parametrize("radius_mm", [1.0, 1.5, 2.5])
def test_rays_run_clear_up_to_the_edge_of_the_blood(radius_mm):
    rays = rays_of(radius_mm, noise_hu=15.0)
    run = clear_run(rays, np.full(len(HEIGHT_MM), FIRST_HU))
    # Half of the contrast with the wall's brightness lies a little within the edge to fat.
    assert np.median(run) == pytest.approx(radius_mm, abs=0.3)


def test_rays_run_to_their_ends_in_a_chamber():
    rays = rays_of(9.0)
    np.testing.assert_allclose(clear_run(rays, np.full(len(HEIGHT_MM), FIRST_HU)), rays.rho_mm[-1])


@pytest.mark.parametrize("radius_mm", [0.9, 1.4, 2.2])
def test_first_radius_is_near_that_of_the_vessel(radius_mm):
    rays = rays_of(radius_mm, noise_hu=20.0)
    radius = first_radius(rays, np.ones_like(rays.values_hu), np.full(len(HEIGHT_MM), FIRST_HU))
    # Within the blur, which only the fit takes into account.
    np.testing.assert_allclose(radius.mean(axis=1), radius_mm, atol=BLUR_MM)


def test_nothing_is_cleared_without_calcium():
    rays = rays_of(1.5, noise_hu=15.0)
    found = cleared(rays, np.full(len(HEIGHT_MM), FIRST_HU), BLUR_MM)
    np.testing.assert_array_equal(found.calcium_mm, 0.0)
    np.testing.assert_array_equal(found.rays.values_hu, rays.values_hu)
    np.testing.assert_array_equal(found.weights, 1.0)


@pytest.fixture(scope="module")
def calcified(scenes):
    """Rays across a vessel with a crescent of calcium, 0.9 mm thick, towards +y between 5 and 11 mm."""
    points = scenes.curve([0.0, 0.0, 0.0], [0.0, 0.0, 16.0])
    wall, blood = scenes.artery(points, 1.5)
    plaque = scenes.crescent(points[100:220], 1.5, 2.4, [0.0, 1.0, 0.0])
    image = scenes.scan([*wall, *blood, (plaque, 1100.0)], [-6, -6, -1], [6, 6, 17], spacing_mm=(0.4,) * 3)
    line = Centerline(points).resampled(spacing_mm=0.5)
    return SmoothImage(image, points).rays(line)


def test_calcium_is_found_where_it_lies(calcified, scenes):
    found = cleared(calcified, np.full(len(calcified.values_hu), FIRST_HU), scenes.blur_mm)
    s, angle = calcified.line.arc_length_mm, calcified.angles_rad
    there = np.ix_((s > 6.0) & (s < 10.0), np.abs(angle - np.pi / 2.0) < 1.2)
    assert (found.calcium_mm[there] > 0.0).all()
    assert np.median(found.calcium_mm[there]) == pytest.approx(0.9, abs=0.25)
    # The blur is taken back, but not all of it.
    assert 800.0 < np.median(found.calcium_hu[there]) < 1400.0
    elsewhere = np.ix_((s < 3.5) | (s > 12.5), np.ones(len(angle), dtype=bool))
    np.testing.assert_array_equal(found.calcium_mm[elsewhere], 0.0)
    opposite = np.ix_(np.ones(len(s), dtype=bool), np.abs(angle - 1.5 * np.pi) < 1.0)
    np.testing.assert_array_equal(found.calcium_mm[opposite], 0.0)


def test_calcium_is_replaced_by_wall_that_hardly_counts(calcified, scenes):
    found = cleared(calcified, np.full(len(calcified.values_hu), FIRST_HU), scenes.blur_mm)
    dense = calcified.values_hu > 1.3 * FIRST_HU
    assert (found.rays.values_hu[dense] <= FIRST_HU).all()
    bare = first_radius(calcified, np.ones_like(calcified.values_hu), np.full(len(dense), FIRST_HU))
    radius = first_radius(found.rays, found.weights, np.full(len(dense), FIRST_HU))
    there = (calcified.line.arc_length_mm > 6.0) & (calcified.line.arc_length_mm < 10.0)
    up = np.abs(calcified.angles_rad - np.pi / 2.0) < 1.0
    # Of the 0.9 mm that calcium adds to what is bright, less than a voxel is left.
    assert bare[np.ix_(there, up)].mean() > 2.0
    assert radius[np.ix_(there, up)].mean() == pytest.approx(1.5, abs=0.3)


def test_rays_are_left_alone(calcified, scenes):
    before = calcified.values_hu.copy()
    level = blood_level(calcified, FIRST_HU)
    first_radius(calcified, cleared(calcified, level, scenes.blur_mm).weights, level)
    clear_run(calcified, level)
    np.testing.assert_array_equal(calcified.values_hu, before)
