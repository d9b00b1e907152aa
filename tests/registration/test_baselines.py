"""Methods to compare with, on the straight tube, whose frames lie where they were cut."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from coreg.case import Case
from coreg.centerline import VesselTree
from coreg.registration import register
from coreg.registration.baselines import Baseline
from coreg.registration.bspline import FreeForm, free_form, inverted, rigid_fits
from coreg.registration.dynamic_programming import DynamicProgramming, dynamic_programmed
from coreg.registration.global_start import Start
from coreg.registration.observations import observe
from coreg.registration.placement import axial_functions, rigid_functions
from coreg.registration.radial_costs import turn_costs
from coreg.registration.scene import Scene
from coreg.registration.straightened import StraightGrid, contour_distance_mm, extended
from coreg.registration.time_warping import TimeWarping, time_warped
from coreg.settings import RegistrationSettings

FIRST_MM = 12.0
DEPTH_MM = np.arange(0.0, 30.01, 0.3)
# A motor that runs slow, then fast: half a millimetre off on average, 0.8 mm at most.
PLACE_MM = FIRST_MM + DEPTH_MM + 0.8 * np.sin(2.0 * np.pi * DEPTH_MM / 24.0)
TURN_RAD = np.radians(60.0 + 20.0 * np.sin(2.0 * np.pi * DEPTH_MM / 20.0))
# The tube's wall is as clean as it gets: less evidence may move a frame than in patients.
CHEAP = 3e-4
START = Start(FIRST_MM, 1.0, np.radians(60.0), 0.0, 0.0, 0.0)


@pytest.fixture(scope="module")
def scene_of(tube, vessel, tensors):
    """Scene of a pullback whose frames lie at given places, turned by given angles."""

    def made(place_mm, turn_rad, **extra):
        images = tube.pullback(place_mm, turn_rad=turn_rad, **extra)
        images = replace(images, position_mm=DEPTH_MM.max() - DEPTH_MM)
        case = Case("tube", tube.label(), images, VesselTree((tube.centerline(),)))
        seen = observe(images, points=48, correlation_mm2=3.0)
        return Scene(case, RegistrationSettings(), tube.cpu, tube.centerline(), vessel, tensors, seen)

    return made


def errors(scene, functions, place_mm, turn_rad, frames=slice(None)):
    """Mean absolute errors in mm and degrees."""
    true_mm = np.interp(place_mm, scene.vessel.points_mm[:, 2], scene.vessel.arc_length_mm)
    turn = np.angle(np.exp(1j * (functions[1] - turn_rad)))
    return np.abs(functions[0] - true_mm)[frames].mean(), np.degrees(np.abs(turn)[frames].mean())


def test_time_warping_finds_a_change_of_speed_and_then_the_rotation(scene_of):
    scene = scene_of(PLACE_MM, TURN_RAD)
    found = time_warped(scene, START, TimeWarping(speed_price=CHEAP, turn_price=10.0 * CHEAP))
    away, turned = errors(scene, found.functions, PLACE_MM, TURN_RAD)
    assert errors(scene, rigid_functions(START, scene.seen, DEPTH_MM), PLACE_MM, TURN_RAD)[0] > 0.45
    assert away < 0.2
    # Rotations are tried every 2 degrees and smoothed over 1 mm.
    assert turned < 3.0


def test_dynamic_programming_finds_place_and_rotation_at_once(scene_of):
    scene = scene_of(PLACE_MM, TURN_RAD)
    found = dynamic_programmed(scene, START, DynamicProgramming(speed_price=CHEAP, turn_price=10.0 * CHEAP))
    away, turned = errors(scene, found.functions, PLACE_MM, TURN_RAD)
    assert away < 0.2
    assert turned < 3.5


@pytest.mark.parametrize("place", [time_warped, dynamic_programmed])
def test_where_steps_are_dear_the_start_stays(scene_of, place):
    dear = {time_warped: TimeWarping, dynamic_programmed: DynamicProgramming}[place]
    scene = scene_of(PLACE_MM, TURN_RAD)
    found = place(scene, START, dear(frame_mm=0.6, place_mm=0.2, turns=72, speed_price=1e3, turn_price=1e3))
    speed, twist = np.ptp(np.diff(found.functions[:2] / np.diff(DEPTH_MM).mean()), axis=1)
    assert speed < 1e-9
    assert twist < 1e-9


@pytest.mark.parametrize("place", [time_warped, dynamic_programmed])
def test_frames_without_a_contour_at_the_ends_follow_the_start(scene_of, place):
    scene = scene_of(PLACE_MM, TURN_RAD)
    images = scene.case.pullback
    inner = {frame: images.lumen[frame] for frame in sorted(images.lumen)[10:-10]}
    images = replace(images, lumen=inner)
    seen = observe(images, points=48, correlation_mm2=3.0)
    found = place(replace(scene, case=replace(scene.case, pullback=images), seen=seen), START)
    np.testing.assert_allclose(np.diff(found.functions[0, :10]), np.diff(DEPTH_MM[:10]))
    np.testing.assert_allclose(np.diff(found.functions[0, -10:]), np.diff(DEPTH_MM[-10:]))


def test_a_free_form_comes_back_from_a_start_that_is_off(scene_of):
    place, turn = FIRST_MM + DEPTH_MM, np.full(len(DEPTH_MM), np.radians(60.0))
    scene = scene_of(place, turn)
    start = axial_functions(place + 0.6, turn + np.radians(8.0))
    stiff = FreeForm(mesh_mm=10.0, mesh_across=1, share=0.1, width_mm=1.0, iterations=30)
    found = free_form(scene, start, 0.0, stiff)
    inner = slice(10, -10)
    away, turned = errors(scene, found.functions, place, turn, inner)
    assert away < 0.15
    # The tube is nearly round in places: a spline without a prior leaves some of the turn.
    assert turned < 5.0
    # Catheter and axis both lie in the middle.
    assert np.abs(found.functions[2:4, inner]).mean() < 0.05


@pytest.mark.slow
def test_a_free_form_follows_a_change_of_speed(scene_of):
    scene = scene_of(PLACE_MM, np.full(len(DEPTH_MM), np.radians(60.0)))
    start = rigid_functions(START, scene.seen, DEPTH_MM)
    found = free_form(scene, start, 0.0, FreeForm(mesh_mm=6.0, iterations=40))
    away, turned = errors(scene, found.functions, PLACE_MM, np.radians(60.0), slice(10, -10))
    assert away < 0.2
    assert turned < 5.0


@pytest.mark.parametrize("method", ["dtw", "dp", pytest.param("bspline", marks=pytest.mark.slow)])
def test_a_registration_names_its_method_and_asks_for_review(tube, method):
    images = tube.pullback(FIRST_MM + np.arange(0.0, 30.0, 0.5), turn_rad=np.radians(60.0))
    case = Case("tube", tube.label(), images, VesselTree((tube.centerline(),)))
    told = []
    result = register(case, method=method, device="cpu", progress=lambda stage, share: told.append(stage))
    away = np.abs(result.path.origin_mm[:, 2] - (FIRST_MM + np.arange(0.0, 30.0, 0.5)))
    assert away.mean() < 0.3
    assert result.verdict == "review"
    assert "baseline" in result.reasons[0]
    assert result.settings["method"] == method
    assert list(result.costs) == [method]
    assert method in told
    assert np.nanmedian(result.residual_mm) < 0.2


def test_a_method_or_device_that_is_not_there_is_refused(tube):
    images = tube.pullback(FIRST_MM + np.arange(0.0, 10.0, 1.0))
    case = Case("tube", tube.surface(), images, VesselTree((tube.centerline(),)))
    with pytest.raises(ValueError, match="got 'affine'"):
        register(case, method="affine", device="cpu")
    for method in get_args(Baseline):
        with pytest.raises(RuntimeError, match="tpu"):
            register(case, method=method, device="tpu")


def test_a_turned_profile_costs_nothing_at_its_turn():
    angles = 2.0 * np.pi * np.arange(72) / 72
    wave = lambda angle: np.cos(angle) + 0.5 * np.sin(3.0 * angle)  # noqa: E731
    cost = turn_costs(wave(angles), wave(angles - np.radians(34.0)), 180)
    assert int(cost.argmin()) == 17
    assert cost[17] == pytest.approx(0.0, abs=1e-12)
    direct = ((wave(angles - np.radians(34.0) + np.radians(50.0)) - wave(angles)) ** 2).mean()
    assert cost[25] == pytest.approx(direct)


def test_distances_to_a_circle_are_those_from_its_centre():
    angles = np.linspace(0.0, 2.0 * np.pi, 400, endpoint=False)
    circle = 1.5 * np.column_stack([np.cos(angles), np.sin(angles)])
    points = np.random.default_rng(3).uniform(-2.5, 2.5, (200, 2))
    for contour in (circle, circle[::-1]):
        found = contour_distance_mm(contour, points)
        np.testing.assert_allclose(found, np.linalg.norm(points, axis=1) - 1.5, atol=1e-3)


def test_rigid_fits_undo_a_turn_and_a_shift():
    rng = np.random.default_rng(5)
    points, turn, shift = rng.normal(size=(6, 20, 2)), rng.uniform(-3.0, 3.0, 6), rng.normal(size=(6, 2))
    cosine, sine = np.cos(turn), np.sin(turn)
    matrix = np.stack([np.stack([cosine, -sine], -1), np.stack([sine, cosine], -1)], axis=1)
    found = rigid_fits(points, np.einsum("mij,mkj->mki", matrix, points) + shift[:, None])
    np.testing.assert_allclose(found[0], turn, atol=1e-9)
    np.testing.assert_allclose(found[1], shift, atol=1e-9)


def test_an_inverted_field_arrives_where_it_should():
    grid = StraightGrid(np.arange(0.0, 10.01, 0.25), np.arange(-2.0, 2.01, 0.25))
    depth = np.broadcast_to(grid.depth_mm[:, None, None], grid.shape)
    field = np.stack([0.1 * depth, np.full(grid.shape, -0.3), 0.2 * depth], axis=-1)
    points = np.array([[0.5, 0.2, 3.0], [-0.4, 0.0, 6.0]])
    found = inverted(field, grid, points)
    expected = points[:, 2] / 1.2
    np.testing.assert_allclose(found[:, 2], expected, atol=1e-4)
    np.testing.assert_allclose(found[:, 0], points[:, 0] - 0.1 * expected, atol=1e-4)
    np.testing.assert_allclose(found[:, 1], points[:, 1] + 0.3, atol=1e-4)


def test_functions_go_straight_on_beyond_their_ends():
    known = np.array([1.0, 2.0, 4.0])
    np.testing.assert_allclose(extended(np.array([0.0, 3.0, 6.0]), known, 2.0 * known), [0.0, 6.0, 12.0])
