import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from coreg.volume import Volume

SPACING_MM = (0.4, 0.35, 0.6)
ORIGIN_MM = (-12.5, 140.0, -33.0)
DIRECTION = Rotation.from_rotvec([0.4, -0.7, 1.9]).as_matrix()


@pytest.fixture(scope="module")
def image():
    image = sitk.Image(20, 30, 15, sitk.sitkInt16)
    image.SetSpacing(SPACING_MM)
    image.SetOrigin(ORIGIN_MM)
    image.SetDirection(DIRECTION.ravel().tolist())
    return image


@pytest.fixture(scope="module")
def volume():
    matrix = np.eye(4)
    # SimpleITK counts columns first, arrays count slices first.
    matrix[:3, :3] = (DIRECTION * SPACING_MM)[:, ::-1]
    matrix[:3, 3] = ORIGIN_MM
    return Volume(np.zeros((15, 30, 20), dtype=np.int16), matrix)


@pytest.fixture(scope="module")
def index():
    return np.random.default_rng(2).uniform(-3.0, 30.0, (50, 3))


def test_to_world_agrees_with_simpleitk_on_an_oblique_image(image, volume, index):
    expected = [image.TransformContinuousIndexToPhysicalPoint(each[::-1].tolist()) for each in index]
    np.testing.assert_allclose(volume.to_world(index), expected, atol=1e-9)


def test_to_index_agrees_with_simpleitk_on_an_oblique_image(image, volume, index):
    world = volume.to_world(index)
    expected = [image.TransformPhysicalPointToContinuousIndex(each.tolist())[::-1] for each in world]
    np.testing.assert_allclose(volume.to_index(world), expected, atol=1e-9)


def test_index_and_world_are_inverse_for_any_leading_shape(volume, index):
    grid = index.reshape(5, 10, 3)
    np.testing.assert_allclose(volume.to_index(volume.to_world(grid)), grid, atol=1e-9)
    np.testing.assert_allclose(volume.to_world(np.zeros(3)), ORIGIN_MM)


def test_spacing_is_that_of_slices_rows_and_columns(volume):
    np.testing.assert_allclose(volume.spacing_mm, SPACING_MM[::-1])


@pytest.mark.parametrize(
    ("values", "matrix", "message"),
    [
        (np.zeros((3, 3)), np.eye(4), r"\(slices, rows, columns\) without empty axes, got \(3, 3\)"),
        (np.zeros((3, 0, 3)), np.eye(4), r"got \(3, 0, 3\)"),
        (np.zeros((2, 2, 2)), np.eye(3), r"finite \(4, 4\) matrix"),
        (np.zeros((2, 2, 2)), np.diag([1.0, np.nan, 1, 1]), r"finite \(4, 4\) matrix"),
        (np.zeros((2, 2, 2)), np.diag([1.0, 0, 1, 1]), "must be invertible"),
    ],
)
def test_unusable_grids_are_named(values, matrix, message):
    with pytest.raises(ValueError, match=message):
        Volume(values, matrix)


def test_a_volume_is_read_only_and_leaves_the_callers_array_writeable():
    values = np.zeros((2, 2, 2))
    volume = Volume(values, np.eye(4))
    for array in (volume.values, volume.index_to_world, volume.world_to_index):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1.0
    values[0, 0, 0] = 1.0
