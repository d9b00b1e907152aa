"""Long work beside the screen: in a thread of its own, with progress, stopped where it tells of that."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject, Qt, Signal

from coreg.errors import InputError, RegistrationError

Progress = Callable[[str, float], None]


class Cancelled(Exception):  # noqa: N818 - it is no error
    """The user stopped the work."""


class Job(QObject):
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
    _told = Signal(str, object)

    def __init__(self, title: str, work: Callable[[Progress], Any], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.title = title
        self._work = work
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"coreg: {title}", daemon=True)
        self._told.connect(self._pass_on, Qt.ConnectionType.QueuedConnection)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def cancel(self) -> None:
        """Stop where the work next tells of its progress."""
        self._stop.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the end of the thread; whether it came."""
        if self._thread.is_alive():
            self._thread.join(seconds)
        return not self._thread.is_alive()

    def _tell(self, stage: str, share: float) -> None:
        if self._stop.is_set():
            raise Cancelled
        self._emit("progressed", (stage, share))

    def _run(self) -> None:
        try:
            result = self._work(self._tell)
            if self._stop.is_set():
                raise Cancelled
        except Cancelled:
            self._emit("cancelled", ())
        except (InputError, RegistrationError, ValueError) as error:
            self._emit("failed", (str(error),))
        except Exception as error:  # no traceback window; the message says that it is a bug
            self._emit("failed", (f"this is a bug: {type(error).__name__}: {error}",))
        else:
            self._emit("done", (result,))
        self._emit("finished", ())

    def _emit(self, name: str, values: tuple[Any, ...]) -> None:
        try:
            self._told.emit(name, values)
        except RuntimeError:
            # The window was closed in the meantime.
            return

    def _pass_on(self, name: str, values: tuple[Any, ...]) -> None:
        getattr(self, name).emit(*values)
