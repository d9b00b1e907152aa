import os
import sys
import time
from pathlib import Path

import psutil
import pytest


@pytest.fixture(scope="session")
def fake_work():
    """Module of work functions, importable by name here and in the processes started from here."""
    folder = str(Path(__file__).parent / "importable")
    with pytest.MonkeyPatch.context() as patch:
        # Also for processes that are not started by multiprocessing.
        patch.syspath_prepend(folder)
        patch.setenv("PYTHONPATH", folder, prepend=os.pathsep)
        import fake_work

        yield fake_work
        sys.modules.pop("fake_work")


@pytest.fixture(scope="session")
def written():
    """Wait for a file and return its text."""

    def wait(path, seconds=30.0):
        end = time.monotonic() + seconds
        while not path.exists() or not path.read_text():
            assert time.monotonic() < end, f"{path} was not written"
            time.sleep(0.02)
        return path.read_text()

    return wait


@pytest.fixture(scope="session")
def all_end():
    """Tell whether processes end within some seconds."""

    def wait(pids, seconds=5.0):
        end = time.monotonic() + seconds
        while any(map(_lives, map(int, pids))):
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True

    return wait


def _lives(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
