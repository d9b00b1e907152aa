import numpy as np
import pytest

from coreg.centerline import Centerline
from coreg.landmarks import SideBranch
from coreg.validation import branch_errors, lumen_overlap, radius_errors
from coreg.volume import Volume

RADIUS_MM = 2.0
VOXEL_MM = np.array([0.2, 0.2, 0.25])


def tube(first_mm=0.0, last_mm=20.0, radius_mm=RADIUS_MM, *, offset_mm=0.0, spacing_mm=0.5):
    x = np.linspace(first_mm, last_mm, round((last_mm - first_mm) / spacing_mm) + 1)
    points = np.column_stack([x, np.full_like(x, offset_mm), np.zeros_like(x)])
    return Centerline(points, np.broadcast_to(radius_mm, x.shape))


def labelled(inside):
    """Label on a grid around a tube along world +x, axes turned so that slices go along z."""
    shape = (45, 55, 130)
    matrix = np.zeros((4, 4))
    matrix[[0, 1, 2], [2, 1, 0]] = VOXEL_MM
    # No voxel lies on the axis, so that a circle does not meet many at once.
    matrix[:, 3] = [-3.07, -5.47, -5.43, 1.0]
    grid = Volume(np.zeros(shape, dtype=np.uint8), matrix)
    world = grid.to_world(np.indices(shape).reshape(3, -1).T.astype(float))
    return Volume(inside(world).reshape(shape).astype(np.uint8), matrix)


def within(radius_mm, *, last_mm=np.inf):
    return lambda world: (np.hypot(world[:, 1], world[:, 2]) < radius_mm) & (world[:, 0] < last_mm)


def test_the_true_label_has_a_dice_of_one_and_the_volume_of_its_cylinder():
    overlap = lumen_overlap(labelled(within(2.0)), within(2.0), tube())
    assert overlap.dice == 1.0
    # Voxels count whole at the wall and at the ends.
    assert overlap.true_mm3 == pytest.approx(np.pi * 2.0**2 * 20.0, rel=0.02)


@pytest.mark.parametrize("radius_mm", [1.5, 2.4, 2.9])
def test_dice_of_concentric_cylinders_follows_their_areas(radius_mm):
    overlap = lumen_overlap(labelled(within(radius_mm)), within(2.0), tube())
    small, large = sorted((radius_mm, 2.0))
    assert overlap.dice == pytest.approx(2.0 * small**2 / (small**2 + large**2), abs=0.01)


def test_dice_of_a_label_that_ends_early_follows_the_lengths():
    overlap = lumen_overlap(labelled(within(2.0, last_mm=15.0)), within(2.0), tube())
    assert overlap.dice == pytest.approx(2.0 * 15.0 / (15.0 + 20.0), abs=0.01)
    assert overlap.common_mm3 == overlap.found_mm3


def test_only_one_and_a_half_radii_and_the_stretch_between_the_ends_count():
    leak = labelled(lambda world: np.ones(len(world), dtype=bool))
    overlap = lumen_overlap(leak, within(2.0), tube(5.0, 15.0))
    assert overlap.found_mm3 == pytest.approx(np.pi * 3.0**2 * 10.0, rel=0.02)
    assert overlap.dice == pytest.approx(2.0 * 2.0**2 / (2.0**2 + 3.0**2), abs=0.01)


def test_the_region_follows_the_local_radius():
    leak = labelled(lambda world: np.ones(len(world), dtype=bool))
    x = np.linspace(0.0, 20.0, 41)
    cone = tube(radius_mm=1.0 + x / 20.0)
    overlap = lumen_overlap(leak, within(0.5), cone)
    # A truncated cone from 1.5 to 3 mm.
    volume = np.pi * 20.0 / 3.0 * (1.5**2 + 1.5 * 3.0 + 3.0**2)
    assert overlap.found_mm3 == pytest.approx(volume, rel=0.03)


def test_what_belongs_to_a_branch_does_not_count():
    label = labelled(lambda world: within(2.0)(world) & (world[:, 1] < 0.05))
    overlap = lumen_overlap(label, within(2.0), tube(), belonging=lambda world: world[:, 1] < 0.05)
    assert overlap.dice == 1.0
    assert lumen_overlap(label, within(2.0), tube()).dice == pytest.approx(2.0 / 3.0, abs=0.03)


def test_a_region_outside_the_image_is_not_counted_and_an_empty_one_has_no_dice():
    label = labelled(within(2.0))
    half = lumen_overlap(label, within(2.0), tube(13.0, 33.0))
    # The image ends at 22.83 mm.
    assert half.true_mm3 == pytest.approx(np.pi * 2.0**2 * 9.83, rel=0.02)
    assert np.isnan(lumen_overlap(label, within(2.0), tube(100.0, 120.0)).dice)


def test_radius_bias_and_spread_are_those_put_in():
    truth = tube()
    wave = 0.1 + 0.2 * np.sin(2.0 * np.pi * np.linspace(0.0, 20.0, 401) / 5.0)
    found = tube(-1.0, 21.0, 2.0, spacing_mm=0.05)
    inner = (found.points_mm[:, 0] > -0.01) & (found.points_mm[:, 0] < 20.01)
    radius = np.full(len(found.points_mm), 2.0)
    radius[inner] += wave
    errors = radius_errors(Centerline(found.points_mm, radius), truth)
    assert errors.measured_share == 1.0
    assert errors.marked_share == 0.0
    assert errors.bias_mm == pytest.approx(0.1, abs=0.002)
    # A sine's root mean square.
    assert errors.sd_mm == pytest.approx(0.2 / np.sqrt(2.0), abs=0.004)


