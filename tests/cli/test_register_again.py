"""Registering with what a reader left: landmarks of another file, and a placement to go on from."""

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from coreg.cli.starting import start_file_of
from coreg.io.landmark_files import read_landmarks
from coreg.io.results import read_frames, read_registration, sha256_of
from coreg.io.review_files import read_review, save_review
from coreg.registration import Adjustment, adjusted
from coreg.review import Review, ReviewedLandmark
from coreg.validation import frame_errors


@pytest.fixture(scope="module")
def result(tmp_path_factory, sample):
    """One run over the sample for all tests, which copy it."""
    from coreg.cli.compute import Wanted, register_case

    folder = tmp_path_factory.mktemp("run") / "result"
    register_case(sample, folder, Wanted(), progress=lambda *_: None)
    return folder


@pytest.fixture
def out(result, tmp_path):
    """The result with a review: B2 accepted, B3 corrected, the others not looked at or rejected."""
    folder = shutil.copytree(result, tmp_path / "out")
    states = {"B2": "accepted", "B3": "corrected", "B4": "rejected"}
    landmarks = tuple(
        ReviewedLandmark(each, states.get(each.id, "proposed"))
        for each in read_landmarks(folder / "landmarks.csv")
    )
    save_review(folder, Review("sample-OCT", landmarks), read_registration(folder))
    return folder


def moved_by_hand(folder, sample, *, shift_mm, turn_rad):
    """Save the result of a folder as a reader may have left it, moved along the vessel and turned."""
    registration = read_registration(folder)
    centre_mm = np.zeros((len(registration.path), 2))
    adjustment = Adjustment(shift_mm=shift_mm, turn_rad=turn_rad)
    path = adjusted(registration.path, registration.centerline, centre_mm, adjustment)
    save_review(folder, Review("sample-OCT"), replace(registration, path=path))
    return mean_errors(path, sample)


def mean_errors(path, sample):
    errors = frame_errors(path, read_frames(sample / "truth" / "frames.csv"))
    return [float(np.nanmean(np.abs(each))) for each in (errors.error_mm, errors.error_deg)]


def test_accepted_and_corrected_landmarks_of_a_review_guide(coreg, sample, out):
    reviewed = out / "landmarks_reviewed.csv"
    done = coreg("register", sample, "--out", out, "--use-landmarks", "--landmarks", reviewed, "--json")
    assert done.status == 0, done.err
    assert done.data["guides"] == {"B2": "guide", "B3": "guide"}
    with (out / "validation.csv").open(newline="") as file:
        assert [row["id"] for row in csv.DictReader(file)] == ["B2", "B3"]
    # What the reader left is as it was.
    assert len(read_review(out).landmarks) == 5
    made = json.loads((out / "registration.json").read_text())["provenance"]
    assert made["inputs_sha256"]["landmarks_reviewed.csv"] == sha256_of(reviewed)


def test_landmarks_of_another_file_alone_only_measure(coreg, sample, tmp_path):
    own = tmp_path / "own.csv"
    own.write_text("\n".join((sample / "landmarks.csv").read_text().splitlines()[:2]) + "\n")
    done = coreg(
        "register", sample, "--out", tmp_path / "out", "--landmarks", own, "--method", "rigid", "--json"
    )
    assert done.status == 0, done.err
    assert [each["id"] for each in done.data["landmarks"]["errors"]] == ["B2"]
    assert done.data["guides"] == {}


def test_a_review_without_an_accepted_pair_cannot_guide(coreg, sample, tmp_path):
    own = tmp_path / "own.csv"
    own.write_text("id,frame,angle_deg,x_mm,y_mm,z_mm,state\nA,1,2,3,4,5,proposed\n")
    done = coreg("register", sample, "--out", tmp_path / "out", "--use-landmarks", "--landmarks", own)
    assert done.status == 3
    assert "own.csv: landmarks: found no complete pair" in " ".join(done.err.split())
    assert not (tmp_path / "out").exists()


def test_a_missing_file_of_landmarks_is_named(coreg, sample, tmp_path):
    done = coreg("register", sample, "--out", tmp_path / "out", "--landmarks", tmp_path / "none.csv")
    assert done.status == 3
    assert "--landmarks: " in done.err
    assert "none.csv: found no such file" in " ".join(done.err.split())


def test_a_placement_by_hand_is_refined_without_looking_elsewhere(coreg, sample, out):
    before_mm, before_deg = moved_by_hand(out, sample, shift_mm=1.4, turn_rad=np.deg2rad(30.0))
    assert before_mm > 1.0
    assert before_deg > 20.0
    start = out / "registration_reviewed.json"
    done = coreg("register", sample, "--out", out, "--start", start, "--json")
    assert done.status == 0, done.err
    error_mm, error_deg = mean_errors(read_frames(out / "frames.csv"), sample)
    assert error_mm < 0.5
    assert error_deg < 10.0
    assert done.data["verdict"] == "review"
    assert any("Found close to a given placement" in each for each in done.data["reasons"])
    made = read_registration(out).provenance
    assert "registration_reviewed.json" in made["inputs_sha256"]


def test_of_a_result_the_reviewed_placement_is_the_start(out):
    assert start_file_of(out) == out / "registration_reviewed.json"
    (out / "registration_reviewed.json").unlink()
    assert start_file_of(out) == out / "registration.json"


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        ({"case_id": "P9"}, "case_id: found 'P9', expected sample-OCT"),
        ({"schema_version": 3}, "schema_version: found 3, expected 1"),
        ({"path": {}}, "path.frame: found nothing"),
    ],
)
def test_a_start_that_cannot_be_used_is_status_3(coreg, sample, result, tmp_path, spoil, match):
    content = json.loads((result / "registration.json").read_text())
    start = tmp_path / "start.json"
    start.write_text(json.dumps(content | spoil))
    done = coreg("register", sample, "--out", tmp_path / "out", "--start", start)
    assert done.status == 3
    said = " ".join(done.err.split())
    assert "--start: " in said
    assert match in said
    assert not (tmp_path / "out").exists()


def test_a_mirrored_start_is_status_3(coreg, sample, result, tmp_path):
    registration = read_registration(result)
    path = adjusted(
        registration.path,
        registration.centerline,
        np.zeros((len(registration.path), 2)),
        Adjustment(mirrored=True),
    )
    save_review(tmp_path / "hand", Review("sample-OCT"), replace(registration, path=path))
    done = coreg("register", sample, "--out", tmp_path / "out", "--start", tmp_path / "hand")
    assert done.status == 3
    assert "correct the view first" in " ".join(done.err.split())


def test_a_start_needs_the_nonrigid_method(coreg, sample, result, tmp_path):
    done = coreg("register", sample, "--out", tmp_path / "out", "--start", result, "--method", "rigid")
    assert done.status == 2
    assert "--start needs --method nonrigid, found rigid" in " ".join(done.err.split())


def test_the_result_to_go_on_from_is_not_replaced(coreg, sample, out):
    (out / "registration_reviewed.json").unlink()
    done = coreg("register", sample, "--out", out, "--start", out)
    assert done.status == 2
    assert "registration.json in it" in " ".join(done.err.split())
