from functools import cache

import numpy as np
import pytest
from scipy.ndimage import map_coordinates
from scipy.spatial import ConvexHull
from scipy.spatial.transform import Rotation

from coreg.signed_distance import cropped_volume, label_surface, outward, signed_distance, surface_samples
from coreg.surface import Surface
from coreg.volume import Volume

VOXEL_MM = np.array([0.4, 0.4, 0.5])
OBLIQUE = [(0.3, 0.5, 0.8), (0.6, -0.3, 0.4)]
TILTS = [*OBLIQUE, (0.0, 0.0, 1.0), (0.7, 0.7, 0.1)]
CENTRE_MM = np.array([10.13, -41.27, 102.41])


def digitised(level, reach_mm, *, turn=None):
    """Label of the voxels whose centre has a negative level; no voxel centre at a special place."""
    count = np.ceil(2.0 * np.asarray(reach_mm) / VOXEL_MM).astype(int) + 1
    turn = np.eye(3) if turn is None else turn
    matrix = np.eye(4)
    matrix[:3, :3] = (turn * VOXEL_MM)[:, ::-1]
    matrix[:3, 3] = CENTRE_MM - turn @ (0.5 * (count - 1) * VOXEL_MM)
    shape = tuple(count[::-1])
    grid = Volume(np.zeros(shape), matrix)
    index = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), axis=-1)
    return Volume((level(grid.to_world(index.astype(float))) < 0.0).astype(np.uint8), matrix)


def cylinder_level(direction, radius_mm, shift_mm=(0.07, -0.11, 0.05)):
    direction = np.array(direction) / np.linalg.norm(direction)

    def level(world):
        offset = world - CENTRE_MM - shift_mm
        return np.linalg.norm(offset - (offset @ direction)[..., None] * direction, axis=-1) - radius_mm

    return level, direction


def sphere_level(radius_mm, shift_mm=(0.07, -0.11, 0.05)):
    return lambda world: np.linalg.norm(world - CENTRE_MM - shift_mm, axis=-1) - radius_mm


def sampled(volume, world):
    index = np.moveaxis(volume.to_index(world), -1, 0)
    return map_coordinates(volume.values, index, order=1, mode="nearest")


def around(direction, *, length_mm=6.0):
    return CENTRE_MM + np.linspace(-0.5, 0.5, 25)[:, None] * length_mm * np.asarray(direction)


def placements(count):
    """Shifts within a voxel: one placement's digitisation error is not a bias."""
    return np.random.default_rng(5).uniform(-0.25, 0.25, (count, 3))


def errors_near(distance, level, direction, *, half_mm=3.0):
    """True levels and errors (found minus true) of grid voxels in the middle of the cylinder."""
    index = np.argwhere(np.abs(distance.values) < 1.9)
    world = distance.to_world(index.astype(float))
    keep = np.abs((world - CENTRE_MM) @ direction) < half_mm
    true = level(world[keep])
    return true, distance.values[tuple(index[keep].T)] - true


@cache
def cylinder_errors(radius_mm, tilt):
    """True levels and errors around a digitised cylinder, over four placements on the grid."""
    parts = []
    for shift_mm in placements(4):
        level, direction = cylinder_level(tilt, radius_mm, shift_mm)
        surface = label_surface(digitised(level, (8.0, 8.0, 8.0)))
        parts.append(errors_near(signed_distance(surface, around(direction)), level, direction))
    return tuple(np.concatenate(each) for each in zip(*parts, strict=True))


@pytest.mark.parametrize("tilt", TILTS)
@pytest.mark.parametrize("radius_mm", [0.7, 1.0, 1.5, 3.0])
def test_zero_level_of_a_digitised_cylinder_has_no_bias(radius_mm, tilt):
    true, error = cylinder_errors(radius_mm, tilt)
    # Half a voxel would be 0.2 mm.
    assert abs(error[np.abs(true) < 0.3].mean()) < 0.03


@pytest.mark.parametrize("tilt", TILTS)
@pytest.mark.parametrize("radius_mm", [0.7, 1.0, 1.5, 3.0])
def test_distances_near_a_digitised_cylinder_are_true(radius_mm, tilt):
    true, error = cylinder_errors(radius_mm, tilt)
    near = np.abs(true) < 1.0
    assert near.sum() > 500
    # Along the grid, where the same steps come in every slice, and in the thinnest arteries the
    # digitised wall itself is rougher.
    limit_mm = 0.06 if radius_mm >= 1.0 and tilt in OBLIQUE else 0.095
    assert np.sqrt(np.mean(error[near] ** 2)) < limit_mm


@pytest.mark.parametrize(("radius_mm", "limit_mm"), [(1.0, 0.04), (1.5, 0.03), (2.0, 0.03), (3.0, 0.03)])
def test_zero_level_of_a_digitised_sphere_has_no_bias(radius_mm, limit_mm):
    errors = []
    for shift_mm in placements(6):
        level = sphere_level(radius_mm, shift_mm)
        distance = signed_distance(label_surface(digitised(level, (5.0, 5.0, 5.0))), around([0, 0, 1.0]))
        true, error = errors_near(distance, level, np.zeros(3))
        errors.append(error[np.abs(true) < 0.3].mean())
    # A sphere bends twice as much as an artery of its radius: what the kernel leaves shows at 1 mm.
    assert abs(np.mean(errors)) < limit_mm


