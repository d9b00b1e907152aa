from dataclasses import replace

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from coreg.cli.phantom import phantom
from coreg.contours import area_mm2
from coreg.io.case_file import load_case, load_pullback
from coreg.io.dicom_ccta import read_ccta
from coreg.io.frames_csv import read_frames
from coreg.io.landmark_files import read_landmarks, read_pullback_side_branches
from coreg.io.phantom_files import PLAQUE_COLUMNS, ImageTruth, PullbackTruth, Truth, write_phantom
from coreg.io.surfaces import read_surface
from coreg.io.tables import read_table
from coreg.io.volumes import read_volume
from coreg.phantom import lumen_surface, make_patient, make_pullback_images, preset
from coreg.validation import landmark_errors
from coreg.volume import Volume


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("phantoms")
    app = typer.Typer()
    app.command()(phantom)
    result = CliRunner().invoke(
        app, ["--seed", "8", "--modality", "IVUS", "--level", "hard", "--out", str(out)]
    )
    assert result.exit_code == 0, result.output
    return out


@pytest.fixture(scope="module")
def patient():
    return make_patient(8, settings=preset("hard", modality="IVUS"))


def test_written_case_reads_back_as_it_was_made(folder, patient):
    case = load_case(folder / "phantom-8")
    made = patient.case
    assert case.id == made.id == "phantom-8"
    np.testing.assert_array_equal(case.lumen.values, made.lumen.values)
    # NIfTI keeps its matrix in single precision.
    np.testing.assert_allclose(case.lumen.index_to_world, made.lumen.index_to_world, atol=1e-3)
    np.testing.assert_array_equal(case.pullback.position_mm, made.pullback.position_mm)
    assert set(case.pullback.lumen) == set(made.pullback.lumen)
    for frame, contour in made.pullback.lumen.items():
        assert area_mm2(case.pullback.lumen[frame]) == pytest.approx(area_mm2(contour), abs=1e-9)
    np.testing.assert_array_equal(case.tree.lines[0].points_mm, made.tree.lines[0].points_mm)
    np.testing.assert_array_equal(case.ostium_mm, made.ostium_mm)


def test_written_truth_holds_the_exact_poses(folder, patient):
    truth = folder / "phantom-8" / "truth"
    path = read_frames(truth / "frames.csv")
    np.testing.assert_allclose(path.origin_mm, patient.truth.origin_mm, atol=1e-8)
    np.testing.assert_allclose(path.plane_normal, patient.truth.plane_normal, atol=1e-8)
    for error in landmark_errors(path, read_landmarks(truth / "landmarks.csv")):
        assert abs(error.error_frames) < 1e-3
    wall = read_surface(truth / "lumen.stl").points_mm
    inside = (wall > patient.truth.origin_mm.min(axis=0) - 1.0) & (
        wall < patient.truth.origin_mm.max(axis=0) + 1.0
    )
    assert inside.all(axis=1).any()
    assert np.abs(patient.lumen.level(wall[::50], capped=True)).max() < 0.1


@pytest.fixture(scope="module")
def ccta(patient):
    """An image on the label's grid, its lumen as the label has it and a wall of one plaque."""
    grid = patient.case.lumen
    labels = np.array(grid.values)
    labels[:2] = 4
    image = np.where(labels == 1, 400, -900).astype(np.int16)
    return ImageTruth(
        Volume(image, grid.index_to_world),
        Volume(labels, grid.index_to_world),
        patient.centerline,
        lumen_surface(patient.lumen),
        [("soft", 3.0, 8.5, -20.0, 1.25, 0.5)],
    )


@pytest.mark.parametrize("dicom", [False, True])
def test_a_case_with_an_image_is_one_to_be_segmented(patient, ccta, tmp_path, dicom):
    truth = Truth(patient.truth, patient.landmarks, patient.side_branches, ccta.wall, patient.facts())
    write_phantom(tmp_path / "p", patient.case, truth, ccta=replace(ccta, dicom=dicom))
    case = load_case(tmp_path / "p")
    assert case.lumen is None
    assert case.tree is None
    np.testing.assert_array_equal(case.image.values, ccta.image.values)
    np.testing.assert_allclose(case.image.index_to_world, ccta.image.index_to_world, atol=1e-3)
    np.testing.assert_array_equal(case.ostium_mm, patient.case.ostium_mm)
    assert (tmp_path / "p" / "ccta").is_dir() == dicom


def test_truth_of_an_image_holds_lumen_labels_wall_and_plaque(patient, ccta, tmp_path):
    truth = Truth(patient.truth, patient.landmarks, patient.side_branches, ccta.wall, patient.facts())
    write_phantom(tmp_path / "p", patient.case, truth, ccta=ccta)
    folder = tmp_path / "p" / "truth"
    lumen = read_volume(folder / "ccta_lumen.nii.gz").values
    np.testing.assert_array_equal(lumen, np.asarray(ccta.labels.values) == 1)
    np.testing.assert_array_equal(read_volume(folder / "ccta_labels.nii.gz").values, ccta.labels.values)
    np.testing.assert_allclose(
        read_surface(folder / "ccta_wall.stl").points_mm.min(), ccta.wall.points_mm.min()
    )
    table = read_table(folder / "plaque.csv", required=PLAQUE_COLUMNS)
    assert table.texts("kind") == ["soft"]
    assert table.texts("last_mm") == ["8.5"]


