"""Registrations of synthetic patients, judged by their exact truth."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from coreg.case import Case
from coreg.centerline import Centerline, VesselTree
from coreg.phantom import PhantomSettings, make_patient, preset
from coreg.registration import register
from coreg.volume import Volume

FAST = 3
SEEDS = [FAST, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (0, 1, 2, 4, 5))]
SLOW_SEEDS = (3, 4)
TYPICAL = PhantomSettings()


@cache
def patient(seed, settings=TYPICAL):
    return make_patient(seed, settings=settings)


@cache
def registered(seed, settings=TYPICAL):
    return register(patient(seed, settings).case, device="cpu")


def place_mm(made, points_mm):
    """Arc length along the whole true vessel, whatever the CCTA shows of it; straight on beyond its ends."""
    line = made.centerline
    s = line.nearest_arc_length(points_mm)
    ahead = np.einsum("ij,ij->i", points_mm - line.points_at(s), line.tangents_at(s))
    at_end = (s <= line.arc_length_mm[0]) | (s >= line.arc_length_mm[-1])
    return np.where(at_end, s + ahead, s)


def true_place_mm(made):
    return place_mm(made, made.truth.origin_mm)


def errors(made, path):
    """Along the vessel in mm and of the column axis in degrees; NaN for frames without a pose."""
    found = np.full(len(path), np.nan)
    found[path.posed] = place_mm(made, path.origin_mm[path.posed])
    between = np.sum(path.column * made.truth.column, axis=1)
    return np.abs(found - true_place_mm(made)), np.degrees(np.arccos(np.clip(between, -1.0, 1.0)))


def assert_right(made, result, rows=None):
    rows = np.ones(len(result.path), dtype=bool) if rows is None else rows
    assert result.path.posed[rows].all()
    along, turned = errors(made, result.path)
    assert along[rows].mean() < 1.0
    assert turned[rows].mean() < 10.0


@pytest.mark.parametrize("seed", SEEDS)
def test_a_typical_patient_is_found(seed):
    result = registered(seed)
    assert_right(patient(seed), result)
    assert result.verdict != "failed"
    assert result.path.reliable.mean() > 0.8


@pytest.mark.slow
@pytest.mark.parametrize("seed", SLOW_SEEDS)
def test_without_errors_the_patient_is_found_to_a_voxel(seed):
    settings = preset("clean")
    along, turned = errors(patient(seed, settings), registered(seed, settings).path)
    assert along.mean() < 0.4
    assert turned.mean() < 5.0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_a_mirrored_pullback_is_never_good(seed):
    case = patient(seed).case
    result = register(replace(case, pullback=case.pullback.mirrored()), device="cpu")
    assert result.verdict != "good"
    assert any("mirror" in each for each in result.reasons)


def moved_case(case, turn, shift_mm):
    """The whole CCTA moved rigidly; the label's axes become oblique."""

    def moved(points):
        return points @ turn.T + shift_mm

    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = turn, shift_mm
    return Case(
        case.id,
        Volume(case.lumen.values, matrix @ case.lumen.index_to_world),
        case.pullback,
        VesselTree(
            tuple(
                Centerline(moved(each.points_mm), each.radius_mm, each.ostium_mm) for each in case.tree.lines
            )
        ),
        moved(case.ostium_mm),
        moved(case.distal_mm),
        tuple(replace(each, world_mm=moved(each.world_mm)) for each in case.landmarks),
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", SLOW_SEEDS)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda images: images.mirrored(), "mirror image fits better"),
        (lambda images: images.reversed(), "reverse order: check pullback.first_frame"),
        (lambda images: images.reversed().mirrored(), "vessel the other way round"),
    ],
    ids=["view", "first_frame", "centerline"],
)
def test_a_wrong_convention_is_named(seed, change, words):
    case = patient(seed).case
    result = register(replace(case, pullback=change(case.pullback)), device="cpu")
    assert result.verdict != "good"
    assert words in result.reasons[0]


