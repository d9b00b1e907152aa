"""Guides on a straight round tube, where the lumens tell neither place nor rotation."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import approx_fprime

from coreg.case import Case
from coreg.centerline import VesselTree
from coreg.landmarks import Landmark
from coreg.registration import register, resolve, solve
from coreg.registration.guided_starts import guided_starts
from coreg.registration.guides import GuideTerm, guides_of
from coreg.registration.observations import observe
from coreg.registration.path_model import PathModel, VesselTensors
from coreg.registration.search import COARSE, FINE, MIDDLE, from_starts, on_level
from coreg.settings import RegistrationSettings
from coreg.validation import landmark_errors

START_MM, STEP_MM = 14.0, 0.5
Z_MM = START_MM + np.arange(0.0, 30.0, STEP_MM)
TURN_DEG = 60.0
OFF_MM = np.array([0.3, -0.2])
RADIUS_MM = 1.7


def round_radius(z_mm, angle_rad):
    return np.full(np.broadcast(z_mm, angle_rad).shape, RADIUS_MM)


def landmark(name, z_mm, angle_deg, *, wrong_mm=0.0, **extra):
    """A point of the wall at an angle from +x, and how the pullback truly shows it."""
    angle = np.radians(angle_deg)
    wall = RADIUS_MM * np.array([np.cos(angle), np.sin(angle)])
    x, y = wall - OFF_MM
    # Rows rise with z while frames were acquired from distal.
    frame = len(Z_MM) - 1 - (z_mm - START_MM) / STEP_MM
    seen = np.angle(np.exp(1j * (np.arctan2(y, x) - np.radians(TURN_DEG))))
    return Landmark(name, "branch", frame, float(seen), np.array([*wall, z_mm + wrong_mm]), **extra)


@pytest.fixture(scope="module")
def images(tube):
    return tube.pullback(Z_MM, turn_rad=np.radians(TURN_DEG), catheter=OFF_MM, radius_of=round_radius)


@pytest.fixture(scope="module")
def seen(images):
    return observe(images, points=48, correlation_mm2=3.0)


@pytest.fixture(scope="module")
def round_tensors(tube):
    return VesselTensors.on(tube.vessel_with(lambda at: np.hypot(at[:, 0], at[:, 1]) - RADIUS_MM), tube.cpu)


def errors(path):
    """Distance along the tube in mm and angle of the column axis in degrees from the truth, all frames."""
    turn = np.degrees(np.arctan2(path.column[:, 1], path.column[:, 0])) - TURN_DEG
    return np.abs(path.origin_mm[:, 2] - Z_MM), np.abs((turn + 180.0) % 360.0 - 180.0)


def test_one_right_landmark_fixes_place_and_rotation_where_lumens_say_nothing(images, seen, round_tensors):
    settings = RegistrationSettings()
    guides = guides_of([landmark("A", 28.3, 100.0)], images, seen)
    starts = guided_starts(guides, round_tensors, length_mm=seen.depth_mm.max(), log_scale=0.0)
    found = from_starts(round_tensors, seen, settings, starts, COARSE, guides=guides)
    for level in (MIDDLE, FINE):
        found = on_level(found, round_tensors, seen, settings, level, guides=guides)
    functions = torch.as_tensor(found.functions_at(seen.depth_mm)[:1])
    slope = torch.zeros((len(Z_MM), len(Z_MM)), dtype=torch.float64)
    model = replace(found.model, centre=torch.as_tensor(seen.centre_mm), slope=slope)
    origin, column, _ = (each[0].numpy() for each in model.poses(functions))
    # A motor of true speed is what is believed without any other word.
    assert np.abs(origin[:, 2] - Z_MM).max() < 0.1
    turn = np.degrees(np.arctan2(column[:, 1], column[:, 0])) - TURN_DEG
    assert np.abs(turn).max() < 1.0


def test_of_many_landmarks_a_share_along_the_pullback_gives_starts(images, seen, round_tensors):
    guides = guides_of([landmark(f"{z}", z, 10.0 * z) for z in np.linspace(16.0, 38.0, 120)], images, seen)
    starts = guided_starts(guides, round_tensors, length_mm=seen.depth_mm.max(), log_scale=0.0)
    assert len(guides) == 120
    assert len(starts) <= 24 + 12


def test_two_right_landmarks_give_the_start_that_is_true(images, seen, round_tensors):
    pair = [landmark("A", 18.0, 100.0), landmark("B", 40.0, -30.0)]
    for guides in (pair, [pair[0], replace(pair[1], angle_rad=None)]):
        start = guided_starts(guides_of(guides, images, seen), round_tensors, length_mm=29.5, log_scale=0.0)[
            -1
        ]
        assert start.arc_length_mm == pytest.approx(START_MM, abs=0.05)
        assert start.stretch == pytest.approx(1.0, abs=0.01)
        assert np.degrees(start.rotation_rad) == pytest.approx(TURN_DEG, abs=3.0)


@pytest.fixture(scope="module")
def solved(tube, images):
    """Three right landmarks and one that is 5 mm off guide a case whose lumens say nothing."""
    case = Case("round", tube.surface(radius_of=round_radius), images, VesselTree((tube.centerline(),)))
    return solve(case, device="cpu", guides=[*right(), landmark("W", 29.0, 10.0, wrong_mm=5.0)])


def right():
    return [landmark("A", 17.0, 100.0), landmark("B", 26.2, -30.0), landmark("C", 40.0, 170.0)]


def test_a_wrong_landmark_among_right_ones_is_named_and_does_not_drag(solved):
    away, turned = errors(solved.registration.path)
    assert away.max() < 0.4
    assert turned.max() < 5.0
    assert solved.registration.verdict != "good"
    (told,) = [each for each in solved.registration.reasons if "does not fit" in each]
    assert told.startswith("The landmark W does not fit: its point in the CCTA lies ")
    assert "mm further distal than frame 29" in told
    far_mm = float(told.split(" lies ")[1].split(" mm")[0])
    assert far_mm == pytest.approx(5.0, abs=0.5)
    # The lumens are round and alike everywhere: they cannot speak against it.
    assert "The landmarks B, C, A speak against it" in told


def test_a_direction_that_is_wrong_by_60_degrees_is_named_and_does_not_turn(solved):
    turned_mark = replace(landmark("W", 29.0, 10.0), angle_rad=landmark("W", 29.0, 70.0).angle_rad)
    found = resolve(solved, [*right(), turned_mark]).registration
    _, turned = errors(found.path)
    assert turned.max() < 6.0
    (told,) = [each for each in found.reasons if "does not fit" in each]
    assert "its direction differs by" in told
    assert "mm further" not in told


def test_right_landmarks_are_no_conflict_and_are_recorded(solved):
    found = resolve(solved, right()).registration
    assert not any("does not fit" in each for each in found.reasons)
    assert found.guides == {"A": "guide", "B": "guide", "C": "guide"}
    away, turned = errors(found.path)
    assert away.max() < 0.3
    assert turned.max() < 4.0


def test_locked_landmarks_are_met_even_if_wrong(solved):
    wrong = landmark("W", 29.0, 10.0, wrong_mm=1.5, locked=True)
    found = resolve(solved, [*right(), wrong]).registration
    (error,) = landmark_errors(found.path, [wrong])
    assert abs(error.error_mm) < 0.15
    assert abs(error.error_deg) < 1.5
    assert found.guides["W"] == "locked"


def test_solving_again_as_before_gives_the_result_before(solved):
    first = resolve(solved, right())
    astray = resolve(first, [*right()[1:], landmark("A", 17.0, 100.0, wrong_mm=3.0, locked=True)])
    back = resolve(astray, right()).registration
    away = np.linalg.norm(back.path.origin_mm - first.registration.path.origin_mm, axis=1)
    assert away.max() < 0.25


def test_a_frame_that_is_not_in_the_pullback_is_told(solved):
    stray = replace(landmark("S", 20.0, 0.0), frame=500.0)
    assert "Landmark S cannot guide: its frame 500 is not in the pullback, which has 0 to 59." in (
        resolve(solved, [*right(), stray]).registration.reasons
    )


def test_only_the_nonrigid_method_is_guided(solved):
    with pytest.raises(ValueError, match="'rigid' cannot be guided by landmarks"):
        register(solved.scene.case, method="rigid", guides=right())
    rigid = solve(solved.scene.case, method="rigid", device="cpu")
    with pytest.raises(ValueError, match="method rigid cannot be solved again"):
        resolve(rigid, right())


@pytest.mark.slow
def test_landmarks_with_one_half_change_no_bit(tube, solved):
    bumpy = tube.pullback(Z_MM, turn_rad=np.radians(TURN_DEG), catheter=OFF_MM)
    case = replace(solved.scene.case, lumen=tube.surface(), pullback=bumpy)
    half = replace(landmark("A", 20.0, 0.0), world_mm=None)
    without = register(case, device="cpu")
    given = register(case, device="cpu", guides=[half])
    for name in ("origin_mm", "column", "row", "arc_length_mm", "rotation_rad"):
        assert getattr(given.path, name).tobytes() == getattr(without.path, name).tobytes()
    assert given.costs == without.costs
    assert given.verdict == without.verdict
    assert without.guides == given.guides == {}


def test_only_pairs_guide_and_fractions_of_a_frame_count(images, seen):
    whole = landmark("A", 20.0, 0.0)
    halves = [replace(whole, world_mm=None), replace(whole, frame=None, angle_rad=None)]
    assert guides_of(halves, images, seen) == ()
    (guide,) = guides_of([replace(whole, frame=whole.frame + 0.5)], images, seen)
    assert guide.depth_mm == pytest.approx(20.0 - START_MM - 0.5 * STEP_MM)


def test_what_a_reader_is_sure_of_counts_in_frames_and_degrees(images, seen):
    (guide,) = guides_of([landmark("A", 20.0, 0.0, sd_frames=4.0, sd_rad=0.3, radius_mm=1.5)], images, seen)
    # The CCTA's point is off by 0.3 mm besides.
    assert guide.place_sd_mm == pytest.approx(np.hypot(4.0 * STEP_MM, 0.3))
    assert guide.turn_sd_rad == pytest.approx(np.hypot(0.3, 0.3 / 1.5))


def test_images_that_look_proximally_are_guided_as_their_mirror_image(images, seen):
    other = replace(images.mirrored(), view="looking-proximal")
    mark = landmark("A", 20.0, 35.0)
    (one,) = guides_of([mark], images, seen)
    (two,) = guides_of(
        [replace(mark, angle_rad=-mark.angle_rad)], other, observe(other, points=48, correlation_mm2=3.0)
    )
    assert two.angle_rad == pytest.approx(one.angle_rad)
    np.testing.assert_allclose(two.centre_mm, one.centre_mm, atol=1e-6)


@pytest.fixture(scope="module")
def term(images, seen, round_tensors):
    model = PathModel.build(
        round_tensors, seen, RegistrationSettings(), knot_spacing_mm=6.0, frames=30, points=8
    )
    marks = [landmark("A", 18.3, 100.0), landmark("B", 38.0, -30.0, locked=True)]
    marks.append(replace(landmark("C", 30.0, 20.0), angle_rad=None))
    return GuideTerm.build(model, guides_of(marks, images, seen), slack=1.0)


def somewhere(term, seed=0):
    """Coefficients of a path that winds about the truth."""
    knots = len(term.model.knots_mm)
    at = term.model.mean.clone()[None]
    at[:, :knots] += START_MM
    at[:, knots : 2 * knots] += np.radians(TURN_DEG)
    noise = torch.as_tensor(np.random.default_rng(seed).normal(0.0, 0.2, at.shape))
    return at + noise


def test_gradient_and_curvature_are_those_of_the_cost(term):
    at = somewhere(term)

    def cost(values):
        return float(term.cost(torch.as_tensor(values)[None])[0])

    _, gradient, curvature = term.linearised(at)
    numeric = approx_fprime(at[0].numpy(), cost, 1e-6)
    np.testing.assert_allclose(gradient[0].numpy(), numeric, rtol=1e-4, atol=1e-3 * np.abs(numeric).max())
    np.testing.assert_allclose(curvature[0].numpy(), curvature[0].numpy().T)
    # Where nothing is off, Gauss-Newton's curvature is the whole second derivative.
    for _ in range(15):
        _, gradient, curvature = term.linearised(at)
        eye = 1e-6 * torch.eye(curvature.shape[-1], dtype=torch.float64)
        at = at - torch.linalg.solve(curvature + eye, gradient[..., None])[..., 0]
    assert float(term.cost(at)[0]) < 1e-6
    step = 1e-5 * torch.as_tensor(np.random.default_rng(1).normal(size=at.shape))
    rise = (term.linearised(at + step)[1] - term.linearised(at - step)[1]) / 2.0
    np.testing.assert_allclose(rise[0], curvature[0] @ step[0], atol=2e-2 * float(rise.abs().max()))


def test_no_open_guide_costs_more_than_its_bound_and_locked_ones_do(term):
    far = somewhere(term)
    far[:, : len(term.model.knots_mm)] += 20.0
    square = term.residuals(far) ** 2
    each = 0.5 * square / (1.0 + term.tightness * square)
    open_ = term.tightness > 0.0
    assert float(each[:, open_].max()) < 0.5 * 3.5**2
    assert float(each[:, ~open_].max()) > 1e4
