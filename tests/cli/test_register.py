import csv
import json
import re
import shutil

import numpy as np
import pytest
import SimpleITK as sitk

from coreg.io.results import read_frames, read_registration, sha256_of
from coreg.validation import frame_errors


@pytest.fixture(scope="module")
def result(tmp_path_factory, sample):
    """One run over the sample for all tests that only look."""
    import sys

    from coreg.cli.main import main

    folder = tmp_path_factory.mktemp("run")
    argv, sys.argv = sys.argv, ["coreg", "register", str(sample), "--out", str(folder / "result"), "-q"]
    try:
        with pytest.raises(SystemExit) as stop:
            main()
    finally:
        sys.argv = argv
    assert not stop.value.code
    return folder / "result"


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_files_of_the_contract_are_written(result):
    names = {each.name for each in result.iterdir()}
    assert names == {"frames.csv", "registration.json", "validation.csv", "landmarks.csv", "report.html"}


def test_the_sample_is_placed_near_its_truth(result, sample):
    errors = frame_errors(read_frames(result / "frames.csv"), read_frames(sample / "truth" / "frames.csv"))
    reliable = errors.reliable
    # What the contract calls a right placement.
    assert np.abs(errors.error_mm[reliable]).mean() < 1.5
    assert np.abs(errors.error_deg[reliable]).mean() < 20.0


def test_registration_json_says_how_it_was_made(result, sample):
    made = json.loads((result / "registration.json").read_text())
    # The sample's CCTA lumen is a label.
    assert made["settings"]["surface"]["radius_mm"] == pytest.approx(0.15)
    assert made["case_id"] == "sample-OCT"
    assert "research use only" in made["use"]
    provenance = made["provenance"]
    assert provenance["inputs_sha256"]["ccta_lumen.nii.gz"] == sha256_of(sample / "ccta_lumen.nii.gz")
    assert {"coreg", "python", "numpy", "torch", "device"} <= set(provenance)
    assert str(sample) not in (result / "registration.json").read_text()


def test_report_shows_the_verdict(result):
    html = (result / "report.html").read_text()
    assert f'class="verdict {read_registration(result).verdict}"' in html
    assert "research use only" in html


def test_validate_repeats_the_errors_and_rewrites_the_table(coreg, result, tmp_path):
    shutil.copytree(result, tmp_path / "copy")
    before = rows_of(result / "validation.csv")
    (tmp_path / "copy" / "validation.csv").unlink()
    done = coreg("validate", tmp_path / "copy", "--json")
    assert done.status == 0
    assert rows_of(tmp_path / "copy" / "validation.csv") == before
    assert done.data["errors"][0]["error_mm"] == pytest.approx(float(before[0]["error_mm"]))


def test_validate_against_other_landmarks(coreg, result, tmp_path):
    shutil.copytree(result, tmp_path / "copy")
    first = read_frames(result / "frames.csv")
    point = first.to_world(np.array([10.0]), np.array([[1.0, 0.0]]))[0]
    own = tmp_path / "own.csv"
    x, y, z = point
    own.write_text(f"id,frame,angle_deg,x_mm,y_mm,z_mm\nme,{first.frame[10]},0,{x},{y},{z}\n")
    data = coreg("validate", tmp_path / "copy", "--landmarks", own, "--json").data
    assert data["mean_absolute_error_mm"] == pytest.approx(0.0, abs=1e-6)
    assert data["mean_absolute_error_deg"] == pytest.approx(0.0, abs=1e-4)


def test_validate_without_landmarks_is_status_3(coreg, result, tmp_path):
    shutil.copytree(result, tmp_path / "copy")
    (tmp_path / "copy" / "landmarks.csv").unlink()
    done = coreg("validate", tmp_path / "copy")
    assert done.status == 3
    assert "--landmarks FILE" in done.err


def test_validate_of_no_result_is_status_3(coreg, tmp_path):
    assert coreg("validate", tmp_path).status == 3


def test_info_of_a_result(coreg, result):
    data = coreg("info", result, "--json").data
    assert data["verdict"] == read_registration(result).verdict
    assert data["placed"] > 0


def test_a_result_of_the_same_case_is_replaced(coreg, result, sample, tmp_path):
    shutil.copytree(result, tmp_path / "out")
    (tmp_path / "out" / "old.txt").write_text("from before")
    done = coreg("register", sample, "--out", tmp_path / "out", "--method", "rigid", "--json")
    assert done.status == 0, done.err
    assert not (tmp_path / "out" / "old.txt").exists()
    assert done.data["case_id"] == "sample-OCT"
    assert done.data["frames"] == len(read_registration(tmp_path / "out").path)
    assert "[" in done.err


