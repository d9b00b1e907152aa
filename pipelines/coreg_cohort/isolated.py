"""One function call in a process of its own, so that nothing it does can harm the others.

A crash, a kill, a hang or a hunger for memory ends that process alone; what became of it comes back as a
value. The process dies with the one that started it, and all that it started dies with it.
"""

from __future__ import annotations

import faulthandler
import json
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from io import TextIOWrapper
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal

import psutil

from coreg.errors import CoregError
from coreg.io.json_fields import plain_json

Work = Callable[..., Mapping[str, Any]]

GB = 1e9
_TICK_S = 0.1
# Looking for child processes goes through all of the machine's.
_CHILDREN_S = 1.0
# Time to leave after the outcome was sent: libraries tidy up at the end of a process.
_LEAVE_S = 5.0
# A start asks after all other children, too, and an exit status can be fetched only once: of two threads
# that ask at the same time, one would be told 255.
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Ended:
    """What became of a call.

    Attributes
    ----------
    status : str
        "done" or "failed".
    reason : str
        Why it failed, in plain words; empty when done.
    facts : mapping
        What the function returned; empty when it failed.
    seconds : float
        How long it took.
    peak_memory_gb : float
        Most resident memory of its processes together that was seen, in 1e9 bytes.
    """

    status: Literal["done", "failed"]
    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    peak_memory_gb: float = 0.0


def isolated(
    work: Work,
    arguments: Sequence[Any],
    *,
    log: Path,
    time_limit_s: float | None = None,
    memory_limit_gb: float | None = None,
    preload: Sequence[str] = (),
    stopped: Callable[[], bool] = lambda: False,
) -> Ended:
    """Call a function in a process of its own and say what became of it.

    Parameters
    ----------
    work : callable
        A function of a module, which the other process can import; it returns a mapping. Facts come back
        as JSON holds them: NaN as None, tuples and arrays as lists, paths as text.
    arguments : sequence
        Given to it.
    log : Path
        Takes everything the process prints, and the traceback where it fails; replaced.
    time_limit_s : float, optional
        The process is killed when it takes longer.
    memory_limit_gb : float, optional
        The process is killed when it and its children hold more, in 1e9 bytes. It is looked at ten times a
        second, so that a fast process can hold more for a moment.
    preload : sequence of str
        Modules that are loaded once and shared by later calls. The first call in a process decides.
    stopped : callable
        Asked ten times a second; the process is killed as soon as it says yes.

    Returns
    -------
    Ended
        Failures of the function are in it, never raised.
    """
    start = time.monotonic()
    # Dask's workers are marked as daemons, which must not have children; ours die with them by themselves.
    multiprocessing.current_process().daemon = False
    call = pickle.dumps((work, tuple(arguments)))
    context = _context(preload)
    receiver, sender = context.Pipe(duplex=False)
    # A daemon, so that an orderly exit of this process kills it and does not wait for it.
    process = context.Process(target=_child, args=(sender, log, call), daemon=True)
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(b"")
        with _ONE_AT_A_TIME:
            process.start()
    except OSError as error:
        return Ended("failed", f"could not be started: {error}")
    finally:
        sender.close()
    memory = _Memory(process.pid or 0)
    try:
        sent = _followed(
            process, receiver, memory, time_limit_s=time_limit_s, limit_gb=memory_limit_gb, stopped=stopped
        )
    finally:
        _kill(process)
        receiver.close()
    return Ended(
        status="failed" if sent.reason else "done",
        reason=sent.reason,
        facts=sent.facts,
        seconds=time.monotonic() - start,
        peak_memory_gb=max(memory.peak_gb, sent.peak_gb),
    )


@dataclass(frozen=True)
class _Sent:
    """What the child says of itself, or what its parent has to say in its place."""

    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    peak_gb: float = 0.0


def _context(preload: Sequence[str]) -> Any:
    """Where there is a fork server its children start in milliseconds with the libraries loaded."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context: BaseContext = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, *preload])
    return context


def _followed(
    process: BaseProcess,
    receiver: Connection,
    memory: _Memory,
    *,
    time_limit_s: float | None,
    limit_gb: float | None,
    stopped: Callable[[], bool],
) -> _Sent:
    """Wait for the child's word; without one the reason is why it had to end."""
    start = time.monotonic()
    while not wait([receiver, process.sentinel], timeout=_TICK_S):
        if stopped():
            return _Sent("stopped")
        if time_limit_s is not None and time.monotonic() - start > time_limit_s:
            return _Sent(f"took longer than {time_limit_s:g} s")
        if memory.now_gb() > (limit_gb or float("inf")):
            return _Sent(f"needed more than {limit_gb:.1f} GB of memory")
    with suppress(EOFError, OSError):
        if receiver.poll():
            sent: _Sent = receiver.recv()
            _exit_code(process)
            return sent
    return _Sent(_unsaid(_exit_code(process)))


