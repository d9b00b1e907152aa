import numpy as np
import pytest

from coreg.segmentation.tubeness import RADII_MM, tubeness

SPACING_MM, CONTRAST = 0.6, 300.0
SHAPE = (41, 41, 41)
MIDDLE = (20, 20, 20)


def grid_mm(shape=SHAPE, middle=MIDDLE):
    """Offsets (3, S, R, C) of the voxels from the middle one."""
    return SPACING_MM * (np.indices(shape) - np.reshape(middle, (3, 1, 1, 1)))


def painted(level_mm):
    """Tissue of contrast inside a signed distance, its edge as wide as a voxel."""
    return (CONTRAST * np.clip(0.5 - level_mm / SPACING_MM, 0.0, 1.0)).astype(np.float32)


def tube_mm(radius_mm, direction=(1.0, 0.0, 0.0), through_mm=(0.0, 0.0, 0.0)):
    at = grid_mm() - np.reshape(through_mm, (3, 1, 1, 1))
    axis = np.array(direction) / np.linalg.norm(direction)
    along = np.tensordot(axis, at, 1)
    return np.sqrt(np.maximum((at**2).sum(axis=0) - along**2, 0.0)) - radius_mm


def everywhere(values):
    contrast, radius = tubeness(values, SPACING_MM, np.ones(values.shape, dtype=bool))
    return contrast.reshape(values.shape), radius.reshape(values.shape)


@pytest.mark.parametrize("radius_mm", RADII_MM)
def test_middle_of_a_tube_shows_its_contrast_at_its_radius(radius_mm):
    where = np.zeros(SHAPE, dtype=bool)
    where[MIDDLE] = True
    contrast, radius = tubeness(painted(tube_mm(radius_mm)), SPACING_MM, where, radii_mm=(radius_mm,))
    assert contrast[0] == pytest.approx(CONTRAST, rel=0.01)
    assert radius[0] == pytest.approx(radius_mm)


@pytest.mark.parametrize("radius_mm", [0.7, 0.8, 1.0, 1.2, 1.4, 1.7, 2.0, 2.3, 2.8])
def test_tube_of_any_radius_shows_about_its_contrast(radius_mm):
    contrast, radius = everywhere(painted(tube_mm(radius_mm)))
    # Radii are a factor 1.4 apart, and the finest is hardly wider than a voxel, so that a smaller
    # sphere within the tube may answer a third more.
    assert contrast[MIDDLE] == pytest.approx(CONTRAST, rel=0.35)
    assert 1.0 / 1.8 < radius[MIDDLE] / radius_mm < 1.5


@pytest.mark.parametrize("direction", [(0.0, 0.0, 1.0), (1.0, 1.0, 0.0), (1.0, 1.0, 1.0), (3.0, -1.0, 2.0)])
def test_direction_of_a_tube_does_not_matter(direction):
    straight, _ = everywhere(painted(tube_mm(1.4)))
    turned, _ = everywhere(painted(tube_mm(1.4, direction)))
    assert turned[MIDDLE] == pytest.approx(straight[MIDDLE], rel=0.05)


def test_axis_of_the_grid_does_not_matter():
    values = painted(tube_mm(1.0, (3.0, -1.0, 2.0)))
    contrast, _ = everywhere(values)
    for axes in ((1, 2, 0), (2, 1, 0)):
        other, _ = everywhere(np.ascontiguousarray(values.transpose(axes)))
        np.testing.assert_allclose(other, contrast.transpose(axes), atol=1e-2 * CONTRAST)


def test_shifted_tube_is_found_shifted():
    at_middle, _ = everywhere(painted(tube_mm(1.4)))
    shift = (0, 4, -5)
    shifted, _ = everywhere(painted(tube_mm(1.4, through_mm=SPACING_MM * np.array(shift))))
    near = tuple(slice(14 + each, 27 + each) for each in shift)
    np.testing.assert_allclose(shifted[near], at_middle[14:27, 14:27, 14:27], atol=2e-3 * CONTRAST)


def test_contrast_counts_and_the_ground_does_not():
    values = painted(tube_mm(1.0))
    contrast, radius = everywhere(values)
    raised, same = everywhere(3.0 * values + np.float32(50.0))
    np.testing.assert_allclose(raised, 3.0 * contrast, atol=5e-3 * CONTRAST)
    np.testing.assert_array_equal(same[MIDDLE], radius[MIDDLE])


def test_flat_field_has_no_tubes():
    contrast, _ = everywhere(np.full(SHAPE, 400.0, dtype=np.float32))
    assert contrast.max() < 1e-3 * CONTRAST


def test_face_of_a_slab_is_no_tube():
    contrast, _ = everywhere(painted(grid_mm()[0]))
    assert contrast.max() < 0.02 * CONTRAST


def test_chamber_is_no_tube():
    shape, middle = (55, 55, 55), (27, 27, 27)
    distance = np.linalg.norm(grid_mm(shape, middle), axis=0)
    contrast, _ = everywhere(painted(distance - 10.0))
    # Inside there is no gradient; the face bends a little inwards.
    assert contrast[distance < 6.0].max() < 0.02 * CONTRAST
    assert contrast.max() < 0.35 * CONTRAST


def test_dark_tube_is_no_bright_one():
    contrast, _ = everywhere(-painted(tube_mm(1.4)))
    assert contrast[MIDDLE] == 0.0


@pytest.mark.parametrize("beside_mm", [1.0, 2.0])
def test_neighbour_a_millimetre_away_hardly_moves_the_middle(beside_mm):
    gap_mm, radius_mm = 1.0, 1.4
    apart = (0.0, 0.0, radius_mm + gap_mm + beside_mm)
    both = np.minimum(tube_mm(radius_mm), tube_mm(beside_mm, through_mm=apart))
    contrast, _ = everywhere(painted(both))
    section = contrast[20].copy()
    section[:, 24:] = 0.0
    found = np.array(np.unravel_index(section.argmax(), section.shape))
    assert np.abs(found - 20).max() <= 1
    assert section.max() == pytest.approx(CONTRAST, rel=0.25)


def test_answers_are_those_of_the_wanted_voxels_in_order():
    values = painted(tube_mm(1.4, (3.0, -1.0, 2.0)))
    contrast, radius = everywhere(values)
    where = np.random.default_rng(0).random(SHAPE) < 0.1
    some, some_radius = tubeness(values, SPACING_MM, where)
    np.testing.assert_array_equal(some, contrast[where])
    np.testing.assert_array_equal(some_radius, radius[where])


def test_image_is_left_alone():
    values = painted(tube_mm(1.4))
    before = values.copy()
    everywhere(values)
    np.testing.assert_array_equal(values, before)
