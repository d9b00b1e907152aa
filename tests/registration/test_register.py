"""Whole registrations of the straight tube: what is refused, and what is told."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from coreg.case import Case
from coreg.centerline import Centerline, VesselTree
from coreg.errors import InputError, RegistrationError
from coreg.pullback import Pullback
from coreg.registration import register
from coreg.settings import RegistrationSettings

START_MM = 14.0
TURN_DEG = 60.0
OFF_MM = np.array([0.3, -0.2])


@pytest.fixture(scope="module")
def case(tube):
    z = START_MM + np.arange(0.0, 30.0, 0.5)
    images = tube.pullback(z, turn_rad=np.radians(TURN_DEG), catheter=OFF_MM)
    return Case("tube", tube.label(), images, VesselTree((tube.centerline(),)))


@pytest.fixture(scope="module")
def registration(case):
    return register(case, device="cpu")


def errors(case, path):
    """Distance in mm and angle of the column axis in degrees from where the frames were cut."""
    z = START_MM + case.pullback.position_mm.max() - case.pullback.position_mm
    true = np.column_stack([np.tile(OFF_MM, (len(z), 1)), z])
    turn = np.degrees(np.arctan2(path.column[:, 1], path.column[:, 0])) - TURN_DEG
    return np.linalg.norm(path.origin_mm - true, axis=1), np.abs(turn)


def test_the_tube_is_found_where_it_was_cut(case, registration):
    away, turned = errors(case, registration.path)
    # The label's voxels are 0.4 mm wide.
    assert away.mean() < 0.2
    assert away.max() < 0.5
    assert turned.mean() < 3.0
    assert registration.verdict == "good"
    assert registration.radius_scale == pytest.approx(1.0, abs=0.05)
    # The tube is nearly round at some places.
    assert registration.path.reliable.mean() > 0.9


def test_a_surface_gives_what_its_label_gives(tube, case, registration):
    result = register(replace(case, lumen=tube.surface()), device="cpu")
    away = np.linalg.norm(result.path.origin_mm - registration.path.origin_mm, axis=1)
    assert away.mean() < 0.2


def test_spreads_are_those_of_posed_frames_and_larger_beyond_the_contours(case, registration):
    path = registration.path
    for spread in (path.arc_length_sd_mm, path.rotation_sd_rad):
        assert (np.isfinite(spread) == path.posed).all()
        assert (spread[path.posed] > 0.0).all()
    few = {frame: contour for frame, contour in case.pullback.lumen.items() if frame < 40}
    beyond = register(replace(case, pullback=replace(case.pullback, lumen=few)), device="cpu").path
    outlined = np.isin(beyond.frame, list(few))
    # Beyond the contours the pullback's speed is all that is known: some per cent of 10 mm.
    assert beyond.arc_length_sd_mm[~outlined].max() > 2.0 * beyond.arc_length_sd_mm[outlined].max()
    assert np.isnan(register(case, method="rigid", device="cpu").path.rotation_sd_rad).all()


def test_lumens_that_tell_nothing_leave_place_and_rotation_open_but_within_the_vessel(tube, case):
    angle = np.linspace(0.0, 2.0 * np.pi, 64, endpoint=False)
    circle = 0.35 * np.column_stack([np.cos(angle), np.sin(angle)])
    images = replace(case.pullback, lumen=dict.fromkeys(range(len(case.pullback)), circle))
    result = register(replace(case, pullback=images), device="cpu")
    assert result.verdict == "failed"
    assert np.nanmax(result.path.arc_length_sd_mm) < tube.length_mm / 3.0
    # Of an angle of which nothing is known.
    assert np.degrees(np.nanmax(result.path.rotation_sd_rad)) == pytest.approx(104.0, abs=0.1)


def test_the_rigid_method_finds_the_place_and_asks_for_review(case):
    result = register(case, method="rigid", device="cpu")
    away, turned = errors(case, result.path)
    assert away.mean() < 0.6
    assert turned.mean() < 8.0
    assert result.verdict == "review"
    assert "Rigid" in result.reasons[0]
    np.testing.assert_array_equal(result.path.origin_mm, result.rigid_path.origin_mm)


def test_the_result_says_how_it_was_made(case, registration):
    assert registration.settings["seed"] == RegistrationSettings().seed
    assert registration.settings["method"] == "nonrigid"
    assert registration.provenance["device"] == "cpu"
    assert {"coreg", "torch"} <= set(registration.provenance)
    assert registration.costs["fine"] <= registration.costs["coarse"]
    costs = [each.cost for each in registration.hypotheses if not each.mirrored]
    assert costs == sorted(costs)
    assert any(each.mirrored for each in registration.hypotheses)
    assert len(registration.residual_mm) == len(case.pullback)
    assert np.nanmedian(registration.residual_mm) < 0.15


def test_progress_runs_from_nothing_to_all_but_the_end(case):
    told = []
    register(case, method="rigid", device="cpu", progress=lambda stage, share: told.append((stage, share)))
    shares = [share for _, share in told]
    assert shares[0] == 0.0
    assert shares == sorted(shares)
    assert all(0.0 <= share <= 1.0 for share in shares)


def test_a_mirrored_tube_is_never_good(case):
    result = register(replace(case, pullback=case.pullback.mirrored()), device="cpu")
    assert result.verdict != "good"
    assert any("mirror" in each for each in result.reasons)


def test_excluded_frames_do_not_drive_and_carry_the_reason(case, registration):
    # Wrong contours in frames that have no say must not matter at all.
    spoiled = {
        f: 1.5 * c[::-1] * np.array([1.0, -1.0]) if 20 <= f < 26 else c
        for f, c in case.pullback.lumen.items()
    }
    reasons = dict.fromkeys(range(20, 26), "stent")
    with_wrong = register(
        replace(case, pullback=replace(case.pullback, lumen=spoiled, excluded=reasons)), device="cpu"
    )
    with_right = register(replace(case, pullback=replace(case.pullback, excluded=reasons)), device="cpu")
    np.testing.assert_array_equal(with_wrong.path.origin_mm, with_right.path.origin_mm)
    rows = np.isin(case.pullback.frame, list(reasons))
    assert not with_wrong.path.reliable[rows].any()
    assert with_wrong.path.reliable[~rows].mean() > 0.9
    assert all("stent" in with_wrong.path.reason[i] for i in np.flatnonzero(rows))
    assert errors(case, with_wrong.path)[0].max() < 0.6


def test_frames_without_contour_are_interpolated_and_not_reliable(case):
    lumen = {f: c for f, c in case.pullback.lumen.items() if not 30 <= f < 34}
    result = register(replace(case, pullback=replace(case.pullback, lumen=lumen)), device="cpu")
    rows = np.isin(case.pullback.frame, np.arange(30, 34))
    assert result.path.posed.all()
    assert not result.path.reliable[rows].any()
    assert all("no contour" in result.path.reason[i] for i in np.flatnonzero(rows))
    assert np.isnan(result.residual_mm[rows]).all()
    assert errors(case, result.path)[0].max() < 0.6


@pytest.mark.parametrize("missing", [slice(0, 12), slice(-12, None)])
def test_frames_beyond_the_last_contour_follow_the_usual_pullback(case, missing):
    frames = sorted(case.pullback.lumen)
    lumen = {f: case.pullback.lumen[f] for f in frames if f not in frames[missing]}
    result = register(replace(case, pullback=replace(case.pullback, lumen=lumen)), device="cpu")
    rows = np.isin(case.pullback.frame, frames[missing])
    assert result.path.posed.all()
    assert not result.path.reliable[rows].any()
    assert all("extrapolated" in result.path.reason[i] for i in np.flatnonzero(rows))
    mm, deg = errors(case, result.path)
    assert mm.max() < 1.0
    assert deg.max() < 20.0


def test_the_winding_of_contours_makes_no_difference(case, registration):
    lumen = {f: c[::-1] if f % 2 else c for f, c in case.pullback.lumen.items()}
    result = register(replace(case, pullback=replace(case.pullback, lumen=lumen)), device="cpu")
    np.testing.assert_allclose(result.path.origin_mm, registration.path.origin_mm, atol=1e-5)


def test_the_same_seed_gives_the_same_bits(case, registration):
    again = register(case, device="cpu")
    for name in ("origin_mm", "column", "row", "arc_length_mm", "rotation_rad"):
        assert getattr(again.path, name).tobytes() == getattr(registration.path, name).tobytes()
    assert again.hypotheses == registration.hypotheses
    assert again.reasons == registration.reasons


def test_a_second_thread_changes_no_bit(case, registration):
    path = register(case, device="cpu", threads=2).path
    np.testing.assert_array_equal(path.origin_mm, registration.path.origin_mm)
    np.testing.assert_array_equal(path.rotation_sd_rad, registration.path.rotation_sd_rad)


def test_a_pullback_longer_than_the_vessel_cannot_be_registered(tube, case):
    z = np.linspace(2.0, 58.0, 120)
    images = tube.pullback(z)
    longer = Pullback(images.frame, images.position_mm * 150.0 / images.length_mm, images.lumen)
    with pytest.raises(RegistrationError, match=r"no placement puts 50% of the pullback \(150\.0 mm\)"):
        register(replace(case, pullback=longer), device="cpu")


def test_too_few_contours_cannot_be_registered(case):
    few = dict(list(case.pullback.lumen.items())[::20])
    with pytest.raises(RegistrationError, match=r"3 frames have a contour and a say; registration needs 5"):
        register(replace(case, pullback=replace(case.pullback, lumen=few)), device="cpu")


def test_excluding_all_frames_leaves_nothing_to_register(case):
    every = {int(f): "stent" for f in case.pullback.frame}
    with pytest.raises(RegistrationError, match=r"0 frames have a contour"):
        register(replace(case, pullback=replace(case.pullback, excluded=every)), device="cpu")


def test_a_pullback_of_two_millimetres_cannot_be_registered(tube, case):
    images = tube.pullback(np.arange(20.0, 22.01, 0.2))
    with pytest.raises(RegistrationError, match=r"span 2\.00 mm"):
        register(replace(case, pullback=images), device="cpu")


@pytest.mark.parametrize("away_mm", [6.0, 300.0])
def test_a_centerline_outside_the_lumen_is_refused(case, away_mm):
    line = case.tree.lines[0]
    aside = VesselTree((Centerline(line.points_mm + np.array([away_mm, 0.0, 0.0])),))
    with pytest.raises(InputError, match=r"ccta\.(centerline|lumen)"):
        register(replace(case, tree=aside), device="cpu")


def test_an_empty_label_is_refused(case):
    empty = replace(case.lumen, values=np.zeros_like(case.lumen.values))
    with pytest.raises(InputError, match=r"ccta\.lumen"):
        register(replace(case, lumen=empty), device="cpu")


def test_a_surface_without_a_centerline_is_refused(tube, case):
    with pytest.raises(InputError, match=r"ccta\.centerline"):
        register(replace(case, lumen=tube.surface(), tree=None), device="cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is there")
def test_a_missing_device_is_named(case):
    with pytest.raises(ValueError, match=r"device 'cuda' is not available: torch finds no CUDA device"):
        register(case, device="cuda")


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")
def test_cuda_gives_what_the_processor_gives(case, registration):
    result = register(case, device="cuda")
    away = np.linalg.norm(result.path.origin_mm - registration.path.origin_mm, axis=1)
    assert away.max() < 0.01
    between = np.sum(result.path.column * registration.path.column, axis=1)
    assert np.degrees(np.arccos(np.clip(between, -1.0, 1.0))).max() < 0.05
