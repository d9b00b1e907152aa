import csv
import dataclasses
import gzip
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest

from coreg.cli.cohort_case import CohortSettings, run_case
from coreg.cli.cohort_identity import leaks_of
from coreg.errors import InputError
from coreg_cohort.plan import planned

pytest.importorskip("distributed", reason="needs the cohort extra: pip install coreg[cohort]")


@pytest.fixture
def study(tmp_path, sample):
    """Manifest of the sample twice, under two ids of one patient, and of a case that is not there."""
    lines = ["case_id,case,patient"]
    for name in ("A", "B"):
        shutil.copytree(sample, tmp_path / name)
        text = (tmp_path / name / "case.toml").read_text()
        (tmp_path / name / "case.toml").write_text(text.replace('id = "sample-OCT"', f'id = "{name}"'))
        lines.append(f"{name},{name},")
    lines.append("C,nowhere,P3")
    (tmp_path / "manifest.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "manifest.csv"


def rows(out):
    with (out / "cohort.csv").open(newline="") as file:
        return {row["case_id"]: row for row in csv.DictReader(file)}


@pytest.mark.slow
def test_a_study_is_run_with_its_failures_told_and_goes_on_where_it_ended(coreg, study, tmp_path):
    out = tmp_path / "out"
    done = coreg("cohort", "run", study, "--out", out, "--compare", "rigid", "--workers", 2)
    assert done.status == 5, done.err
    # The terminal says where it was looked for; what is written does not, as folders may tell who it is.
    assert "nowhere" in done.err
    assert "the case in row 4 of the manifest: found no such file" in done.out
    found = rows(out)
    assert [each["status"] for each in found.values()] == ["done", "done", "failed"]
    # The sample's landmarks come with the truth: the registration meets them.
    assert all(float(found[name]["error_mm"]) < 0.5 for name in ("A", "B"))
    assert found["A"]["landmarks"] == "5"
    assert (out / "cases" / "A" / "report.html").exists()
    assert (out / "methods" / "rigid" / "B" / "validation.csv").exists()
    assert "fine path" in (out / "cases" / "B" / "log.txt").read_text()
    again = coreg("cohort", "run", study, "--out", out, "--compare", "rigid", "--json")
    assert again.status == 5
    assert again.data["done"] == 2
    assert "3 cases, 0 to run" in again.err
    other = coreg(
        "cohort", "run", study, "--out", out, "--compare", "rigid", "--seed", 1, "--dry-run", "--json"
    )
    assert other.data["to_run"] == ["A", "B"]


def test_a_dry_run_says_what_it_would_do_and_writes_nothing(coreg, study, tmp_path):
    done = coreg("cohort", "run", study, "--out", tmp_path / "out", "--dry-run", "--json")
    assert done.status == 0
    assert done.data["to_run"] == ["A", "B"]
    assert "nowhere" in done.data["unusable"]["C"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("case,patient\nA,P1\n", "case_id"),
        ("case_id,case\nA,A\na,B\n", "row 3, column case_id"),
        ("case_id,case\n../A,A\n", "row 2, column case_id"),
        ("case_id,case\n", "a row for each case"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_refused_before_anything_runs(coreg, study, tmp_path, text, names):
    study.write_text(text)
    done = coreg("cohort", "run", study, "--out", tmp_path / "out")
    assert done.status == 3
    assert names in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "out").exists()


def test_a_folder_with_other_things_in_it_is_refused(coreg, study, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.docx").write_text("years of work")
    done = coreg("cohort", "run", study, "--out", tmp_path / "out")
    assert done.status == 3
    assert "thesis.docx" in done.err


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("--cluster", "moon"), "local, slurm"),
        (("--cluster", "tcp://127.0.0.1:1"), "nobody answers"),
        (("--cluster-options", "x.toml"), "--cluster slurm"),
        (("--workers", "0"), "--workers"),
    ],
)
def test_where_nothing_can_run_it_is_said_and_nothing_is_lost(coreg, study, tmp_path, words, names):
    done = coreg("cohort", "run", study, "--out", tmp_path / "out", *words)
    assert done.status in {2, 3}
    assert names in done.err
    assert "Traceback" not in done.err


