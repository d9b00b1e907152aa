"""Lumens against a surface whose distance is known, and synthetic patients moved from their truth."""

from functools import cache

import numpy as np
import pytest
import torch

from coreg.case import Case
from coreg.catheter_path import VirtualCatheterPath
from coreg.centerline import VesselTree
from coreg.phantom import PhantomSettings, make_patient, preset
from coreg.registration.by_hand import Adjustment, adjusted, lumen_centres
from coreg.registration.likeness import Likeness, best_nearby
from coreg.registration.scene import prepare_scene
from coreg.registration.vessel import sample
from coreg.settings import RegistrationSettings
from coreg.volume import Volume

RADIUS_MM, COUNT = 1.7, 30
TYPICAL = PhantomSettings()
# Of typical patients: outlines and labels that each err by some 0.15 mm.
LABEL_ERROR_MM = 0.25


@cache
def scene_of(seed, settings=TYPICAL):
    made = make_patient(seed, settings=settings)
    return made, prepare_scene(made.case, RegistrationSettings(), torch.device("cpu"))


def moved_truth(seed, adjustment):
    made, scene = scene_of(seed)
    centres = lumen_centres(made.truth, made.case.pullback)
    return adjusted(made.truth, scene.centerline, centres, adjustment), scene, centres


def round_tube(spacing_mm=0.1):
    """Exact distance from a round tube along +z, on a fine grid."""
    shape = (int(20.0 / spacing_mm), int(8.0 / spacing_mm), int(8.0 / spacing_mm))
    matrix = np.zeros((4, 4))
    matrix[[2, 1, 0], [0, 1, 2]] = spacing_mm
    matrix[:, 3] = [-4.0, -4.0, 0.0, 1.0]
    y, x = np.indices(shape[1:]) * spacing_mm - 4.0
    return Volume(np.broadcast_to(np.hypot(x, y) - RADIUS_MM, shape), matrix)


def circles(radius_mm, points=64):
    angles = 2.0 * np.pi * np.arange(points) / points
    return np.tile(radius_mm * np.column_stack([np.cos(angles), np.sin(angles)]), (COUNT, 1, 1))


def likeness_of_circles(radius_mm, *, on_wall=True):
    points = circles(radius_mm)
    wall = np.full(points.shape[:2], on_wall)
    radius = np.full(COUNT, radius_mm)
    return Likeness(COUNT, np.arange(COUNT), points, wall, radius, round_tube(), 0.0, 20.0)


def straight_path(off_mm=0.0):
    origin = np.column_stack([np.full(COUNT, off_mm), np.zeros(COUNT), np.linspace(2.0, 18.0, COUNT)])
    column, row = np.tile([1.0, 0.0, 0.0], (COUNT, 1)), np.tile([0.0, 1.0, 0.0], (COUNT, 1))
    origin[3] = np.nan
    frame, filler = np.arange(COUNT)[::-1], np.zeros(COUNT)
    return VirtualCatheterPath(
        frame,
        np.arange(COUNT)[::-1] * 0.5,
        filler,
        filler,
        origin,
        column,
        row,
        np.isfinite(origin[:, 0]),
        ("",) * COUNT,
    )


def test_circles_of_another_radius_differ_by_the_difference():
    residual = likeness_of_circles(1.5).residual_mm(straight_path(), radius_scale=1.0)
    assert np.isnan(residual[3])
    # 0.1 mm voxels; linear between them is off by h^2 / 8 r.
    np.testing.assert_allclose(np.delete(residual, 3), 0.2, atol=0.002)


def test_circles_off_the_axis_differ_as_geometry_says():
    angles = 2.0 * np.pi * np.arange(64) / 64
    away = np.hypot(0.4 + 1.7 * np.cos(angles), 1.7 * np.sin(angles)) - RADIUS_MM
    likeness = likeness_of_circles(1.7)
    overall = likeness.overall_mm(straight_path(0.4), radius_scale=1.0)
    assert overall == pytest.approx(np.sqrt(np.mean(away**2)), abs=0.002)


def test_the_radius_scale_takes_a_difference_in_size_away():
    scale = RADIUS_MM / 1.6
    overall = likeness_of_circles(1.6).overall_mm(straight_path(), radius_scale=scale)
    # log(s) r = 0.097 in place of 0.1 mm.
    assert overall == pytest.approx(0.1 - 1.6 * np.log(scale), abs=0.002)


def test_a_lumen_that_leaves_the_field_of_view_inside_the_vessel_is_no_misfit():
    path = straight_path()
    assert likeness_of_circles(1.5, on_wall=False).overall_mm(path, radius_scale=1.0) == 0.0
    assert likeness_of_circles(1.9, on_wall=False).overall_mm(path, radius_scale=1.0) > 0.19


def test_a_path_of_another_pullback_is_refused():
    likeness = likeness_of_circles(1.5)
    other = scene_of(3)[0].truth
    with pytest.raises(ValueError, match=f"path has {len(other)} frames, but the pullback has {COUNT}"):
        likeness.residual_mm(other, radius_scale=1.0)


