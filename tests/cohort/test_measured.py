"""What a cohort's folder holds is read whole; what is broken becomes a line with the reason."""

import dataclasses

import numpy as np
import pytest

from coreg.errors import InputError
from coreg.io.landmark_files import write_landmarks
from coreg.io.review_files import save_review
from coreg.landmarks import Landmark
from coreg.review import Review, ReviewedLandmark, SignOff
from coreg_cohort.measured import read_cohort
from coreg_cohort.measured_case import REVIEWED

NAN = float("nan")


def test_errors_of_all_methods_are_read_in_the_order_of_the_manifest(made_cohort):
    case = made_cohort.case
    errors = {"nonrigid": {"B1": (0.2, -3.0), "B2": (NAN, 1.0)}, "dtw": {"B1": (-0.5, 8.0)}}
    cohort = read_cohort(made_cohort(case("Z1", "P2", errors=errors), case("A1", "P1", "RCA")))
    first, second = cohort.cases
    assert [(each.case_id, each.patient, each.vessel) for each in cohort.cases] == [
        ("Z1", "P2", "LAD"),
        ("A1", "P1", "RCA"),
    ]
    assert cohort.methods == ("nonrigid", "dtw")
    own = first.errors_by("nonrigid")
    assert own.id == ("B1", "B2")
    np.testing.assert_array_equal(own.error_mm, [0.2, NAN])
    np.testing.assert_array_equal(own.error_deg, [-3.0, 1.0])
    np.testing.assert_array_equal(own.frame_found, [4.4, NAN])
    assert first.errors_by("dtw").error_frames.tolist() == [-1.0]
    assert len(second.errors_by("nonrigid")) == 0


def test_stated_standard_deviations_are_those_of_the_annotated_frame(made_cohort):
    errors = {"nonrigid": {"B1": (0.2, -3.0), "B2": (0.1, 1.0), "B3": (0.1, 1.0)}}
    made = made_cohort.case("A1", errors=errors, expected={"B1": 4.0, "B2": 7.5, "B3": 90.0})
    own = read_cohort(made_cohort(made)).cases[0].errors_by("nonrigid")
    # The pullback states 0.1 mm and 0.01 mm more each frame, and ten degrees a millimetre.
    np.testing.assert_allclose(own.sd_mm, [0.14, 0.175, NAN])
    np.testing.assert_allclose(own.sd_deg, [1.4, 1.75, NAN])


def test_a_landmark_that_guided_counts_only_where_it_was_left_out(made_cohort):
    errors = {"nonrigid": {"B1": (0.01, 0.1), "B2": (0.3, 3.0), "B3": (0.02, 0.2), "B4": (0.03, 0.3)}}
    left_out = {"B1": (0.4, -5.0), "B4": (NAN, NAN)}
    made = made_cohort.case("A1", errors=errors, left_out=left_out, guides=("B1", "B3", "B4"))
    case = read_cohort(made_cohort(made)).cases[0]
    counted = case.errors_by("nonrigid")
    assert dict(zip(counted.id, counted.error_mm, strict=True)) == {"B1": 0.4, "B2": 0.3}
    assert dict(zip(case.residuals.id, case.residuals.error_mm, strict=True)) == {
        "B1": 0.01,
        "B3": 0.02,
        "B4": 0.03,
    }
    # The path without it is not kept, so what that one would state is not known.
    assert np.isnan(counted.sd_mm).tolist() == [True, False]


def reviewed(name, z_mm, state="accepted"):
    return ReviewedLandmark(Landmark(name, frame=20.0, world_mm=np.array([1.0, 0.0, z_mm])), state)


def test_a_reviewed_result_is_measured_at_what_its_reader_accepted_and_did_not_guide_with(made_cohort):
    case = made_cohort.case("A1", errors={"nonrigid": {"B1": (2.0, 0.0)}})
    folder = made_cohort(case)
    # Frame 20 lies at 10 mm; moved by 0.5 mm, the plane through 10.8 mm is 0.3 mm distal of it.
    landmarks = (reviewed("B1", 10.8), reviewed("B2", 3.0, "rejected"), reviewed("B3", 10.5))
    guided = dataclasses.replace(case, guides=("B3",)).registration(shift_mm=0.5)
    sign_off = SignOff("approved", "reader", "2026-01-01T00:00:00Z")
    save_review(folder / "cases" / "A1", Review("A1", landmarks, sign_off=sign_off), guided)
    cohort = read_cohort(folder)
    found = cohort.cases[0]
    assert found.review.decision == "approved"
    assert found.errors_by(REVIEWED).id == ("B1",)
    np.testing.assert_allclose(np.abs(found.errors_by(REVIEWED).error_mm), [0.3])
    assert found.errors_by("nonrigid").error_mm.tolist() == [2.0]


