"""The panel for the decision: verdict, comment, sign-off, audit trail."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from textwrap import shorten

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from coreg.review import Decision, Event
from coreg_napari.links import Links
from coreg_napari.narrow import let_shrink
from coreg_napari.session import LONGEST_NAME, LockedError, Session

APPROVE_TIP = (
    "<qt>Sign off that the registration, as it is shown, may be used; saves and locks the review.</qt>"
)
REJECT_TIP = "<qt>Sign off that the registration is not to be used; saves and locks the review.</qt>"
REOPEN_TIP = "<qt>Unlock a review that was signed off; the audit trail keeps the decision.</qt>"
# A comment of any length is in its box and in the files.
LONGEST_DETAIL = 300


class SignOffPanel(QWidget):
    """Shows the program's verdict, takes the reader's.

    Signals
    -------
    save_requested
        The review should be written.
    message : str
        For the user.
    """

    save_requested = Signal()
    message = Signal(str)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        # Whether there is a folder to save a decision into; where there is none, it may ask for one.
        self.has_folder: Callable[[], bool] = lambda: True
        layout = QVBoxLayout(self)
        self.verdict = QLabel()
        self.verdict.setTextFormat(Qt.TextFormat.RichText)
        self.verdict.setWordWrap(True)
        let_shrink(self.verdict)
        self.verdict.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        verdict = QGroupBox("The program's verdict")
        QVBoxLayout(verdict).addWidget(self.verdict)
        layout.addWidget(verdict)
        layout.addWidget(self._decision())
        trail = QGroupBox("Audit trail")
        rows = QVBoxLayout(trail)
        self.trail = QListWidget()
        self.trail.setWordWrap(True)
        self.trail.setMinimumHeight(60)
        rows.addWidget(self.trail)
        layout.addWidget(trail, 1)
        self._links = Links(
            (session.review_changed, self.refresh),
            (session.path_changed, self.refresh),
            (session.blinded_changed, self._on_blinded),
        )
        self.refresh()

    def _decision(self) -> QWidget:
        box = QGroupBox("Your decision")
        rows = QVBoxLayout(box)
        line = QHBoxLayout()
        line.addWidget(QLabel("Reviewer"))
        self.reviewer = QLineEdit(self.session.reviewer)
        self.reviewer.setPlaceholderText("initials or a reader's number, no patient data")
        self.reviewer.setMaxLength(LONGEST_NAME)
        self.reviewer.textEdited.connect(self._set_reviewer)
        line.addWidget(self.reviewer, 1)
        rows.addLayout(line)
        self.comment = QPlainTextEdit()
        self.comment.setPlaceholderText("Comment")
        self.comment.setMaximumHeight(56)
        self.comment.setTabChangesFocus(True)
        self.comment.setStyleSheet("QPlainTextEdit { border: 1px solid #6a727c; }")
        self.comment.textChanged.connect(self._set_comment)
        rows.addWidget(self.comment)
        line = QHBoxLayout()
        self.approve = QPushButton("Approve")
        self.reject = QPushButton("Reject")
        self.reopen = QPushButton("Reopen")
        self.save = QPushButton("Save")
        self.save.setToolTip("Write the review into the result folder (key S)")
        for button, tip in (
            (self.approve, APPROVE_TIP),
            (self.reject, REJECT_TIP),
            (self.reopen, REOPEN_TIP),
        ):
            button.setToolTip(tip)
        self.approve.clicked.connect(lambda _=False: self.decide("approved"))
        self.reject.clicked.connect(lambda _=False: self.decide("rejected"))
        self.reopen.clicked.connect(self._reopen)
        self.save.clicked.connect(lambda _=False: self.save_requested.emit())
        for button in (self.approve, self.reject, self.reopen, self.save):
            line.addWidget(button)
        rows.addLayout(line)
        self.state = QLabel()
        self.state.setTextFormat(Qt.TextFormat.PlainText)
        self.state.setWordWrap(True)
        let_shrink(self.state)
        rows.addWidget(self.state)
        return box

    def decide(self, decision: Decision) -> None:
        """Sign off, and save; where there is no folder to save into, decide nothing."""
        try:
            self.session.check_sign_off()
            if not self.has_folder():
                return
            self.session.sign_off(decision)
        except (LockedError, ValueError) as error:
            self.message.emit(str(error))
            return
        self.save_requested.emit()

    def _reopen(self, _checked: bool = False) -> None:
        self.session.reopen()
        # Whatever was refused before.
        self.message.emit("")

    def _set_reviewer(self, name: str) -> None:
        self.session.reviewer = name

    def _set_comment(self) -> None:
        if not self.session.locked:
            self.session.set_comment(self.comment.toPlainText())

    def _on_blinded(self, _blinded: bool) -> None:
        self.refresh()

    def refresh(self) -> None:
        """Show what the session says."""
        session, review = self.session, self.session.review
        outcome = session.outcome()
        if outcome is None:
            self.verdict.setText("Nothing is registered yet.")
        elif session.blinded:
            self.verdict.setText("Hidden while blinded: it tells how well both modalities agree.")
        else:
            reasons = "".join(f"<br>- {escape(reason)}" for reason in outcome.reasons)
            self.verdict.setText(f"<b>{outcome.verdict}</b>{reasons}")
        signed = review.sign_off
        text = review.comment if signed is None else signed.comment
        if self.comment.toPlainText() != text:
            self.comment.blockSignals(True)
            self.comment.setPlainText(text)
            self.comment.blockSignals(False)
        free = signed is None
        self.comment.setReadOnly(not free)
        for button in (self.approve, self.reject):
            button.setEnabled(free and outcome is not None)
        self.reopen.setEnabled(not free)
        if signed is not None:
            state = f"Signed off: {signed.decision} by {signed.reviewer}, {signed.time}."
        else:
            state = "Not signed off."
        self.state.setText(state + (" Unsaved changes." if session.unsaved else ""))
        if self.reviewer.text().split() != session.reviewer.split():
            self.reviewer.setText(session.reviewer)
        if self.trail.count() != len(review.events):
            self.trail.clear()
            self.trail.addItems([_line(each) for each in review.events])
            self.trail.scrollToBottom()

    def showEvent(self, event: QShowEvent) -> None:
        """Show the last event: while a list is hidden it cannot be scrolled."""
        super().showEvent(event)
        QTimer.singleShot(0, self, self.trail.scrollToBottom)

    def close_view(self) -> None:
        """Stop listening."""
        self._links.cut()


def _line(event: Event) -> str:
    detail = f" ({shorten(event.detail, LONGEST_DETAIL)})" if event.detail else ""
    return f"{event.time}  {event.reviewer or 'no name'}: {event.action}{detail}"
