"""What ``coreg info`` says of the files that a reader leaves in a result folder."""

import json
import shutil

import numpy as np
import pytest

from coreg.catheter_path import VirtualCatheterPath
from coreg.centerline import Centerline
from coreg.io.registration_json import write_registration
from coreg.io.review_files import save_review
from coreg.landmarks import Landmark
from coreg.result import Registration
from coreg.review import Event, Review, ReviewedLandmark, SignOff

TIME = "2026-01-02T03:04:05+00:00"


def reviewed(sign_off=None):
    landmarks = [
        (Landmark("A", "other", 3.0, 0.5, np.zeros(3)), "accepted", "R. One"),
        (Landmark("B", "other", 4.0, 0.5, np.zeros(3)), "corrected", "R. Two"),
        (Landmark("C", "other", 5.0, 0.5, np.zeros(3)), "rejected", "R. One"),
        # Of one modality only: it cannot be measured.
        (Landmark("D", "other", 6.0, 0.5), "accepted", "R. One"),
    ]
    table = tuple(ReviewedLandmark(each, state, "found", who, TIME) for each, state, who in landmarks)
    events = (Event(TIME, "R. One", "landmark accepted", "A"), Event(TIME, "R. Two", "saved"))
    return Review("P1", table, events, sign_off, comment="look at frame 5", command="coreg register P1")


STATES = {"proposed": 0, "accepted": 2, "corrected": 1, "rejected": 1}


@pytest.fixture
def registration():
    """Five frames along +z, a frame a millimetre."""
    z = np.arange(5.0)
    origin = np.column_stack([0.0 * z, 0.0 * z, z])
    column, row = np.tile([1.0, 0.0, 0.0], (5, 1)), np.tile([0.0, 1.0, 0.0], (5, 1))
    reliable, frame = np.ones(5, dtype=bool), np.arange(5)[::-1].copy()
    path = VirtualCatheterPath(frame, 4.0 - z, z, 0.0 * z, origin, column, row, reliable, ("",) * 5)
    line = Centerline(np.column_stack([np.zeros(9), np.zeros(9), np.arange(9.0)]))
    return Registration(path, path, line, "review", (), 1.0, 0.5, (), {"fine": 0.2}, np.full(5, 0.1))


def test_a_review_tells_its_case_who_decided_and_what_became_of_the_landmarks(coreg, told, tmp_path):
    save_review(tmp_path, reviewed(SignOff("approved", "R. Two", TIME, "clear")), None)
    data = told(tmp_path / "review.json")
    assert data["kind"] == "a review of a registration (for research use only)"
    assert (data["case_id"], data["landmarks"], data["states"]) == ("P1", 4, STATES)
    assert data["sign_off"] == {
        "decision": "approved",
        "reviewer": "R. Two",
        "time": TIME,
        "comment": "clear",
    }
    assert told(tmp_path)["states"] == STATES
    out = coreg("info", tmp_path / "review.json").out
    assert f"approved by R. Two, {TIME}: clear" in out
    assert "4: 2 accepted, 1 corrected, 1 rejected" in out
    assert f"2 entries, the last of {TIME}: saved" in out


def test_reviewed_landmarks_tell_their_states_and_those_that_count(told, tmp_path):
    save_review(tmp_path, reviewed(), None)
    data = told(tmp_path / "landmarks_reviewed.csv")
    assert (data["kind"], data["role"]) == ("landmarks that a reader looked at", "landmarks.file")
    assert (data["case_id"], data["sign_off"]) == ("P1", None)
    assert (data["landmarks"], data["states"], data["counted"]) == (4, STATES, 2)
    assert data["readers"] == ["R. One", "R. Two"]
    # Elsewhere there is no review.json that says whose they are.
    moved = shutil.copy(tmp_path / "landmarks_reviewed.csv", tmp_path.parent / "mine.csv")
    assert "case_id" not in told(moved)
    assert told(moved)["states"] == STATES


def test_a_review_without_landmarks_is_one_too(coreg, told, tmp_path):
    save_review(tmp_path, Review("P1"), None)
    data = told(tmp_path / "landmarks_reviewed.csv")
    assert (data["landmarks"], data["counted"], data["role"]) == (0, 0, None)
    assert "not yet" in coreg("info", tmp_path / "review.json").out


def test_a_registration_that_a_reader_left_is_told_from_the_programs_own(coreg, told, tmp_path, registration):
    folder = tmp_path / "result"
    save_review(folder, reviewed(SignOff("rejected", "R. One", TIME)), registration)
    data = told(folder / "registration_reviewed.json")
    assert data["kind"] == "a registration as a reader left it (for research use only)"
    assert (data["case_id"], data["verdict"]) == ("P1", "review")
    assert data["sign_off"]["decision"] == "rejected"
    write_registration(folder, registration, case_id="P1")
    assert told(folder / "registration.json")["kind"] == "a registration (for research use only)"
    whole = told(folder)
    assert whole["kind"] == "a registration (for research use only)"
    assert whole["review"]["states"] == STATES
    assert "in registration_reviewed.json" in coreg("info", folder).out


def test_a_broken_review_is_refused_with_its_field(coreg, tmp_path):
    save_review(tmp_path, reviewed(), None)
    content = json.loads((tmp_path / "review.json").read_text())
    content["landmarks"][0]["state"] = "perhaps"
    (tmp_path / "review.json").write_text(json.dumps(content))
    done = coreg("info", tmp_path / "review.json")
    assert done.status == 3
    assert "state: found 'perhaps'" in " ".join(done.err.split())
