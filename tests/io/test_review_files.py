"""What a reader did comes back as it was, and what cannot be read says so."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coreg.catheter_path import VirtualCatheterPath
from coreg.centerline import Centerline
from coreg.errors import InputError
from coreg.io import review_files
from coreg.io.landmark_files import read_landmarks, read_reviewed_landmarks, write_landmarks
from coreg.io.registration_json import write_registration
from coreg.io.result_folder import replaced_folder
from coreg.io.review_files import (
    autosave_path,
    autosave_path_of_case,
    read_autosave,
    read_review,
    read_reviewed_registration,
    remove_autosave,
    save_autosave,
    save_review,
)
from coreg.landmarks import Landmark
from coreg.result import Registration
from coreg.review import STATES, Event, Review, ReviewedLandmark, SignOff

NOON = "2026-03-01T12:00:00Z"


def straight(count=5, shift_mm=0.0):
    """A registration along +z, a frame a millimetre, without rotation."""
    z = np.arange(count, dtype=float)
    path = VirtualCatheterPath(
        frame=np.arange(count)[::-1].copy(),
        position_mm=z[::-1].copy(),
        arc_length_mm=z + shift_mm,
        rotation_rad=np.zeros(count),
        origin_mm=np.column_stack([np.zeros(count), np.zeros(count), z + shift_mm]),
        column=np.tile([1.0, 0.0, 0.0], (count, 1)),
        row=np.tile([0.0, 1.0, 0.0], (count, 1)),
        reliable=np.ones(count, dtype=bool),
        reason=("",) * count,
    )
    line = Centerline(np.column_stack([np.zeros(9), np.zeros(9), np.arange(9.0)]))
    residual = np.full(count, 0.1)
    return Registration(path, path, line, "good", (), 1.0, 0.5, (), {"fine": 0.2}, residual)


def reviewed(**changes):
    landmarks = (
        ReviewedLandmark(Landmark("B1", frame=3.25, angle_rad=1.0 / 3.0, world_mm=np.array([1, 2, 1 / 7.0]))),
        ReviewedLandmark(
            Landmark("B2", "ostium", 2.0, world_mm=np.zeros(3), locked=True),
            "accepted",
            "found",
            "R. One",
            NOON,
        ),
        ReviewedLandmark(
            Landmark("c.3", "calcium", world_mm=np.ones(3), sd_frames=1.5, sd_rad=0.1), "corrected", "manual"
        ),
        ReviewedLandmark(Landmark("B4", frame=1.0, world_mm=np.ones(3), radius_mm=1.25), "rejected", "given"),
        ReviewedLandmark(Landmark("new"), "proposed", "manual"),
    )
    fields = {
        "case_id": "P1",
        "landmarks": landmarks,
        "events": (Event(NOON, "R. One", "moved", '7 frames, "ü"\nsecond line'), Event(NOON, "", "opened")),
        "sign_off": SignOff("approved", "R. One", NOON, "fits well"),
        "comment": "a, b; c",
        "command": "coreg register case.toml --out dir",
    }
    return Review(**{**fields, **changes})


def assert_same(got, expected):
    """Compare reviews to the last bit."""
    for name in ("case_id", "events", "sign_off", "comment", "command"):
        assert getattr(got, name) == getattr(expected, name)
    assert len(got.landmarks) == len(expected.landmarks)
    for a, b in zip(got.landmarks, expected.landmarks, strict=True):
        assert (a.state, a.origin, a.reviewer, a.time) == (b.state, b.origin, b.reviewer, b.time)
        one, other = vars(a.landmark), vars(b.landmark)
        np.testing.assert_array_equal(one.pop("world_mm"), other.pop("world_mm"))
        assert one == other


@pytest.fixture
def result(tmp_path):
    write_registration(tmp_path, straight(), case_id="P1")
    return tmp_path


def test_a_review_comes_back_to_the_last_bit(result):
    save_review(result, reviewed(), straight(shift_mm=1 / 3.0))
    assert_same(read_review(result, case_id="P1"), reviewed())
    path = read_reviewed_registration(result, case_id="P1").path
    np.testing.assert_array_equal(path.arc_length_mm, np.arange(5.0) + 1 / 3.0)


def test_a_result_without_a_review_has_none(result):
    assert read_review(result) is None
    assert read_reviewed_registration(result) is None


def test_an_empty_review_survives(tmp_path):
    save_review(tmp_path / "new", Review("P1"), None)
    assert_same(read_review(tmp_path / "new"), Review("P1"))
    assert read_reviewed_registration(tmp_path / "new") is None


def test_saving_again_replaces_and_leaves_nothing_else_behind(result):
    save_review(result, reviewed(), straight())
    save_review(result, reviewed(comment="other", sign_off=None), straight())
    assert read_review(result).comment == "other"
    names = {each.name for each in result.iterdir()}
    assert names == {
        "registration.json",
        "review.json",
        "landmarks_reviewed.csv",
        "registration_reviewed.json",
    }


def test_of_reviewed_landmarks_those_accepted_and_corrected_guide(result):
    save_review(result, reviewed(), None)
    read = read_landmarks(result / "landmarks_reviewed.csv")
    assert [each.id for each in read] == ["B2", "c.3"]
    np.testing.assert_allclose(read[1].world_mm, np.ones(3))


def test_the_table_of_reviewed_landmarks_keeps_all_of_them(result):
    save_review(result, reviewed(), None)
    rows = read_reviewed_landmarks(result / "landmarks_reviewed.csv")
    assert [each.landmark.id for each in rows] == ["B1", "B2", "c.3", "B4", "new"]
    assert [each.state for each in rows] == ["proposed", "accepted", "corrected", "rejected", "proposed"]
    assert (rows[1].origin, rows[1].reviewer, rows[1].time) == ("found", "R. One", NOON)
    assert rows[0].landmark.angle_rad == pytest.approx(1 / 3.0, abs=1e-9)


def test_rows_of_a_plain_table_are_proposed_as_given(tmp_path):
    write_landmarks(tmp_path / "l.csv", [Landmark("B1", frame=1.0)])
    (row,) = read_reviewed_landmarks(tmp_path / "l.csv")
    assert (row.state, row.origin, row.reviewer) == ("proposed", "given", "")


@pytest.mark.parametrize(
    ("column", "value", "match"),
    [
        ("state", "acepted", "line 2, column state: found 'acepted', expected proposed or accepted or"),
        ("origin", "mine", "line 2, column origin: found 'mine', expected given or found or manual"),
    ],
)
def test_an_unknown_state_in_the_table_is_named(tmp_path, column, value, match):
    text = f"id,frame,angle_deg,x_mm,y_mm,z_mm,{column}\nA,1,2,3,4,5,{value}\n"
    (tmp_path / "l.csv").write_text(text)
    with pytest.raises(InputError, match=match):
        read_reviewed_landmarks(tmp_path / "l.csv")


def spoil(path, *keys, value):
    content = json.loads(path.read_text())
    place = content
    for key in keys[:-1]:
        place = place[key]
    if value is None:
        del place[keys[-1]]
    else:
        place[keys[-1]] = value
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("keys", "value", "match"),
    [
        (("schema_version",), 2, "review.json: schema_version: found 2, expected 1"),
        (("case_id",), "P2", "review.json: case_id: found 'P2', expected P1"),
        (("landmarks", 2, "state"), "ok", r"landmarks\[2\].state: found 'ok', expected proposed or accepted"),
        (("landmarks", 0, "origin"), 3, r"landmarks\[0\].origin: found 3, expected given or found or manual"),
        (("landmarks", 0, "kind"), "arm", r"landmarks\[0\].kind: found 'arm', expected branch or"),
        (("landmarks", 1, "id"), "../x", r"landmarks\[1\].id: found '../x', expected 1 to 64 of"),
        (("landmarks", 1, "id"), "B1", r"landmarks\[1\].id: found 'B1', expected each id once"),
        (("landmarks", 1, "world_mm"), [1, 2], r"landmarks\[1\].world_mm: found .1, 2., expected three"),
        (("landmarks", 1, "frame"), "Infinity", r"frame: found 'Infinity', expected a finite number"),
        (("landmarks", 1, "frame"), None, r"landmarks\[1\].frame: found nothing, expected this field"),
        (("landmarks", 1), 7, r"landmarks\[1\]: found 7, expected an object"),
        (("events",), {}, "review.json: events: found {}, expected a list"),
        (("events", 1, "time"), 7, r"events\[1\].time: found 7, expected a text"),
        (("sign_off", "decision"), "fine", "sign_off.decision: found 'fine', expected approved or rejected"),
        (("sign_off",), None, "sign_off: found nothing, expected this field"),
    ],
)
def test_a_spoiled_review_is_refused_by_file_and_field(result, keys, value, match):
    save_review(result, reviewed(), straight())
    spoil(result / "review.json", *keys, value=value)
    with pytest.raises(InputError, match=match):
        read_review(result, case_id="P1")


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"schema_version": 1'])
def test_a_broken_file_is_refused(result, text):
    (result / "review.json").write_text(text)
    with pytest.raises(
        InputError, match=r"review.json: found .*, expected a (review.json of coreg|file with content)"
    ):
        read_review(result)


def test_a_registration_of_another_case_is_refused(result):
    save_review(result, reviewed(), straight())
    with pytest.raises(InputError, match=r"registration_reviewed.json: case_id: found 'P1', expected P2"):
        read_reviewed_registration(result, case_id="P2")


def test_a_review_is_not_laid_beside_the_result_of_another_case(result):
    with pytest.raises(InputError, match=r"registration.json: case_id: found 'P1', expected P2"):
        save_review(result, reviewed(case_id="P2"), None)
    assert read_review(result) is None


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"found .*, expected a folder that can be written"):
        save_review(tmp_path / "file" / "below", Review("P1"), None)


def test_after_a_failed_save_the_last_review_is_as_it_was(result, monkeypatch):
    save_review(result, reviewed(), straight())

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(review_files, "write_reviewed_landmarks", full)
    with pytest.raises(InputError, match="No space left on device"):
        save_review(result, reviewed(comment="lost?"), straight())
    assert_same(read_review(result), reviewed())


def test_unsaved_work_comes_back_in_one_piece(result):
    path = autosave_path(result)
    save_autosave(path, reviewed(), straight(shift_mm=1 / 7.0))
    kept = read_autosave(path, case_id="P1")
    assert_same(kept.review, reviewed())
    np.testing.assert_array_equal(kept.registration.path.arc_length_mm, np.arange(5.0) + 1 / 7.0)
    assert kept.time.endswith("+00:00")
    remove_autosave(path)
    remove_autosave(path)
    assert read_autosave(path) is None


def test_unsaved_work_may_be_without_a_registration(tmp_path):
    path = autosave_path(tmp_path / "not" / "there")
    save_autosave(path, Review("P1"), None)
    assert read_autosave(path).registration is None


@pytest.mark.parametrize(
    ("keys", "value", "match"),
    [
        (("schema_version",), 0, "autosave.json: schema_version: found 0, expected 1"),
        (("review", "case_id"), "P9", "autosave.json: review.case_id: found 'P9', expected P1"),
        (("review", "landmarks", 0, "state"), "x", r"review.landmarks\[0\].state: found 'x'"),
        (("registration", "verdict"), "x", "registration.verdict: found 'x', expected good or review"),
        (("registration", "path", "frame"), [1], "autosave.json: registration.path: found"),
    ],
)
def test_spoiled_unsaved_work_is_refused_by_file_and_field(result, keys, value, match):
    path = autosave_path(result)
    save_autosave(path, reviewed(), straight())
    spoil(path, *keys, value=value)
    with pytest.raises(InputError, match=match):
        read_autosave(path, case_id="P1")


def test_cases_of_one_id_in_two_places_keep_their_work_apart(tmp_path):
    one, other = (autosave_path_of_case(tmp_path, "P1", tmp_path / name / "case.toml") for name in "ab")
    assert one != other
    assert one == autosave_path_of_case(tmp_path, "P1", tmp_path / "c" / ".." / "a" / "case.toml")
    assert one.parent == tmp_path
    assert one.name.startswith("P1-")


def test_a_new_result_keeps_the_review_and_unsaved_work(result):
    save_review(result, reviewed(), straight())
    save_autosave(autosave_path(result), reviewed(comment="unsaved"), straight())
    guides = result / "landmarks_reviewed.csv"
    with replaced_folder(result, "P1", inputs=[guides]) as folder:
        assert [each.id for each in read_landmarks(guides)] == ["B2", "c.3"]
        write_registration(folder, straight(), case_id="P1")
    assert_same(read_review(result), reviewed())
    assert read_autosave(autosave_path(result)).review.comment == "unsaved"


def test_another_input_in_the_folder_is_still_refused(result):
    (result / "landmarks.csv").write_text("")
    with (
        pytest.raises(InputError, match=r"found the input .*landmarks.csv in it"),
        replaced_folder(result, "P1", inputs=[result / "landmarks.csv"]),
    ):
        pass


TEXTS = st.text(max_size=30)
# No scanner is larger, and no pullback longer.
REAL = st.floats(-1e5, 1e5, width=64)


@settings(max_examples=30, deadline=None)
@given(
    comment=TEXTS,
    events=st.lists(st.builds(Event, TEXTS, TEXTS, TEXTS, TEXTS), max_size=3),
    state=st.sampled_from(STATES),
    numbers=st.lists(REAL, min_size=4, max_size=4),
)
def test_whatever_was_written_and_measured_comes_back(tmp_path_factory, comment, events, state, numbers):
    world = np.array(numbers[:3])
    landmark = ReviewedLandmark(
        Landmark("A", frame=abs(numbers[3]), world_mm=world), state, "manual", comment
    )
    review = Review("P1", (landmark,), tuple(events), None, comment, comment)
    folder = tmp_path_factory.mktemp("review")
    save_review(folder, review, None)
    assert_same(read_review(folder), review)