def test_a_result_folder_with_other_things_in_it_is_a_plain_reason(study, tmp_path):
    folder = tmp_path / "out" / "cases" / "A"
    folder.mkdir(parents=True)
    (folder / "thesis.docx").write_text("years of work")
    with pytest.raises(InputError, match=r"thesis\.docx"):
        run_case(
            study.parent / "A" / "case.toml",
            tmp_path / "out",
            "A",
            CohortSettings(),
            ("register", "validate"),
        )
    assert (folder / "thesis.docx").read_text() == "years of work"


def test_the_script_for_slurm_can_be_read_before_anything_is_submitted(coreg, tmp_path):
    (tmp_path / "slurm.toml").write_text('queue = "gpu"\ngpus = 1\nmemory = "16 GB"\nwalltime = "04:00:00"\n')
    done = coreg("cohort", "job-script", tmp_path / "slurm.toml")
    assert done.status == 0
    assert {"#SBATCH -p gpu", "#SBATCH --gres=gpu:1", "#SBATCH -t 04:00:00"} <= set(done.out.splitlines())
    (tmp_path / "slurm.toml").write_text('que = "gpu"\n')
    refused = coreg("cohort", "job-script", tmp_path / "slurm.toml")
    assert refused.status == 3
    assert "did you mean queue?" in refused.err


@pytest.mark.slow
def test_a_patient_found_in_the_output_stops_the_study_from_being_passed_on(coreg, ct_files, chest, tmp_path):
    # Too few slices: the case fails in a second, and its folder is searched all the same.
    ct_files.series(tmp_path / "P001" / "ccta", chest[:3])
    (tmp_path / "P001" / "case.toml").write_text(
        'id = "P001"\n[ccta]\nimage = "ccta"\nostium = [0.0, 0.0, 900.0]\ndistal = [9.0, 0.0, 900.0]\n'
        '[pullback]\nlumen = "lumen.csv"\nmodality = "OCT"\ncatheter_type = "rotating"\n'
    )
    (tmp_path / "P001" / "lumen.csv").write_text("frame,kind,point,x_mm,y_mm\n")
    (tmp_path / "manifest.csv").write_text("case_id,case\nP001,P001\n")
    out = tmp_path / "out"
    clean = coreg("cohort", "run", tmp_path / "manifest.csv", "--out", out, "--json")
    assert clean.status == 5, clean.err
    assert clean.data["identity_found_in"] == []
    (out / "methods" / "rigid" / "P001").mkdir(parents=True)
    (out / "methods" / "rigid" / "P001" / "of_zzgiven.txt").write_text("seen by Zzphysician")
    found = coreg("cohort", "run", tmp_path / "manifest.csv", "--out", out)
    assert found.status == 3
    for attribute in ("PatientName", "ReferringPhysicianName"):
        assert f"identity found: methods/rigid/P001/of_***.txt holds {attribute} of case P001" in found.err
    assert "1 file that holds a patient's identity" in found.err
    assert "do not pass this folder on" in found.err
    assert not [each for each in ct_files.identity if each.lower() in (found.out + found.err).lower()]


