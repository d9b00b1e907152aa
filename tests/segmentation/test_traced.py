import numpy as np
import pytest

from coreg.centerline import Centerline
from coreg.segmentation.rays import SmoothImage
from coreg.segmentation.traced import measured, roughly_centred, section_centres, shifted, traced
from coreg.volume import Volume

LOW, HIGH = (-6.1, -6.2, 0.0), (9.0, 6.0, 16.0)
VOXEL_MM = (0.4, 0.4, 0.4)
# Sections whose smoothing does not reach beyond the image.
INNER = slice(4, -4)


def line_along(points):
    return Centerline(points[:: len(points) // 32]).resampled(spacing_mm=0.5)


def found_in(image, points, first_hu=400.0):
    return traced(SmoothImage(image, points), line_along(points), first_hu)


def mean_radius(vessel):
    return np.sqrt((vessel.radius_mm**2).mean(axis=1))


@pytest.fixture(scope="module")
def round_vessel(scenes):
    """Points of a gently bent axis, and the image of a vessel of 1.5 mm radius along it."""
    points = scenes.bow(16.0)
    wall, blood = scenes.artery(points, 1.5)
    return points, scenes.scan(wall + blood, LOW, HIGH, spacing_mm=VOXEL_MM)


@pytest.mark.parametrize(
    ("radius_mm", "noise_hu"), [(0.6, 15.0), (0.9, 15.0), (1.5, 15.0), (2.0, 15.0), (0.6, 30.0), (1.5, 30.0)]
)
def test_lumen_of_a_round_vessel_has_its_radius(scenes, radius_mm, noise_hu):
    points = scenes.bow(16.0)
    wall, blood = scenes.artery(points, radius_mm)
    found = found_in(scenes.scan(wall + blood, LOW, HIGH, spacing_mm=VOXEL_MM, noise_hu=noise_hu), points)
    # A fifth of a voxel.
    assert mean_radius(found)[INNER].mean() == pytest.approx(radius_mm, abs=0.08)
    assert np.abs(mean_radius(found)[INNER] - radius_mm).max() < 0.2


@pytest.mark.parametrize("radius_mm", [0.9, 2.0])
def test_muscle_and_fat_around_do_not_matter(scenes, radius_mm):
    points = scenes.bow(16.0)
    wall, blood = scenes.artery(points, radius_mm)
    muscle = scenes.half_space([0.0, 0.5 - radius_mm, 0.0], [0.0, 1.0, 0.0])
    image = scenes.scan([(muscle, scenes.muscle_hu), *wall, *blood], LOW, HIGH, spacing_mm=VOXEL_MM)
    assert mean_radius(found_in(image, points))[INNER].mean() == pytest.approx(radius_mm, abs=0.08)


def test_elliptic_vessel_has_its_half_axes_where_they_lie(scenes):
    points = scenes.curve([0.0, 0.0, 0.0], [0.0, 0.0, 16.0])
    parts = [(scenes.ellipse((2.7, 2.0)), scenes.wall_hu), (scenes.ellipse((1.9, 1.2)), scenes.blood_hu)]
    found = found_in(scenes.scan(parts, LOW, HIGH, spacing_mm=VOXEL_MM), points)
    radius = found.radius_mm[INNER].mean(axis=0)
    # The frame of a line along z is x, y, z.
    np.testing.assert_allclose(radius[[0, 9, 18, 27]], [1.9, 1.2, 1.9, 1.2], atol=0.1)
    assert mean_radius(found)[INNER].mean() == pytest.approx(np.sqrt(1.9 * 1.2), abs=0.08)


def test_taper_is_followed(scenes):
    points = scenes.bow(16.0)
    radius = np.linspace(2.0, 0.8, len(points))
    wall, blood = scenes.artery(points, radius)
    found = found_in(scenes.scan(wall + blood, LOW, HIGH, spacing_mm=VOXEL_MM), points)
    true_mm = np.interp(found.line.arc_length_mm, np.linspace(0.0, 16.0, len(points)), radius)
    np.testing.assert_allclose(mean_radius(found)[INNER], true_mm[INNER], atol=0.15)
    assert (mean_radius(found) - true_mm)[INNER].mean() == pytest.approx(0.0, abs=0.08)


def test_stenosis_is_neither_lost_nor_closed(scenes):
    points = scenes.bow(16.0)
    s = np.linspace(0.0, 16.0, len(points))
    radius = 1.6 - 0.8 * np.exp(-0.5 * ((s - 8.0) / 1.8) ** 2)
    wall = [(scenes.tube(points, 2.4), scenes.wall_hu)]
    blood = [(scenes.tube(points, radius), scenes.blood_hu)]
    found = found_in(scenes.scan(wall + blood, LOW, HIGH, spacing_mm=VOXEL_MM), points)
    narrowest = np.argmin(mean_radius(found))
    assert mean_radius(found)[narrowest] == pytest.approx(0.8, abs=0.12)
    assert found.line.arc_length_mm[narrowest] == pytest.approx(8.0, abs=1.0)


@pytest.mark.parametrize("blur_mm", [0.34, 0.42, 0.5])
def test_blur_of_the_scanner_is_found(scenes, blur_mm):
    points = scenes.bow(16.0)
    wall, blood = scenes.artery(points, 1.4)
    found = found_in(scenes.scan(wall + blood, LOW, HIGH, spacing_mm=VOXEL_MM, blur_mm=blur_mm), points)
    assert found.fit.blur_mm == pytest.approx(blur_mm, abs=0.08)
    assert mean_radius(found)[INNER].mean() == pytest.approx(1.4, abs=0.08)


@pytest.mark.parametrize("calcium_hu", [700.0, 1200.0])
def test_calcium_on_one_side_does_not_widen_the_lumen(scenes, calcium_hu):
    points = scenes.bow(16.0)
    wall, blood = scenes.artery(points, 1.5)
    plaque = scenes.crescent(points[100:220], 1.5, 2.4, [0.0, 1.0, 0.0])
    image = scenes.scan([*wall, *blood, (plaque, calcium_hu)], LOW, HIGH, spacing_mm=VOXEL_MM)
    found = found_in(image, points)
    there = (found.line.arc_length_mm > 5.5) & (found.line.arc_length_mm < 10.5)
    assert mean_radius(found)[there].mean() == pytest.approx(1.5, abs=0.2)
    assert (found.cleared.calcium_mm[there] > 0.0).any(axis=1).all()


@pytest.mark.parametrize("thickness_mm", [0.6, 1.2])
def test_wall_has_its_thickness_where_fat_lies_beyond(scenes, thickness_mm):
    points = scenes.bow(16.0)
    wall, blood = scenes.artery(points, 1.5, wall_mm=thickness_mm)
    found = found_in(scenes.scan(wall + blood, LOW, HIGH, spacing_mm=VOXEL_MM), points)
    assert found.series("thickness")[INNER].mean() == pytest.approx(thickness_mm, abs=0.3)


def test_rigid_motion_of_the_scene_moves_the_vessel_with_it(round_vessel, scenes):
    points, image = round_vessel
    motion = np.eye(4)
    motion[:3, :3] = scenes.turned([1.0, -0.3, 0.6], [0.5, 1.0, -0.2], [0.2, 0.4, 1.0])
    motion[:3, 3] = [12.0, -200.0, 1700.0]
    moved = points @ motion[:3, :3].T + motion[:3, 3]
    here = found_in(image, points)
    there = found_in(Volume(image.values, motion @ image.index_to_world), moved)
    expected = here.line.points_mm @ motion[:3, :3].T + motion[:3, 3]
    # Rays start at another angle.
    np.testing.assert_allclose(there.line.points_mm, expected, atol=0.03)
    np.testing.assert_allclose(mean_radius(there), mean_radius(here), atol=0.02)


@pytest.mark.parametrize("spacing_mm", [(0.4, 0.4, 0.4), (0.7, 0.35, 0.35)])
def test_oblique_and_uneven_voxels_do_not_matter(scenes, spacing_mm):
    points = scenes.bow(16.0)
    wall, blood = scenes.artery(points, 1.2)
    turn = scenes.turned([1.0, 0.3, -0.2], [-0.2, 1.0, 0.4], [0.3, 0.1, 1.0])
    low, high = (-11.0, -11.0, -5.0), (14.0, 11.0, 21.0)
    found = found_in(scenes.scan(wall + blood, low, high, spacing_mm=spacing_mm, turn=turn), points)
    inner = (found.line.arc_length_mm > 2.0) & (found.line.arc_length_mm < 14.0)
    assert mean_radius(found)[inner].mean() == pytest.approx(1.2, abs=0.08)


def test_path_beside_the_axis_is_brought_to_the_middle(round_vessel):
    points, image = round_vessel
    # As far off as voxels of a coarse search are, and as jagged.
    beside = points[::12] + np.random.default_rng(4).normal(0.0, 0.3, points[::12].shape) + [0.4, 0.3, 0.0]
    line = roughly_centred(SmoothImage(image, points), beside, 400.0)
    axis = Centerline(points)
    foot = axis.points_at(axis.nearest_arc_length(line.points_mm))
    distance = np.linalg.norm(line.points_mm - foot, axis=1)
    # A third of a voxel.
    assert distance[INNER].mean() < 0.13
    np.testing.assert_allclose(np.diff(line.arc_length_mm), 0.5, atol=0.05)


def test_hidden_balls_do_not_count(round_vessel, scenes):
    points, image = round_vessel
    branch = scenes.tube(scenes.curve(points[160], points[160] + [0.0, 6.0, 0.0]), 0.9)
    wall, blood = scenes.artery(points, 1.5)
    image = scenes.scan([*wall, *blood, (branch, scenes.blood_hu)], LOW, HIGH, spacing_mm=VOXEL_MM)
    smooth, line = SmoothImage(image, points), line_along(points)
    mouth = points[160] + np.arange(1.5, 5.0, 0.2)[:, None] * [0.0, 1.0, 0.0]
    hidden = np.column_stack([mouth, np.full(len(mouth), 1.2)])
    at = int(np.argmin(np.abs(line.arc_length_mm - 8.0)))
    bare = measured(smooth, line, 400.0, scenes.blur_mm)
    closed = measured(smooth, line, 400.0, scenes.blur_mm, hidden=hidden)
    # The branch lies towards +y, a quarter turn from the normal.
    assert closed.radius_mm[at, 9] == pytest.approx(1.5, abs=0.2)
    assert bare.radius_mm[at, 9] > closed.radius_mm[at, 9] + 0.05


def test_centre_of_a_section_is_that_of_its_area():
    angle = 2.0 * np.pi * np.arange(36) / 36
    u, v, r = 0.4, -0.2, 1.5
    # A circle about (u, v) as seen from the origin.
    along = u * np.cos(angle) + v * np.sin(angle)
    radius = along + np.sqrt(r**2 - (u**2 + v**2 - along**2))
    np.testing.assert_allclose(section_centres(radius[None]), [[u, v]], atol=1e-6)


def test_line_is_moved_in_its_own_planes(round_vessel, scenes):
    points, image = round_vessel
    rays = SmoothImage(image, points).rays(line_along(points))
    line = shifted(rays, np.tile([0.3, -0.2], (len(rays.frames), 1)))
    moved = rays.line.points_mm + 0.3 * rays.frames[:, :, 0] - 0.2 * rays.frames[:, :, 1]
    expected = Centerline(moved)
    foot = expected.points_at(expected.nearest_arc_length(line.points_mm))
    np.testing.assert_allclose(line.points_mm, foot, atol=0.02)


def test_same_image_gives_the_same_vessel_and_stays_as_it_is(round_vessel):
    points, image = round_vessel
    before = image.values.copy()
    one, two = (found_in(image, points) for _ in range(2))
    np.testing.assert_array_equal(one.line.points_mm, two.line.points_mm)
    np.testing.assert_array_equal(one.radius_mm, two.radius_mm)
    np.testing.assert_array_equal(image.values, before)
