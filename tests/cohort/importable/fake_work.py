"""Work that behaves well or badly; in a folder of its own, from which other processes can import it."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from coreg.errors import InputError, RegistrationError


def double(number):
    return {"twice": 2 * number, "pid": os.getpid()}


def log_and_double(number):
    print(f"number {number}")
    os.write(1, b"from C\n")
    print("to stderr", file=sys.stderr)
    return {"twice": 2 * number}


def bad_input(name):
    msg = f"{name}: found\n nothing, expected a file"
    raise InputError(msg)


def no_match(name):
    msg = f"{name}: the vessels have nothing in common"
    raise RegistrationError(msg)


def buggy():
    msg = "three is no list"
    raise TypeError(msg)


def full_disk():
    raise OSError(28, "No space left on device", "/full/frames.csv")


def leave(status):
    os._exit(status)


def kill_itself():
    print("on the brink")
    os.kill(os.getpid(), signal.SIGKILL)


def crash_in_c():
    import ctypes

    ctypes.string_at(0)


def sleep(seconds, note=None):
    """Sleep, with a child of its own; both process ids go to a file."""
    child = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({seconds})"])
    if note:
        partial = Path(note).with_suffix(".partial")
        partial.write_text(f"{os.getpid()} {child.pid}")
        partial.replace(note)
    began = time.time()
    time.sleep(seconds)
    return {"began": began, "ended": time.time()}


def leave_child_behind(note):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    Path(note).write_text(f"{os.getpid()} {child.pid}")
    return {}


def spin_in_c(note):
    """Keep the interpreter to itself: no other thread of Python can run."""
    Path(note).write_text(str(os.getpid()))
    return {"sum": sum(range(10**12))}


def take_memory(gb):
    kept = []
    while sum(map(len, kept)) < gb * 1e9:
        kept.append(bytearray(b"x" * 20_000_000))
        time.sleep(0.02)
    return {}


def odd_facts():
    return {"nan": float("nan"), "pair": (1, 2), "path": Path("a")}


def no_facts():
    return None


def loaded(*modules):
    return {name: name in sys.modules for name in modules}


def kill_worker(note, times):
    """Kill the process that started this one, as the machine may, the first few times."""
    before = len(Path(note).read_text()) if Path(note).exists() else 0
    if before < times:
        Path(note).write_text("x" * (before + 1))
        os.kill(multiprocessing.parent_process().pid, signal.SIGKILL)
        time.sleep(30)
    return {"before": before}


def by_name(name, *arguments):
    return globals()[name](*arguments)
