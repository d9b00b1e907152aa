"""Seconds and peak memory of a call, in a process of its own."""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
# What sets how many threads libraries take; read when they are loaded.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Cost:
    """What a call took: seconds, and the highest memory of its process meanwhile."""

    seconds: float
    memory_gb: float


def apart(function: Callable, *arguments: object) -> Any:
    """Call a function in a fresh process and return what it returns.

    Raises
    ------
    BrokenProcessPool
        If the process ended, as it does when memory runs out.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *arguments).result()


def measured(function: Callable, *arguments: object) -> tuple[Any, Cost]:
    """Call a function here; what it returns, and what it took."""
    _forget_peak()
    begin = time.perf_counter()
    result = function(*arguments)
    return result, Cost(time.perf_counter() - begin, _peak_memory_gb())


def _peak_memory_gb() -> float:
    """Highest resident memory since `_forget_peak`, else since the start of the process."""
    if STATUS.exists():
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return float(line.split()[1]) * 1024e-9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024e-9


def _forget_peak() -> None:
    # Writing 5 there sets the peak to what is in use now; Linux only.
    with suppress(OSError):
        CLEAR.write_text("5")