def test_an_oblique_label_gives_the_same_distances():
    level, direction = cylinder_level((0.3, 0.5, 0.8), 1.5)
    turn = Rotation.from_rotvec([0.5, -0.3, 1.2]).as_matrix()
    for handed in (turn, turn * [1.0, 1.0, -1.0]):
        surface = label_surface(digitised(level, (9.0, 9.0, 9.0), turn=handed))
        true, error = errors_near(signed_distance(surface, around(direction)), level, direction)
        assert abs(error[np.abs(true) < 1.0].mean()) < 0.03


def test_deep_inside_a_wide_tube_is_negative():
    level, direction = cylinder_level((0.3, 0.5, 0.8), 4.0)
    distance = signed_distance(label_surface(digitised(level, (8.0, 8.0, 8.0))), around(direction))
    assert (sampled(distance, around(direction)) == -2.0).all()


def test_outside_the_reach_is_positive():
    distance = signed_distance(triangulated_sphere(1.0), around([0, 0, 1.0]))
    assert distance.values[0, 0, 0] == 2.0
    assert distance.values.dtype == np.float32


def triangulated_sphere(radius_mm, count=1500):
    """Points of a Fibonacci lattice, their hull, and no rule for the faces' sense."""
    k = np.arange(count) + 0.5
    z, a = 1.0 - 2.0 * k / count, np.pi * (1.0 + np.sqrt(5.0)) * k
    ring = np.sqrt(1.0 - z**2)
    points = CENTRE_MM + radius_mm * np.column_stack([ring * np.cos(a), ring * np.sin(a), z])
    hull = ConvexHull(points)
    flip = np.einsum("ij,ij->i", hull.equations[:, :3], normals_of(points[hull.simplices])) < 0.0
    faces = np.where(flip[:, None], hull.simplices[:, ::-1], hull.simplices)
    return Surface(points, faces)


def normals_of(corners):
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])


@pytest.mark.parametrize("count", [200, 1500])
def test_distance_to_a_triangulated_sphere_is_that_to_the_sphere(count):
    surface = triangulated_sphere(2.0, count)
    distance = signed_distance(surface, around([1.0, 0, 0], length_mm=1.0))
    index = np.argwhere(np.abs(distance.values) < 1.9)
    true = np.linalg.norm(distance.to_world(index.astype(float)) - CENTRE_MM, axis=1) - 2.0
    error = distance.values[tuple(index.T)] - true
    # Sagitta of triangles whose edge is 0.5 mm (200 points) or 0.18 mm.
    assert np.sqrt(np.mean(error**2)) < (0.05 if count == 200 else 0.015)


def test_outward_turns_an_inside_out_surface():
    surface = triangulated_sphere(2.0)
    inside_out = Surface(surface.points_mm, surface.faces[:, ::-1])
    for each in (surface, inside_out):
        corners = outward(each).points_mm[outward(each).faces]
        assert (np.einsum("ij,ij->i", normals_of(corners), corners.mean(axis=1) - CENTRE_MM) > 0.0).all()


def test_samples_cover_large_triangles():
    square = np.array([[0.0, 0, 0], [10, 0, 0], [10, 10, 0], [0, 10, 0]])
    points, normals = surface_samples(Surface(square, np.array([[0, 1, 2], [0, 2, 3]])), spacing_mm=0.5)
    wanted = np.random.default_rng(0).uniform(0, 10, (400, 2))
    gaps = np.linalg.norm(wanted[:, None] - points[None, :, :2], axis=2).min(axis=1)
    assert gaps.max() < 1.0
    np.testing.assert_allclose(normals, np.tile([0, 0, 1.0], (len(normals), 1)))


def test_a_surface_far_from_the_vessel_leaves_everything_outside():
    distance = signed_distance(triangulated_sphere(1.0), around([0, 0, 1.0]) + 60.0)
    assert (distance.values == 2.0).all()


def test_an_empty_label_is_named():
    with pytest.raises(ValueError, match="the label is empty"):
        label_surface(Volume(np.zeros((4, 4, 4)), np.eye(4)))


def test_a_label_that_fills_its_grid_is_closed_at_the_border():
    surface = label_surface(Volume(np.ones((6, 6, 6)), np.eye(4)))
    # The border lies half a voxel beyond the outermost voxel centres; corners are rounded.
    np.testing.assert_allclose(surface.points_mm.min(axis=0), -0.5, atol=0.1)
    np.testing.assert_allclose(surface.points_mm.max(axis=0), 5.5, atol=0.1)


def test_cropped_volume_keeps_world_coordinates():
    turn = Rotation.from_rotvec([0.2, 0.4, -0.9]).as_matrix()
    label = digitised(sphere_level(3.0), (8.0, 8.0, 8.0), turn=turn)
    values = np.random.default_rng(0).standard_normal(label.values.shape)
    volume = Volume(values, label.index_to_world)
    clicks = CENTRE_MM + np.array([[0.0, 0, 0], [1.0, 2.0, -1.0]])
    crop = cropped_volume(volume, clicks, margin_mm=2.0)
    assert crop.values.size < 0.5 * values.size
    points = clicks[0] + np.random.default_rng(1).uniform(-1.9, 1.9, (50, 3))
    np.testing.assert_allclose(sampled(crop, points), sampled(volume, points), atol=1e-9)


def test_cropped_volume_outside_the_grid_is_refused():
    volume = Volume(np.zeros((5, 5, 5)), np.eye(4))
    with pytest.raises(ValueError, match=r"no voxel within 2\.0 mm of"):
        cropped_volume(volume, np.array([[50.0, 0.0, 0.0]]), margin_mm=2.0)
