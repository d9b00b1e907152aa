"""Runs many jobs on the workers of a Dask client, each in a process of its own, and follows them."""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coreg.errors import InputError
from coreg_cohort.isolated import Ended, Work, isolated

if TYPE_CHECKING:
    from distributed import Client, Future

# Workers may come and go: how often to look.
_TICK_S = 1.0
# More than a worker needs to see that its job is not wanted any more and to kill it.
_STOP_S = 5.0


@dataclass(frozen=True)
class Job:
    """One call to make.

    Attributes
    ----------
    case_id : str
        Whose.
    arguments : tuple
        For the function.
    log : Path
        Takes what it prints; on a file system that the workers share.
    """

    case_id: str
    arguments: tuple[Any, ...]
    log: Path


@dataclass(frozen=True)
class Progress:
    """How far a run has come.

    Attributes
    ----------
    ended, failed, total : int
        Jobs; those that failed are among those that ended.
    seconds_left : float or None
        At the mean rate so far; None before the first end.
    """

    ended: int
    failed: int
    total: int
    seconds_left: float | None


def run(
    jobs: Iterable[Job],
    work: Work,
    *,
    client: Client,
    on_end: Callable[[Job, Ended], None],
    time_limit_s: float | None = None,
    memory_limit_gb: float | None = None,
    preload: Sequence[str] = (),
    progress: Callable[[Progress], None] = lambda _: None,
) -> Progress:
    """Run jobs until all have ended.

    A job whose worker dies runs again elsewhere; one that ends its worker again and again fails. When this
    function is interrupted, or ``on_end`` raises, what runs is killed before the exception goes on.

    Parameters
    ----------
    jobs : iterable of Job
        Begun in this order.
    work : callable
        As for `isolated`: a function of a module that workers can import.
    client : distributed.Client
        Whose workers run a job to each of their threads.
    on_end : callable
        Given each job and what became of it, here and one after the other, in the order of their ends.
    time_limit_s, memory_limit_gb, preload
        As for `isolated`, of each job.
    progress : callable
        Told at the start and after each end.

    Raises
    ------
    InputError
        If the scheduler is gone.
    """
    waiting = deque(jobs)
    total, start = len(waiting), time.monotonic()
    options = {"time_limit_s": time_limit_s, "memory_limit_gb": memory_limit_gb, "preload": tuple(preload)}
    name = f"coreg-{uuid.uuid4().hex}"
    running: dict[Future[Any], Job] = {}
    now = Progress(0, 0, total, None)
    progress(now)
    try:
        while waiting or running:
            _submit_for_idle(client, name, waiting, running, (work, options))
            for future in _ended_futures(client, running):
                job = running.pop(future)
                ended = _what_became(future)
                # Its worker has the next job while this one's end is dealt with.
                _submit_for_idle(client, name, waiting, running, (work, options))
                on_end(job, ended)
                now = _advanced(now, ended, time.monotonic() - start)
                progress(now)
    except BaseException:
        _stop(client, name, list(running))
        raise
    return now


def _submit_for_idle(
    client: Client,
    name: str,
    waiting: deque[Job],
    running: dict[Future[Any], Job],
    how: tuple[Work, dict[str, Any]],
) -> None:
    """Keep a job to each thread, and one while there is none.

    No more: those that wait at a worker are blamed, too, when it dies.
    """
    if not waiting:
        return
    with _scheduler_there(client):
        threads = max(1, sum(client.nthreads().values()))
        while waiting and len(running) < threads:
            job = waiting.popleft()
            key = f"{name}-{job.case_id}"
            running[client.submit(_on_worker, job, *how, key=key, pure=False)] = job


def _ended_futures(client: Client, running: dict[Future[Any], Job]) -> list[Future[Any]]:
    from distributed import wait

    with _scheduler_there(client), suppress(TimeoutError):
        wait(list(running), timeout=_TICK_S, return_when="FIRST_COMPLETED")
    return [future for future in running if future.done()]


def _what_became(future: Future[Any]) -> Ended:
    from distributed import KilledWorker

    try:
        ended: Ended = future.result()
    except KilledWorker as error:
        times = error.allowed_failures + 1
        return Ended("failed", f"its worker died {times} times, the last at {error.last_worker.address}")
    # Whatever Dask raises for one case, such as what cannot be sent, is that case's reason: the others go on.
    except Exception as error:
        return Ended("failed", f"its worker could not run it: {type(error).__name__}: {error}")
    return ended


def _advanced(now: Progress, ended: Ended, seconds: float) -> Progress:
    count = now.ended + 1
    left = seconds / count * (now.total - count)
    return Progress(count, now.failed + (ended.status == "failed"), now.total, left)


@contextmanager
def _scheduler_there(client: Client) -> Iterator[None]:
    """Tell the user when it is the scheduler that has gone."""
    try:
        yield
    except TimeoutError:
        raise
    except (OSError, CancelledError) as error:
        where = client.scheduler.address if client.scheduler else "unknown"
        msg = f"the scheduler at {where} is gone; start it and run again: what has ended is kept"
        raise InputError(msg) from error


def _stop(client: Client, name: str, futures: list[Future[Any]]) -> None:
    """Let the workers kill what they run, and see that they have."""
    with suppress(Exception):
        client.cancel(futures)
        end = time.monotonic() + _STOP_S
        while sum(client.run(_count_of, name).values()) and time.monotonic() < end:
            time.sleep(0.05)


def _count_of(name: str, dask_worker: Any) -> int:
    """Count what a worker still runs of a run, wanted or not."""
    return sum(task.key.startswith(name) for task in dask_worker.state.executing)


def _on_worker(job: Job, work: Work, options: dict[str, Any]) -> Ended:
    """What a worker's thread runs."""
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()

    def unwanted() -> bool:
        # It was cancelled, or the client that wanted it is gone, however that ended.
        task = worker.state.tasks.get(key)
        return task is None or task.state != "executing"

    return isolated(work, job.arguments, log=job.log, stopped=unwanted, **options)
