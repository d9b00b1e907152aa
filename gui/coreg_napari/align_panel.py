"""The panel for aligning: automatic, by hand, undone and repeated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QGridLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from coreg.io.registration_json import FILE_NAME
from coreg.registration.by_hand import Adjustment
from coreg.registration.likeness import NEARBY_MM, NEARBY_RAD, Nearby
from coreg.result import Registration
from coreg_napari.links import Links
from coreg_napari.narrow import let_shrink
from coreg_napari.session import MOST_SHIFT_MM, LockedError, Session

MOST_TURN_DEG = 180.0
STRETCH_PERCENT = (60.0, 160.0)
SHIFT_TIP = (
    "<qt>Moves all frames along the vessel: to the right (more) distally, away from the ostium; to the left "
    "(less) towards it. The keys , and . move by one frame.</qt>"
)
TURN_TIP = (
    "<qt>Turns all frames about the lumen's middle: to the right (more) clockwise in the vessel, seen "
    "looking distally. The keys [ and ] turn by 2 degrees, with Control by 10.</qt>"
)
STRETCH_TIP = (
    "<qt>Stretches the pullback about its middle: at more than 100 % the frames lie farther apart in the "
    "vessel than the pullback says. The keys - and = change it by 1 %.</qt>"
)
MIRRORED_TIP = (
    "<qt>Reflects each frame about its lumen's middle, for images that were exported as if seen from the "
    "other side. The key M does it, too.</qt>"
)
NEARBY_TIP = (
    f"<qt>Take the shift and turn under which the lumens are nearest to each other; it looks no farther than "
    f"{NEARBY_MM:g} mm and {np.degrees(NEARBY_RAD):.0f} degrees from here. Where the best is that far "
    "off, go there and look again.</qt>"
)
# Waiting this long after the last move before the neighbourhood is searched.
SETTLED_MS = 350


class _Dial(QWidget):
    """A slider and a spin box for one number."""

    moved = Signal(float)
    settled = Signal(float)

    def __init__(self, low: float, high: float, step: float, digits: int, unit: str) -> None:
        super().__init__()
        self._step = step
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(round(low / step), round(high / step))
        self.box = QDoubleSpinBox()
        self.box.setRange(low, high)
        self.box.setDecimals(digits)
        self.box.setSingleStep(step)
        self.box.setSuffix(f" {unit}")
        self.box.setKeyboardTracking(False)
        self.box.setMinimumWidth(104)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.slider, 1)
        layout.addWidget(self.box)
        self.slider.valueChanged.connect(self._on_slider)
        self.slider.sliderReleased.connect(lambda: self.settled.emit(self.value))
        self.box.valueChanged.connect(self._on_box)

    @property
    def value(self) -> float:
        """The number."""
        return float(self.box.value())

    def show_value(self, value: float) -> None:
        """Show a number without telling anybody."""
        for widget in (self.slider, self.box):
            widget.blockSignals(True)
        self.slider.setValue(round(value / self._step))
        self.box.setValue(value)
        for widget in (self.slider, self.box):
            widget.blockSignals(False)

    def _on_slider(self, ticks: int) -> None:
        self.box.blockSignals(True)
        self.box.setValue(ticks * self._step)
        self.box.blockSignals(False)
        # Only a hand that holds the slider has not settled yet.
        (self.moved if self.slider.isSliderDown() else self.settled).emit(ticks * self._step)

    def _on_box(self, value: float) -> None:
        self.slider.blockSignals(True)
        self.slider.setValue(round(value / self._step))
        self.slider.blockSignals(False)
        self.settled.emit(value)


class AlignPanel(QWidget):
    """Controls of the placement.

    Signals
    -------
    run_requested : str
        ``nonrigid``, ``rigid`` or ``from here``.
    message : str
        For the user.
    nearby_requested
        The neighbourhood should be searched for a better place.
    """

    run_requested = Signal(str)
    nearby_requested = Signal()
    message = Signal(str)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self._nearby: Nearby | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SETTLED_MS)
        self._timer.timeout.connect(self.nearby_requested)
        layout = QVBoxLayout(self)
        layout.addWidget(self._automatic())
        layout.addWidget(self._by_hand())
        layout.addWidget(self._history())
        layout.addStretch(1)
        self._links = Links(
            (session.path_changed, self._on_path),
            (session.review_changed, self._show_state),
            (session.prepared_changed, self._on_path),
            (session.blinded_changed, self._on_blinded),
        )
        self._on_path()

    def _automatic(self) -> QWidget:
        box = QGroupBox("Automatic")
        rows = QVBoxLayout(box)
        line = QHBoxLayout()
        self.nonrigid = _button("Non-rigid", "Search the whole vessel, then follow the catheter's motion")
        self.rigid = _button("Rigid", "One shift, one rotation")
        self.from_here = _button("Refine from here", "Non-rigid, from the placement that is shown")
        for button, what in (
            (self.nonrigid, "nonrigid"),
            (self.rigid, "rigid"),
            (self.from_here, "from here"),
        ):
            button.clicked.connect(lambda _=False, what=what: self.run_requested.emit(what))
            line.addWidget(button)
        rows.addLayout(line)
        return box

    def _by_hand(self) -> QWidget:
        box = QGroupBox("By hand")
        grid = QGridLayout(box)
        self.shift = _Dial(-MOST_SHIFT_MM, MOST_SHIFT_MM, 0.05, 2, "mm")
        self.turn = _Dial(-MOST_TURN_DEG, MOST_TURN_DEG, 1.0, 0, "deg")
        self.stretch = _Dial(*STRETCH_PERCENT, 1.0, 0, "%")
        dials = (
            ("Shift", self.shift, SHIFT_TIP),
            ("Turn", self.turn, TURN_TIP),
            ("Stretch", self.stretch, STRETCH_TIP),
        )
        for row, (name, dial, tip) in enumerate(dials):
            label = QLabel(name)
            for widget in (label, dial.slider, dial.box):
                widget.setToolTip(tip)
            grid.addWidget(label, row, 0)
            grid.addWidget(dial, row, 1)
            dial.moved.connect(lambda _: self._apply(settle=False))
            dial.settled.connect(lambda _: self._apply(settle=True))
        self.mirrored = QCheckBox("Mirrored (as if the images were seen from the other side)")
        self.mirrored.setToolTip(MIRRORED_TIP)
        self.mirrored.clicked.connect(lambda _: self._apply(settle=True))
        grid.addWidget(self.mirrored, 3, 0, 1, 2)
        self.likeness = QLabel()
        self.likeness.setWordWrap(True)
        # Room for three lines, so that nothing jumps while a slider is dragged.
        self.likeness.setMinimumHeight(3 * self.likeness.fontMetrics().lineSpacing() + 4)
        grid.addWidget(self.likeness, 4, 0, 1, 2)
        line = QHBoxLayout()
        self.to_best = _button("Go to best nearby", NEARBY_TIP)
        self.reset = _button("Back to registration", "")
        self.to_best.clicked.connect(self.go_to_best)
        self.reset.clicked.connect(lambda _=False: self.guarded(self.session.go_back))
        line.addWidget(self.to_best)
        line.addWidget(self.reset)
        grid.addLayout(line, 5, 0, 1, 2)
        return box

    def _history(self) -> QWidget:
        box = QGroupBox("History")
        rows = QVBoxLayout(box)
        line = QHBoxLayout()
        self.undo = _button("Undo", "Ctrl+Z")
        self.redo = _button("Redo", "Ctrl+Shift+Z")
        self.copy = _button("Copy command", "The command line that repeats what was done")
        self.undo.clicked.connect(lambda _=False: self.guarded(self.session.undo))
        self.redo.clicked.connect(lambda _=False: self.guarded(self.session.redo))
        self.copy.clicked.connect(self._copy_command)
        for button in (self.undo, self.redo, self.copy):
            line.addWidget(button)
        rows.addLayout(line)
        self.command = QLabel()
        self.command.setTextFormat(Qt.TextFormat.PlainText)
        self.command.setWordWrap(True)
        let_shrink(self.command)
        self.command.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.command.setStyleSheet("font-family: monospace; font-size: 10px; color: #a8b0b8;")
        rows.addWidget(self.command)
        return box

    @property
    def wanted(self) -> Adjustment:
        """What the dials say."""
        return Adjustment(
            self.shift.value,
            float(np.radians(self.turn.value)),
            self.stretch.value / 100.0,
            self.mirrored.isChecked(),
        )

    def nudge(self, *, frames: float = 0.0, degrees: float = 0.0, percent: float = 0.0) -> None:
        """Move by keys: by frames along the vessel, by degrees about it, stretched by percent."""
        now = self.session.adjustment
        pitch = self.session.case.pullback.frame_spacing_mm
        turn = float(np.angle(np.exp(1j * (now.turn_rad + np.radians(degrees)))))
        # No farther than the dial shows.
        stretch = float(np.clip(100.0 * now.stretch + percent, *STRETCH_PERCENT)) / 100.0
        moved = self.session.shifted(frames * pitch, replace(now, turn_rad=turn, stretch=stretch))
        self.guarded(lambda: self.session.adjust(moved))

    def mirror(self) -> None:
        """Mirror the images, or take that back."""
        now = self.session.adjustment
        self.guarded(lambda: self.session.adjust(replace(now, mirrored=not now.mirrored)))

    def go_to_best(self) -> None:
        """Take the best place of the neighbourhood that was searched last."""
        if self._nearby is not None:
            best = self._nearby.adjustment
            self.guarded(lambda: self.session.adjust(best))

    def show_nearby(self, nearby: Nearby | None) -> None:
        """Show the best place of the neighbourhood."""
        self._nearby = nearby
        self._show_likeness()
        self._show_state()

    def guarded(self, verb: Callable[[], object]) -> None:
        """Do something to the session; what it refuses becomes a message."""
        try:
            verb()
        except (LockedError, ValueError) as error:
            self.message.emit(str(error))
            self._on_path()

    def _apply(self, *, settle: bool) -> None:
        wanted = self.wanted
        self.guarded(lambda: (self.session.adjust if settle else self.session.preview)(wanted))

    def _on_blinded(self, _blinded: bool) -> None:
        # What was found nearby is no news any more.
        self._on_path()

    def _on_path(self) -> None:
        now = self.session.adjustment
        self.shift.show_value(now.shift_mm)
        self.turn.show_value(float(np.degrees(now.turn_rad)))
        self.stretch.show_value(100.0 * now.stretch)
        self.mirrored.setChecked(now.mirrored)
        self._nearby = None
        self._show_likeness()
        self._show_state()
        known = self.session.likeness is not None and self.session.path is not None
        if known and not self.session.blinded:
            self._timer.start()

    def _show_likeness(self) -> None:
        session = self.session
        if session.registration is None:
            self.likeness.setText("Nothing is registered yet.")
            return
        if session.blinded:
            self.likeness.setText("How far apart the lumens are is hidden while blinded.")
            return
        if not session.opened.outlined:
            self.likeness.setText("There are no outlines of both lumens to compare.")
            return
        if session.likeness is None or session.path is None:
            self.likeness.setText("Getting ready to compare the lumens ...")
            return
        now = session.likeness.overall_mm(session.path, radius_scale=session.registration.radius_scale)
        text = f"Lumens are <b>{now:.3f} mm</b> apart here"
        if self._nearby is None:
            text += "; looking nearby ..."
        elif self._nearby.overall_mm < now - 5e-4:
            best, here = self._nearby.adjustment, session.adjustment
            away_deg = np.degrees(np.angle(np.exp(1j * (best.turn_rad - here.turn_rad))))
            text += f"; best nearby <b>{self._nearby.overall_mm:.3f} mm</b>, "
            text += f"{best.shift_mm - here.shift_mm:+.2f} mm and {away_deg:+.0f} degrees from here"
            if self._nearby.at_edge:
                text += (
                    f", which is as far as it looks ({NEARBY_MM:g} mm, {np.degrees(NEARBY_RAD):.0f} degrees)"
                )
        else:
            text += "; nothing nearby is better"
        self.likeness.setText(text + ".")

    def _show_state(self) -> None:
        session = self.session
        free = not session.locked
        placed = free and session.registration is not None
        for widget in (self.shift, self.turn, self.stretch, self.mirrored, self.from_here):
            widget.setEnabled(placed)
        before = session.before_hand
        self.reset.setEnabled(free and before is not None)
        self.reset.setToolTip(_back_tip(before, session.registration))
        self.to_best.setEnabled(placed and self._nearby is not None and not session.blinded)
        for widget in (self.nonrigid, self.rigid):
            widget.setEnabled(free)
        for button, name, label in (
            (self.undo, "Undo", session.undo_label),
            (self.redo, "Redo", session.redo_label),
        ):
            button.setEnabled(free and bool(label))
            button.setToolTip(f"{name}: {label}" if label else f"Nothing to {name.lower()}")
        if self.command.text() != session.command:
            self.command.setText(session.command)
            self.command.setToolTip(session.command)

    def _copy_command(self) -> None:
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self.session.bare_command)
        said = "The command is on the clipboard."
        if self.session.bare_command != self.session.command:
            said += " What was done by hand is not in it: save keeps that."
        self.message.emit(said)

    def close_view(self) -> None:
        """Stop listening."""
        self._timer.stop()
        self._links.cut()


def _back_tip(before: Registration | None, now: Registration | None) -> str:
    if before is None:
        return "There is nothing to go back to"
    if before is now:
        return "Take everything by hand back"
    return f"Take the program's registration of the result folder ({FILE_NAME}) again"


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    return button
