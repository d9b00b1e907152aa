"""Long work beside the screen: in a thread of its own, with progress, stopped where it tells of that."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, ClassVar

from psygnal import Signal
from qtpy.QtCore import QCoreApplication, QTimer

from coreg.errors import InputError, RegistrationError

Progress = Callable[[str, float], None]
# Where a bug happened goes to the terminal, for whoever reports it.
LOG = logging.getLogger(__name__)
# How often the screen's thread asks.
LOOK_MS = 15


class CancelledError(Exception):
    """The user stopped the work."""


class Job:
    """One piece of work; all its signals come in the thread of the screen.

    Signals
    -------
    progressed : str, float
        A stage's name and the share that is done.
    done : object
        What the work returned.
    failed : str
        Why it failed, in words for the user.
    cancelled, finished
        It was stopped; it has ended, in whatever way.
    """

    progressed = Signal(str, float)
    done = Signal(object)
    failed = Signal(str)
    cancelled = Signal()
    finished = Signal()
    # Held until the thread has ended, also when nobody else wants to know.
    _running: ClassVar[set[Job]] = set()

    def __init__(self, title: str, work: Callable[[Progress], Any]) -> None:
        self.title = title
        self._work = work
        self._stop = threading.Event()
        # Not a daemon: to be ended within torch would end the whole program. It stops soon when abandoned.
        self._thread = threading.Thread(target=self._run, name=f"coreg: {title}")
        # The thread touches nothing of Qt: what it tells waits here until the screen's thread asks for it.
        self._told: SimpleQueue[tuple[str, tuple[Any, ...]]] = SimpleQueue()
        # Owned by Qt: Python would delete it while it still calls us.
        self._timer = QTimer(QCoreApplication.instance())
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._pass_on)

    def start(self) -> None:
        """Begin."""
        self._running.add(self)
        gc.disable()
        self._thread.start()
        self._timer.start()

    def cancel(self) -> None:
        """Stop where the work next tells of its progress."""
        self._stop.set()

    def abandon(self) -> None:
        """Stop, and tell nobody any more."""
        self.cancel()
        for signal in (self.progressed, self.done, self.failed, self.cancelled, self.finished):
            signal.disconnect()

    def _tell(self, stage: str, share: float) -> None:
        if self._stop.is_set():
            raise CancelledError
        self._told.put(("progressed", (stage, share)))

    def _run(self) -> None:
        self._told.put(self._ended())
        self._told.put(("finished", ()))

    def _ended(self) -> tuple[str, tuple[Any, ...]]:
        """Do the work; the signal to send, and what goes with it."""
        try:
            result = self._work(self._tell)
            if self._stop.is_set():
                raise CancelledError
        except CancelledError:
            return "cancelled", ()
        except (InputError, RegistrationError, ValueError) as error:
            return "failed", (str(error),)
        except Exception as error:  # no traceback window; the message says that it is a bug
            LOG.exception("a bug while %s ran", self.title)
            return "failed", (f"this is a bug: {type(error).__name__}: {error}",)
        return "done", (result,)

    def _pass_on(self) -> None:
        while not self._told.empty():
            name, values = self._told.get()
            if name == "finished":
                self._timer.stop()
                # Qt's connections keep what they call alive, unseen by the garbage collector.
                self._timer.timeout.disconnect()
                self._timer.deleteLater()
                self._thread.join()
                self._forget()
            getattr(self, name).emit(*values)

    def _forget(self) -> None:
        """Let Python collect garbage again once no thread runs any more.

        It would do so in whatever thread allocates, and an object of Qt that ends in another thread than
        the screen's takes the program with it.
        """
        self._running.discard(self)
        if not self._running:
            gc.enable()