def test_absolute_error_does_not_cancel():
    radius = np.where(np.arange(41) < 20, 1.7, 2.3)
    radius[20] = 2.0
    errors = radius_errors(tube(radius_mm=radius), tube())
    assert errors.bias_mm == pytest.approx(0.0, abs=1e-6)
    assert errors.absolute_mm == pytest.approx(0.3 * 40.0 / 41.0, abs=1e-6)


def test_radii_are_compared_only_where_the_found_line_runs_inside():
    beside = radius_errors(tube(offset_mm=1.9, radius_mm=2.5), tube())
    assert beside.measured_share == 1.0
    assert beside.bias_mm == pytest.approx(0.5)
    outside = radius_errors(tube(offset_mm=2.1, radius_mm=2.5), tube())
    assert outside.measured_share == 0.0
    assert np.isnan([outside.bias_mm, outside.absolute_mm, outside.sd_mm]).all()
    # Up to 10 mm, and from there less than a radius to its end.
    short = radius_errors(tube(0.0, 10.0), tube())
    assert short.measured_share == pytest.approx(24.0 / 41.0)


def test_marked_share_is_of_the_true_length():
    found = tube(spacing_mm=0.25)
    marked = (found.points_mm[:, 0] > 4.9) & (found.points_mm[:, 0] < 10.1)
    errors = radius_errors(found, tube(), marked=marked)
    np.testing.assert_array_equal(errors.marked, (errors.arc_length_mm > 4.9) & (errors.arc_length_mm < 10.1))
    assert errors.marked_share == pytest.approx(11.0 / 41.0)


def branch(x_mm, radius_mm=1.0, *, y_mm=0.0, probability=1.0):
    place = np.array([x_mm, y_mm, 0.0])
    return SideBranch(f"B{x_mm:g}", world_mm=place, radius_mm=radius_mm, probability=probability)


def test_branches_are_counted_by_hand():
    truth = [branch(5.0), branch(12.0, 0.8), branch(20.0, 0.5), branch(30.0, 0.9)]
    found = [branch(5.5), branch(20.5, 0.8), branch(40.0), branch(30.5, 0.6), branch(12.0, probability=0.4)]
    errors = branch_errors(found, truth)
    # Of 5, 12 and 30 mm, the one at 12 mm was not sure enough; the one at 30 mm was found, if small.
    assert (errors.expected, errors.recalled) == (3, 2)
    # Of 5.5, 20.5 and 40 mm, the last is none; a small one found large is one.
    assert (errors.offered, errors.right) == (3, 2)
    assert errors.recall == errors.precision == pytest.approx(2.0 / 3.0)
    np.testing.assert_allclose(errors.distance_mm, 0.5)


def test_a_branch_found_twice_is_right_once():
    errors = branch_errors([branch(5.0), branch(5.5)], [branch(5.2)])
    assert (errors.recalled, errors.right, errors.offered) == (1, 1, 2)
    np.testing.assert_allclose(errors.distance_mm, 0.2)


def test_as_many_branches_as_possible_are_matched():
    # Nearest first would take 4.9 for 5.0 and leave 6.8 and 3.2 more than 2 mm apart.
    errors = branch_errors([branch(4.9), branch(6.8)], [branch(5.0), branch(3.2)])
    assert errors.recall == errors.precision == 1.0
    np.testing.assert_allclose(np.sort(errors.distance_mm), [1.7, 1.8])


def test_branches_more_than_two_millimetres_apart_do_not_match():
    assert branch_errors([branch(5.0, y_mm=2.01)], [branch(5.0)]).recall == 0.0
    assert branch_errors([branch(5.0, y_mm=1.99)], [branch(5.0)]).recall == 1.0


def test_without_branches_there_is_neither_recall_nor_precision():
    assert np.isnan(branch_errors([branch(5.0)], []).recall)
    assert np.isnan(branch_errors([], [branch(5.0)]).precision)
    assert branch_errors([branch(5.0)], []).precision == branch_errors([], [branch(5.0)]).recall == 0.0


def test_what_cannot_be_compared_is_refused():
    bare = Centerline(tube().points_mm)
    with pytest.raises(ValueError, match="found centerline needs a radius"):
        radius_errors(bare, tube())
    with pytest.raises(ValueError, match="true centerline needs a radius"):
        radius_errors(tube(), bare)
    with pytest.raises(ValueError, match="true centerline needs a radius"):
        lumen_overlap(labelled(within(2.0)), within(2.0), bare)
    with pytest.raises(ValueError, match=r"marked must have shape \(41,\), got \(3,\)"):
        radius_errors(tube(), tube(), marked=np.zeros(3, dtype=bool))
    with pytest.raises(ValueError, match="side branch B9 needs an ostium centre and a radius"):
        branch_errors([SideBranch("B9")], [])
