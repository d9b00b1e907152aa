"""A case or a result opens with all that is known of it."""

import dataclasses
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from coreg.catheter_path import VirtualCatheterPath
from coreg.centerline import Centerline
from coreg.errors import InputError
from coreg.io.case_file import load_case
from coreg.io.registration_json import write_registration
from coreg.io.review_files import save_review
from coreg.io.reviewable import open_reviewable
from coreg.landmarks import Landmark
from coreg.result import Registration
from coreg.review import Review, ReviewedLandmark

FRAMES = 10


def registration(count=FRAMES, *, shift_mm=0.0, verdict="good", first=0):
    """A pullback that lies along +z, half a millimetre a frame, frame 0 distal."""
    z = 0.5 * np.arange(count) + 5.0 + shift_mm
    path = VirtualCatheterPath(
        frame=np.arange(count)[::-1] + first,
        position_mm=0.5 * np.arange(count)[::-1],
        arc_length_mm=z,
        rotation_rad=np.zeros(count),
        origin_mm=np.column_stack([np.zeros(count), np.zeros(count), z]),
        column=np.tile([1.0, 0.0, 0.0], (count, 1)),
        row=np.tile([0.0, 1.0, 0.0], (count, 1)),
        reliable=np.ones(count, dtype=bool),
        reason=("",) * count,
    )
    line = Centerline(np.column_stack([np.zeros(21), np.zeros(21), np.arange(21.0)]))
    return Registration(path, path, line, verdict, (), 1.0, 0.5, (), {}, np.full(count, 0.1))


@pytest.fixture
def case(case_folder):
    """A case in a folder of its own, with images of both modalities beside the lumens."""
    hu = np.random.default_rng(1).normal(-50.0, 20.0, (41, 20, 20)).astype(np.int16)
    hu[:, :4], hu[:, 8:12, 8:12] = -1000, 400
    image = sitk.GetImageFromArray(hu)
    image.SetSpacing((0.5, 0.5, 0.5))
    image.SetOrigin((-4.75, -4.75, 0.0))
    sitk.WriteImage(image, str(case_folder.path / "ccta.nii.gz"))
    grey = np.random.default_rng(0).integers(0, 200, (FRAMES, 64, 64)).astype(np.uint8)
    stack = sitk.GetImageFromArray(grey)
    stack.SetSpacing((0.1, 0.1, 0.5))
    sitk.WriteImage(stack, str(case_folder.path / "pullback.nii.gz"))
    case_folder.write(
        {
            "ccta.image": '"ccta.nii.gz"',
            "pullback.image": '"pullback.nii.gz"',
            "pullback.pixel_spacing_mm": "0.1",
            "pullback.modality": '"OCT"',
        }
    )
    return case_folder


@pytest.fixture
def result(case):
    folder = case.path / "results" / "first"
    folder.mkdir(parents=True)
    write_registration(folder, registration(), case_id="P1-LAD")
    return folder


def test_a_case_opens_by_its_file_or_folder_with_both_images(case):
    for path in (case.path, case.path / "case.toml", str(case.path)):
        opened = open_reviewable(path)
        assert opened.case_path == case.path / "case.toml"
        assert (opened.folder, opened.registration, opened.review, opened.notes) == (None, None, None, ())
        assert opened.case.image.values.shape == (41, 20, 20)
        assert opened.case.pullback_images.pixels.shape == (FRAMES, 64, 64)
        assert opened.outlined


def test_images_change_nothing_that_a_registration_looks_at(case):
    shown, bare = load_case(case.path, images=True), load_case(case.path)
    assert bare.image is None
    assert bare.pullback_images is None
    for name in ("frame", "position_mm"):
        np.testing.assert_array_equal(getattr(shown.pullback, name), getattr(bare.pullback, name))
    for name in ("field_of_view_mm", "acquisition", "modality", "excluded", "view"):
        assert getattr(shown.pullback, name) == getattr(bare.pullback, name)
    for frame, contour in bare.pullback.lumen.items():
        np.testing.assert_array_equal(shown.pullback.lumen[frame], contour)


def test_a_case_without_images_opens_without_them(case_folder):
    case_folder.write()
    opened = open_reviewable(case_folder.path)
    assert opened.case.image is None
    assert opened.case.pullback_images is None


def test_images_that_cannot_be_shown_are_told_and_the_rest_opens(case):
    (case.path / "ccta.nii.gz").write_bytes(b"no image")
    opened = open_reviewable(case.path)
    assert opened.case.image is None
    assert "Shown without images: ccta.image: " in opened.notes[0]
    assert opened.outlined


