"""A folder of results becomes a list, the riskiest first, whatever is broken in it."""

import json
import shutil
import time

import pytest

from coreg.errors import InputError
from coreg.io.review_files import save_review
from coreg.io.work_list import is_cohort, work_list
from coreg.review import Review, SignOff

NOON = "2026-03-01T12:00:00Z"
VALIDATION = (
    "id,kind,frame_expected,frame_found,error_frames,error_mm,error_deg,error_tangential_mm,error_3d_mm"
)


def result(folder, *, verdict="good", margin=0.5, reasons=(), case_id=None):
    """A result folder with as much of registration.json as a list needs."""
    folder.mkdir(parents=True)
    content = {"schema_version": 1, "case_id": case_id or folder.name, "verdict": verdict}
    content |= {"reasons": list(reasons), "margin": margin}
    (folder / "registration.json").write_text(json.dumps(content))
    return folder


def validated(folder, *errors_mm, suffix="", extra=""):
    rows = [f"B{i},branch,10,11,1,{each},3,0.1,0.3{suffix}" for i, each in enumerate(errors_mm)]
    (folder / "validation.csv").write_text("\n".join([VALIDATION + extra, *rows]) + "\n")


def names(items):
    return [each.case_id for each in items]


def test_what_failed_comes_first_then_review_then_good_and_what_is_signed_off_last(tmp_path):
    for name, verdict in (("a", "good"), ("b", "review"), ("c", "failed"), ("d", "review"), ("e", "good")):
        result(tmp_path / "cases" / name, verdict=verdict)
    (tmp_path / "cases" / "broken").mkdir()
    (tmp_path / "cases" / "broken" / "registration.json").write_text("{")
    save_review(tmp_path / "cases" / "d", Review("d", sign_off=SignOff("rejected", "R", NOON, "no")), None)
    items = work_list(tmp_path)
    assert names(items) == ["broken", "c", "b", "a", "e", "d"]
    assert items[-1].sign_off == SignOff("rejected", "R", NOON, "no")
    assert items[0].verdict is None
    assert "registration.json: found broken JSON" in items[0].failed


def test_within_a_verdict_large_errors_come_first_then_close_runners_up(tmp_path):
    for name, margin, errors in (
        ("sure", 0.9, ()),
        ("close", 0.01, ()),
        ("far-off", 0.8, (4.0, -6.0)),
        ("off", 0.7, (-2.0,)),
        ("small-error", 0.2, (0.3,)),
        ("only-one", "Infinity", ()),
        ("unknown", None, ()),
    ):
        folder = result(tmp_path / name, margin=margin)
        if errors:
            validated(folder, *errors)
    items = work_list(tmp_path)
    assert names(items) == ["far-off", "off", "close", "small-error", "sure", "only-one", "unknown"]
    assert items[0].error_mm == pytest.approx(5.0)
    assert items[2].error_mm is None


def test_residuals_at_guides_are_no_errors(tmp_path):
    validated(result(tmp_path / "guided"), 4.0, suffix=",guide", extra=",used_as")
    columns = ["error_frames", "error_mm", "error_deg", "error_tangential_mm", "error_3d_mm"]
    extra = "".join(f",{each}_left_out" for each in columns)
    validated(result(tmp_path / "left"), 0.1, suffix=",guide,1,-2.5,3,4,5", extra=",used_as" + extra)
    errors = {each.case_id: each.error_mm for each in work_list(tmp_path)}
    assert errors == {"guided": None, "left": 2.5}


def test_cases_that_a_cohort_could_not_register_are_listed_with_the_reason(tmp_path):
    result(tmp_path / "cases" / "a")
    (tmp_path / "cases" / "b").mkdir()
    rows = "a,,,done,good,,0,,,,1\nb,,,failed,,no lumen there,,,,,1\nc,P,LAD,failed,,gone,,,,,\n"
    header = (
        "case_id,patient,vessel,status,verdict,reason,landmarks,error_frames,error_mm,error_deg,seconds\n"
    )
    (tmp_path / "cohort.csv").write_text(header + rows)
    items = work_list(tmp_path)
    assert [(each.case_id, each.failed) for each in items] == [
        ("b", "no lumen there"),
        ("c", "gone"),
        ("a", ""),
    ]


