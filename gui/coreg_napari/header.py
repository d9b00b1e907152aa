"""The strip above the sections: which case, which frame, what runs, what went wrong."""

from __future__ import annotations

from html import escape

import numpy as np
from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from coreg_napari.links import Links
from coreg_napari.narrow import ElidedLabel, let_shrink, tooltip
from coreg_napari.session import Session

VERDICT_COLOURS = {"good": "#2f9e63", "review": "#b7791f", "failed": "#c0392b"}
MESSAGE_MS = 12_000
# What is longer is read in the tooltip.
MESSAGE_LINES = 6
# A case's name may be of any length.
CASE_PX = 320


class Header(QWidget):
    """Facts of the case and of the current frame.

    Signals
    -------
    cancel_requested
        What runs should be stopped.
    keys_requested
        The keys should be listed.
    needs_height : int
        How high it is from now on, in pixels.
    """

    cancel_requested = Signal()
    keys_requested = Signal()
    needs_height = Signal(int)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self._rows = rows = QVBoxLayout(self)
        rows.setContentsMargins(6, 2, 6, 2)
        rows.setSpacing(2)
        top = QHBoxLayout()
        self.case = QLabel()
        self.case.setTextFormat(Qt.TextFormat.RichText)
        self.verdict = ElidedLabel()
        self.blinded = QCheckBox("Blinded")
        self.blinded.setToolTip("Show each modality without what the other one says of it (key B)")
        self.blinded.clicked.connect(self._set_blinded)
        self.keys = QPushButton("Keys")
        self.keys.setToolTip("All keys, and what the mouse does")
        self.keys.clicked.connect(lambda _=False: self.keys_requested.emit())
        self.progress = QProgressBar()
        self.progress.setFixedWidth(230)
        self.progress.setRange(0, 100)
        self.cancel = QPushButton("Cancel")
        self.cancel.clicked.connect(lambda _=False: self.cancel_requested.emit())
        for widget in (self.case, self.verdict):
            top.addWidget(widget)
        top.addStretch(1)
        for control in (self.progress, self.cancel, self.blinded, self.keys):
            top.addWidget(control)
        rows.addLayout(top)
        bottom = QHBoxLayout()
        # Their texts change with every frame; the window is not to be laid out anew for that.
        self.frame = ElidedLabel(greedy=True)
        self.place = ElidedLabel(greedy=True)
        bottom.addWidget(self.frame, 1)
        bottom.addWidget(self.place, 1)
        rows.addLayout(bottom)
        self.text = QLabel()
        self.text.setTextFormat(Qt.TextFormat.PlainText)
        self.text.setWordWrap(True)
        let_shrink(self.text)
        self.text.setMaximumHeight(MESSAGE_LINES * self.text.fontMetrics().lineSpacing() + 6)
        self.text.setStyleSheet("background: #5a3d1a; color: #ffe8c8; padding: 3px;")
        rows.addWidget(self.text)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._end_message)
        self.text.hide()
        self.show_progress(None, 0.0)
        self._links = Links(
            (session.frame_changed, self._show_frame),
            (session.path_changed, self.refresh),
            (session.review_changed, self.refresh),
            (session.view_changed, self.refresh),
        )
        self.refresh()

    def tell(self, text: str) -> None:
        """Show a message for a while; nothing to say hides what was said."""
        self.text.setText(text)
        # Where a word is too long for the window, the rest of it is read there.
        self.text.setToolTip(text)
        self.text.setVisible(bool(text))
        self._fit()
        self._timer.start(MESSAGE_MS)

    def _end_message(self) -> None:
        self.text.hide()
        self._fit()

    def _fit(self) -> None:
        """Take the height that is needed, and give the rest back to the sections."""
        rows = self._rows
        rows.invalidate()
        height = rows.totalSizeHint().height()
        # Only a message has lines that depend on the width.
        if rows.hasHeightForWidth():
            height = rows.totalHeightForWidth(self.width())
        self.setFixedHeight(height)
        self.needs_height.emit(height)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Let a message have as many lines as it needs in another width."""
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._fit()

    def show_progress(self, stage: str | None, share: float) -> None:
        """Show what runs; None for nothing."""
        for widget in (self.progress, self.cancel):
            widget.setVisible(stage is not None)
        self.progress.setValue(round(100.0 * share))
        self.progress.setFormat(stage or "")

    def refresh(self) -> None:
        """Show what the session says."""
        session, case = self.session, self.session.case
        facts = [case.pullback.modality, case.vessel, case.pullback.acquisition]
        known = escape(", ".join(each for each in facts if each))
        self.case.setText(f"<b>{escape(case.id)}</b>  {known}")
        self.case.setToolTip(f"<qt>{escape(case.id)}  {known}</qt>")
        # What was done by hand gives way before it does.
        self.case.setMinimumWidth(min(self.case.sizeHint().width(), CASE_PX))
        signed = session.review.sign_off
        registration = session.registration
        if signed is not None:
            text, colour = f"signed off: {signed.decision}", "#2c6e9e"
        elif registration is None:
            text, colour = "not registered yet", "#555555"
        elif session.blinded:
            text, colour = "blinded", "#555555"
        else:
            by_hand = f", by hand: {session.by_hand}" if session.by_hand else ""
            verdict = "review" if by_hand and registration.verdict == "good" else registration.verdict
            text, colour = f"{verdict}{by_hand}", VERDICT_COLOURS[verdict]
        self.verdict.setText(text + (" *" if session.unsaved else ""))
        self.verdict.setToolTip(
            tooltip(f"{text} (* unsaved changes)" if session.unsaved else f"{text} (saved)")
        )
        _style(self.verdict, f"background: {colour}; color: white; padding: 1px 6px;")
        self.blinded.setChecked(session.blinded)
        self._show_frame(session.row)

    def _show_frame(self, row: int) -> None:
        session, pullback = self.session, self.session.case.pullback
        mirrored = pullback.view != "looking-distal"
        view = (
            f"{pullback.view.replace('-', ' ')}{', mirrored by hand' if session.adjustment.mirrored else ''}"
        )
        frame = session.frame
        position = float(pullback.position_mm[row])
        self.frame.setText(
            f"{pullback.modality or 'Pullback'}: frame {frame} (console {frame + 1} of "
            f"{int(session.frames.max()) + 1}), {position:.1f} mm, {view}"
        )
        _style(self.frame, "color: #e8b060;" if mirrored or session.adjustment.mirrored else "")
        path = session.path
        if path is None:
            self.place.setText("")
        elif not path.posed[row]:
            why = "" if session.blinded else f": {path.reason[row]}"
            self.place.setText(f"no place in the CCTA{why}")
        elif session.blinded:
            # The CCTA's own place; how sure it is, and how it is turned, comes from both.
            self.place.setText(f"CCTA: {path.arc_length_mm[row]:.1f} mm from the ostium")
        else:
            spread = path.arc_length_sd_mm[row], np.degrees(path.rotation_sd_rad[row])
            sure = f" (SD {spread[0]:.2f} mm, {spread[1]:.0f} deg)" if np.isfinite(spread).all() else ""
            doubt = "" if path.reliable[row] else f"; not reliable: {path.reason[row]}"
            self.place.setText(
                f"CCTA: {path.arc_length_mm[row]:.1f} mm from the ostium, "
                f"{np.degrees(path.rotation_rad[row]):.0f} deg{sure}{doubt}"
            )

    def _set_blinded(self, blinded: bool) -> None:
        self.session.blinded = blinded

    def close_view(self) -> None:
        """Stop listening."""
        self._timer.stop()
        self._links.cut()


def _style(label: QLabel, style: str) -> None:
    """Set a style where it is another one: Qt takes its time for that."""
    if label.styleSheet() != style:
        label.setStyleSheet(style)
