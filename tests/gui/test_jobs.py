"""Work beside the screen: its signals, its end, and what it must not touch."""

# ruff: noqa: E402 - without the gui extra none of the imports below would work.
import gc
import threading

import pytest

for extra in ("psygnal", "qtpy"):
    pytest.importorskip(extra, reason="the viewer needs the gui extra: pip install coreg[gui]")
pytest.importorskip("pytestqt")

from coreg.errors import RegistrationError

WAIT_MS = 10_000


@pytest.fixture(autouse=True)
def alone(qtbot):
    """Wait for what earlier tests have abandoned."""
    from coreg_napari.jobs import Job

    qtbot.waitUntil(lambda: not Job._running, timeout=60_000)


@pytest.fixture
def run(qtbot):
    """Run work to its end; gives the names and values of its signals, in order."""
    from coreg_napari.jobs import Job

    def runner(work, *, before=lambda job: None):
        job, heard = Job("test", work), []
        for name in ("progressed", "done", "failed", "cancelled", "finished"):
            getattr(job, name).connect(lambda *values, name=name: heard.append((name, *values)))
        before(job)
        job.start()
        qtbot.waitUntil(lambda: heard[-1:] == [("finished",)], timeout=WAIT_MS)
        return heard

    return runner


def test_all_signals_come_in_the_screens_thread_and_in_order(run):
    threads = []

    def work(tell):
        threads.append(threading.current_thread())
        tell("half", 0.5)
        return 42

    heard = run(
        work, before=lambda job: job.done.connect(lambda _: threads.append(threading.current_thread()))
    )
    assert heard == [("progressed", "half", 0.5), ("done", 42), ("finished",)]
    assert threads[0] is not threads[1] is threading.main_thread()


@pytest.mark.parametrize(
    ("error", "said"),
    [(RegistrationError("no overlap"), "no overlap"), (KeyError("x"), "this is a bug: KeyError: 'x'")],
)
def test_a_failure_is_told_in_words(run, error, said):
    def work(_tell):
        raise error

    assert run(work) == [("failed", said), ("finished",)]


def test_it_stops_where_it_tells_of_its_progress(run):
    def work(tell):
        tell("never", 0.5)
        return 42

    assert run(work, before=lambda job: job.cancel()) == [("cancelled",), ("finished",)]


def test_what_is_abandoned_tells_nobody_and_ends(qtbot):
    from coreg_napari.jobs import Job

    heard, released = [], threading.Event()
    job = Job("test", lambda _tell: released.wait(5.0))
    job.done.connect(heard.append)
    job.start()
    job.abandon()
    released.set()
    qtbot.waitUntil(gc.isenabled, timeout=WAIT_MS)
    assert heard == []
    assert "coreg: test" not in [each.name for each in threading.enumerate()]


def test_no_garbage_is_collected_beside_the_screen(run):
    """A widget that ended in another thread took the program with it."""
    ended = []

    class Cycle:
        def __init__(self):
            self.me = self

        def __del__(self):
            ended.append(threading.current_thread())

    def work(_tell):
        for _ in range(20_000):
            Cycle()
        return gc.isenabled()

    assert run(work)[0] == ("done", False)
    assert gc.isenabled()
    gc.collect()
    assert set(ended) == {threading.main_thread()}