@pytest.mark.slow
def test_no_identity_of_a_patient_in_dicom_is_in_the_output_of_a_study(coreg, ct_files, tmp_path):
    assert coreg("phantom", "--dicom", "--seed", 7, "--out", tmp_path / "in").status == 0
    for file in (tmp_path / "in").rglob("*.dcm"):
        made = pydicom.dcmread(file)
        made.PatientName, made.PatientID, made.PatientBirthDate = "Zzsurname^Zzgiven", "ZZID4711", "19010203"
        made.AccessionNumber, made.ReferringPhysicianName = "ZZACCESSION", "Zzphysician"
        made.save_as(file)
    out = tmp_path / "out"
    done = coreg("cohort", "run", tmp_path / "in" / "manifest.csv", "--out", out, "--workers", 1)
    assert done.status == 0, done.err
    assert "none found" in done.out
    # Also by the plainest of searches.
    texts = [each.read_bytes().lower() for each in out.rglob("*") if each.is_file()]
    texts += [gzip.decompress(each.read_bytes()).lower() for each in out.rglob("*.gz")]
    assert len(texts) > 10
    for value in ct_files.identity:
        assert not [text for text in texts if value.lower().encode() in text]


def frames_mm(folder):
    """Catheter in each frame that has a place."""
    with (folder / "frames.csv").open(newline="") as file:
        rows = [[row[name] for name in ("x_mm", "y_mm", "z_mm")] for row in csv.DictReader(file)]
    return np.array([row for row in rows if all(row)], dtype=float)


