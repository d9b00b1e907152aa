from collections import Counter

import numpy as np
import pytest
from scipy.spatial import cKDTree

from coreg.ccta_vessel import CctaVessel
from coreg.centerline import Centerline
from coreg.landmarks import SideBranch
from coreg.segmentation.lumen_label import lumen_label, lumen_level, lumen_surface, wall_label, wall_level
from coreg.volume import Volume

ANGLE = 2.0 * np.pi * np.arange(36) / 36
FINE_MM = (0.2, 0.17, 0.15)
LUMEN_MM, WALL_MM, BRANCH_MM = 1.5, 0.8, 0.9
BRANCH_REACH_MM = 7.0


def arc(length_mm=24.0, radius_mm=15.0):
    angle = np.linspace(0.0, length_mm / radius_mm, round(length_mm / 0.5) + 1)
    return radius_mm * np.column_stack([1.0 - np.cos(angle), 0.0 * angle, np.sin(angle)])


def made(points, lumen_mm, *, branch=False):
    table = np.broadcast_to(lumen_mm, (len(points), 36))
    side, lines = (), ()
    if branch:
        middle = points[len(points) // 2]
        course = middle + np.linspace(0.0, BRANCH_REACH_MM, 15)[:, None] * [0.0, 1.0, 0.0]
        lines = (Centerline(course, np.full(15, BRANCH_MM)),)
        side = (SideBranch("B1", middle + np.array([0.0, LUMEN_MM, 0.0])),)
    return CctaVessel(
        Centerline(points, np.sqrt((table**2).mean(axis=1))),
        table,
        table + WALL_MM,
        np.zeros_like(table),
        np.ones(len(points)),
        ("",) * len(points),
        np.ones(len(points)),
        side,
        lines,
    )


def grid_around(vessel, spacing_mm=(0.3, 0.27, 0.25), margin_mm=4.0):
    points = np.vstack([vessel.centerline.points_mm, *(each.points_mm for each in vessel.branch_lines)])
    low, high = points.min(axis=0) - margin_mm, points.max(axis=0) + margin_mm
    matrix = np.eye(4)
    matrix[:3, :3] = np.eye(3)[:, ::-1] * spacing_mm
    matrix[:3, 3] = low
    shape = np.ceil((high - low)[::-1] / spacing_mm).astype(int) + 1
    return Volume(np.zeros(shape, dtype=np.int16), matrix)


def volume_mm3(label):
    return label.values.sum(dtype=int) * np.prod(label.spacing_mm)


def enclosed_mm3(surface):
    """Positive where the faces look outwards."""
    a, b, c = (surface.points_mm[surface.faces[:, i]] - surface.points_mm[0] for i in range(3))
    return np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6.0


@pytest.fixture(scope="module", params=["round", "elliptic", "tapered"])
def tube(request):
    """A bent vessel and its volume: by Pappus the area of the section times the way of its centre."""
    points = arc()
    if request.param == "round":
        return made(points, LUMEN_MM), np.pi * LUMEN_MM**2 * 24.0
    if request.param == "elliptic":
        a, b = 2.0, 1.2
        # Half axes along normal and binormal; the moving frame of a plane curve does not twist.
        return made(points, a * b / np.hypot(b * np.cos(ANGLE), a * np.sin(ANGLE))), np.pi * a * b * 24.0
    radius = np.linspace(2.0, 1.0, len(points))[:, None]
    return made(points, radius), np.pi * 24.0 * (4.0 + 2.0 + 1.0) / 3.0


@pytest.fixture(scope="module")
def forked():
    return made(arc(), LUMEN_MM, branch=True)


def test_label_has_the_volume_of_the_tube(tube):
    vessel, expected_mm3 = tube
    label = lumen_label(vessel, grid_around(vessel, FINE_MM), branches=False)
    assert volume_mm3(label) == pytest.approx(expected_mm3, rel=0.02)
    assert volume_mm3(label) == pytest.approx(vessel.volume_mm3, rel=0.02)


def test_label_has_the_voxels_whose_centres_lie_in_a_bent_tube():
    vessel = made(arc(), LUMEN_MM)
    grid = grid_around(vessel)
    x, y, z = grid.to_world(np.argwhere(np.ones(grid.values.shape, dtype=bool)).astype(float)).T
    angle = np.arctan2(z, 15.0 - x)
    inside = np.hypot(np.hypot(15.0 - x, z) - 15.0, y) < LUMEN_MM
    inside &= (angle >= 0.0) & (angle <= 24.0 / 15.0)
    label = lumen_label(vessel, grid, branches=False).values.ravel() > 0
    # Only centres within a micrometre or so of the wall may fall on its other side.
    assert (label != inside).sum() < 1e-3 * inside.sum()


def test_surface_has_the_volume_of_the_tube(tube):
    vessel, expected_mm3 = tube
    # Its flat ends are rounded to a part of its voxels.
    assert enclosed_mm3(lumen_surface(vessel)) == pytest.approx(expected_mm3, rel=0.03)


def test_outer_wall_has_the_volume_of_the_wider_tube(forked):
    grid = grid_around(forked)
    wall = wall_label(forked, grid)
    assert volume_mm3(wall) == pytest.approx(np.pi * (LUMEN_MM + WALL_MM) ** 2 * 24.0, rel=0.02)
    lumen = lumen_label(forked, grid, branches=False)
    assert (wall.values[lumen.values > 0] == 1).all()


def test_labels_lie_on_the_grid_of_the_image_as_zeros_and_ones(forked):
    grid = grid_around(forked)
    for label in (lumen_label(forked, grid, branches=True), wall_label(forked, grid)):
        np.testing.assert_array_equal(label.index_to_world, grid.index_to_world)
        assert label.values.shape == grid.values.shape
        assert label.values.dtype == np.uint8
        assert set(np.unique(label.values)) == {0, 1}


@pytest.mark.parametrize("branches", [False, True])
def test_voxels_are_labelled_by_the_level_of_their_centres(forked, branches):
    grid = grid_around(forked)
    label = lumen_label(forked, grid, branches=branches)
    index = np.argwhere(np.ones(grid.values.shape, dtype=bool))[::7]
    inside = lumen_level(forked, grid.to_world(index.astype(float)), branches=branches) < 0.0
    np.testing.assert_array_equal(label.values[tuple(index.T)] == 1, inside)


def test_branch_belongs_to_the_lumen_as_far_as_it_was_followed_where_wanted(forked):
    middle = forked.branch_lines[0].points_mm[0]
    world = middle + np.array(
        [[0.0, 4.0, 0.0], [0.0, 4.0, BRANCH_MM + 0.2], [0.0, BRANCH_REACH_MM + 0.4, 0.0]]
    )
    with_branch = lumen_level(forked, world, branches=True)
    np.testing.assert_allclose(with_branch[:2], [-BRANCH_MM, 0.2], atol=0.02)
    assert with_branch[2] > 0.0
    assert (lumen_level(forked, world, branches=False) > 2.0).all()
    assert (wall_level(forked, world) > 1.0).all()
    grid = grid_around(forked)
    more = volume_mm3(lumen_label(forked, grid, branches=True)) - volume_mm3(
        lumen_label(forked, grid, branches=False)
    )
    # The branch's cylinder beyond the vessel, to which its axis is a tangent plane's normal.
    assert more == pytest.approx(np.pi * BRANCH_MM**2 * (BRANCH_REACH_MM - LUMEN_MM), rel=0.1)


def test_surface_is_closed_and_looks_outwards(forked):
    surface = lumen_surface(forked)
    edges = Counter(
        (int(a), int(b)) for face in surface.faces for a, b in zip(face, np.roll(face, -1), strict=True)
    )
    # Every edge belongs to two faces, which run along it in opposite directions.
    assert set(edges.values()) == {1}
    assert all((b, a) in edges for a, b in edges)
    assert enclosed_mm3(surface) > 0.0


def test_surface_lies_on_the_lumens_wall(forked):
    points = lumen_surface(forked).points_mm
    line = forked.centerline
    s = line.nearest_arc_length(points)
    between = (s > 1.0) & (s < line.arc_length_mm[-1] - 1.0) & (points[:, 1] < BRANCH_REACH_MM - 1.0)
    level = lumen_level(forked, points[between], branches=True)
    # A sixth of the surface's own voxels, but for the sharp edge of the branch's mouth.
    assert np.percentile(np.abs(level), 99) < 0.05
    assert np.abs(level).max() < 0.2


def test_label_and_surface_agree(forked):
    label = lumen_label(forked, grid_around(forked), branches=True)
    assert volume_mm3(label) == pytest.approx(enclosed_mm3(lumen_surface(forked)), rel=0.03)
    inside = label.to_world(np.argwhere(label.values).astype(float))
    gap, _ = cKDTree(inside).query(lumen_surface(forked).points_mm)
    # The nearest labelled voxel is never more than its diagonal away.
    assert gap.max() < 0.5


def test_surface_can_be_that_of_the_vessel_alone(forked):
    alone = lumen_surface(forked, branches=False)
    assert alone.points_mm[:, 1].max() < LUMEN_MM + 0.1
    assert lumen_surface(forked).points_mm[:, 1].max() == pytest.approx(BRANCH_REACH_MM, abs=0.3)


def test_grid_that_does_not_reach_the_vessel_stays_empty(forked):
    grid = grid_around(forked)
    matrix = grid.index_to_world.copy()
    matrix[0, 3] += 300.0
    assert not lumen_label(forked, Volume(grid.values, matrix), branches=True).values.any()
