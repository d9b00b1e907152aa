"""Where the work of a cohort is done: on this machine, by an existing scheduler's workers, or by Slurm."""

from __future__ import annotations

import logging
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any

from coreg.errors import InputError
from coreg_cohort.slurm import SlurmOptions, job_keywords, job_script

if TYPE_CHECKING:
    from distributed import Client

# A case that ends its worker this many times has failed.
TRIES = 3
_ANSWER_S = 5.0
_ADDRESS = ("tcp://", "tls://")
# Ctrl-C reaches every process of a terminal; the one that runs the cohort decides what it means.
_NO_INTERRUPT = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"
_LOGGERS = ("distributed", "distributed.client", "distributed.scheduler", "distributed.worker", "tornado")
_LOST_JOBS_S = 60.0


@contextmanager
def cluster(kind: str, *, workers: int, slurm: SlurmOptions | None = None) -> Iterator[Client]:
    """Give a client of workers, and let go of them at the end.

    Parameters
    ----------
    kind : str
        "local", "slurm", or the address of a scheduler that runs already, such as "tcp://host:8786".
    workers : int
        Cases at a time; an existing scheduler has the workers it has.
    slurm : SlurmOptions, optional
        For "slurm".

    Raises
    ------
    InputError
        If the kind is none of these, nobody answers at the address, or Slurm is not there or refuses
        such a job.
    """
    if kind == "local":
        started = _local(workers)
    elif kind == "slurm":
        started = _slurm(workers, slurm or SlurmOptions())
    elif kind.startswith(_ADDRESS):
        started = _existing(kind)
    else:
        msg = f"--cluster: found {kind!r}, expected local, slurm, or an address such as tcp://host:8786"
        raise InputError(msg)
    with _quiet(), ExitStack() as stack:
        with _interrupts_later():
            client = stack.enter_context(started)
        yield client


@contextmanager
def _interrupts_later() -> Iterator[None]:
    """Hold Ctrl-C back for the seconds in which processes start: there Dask would print tracebacks.

    What is started then never sees it: the process that runs the cohort decides what it means.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "pthread_sigmask"):
        yield
        return
    seen: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _frame: seen.append(number))
    # Where it has to start later, it lets the signal through again.
    resource_tracker.ensure_running()
    # Inherited by what is started; other threads of this process may get the signal all the same.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, handler)
        if seen:
            signal.raise_signal(signal.SIGINT)


@contextmanager
def _local(workers: int) -> Iterator[Client]:
    """Start processes of this machine, which listen on its loopback address alone."""
    import dask
    from distributed import Client, LocalCluster

    with (
        tempfile.TemporaryDirectory(prefix="coreg-cohort-", ignore_cleanup_errors=True) as scratch,
        dask.config.set(temporary_directory=scratch),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            scheduler_kwargs={**_no_dashboard("127.0.0.1:0"), "allowed_failures": TRIES - 1},
            silence_logs=logging.CRITICAL,
            # Workers only watch; the limit is for the cases' own processes.
            memory_limit=0,
            preload=[_NO_INTERRUPT],
        ) as local,
        Client(local) as client,
    ):
        yield client


@contextmanager
def _existing(address: str) -> Iterator[Client]:
    from distributed import Client

    try:
        client = Client(address, timeout=_ANSWER_S)
    except (OSError, ValueError) as error:
        msg = (
            f"--cluster {address}: nobody answers within {_ANSWER_S:g} s; "
            "start `dask scheduler` there and `dask worker ADDRESS` on the machines that are to work"
        )
        raise InputError(msg) from error
    with client:
        yield client


@contextmanager
def _slurm(workers: int, options: SlurmOptions) -> Iterator[Client]:
    from dask_jobqueue.slurm import SLURMCluster
    from distributed import Client

    _check_slurm(options)
    with SLURMCluster(
        **job_keywords(options),
        scheduler_options={**_no_dashboard(":0"), "allowed_failures": TRIES - 1},
        silence_logs=logging.CRITICAL,
    ) as slurm:
        slurm.scale(workers)
        with Client(slurm) as client, _lost_jobs_replaced(slurm, workers):
            yield client


def _check_slurm(options: SlurmOptions) -> None:
    """Let Slurm look at the job script, since what it refuses later is only logged."""
    if shutil.which("sbatch") is None:
        msg = "--cluster slurm: there is no sbatch on this machine; run it where jobs are submitted"
        raise InputError(msg)
    looked = subprocess.run(
        ["sbatch", "--test-only"],  # noqa: S607 - wherever the site has it
        input=job_script(options),
        capture_output=True,
        text=True,
        check=False,
    )
    if looked.returncode != 0:
        msg = f"--cluster slurm: Slurm refuses the job: {' '.join(looked.stderr.split())}"
        raise InputError(msg)


@contextmanager
def _lost_jobs_replaced(slurm: Any, workers: int) -> Iterator[None]:
    """Ask again for jobs that have ended, as at their walltime; Dask does so only when told."""
    over = threading.Event()

    def ask() -> None:
        while not over.wait(_LOST_JOBS_S):
            slurm.scale(workers)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _no_dashboard(address: str) -> dict[str, Any]:
    """Keep Dask from its pages; its scheduler serves its state at some address all the same."""
    return {"dashboard": False, "dashboard_address": address}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask's own log from the terminal: what matters comes back as reasons."""
    import distributed  # noqa: F401 - it sets its levels when it is loaded

    before = {name: logging.getLogger(name).level for name in _LOGGERS}
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
