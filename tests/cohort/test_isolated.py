import copy
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import pytest

from coreg_cohort.isolated import isolated


@pytest.fixture
def log(tmp_path):
    return tmp_path / "logs" / "log.txt"


def test_facts_come_back_from_another_process(fake_work, log):
    ended = isolated(fake_work.double, (21,), log=log)
    assert (ended.status, ended.reason) == ("done", "")
    assert ended.facts["twice"] == 42
    assert ended.facts["pid"] != os.getpid()
    assert 0.0 < ended.seconds < 30.0
    assert 0.005 < ended.peak_memory_gb < 1.0


def test_facts_come_back_as_a_record_holds_them(fake_work, log):
    facts = isolated(fake_work.odd_facts, (), log=log).facts
    assert facts == {"nan": None, "pair": [1, 2], "path": "a"}


def test_every_call_has_a_process_of_its_own(fake_work, log):
    first, second = (isolated(fake_work.double, (1,), log=log).facts["pid"] for _ in range(2))
    assert first != second


@pytest.mark.parametrize(
    ("name", "arguments", "reason"),
    [
        ("bad_input", ("P1",), "P1: found nothing, expected a file"),
        ("no_match", ("P1",), "P1: the vessels have nothing in common"),
        ("buggy", (), "a bug: TypeError: three is no list"),
        ("full_disk", (), "the machine refused: [Errno 28] No space left on device: '/full/frames.csv'"),
        ("leave", (3,), "ended by itself with exit status 3, without a result"),
        ("kill_itself", (), "killed by signal 9 (SIGKILL)"),
        ("crash_in_c", (), "killed by signal 11 (SIGSEGV)"),
        ("no_facts", (), "a bug: TypeError: 'NoneType' object is not iterable"),
    ],
)
def test_a_failure_has_a_reason(fake_work, log, name, arguments, reason):
    ended = isolated(getattr(fake_work, name), arguments, log=log)
    assert (ended.status, ended.reason, dict(ended.facts)) == ("failed", reason, {})


def test_the_log_has_what_python_and_c_print(fake_work, log):
    isolated(fake_work.log_and_double, (4,), log=log)
    assert log.read_text().splitlines() == ["number 4", "from C", "to stderr"]


def test_the_log_has_what_was_printed_before_a_kill(fake_work, log):
    isolated(fake_work.kill_itself, (), log=log)
    assert log.read_text() == "on the brink\n"


@pytest.mark.parametrize(("name", "trace"), [("buggy", "TypeError: three"), ("crash_in_c", "in crash_in_c")])
def test_the_log_shows_where_a_bug_or_crash_happened(fake_work, log, name, trace):
    isolated(getattr(fake_work, name), (), log=log)
    assert trace in log.read_text()
    assert "fake_work.py" in log.read_text()


def test_nothing_of_a_call_is_printed_here(fake_work, log, capfd):
    for work in (fake_work.buggy, fake_work.crash_in_c, fake_work.kill_itself):
        isolated(work, (), log=log)
    assert capfd.readouterr() == ("", "")


def test_what_takes_too_long_is_killed_with_its_own_processes(fake_work, log, tmp_path, all_end):
    note = tmp_path / "pids"
    ended = isolated(fake_work.sleep, (60, str(note)), log=log, time_limit_s=1.5)
    assert ended.reason == "took longer than 1.5 s"
    assert 1.5 <= ended.seconds < 5.0
    assert all_end(note.read_text().split())


def test_processes_left_behind_are_ended(fake_work, log, tmp_path, all_end):
    note = tmp_path / "pids"
    assert isolated(fake_work.leave_child_behind, (str(note),), log=log).status == "done"
    assert all_end(note.read_text().split())


def test_what_needs_too_much_memory_is_killed(fake_work, log):
    ended = isolated(fake_work.take_memory, (5.0,), log=log, memory_limit_gb=0.3)
    assert ended.reason == "needed more than 0.3 GB of memory"
    assert 0.3 < ended.peak_memory_gb < 1.0


def test_memory_within_the_limit_is_given_and_stated(fake_work, log):
    ended = isolated(fake_work.take_memory, (0.2,), log=log, memory_limit_gb=1.0)
    assert ended.status == "done"
    assert 0.2 < ended.peak_memory_gb < 0.4


def test_it_ends_when_told_to(fake_work, log, tmp_path, all_end):
    note = tmp_path / "pids"
    ended = isolated(fake_work.sleep, (60, str(note)), log=log, stopped=note.exists)
    assert ended.reason == "stopped"
    assert all_end(note.read_text().split())


def test_a_log_that_cannot_be_written_is_a_reason(fake_work, tmp_path):
    (tmp_path / "file").write_text("in the way")
    ended = isolated(fake_work.double, (1,), log=tmp_path / "file" / "log.txt")
    assert ended.reason.startswith("could not be started: ")
    assert "file" in ended.reason


ALONE = """
import sys
from pathlib import Path
import fake_work
from coreg_cohort.isolated import isolated
work = getattr(fake_work, sys.argv[1])
print(isolated(work, eval(sys.argv[2]), log=Path(sys.argv[3]), preload=sys.argv[4:]))
"""


def alone(work, arguments, log, *, preload=()):
    """Start a process that makes a call of its own."""
    command = [sys.executable, "-c", ALONE, work, repr(arguments), str(log), *preload]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("sleep", (60,)), pytest.param("spin_in_c", (), id="while C code keeps the interpreter")],
)
def test_it_dies_with_the_process_that_started_it(
    fake_work, log, tmp_path, written, all_end, name, arguments
):
    note = tmp_path / "pids"
    with alone(name, (*arguments, str(note)), log) as parent:
        pids = written(note).split()
        parent.send_signal(signal.SIGKILL)
    assert all_end(pids, seconds=2.0)


def test_an_interrupted_process_kills_its_call(fake_work, log, tmp_path, written, all_end):
    note = tmp_path / "pids"
    with alone("sleep", (60, str(note)), log) as parent:
        pids = written(note).split()
        parent.send_signal(signal.SIGINT)
        assert parent.wait(10) != 0
    assert all_end(pids)


@pytest.mark.parametrize("preload", [(), ("colorsys",)])
def test_modules_to_load_first_are_there(fake_work, log, preload):
    with alone("loaded", ("colorsys",), log, preload=preload) as parent:
        assert f"'colorsys': {bool(preload)}" in parent.communicate()[0]


def test_work_that_cannot_be_imported_is_a_reason(fake_work, log, monkeypatch):
    here = ModuleType("only_here")
    exec("def work(): return {}", here.__dict__)  # noqa: S102
    monkeypatch.setitem(sys.modules, "only_here", here)
    ended = isolated(here.work, (), log=log)
    assert ended.reason == "a bug: ModuleNotFoundError: No module named 'only_here'"


def test_an_end_can_be_sent_on(fake_work, log):
    for work in (fake_work.double, fake_work.no_match):
        ended = isolated(work, (1,), log=log)
        assert copy.deepcopy(ended) == ended


def test_calls_of_several_threads_do_not_mix(fake_work, tmp_path):
    def reason(number):
        work, arguments = ((fake_work.leave, (number,)), (fake_work.kill_itself, ()))[number % 2]
        return isolated(work, arguments, log=tmp_path / f"{number}.txt").reason

    with ThreadPoolExecutor(8) as pool:
        reasons = list(pool.map(reason, range(80)))
    assert set(reasons[1::2]) == {"killed by signal 9 (SIGKILL)"}
    assert [reason.split(",")[0] for reason in reasons[::2]] == [
        f"ended by itself with exit status {number}" for number in range(0, 80, 2)
    ]
