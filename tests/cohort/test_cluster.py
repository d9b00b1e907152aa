import os
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest

from coreg.errors import InputError
from coreg_cohort.cluster import cluster
from coreg_cohort.runner import Job, run
from coreg_cohort.slurm import SlurmOptions


def ended_of(client, work, jobs, folder, **options):
    ended = {}
    run(
        [Job(name, arguments, folder / f"{name}.txt") for name, arguments in jobs.items()],
        work,
        client=client,
        on_end=lambda job, end: ended.__setitem__(job.case_id, end),
        **options,
    )
    return ended


def opened(kind):
    with cluster(kind, workers=1):
        pass


@pytest.fixture(scope="module")
def address(fake_work, tmp_path_factory):
    """A scheduler and two workers that were started by hand."""
    folder = tmp_path_factory.mktemp("dask")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    dask = [sys.executable, "-m", "dask"]
    quiet = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    scheduler = [*dask, "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    worker = [*dask, "worker", address, "--host", "127.0.0.1", "--nthreads", "1", "--no-dashboard"]
    started = [subprocess.Popen(scheduler, **quiet), *(subprocess.Popen(worker, **quiet) for _ in range(2))]
    with cluster_that_starts(address) as client:
        client.wait_for_workers(2, timeout=30)
    yield address
    for each in reversed(started):
        each.terminate()
        each.wait(20)


def cluster_that_starts(address):
    for _ in range(20):
        try:
            opened(address)
            break
        except InputError:
            continue
    return cluster(address, workers=1)


def test_local_workers_listen_on_the_loopback_address_alone():
    me = psutil.Process()
    before = {each.pid for each in me.children(recursive=True)}
    mine = {each.laddr for each in me.net_connections()}
    with cluster("local", workers=2):
        family = [me, *(each for each in me.children(recursive=True) if each.pid not in before)]
        heard = [each.laddr for one in family for each in one.net_connections() if each.status == "LISTEN"]
        assert len(set(heard) - mine) >= 3
        assert {each.ip for each in set(heard) - mine} == {"127.0.0.1"}


def test_local_workers_say_nothing_and_leave_nothing(tmp_path, monkeypatch, capfd, fake_work, all_end):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "logs").mkdir()
    with cluster("local", workers=1) as client:
        pids = [each.pid for each in psutil.Process().children(recursive=True)]
        ended_of(client, fake_work.double, {"P1": (1,), "P2": (2,)}, tmp_path / "logs")
    assert capfd.readouterr() == ("", "")
    assert sorted(each.name for each in tmp_path.iterdir() if not each.name.startswith("pymp-")) == ["logs"]
    assert all_end(set(pids) - {each.pid for each in psutil.Process().children()})


def test_a_scheduler_and_workers_started_by_hand_do_the_work(address, fake_work, tmp_path):
    jobs = {
        "P1": ("double", 4),
        "P2": ("kill_itself",),
        "P3": ("bad_input", "a.csv"),
        "P4": ("sleep", 60),
        "P5": ("kill_worker", str(tmp_path / "note"), 1),
    }
    with cluster(address, workers=1) as client:
        ended = ended_of(client, fake_work.by_name, jobs, tmp_path, time_limit_s=4.0)
    assert ended["P1"].facts["twice"] == 8
    assert ended["P2"].reason == "killed by signal 9 (SIGKILL)"
    assert ended["P3"].reason == "a.csv: found nothing, expected a file"
    assert ended["P4"].reason == "took longer than 4 s"
    assert ended["P5"].status == "done"