def test_images_that_look_proximally_are_compared_as_they_are_stored(tube):
    z = np.arange(14.0, 44.0, 0.5)
    views = {}
    for view, flip in (("looking-distal", 1.0), ("looking-proximal", -1.0)):
        pullback = tube.pullback(z, view=view)
        if flip < 0.0:
            pullback = tube.pullback(z, view=view).mirrored()
        case = Case("tube", tube.label(), pullback, VesselTree((tube.centerline(),)))
        likeness = Likeness.of(prepare_scene(case, RegistrationSettings(), tube.cpu))
        origin = np.column_stack([np.zeros_like(z), np.zeros_like(z), z])
        column = np.tile([1.0, 0.0, 0.0], (len(z), 1))
        row = np.tile([0.0, flip, 0.0], (len(z), 1))
        views[view] = likeness.residual_of(origin, column, row, log_scale=0.0)
        wrong = likeness.residual_of(origin, column, -row, log_scale=0.0)
        assert views[view].mean() < 0.1 < wrong.mean()
    np.testing.assert_allclose(views["looking-distal"], views["looking-proximal"], atol=1e-9)


def test_the_truth_of_a_clean_patient_is_met_to_less_than_a_voxel():
    made, scene = scene_of(3, preset("clean"))
    assert Likeness.of(scene).overall_mm(made.truth, radius_scale=1.0) < 0.1


@pytest.mark.parametrize("seed", [3, pytest.param(0, marks=pytest.mark.slow)])
def test_the_truth_is_met_to_the_labels_error_and_better_than_what_is_moved_from_it(seed):
    truth, scene, _ = moved_truth(seed, Adjustment())
    likeness = Likeness.of(scene)
    true_mm = likeness.overall_mm(truth, radius_scale=1.0)
    assert true_mm < LABEL_ERROR_MM
    for move in (
        Adjustment(shift_mm=1.4),
        Adjustment(shift_mm=-1.4),
        Adjustment(turn_rad=0.7),
        Adjustment(turn_rad=-0.7),
        Adjustment(mirrored=True),
    ):
        assert likeness.overall_mm(moved_truth(seed, move)[0], radius_scale=1.0) > true_mm + 0.01


@pytest.mark.parametrize("seed", [3, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (0, 1, 2))])
@pytest.mark.parametrize(("frames", "degrees"), [(7, 40), (-7, 40)])
def test_a_move_of_seven_frames_and_forty_degrees_is_undone(seed, frames, degrees):
    turn = np.radians(degrees)
    path, scene, centres = moved_truth(seed, Adjustment(shift_mm=0.2 * frames, turn_rad=turn))
    found = best_nearby(Likeness.of(scene), path, scene.centerline, centres, Adjustment(), radius_scale=1.0)
    assert found.adjustment.shift_mm == pytest.approx(-0.2 * frames, abs=0.5)
    assert found.adjustment.turn_rad == pytest.approx(-turn, abs=np.radians(10.0))
    assert found.overall_mm < LABEL_ERROR_MM


def test_looking_nearby_keeps_stretch_and_mirror_and_stays_within_reach():
    given = Adjustment(shift_mm=2.0, stretch=1.05, mirrored=True)
    path, scene, centres = moved_truth(3, Adjustment())
    near = best_nearby(
        Likeness.of(scene),
        path,
        scene.centerline,
        centres,
        given,
        radius_scale=1.0,
        shift_mm=0.5,
        turn_rad=0.1,
    )
    assert near.adjustment.stretch == 1.05
    assert near.adjustment.mirrored
    assert abs(near.adjustment.shift_mm - 2.0) <= 0.5 + 1e-9
    assert abs(near.adjustment.turn_rad) <= 0.1 + 1e-9
    with pytest.raises(ValueError, match=r"must be positive, got 0.0 and 0.1"):
        best_nearby(
            Likeness.of(scene),
            path,
            scene.centerline,
            centres,
            given,
            radius_scale=1.0,
            shift_mm=0.0,
            turn_rad=0.1,
        )


@pytest.mark.parametrize(("moved_mm", "beyond"), [(0.2, False), (1.0, True)])
def test_a_best_place_at_the_edge_of_what_was_looked_at_says_so(moved_mm, beyond):
    path, scene, centres = moved_truth(3, Adjustment(shift_mm=moved_mm))
    near = best_nearby(
        Likeness.of(scene),
        path,
        scene.centerline,
        centres,
        Adjustment(),
        radius_scale=1.0,
        shift_mm=0.5,
        turn_rad=0.3,
    )
    assert near.at_edge is beyond


def test_thinning_keeps_what_belongs_together():
    _, scene = scene_of(3)
    whole = Likeness.of(scene)
    some = whole.thinned(frames=60, points=12)
    assert 50 <= len(some.row) <= 75
    assert some.points_mm.shape[1] == 12
    at = np.searchsorted(whole.row, some.row)
    np.testing.assert_array_equal(some.points_mm[:, 1], whole.points_mm[at, 4])
    np.testing.assert_array_equal(some.radius_mm, whole.radius_mm[at])
    assert sample(some.distance, scene.vessel.points_mm[200:201])[0] < 0.0
