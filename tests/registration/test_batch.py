"""Registrations of many cases at once."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from coreg.case import Case
from coreg.centerline import Centerline, VesselTree
from coreg.errors import InputError, RegistrationError
from coreg.phantom import make_patient, preset
from coreg.registration import register, register_many
from coreg.settings import RegistrationSettings, SurfacePrior

OFF_MM = (0.3, -0.2)
# Of each case: first place, length, spacing in mm; turn in degrees; radii over those of the tube.
CUTS = {
    "long": (14.0, 30.0, 0.5, 60.0, 1.0),
    "short": (20.0, 16.0, 0.4, -130.0, 1.04),
    "middle": (24.0, 24.0, 0.8, 10.0, 0.97),
}
MOST_MM, MOST_DEG = 0.01, 0.05


@pytest.fixture(scope="module")
def cases(tube):
    """The long, the short, and the one between, which is mirrored: its order of frames is questioned too."""
    label, tree = tube.label(), VesselTree((tube.centerline(),))
    made = []
    for name, (start, length, step, turn, scale) in CUTS.items():
        z = np.arange(start, start + length, step)
        images = tube.pullback(z, turn_rad=np.radians(turn), catheter=OFF_MM, scale=scale)
        made.append(Case(name, label, images.mirrored() if name == "middle" else images, tree))
    return made


@pytest.fixture(scope="module")
def alone(cases):
    return [register(case, device="cpu") for case in cases]


@pytest.fixture(scope="module")
def together(cases):
    return register_many(cases, device="cpu", together=8)


@pytest.fixture
def bad_cases(cases):
    """A line beside the lumen, and too few contours."""
    line = cases[0].tree.lines[0].points_mm + np.array([6.0, 0.0, 0.0])
    few = dict(list(cases[0].pullback.lumen.items())[::20])
    return (
        replace(cases[0], tree=VesselTree((Centerline(line),))),
        replace(cases[0], pullback=replace(cases[0].pullback, lumen=few)),
    )


def assert_same(result, expected):
    there, here = result.path, expected.path
    np.testing.assert_array_equal(there.frame, here.frame)
    np.testing.assert_array_equal(there.posed, here.posed)
    some = here.posed
    assert np.linalg.norm(there.origin_mm - here.origin_mm, axis=1)[some].max() < MOST_MM
    between = np.sum(there.column * here.column, axis=1)[some]
    assert np.degrees(np.arccos(np.clip(between, -1.0, 1.0))).max() < MOST_DEG
    assert result.verdict == expected.verdict
    assert result.reasons == expected.reasons
    assert list(result.costs) == list(expected.costs)


def test_every_case_gets_what_it_gets_alone_and_in_its_place(alone, together):
    for result, expected in zip(together, alone, strict=True):
        assert_same(result, expected)
    # Only the mirrored one gives a reason to question the order of its frames.
    assert ["backward" in each.costs for each in together] == [False, False, True]


def test_every_case_is_found_where_it_was_cut(together):
    for result, (name, (start, _, _, turn, scale)) in zip(together, CUTS.items(), strict=True):
        if name == "middle":
            assert any("mirror" in each for each in result.reasons)
            continue
        z = start + result.path.position_mm.max() - result.path.position_mm
        true = np.column_stack([np.tile(OFF_MM, (len(z), 1)), z])
        # The label's voxels are 0.4 mm wide.
        assert np.linalg.norm(result.path.origin_mm - true, axis=1).mean() < 0.3
        off = np.degrees(np.arctan2(result.path.column[:, 1], result.path.column[:, 0])) - turn
        assert np.abs((off + 180.0) % 360.0 - 180.0).mean() < 4.0
        assert result.radius_scale == pytest.approx(1.0 / scale, abs=0.05)


def test_bad_cases_have_their_errors_and_the_others_their_results(cases, alone, bad_cases):
    aside, few = bad_cases
    out = register_many([aside, cases[0], few, cases[1]], device="cpu", together=8)
    assert isinstance(out[0], InputError)
    assert isinstance(out[2], RegistrationError)
    assert "registration needs 5" in str(out[2])
    assert_same(out[1], alone[0])
    assert_same(out[3], alone[1])


def test_an_error_amid_the_search_is_that_of_its_case_alone(cases, alone):
    # Lumens that may not differ at all give costs that are no numbers.
    impossible = RegistrationSettings(surface=SurfacePrior(patch_mm=0.0))
    settings = [RegistrationSettings(), impossible]
    with pytest.warns(UserWarning, match="a batch of 2 cases ended in .*; now one by one"):
        first, second = register_many(cases[:2], settings=settings, device="cpu", together=2)
    assert_same(first, alone[0])
    assert isinstance(second, ZeroDivisionError)


def test_where_all_are_bad_there_are_only_errors(bad_cases):
    out = register_many(bad_cases, device="cpu", together=8)
    assert [type(each) for each in out] == [InputError, RegistrationError]


def test_chunks_and_threads_change_nothing_and_progress_runs_from_nothing_to_all_but_the_end(cases, alone):
    told = []
    results = register_many(
        cases, device="cpu", together=2, threads=2, progress=lambda stage, share: told.append(share)
    )
    for result, expected in zip(results, alone, strict=True):
        assert_same(result, expected)
    assert told[0] == 0.0
    assert told == sorted(told)
    assert told[-1] < 1.0


def test_each_case_may_have_its_own_settings(cases, alone):
    usual, vague = RegistrationSettings(), RegistrationSettings(surface=SurfacePrior(patch_mm=0.3))
    first, second = register_many(cases[:2], settings=[usual, vague], device="cpu", together=2)
    assert_same(first, alone[0])
    assert_same(second, register(cases[1], settings=vague, device="cpu"))
    # Where surfaces are believed less, places are vaguer.
    assert (second.path.arc_length_sd_mm > alone[1].path.arc_length_sd_mm).all()


def test_no_tensor_relies_on_the_default_device(cases, alone):
    # A tensor made without naming a device holds no numbers then: it raises, or gives others than it should.
    with torch.device("meta"):
        first, second = register_many(cases[1:], device="cpu", together=2)
    assert_same(first, alone[1])
    assert_same(second, alone[2])


def test_what_makes_no_sense_is_refused(cases):
    with pytest.raises(ValueError, match=r"together: 0 cases cannot be refined as one batch"):
        register_many(cases, device="cpu", together=0)
    with pytest.raises(ValueError, match=r"settings: 1 for 3 cases"):
        register_many(cases, device="cpu", settings=[RegistrationSettings()])


@pytest.mark.slow
def test_patients_of_both_modalities_get_what_they_get_alone():
    made = [("OCT", 3), ("IVUS", 3), ("OCT", 1), ("IVUS", 4)]
    cases = [make_patient(seed, settings=preset("typical", modality=name)).case for name, seed in made]
    results = register_many(cases, device="cpu", together=4)
    for case, result in zip(cases, results, strict=True):
        assert_same(result, register(case, device="cpu"))


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")
def test_cuda_gives_what_the_processor_gives(cases, alone):
    for result, expected in zip(register_many(cases, device="cuda"), alone, strict=True):
        assert_same(result, expected)


@pytest.mark.slow
@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")
def test_cuda_gives_patients_what_the_processor_gives():
    cases = [make_patient(seed).case for seed in (0, 3)]
    for case, result in zip(cases, register_many(cases, device="cuda"), strict=True):
        assert_same(result, register(case, device="cpu"))
