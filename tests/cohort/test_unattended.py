import csv
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from coreg.errors import InputError
from coreg_cohort.manifest import ManifestError
from coreg_cohort.measured import read_cohort
from coreg_cohort.page import write_cohort_report
from coreg_cohort.plan import planned
from coreg_cohort.records import read_records

CASE = 'id = "{0}"\npatient = "P{1}"\n# {2}\n[ccta]\nlumen = "lumen.stl"\n[pullback]\nlumen = "c.csv"\n'


@pytest.fixture(scope="module")
def fake_cohort(fake_work):
    """Module of a cohort whose cases take a moment each, found where the fake work is."""
    import fake_cohort

    yield fake_cohort
    sys.modules.pop("fake_cohort")


@pytest.fixture
def study(tmp_path):
    """Manifest of eight cases of four patients."""
    return make_study(tmp_path / "study", 8)


@pytest.fixture(scope="module")
def run_once(fake_cohort, tmp_path_factory):
    """Folder of a study and of what came of it."""
    folder = tmp_path_factory.mktemp("once")
    fake_cohort.run(make_study(folder / "study", 8), folder / "out")
    return folder


@pytest.fixture
def finished(run_once, tmp_path):
    """Manifest and folder of a study that has been run."""
    shutil.copytree(run_once, tmp_path / "finished")
    return tmp_path / "finished" / "study" / "manifest.csv", tmp_path / "finished" / "out"


