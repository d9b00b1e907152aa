import numpy as np
import pytest

from coreg.centerline import Centerline
from coreg.segmentation.rays import AIR_HU, ANGLES, SmoothImage, ray_points
from coreg.volume import Volume


def wave(world_mm):
    """Brightness that changes slowly in all directions."""
    return 100.0 + 80.0 * np.sin(0.4 * world_mm[..., 0]) * np.cos(
        0.3 * world_mm[..., 1] + 0.2 * world_mm[..., 2]
    )


@pytest.fixture(scope="module")
def line(scenes):
    return Centerline(scenes.bow(16.0, 20.0)).resampled(spacing_mm=0.5)


@pytest.fixture(scope="module")
def image(scenes):
    """The wave on an oblique grid of uneven spacing, with room around the line."""
    matrix = np.eye(4)
    matrix[:3, :3] = scenes.turned([1.0, 0.2, 0.1], [-0.3, 1.0, 0.2], [0.1, 0.0, 1.0]) * [0.6, 0.4, 0.5]
    index = np.indices((70, 80, 80)).reshape(3, -1).T.astype(float)
    matrix[:3, 3] = [4.0, 0.0, 8.0] - index.mean(axis=0) @ matrix[:3, :3].T
    world = index @ matrix[:3, :3].T + matrix[:3, 3]
    return Volume(wave(world).reshape(70, 80, 80).astype(np.float32), matrix)


def test_rays_lie_across_the_line_at_their_distances(image, line):
    rays = SmoothImage(image, line.points_mm).rays(line)
    offset = rays.world_mm - line.points_mm[:, None, None]
    np.testing.assert_allclose(np.linalg.norm(offset, axis=-1) - rays.rho_mm, 0.0, atol=1e-9)
    tangents = line.tangents_at(line.arc_length_mm)
    np.testing.assert_allclose(np.einsum("naki,ni->nak", offset, tangents), 0.0, atol=1e-9)
    assert rays.values_hu.shape == (len(line.points_mm), ANGLES, len(rays.rho_mm))
    assert rays.step_mm == pytest.approx(0.5, abs=0.02)


def test_rays_start_along_the_normal_and_turn_towards_the_binormal(line):
    frames = line.frames_at(line.arc_length_mm)
    points = ray_points(line.points_mm, frames, np.array([1.0])) - line.points_mm[:, None, None]
    np.testing.assert_allclose(points[:, 0, 0], frames[:, :, 0], atol=1e-9)
    np.testing.assert_allclose(points[:, ANGLES // 4, 0], frames[:, :, 1], atol=1e-9)


def test_values_are_those_of_the_image_between_its_voxels(image, line):
    rays = SmoothImage(image, line.points_mm).rays(line)
    # Of an amplitude of 80; cubic splines err by the fourth power of the step.
    np.testing.assert_allclose(rays.values_hu, wave(rays.world_mm), atol=0.1)


def test_air_is_seen_beyond_the_image(image, line):
    values = SmoothImage(image, line.points_mm).at(np.array([[200.0, 0.0, 0.0], [4.0, 0.0, 8.0]]))
    assert values[0] == AIR_HU
    assert values[1] == pytest.approx(wave(np.array([4.0, 0.0, 8.0])), abs=0.1)


def test_samples_within_balls_are_marked(image, line):
    rays = SmoothImage(image, line.points_mm).rays(line)
    balls = np.array([[4.0, 1.0, 8.0, 1.5], [0.5, 2.0, 3.0, 0.9]])
    distance = np.linalg.norm(rays.world_mm[..., None, :] - balls[:, :3], axis=-1)
    np.testing.assert_array_equal(rays.within(balls), (distance < balls[:, 3]).any(axis=-1))
    assert rays.within(balls).any()
    assert not rays.within(np.zeros((0, 4))).any()


def test_image_is_left_alone(image, line):
    before = image.values.copy()
    SmoothImage(image, line.points_mm).rays(line)
    np.testing.assert_array_equal(image.values, before)
