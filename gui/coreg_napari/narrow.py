"""Labels that never widen the window, whatever they say."""

from __future__ import annotations

from html import escape

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QPainter, QPaintEvent
from qtpy.QtWidgets import QLabel, QSizePolicy, QWidget


def let_shrink(label: QLabel) -> None:
    """Let a label be narrower than its longest word: a long path would push the window off the screen."""
    label.setMinimumWidth(1)


def tooltip(text: str) -> str:
    """Write a text as a tooltip that wraps; as plain text it would be one line of any length."""
    return f"<qt>{escape(text)}</qt>" if text else ""


class ElidedLabel(QLabel):
    """One line of plain text that ends in an ellipsis where there is no room; all of it is in the tooltip.

    Parameters
    ----------
    greedy : bool
        Whether it takes the room it is given, whatever it says, so that a new text lays nothing out anew.
    parent : QWidget, optional
        As Qt has it.
    """

    def __init__(self, *, greedy: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        if greedy:
            self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def setText(self, text: str) -> None:
        """Say something."""
        super().setText(text)
        self.setToolTip(tooltip(text))

    @property
    def shown(self) -> str:
        """What there is room for."""
        width = self.contentsRect().width()
        return self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, width)

    def minimumSizeHint(self) -> QSize:
        """Ask for no width."""
        return QSize(1, super().minimumSizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw what there is room for."""
        painter = QPainter(self)
        self.drawFrame(painter)
        flags = int(self.alignment() | Qt.TextFlag.TextSingleLine)
        style, enabled, role = self.style(), self.isEnabled(), self.foregroundRole()
        style.drawItemText(painter, self.contentsRect(), flags, self.palette(), enabled, self.shown, role)
        painter.end()
