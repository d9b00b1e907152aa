import os
import signal
import subprocess
import sys

import psutil
import pytest

from coreg_cohort.cluster import cluster
from coreg_cohort.runner import Job, Progress, run


@pytest.fixture(scope="module")
def client(fake_work):
    with cluster("local", workers=2) as client:
        yield client


def job(folder, name, *arguments):
    return Job(name, arguments, folder / "logs" / f"{name}.txt")


def ended_of(client, jobs, work, **options):
    """What became of each job by case id, in the order of their ends."""
    ended = {}
    run(jobs, work, client=client, on_end=lambda job, end: ended.__setitem__(job.case_id, end), **options)
    return ended


def test_all_jobs_end_and_each_has_its_own_result_and_log(client, fake_work, tmp_path):
    jobs = [job(tmp_path, f"P{i}", i) for i in range(20)]
    ended = ended_of(client, jobs, fake_work.log_and_double)
    assert {name: end.facts["twice"] for name, end in ended.items()} == {f"P{i}": 2 * i for i in range(20)}
    assert "number 7\n" in (tmp_path / "logs" / "P7.txt").read_text()


def test_work_goes_on_beside_failures(client, fake_work, tmp_path):
    jobs = [
        job(tmp_path, "good-1", "double", 1),
        job(tmp_path, "bad-input", "bad_input", "case.toml"),
        job(tmp_path, "crash", "kill_itself"),
        job(tmp_path, "hang", "sleep", 60),
        job(tmp_path, "hungry", "take_memory", 5.0),
        job(tmp_path, "good-2", "double", 2),
    ]
    ended = ended_of(client, jobs, fake_work.by_name, time_limit_s=4.0, memory_limit_gb=0.4)
    assert {name: end.reason for name, end in ended.items()} == {
        "good-1": "",
        "good-2": "",
        "bad-input": "case.toml: found nothing, expected a file",
        "crash": "killed by signal 9 (SIGKILL)",
        "hang": "took longer than 4 s",
        "hungry": "needed more than 0.4 GB of memory",
    }


def test_as_many_jobs_run_at_a_time_as_there_are_workers(client, fake_work, tmp_path):
    ended = ended_of(client, [job(tmp_path, f"P{i}", 0.5) for i in range(6)], fake_work.sleep)
    spans = [(end.facts["began"], end.facts["ended"]) for end in ended.values()]
    at_begin = [sum(began <= start < over for began, over in spans) for start, _ in spans]
    assert max(at_begin) == 2


def test_progress_counts_ends_and_failures_and_tells_the_time_left(client, fake_work, tmp_path):
    jobs = [job(tmp_path, "P1", "sleep", 0.3), *(job(tmp_path, f"P{i}", "leave", 3) for i in (2, 3))]
    told = []
    last = run(
        jobs, fake_work.by_name, client=client, on_end=lambda *_: None, progress=told.append, time_limit_s=60
    )
    assert told[0] == Progress(ended=0, failed=0, total=3, seconds_left=None)
    assert [each.ended for each in told] == [0, 1, 2, 3]
    assert told[-1] == last
    assert (last.failed, last.seconds_left) == (2, 0.0)
    assert all(0.0 < each.seconds_left < 60.0 for each in told[1:-1])


def test_nothing_to_do_ends_at_once(client, fake_work):
    assert run([], fake_work.double, client=client, on_end=None) == Progress(0, 0, 0, None)


def test_only_as_many_jobs_are_handed_out_as_workers_can_run(client, fake_work, tmp_path):
    seen = []

    def count(*_):
        seen.append(sum(map(len, client.processing().values())))

    jobs = [job(tmp_path, f"P{i}", i) for i in range(12)]
    run(jobs, fake_work.double, client=client, on_end=count)
    assert max(seen) <= 2


def test_a_job_runs_again_when_its_worker_was_killed(client, fake_work, tmp_path):
    jobs = [job(tmp_path, "P1", str(tmp_path / "note"), 1), job(tmp_path, "P2", str(tmp_path / "other"), 0)]
    ended = ended_of(client, jobs, fake_work.kill_worker)
    assert {name: end.status for name, end in ended.items()} == {"P1": "done", "P2": "done"}
    assert ended["P1"].facts == {"before": 1}


def test_a_job_that_kills_every_worker_fails_and_others_go_on(client, fake_work, tmp_path):
    note = tmp_path / "note"
    jobs = [job(tmp_path, "killer", "kill_worker", str(note), 99)]
    jobs += [job(tmp_path, f"P{i}", "sleep", 0.5) for i in range(4)]
    ended = ended_of(client, jobs, fake_work.by_name)
    assert ended.pop("killer").reason.startswith("its worker died 3 times, the last at tcp://127.0.0.1:")
    assert note.read_text() == "xxx"
    assert [end.status for end in ended.values()] == ["done"] * 4


def test_what_runs_is_killed_when_an_end_cannot_be_dealt_with(client, fake_work, tmp_path, written, all_end):
    note = tmp_path / "pids"

    def disk_full(*_):
        written(note)
        msg = "no room"
        raise RuntimeError(msg)

    jobs = [job(tmp_path, "P1", "sleep", 60, str(note)), job(tmp_path, "P2", "double", 1)]
    with pytest.raises(RuntimeError, match="no room"):
        run(jobs, fake_work.by_name, client=client, on_end=disk_full)
    assert all_end(note.read_text().split(), seconds=2.0)


ALONE = """
import sys
from pathlib import Path
import fake_work
from coreg_cohort.cluster import cluster
from coreg_cohort.runner import Job, run
if __name__ == "__main__":
    folder = Path(sys.argv[1])
    jobs = [Job(name, (60, str(folder / name)), folder / f"{name}.txt") for name in ("P1", "P2", "P3")]
    with cluster("local", workers=2) as client:
        try:
            run(jobs, fake_work.sleep, client=client, on_end=print)
        except KeyboardInterrupt:
            print("interrupted", flush=True)
            sys.exit(130)
"""


@pytest.fixture
def alone(fake_work, tmp_path, written):
    """A run in a process group of its own, as a shell starts it, and all processes that belong to it."""
    script = tmp_path / "alone.py"
    script.write_text(ALONE)
    command = [sys.executable, str(script), str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as main:
        pids = [pid for name in ("P1", "P2") for pid in written(tmp_path / name).split()]
        family = [each.pid for each in psutil.Process(main.pid).children(recursive=True)]
        yield main, {*pids, *family}
        main.kill()


def test_ctrl_c_ends_a_run_quickly_and_quietly_with_all_its_processes(alone, all_end):
    main, pids = alone
    os.killpg(main.pid, signal.SIGINT)
    assert main.communicate(timeout=20) == ("interrupted\n", "")
    assert main.returncode == 130
    assert all_end(pids, seconds=5.0)


def test_no_process_outlives_a_run_that_was_killed(alone, all_end):
    main, pids = alone
    main.send_signal(signal.SIGKILL)
    assert all_end(pids, seconds=10.0)
