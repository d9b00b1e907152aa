"""Which widgets take the keyboard: the keys of the review belong to the pictures."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QTabBar,
    QWidget,
)

CLICKED = (QAbstractButton, QAbstractItemView, QAbstractSlider, QComboBox, QTabBar)


def leave_keys(*widgets: QWidget) -> None:
    """Let a click on what is in these widgets not take the keyboard.

    A slider that was dragged would take the arrow keys and move by them, a table or a list of choices the
    letters. The Tab key still reaches all of them. A number that was typed gives the keyboard back on Return.
    """
    for widget in widgets:
        for each in widget.findChildren(QWidget):
            if isinstance(each, CLICKED):
                each.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            elif isinstance(each, QAbstractSpinBox):
                # Not by the wheel either.
                each.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
                line = each.lineEdit()
                if line is not None:
                    line.returnPressed.connect(each.clearFocus)