def test_a_missing_image_is_named(case):
    (case.path / "ccta.nii.gz").unlink()
    with pytest.raises(InputError, match=r"ccta.nii.gz: ccta.image: found no such file or folder"):
        open_reviewable(case.path)


def test_a_result_opens_with_its_case_registration_and_no_review(case, result):
    for path in (result, result / "registration.json"):
        opened = open_reviewable(path)
        assert opened.case_path.samefile(case.path / "case.toml")
        assert opened.folder == result
        assert opened.registration.verdict == "good"
        assert opened.review is None
        assert opened.notes == ()


def test_the_reviewed_registration_is_taken_where_there_is_one(result):
    landmark = ReviewedLandmark(Landmark("B1", frame=3.0, world_mm=np.zeros(3)), "accepted")
    save_review(result, Review("P1-LAD", (landmark,), comment="moved"), registration(shift_mm=1.25))
    opened = open_reviewable(result)
    assert opened.registration.path.arc_length_mm[0] == 6.25
    assert opened.review.comment == "moved"
    assert [each.landmark.id for each in opened.review.landmarks] == ["B1"]


def test_a_registration_made_after_the_review_is_told(result):
    save_review(result, Review("P1-LAD"), registration())
    os.utime(result / "registration.json", (4e9, 4e9))
    (note,) = open_reviewable(result).notes
    assert "registered again after the review" in note


def test_a_review_without_a_registration_opens(case, result):
    save_review(result, Review("P1-LAD", comment="nothing to register"), None)
    (result / "registration.json").unlink()
    opened = open_reviewable(result)
    assert opened.registration is None
    assert opened.review.comment == "nothing to register"


@pytest.mark.parametrize(
    "place", ["P1/result", "P1/runs/result", "results/result", "P1/case/../result"], ids=str
)
def test_the_case_of_a_result_is_found_near_it(case_folder, tmp_path_factory, place):
    case_folder.write()
    root = tmp_path_factory.mktemp("root")
    shutil.copytree(case_folder.path, root / "P1")
    (root / "P1" / "case").mkdir()
    (root / "other").mkdir()
    (root / "other" / "case.toml").write_text('id = "other"\n[ccta]\nlumen = "x"\n')
    (root / "P1" / "settings.toml").write_text("broken = [")
    folder = root / place
    folder.mkdir(parents=True)
    write_registration(folder, registration(), case_id="P1-LAD")
    assert open_reviewable(folder).case_path.samefile(root / "P1" / "case.toml")


def test_the_case_of_a_result_beside_a_folder_of_cases_is_found(case_folder, tmp_path_factory):
    case_folder.write()
    # So deep that the folders around it hold no other test's cases.
    root = tmp_path_factory.mktemp("tour") / "home" / "clone"
    shutil.copytree(case_folder.path, root / "sample_data" / "P1")
    folder = root / "result"
    folder.mkdir()
    write_registration(folder, registration(), case_id="P1-LAD")
    assert open_reviewable(folder).case_path.samefile(root / "sample_data" / "P1" / "case.toml")


def test_the_case_of_a_studys_result_beside_a_folder_of_cases_is_found(case_folder, tmp_path_factory):
    case_folder.write()
    root = tmp_path_factory.mktemp("tour") / "home" / "clone"
    shutil.copytree(case_folder.path, root / "study-cases" / "P1")
    folder = root / "study" / "cases" / "P1-LAD"
    folder.mkdir(parents=True)
    write_registration(folder, registration(), case_id="P1-LAD")
    assert open_reviewable(folder).case_path.samefile(root / "study-cases" / "P1" / "case.toml")


def test_a_case_is_looked_for_where_others_were_found(case_folder, tmp_path_factory):
    case_folder.write()
    places, folder = tmp_path_factory.mktemp("places"), tmp_path_factory.mktemp("far") / "a" / "b" / "result"
    shutil.copytree(case_folder.path, places / "P1")
    folder.mkdir(parents=True)
    write_registration(folder, registration(), case_id="P1-LAD")
    assert open_reviewable(folder, near=[places]).case_path.samefile(places / "P1" / "case.toml")


def test_a_result_far_from_its_case_asks_for_it(case, tmp_path_factory):
    folder = tmp_path_factory.mktemp("far") / "a" / "b" / "result"
    folder.mkdir(parents=True)
    write_registration(folder, registration(), case_id="P1-LAD")
    with pytest.raises(InputError, match=r"found none, expected the case.toml of case P1-LAD .* --case"):
        open_reviewable(folder)
    assert open_reviewable(folder, case=case.path).case.id == "P1-LAD"