def test_a_case_that_is_not_finished_is_listed_as_such(tmp_path):
    result(tmp_path / "cases" / "a")
    (tmp_path / "cases" / "b").mkdir()
    first = work_list(tmp_path)[0]
    assert (first.case_id, first.failed) == ("b", "no registration")


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("registration.json", '{"schema_version": 7}', "schema_version: found 7, expected 1"),
        (
            "registration.json",
            '{"schema_version": 1, "case_id": "b", "verdict": "fine"}',
            "verdict: found 'fine'",
        ),
        ("review.json", "[]", "review.json: found list"),
        (
            "review.json",
            '{"schema_version": 1, "case_id": "b", "sign_off": {"decision": "x"}}',
            "sign_off.decision: found",
        ),
        ("validation.csv", "a,b\n1,2\n", "validation.csv: column id: found the columns a,b"),
    ],
)
def test_whatever_is_broken_is_told_and_the_others_are_listed(tmp_path, name, content, match):
    result(tmp_path / "a")
    (result(tmp_path / "b") / name).write_text(content)
    broken, fine = work_list(tmp_path)
    assert broken.case_id == "b"
    assert match in broken.failed
    assert (fine.case_id, fine.failed) == ("a", "")


def test_a_broken_cohort_table_hides_no_result(tmp_path):
    result(tmp_path / "cases" / "a")
    (tmp_path / "cohort.csv").write_bytes(b"\xff\xfe")
    assert names(work_list(tmp_path)) == ["a"]


def test_the_reviewed_registration_gives_the_verdict(tmp_path):
    folder = result(tmp_path / "a", verdict="failed")
    shutil.copy(result(tmp_path / "x") / "registration.json", folder / "registration_reviewed.json")
    shutil.rmtree(tmp_path / "x")
    assert work_list(tmp_path)[0].verdict == "good"


def test_a_cohort_is_told_from_a_case_and_a_result(tmp_path):
    result(tmp_path / "cohort" / "cases" / "a")
    result(tmp_path / "results" / "b")
    result(tmp_path / "case" / "result").parent.joinpath("case.toml").write_text("")
    (tmp_path / "empty").mkdir()
    found = {
        name: is_cohort(tmp_path / name)
        for name in ("cohort", "cohort/cases", "results", "results/b", "case", "empty", "missing")
    }
    assert [name for name, cohort in found.items() if cohort] == ["cohort", "cohort/cases", "results"]


def test_a_folder_without_results_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"found no results, expected folders with a registration.json"):
        work_list(tmp_path)


def test_folders_that_are_being_written_are_left_out(tmp_path):
    result(tmp_path / "a")
    result(tmp_path / ".a.x1y2")
    assert names(work_list(tmp_path)) == ["a"]


@pytest.mark.slow
def test_a_thousand_results_are_listed_within_ten_seconds(tmp_path):
    """Files as long as those of a real run, 230 kB each; time of the processor, as other tests run beside."""
    numbers = [[1.0 / 3.0] * 3] * 3300
    content = {"schema_version": 1, "case_id": "a", "verdict": "good", "reasons": [], "margin": 0.1}
    text = json.dumps(content | {"path": numbers}, indent=1)
    for i in range(1000):
        folder = tmp_path / "cases" / f"c{i:04d}"
        folder.mkdir(parents=True)
        (folder / "registration.json").write_text(text)
        validated(folder, 0.5, 1.0, 2.0)
    start = time.process_time()
    items = work_list(tmp_path)
    seconds = time.process_time() - start
    assert len(items) == 1000
    assert seconds < 10.0


def test_a_case_that_failed_in_the_last_run_is_not_offered_by_an_earlier_result(tmp_path):
    result(tmp_path / "cases" / "a")
    result(tmp_path / "cases" / "b")
    (tmp_path / "cohort.csv").write_text("case_id,status,reason,new\na,failed,no lumen,1\nb,done,,2\n")
    assert [(each.case_id, each.failed) for each in work_list(tmp_path)] == [("a", "no lumen"), ("b", "")]
