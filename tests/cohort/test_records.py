import csv
import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from coreg_cohort.records import (
    Record,
    read_record,
    read_records,
    record_path,
    write_cohort_csv,
    write_record,
)

DONE = Record(
    case_id="P1-LAD",
    fingerprints={"segment": "ab12", "register": "cd34"},
    status="done",
    reason="",
    facts={"verdict": "review", "reasons": ["few branches", "weak"], "landmarks": 4, "error_mm": 0.31},
    seconds=12.34,
    peak_memory_gb=1.5,
    version="0.1",
)
FAILED = dataclasses.replace(
    DONE,
    case_id="P2",
    fingerprints={"segment": "ab12"},
    status="failed",
    reason="took longer than 600 s",
    facts={},
)


def case(case_id, patient="", vessel=""):
    return SimpleNamespace(case_id=case_id, patient=patient, vessel=vessel)


def test_a_record_is_read_as_it_was_written(tmp_path):
    for record in (DONE, FAILED):
        write_record(tmp_path, record)
    assert read_records(tmp_path) == {"P1-LAD": DONE, "P2": FAILED}


def test_the_last_record_of_a_case_counts(tmp_path):
    write_record(tmp_path, DONE)
    write_record(tmp_path, dataclasses.replace(DONE, fingerprints={"segment": "ef56"}))
    assert read_records(tmp_path)["P1-LAD"].fingerprints == {"segment": "ef56"}


def test_a_new_folder_has_no_records(tmp_path):
    assert read_records(tmp_path / "new") == {}


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "\x00" * 50, '{"schema_version": 1}', pytest.param("[" * 100_000, id="deep")],
)
def test_a_broken_record_counts_as_none(tmp_path, text):
    write_record(tmp_path, DONE)
    record_path(tmp_path, "P1-LAD").write_text(text)
    assert read_records(tmp_path) == {}


@pytest.mark.parametrize(
    "change", [{"schema_version": 2}, {"status": "running"}, {"facts": []}, {"case_id": "P9"}], ids=str
)
def test_a_record_that_says_something_else_counts_as_none(tmp_path, change):
    write_record(tmp_path, DONE)
    path = record_path(tmp_path, "P1-LAD")
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert read_records(tmp_path) == {}


def test_a_file_that_was_never_finished_counts_as_none(tmp_path):
    write_record(tmp_path, DONE)
    whole = record_path(tmp_path, "P1-LAD")
    whole.rename(whole.with_name(".abcdefgh.P1-LAD.json"))
    assert read_records(tmp_path) == {}
    assert read_record(whole) is None


def test_the_last_stage_that_ended_well_is_known():
    # Whatever the order in the file.
    assert dataclasses.replace(DONE, fingerprints={"register": "b", "segment": "a"}).stage == "register"
    assert dataclasses.replace(DONE, fingerprints={}).stage == ""


def test_the_table_has_a_row_per_case_in_the_order_of_the_manifest(tmp_path):
    path = tmp_path / "cohort.csv"
    cases = [case("P2", "P2", "RCA"), case("P3"), case("P1-LAD", "P1", "LAD")]
    write_cohort_csv(path, cases, {"P1-LAD": DONE, "P2": FAILED, "P0": DONE})
    assert path.read_text().splitlines() == [
        "case_id,patient,vessel,status,verdict,reason,landmarks,error_frames,error_mm,error_deg,seconds,stage,landmarks_of",
        "P2,P2,RCA,failed,,took longer than 600 s,,,,,12.3,segment,",
        "P3,,,,,,,,,,,,",
        "P1-LAD,P1,LAD,done,review,few branches; weak,4,,0.31,,12.3,register,",
    ]


def test_reasons_with_commas_and_quotes_stay_one_cell(tmp_path):
    reason = 'frames.csv: found "a,b", expected 3; done'
    write_cohort_csv(tmp_path / "a.csv", [case("P2")], {"P2": dataclasses.replace(FAILED, reason=reason)})
    with (tmp_path / "a.csv").open(newline="") as file:
        assert next(csv.DictReader(file))["reason"] == reason


FULL = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_records import DONE, write_record
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
write_record(Path(sys.argv[1]), DONE)
"""


def test_a_full_disk_is_told_and_leaves_the_last_record(tmp_path):
    write_record(tmp_path, DONE)
    command = [sys.executable, "-c", FULL, str(tmp_path), str(Path(__file__).parent)]
    failed = subprocess.run(command, check=False, capture_output=True, text=True)
    assert "InputError: " in failed.stderr
    assert "P1-LAD.json: found File too large, expected a folder with room" in failed.stderr
    assert read_records(tmp_path) == {"P1-LAD": DONE}
    assert [path.name for path in record_path(tmp_path, "").parent.iterdir()] == ["P1-LAD.json"]


def test_ten_thousand_cases_are_soon_written(tmp_path):
    records = {f"P{i}": dataclasses.replace(DONE, case_id=f"P{i}") for i in range(10_000)}
    write_cohort_csv(tmp_path / "a.csv", map(case, records), records)
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 10_001


@pytest.mark.parametrize(
    "facts", [{"verdict": ["good"]}, {"reasons": 5}, {"reasons": "weak"}, {"reasons": [1]}]
)
def test_a_record_whose_facts_are_no_text_counts_as_none(tmp_path, facts):
    write_record(tmp_path, dataclasses.replace(DONE, facts=facts))
    assert read_records(tmp_path) == {}
