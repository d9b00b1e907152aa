"""Planes through volumes that are linear in space; cuts of images whose grey values tell where they lie."""

import time

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from coreg.catheter_path import VirtualCatheterPath
from coreg.fusion import ccta_cut, lengthwise_cut, plane_images
from coreg.pullback_images import PullbackImages
from coreg.volume import Volume

SLOPE, OFFSET = np.array([3.0, -2.0, 5.0]), 40.0


def linear(world_mm):
    return world_mm @ SLOPE + OFFSET


@pytest.fixture(scope="module")
def volume():
    """Oblique, uneven voxels; values linear in world coordinates."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec([0.3, -0.2, 0.5]).as_matrix() @ np.diag([0.6, 0.4, 0.5])
    matrix[:3, 3] = [-12.0, -250.0, 1500.0]
    grid = Volume(np.zeros((40, 50, 60), np.float32), matrix)
    world = grid.to_world(np.stack(np.indices((40, 50, 60)), axis=-1).astype(float))
    return Volume(linear(world), matrix)


def middle_mm(volume):
    return volume.to_world(0.5 * (np.array(volume.values.shape) - 1.0))


def path_through(volume, count=20, missing=()):
    """Poses near the volume's middle, each turned otherwise."""
    axes = Rotation.from_rotvec(np.linspace(0.0, 1.5, count)[:, None] * [0.2, 0.9, -0.4]).as_matrix()
    origin = middle_mm(volume) + np.linspace(-2.0, 2.0, count)[:, None] * [0.5, 0.3, 1.0]
    poses = [origin, axes[..., 0].copy(), axes[..., 1].copy()]
    for each in poses:
        each[list(missing)] = np.nan
    filler = np.zeros(count)
    frame, position = np.arange(count)[::-1], np.arange(count)[::-1] * 0.2
    whole = np.isfinite(poses[0]).all(axis=1)
    return VirtualCatheterPath(frame, position, filler, filler, *poses, whole, ("",) * count)


def test_planes_show_a_linear_volume_exactly(volume):
    path = path_through(volume, 5)
    images = plane_images(volume, path.origin_mm, path.column, path.row, reach_mm=3.0, step_mm=0.25)
    assert images.shape == (5, 25, 25)
    assert images.dtype == np.float32
    y, x = 0.25 * (np.indices((25, 25)) - 12)
    rows = np.repeat(np.arange(5.0), 25 * 25)
    xy = np.tile(np.column_stack([x.ravel(), y.ravel()]), (5, 1))
    expected = linear(path.to_world(rows, xy)).reshape(5, 25, 25)
    # Values are some 6000, and float32 has seven digits.
    np.testing.assert_allclose(images, expected, atol=2e-3)


def test_planes_are_empty_outside_of_the_volume_and_where_there_is_no_pose(volume):
    path = path_through(volume, 3, missing=[1])
    images = plane_images(volume, path.origin_mm, path.column, path.row, reach_mm=40.0, step_mm=1.0)
    assert np.isnan(images[1]).all()
    assert np.isnan(images[0, [0, -1]]).all()
    assert np.isfinite(images[0, 40, 40])
    y, x = np.indices((81, 81)) - 40.0
    index = volume.to_index(path.to_world(np.zeros(81**2), np.column_stack([x.ravel(), y.ravel()])))
    inside = ((index >= 0.0) & (index <= np.array(volume.values.shape) - 1.0)).all(axis=1)
    np.testing.assert_array_equal(np.isfinite(images[0]).ravel(), inside)


def test_a_senseless_grid_is_refused(volume):
    with pytest.raises(ValueError, match=r"must be positive, got 1.0 and 0.0"):
        plane_images(volume, np.zeros((1, 3)), np.eye(3)[:1], np.eye(3)[1:2], reach_mm=1.0, step_mm=0.0)


@pytest.mark.parametrize("angle_rad", [0.0, 0.5 * np.pi, 2.0])
def test_a_cut_shows_a_linear_volume_exactly_its_last_row_at_the_angle(volume, angle_rad):
    path = path_through(volume, 20, missing=[0, 7])
    cut = ccta_cut(volume, path, angle_rad, reach_mm=3.0, pixels=31)
    assert cut.shape == (31, 20)
    assert np.isnan(cut[:, [0, 7]]).all()
    rows = np.flatnonzero(path.posed).astype(float)
    for i, along in enumerate(np.linspace(-3.0, 3.0, 31)):
        xy = np.tile(along * np.array([np.cos(angle_rad), np.sin(angle_rad)]), (len(rows), 1))
        np.testing.assert_allclose(cut[i, path.posed], linear(path.to_world(rows, xy)), atol=2e-3)


def test_a_cut_is_the_planes_middle_row(volume):
    path = path_through(volume, 6)
    planes = plane_images(volume, path.origin_mm, path.column, path.row, reach_mm=3.0, step_mm=0.5)
    np.testing.assert_allclose(
        ccta_cut(volume, path, 0.0, reach_mm=3.0, pixels=13), planes[:, 6].T, atol=1e-3
    )


def test_a_plane_of_a_whole_chest_takes_milliseconds():
    """It would take a second if the volume were converted; the bound is wide for busy machines."""
    values = np.zeros((400, 512, 512), np.int16)
    volume = Volume(values, np.array([[0, 0, 0.4, 0], [0, 0.4, 0, 0], [0.5, 0, 0, 0], [0, 0, 0, 1.0]]))
    start = time.perf_counter()
    middle = middle_mm(volume)[None]
    plane_images(volume, middle, np.eye(3)[:1], np.eye(3)[1:2], reach_mm=8.0, step_mm=0.1)
    assert time.perf_counter() - start < 0.1


@pytest.fixture(scope="module")
def images():
    """Right of the catheter 200, below it 100, elsewhere 20; frame 7 is white."""
    y, x = (np.indices((101, 101)) - 50) * 0.08
    one = np.where((x > 0.3) & (np.abs(y) < 0.3), 200, np.where((y > 0.3) & (np.abs(x) < 0.3), 100, 20))
    pixels = np.repeat(one[None].astype(np.uint8), 12, axis=0)
    pixels[7] = 255
    return PullbackImages(pixels, np.full(2, 0.08), np.full(2, 50.0), "IVUS", 4.0)


def test_rows_of_a_lengthwise_cut_lie_on_the_side_of_their_angle(images):
    frames = np.arange(12)
    right = lengthwise_cut(images, frames, 0.0, reach_mm=3.0)
    assert (right[-1, :7] == 200).all()
    assert (right[0, :7] == 20).all()
    down = lengthwise_cut(images, frames, 0.5 * np.pi, reach_mm=3.0)
    assert (down[-1, :7] == 100).all()
    # The frame of another look is the column of its own.
    np.testing.assert_allclose(right[:, 7], 255.0, atol=1e-3)
    assert (right[0, 8:] == 20).all()


def test_beyond_the_image_a_lengthwise_cut_shows_nothing(images):
    picture = lengthwise_cut(images, np.arange(3), 0.0, reach_mm=5.0, pixels=80)
    assert picture.shape == (80, 3)
    assert np.isnan(picture[[0, -1]]).all()
    assert np.isfinite(picture[len(picture) // 2]).all()
