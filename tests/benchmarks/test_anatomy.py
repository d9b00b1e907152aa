"""Simulated pullbacks in a bent tube with a side branch, whose distance is known analytically."""

from functools import cache

import numpy as np
import pytest
import pyvista as pv
from anatomy_cases import Errors, make_cases, real_folder, simulated
from anatomy_catheter import draw_withdrawal, run_limits
from anatomy_ccta import shown_label
from anatomy_lines import STEP_MM, Vessel, tree_lines
from anatomy_reader import branches_of, closed_mouths
from anatomy_surface import LumenSurface, empty_grid
from scipy.ndimage import distance_transform_edt
from skimage.measure import marching_cubes

from coreg.signed_distance import outward
from coreg.surface import Surface

BEND_MM, RADIUS_MM, LENGTH_MM = 45.0, 1.8, 90.0
BRANCH_AT_MM, BRANCH_RADIUS_MM, BRANCH_LENGTH_MM = 45.0, 0.9, 14.0
SPACING_MM = 0.3


def on_arc(s):
    """Points of the tube's axis: an arc in the xy plane, its tangent, and the outward direction."""
    angle = np.asarray(s) / BEND_MM
    outward = np.stack([np.cos(angle), np.sin(angle), 0.0 * angle], axis=-1)
    return BEND_MM * outward, outward


def main_level(points):
    """Exact distance of points (M, 3) from the tube's wall, away from its ends."""
    return np.hypot(np.hypot(points[:, 0], points[:, 1]) - BEND_MM, points[:, 2]) - RADIUS_MM


def branch_level(points):
    start, _ = on_arc(BRANCH_AT_MM)
    along = np.clip(points[:, 2] - start[2], 0.0, BRANCH_LENGTH_MM)
    return np.linalg.norm(points - start - along[:, None] * np.array([0, 0, 1.0]), axis=1) - BRANCH_RADIUS_MM


def tube_level(points):
    angle = np.arctan2(points[:, 1], points[:, 0]) % (2.0 * np.pi)
    s = np.where(angle > 1.5 * np.pi, angle - 2.0 * np.pi, angle) * BEND_MM
    capped = np.maximum(main_level(points), np.maximum(-s, s - LENGTH_MM))
    return np.minimum(capped, branch_level(points))