def make_study(folder, count, notes=None):
    lines = ["case_id,case"]
    for i in range(count):
        place = folder / f"C{i}"
        place.mkdir(parents=True)
        (place / "case.toml").write_text(
            CASE.format(f"C{i}", i // 2, (notes or {}).get(i, "as it should be"))
        )
        for name in ("lumen.stl", "c.csv"):
            (place / name).write_text("x")
        # Older than what a cache of hashes has to doubt.
        for each in place.iterdir():
            os.utime(each, (1.6e9, 1.6e9))
        lines.append(f"C{i},C{i}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder / "manifest.csv"


def table(out):
    with (out / "cohort.csv").open(newline="") as file:
        return {row["case_id"]: row for row in csv.DictReader(file)}


def content(out):
    """All of a result but what tells the time."""
    found = {}
    for path in sorted(
        path for path in out.rglob("*") if path.is_file() and ".coreg-cohort" not in path.parts
    ):
        text = path.read_text()
        if path.name == "cohort.csv":
            text = "\n".join(",".join(row[:-3] + row[-2:]) for row in csv.reader(text.splitlines()))
        found[str(path.relative_to(out))] = text
    return found


def test_all_cases_are_run_once_and_a_second_run_finds_nothing_to_do(study, tmp_path, fake_cohort):
    out = tmp_path / "out"
    plan, records = fake_cohort.run(study, out)
    assert [each.case_id for each in plan.todo] == [f"C{i}" for i in range(8)]
    assert {each.status for each in records.values()} == {"done"}
    assert list(table(out)) == [f"C{i}" for i in range(8)]
    assert table(out)["C5"]["patient"] == "P2"
    assert (out / "cases" / "C3" / "log.txt").exists()
    before = content(out)
    again, records = fake_cohort.run(study, out)
    assert again.todo == ()
    assert len(records) == 8
    assert content(out) == before


@pytest.mark.parametrize("change", ["input", "settings", "version", "result"])
def test_what_has_changed_is_run_again(finished, change):
    study, out = finished
    settings, version, expected = {}, "1", {f"C{i}" for i in range(8)}
    if change == "input":
        (study.parent / "C2" / "lumen.stl").write_text("another")
        expected = {"C2"}
    elif change == "settings":
        settings = {"method": "rigid"}
    elif change == "version":
        version = "2"
    else:
        (out / "cases" / "C4" / "registration.json").unlink()
        expected = {"C4"}
    assert {each.case_id for each in planned(study, out, settings, version).todo} == expected


def test_cases_that_cannot_be_read_or_matched_fail_alone_with_a_reason(tmp_path, fake_cohort):
    study, out = make_study(tmp_path / "study", 5, {1: "unmatched"}), tmp_path / "out"
    (study.parent / "C2" / "case.toml").write_text("id = [")
    (study.parent / "C3" / "lumen.stl").unlink()
    _, records = fake_cohort.run(study, out)
    assert {name for name, each in records.items() if each.status == "done"} == {"C0", "C4"}
    assert records["C1"].reason == "global start: the vessels have nothing in common"
    assert "case.toml" in records["C2"].reason
    assert "lumen.stl" in records["C3"].reason
    rows = table(out)
    assert [each["status"] for each in rows.values()] == ["done", "failed", "failed", "failed", "done"]
    assert "Traceback" in (out / "cases" / "C1" / "log.txt").read_text()
    # Put right, they are all that is run again.
    for i in (1, 2, 3):
        (study.parent / f"C{i}" / "case.toml").write_text(CASE.format(f"C{i}", i // 2, "mended"))
    (study.parent / "C3" / "lumen.stl").write_text("x")
    plan, records = fake_cohort.run(study, out)
    assert [each.case_id for each in plan.todo] == ["C1", "C2", "C3"]
    assert {each.status for each in records.values()} == {"done"}


def test_where_asked_nothing_runs_unless_all_can_be_read(study, tmp_path):
    (study.parent / "C3" / "lumen.stl").unlink()
    with pytest.raises(ManifestError, match=r"row 5, column case.*lumen\.stl"):
        planned(study, tmp_path / "out", {}, "1", strict=True)
    assert not (tmp_path / "out").exists()


def test_a_manifest_that_is_wrong_itself_is_refused_whole(study, tmp_path):
    study.write_text(study.read_text() + "C1,C1\n../C2,C2\n")
    with pytest.raises(ManifestError) as refused:
        planned(study, tmp_path / "out", {}, "1")
    assert "row 10, column case_id: found 'C1' as in row 3" in str(refused.value)
    assert "row 11, column case_id: found '../C2'" in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_the_folder_of_another_cohort_is_refused(finished, tmp_path):
    _, out = finished
    other = make_study(tmp_path / "other", 1)
    other.write_text(other.read_text().replace("C0,C0", "D0,C0"))
    (other.parent / "C0" / "case.toml").write_text(CASE.format("D0", 0, ""))
    with pytest.raises(InputError, match="another cohort"):
        planned(other, out, {}, "1")


def test_what_a_reviewer_wrote_outlives_a_case_that_is_run_again(finished, fake_cohort):
    study, out = finished
    (out / "cases" / "C2" / "review.json").write_text("by a reader")
    (study.parent / "C2" / "lumen.stl").write_text("another")
    plan, records = fake_cohort.run(study, out)
    assert [each.case_id for each in plan.todo] == ["C2"]
    assert records["C2"].status == "done"
    assert (out / "cases" / "C2" / "review.json").read_text() == "by a reader"


def images_only(study):
    """Take the contours of the pullbacks away, so that there is something to segment."""
    for each in sorted(study.parent.glob("C*")):
        text = (each / "case.toml").read_text().replace('lumen = "c.csv"', 'image = "c.csv"')
        (each / "case.toml").write_text(text)
    return study


def ran(records):
    return {name: each.facts.get("ran") for name, each in records.items()}


def test_a_stage_can_be_run_alone_and_the_next_one_takes_it_up(tmp_path, fake_cohort):
    study, out = images_only(make_study(tmp_path / "study", 2)), tmp_path / "out"
    plan, records = fake_cohort.run(study, out, asked=("register",))
    assert plan.waiting == {"C0": "segment", "C1": "segment"}
    assert records == {}
    _, records = fake_cohort.run(study, out, asked=("segment",))
    assert ran(records) == {"C0": ["segment"], "C1": ["segment"]}
    assert table(out)["C0"]["stage"] == "segment"
    assert {(each.state, each.reasons) for each in read_cohort(out).cases} == {
        ("waiting", ("segmented, not registered yet",))
    }
    kept = (out / "cases" / "C0" / "segmentation" / "segmentation.json").read_text()
    _, records = fake_cohort.run(study, out)
    assert ran(records) == {"C0": ["register", "validate"], "C1": ["register", "validate"]}
    assert (out / "cases" / "C0" / "segmentation" / "segmentation.json").read_text() == kept
    # The result is that of one run.
    fake_cohort.run(study, tmp_path / "whole")
    assert content(out) == content(tmp_path / "whole")


def test_reviewed_landmarks_are_measured_anew_and_nothing_else_runs(tmp_path, fake_cohort):
    study, out = images_only(make_study(tmp_path / "study", 3)), tmp_path / "out"
    _, before = fake_cohort.run(study, out)
    log = (out / "cases" / "C1" / "log.txt").read_text()
    (out / "cases" / "C1" / "landmarks_reviewed.csv").write_text("by a reader")
    plan, records = fake_cohort.run(study, out)
    assert [each.case_id for each in plan.todo] == ["C1"]
    assert plan.work["C1"].stages == ("validate",)
    # What is known of the registration stays known, and so does its log.
    assert records["C1"].facts["verdict"] == "good"
    assert records["C1"].seconds == before["C1"].seconds
    assert (out / "cases" / "C1" / "log.txt").read_text() == log
    assert (out / "cases" / "C1" / "landmarks_reviewed.csv").read_text() == "by a reader"


def test_a_stage_is_run_again_where_asked_and_takes_later_results_away(tmp_path, fake_cohort):
    study, out = images_only(make_study(tmp_path / "study", 2)), tmp_path / "out"
    fake_cohort.run(study, out)
    plan, records = fake_cohort.run(study, out, asked=("register",), again=True)
    assert ran(records) == {"C0": ["register"], "C1": ["register"]}
    plan, _ = fake_cohort.run(study, out)
    assert {each.stages for each in plan.work.values()} == {("validate",)}
    fake_cohort.run(study, out, asked=("segment",), again=True)
    assert not (out / "cases" / "C0" / "registration.json").exists()
    plan, _ = fake_cohort.run(study, out)
    assert {each.stages for each in plan.work.values()} == {("register", "validate")}


def test_other_settings_register_anew_what_was_segmented_once(tmp_path, fake_cohort):
    study, out = images_only(make_study(tmp_path / "study", 2)), tmp_path / "out"
    fake_cohort.run(study, out)
    plan = planned(study, out, {"method": "rigid"}, "1")
    assert {each.stages for each in plan.work.values()} == {("register", "validate")}


def test_cases_registered_together_are_completed_one_by_one(tmp_path, fake_cohort):
    study, out, ended = images_only(make_study(tmp_path / "study", 5)), tmp_path / "out", []
    _, records = fake_cohort.run(study, out, batch=2, ended=ended)
    assert sorted(ended) == [("batch-1", "done"), ("batch-2", "done"), ("batch-3", "done")]
    assert {each.facts["together"] for each in records.values()} == {
        "C0 of 2", "C1 of 2", "C2 of 2", "C3 of 2", "C4 of 1",
    }  # fmt: skip
    assert not (out / ".coreg-cohort" / "solved").exists()
    plan, _ = fake_cohort.run(study, out, batch=2)
    assert plan.todo == ()


def test_a_batch_that_breaks_costs_its_cases_nothing(tmp_path, fake_cohort):
    notes = {1: "breaks its batch"}
    study, out, ended = images_only(make_study(tmp_path / "study", 4, notes)), tmp_path / "out", []
    _, records = fake_cohort.run(study, out, batch=2, ended=ended)
    assert sorted(ended) == [("batch-1", "failed"), ("batch-2", "done")]
    assert {each.status for each in records.values()} == {"done"}
    assert [records[f"C{i}"].facts["together"] for i in range(4)] == ["", "", "C2 of 2", "C3 of 2"]


def test_where_the_way_to_the_cases_was_lost_what_is_done_holds_when_it_is_back(finished, fake_cohort):
    study, out = finished
    (study.parent / "C3").rename(study.parent / "away")
    _, records = fake_cohort.run(study, out)
    assert records["C3"].status == "failed"
    (study.parent / "away").rename(study.parent / "C3")
    plan, records = fake_cohort.run(study, out)
    assert plan.todo == ()
    assert {each.status for each in records.values()} == {"done"}


@pytest.mark.slow
def test_five_faults_are_five_reasons_in_the_report_and_all_others_are_done(tmp_path, fake_cohort):
    faults = {1: "kills its worker", 2: "hangs", 3: "hungry"}
    study, out = make_study(tmp_path / "study", 9, faults), tmp_path / "out"
    (study.parent / "C4" / "case.toml").write_text("id = [")
    study.write_text(study.read_text().replace("C5,C5", "C5,nowhere"))
    _, records = fake_cohort.run(study, out, time_limit_s=8.0, memory_limit_gb=0.4)
    reasons = {name: each.reason for name, each in records.items() if each.status == "failed"}
    expected = {
        "C1": "its worker died 3 times",
        "C2": "took longer than 8 s",
        "C3": "needed more than 0.4 GB of memory",
        "C4": "case.toml: found",
        "C5": "the case in row 7 of the manifest: found no such file",
    }
    assert reasons.keys() == expected.keys()
    page = write_cohort_report(out).read_text()
    for name, part in expected.items():
        assert part in reasons[name]
        assert part in page
    assert {name for name, each in records.items() if each.status == "done"} == {"C0", "C6", "C7", "C8"}


@pytest.mark.slow
def test_killed_at_any_moment_and_run_again_the_result_is_that_of_one_run(tmp_path, fake_cohort):
    study = make_study(tmp_path / "study", 8, {5: "unmatched"})
    whole, out = tmp_path / "whole", tmp_path / "out"
    fake_cohort.run(study, whole)
    drawn = np.random.default_rng(7)
    program = [sys.executable, fake_cohort.__file__, str(study), str(out)]
    kills = 0
    for _ in range(20):
        running = subprocess.Popen(program)
        # It takes about a second to start, and another one for all cases.
        time.sleep(drawn.uniform(0.2, 2.5))
        kills += running.poll() is None
        running.send_signal(signal.SIGKILL)
        running.wait()
        for record in read_records(out).values() if out.exists() else ():
            # What is said to be done is there, whole.
            folder = out / "cases" / record.case_id
            assert record.status == "failed" or len((folder / "frames.csv").read_text()) == 64_000
    assert kills >= 10
    _, records = fake_cohort.run(study, out)
    assert len(records) == 8
    assert content(out) == content(whole)
    assert not [path for path in (out / "cases").iterdir() if path.name.startswith(".")]


def test_a_case_that_cannot_be_read_is_still_its_patients(study, tmp_path):
    header, *rows = study.read_text().splitlines()
    study.write_text("\n".join([f"{header},vessel", *(f"{each},LAD" for each in rows)]) + "\n")
    (study.parent / "C3" / "lumen.stl").unlink()
    plan = planned(study, tmp_path / "out", {}, "1")
    lost = next(each for each in plan.cases if each.case_id == "C3")
    assert "lumen.stl" in plan.unusable["C3"]
    assert (lost.patient, lost.vessel) == ("P1", "LAD")


@pytest.mark.parametrize(
    ("settings", "version", "why"),
    [
        ({"method": "rigid", "seed": 0}, "1", "made with another --method"),
        ({"method": "dtw", "seed": 1}, "1", "made with another --seed"),
        ({"method": "dtw", "seed": 0}, "2", "made by coreg 1"),
    ],
)
def test_it_is_said_why_a_case_has_to_run(study, tmp_path, fake_cohort, settings, version, why):
    out = tmp_path / "out"
    assert planned(study, out, {}, "1").why("C0") == "new"
    fake_cohort.run(study, out, seconds=0.0, settings={"method": "dtw", "seed": 0})
    assert planned(study, out, settings, version).why("C0") == why


def test_what_lies_where_no_input_of_the_case_is_named_by_its_key(tmp_path, fake_cohort):
    study, out = make_study(tmp_path / "study", 2), tmp_path / "out"
    outside = tmp_path / "Mustermann_Otto" / "c.csv"
    case = study.parent / "C1" / "case.toml"
    case.write_text(case.read_text().replace('"c.csv"', f'"{outside}"'))
    study.write_text(study.read_text() + "C9,Mustermann_Hugo\n")
    _, records = fake_cohort.run(study, out, seconds=0.0)
    assert records["C1"].reason.startswith("case.toml: pullback.lumen: found nothing at pullback.lumen")
    assert records["C9"].status == "failed"
    for path in out.rglob("*"):
        assert path.is_dir() or b"Mustermann" not in path.read_bytes(), path


def test_a_case_whose_place_is_taken_fails_alone_and_keeps_its_log(study, tmp_path, fake_cohort):
    out = tmp_path / "out"
    (out / "cases").mkdir(parents=True)
    (out / ".coreg-cohort").mkdir()
    (out / ".coreg-cohort" / "cohort.json").write_text('{"schema_version": 1}')
    (out / "cases" / "C2").write_text("no folder")
    _, records = fake_cohort.run(study, out, seconds=0.0)
    assert [name for name, each in records.items() if each.status == "failed"] == ["C2"]
    assert "found a file" in records["C2"].reason
    assert (out / "cases" / "C2").read_text() == "no folder"
    assert (out / ".coreg-cohort" / "logs" / "C2.txt").exists()


def test_where_nothing_is_to_be_segmented_that_stage_has_nothing_to_do_again(finished):
    study, out = finished
    assert planned(study, out, {}, "1", asked=("segment",), again=True).todo == ()


def test_a_case_goes_on_from_the_stage_that_it_has(tmp_path, fake_cohort):
    study, out = images_only(make_study(tmp_path / "study", 1)), tmp_path / "out"
    fake_cohort.run(study, out, asked=("segment",))
    assert planned(study, out, {}, "1").why("C0") == "to go on from segment"
    fake_cohort.run(study, out)
    (out / "cases" / "C0" / "landmarks_reviewed.csv").write_text("by a reader")
    assert planned(study, out, {}, "1").why("C0") == "other landmarks"