def test_a_result_with_the_case_of_another_is_refused(case, result):
    case.write({"id": '"P2"'})
    with pytest.raises(InputError, match=r"case.toml: id: found 'P2', expected P1-LAD, whose result"):
        open_reviewable(result, case=case.path)


def test_a_case_whose_pullback_has_other_frames_is_refused(result):
    write_registration(result, registration(7), case_id="P1-LAD")
    with pytest.raises(InputError, match=r"registration.json: frames: found 7, expected 10 as in the case"):
        open_reviewable(result)
    write_registration(result, registration(first=1), case_id="P1-LAD")
    with pytest.raises(InputError, match="found frames 1 to 10, expected frames 0 to 9 as in the case"):
        open_reviewable(result)


@pytest.mark.parametrize("name", ["review.json", "registration_reviewed.json", "registration.json"])
def test_a_broken_file_of_a_result_is_named(result, name):
    save_review(result, Review("P1-LAD"), registration())
    if name == "registration.json":
        (result / "registration_reviewed.json").unlink()
    (result / name).write_text("{")
    with pytest.raises(InputError, match=rf"{name}: found broken JSON"):
        open_reviewable(result)


def test_a_result_of_another_version_is_refused(result):
    file = result / "registration.json"
    file.write_text(file.read_text().replace('"schema_version": 1', '"schema_version": 9'))
    with pytest.raises(InputError, match=r"registration.json: schema_version: found 9, expected 1"):
        open_reviewable(result)


def test_what_is_neither_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"found a folder without either, expected a case.toml, or a result"):
        open_reviewable(tmp_path)
    with pytest.raises(InputError, match="found no such file"):
        open_reviewable(tmp_path / "missing")


def test_a_case_of_images_alone_says_what_is_not_outlined(case):
    case.write(
        {
            "ccta.image": '"ccta.nii.gz"',
            "ccta.lumen": None,
            "pullback.lumen": None,
            "pullback.image": '"pullback.nii.gz"',
            "pullback.pixel_spacing_mm": "0.1",
            "pullback.modality": '"OCT"',
        }
    )
    opened = open_reviewable(case.path)
    assert not opened.outlined
    assert "Not outlined yet: the CCTA's lumen and the pullback's lumen; `coreg register" in opened.notes[0]


@pytest.mark.slow
def test_a_result_of_images_alone_opens_as_it_was_registered(tmp_path):
    """What register had in memory is read back from the folder: the same poses come of it."""
    import torch

    from coreg.cli.compute import Wanted, register_case
    from coreg.phantom import make_ccta, make_patient, make_pullback_images, preset
    from coreg.registration.scene import prepare_scene
    from coreg.settings import RegistrationSettings

    folder = _written_images(tmp_path / "case", make_patient, preset, make_ccta, make_pullback_images)
    outcome = register_case(folder, tmp_path / "result", Wanted(), progress=lambda *_: None)
    opened = open_reviewable(tmp_path / "result")
    assert opened.outlined
    assert opened.notes == ()
    assert opened.case.image is not None
    found = outcome.found
    outlines = opened.case.pullback.lumen
    assert len(outlines) == len(found.pullback.vessel)
    np.testing.assert_allclose(
        opened.ccta_vessel.centerline.points_mm, found.ccta.vessel.centerline.points_mm, atol=1e-6
    )
    scene = prepare_scene(opened.case, RegistrationSettings(), torch.device("cpu"))
    np.testing.assert_allclose(
        scene.centerline.points_mm, outcome.registration.centerline.points_mm, atol=1e-6
    )
    # Files keep a tenth of a micrometre.
    given = [each.id for each in found.pullback.vessel.side_branches]
    assert [each.id for each in opened.case.pullback_side_branches] == given


def _written_images(folder, make_patient, preset, make_ccta, make_pullback_images):
    from coreg.cli.phantom import image_truth
    from coreg.io.phantom_files import PullbackTruth, Truth, write_phantom
    from coreg.phantom import lumen_surface

    settings = dataclasses.replace(preset("typical"), run_range_mm=(30.0, 40.0))
    patient = make_patient(3, settings=settings)
    ccta, drawn = make_ccta(patient), make_pullback_images(patient, size=192)
    truth = Truth(patient.truth, patient.landmarks, patient.side_branches, lumen_surface(patient.lumen), {})
    write_phantom(
        folder,
        patient.case,
        truth,
        ccta=image_truth(ccta, dicom=False),
        pullback=PullbackTruth(drawn.exported(), drawn.vessel, dicom=False),
        clockwise=patient.clockwise,
    )
    return Path(folder)