@pytest.mark.slow
def test_from_images_stage_by_stage_the_result_is_that_of_one_registration(coreg, tmp_path):
    assert coreg("phantom", "--seed", 7, "--images", "--out", tmp_path / "patients").status == 0
    manifest, out = tmp_path / "patients" / "manifest.csv", tmp_path / "out"
    case = out / "cases" / "phantom-7"
    segmented = coreg("cohort", "run", manifest, "--out", out, "--stage", "segment", "--json")
    assert segmented.status == 0, segmented.err
    assert rows(out)["phantom-7"]["stage"] == "segment"
    assert {"ccta.html", "pullback.html"} < {each.name for each in (case / "segmentation").iterdir()}
    assert not (case / "registration.json").exists()
    rest = coreg("cohort", "run", manifest, "--out", out, "--json")
    assert rest.data["done"] == 1, rest.err
    alone = tmp_path / "alone"
    # In a process of its own, as for a user: what others have loaded changes the last digits.
    words = ("register", tmp_path / "patients" / "phantom-7", "--out", alone, "--threads", "1")
    subprocess.run([Path(sys.executable).with_name("coreg"), *words], check=True, capture_output=True)
    names = {str(each.relative_to(alone)) for each in alone.rglob("*") if each.is_file()}
    assert {str(each.relative_to(case)) for each in case.rglob("*") if each.is_file()} == {*names, "log.txt"}
    for name in (
        "frames.csv",
        "validation.csv",
        "segmentation/ccta_sections.csv",
        "segmentation/ccta_lumen.stl",
    ):
        assert (case / name).read_bytes() == (alone / name).read_bytes(), name

    # A reader accepts one landmark, moved by ten frames: it alone is measured from now on, ten frames off.
    found = coreg("cohort", "run", manifest, "--out", out, "--dry-run", "--json")
    assert found.data["to_run"] == []
    with (case / "landmarks.csv").open(newline="") as file:
        landmarks = list(csv.DictReader(file))
    before = {each["id"]: float(each["error_frames"]) for each in validation(case)}
    landmarks[0] |= {"state": "corrected", "frame": str(float(landmarks[0]["frame"]) - 10.0)}
    with (case / "landmarks_reviewed.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(landmarks[0]), restval="proposed")
        writer.writeheader()
        writer.writerows(landmarks)
    reviewed = (case / "landmarks_reviewed.csv").read_bytes()
    again = coreg("cohort", "run", manifest, "--out", out, "--json")
    assert again.status == 0, again.err
    (measured,) = validation(case)
    assert float(measured["error_frames"]) == pytest.approx(before[measured["id"]] + 10.0, abs=1e-6)
    assert rows(out)["phantom-7"]["landmarks"] == "1"
    assert (case / "frames.csv").read_bytes() == (alone / "frames.csv").read_bytes()
    assert (case / "landmarks_reviewed.csv").read_bytes() == reviewed


def validation(folder):
    with (folder / "validation.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_registered_in_a_batch_cases_have_the_results_of_single_ones(coreg, study, sample, tmp_path):
    done = coreg("cohort", "run", study, "--out", tmp_path / "out", "--batch", 2, "--device", "cpu", "--json")
    assert done.status == 5, done.err
    assert done.data["done"] == 2
    assert coreg("register", sample, "--out", tmp_path / "alone", "--threads", 1).status == 0
    expected = frames_mm(tmp_path / "alone")
    for name in ("A", "B"):
        found = frames_mm(tmp_path / "out" / "cases" / name)
        np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-6)
        # Errors, maps and the page are those of any result.
        assert (tmp_path / "out" / "cases" / name / "report.html").exists()
        assert float(rows(tmp_path / "out")[name]["error_mm"]) < 0.5


def test_batches_are_refused_where_landmarks_guide(coreg, study, tmp_path):
    done = coreg("cohort", "run", study, "--out", tmp_path / "out", "--batch", 2, "--use-landmarks")
    assert done.status == 2
    assert "--batch" in done.err


def test_a_stage_alone_leaves_cases_alone_that_lack_what_comes_before(coreg, study, tmp_path):
    done = coreg(
        "cohort", "run", study, "--out", tmp_path / "out", "--stage", "validate", "--dry-run", "--json"
    )
    assert done.status == 0
    assert done.data["to_run"] == []
    assert done.data["waiting"] == {"A": "register", "B": "register"}
    assert "2 cases left alone until --stage register has run" in done.err


def test_a_case_that_is_gone_by_the_end_is_named_and_the_others_are_searched(study, tmp_path):
    out = tmp_path / "out"
    (out / ".coreg-cohort").mkdir(parents=True)
    plan = planned(study, out, {}, "1")
    (study.parent / "A" / "case.toml").unlink()
    searched = leaks_of(plan, lambda _what, _share: None)
    assert searched.unsearched == ("A",)
    assert searched.leaks == ()


def test_a_case_that_became_another_one_is_refused(study, tmp_path):
    with pytest.raises(InputError, match=r"id: found 'A', expected B"):
        run_case(study.parent / "A" / "case.toml", tmp_path / "out", "B", CohortSettings(), ("register",))


def test_identities_of_unreadable_cases_and_those_found_before_are_searched_for(
    study, tmp_path, ct_files, chest
):
    files = ct_files.series(tmp_path / "X" / "ct", chest[:3, :16, :16])
    dataset = pydicom.dcmread(files[0])
    dataset.PatientName = "Zwickelbauer^Hansjoerg"
    dataset.save_as(files[0])
    clicks = "ostium = [0, 0, 0]\ndistal = [0, 0, 9]"
    text = f'id = "X"\n[ccta]\nimage = "ct"\n{clicks}\n[pullback]\nlumen = "none.csv"\n'
    (tmp_path / "X" / "case.toml").write_text(text)
    study.write_text(study.read_text() + "X,X,\n")
    out = tmp_path / "out"
    (out / ".coreg-cohort").mkdir(parents=True)
    plan = planned(study, out, {}, "1")
    (out / "report.html").write_text("of Zwickelbauer")
    assert "none.csv" in plan.unusable["X"]
    (leak,) = leaks_of(plan, lambda _what, _share: None).leaks
    assert (leak.file, leak.case_id) == ("report.html", "X")
    # Until it is gone it is looked for, whether or not anything runs.
    later = dataclasses.replace(plan, unusable={}, fingerprints={})
    assert later.todo == ()
    assert len(leaks_of(later, lambda _what, _share: None).leaks) == 1
    (out / "report.html").write_text("of nobody")
    assert leaks_of(later, lambda _what, _share: None).leaks == ()


def test_the_method_of_the_results_is_not_compared_with_itself(coreg, study, tmp_path):
    done = coreg("cohort", "run", study, "--out", tmp_path / "out", "--method", "rigid", "--compare", "rigid")
    assert done.status == 2
    assert "--compare rigid" in done.err