@pytest.mark.slow
@pytest.mark.parametrize("seed", SLOW_SEEDS)
def test_moving_the_whole_scene_moves_the_result_with_it(seed):
    case, result = patient(seed).case, registered(seed)
    turn = Rotation.from_rotvec([0.7, -1.1, 2.0]).as_matrix()
    shift_mm = np.array([30.0, -120.0, 400.0])
    other = register(moved_case(case, turn, shift_mm), device="cpu").path
    away = np.linalg.norm(other.origin_mm - (result.path.origin_mm @ turn.T + shift_mm), axis=1)
    between = np.sum(other.column * (result.path.column @ turn.T), axis=1)
    # The distance's grid lies along the world's axes: 0.3 mm voxels are cut anew.
    assert away.max() < 0.2
    assert np.degrees(np.arccos(np.clip(between, -1.0, 1.0))).max() < 3.0
    # Few frames are close to a bound of what counts as determined.
    assert (other.reliable == result.path.reliable).mean() > 0.95


@pytest.mark.slow
@pytest.mark.parametrize("seed", SLOW_SEEDS)
def test_images_that_look_proximally_are_found(seed):
    settings = PhantomSettings(view="looking-proximal")
    made, result = patient(seed, settings), registered(seed, settings)
    assert_right(made, result)
    tangent = made.centerline.tangents_at(true_place_mm(made))
    # Column x row points proximally.
    assert (np.sum(result.path.plane_normal * tangent, axis=1) < -0.5).all()


@pytest.mark.slow
@pytest.mark.parametrize("seed", SLOW_SEEDS)
def test_a_case_without_centerline_is_found(seed):
    settings = PhantomSettings(centerline_known=False)
    made = patient(seed, settings)
    assert made.case.tree is None
    assert_right(made, registered(seed, settings))


@pytest.mark.slow
@pytest.mark.parametrize("seed", SLOW_SEEDS)
def test_a_gated_ivus_pullback_is_found(seed):
    settings = PhantomSettings(modality="IVUS")
    assert_right(patient(seed, settings), registered(seed, settings))


@pytest.mark.slow
@pytest.mark.parametrize("seed", SLOW_SEEDS)
def test_lumens_that_leave_the_field_of_view_are_found(seed):
    settings = PhantomSettings(small_view_odds=1.0)
    assert_right(patient(seed, settings), registered(seed, settings))


@pytest.mark.slow
@pytest.mark.parametrize("seed", SLOW_SEEDS)
def test_a_tenth_of_wrong_contours_does_not_mislead(seed):
    settings = PhantomSettings(bad_stretch_odds=1.0)
    assert_right(patient(seed, settings), registered(seed, settings))


def assert_beyond_is_told(result, beyond_mm, words):
    """Frames that lie truly so far beyond the CCTA's vessel say so, and have no pose when far out."""
    out = beyond_mm > 1.5
    assert out.any()
    assert not result.path.reliable[out].any()
    assert all(words in result.path.reason[i] for i in np.flatnonzero(out))
    assert not result.path.posed[beyond_mm > 5.0].any()


@pytest.mark.slow
@pytest.mark.parametrize("seed", SLOW_SEEDS)
def test_a_ccta_that_ends_before_the_pullback_begins(seed):
    settings = PhantomSettings(truncated_odds=1.0)
    made, result = patient(seed, settings), registered(seed, settings)
    beyond_mm = true_place_mm(made) - made.shown.lumen.length_mm
    assert_right(made, result, rows=beyond_mm < -1.5)
    assert_beyond_is_told(result, beyond_mm, "beyond the distal end")


@pytest.mark.slow
@pytest.mark.parametrize("seed", SLOW_SEEDS)
@pytest.mark.parametrize("odds", [(1.0, 0.0), (0.0, 1.0)], ids=["guide", "aorta"])
def test_a_pullback_that_ends_beyond_the_ostium(seed, odds):
    settings = PhantomSettings(ending_odds=odds)
    made, result = patient(seed, settings), registered(seed, settings)
    before_mm = -true_place_mm(made)
    assert_right(made, result, rows=before_mm < -1.5)
    assert_beyond_is_told(result, before_mm, "before the vessel")


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bits():
    again = register(patient(FAST).case, device="cpu").path
    first = registered(FAST).path
    for name in ("origin_mm", "column", "row", "arc_length_mm", "rotation_rad"):
        assert getattr(again, name).tobytes() == getattr(first, name).tobytes()


@pytest.mark.slow
@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")
def test_cuda_gives_what_the_processor_gives():
    there, here = register(patient(FAST).case, device="cuda").path, registered(FAST).path
    assert np.linalg.norm(there.origin_mm - here.origin_mm, axis=1).max() < 0.01
    between = np.sum(there.column * here.column, axis=1)
    assert np.degrees(np.arccos(np.clip(between, -1.0, 1.0))).max() < 0.05
