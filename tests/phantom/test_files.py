import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from coreg.cli.phantom import phantom
from coreg.contours import area_mm2
from coreg.errors import InputError
from coreg.io.case_file import load_case
from coreg.io.frames_csv import read_frames
from coreg.io.landmark_files import read_landmarks
from coreg.io.surfaces import read_surface
from coreg.io.tables import read_table
from coreg.phantom import make_patient, preset
from coreg.validation import landmark_errors


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


def test_manifest_names_the_cases(folder):
    table = read_table(folder / "manifest.csv", required=("case_id", "case", "patient", "vessel"))
    assert table.texts("case_id") == ["phantom-8"]
    assert (folder / table.texts("case")[0] / "case.toml").is_file()


def test_other_content_is_left_alone(tmp_path):
    (tmp_path / "phantom-1").mkdir()
    (tmp_path / "phantom-1" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"phantom-1.*notes\.txt.*--force"):
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