@cache
def scene():
    """Surface, main vessel, and the tree that also has the branch."""
    low, high = np.array([-30.0, -3.0, -3.0]), np.array([49.0, 49.0, 16.0])
    axes = [np.arange(a, b, SPACING_MM) for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    level = tube_level(grid.reshape(-1, 3)).reshape(grid.shape[:3])
    vertices, faces, _, _ = marching_cubes(level, 0.0)
    closed = outward(Surface(low + SPACING_MM * vertices, faces.astype(np.int64)))
    cells = np.column_stack([np.full(len(closed.faces), 3), closed.faces])
    surface = LumenSurface(pv.PolyData(closed.points_mm, cells.ravel()))
    line = on_arc(np.arange(0.5, LENGTH_MM - 0.5, STEP_MM))[0]
    trunk = on_arc(np.arange(0.5, BRANCH_AT_MM, STEP_MM))[0]
    up = np.arange(STEP_MM, BRANCH_LENGTH_MM, STEP_MM)[:, None] * np.array([0, 0, 1.0])
    side = np.vstack([trunk, on_arc(BRANCH_AT_MM)[0] + up])
    tree = [Vessel(n, p, -surface.signed_distance_mm(p)) for n, p in (("main", line), ("side", side))]
    return surface, tree[0], tree


@cache
def made(seed, reader_mm=(0.03, 0.05)):
    return simulated(*scene(), seed, errors=Errors(reader_mm=reader_mm))


def in_world(simulation):
    pullback, truth = simulation.case.pullback, simulation.truth
    return {
        frame: truth.to_world(np.full(len(pullback.lumen[frame]), float(row)), pullback.lumen[frame])
        for row, frame in enumerate(truth.frame.tolist())
        if frame in pullback.lumen
    }


def test_surface_tells_exact_distances_and_where_rays_leave_it():
    surface, _, _ = scene()
    at, outward = on_arc(np.array([20.0, 70.0]))
    assert surface.signed_distance_mm(at) == pytest.approx([-RADIUS_MM] * 2, abs=0.02)
    assert surface.first_hit_mm(at, outward, limit_mm=5.0) == pytest.approx([RADIUS_MM] * 2, abs=0.02)
    # From half way to the wall, the way into the lumen is back.
    np.testing.assert_allclose(surface.inward(at + 0.9 * outward), -outward, atol=0.05)
    up = np.array([[0.0, 0.0, 1.0]])
    assert surface.first_hit_mm(on_arc(np.array([BRANCH_AT_MM]))[0], up, limit_mm=5.0) == [5.0]


@pytest.mark.parametrize("seed", [2, 3])
def test_true_poses_carry_contours_onto_the_surface_but_for_uneven_rotation_and_noise(seed):
    worlds = np.vstack(list(in_world(made(seed)).values()))
    away = np.abs(main_level(worlds))[branch_level(worlds) > 1.2]
    # Rays that look some degrees aside miss the wall where the catheter leans on it; the rest is noise.
    assert np.sqrt((away**2).mean()) < 0.12
    assert np.median(away) < 0.05


def test_even_rotation_and_a_perfect_reader_leave_contours_exactly_on_the_wall():
    surface, vessel, tree = scene()
    from anatomy_catheter import Withdrawal, lay_catheter
    from anatomy_reader import outlines

    rng = np.random.default_rng(0)
    catheter = lay_catheter(rng, surface, vessel.line_mm)
    place = np.arange(60.0, 20.0, -0.5)
    still = Withdrawal(60.0 - place, 60.0 - place, 0.02 * place, np.zeros((len(place), 2, 2)))
    origin, column, row = poses = catheter.poses(place, still.turn_rad)
    contours = outlines(rng, surface, branches_of(vessel, tree), poses, still, noise_mm=0.0)
    worlds = np.vstack([origin[i] + xy @ np.stack([column[i], row[i]]) for i, xy in contours.items()])
    assert len(contours) < len(place)
    clear = branch_level(worlds) > 1.2
    assert np.abs(main_level(worlds))[clear].max() < 0.03


def test_catheter_keeps_its_clearance_and_cuts_the_bend():
    simulation = made(2)
    origin = simulation.truth.origin_mm
    assert main_level(origin).max() < -0.3
    # The shorter way round lies on the inner side of the arc.
    assert np.hypot(origin[:, 0], origin[:, 1]).mean() < BEND_MM


def test_images_stand_across_the_catheters_path_and_look_distally():
    truth = made(2).truth
    np.testing.assert_allclose(np.einsum("ij,ij->i", truth.column, truth.row), 0.0, atol=1e-9)
    place = truth.origin_mm
    angle = np.arctan2(place[:, 1], place[:, 0])
    distally = np.stack([-np.sin(angle), np.cos(angle), 0.0 * angle], axis=1)
    cosine = np.einsum("ij,ij->i", truth.plane_normal, distally)
    assert cosine.min() > np.cos(np.radians(25.0))


def test_path_frames_do_not_turn_about_the_path():
    simulation = made(2)
    place = np.linspace(1.0, simulation.catheter.length_mm - 1.0, 400)
    _, column, row = simulation.catheter.poses(place, np.zeros(400))
    # The part of each axis' change that lies along the other is its turn.
    turned = np.degrees(np.einsum("ij,ij->i", np.diff(column, axis=0), row[1:]).sum())
    assert abs(turned) < 0.5


@pytest.mark.parametrize("beating", [True, False])
def test_catheters_run_back_over_what_they_have_seen_stick_and_leap(beating):
    for seed in range(5):
        pitch = 0.2 if beating else 0.5
        run = draw_withdrawal(np.random.default_rng(seed), 60.0, pitch_mm=pitch, beating=beating)
        steps = np.diff(run.withdrawn_mm)
        assert (steps < -0.1).any()
        assert steps.max() > 0.3 + pitch
        assert abs(run.withdrawn_mm[-1] - 60.0) < 0.15 * 60.0 + 4.0
        # Rotation drifts and jumps; within frames it is uneven by some degrees, of no mean.
        assert np.degrees(np.abs(np.diff(run.turn_rad)).max()) > 5.0
        shown = np.radians(np.arange(0.0, 360.0, 3.0))
        uneven = np.degrees(run.true_angles(shown) - shown)
        assert np.abs(uneven.mean(axis=1)).max() < 1e-9
        assert 0.5 < uneven.std() < 6.0


def test_same_seed_makes_the_same_case_and_another_seed_another():
    first, again, other = made(3), simulated(*scene(), 3), made(2)
    for a, b in zip(first.case.pullback.lumen.values(), again.case.pullback.lumen.values(), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(first.case.lumen.values, again.case.lumen.values)
    np.testing.assert_array_equal(first.truth.origin_mm, again.truth.origin_mm)
    assert len(first.truth) != len(other.truth)


def test_landmark_of_the_side_branch_shows_its_mouth_at_its_ray():
    # The mouth is where the branch's axis leaves the tube, to half a millimetre of the line's step.
    mouth = on_arc(BRANCH_AT_MM)[0] + np.array([0.0, 0.0, RADIUS_MM])
    found = 0
    for seed in (2, 3):
        simulation = made(seed)
        for landmark in simulation.case.landmarks:
            found += 1
            assert np.linalg.norm(landmark.world_mm - mouth) < 0.8
            ray = landmark.radius_mm * np.array([np.cos(landmark.angle_rad), np.sin(landmark.angle_rad)])
            row = np.interp(
                landmark.frame, simulation.truth.frame[::-1], np.arange(len(simulation.truth))[::-1]
            )
            world = simulation.truth.to_world(np.array([row]), ray[None])[0]
            assert np.linalg.norm(world - landmark.world_mm) < 0.05
    assert found


def test_outlines_bulge_about_a_millimetre_into_branches():
    # No contour goes up the branch's 14 mm; some go in.
    for seed in (2, 3):
        worlds = np.vstack(list(in_world(made(seed)).values()))
        inside = main_level(worlds)[branch_level(worlds) < 0.3]
        assert inside.max() < 1.7
    assert inside.max() > 0.3


def test_closed_mouths_leave_round_walls_alone_and_cut_open_rays():
    radii, open_ = np.full((2, 120), 1.5), np.zeros((2, 120), dtype=bool)
    radii[1, 40:50], open_[1, 40:50] = 5.0, True
    closed = closed_mouths(radii, open_, bulge_mm=1.0)
    np.testing.assert_array_equal(closed[0], radii[0])
    assert closed[1].max() == pytest.approx(2.5, abs=0.01)
    np.testing.assert_allclose(closed[1, np.r_[0:34, 56:120]], 1.5)


def test_label_has_the_volume_of_the_surface_and_grows_with_the_radius_scale():
    surface, vessel, tree = scene()
    volumes = []
    for scale in (0.9, 1.0, 1.1):
        rng = np.random.default_rng(1)
        label = shown_label(rng, surface, vessel, tree, radius_scale=scale, error_mm=0.0)
        volumes.append(label.values.sum(dtype=float) * np.prod(label.spacing_mm))
    tube = np.pi * RADIUS_MM**2 * LENGTH_MM
    branch = np.pi * BRANCH_RADIUS_MM**2 * (MARGIN_SEEN_MM - RADIUS_MM)
    assert volumes[1] == pytest.approx(tube + branch, rel=0.03)
    assert volumes[0] / volumes[1] == pytest.approx(0.81, abs=0.03)
    assert volumes[2] / volumes[1] == pytest.approx(1.21, abs=0.03)


# The label reaches 6 mm past the main vessel's axis.
MARGIN_SEEN_MM = 6.0


def test_lines_are_found_from_a_label_to_the_ends_of_vessel_and_branch():
    surface, _, _ = scene()
    grid = empty_grid(np.array([-30.0, -3.0, -3.0]), np.array([49.0, 49.0, 16.0]), (0.5, 0.5, 0.5))
    inside = surface.inside(grid)
    depth = distance_transform_edt(inside, sampling=0.5)
    centres = np.indices(inside.shape).reshape(3, -1).T
    world = grid.to_world(centres.astype(float)).reshape(*inside.shape, 3)
    # What stands for the aorta is a ball at the tube's first end.
    aorta = np.linalg.norm(world - on_arc(0.0)[0], axis=-1) < 3.0
    lines = tree_lines(grid, inside & ~aorta, depth, aorta)
    assert len(lines) == 2
    ends = np.array([line[-1] for line in lines])
    tips = np.array([on_arc(LENGTH_MM)[0], on_arc(BRANCH_AT_MM)[0] + [0, 0, BRANCH_LENGTH_MM]])
    assert np.linalg.norm(ends - tips, axis=1).max() < 3.0
    # The farthest voxel lies in a corner of the end; before it lines run in the middle.
    for line in (each[:-5] for each in lines):
        assert (
            np.minimum(np.abs(main_level(line) + RADIUS_MM), branch_level(line) + BRANCH_RADIUS_MM).max()
            < 1.0
        )


def test_runs_keep_off_both_ends_and_narrow_places():
    line = np.column_stack([0.5 * np.arange(201), np.zeros(201), np.zeros(201)])
    radius = np.full(201, 1.5)
    assert run_limits(Vessel("wide", line, radius)) == (4.0, 94.0)
    radius[120:] = 0.4
    assert run_limits(Vessel("narrow", line, radius)) == (4.0, 59.5)


def test_absent_real_data_are_said(monkeypatch, tmp_path):
    monkeypatch.setenv("COREG_REAL_DATA", str(tmp_path))
    assert real_folder() is None
    with pytest.raises(FileNotFoundError, match="set COREG_REAL_DATA"):
        next(make_cases(1, 0))


@pytest.mark.slow
def test_true_poses_carry_contours_onto_the_real_surface(real_data):
    folder = real_data / "anomalous-rca"
    surface = LumenSurface(pv.read(folder / "ccta_surface.stl").triangulate().clean())
    name, case, truth = next(make_cases(1, 0, folder=folder))
    worlds = np.vstack(
        [
            truth.to_world(np.full(len(case.pullback.lumen[frame]), float(row)), case.pullback.lumen[frame])
            for row, frame in enumerate(truth.frame.tolist())
            if frame in case.pullback.lumen
        ]
    )
    assert np.median(np.abs(surface.signed_distance_mm(worlds))) < 0.06, name