ALONE = """
import sys
from pathlib import Path
import fake_work
from coreg_cohort.cluster import cluster
from coreg_cohort.runner import Job, run
folder = Path(sys.argv[2])
with cluster(sys.argv[1], workers=1) as client:
    job = Job("P1", (60, str(folder / "pids")), folder / "P1.txt")
    try:
        run([job], fake_work.sleep, client=client, on_end=print)
    except KeyboardInterrupt:
        print("interrupted")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_workers_elsewhere_kill_what_nobody_wants_any_more(
    address, fake_work, tmp_path, written, all_end, number
):
    command = [sys.executable, "-c", ALONE, address, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as main:
        pids = written(tmp_path / "pids").split()
        main.send_signal(number)
        said = main.communicate(timeout=20)
    assert all_end(pids, seconds=2.0 if number == signal.SIGINT else 5.0)
    assert said == ("interrupted\n" if number == signal.SIGINT else "", "")


@pytest.mark.slow
def test_a_scheduler_that_goes_is_told(fake_work, tmp_path, written, all_end):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    quiet = {"cwd": tmp_path, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    dask = [sys.executable, "-m", "dask"]
    scheduler = subprocess.Popen([*dask, "scheduler", "--host", "127.0.0.1", "--port", str(port)], **quiet)
    worker = subprocess.Popen([*dask, "worker", address, "--nthreads", "1", "--no-dashboard"], **quiet)
    try:
        with cluster_that_starts(address) as client:
            client.wait_for_workers(1, timeout=30)

            def kill_scheduler(*_):
                scheduler.kill()

            jobs = {"P1": ("double", 1), "P2": ("sleep", 60, str(tmp_path / "pids"))}
            with pytest.raises(InputError, match=rf"the scheduler at {address} is gone; start it and run"):
                run(
                    [Job(name, arguments, tmp_path / name) for name, arguments in jobs.items()],
                    fake_work.by_name,
                    client=client,
                    on_end=kill_scheduler,
                )
    finally:
        for each in (worker, scheduler):
            each.kill()
            each.wait()


def test_nobody_at_an_address_is_told_with_what_to_do(monkeypatch):
    monkeypatch.setattr("coreg_cohort.cluster._ANSWER_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(InputError, match=rf"{port}: nobody answers within .* start `dask scheduler`"):
        opened(f"tcp://127.0.0.1:{port}")


@pytest.mark.parametrize("kind", ["slrum", "127.0.0.1:8786", "", "http://host"])
def test_an_unknown_kind_is_refused(kind):
    with pytest.raises(InputError, match=r"--cluster: found .*, expected local, slurm, or an address"):
        opened(kind)


SBATCH = """#!/bin/sh
if [ "$1" = --test-only ]; then cat > FOLDER/looked_at.sh; exit 0; fi
cp "$1" FOLDER/script.$$
setsid bash FOLDER/script.$$ > /dev/null 2>&1 &
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/sh
echo "$1" >> FOLDER/cancelled
kill -- "-$1"
"""


@pytest.fixture
def slurm_stand_in(tmp_path, monkeypatch):
    """Commands that do to a job script what Slurm would, on this machine."""
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.replace("FOLDER", str(tmp_path)))
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    return tmp_path


def test_slurm_is_handed_jobs_that_do_the_work_and_are_cancelled(slurm_stand_in, fake_work):
    with cluster("slurm", workers=2, slurm=SlurmOptions(interface="lo", gpus=1)) as client:
        ended = ended_of(client, fake_work.double, {"P1": (1,), "P2": (2,)}, slurm_stand_in)
    assert {name: end.facts["twice"] for name, end in ended.items()} == {"P1": 2, "P2": 4}
    scripts = [path.read_text() for path in slurm_stand_in.glob("script.*")]
    assert len(scripts) == 2
    assert all("#SBATCH --gres=gpu:1" in script for script in scripts)
    assert len((slurm_stand_in / "cancelled").read_text().split()) == 2


def test_a_machine_without_slurm_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="--cluster slurm: there is no sbatch on this machine"):
        opened("slurm")


def test_a_refusal_of_slurm_is_passed_on(slurm_stand_in):
    (slurm_stand_in / "bin" / "sbatch").write_text("#!/bin/sh\necho 'invalid partition' >&2\nexit 1\n")
    with pytest.raises(InputError, match="--cluster slurm: Slurm refuses the job: invalid partition"):
        opened("slurm")


STARTING = """
import time
from coreg_cohort.cluster import cluster
try:
    print("starting", flush=True)
    with cluster("local", workers=2):
        time.sleep(60.0)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="no groups of processes here")
@pytest.mark.parametrize("after_s", [0.1, 0.6])
def test_ctrl_c_while_workers_start_prints_no_traceback(after_s):
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", STARTING]
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as running:
        assert running.stdout.readline() == "starting\n"
        time.sleep(after_s)
        # As at a terminal, where it reaches all processes.
        os.killpg(running.pid, signal.SIGINT)
        assert running.communicate(timeout=30.0) == ("interrupted\n", "")