def test_a_phase_asked_of_given_contours_is_said_to_change_nothing(coreg, sample, tmp_path):
    options = ("--method", "rigid", "--phase", "diastole")
    done = coreg("register", sample, "--out", tmp_path / "out", *options)
    said = " ".join(done.out.split())
    assert "note --phase diastole has no effect: the contours of the case are taken as they are." in said


@pytest.mark.parametrize("content", ["file", "folder"])
def test_other_content_at_out_is_left_alone_before_anything_is_computed(coreg, sample, tmp_path, content):
    out = tmp_path / "out"
    if content == "file":
        out.write_text("mine")
    else:
        out.mkdir()
        (out / "mine.txt").write_text("mine")
    done = coreg("register", sample, "--out", out)
    assert done.status == 2
    assert "--out" in done.err
    assert "global start" not in done.err
    assert (out if content == "file" else out / "mine.txt").read_text() == "mine"


def test_a_missing_case_is_status_3_and_leaves_nothing(coreg, tmp_path):
    done = coreg("register", tmp_path / "case.toml", "--out", tmp_path / "new" / "out")
    assert done.status == 3
    assert "case.toml: found no such file" in done.err
    assert "Traceback" not in done.err
    assert not list(tmp_path.iterdir())


def test_a_broken_input_is_status_3_and_leaves_nothing(coreg, sample, tmp_path):
    shutil.copytree(sample, tmp_path / "case")
    (tmp_path / "case" / "contours.csv").write_text("frame,kind,point,x_mm,y_mm\n0,lumen,0,nan,1\n")
    done = coreg("register", tmp_path / "case", "--out", tmp_path / "new" / "out")
    assert done.status == 3
    assert "contours.csv" in done.err
    assert not (tmp_path / "new").exists()


