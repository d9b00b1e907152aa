import errno
import os
import signal
import subprocess
import sys

import pytest

from coreg.errors import InputError
from coreg_cohort.folder import check_folder, cohort_folder
from coreg_cohort.records import Record, write_record


def opened(out):
    with cohort_folder(out, {"P1"}):
        pass


def record(case_id):
    return Record(case_id, {"register": "ab"}, "done", "", {}, 1.0, 1.0, "0.1")


@pytest.mark.parametrize("made", [False, True])
def test_a_new_or_empty_folder_is_taken_and_taken_again(tmp_path, made):
    out = tmp_path / "new" / "cohort"
    if made:
        out.mkdir(parents=True)
    for _ in range(2):
        with cohort_folder(out, {"P1"}):
            write_record(out, record("P1"))
            (out / "cohort.csv").write_text("case_id\n")


def test_a_folder_with_other_content_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.docx").write_text("precious")
    with pytest.raises(InputError, match=r"--out: found other content \(thesis.docx\), expected a new or"):
        opened(tmp_path)
    assert os.listdir(tmp_path) == ["thesis.docx"]  # noqa: PTH208


def test_a_file_is_refused(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(InputError, match="--out: found a file, expected a folder"):
        check_folder(tmp_path / "out", {"P1"})


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="--out: found Permission denied, expected a folder that can"):
        opened(tmp_path / "out")


def test_a_folder_of_another_layout_is_refused(tmp_path):
    with cohort_folder(tmp_path, {"P1"}):
        (tmp_path / ".coreg-cohort" / "cohort.json").write_text('{"schema_version": 7}')
    with pytest.raises(InputError, match="cohort's folder of version 7, expected version 1; choose another"):
        check_folder(tmp_path, {"P1"})


def test_a_folder_of_another_cohort_is_refused(tmp_path):
    with cohort_folder(tmp_path, {"P1"}):
        write_record(tmp_path, record("P1"))
    with pytest.raises(InputError, match=r"results of another cohort \(case P1, not in the manifest\)"):
        check_folder(tmp_path, {"Q1", "Q2"})


def test_a_manifest_may_grow_and_shrink(tmp_path):
    with cohort_folder(tmp_path, {"P1", "P2"}):
        write_record(tmp_path, record("P1"))
        write_record(tmp_path, record("P2"))
    check_folder(tmp_path, {"P2", "P3"})


HOLD = """
import sys, time
from pathlib import Path
from coreg_cohort.folder import cohort_folder
with cohort_folder(Path(sys.argv[1]), {"P1"}):
    print("held", flush=True)
    time.sleep(60)
"""


def test_two_runs_do_not_share_a_folder_and_a_killed_one_lets_go(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout.readline() == "held\n"
        holder = f"process {first.pid} on .*"
        with pytest.raises(InputError, match=rf"another run at work in it \({holder}\), expected one run"):
            opened(tmp_path)
        first.send_signal(signal.SIGKILL)
    opened(tmp_path)


def test_half_written_files_and_folders_are_cleared(tmp_path):
    with cohort_folder(tmp_path, {"P1.old"}):
        (tmp_path / "cases" / "P1.old").mkdir(parents=True)
        write_record(tmp_path, record("P1.old"))
    before = sorted(tmp_path.rglob("*"))
    (tmp_path / ".abcd_123.cohort.csv").write_text("half")
    (tmp_path / ".coreg-cohort" / "records" / ".abcd_123.P1.old.json").write_text("half")
    (tmp_path / "cases" / ".P1.old.abcd_123").mkdir()
    (tmp_path / "cases" / ".P1.old.abcd_123" / "frames.csv").write_text("half")
    with cohort_folder(tmp_path, {"P1.old"}):
        assert sorted(tmp_path.rglob("*")) == before


def test_an_interrupted_run_leaves_nothing_half_written(tmp_path):
    def interrupted():
        with cohort_folder(tmp_path, {"P1"}):
            (tmp_path / "cases" / ".P1.abcd_123").mkdir(parents=True)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list((tmp_path / "cases").iterdir()) == []
    assert (tmp_path / ".coreg-cohort" / "lock").read_text() == ""


def test_files_of_others_stay(tmp_path):
    with cohort_folder(tmp_path, {"P1"}):
        (tmp_path / "cases").mkdir()
        for name in (".DS_Store", ".notes", "cases/.hidden"):
            (tmp_path / name).write_text("mine")
    assert (tmp_path / ".DS_Store").exists()
    assert (tmp_path / ".notes").exists()
    assert (tmp_path / "cases" / ".hidden").exists()


KILLED_BETWEEN = """
import os, sys
from pathlib import Path
from coreg.io.result_folder import replaced_folder
rename = Path.rename
Path.rename = lambda path, to: (rename(path, to), os._exit(9))
with replaced_folder(Path(sys.argv[1]), "P1") as half:
    (half / "registration.json").write_text("new")
"""


def test_a_review_survives_a_kill_while_its_result_is_replaced(tmp_path):
    result = tmp_path / "cases" / "P1"
    with cohort_folder(tmp_path, {"P1"}):
        result.mkdir(parents=True)
        (result / "registration.json").write_text('{"schema_version": 1, "case_id": "P1"}')
        (result / "review.json").write_text("hours of work")
    killed = subprocess.run([sys.executable, "-c", KILLED_BETWEEN, str(result)], check=False)
    assert (killed.returncode, result.exists()) == (9, False)
    opened(tmp_path)
    assert (result / "review.json").read_text() == "hours of work"
    assert [path.name for path in (tmp_path / "cases").iterdir()] == ["P1"]


def test_the_lock_holds_on_a_full_disk(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "ftruncate", full)
    out = tmp_path / "out"
    with (
        cohort_folder(out, {"P1"}),
        pytest.raises(InputError, match="another run"),
        cohort_folder(out, {"P1"}),
    ):
        pass