BROKEN = {
    "cut off": lambda place: (place / "registration.json").write_text('{"schema_version": 1, "ca'),
    "not text": lambda place: (place / "registration.json").write_bytes(b"\xff\xfe\x00\x80"),
    "empty": lambda place: (place / "registration.json").write_text(""),
    "gone": lambda place: (place / "registration.json").unlink(),
    "another schema": lambda place: (place / "registration.json").write_text('{"schema_version": 99}'),
    "a list": lambda place: (place / "registration.json").write_text("[1, 2]"),
    "a huge number": lambda place: (place / "registration.json").write_text(
        (place / "registration.json").read_text().replace('"margin": 0.2', '"margin": 1' + "0" * 400)
    ),
    "another case's": lambda place: (place / "registration.json").write_text(
        (place / "registration.json").read_text().replace('"case_id": "A1"', '"case_id": "B7"')
    ),
    "a folder": lambda place: [
        (place / "registration.json").unlink(),
        (place / "registration.json").mkdir(),
    ],
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_case_that_cannot_be_read_is_a_line_with_the_reason(made_cohort, kind):
    case = made_cohort.case
    folder = made_cohort(
        case("A1", errors={"nonrigid": {"B1": (0.2, 1.0)}}),
        case("A2", errors={"nonrigid": {"B1": (0.4, 1.0)}}),
    )
    BROKEN[kind](folder / "cases" / "A1")
    first, second = read_cohort(folder).cases
    assert first.state == "broken"
    assert first.reasons
    assert first.reasons[0]
    assert str(folder) not in first.reasons[0]
    assert len(first.errors_by("nonrigid")) == 0
    assert (second.state, second.errors_by("nonrigid").error_mm.tolist()) == ("done", [0.4])


@pytest.mark.parametrize("content", ["", "id,kind\n", "id;x\n1;2", '"', "\x00", b"\xff\xfe"])
@pytest.mark.parametrize("table", ["cases/A1", "methods/dtw/A1"])
def test_a_table_of_landmarks_that_cannot_be_read_leaves_the_rest(made_cohort, table, content):
    errors = {"nonrigid": {"B1": (0.2, 1.0)}, "dtw": {"B1": (0.3, 2.0)}}
    folder = made_cohort(made_cohort.case("A1", errors=errors))
    path = folder / table / "validation.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (case,) = read_cohort(folder).cases
    assert case.state == "done"
    assert case.problems[0].startswith(f"{table}/validation.csv")
    kept = "dtw" if table == "cases/A1" else "nonrigid"
    assert set(case.errors) == {kept}


def test_an_error_that_no_registration_can_have_is_told_and_not_counted(made_cohort):
    folder = made_cohort(made_cohort.case("A1", errors={"nonrigid": {"B1": (0.2, 1.0)}}))
    path = folder / "cases" / "A1" / "validation.csv"
    path.write_text(path.read_text().replace(",0.2,", ",1e300,"))
    (case,) = read_cohort(folder).cases
    assert (
        "line 2, column error_mm: found '1e300', expected a number from -10000 to 10000" in case.problems[0]
    )
    assert len(case.errors_by("nonrigid")) == 0


def test_a_review_that_cannot_be_read_is_told(made_cohort):
    folder = made_cohort(made_cohort.case("A1"))
    (folder / "cases" / "A1" / "review.json").write_text("{")
    (case,) = read_cohort(folder).cases
    assert case.review is None
    assert "review.json" in case.problems[0]


def test_a_failed_case_does_not_count_though_an_older_result_lies_there(made_cohort):
    made = made_cohort.case("A1", errors={"nonrigid": {"B1": (0.2, 1.0)}})
    folder = made_cohort(made, made_cohort.case("A2", status="failed", reason="killed by signal 9"))
    table = (folder / "cohort.csv").read_text().replace("A1,,LAD,done,good,", "A1,,LAD,failed,,too long")
    (folder / "cohort.csv").write_text(table)
    first, second = read_cohort(folder).cases
    assert (first.state, first.reasons, dict(first.errors)) == ("failed", ("too long",), {})
    assert (second.state, second.reasons) == ("failed", ("killed by signal 9",))


def test_a_case_that_has_not_ended_waits(made_cohort):
    folder = made_cohort(made_cohort.case("A1"), made_cohort.case("A2", status=""))
    assert [each.state for each in read_cohort(folder).cases] == ["done", "waiting"]


def test_a_cohort_of_which_nothing_was_registered_is_still_one(made_cohort):
    cohort = read_cohort(made_cohort(made_cohort.case("A1", status="failed", reason="no contour")))
    assert [each.reasons for each in cohort.cases] == [("no contour",)]
    assert cohort.methods == ()


def test_without_a_table_each_case_counts_as_a_patient_and_a_note_says_so(made_cohort):
    folder = made_cohort(made_cohort.case("A1", "P1"), made_cohort.case("A2", "P1"), table=False)
    cohort = read_cohort(folder)
    assert len({each.patient for each in cohort.cases}) == 2
    assert "each case counts as one" in cohort.notes[0]
    (folder / "cohort.csv").write_bytes(b"case_id\n\xff")
    assert "cohort.csv cannot be read" in read_cohort(folder).notes[0]


def test_more_columns_in_the_table_do_no_harm(made_cohort):
    folder = made_cohort(made_cohort.case("A1", "P1", status="failed", reason="too long"))
    head, row = (folder / "cohort.csv").read_text().splitlines()
    (folder / "cohort.csv").write_text(f"{head},peak_memory_gb\n{row},3.2\n")
    (case,) = read_cohort(folder).cases
    assert (case.patient, case.reasons) == ("P1", ("too long",))


def test_a_folder_without_results_is_refused(tmp_path):
    with pytest.raises(InputError, match="found no results"):
        read_cohort(tmp_path)


def test_only_the_cases_of_the_table_count_and_others_are_named(made_cohort):
    case = made_cohort.case
    folder = made_cohort(case("A1"), case("B1"), case("C1"))
    rows = (folder / "cohort.csv").read_text().splitlines()
    (folder / "cohort.csv").write_text("\n".join(row for row in rows if not row.startswith("B1")) + "\n")
    cohort = read_cohort(folder)
    assert [each.case_id for each in cohort.cases] == ["A1", "C1"]
    assert {each.case_id for each in cohort.work} == {"A1", "C1"}
    assert any("B1" in note for note in cohort.notes)


def test_landmarks_reviewed_since_they_were_measured_are_told(made_cohort):
    case = made_cohort.case("A1", errors={"nonrigid": {"B1": (2.0, 0.0)}}, expected={"B1": 20.0})
    folder = made_cohort(case)
    save_review(folder / "cases" / "A1", Review("A1", (reviewed("B1", 10.8),)), None)
    # The same landmark at the same frame: nothing to tell.
    assert read_cohort(folder).cases[0].problems == ()
    save_review(folder / "cases" / "A1", Review("A1", (reviewed("B1", 10.8, "rejected"),)), None)
    (problem,) = read_cohort(folder).cases[0].problems
    assert "reviewed since it was measured" in problem


def test_a_reader_who_decided_on_no_landmark_is_measured_at_those_of_the_case(made_cohort):
    case = made_cohort.case("A1", errors={"nonrigid": {"B1": (2.0, 0.0)}})
    folder = made_cohort(case)
    write_landmarks(folder / "cases" / "A1" / "landmarks.csv", [reviewed("B1", 10.8).landmark])
    landmarks = (reviewed("B1", 10.8, "proposed"),)
    save_review(folder / "cases" / "A1", Review("A1", landmarks), case.registration(shift_mm=0.5))
    np.testing.assert_allclose(np.abs(read_cohort(folder).cases[0].errors_by(REVIEWED).error_mm), [0.3])