@pytest.fixture(scope="module")
def drawn(patient):
    """Small images of the whole pullback."""
    return make_pullback_images(patient, size=64)


@pytest.mark.parametrize("dicom", [False, True])
def test_a_case_with_pullback_images_has_no_contours_and_its_truth_beside_it(patient, drawn, tmp_path, dicom):
    truth = Truth(patient.truth, patient.landmarks, patient.side_branches, lumen_surface(patient.lumen), {})
    images = PullbackTruth(drawn.exported(), drawn.vessel, dicom=dicom)
    write_phantom(tmp_path / "p", patient.case, truth, pullback=images)
    case = load_pullback(tmp_path / "p")
    assert case.pullback.lumen == {}
    np.testing.assert_allclose(case.pullback.position_mm, patient.case.pullback.position_mm, atol=2e-3)
    assert case.pullback.acquisition == "gated"
    found = case.known_images
    np.testing.assert_allclose(found.pixel_spacing_mm, drawn.images.pixel_spacing_mm, rtol=1e-5)
    np.testing.assert_allclose(found.catheter_px, drawn.images.catheter_px)
    assert found.catheter_type == "solid-state"
    assert (tmp_path / "p" / ("pullback.dcm" if dicom else "pullback.nii.gz")).is_file()
    assert not (tmp_path / "p" / "contours.csv").exists()
    folder = tmp_path / "p" / "truth"
    sections = read_volume(folder / "pullback_sections.nii.gz").values
    np.testing.assert_allclose(sections[0], drawn.lumen_mm, atol=1e-4)
    lumen = read_volume(folder / "pullback_lumen.nii.gz").values
    area = lumen.sum(axis=(1, 2)) * np.prod(drawn.images.pixel_spacing_mm)
    exact = 0.5 * (drawn.lumen_mm**2).mean(axis=1) * 2.0 * np.pi
    np.testing.assert_allclose(area, exact, rtol=0.05, atol=0.2)
    branches = read_pullback_side_branches(folder / "pullback_side_branches.csv")
    assert [each.id for each in branches] == [each.id for each in drawn.vessel.side_branches]
    assert (folder / "pullback_calcium.csv").is_file()
    assert (folder / "pullback_eem.nii.gz").is_file()


def test_contours_go_with_images(tmp_path):
    app = typer.Typer()
    app.command()(phantom)
    result = CliRunner().invoke(app, ["--seed", "8", "--contours", "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert "it goes with --images or --dicom" in result.output


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--images", "--dicom"])
def test_phantoms_with_images_are_made_from_the_command_line(tmp_path, option):
    app = typer.Typer()
    app.command()(phantom)
    result = CliRunner().invoke(app, ["--seed", "8", option, "--level", "clean", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    case = tmp_path / "phantom-8"
    image, warnings, _ = read_ccta(case / ("ccta.nii.gz" if option == "--images" else "ccta"))
    lumen = read_volume(case / "truth" / "ccta_lumen.nii.gz").values != 0
    assert warnings == ()
    assert image.values.shape == lumen.shape
    assert 250.0 < image.values[lumen].mean() < 480.0
    facts = read_table(case / "truth" / "facts.csv", required=("fact", "value"))
    assert {"ccta_noise_hu", "pullback_pixel_mm"} <= set(facts.texts("fact"))
    run = load_pullback(case)
    assert run.pullback.lumen == {}
    lumen = read_volume(case / "truth" / "pullback_lumen.nii.gz").values != 0
    assert run.known_images.pixels.shape == lumen.shape
    assert run.known_images.pixels[lumen].mean() < 15.0


def test_manifest_names_the_cases(folder):
    table = read_table(folder / "manifest.csv", required=("case_id", "case", "patient", "vessel"))
    assert table.texts("case_id") == ["phantom-8"]
    assert (folder / table.texts("case")[0] / "case.toml").is_file()


def test_other_content_is_left_alone(tmp_path):
    (tmp_path / "phantom-1").mkdir()
    (tmp_path / "phantom-1" / "notes.txt").write_text("mine")
    with pytest.raises(typer.BadParameter, match=r"phantom-1.*notes\.txt.*--force"):
        phantom(seed=1, out=tmp_path, quiet=True)
    assert (tmp_path / "phantom-1" / "notes.txt").read_text() == "mine"
    assert [each.name for each in tmp_path.iterdir()] == ["phantom-1"]


def test_sample_data_can_be_read():
    from pathlib import Path

    sample = Path(__file__).parents[2] / "sample_data" / "sample-OCT"
    case = load_case(sample)
    errors = landmark_errors(read_frames(sample / "truth" / "frames.csv"), case.landmarks)
    assert len(errors) >= 3
    # The case keeps every second frame, so that poses between them are interpolated.
    assert max(abs(each.error_mm) for each in errors) < 0.05
    assert sum(each.stat().st_size for each in sample.rglob("*") if each.is_file()) < 1_500_000
