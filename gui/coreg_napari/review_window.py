"""One case in a napari window: its views, its panels, the work beside the screen, and nothing lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QFileDialog, QMessageBox, QTabWidget, QVBoxLayout, QWidget

from coreg.errors import InputError
from coreg.io.files import is_folder
from coreg.io.review_files import saved_by_another
from coreg.io.reviewable import Reviewable
from coreg.registration import Solved
from coreg.registration.likeness import Likeness, Nearby, best_nearby
from coreg_napari.align_panel import AlignPanel
from coreg_napari.along import AlongView
from coreg_napari.command import FROM_PLACEMENT, GUIDED, RIGID
from coreg_napari.cross_sections import CrossSections, PickMode
from coreg_napari.dims_slider import point_slider
from coreg_napari.docks import add_dock, remove_dock
from coreg_napari.focus import leave_keys
from coreg_napari.header import Header
from coreg_napari.jobs import Job, Progress
from coreg_napari.keys_box import show_keys
from coreg_napari.landmark_panel import LandmarkPanel
from coreg_napari.links import Links
from coreg_napari.napari_keys import release, silence
from coreg_napari.places import start_folder
from coreg_napari.session import GUIDED_STEP, LockedError, Session
from coreg_napari.sign_off_panel import SignOffPanel
from coreg_napari.space import SpaceView
from coreg_napari.unsaved import UnsavedWork
from coreg_napari.work import left_out, likeness_of, solved_again, solved_case

AUTOSAVE_MS, SPACE_MS = 1500, 700
LABELS = {"nonrigid": "register, non-rigid", "rigid": "register, rigid", "from here": "refine from here"}


class Key(NamedTuple):
    """A keyboard shortcut."""

    key: str
    what: str
    run: Callable[[], Any]


class ReviewWindow:
    """Shows a case in a napari viewer until it is closed.

    Parameters
    ----------
    viewer : napari.Viewer
        Where.
    opened : Reviewable
        What.
    reviewer : str
        Who.
    state_folder : Path
        For unsaved work on cases that have no result folder yet.
    ask : callable, optional
        Takes a question and names of answers, and returns one of them; by default a dialog.
    """

    def __init__(
        self,
        viewer: Any,
        opened: Reviewable,
        *,
        reviewer: str = "",
        state_folder: Path,
        ask: Callable[[str, tuple[str, ...]], str] | None = None,
    ) -> None:
        self.viewer = viewer
        self.session = Session(opened, reviewer=reviewer)
        self.ask = ask or self._ask_in_dialog
        self.unsaved_work = UnsavedWork(self.session, state_folder)
        self._jobs: list[Job] = []
        self._foreground: Job | None = None
        self._looking: Job | None = None
        self._look_again = False
        # Chosen for a review that has no folder yet, and not saved into so far.
        self._new_folder: Path | None = None
        self.closed = False
        self._build()
        notes = [*opened.notes, *self._recover()]
        self._connect()
        if not opened.outlined:
            notes.append(
                "This case has no outlines of both lumens yet, so that it can be looked at but not "
                f"registered here. Run: coreg register {opened.case_path} --out DIR, then: coreg view DIR"
            )
        if notes:
            self.header.tell("\n".join(notes))
        if opened.outlined:
            self._prepare()

    # Building.

    def _build(self) -> None:
        session = self.session
        self.header = Header(session)
        self.sections = CrossSections(session, self.viewer)
        self.along = AlongView(session)
        self.space: SpaceView | None = None
        self._space_place = QWidget()
        QVBoxLayout(self._space_place).setContentsMargins(0, 0, 0, 0)
        self.align = AlignPanel(session)
        self.landmarks = LandmarkPanel(session)
        self.sign_off = SignOffPanel(session)
        self.tabs = QTabWidget()
        for widget, name in (
            (self.align, "Align"),
            (self.landmarks, "Landmarks"),
            (self.sign_off, "Sign off"),
        ):
            self.tabs.addTab(widget, name)
        self._docks = [
            self._dock(self.header, "case", "top", bare=True),
            self._dock(self.along, "along the vessel", "bottom"),
            self._dock(self._space_place, "in space", "right"),
            self._dock(self.tabs, "review", "right"),
        ]
        # A dock alone would stay as high as it once was.
        self.header.needs_height.connect(self._docks[0].setFixedHeight)
        leave_keys(self.header, self.along, self.tabs)
        # Once the window has given all of them a place.
        QTimer.singleShot(0, self._arrange)
        QTimer.singleShot(SPACE_MS, self._add_space)

    def _add_space(self) -> None:
        """Add the view in space once the others are on the screen, since it takes longest."""
        if not self.closed:
            self.space = SpaceView(self.session)
            layout = self._space_place.layout()
            if layout is not None:
                layout.addWidget(self.space)
            leave_keys(self._space_place)

    def _dock(self, widget: QWidget, name: str, area: str, *, bare: bool = False) -> QDockWidget:
        dock = add_dock(self.viewer, widget, name, area)
        if bare:
            dock.setTitleBarWidget(QWidget())
        return dock

    def _arrange(self) -> None:
        if self.closed:
            return
        window = self.main_window
        window.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
        window.setCorner(Qt.Corner.TopRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
        _header, along, space, review = self._docks
        window.resizeDocks([along], [400], Qt.Orientation.Vertical)
        window.resizeDocks([space, review], [400, 400], Qt.Orientation.Horizontal)
        window.resizeDocks([space, review], [290, 560], Qt.Orientation.Vertical)
        self._point_slider(self.session.frames[0] > self.session.frames[-1])
        QTimer.singleShot(0, self.sections.fit)

    def _point_slider(self, inverted: bool) -> None:
        """Let napari's slider, which counts frames as acquired, have proximal on the left as all else has."""
        for each in self.viewer.window._qt_viewer.dims.slider_widgets:
            point_slider(each.slider, inverted=bool(inverted))

    @property
    def main_window(self) -> Any:
        """The Qt window."""
        return self.viewer.window._qt_window

    def _connect(self) -> None:
        session = self.session
        self._autosave_timer = QTimer()
        self._autosave_timer.setSingleShot(True)
        self._autosave_timer.setInterval(AUTOSAVE_MS)
        self._autosave_timer.timeout.connect(self.autosave)
        self._links = Links(
            (session.review_changed, self._on_change),
            (session.path_changed, self._on_change),
        )
        self.header.cancel_requested.connect(self.cancel)
        self.header.keys_requested.connect(self.show_keys)
        self.align.run_requested.connect(self.run)
        self.align.nearby_requested.connect(self.look_nearby)
        self.sign_off.save_requested.connect(self.save)
        self.sign_off.has_folder = self._has_folder
        for panel in (self.align, self.sign_off):
            panel.message.connect(self.header.tell)
        self.landmarks.resolve_requested.connect(self.resolve)
        self.landmarks.leave_one_out_requested.connect(self.leave_one_out)
        self.landmarks.pick_mode_changed.connect(self._set_pick_mode)
        self.landmarks.said.connect(self.header.tell)
        self.sections.pick_done.connect(self.landmarks.end_pick)
        self.sections.refused.connect(self.header.tell)
        self.along.refused.connect(self.header.tell)
        # Napari asks the active layer first: a picture has its own use for C.
        places = (self.viewer, *self.sections.layers)
        silence(places)
        for each in self.shortcuts():
            for place in places:
                place.bind_key(each.key, _on_press(each.run), overwrite=True)

    def shortcuts(self) -> tuple[Key, ...]:
        """All keyboard shortcuts."""
        session, align = self.session, self.align
        guarded = align.guarded
        return (
            Key("Left", "a frame proximal", lambda: session.go_to_row(session.row - 1)),
            Key("Right", "a frame distal", lambda: session.go_to_row(session.row + 1)),
            Key("PageUp", "ten frames proximal", lambda: session.go_to_row(session.row - 10)),
            Key("PageDown", "ten frames distal", lambda: session.go_to_row(session.row + 10)),
            Key(",", "shift proximally by a frame", lambda: align.nudge(frames=-1.0)),
            Key(".", "shift distally by a frame", lambda: align.nudge(frames=1.0)),
            Key("[", "turn by -2 degrees", lambda: align.nudge(degrees=-2.0)),
            Key("]", "turn by 2 degrees", lambda: align.nudge(degrees=2.0)),
            Key("Control-[", "turn by -10 degrees", lambda: align.nudge(degrees=-10.0)),
            Key("Control-]", "turn by 10 degrees", lambda: align.nudge(degrees=10.0)),
            Key("-", "shorten by 1 %", lambda: align.nudge(percent=-1.0)),
            Key("=", "stretch by 1 %", lambda: align.nudge(percent=1.0)),
            Key("M", "mirror the images", align.mirror),
            Key("Control-Z", "undo", lambda: guarded(session.undo)),
            Key("Control-Shift-Z", "redo", lambda: guarded(session.redo)),
            Key("Control-Y", "redo", lambda: guarded(session.redo)),
            Key("J", "next landmark", lambda: self.step_landmark(1)),
            Key("K", "previous landmark", lambda: self.step_landmark(-1)),
            Key("A", "accept the selected landmark", lambda: self._set_state("accepted")),
            Key("R", "reject the selected landmark", lambda: self._set_state("rejected")),
            Key("U", "make the selected landmark proposed again", lambda: self._set_state("proposed")),
            Key("N", "new landmark; then P and C set it", self.landmarks.add),
            Key("P", "set the selected landmark in the pullback", lambda: self.landmarks.pick("pullback")),
            Key("C", "set the selected landmark in the CCTA", lambda: self.landmarks.pick("ccta")),
            Key("Escape", "set nothing by a click any more", self.landmarks.end_pick),
            Key("B", "blinded", lambda: setattr(session, "blinded", not session.blinded)),
            Key("F", "fit the sections into the window", self.sections.fit),
            Key("S", "save", self.save),
        )

    def keys_text(self) -> str:
        """All keyboard shortcuts, a line each."""
        return "\n".join(f"{each.key}\t{each.what}" for each in self.shortcuts())

    def show_keys(self) -> None:
        """List the keyboard shortcuts in a box of their own."""
        show_keys(self.main_window, self.keys_text())

    def step_landmark(self, by: int) -> None:
        """Select the landmark after or before the selected one."""
        names = [each.landmark.id for each in self.session.landmarks]
        if names:
            at = names.index(self.session.selected) if self.session.selected in names else -1
            self.session.select(names[(at + by) % len(names)])

    def _set_state(self, state: Any) -> None:
        if self.session.selected:
            self.align.guarded(lambda: self.session.set_state(self.session.selected, state))

    def _set_pick_mode(self, mode: PickMode) -> None:
        self.sections.pick_mode = mode

    # Work beside the screen.

    def _start(self, title: str, work: Callable[[Progress], Any], done: Callable[[Any], None]) -> Job:
        job = Job(title, work)
        job.done.connect(lambda result: None if self.closed else self._taken(done, result))
        job.failed.connect(lambda text: None if self.closed else self.header.tell(f"{title}: {text}"))
        job.finished.connect(lambda: self._jobs.remove(job) if job in self._jobs else None)
        self._jobs.append(job)
        return job

    def _taken(self, done: Callable[[Any], None], result: Any) -> None:
        try:
            done(result)
        except (LockedError, ValueError) as error:
            self.header.tell(str(error))

    def _in_foreground(
        self, title: str, work: Callable[[Progress], Any], done: Callable[[Any], None], *, asked: bool = True
    ) -> None:
        """Do what the user waits for; where they asked for it, what was said before is replaced."""
        if self._foreground is not None:
            self.header.tell(f"{self._foreground.title} is still running; wait for it or cancel it.")
            return
        if asked:
            self.header.tell("")

        def tell_done(result: Any) -> None:
            done(result)
            if asked:
                self.header.tell(f"{title}: done.")

        job = self._start(title, work, tell_done)
        self._foreground = job
        job.progressed.connect(lambda stage, share: self._show(job, stage, share))
        job.cancelled.connect(lambda: self.header.tell(f"{title}: cancelled; nothing was changed."))
        job.finished.connect(lambda: self._end_foreground(job))
        self.header.show_progress(title, 0.0)
        job.start()

    def _show(self, job: Job, stage: str, share: float) -> None:
        if job is self._foreground and not self.closed:
            self.header.show_progress(stage, share)

    def _end_foreground(self, job: Job) -> None:
        if job is self._foreground:
            self._foreground = None
            if not self.closed:
                self.header.show_progress(None, 0.0)

    @property
    def busy(self) -> bool:
        """Whether work runs that the user waits for."""
        return self._foreground is not None

    def cancel(self) -> None:
        """Stop what the user waits for."""
        if self._foreground is not None:
            self._foreground.cancel()

    def _prepare(self) -> None:
        case, registration = self.session.case, self.session.registration
        work = partial(likeness_of, case, registration)
        self._start("getting ready", work, self._on_likeness).start()

    def _on_likeness(self, likeness: Likeness) -> None:
        self.session.set_prepared(likeness, None)
        case, before = self.session.case, self.session.registration
        work = partial(solved_case, case, before, "nonrigid", None)
        if before is None and not self.session.locked:
            self._in_foreground("register, non-rigid", work, self._on_first, asked=False)
            return
        # The state to solve again from is not kept in files.
        self._start("getting ready", work, self._on_state).start()

    def _on_state(self, solved: Solved) -> None:
        self.session.set_prepared(None, self.session.solved or solved)

    def _on_first(self, solved: Solved) -> None:
        self.session.take_first(solved.registration)
        self.session.set_prepared(None, solved)

    def run(self, method: Any) -> None:
        """Register anew: ``nonrigid``, ``rigid``, or ``from here``."""
        session = self.session
        if session.locked or not session.opened.outlined:
            self.header.tell("Reopen the review first." if session.locked else "There are no outlines yet.")
            return
        case, before, path = session.case, session.registration, session.path
        how = {"nonrigid": (), "rigid": RIGID, "from here": (FROM_PLACEMENT,)}[method]

        def done(solved: Solved) -> None:
            session.set_registration(solved.registration, LABELS[method], how=how)
            if method != "rigid":
                session.set_prepared(None, solved)

        self._in_foreground(LABELS[method], lambda tell: solved_case(case, before, method, path, tell), done)

    def resolve(self) -> None:
        """Solve again with the accepted landmarks as guides."""
        session = self.session
        if session.locked or session.solved is None:
            self.header.tell(
                "Reopen the review first."
                if session.locked
                else "The state to solve again from is not ready yet: wait a few seconds."
            )
            return
        solved, accepted, before = session.solved, session.accepted, session.registration
        if not accepted:
            self.header.tell("Accept or correct at least one landmark with both halves first.")
            return
        names = ", ".join(each.id for each in accepted)

        def done(again: Solved) -> None:
            session.set_registration(
                again.registration, GUIDED_STEP, how=(GUIDED,), detail=f"guided by {names}"
            )
            session.set_prepared(None, again)

        self._in_foreground("solve again", lambda tell: solved_again(solved, accepted, before, tell), done)

    def leave_one_out(self) -> None:
        """Measure each accepted landmark on a path found without it."""
        session = self.session
        solved, accepted = session.solved, session.accepted
        if solved is None or not accepted:
            self.header.tell("Accept landmarks first, and wait until the registration is ready.")
            return
        self._in_foreground(
            "leave one out", lambda tell: left_out(solved, accepted, tell), session.set_left_out
        )

    def look_nearby(self) -> None:
        """Search the neighbourhood of the placement for a better one; the last wish counts."""
        session = self.session
        registration = session.registration
        if session.likeness is None or registration is None or not registration.path.posed.any():
            return
        if self._looking is not None:
            self._look_again = True
            return
        likeness, local = session.likeness, session.local_poses
        adjustment = session.adjustment

        def work(_tell: Progress) -> Nearby:
            return best_nearby(
                likeness,
                local.path,
                local.centerline,
                local.centre_mm,
                adjustment,
                radius_scale=registration.radius_scale,
            )

        job = self._start("look nearby", work, lambda found: self._on_nearby(adjustment, found))
        self._looking = job
        job.finished.connect(self._end_looking)
        job.start()

    def _on_nearby(self, asked: Any, found: Nearby) -> None:
        if asked == self.session.adjustment:
            self.align.show_nearby(found)

    def _end_looking(self) -> None:
        self._looking = None
        if self._look_again and not self.closed:
            self._look_again = False
            self.look_nearby()

    # Saving and closing.

    @property
    def autosave_file(self) -> Path:
        """Where unsaved work is kept."""
        return self.unsaved_work.places[0]

    def _on_change(self) -> None:
        # Not started anew: one change soon after the other would put it off for ever.
        wanted = self.session.unsaved or self.unsaved_work.kept
        if wanted and not self._autosave_timer.isActive():
            self._autosave_timer.start()

    def autosave(self) -> None:
        """Keep unsaved work where a crash does not lose it."""
        self._tell(self.unsaved_work.keep())

    def _tell(self, text: str) -> None:
        if text:
            self.header.tell(text)

    def _recover(self) -> tuple[str, ...]:
        """Offer what an earlier run left behind; what to tell the user of it."""
        kept, notes = self.unsaved_work.found()
        if kept is None:
            return notes
        question = f"Unsaved work on {self.session.case.id} of {kept.time} was found. Take it up again?"
        saved = self.session.review.events
        if kept.review.events[: len(saved)] != saved:
            question += " The review was saved by somebody else since; their changes are not in it."
        if self.ask(question, ("Take it up", "Discard")) == "Discard":
            return *notes, self.unsaved_work.forget()
        self.session.recover(kept.review, kept.registration)
        return notes

    def save(self) -> bool:
        """Write the review; where there is no folder yet, ask for one. Whether it was written."""
        session = self.session
        folder = session.folder or self._new_folder or self._ask_folder()
        self._new_folder = None
        if folder is None:
            self.header.tell(
                "Not saved: no folder was chosen. The key S, or Save in the tab Sign off, asks again."
            )
        if folder is None or not self._may_overwrite(folder):
            return False
        # A program that ends between two files loses nothing then.
        self.unsaved_work.keep()
        kept, gone = self.unsaved_work.places, folder == session.folder and not is_folder(folder)
        try:
            session.save(folder)
        except (InputError, OSError, ValueError) as error:
            return self._save_elsewhere(f"Not saved: {error}. {self.unsaved_work.whereabouts}")
        self._autosave_timer.stop()
        anew = ", which was gone and is made anew" if gone else ""
        self._tell(f"Saved into {folder}{anew}. {self.unsaved_work.forget(kept)}".strip())
        return True

    def _has_folder(self) -> bool:
        """Whether there is a folder for a decision; where there is none yet, ask for one."""
        if self.session.folder is None:
            self._new_folder = self._ask_folder()
            if self._new_folder is None:
                self.header.tell(
                    "Not signed off: no folder was chosen for the review. Press the button again."
                )
                return False
        return True

    def _may_overwrite(self, folder: Path) -> bool:
        """Ask before a review is lost that another reader saved."""
        if not saved_by_another(folder, self.session.review):
            return True
        question = f"The review in {folder} was saved by somebody else since this case was opened."
        if self.ask(question, ("Overwrite it", "Cancel")) == "Overwrite it":
            return True
        self.header.tell(f"Not saved. Open {folder} again to go on from what is there.")
        return False

    def _save_elsewhere(self, why: str) -> bool:
        """Offer another folder where the first one cannot be written."""
        self.header.tell(why)
        if self.ask(f"{why} Save into another folder?", ("Another folder", "Not now")) != "Another folder":
            return False
        folder, before, kept = self._ask_folder(), self.session.opened, self.unsaved_work.places
        if folder is None or folder == before.folder:
            return False
        self.session.opened = replace(before, folder=folder)
        if self.save():
            # What was kept for the first folder is saved now, and would be offered there for ever.
            self._tell(self.unsaved_work.forget(kept))
            return True
        self.session.opened = before
        return False

    def _ask_folder(self) -> Path | None:
        opened = self.session.opened
        title = f"Choose or make a folder for the review of {opened.case.id}"
        start = start_folder(opened.case_path.parent)
        chosen = QFileDialog.getExistingDirectory(self.main_window, title, str(start))
        return Path(chosen) if chosen else None

    def may_close(self) -> bool:
        """Ask what becomes of unsaved changes; whether the case may be closed."""
        if not self.session.unsaved:
            self.autosave()
            return True
        answer = self.ask(f"{self.session.case.id} has unsaved changes.", ("Save", "Discard", "Cancel"))
        if answer == "Save":
            return self.save()
        if answer == "Discard":
            self._autosave_timer.stop()
            self._tell(self.unsaved_work.forget())
            return True
        return False

    def _ask_in_dialog(self, question: str, answers: tuple[str, ...]) -> str:
        box = QMessageBox(self.main_window)
        box.setWindowTitle("coreg")
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setText(question)
        buttons = {box.addButton(each, QMessageBox.ButtonRole.ActionRole): each for each in answers}
        box.exec()
        clicked = box.clickedButton()
        # None of them where the program ends meanwhile.
        return next((name for button, name in buttons.items() if button is clicked), "")

    def close(self) -> None:
        """Stop what runs, and take everything out of the viewer."""
        if self.closed:
            return
        self.closed = True
        self._autosave_timer.stop()
        self._links.cut()
        for job in list(self._jobs):
            job.abandon()
        self._point_slider(False)
        release(self.viewer)
        for each in self.shortcuts():
            self.viewer.bind_key(each.key, None, overwrite=True)
        for view in (self.sections, self.along, self.align, self.landmarks, self.sign_off, self.header):
            view.close_view()
        if self.space is not None:
            self.space.close_view()
        # The user may have closed some of them.
        for dock in self.main_window.findChildren(QDockWidget):
            if dock in self._docks:
                remove_dock(self.viewer, dock)
        # Their buttons' connections keep them alive, unseen by the garbage collector.
        for widget in (self.header, self.along, self._space_place, self.tabs):
            widget.deleteLater()


def _on_press(run: Callable[[], Any]) -> Callable[[Any], None]:
    """Wrap for napari, which asks every bound function for its name: a partial has none, and no key works."""

    def pressed(_viewer: Any) -> None:
        run()

    return pressed