def _exit_code(process: BaseProcess) -> int | None:
    """Wait a while for the end of a process and return its exit status; None where it does not end."""
    wait([process.sentinel], timeout=_LEAVE_S)
    with _ONE_AT_A_TIME:
        return process.exitcode


def _unsaid(exit_code: int | None) -> str:
    """Why a process ended that said nothing."""
    if exit_code is None or exit_code >= 0:
        return f"ended by itself with exit status {exit_code}, without a result"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = "unknown"
    return f"killed by signal {-exit_code} ({name})"


class _Memory:
    """The resident memory of a process and of all that it started."""

    def __init__(self, pid: int) -> None:
        self.peak_gb = 0.0
        self._processes: list[psutil.Process] = []
        self._looked = -_CHILDREN_S
        self._pid = pid

    def now_gb(self) -> float:
        """Return the memory held now; 0 when the process has ended."""
        if time.monotonic() - self._looked >= _CHILDREN_S:
            self._processes = _family(self._pid)
            self._looked = time.monotonic()
        now_gb = sum(map(_resident_gb, self._processes))
        self.peak_gb = max(self.peak_gb, now_gb)
        return now_gb


def _resident_gb(process: psutil.Process) -> float:
    try:
        return float(process.memory_info().rss) / GB
    except psutil.Error:
        return 0.0


def _family(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


def _kill(process: BaseProcess) -> None:
    """End the child and all that it started, whether or not it has ended itself."""
    if process.pid is None:
        return
    family = [] if wait([process.sentinel], timeout=0) else _family(process.pid)
    # The group has also those whose own parent has ended.
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    for each in family:
        with suppress(psutil.Error):
            each.kill()
    _exit_code(process)


def _child(sender: Connection, log: Path, call: bytes) -> None:
    """What the child runs."""
    # Away from the terminal: its Ctrl-C is for the parent, who then ends this group as a whole.
    if hasattr(os, "setsid"):
        os.setsid()
    multiprocessing.current_process().daemon = False
    _die_with_parent()
    _print_into(log)
    sender.send(_outcome(call))


def _die_with_parent() -> None:
    """Make the end of the parent the end of this process and of its group."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    threading.Thread(target=_wait_and_die, args=(parent.sentinel,), daemon=True).start()
    if sys.platform == "linux":
        _let_kernel_kill(parent.sentinel)


def _wait_and_die(sentinel: int) -> None:
    wait([sentinel])
    if hasattr(os, "killpg"):
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _let_kernel_kill(sentinel: int) -> None:
    """Let the kernel do the same, since a thread of Python cannot while C code keeps the interpreter.

    The parent holds the other end of this pipe: when it ends, the pipe's reader is notified by a signal.
    PR_SET_PDEATHSIG would tell of the fork server's end instead, and only this process.
    """
    import fcntl

    fcntl.fcntl(sentinel, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(sentinel, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(sentinel, fcntl.F_SETFL, fcntl.fcntl(sentinel, fcntl.F_GETFL) | fcntl.FASYNC)


def _print_into(log: Path) -> None:
    """Send what Python and C libraries print to a file, line by line, so that a kill loses none."""
    handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    for stream, number in ((sys.stdout, 1), (sys.stderr, 2)):
        os.dup2(handle, number)
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    os.close(handle)
    # A crash in C code leaves the Python lines that led to it.
    faulthandler.enable()


def _outcome(call: bytes) -> _Sent:
    """Call the function; whatever it raises, or its import, becomes a reason."""
    try:
        # By hand, so that a failing import is a reason, too; multiprocessing would do the same.
        work, arguments = pickle.loads(call)  # noqa: S301 - from the parent's own pipe, never from a file
        # Only what a record can hold goes on, and it is the same whether it was just made or read again.
        facts = json.loads(json.dumps(plain_json(dict(work(*arguments)))))
    except CoregError as error:
        traceback.print_exc()
        return _Sent(_one_line(str(error)), peak_gb=_own_peak_gb())
    except MemoryError:
        traceback.print_exc()
        return _Sent("the machine has no more memory", peak_gb=_own_peak_gb())
    except OSError as error:
        traceback.print_exc()
        return _Sent(_one_line(f"the machine refused: {error}"), peak_gb=_own_peak_gb())
    except BaseException as error:
        traceback.print_exc()
        return _Sent(_one_line(f"a bug: {type(error).__name__}: {error}"), peak_gb=_own_peak_gb())
    return _Sent(facts=facts, peak_gb=_own_peak_gb())


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _own_peak_gb() -> float:
    """Return the most this process held, also between two looks of its parent."""
    try:
        import resource
    except ImportError:
        return 0.0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / GB
