"""Opening in a viewer whatever coreg writes: a case, a result, a cohort. One case at a time."""

from __future__ import annotations

import getpass
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from platformdirs import user_state_path
from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QDockWidget, QFileDialog, QProgressDialog

from coreg.io.reviewable import CaseNotFoundError, Reviewable, WorkItem, is_cohort, open_reviewable, work_list
from coreg.io.work_list import read_again
from coreg_napari.docks import add_dock
from coreg_napari.jobs import Job, Progress
from coreg_napari.memory import Memory, recall, remember
from coreg_napari.review_window import ReviewWindow
from coreg_napari.sample import cache_folder
from coreg_napari.warm_up import warm_up
from coreg_napari.work_list_panel import WorkListPanel

LOG = logging.getLogger(__name__)
_DESKS: WeakKeyDictionary[Any, Desk] = WeakKeyDictionary()


class Desk(QObject):
    """What is open in one napari viewer.

    Parameters
    ----------
    viewer : napari.Viewer
        Where.
    ask : callable, optional
        As in `ReviewWindow`.
    """

    def __init__(self, viewer: Any, *, ask: Callable[[str, tuple[str, ...]], str] | None = None) -> None:
        super().__init__()
        self.viewer = viewer
        self.window: ReviewWindow | None = None
        self.work_list: WorkListPanel | None = None
        self.cohort: Path | None = None
        self.state_folder = user_state_path("coreg", appauthor=False)
        self._reviewer = ""
        self._memory: Memory | None = None
        self._ask = ask
        # Who answers questions without dialogs names cases without one, too.
        self.ask_case = self._ask_case_in_dialog if ask is None else lambda _case_id, _path: None
        self._dock: QDockWidget | None = None
        self._job: Job | None = None
        self._dialog: QProgressDialog | None = None
        self.last_error = ""
        self.closed = False
        # What the window that is open was like when it was said to be left.
        self._left: tuple[object, ...] | None = None
        self._main = viewer.window._qt_window
        self._main.installEventFilter(self)

    @classmethod
    def of(cls, viewer: Any) -> Desk:
        """Return the desk of a viewer; there is one each."""
        if viewer not in _DESKS:
            _DESKS[viewer] = cls(viewer)
        return _DESKS[viewer]

    @property
    def reviewer(self) -> str:
        """Who reviews: as was last said, now or at an earlier start, else the login name."""
        return self._reviewer or self.memory.reviewer or _user()

    @reviewer.setter
    def reviewer(self, name: str) -> None:
        self._reviewer = name

    def _remember_reviewer(self) -> None:
        """Keep the name for the next case and the next start, where it was changed."""
        said = "" if self.window is None else self.window.session.reviewer
        if said and said != self.reviewer:
            self._reviewer = said
            self._remember(replace(self.memory, reviewer=said))

    @property
    def memory(self) -> Memory:
        """What is remembered from one start to the next."""
        if self._memory is None:
            self._memory = recall(self.state_folder)
        return self._memory

    def _remember(self, memory: Memory) -> None:
        if memory != self.memory:
            self._memory = memory
            remember(self.state_folder, memory)

    def open(self, path: Path, *, case: Path | None = None) -> None:
        """Open a case.toml, a result folder or a cohort; what is read is read beside the screen."""
        if self._job is not None:
            self.tell("Something is being opened already.")
            return
        if is_cohort(path):
            title = f"Reading the work list of {path.name}"
            self._read(title, lambda _tell: work_list(path), self._on_list(path))
            return
        if self.window is not None:
            if not self.window.may_close():
                return
            self._left = self.window.session.state
        self._open_case(path, case)

    def _open_case(self, path: Path, case: Path | None) -> None:
        near = (*self.memory.near, cache_folder())

        def work(tell: Progress) -> Reviewable | CaseNotFoundError:
            try:
                return open_reviewable(path, case=case, near=near, progress=tell)
            except CaseNotFoundError as error:
                return error

        def done(opened: Reviewable | CaseNotFoundError) -> None:
            if isinstance(opened, CaseNotFoundError):
                self._ask_case(path, opened)
            else:
                if case is not None:
                    self._remember(self.memory.with_place(opened.case_path.absolute().parent))
                self.show(opened)

        self._read(f"Opening {path.name}", work, done)

    def _ask_case(self, path: Path, error: CaseNotFoundError) -> None:
        """Let the reader name a result's case."""
        chosen = self.ask_case(error.case_id, path)
        if chosen is None:
            self.tell(str(error))
        else:
            self._open_case(path, chosen)

    def _ask_case_in_dialog(self, case_id: str, path: Path) -> Path | None:
        title = f"Where is the case of this result? The case.toml of {case_id}"
        chosen, _ = QFileDialog.getOpenFileName(self._main, title, str(path), "Cases (*.toml)")
        return Path(chosen) if chosen else None

    def open_made(self, title: str, make: Callable[[Progress], Path]) -> None:
        """Make a case beside the screen, and open it."""
        if self._job is not None:
            self.tell("Something is being opened already.")
            return
        self._read(title, make, self.open)

    def keys_text(self) -> str:
        """All keyboard shortcuts, a line each."""
        if self.window is None:
            return "Open a case first: the keys are those of a review."
        return self.window.keys_text()

    def _on_list(self, path: Path) -> Callable[[Any], None]:
        def show(items: tuple[WorkItem, ...]) -> None:
            self.cohort = path
            if self.work_list is None or self._dock not in self._main.findChildren(QDockWidget):
                self.work_list = WorkListPanel()
                self.work_list.open_requested.connect(self._open_item)
                self._dock = add_dock(self.viewer, self.work_list, "work list", "left")
            self.work_list.show_items(items)
            usable = [i for i, each in enumerate(items) if not each.failed]
            if self.window is None and usable:
                self.work_list.open(usable[0])

        return show

    def _open_item(self, item: WorkItem) -> None:
        if item.failed:
            self.tell(f"{item.case_id} cannot be opened: {item.failed}")
            return
        self.open(item.folder)

    def show(self, opened: Reviewable) -> None:
        """Show a case in the place of the one that is open."""
        if self.closed:
            return
        if self.window is not None:
            # It could be worked on while the next one was read.
            if self.window.session.state != self._left and not self.window.may_close():
                return
            self._remember_reviewer()
            self.window.close()
        self.viewer.layers.clear()
        self.window = None
        self.window = ReviewWindow(
            self.viewer,
            opened,
            reviewer=self.reviewer,
            state_folder=self.state_folder,
            ask=self._ask,
        )
        self.viewer.title = f"coreg: {opened.case.id} (for research use only)"
        self.window.session.review_changed.connect(self._on_review)
        if self.work_list is not None:
            self.work_list.mark_folder(opened.folder)

    def _on_review(self) -> None:
        """A case that was saved may stand elsewhere in the list."""
        if self.window is None or self.window.session.unsaved:
            return
        self._remember_reviewer()
        folder = self.window.session.folder
        if self.work_list is not None and folder is not None:
            self.work_list.show_items(read_again(self.work_list.items, folder))

    def _read(self, title: str, work: Callable[[Progress], Any], done: Callable[[Any], None]) -> None:
        self.last_error = ""
        job = Job(title, work)
        self._job = job
        dialog = QProgressDialog(title, "Cancel", 0, 100, self.viewer.window._qt_window)
        dialog.setWindowTitle("coreg")
        dialog.setMinimumDuration(400)
        dialog.canceled.connect(job.cancel)
        self._dialog = dialog
        job.progressed.connect(self._on_progress)
        job.done.connect(lambda result: self._end(lambda: done(result)))
        job.failed.connect(lambda text: self._end(lambda: self.tell(text)))
        job.cancelled.connect(lambda: self._end(lambda: None))
        job.start()
        QTimer.singleShot(0, warm_up)

    def _on_progress(self, stage: str, share: float) -> None:
        if self._dialog is not None:
            self._dialog.setLabelText(stage)
            self._dialog.setValue(min(99, round(100.0 * share)))

    def _end(self, then: Callable[[], None]) -> None:
        self._job = None
        if self.closed:
            return
        if self._dialog is not None:
            self._dialog.reset()
            self._dialog.deleteLater()
            self._dialog = None
        # Out of the job's own signal, so that what follows may open the next one.
        QTimer.singleShot(0, lambda: self._shown(then))

    def _shown(self, then: Callable[[], None]) -> None:
        # The window may have been closed since it was read.
        if self.closed:
            return
        try:
            then()
        except Exception as error:  # no traceback window; the message says that it is a bug
            LOG.exception("a bug while something was being shown")
            self.tell(f"This cannot be shown, which is a bug: {type(error).__name__}: {error}")

    @property
    def opening(self) -> bool:
        """Whether something is being read."""
        return self._job is not None

    def tell(self, text: str) -> None:
        """Show a message in the viewer."""
        self.last_error = text
        if self.window is not None and not self.window.closed:
            self.window.header.tell(text)
            return
        from napari.utils.notifications import show_warning

        show_warning(text)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Ask before the window is closed with unsaved changes."""
        closing = event is not None and event.type() == QEvent.Type.Close
        if event is not None and closing and watched is self._main and not self.closed:
            if self.window is not None and not self.window.closed and not self.window.may_close():
                event.ignore()
                return True
            self._close()
        return False

    def _close(self) -> None:
        """Stop what runs, and let go of the viewer."""
        self.closed = True
        if self._job is not None:
            self._job.abandon()
            self._job = None
        if self._dialog is not None:
            self._dialog.reset()
            self._dialog = None
        if self.window is not None:
            self._remember_reviewer()
            self.window.close()
        _DESKS.pop(self.viewer, None)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
