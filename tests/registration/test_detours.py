from dataclasses import replace

import numpy as np
import pytest

from coreg.case import Case
from coreg.centerline import VesselTree
from coreg.registration.detours import moved_costs, offsets_mm, with_detours
from coreg.registration.global_start import Start
from coreg.registration.path_model import VesselTensors
from coreg.registration.scene import Scene, observed
from coreg.registration.search import FINE, from_starts
from coreg.registration.vessel import prepare_vessel
from coreg.settings import MotionPrior, RegistrationSettings, SurfacePrior

NOMINAL_MM = 10.0 + 0.2 * np.arange(140)
SETTINGS = RegistrationSettings(motion=MotionPrior(), surface=SurfacePrior(correlation_mm2=2.0))
STUMPS_MM = np.arange(2.0, 59.0, 3.0)
STUMPS_RAD = np.random.default_rng(3).uniform(0.0, 2.0 * np.pi, len(STUMPS_MM))


def stumpy(z_mm, angle_rad):
    """Wall of a round tube with stumps of side branches, each like the next but for its angle."""
    z_mm, angle_rad = np.broadcast_arrays(z_mm, angle_rad)
    out = np.full(z_mm.shape, 1.5)
    for place, angle in zip(STUMPS_MM, STUMPS_RAD, strict=True):
        turn = np.angle(np.exp(1j * (angle_rad - angle)))
        out = out + np.exp(-0.5 * ((z_mm - place) / 0.5) ** 2 - 0.5 * (turn / 0.4) ** 2)
    return out


def swing_mm(peak_mm, at_mm):
    near = np.abs(NOMINAL_MM - at_mm) < 4.0
    return peak_mm * np.where(near, np.cos(np.pi * (NOMINAL_MM - at_mm) / 8.0) ** 2, 0.0)


@pytest.fixture(scope="module")
def scene_of(tube):
    """Scene of a pullback at even speed, but for a swing along the vessel."""
    vessel = prepare_vessel(tube.surface(radius_of=stumpy), tube.centerline())
    tensors = VesselTensors.on(vessel, tube.cpu)

    def made(swing):
        images = tube.pullback(NOMINAL_MM)
        place = dict(zip(images.frame.tolist(), NOMINAL_MM + swing, strict=True))
        images = replace(images, lumen={i: tube.section(z, radius_of=stumpy) for i, z in place.items()})
        case = Case("tube", tube.label(), images, VesselTree((tube.centerline(),)))
        return Scene(case, SETTINGS, tube.cpu, tube.centerline(), vessel, tensors, observed(images, SETTINGS))

    return made


def refined(scene):
    start = Start(NOMINAL_MM[0], 1.0, 0.0, 0.0, 0.0, 0.0)
    return from_starts(scene.tensors, scene.seen, SETTINGS, [start], FINE)


def off_mm(found, scene, swing):
    """Mean error of the frames in the upper half of a swing."""
    away = np.abs(found.functions_at(scene.seen.depth_mm)[0, 0] - NOMINAL_MM - swing)
    return away[np.abs(swing) > 0.5 * np.abs(swing).max()].mean()


@pytest.mark.parametrize(("peak_mm", "at_mm"), [(-2.0, 24.0), (3.0, 28.0), (-3.0, 24.0)])
def test_a_swing_past_a_branch_is_followed_where_small_steps_stop_short(scene_of, peak_mm, at_mm):
    swing = swing_mm(peak_mm, at_mm)
    scene = scene_of(swing)
    found = refined(scene)
    (other,) = with_detours([found], [scene], guides=[()])
    assert off_mm(found, scene, swing) > 1.2
    assert off_mm(other, scene, swing) < 0.4
    assert other.cost[0] < found.cost[0]


def test_a_path_that_is_right_is_kept_as_it_is(scene_of):
    scene = scene_of(np.zeros_like(NOMINAL_MM))
    found = refined(scene)
    (same,) = with_detours([found], [scene], guides=[()])
    assert same is found
    assert np.abs(offsets_mm(found, scene)).max() <= 0.25


def test_moved_frames_cost_least_where_they_belong(scene_of):
    scene = scene_of(np.zeros_like(NOMINAL_MM))
    tried = np.arange(-3.0, 3.1, 0.25)
    at_stumps = np.flatnonzero(np.abs(NOMINAL_MM[:, None] - STUMPS_MM).min(axis=1) < 0.3)
    costs = moved_costs(refined(scene), scene, at_stumps, tried, width_mm=0.5)
    assert costs.shape == (len(at_stumps), len(tried))
    # Both flanks of a stump look alike.
    assert np.abs(tried[costs.argmin(axis=1)]).max() <= 0.6
    assert (costs.max(axis=1) > 3.0 * costs.min(axis=1) + 0.1).all()


def test_frames_beyond_the_vessel_cost_what_frames_nowhere_cost(scene_of):
    scene = scene_of(np.zeros_like(NOMINAL_MM))
    costs = moved_costs(refined(scene), scene, np.array([0, 60]), np.array([-50.0, 0.0, 60.0]), width_mm=0.5)
    np.testing.assert_allclose(costs[:, 0], costs[:, 2])
    assert (costs[:, [0, 2]] > costs[:, [1]]).all()