def test_cuda_that_is_not_there_is_wrong_usage(coreg, sample, tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    done = coreg("register", sample, "--out", tmp_path / "out", "--device", "cuda")
    assert done.status == 2
    assert "no CUDA device" in done.err


@pytest.mark.slow
def test_the_demo_runs_the_whole_chain(coreg, tmp_path):
    done = coreg("demo", "--out", tmp_path / "demo", "--json")
    assert done.status == 0, done.err
    assert done.data["verdict"] in {"good", "review"}
    assert done.data["all_frames"]["mean_absolute_error_mm"] < 1.5
    assert done.data["all_frames"]["mean_absolute_error_deg"] < 20.0
    # From images to the page: a CCTA volume, and an OCT pullback in DICOM.
    assert {"ccta.nii.gz", "pullback.dcm"} <= {each.name for each in (tmp_path / "demo" / "case").iterdir()}
    assert done.data["segmentation"]["marked_share"] < 0.2
    assert done.data["pullback_segmentation"]["marked_share"] < 0.2
    html = (tmp_path / "demo" / "result" / "report.html").read_text()
    assert "Pullback: frames" in html
    assert "CCTA: the path" in html
    again = coreg("demo", "--out", tmp_path / "demo")
    assert again.status == 0, again.err
    assert "report.html" in again.out


def test_contours_that_come_with_marks_keep_them_and_images_beside_them_tell_the_frames(
    coreg, result, sample, tmp_path
):
    case = shutil.copytree(sample, tmp_path / "case")
    drawn = sorted({int(row["frame"]) for row in rows_of(case / "contours.csv")})
    trusted = next(int(row["frame"]) for row in rows_of(result / "frames.csv") if row["reliable"] == "1")
    (case / "frame_quality.csv").write_text(f"frame,quality,reason\n{trusted},0.3,residual blood\n")
    count = drawn[-1] + 4
    image = sitk.GetImageFromArray(np.full((count, 64, 64), 100, np.uint8) + np.eye(64, dtype=np.uint8))
    image.SetSpacing((0.15, 0.15, 0.4))
    sitk.WriteImage(image, str(case / "pullback.nii.gz"))
    text = (case / "case.toml").read_text()
    (case / "case.toml").write_text(text.replace("[pullback]", '[pullback]\nimage = "pullback.nii.gz"'))
    done = coreg("register", case, "--out", tmp_path / "out", "--json")
    assert done.status == 0, done.err
    rows = rows_of(tmp_path / "out" / "frames.csv")
    assert [int(row["frame"]) for row in rows] == list(range(count))
    assert all(row["reliable"] == "0" for row in rows[-3:])
    assert (rows[trusted]["reliable"], rows[trusted]["reason"]) == (
        "0",
        "lumen not to be trusted: residual blood",
    )
    note = f"1 of {len(drawn)} contours are marked in the frame_quality.csv beside contours.csv"
    assert note in done.data["notes"]
    made = json.loads((tmp_path / "out" / "registration.json").read_text())["provenance"]
    assert "frame_quality.csv" in made["inputs_sha256"]
    assert note in made["notes"]
    assert f"<li>{note}</li>" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_few_contours_are_told_and_frames_beyond_them_follow_the_pullback(tmp_path, sample, coreg):
    case = tmp_path / "case"
    shutil.copytree(sample, case)
    lines = (case / "contours.csv").read_text().splitlines()
    frames = sorted({int(line.split(",")[0]) for line in lines[1:]})
    kept = [lines[0], *(line for line in lines[1:] if int(line.split(",")[0]) % 4 == 0)]
    kept = [line for line in kept if not line[0].isdigit() or int(line.split(",")[0]) < frames[-1] - 20]
    (case / "contours.csv").write_text("\n".join(kept) + "\n")
    spacing = 0.4
    text = "frame,position_mm\n" + "".join(f"{f},{spacing * f:.3f}\n" for f in range(frames[-1] + 1))
    (case / "positions.csv").write_text(text)
    toml = (case / "case.toml").read_text()
    toml = "\n".join(line for line in toml.splitlines() if not line.startswith("frame_spacing_mm"))
    (case / "case.toml").write_text(toml.replace("[pullback]", '[pullback]\npositions = "positions.csv"'))
    done = coreg("register", case, "--out", tmp_path / "out", "--json")
    assert done.status == 0, done.err
    outlined = len({line.split(",")[0] for line in kept[1:]})
    note = f"{outlined} of {frames[-1] + 1} frames have a contour; the other poses follow from theirs"
    assert note in done.data["notes"]
    rows = rows_of(tmp_path / "out" / "frames.csv")
    assert "extrapolated" in rows[-1]["reason"]
    arc_length = np.array([float(row["arc_length_mm"]) for row in rows if row["arc_length_mm"]])
    # The catheter comes back towards the ostium all the way, at about its own speed.
    assert np.ptp(arc_length) == pytest.approx(spacing * frames[-1], rel=0.15)


def test_guides_and_landmarks_left_out_are_told_apart_in_every_file(coreg, sample, tmp_path):
    out = tmp_path / "out"
    done = coreg("register", sample, "--out", out, "--lock-landmarks", "B2,B6", "--leave-one-out", "--json")
    assert done.status == 0, done.err
    assert done.data["guides"] == {
        "B2": "locked",
        "B3": "guide",
        "B4": "guide",
        "B5": "guide",
        "B6": "locked",
    }
    rows = {row["id"]: row for row in rows_of(out / "validation.csv")}
    assert rows["B2"]["used_as"] == "locked"
    # Locked ones are met, which says nothing; left out they are measured.
    assert abs(float(rows["B2"]["error_mm"])) < 0.1
    assert float(rows["B2"]["error_mm_left_out"]) == pytest.approx(
        done.data["landmarks_left_out"]["errors"][0]["error_mm"]
    )
    for row in rows.values():
        assert abs(float(row["error_mm_left_out"])) < 1.5
    html = (out / "report.html").read_text(encoding="utf-8")
    assert "at landmarks left out, along the vessel" in html
    assert "used as" in html
    assert read_registration(out).guides["B2"] == "locked"
    before = rows_of(out / "validation.csv")
    again = coreg("validate", out)
    assert again.status == 0
    assert "fit residual at 5 guides, not accuracy" in " ".join(again.out.split())
    assert rows_of(out / "validation.csv") == before


def test_a_lock_on_a_landmark_that_is_not_there_is_wrong_usage(coreg, sample, tmp_path):
    done = coreg("register", sample, "--out", tmp_path / "out", "--lock-landmarks", "B9")
    assert done.status == 2
    assert "found B9, expected all or some of B2, B3, B4, B5, B6" in " ".join(done.err.split())
    assert not (tmp_path / "out").exists()


def test_guiding_without_a_pair_is_status_3(coreg, sample, tmp_path):
    case = shutil.copytree(sample, tmp_path / "case")
    text = (case / "case.toml").read_text()
    (case / "case.toml").write_text(text.split("[landmarks]")[0])
    done = coreg("register", case, "--out", tmp_path / "out", "--use-landmarks")
    assert done.status == 3
    assert "landmarks: found no complete pair" in " ".join(done.err.split())


def test_landmarks_that_cannot_be_measured_say_why(coreg, sample, tmp_path):
    case = shutil.copytree(sample, tmp_path / "case", ignore=shutil.ignore_patterns("truth"))
    rows = (case / "landmarks.csv").read_text().splitlines()
    stray = re.sub(r"^B2,[^,]*,", "B2,5000,", rows[1])
    (case / "landmarks.csv").write_text("\n".join([rows[0], stray, *rows[2:]]))
    done = coreg("register", case, "--out", tmp_path / "out")
    assert done.status == 0, done.err
    assert "landmark B2: frame 5000 is not in the pullback" in " ".join(done.out.split())
