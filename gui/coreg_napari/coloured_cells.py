"""Cells of a table that keep the colour that tells something while their row is selected."""

from __future__ import annotations

from qtpy.QtCore import QModelIndex, QPersistentModelIndex, Qt
from qtpy.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

COLOURS = (Qt.ItemDataRole.ForegroundRole, Qt.ItemDataRole.BackgroundRole)


class ColouredCells(QStyledItemDelegate):
    """Draws cells with a colour of their own as if their row was not selected; the others show that it is."""

    def initStyleOption(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Say how a cell is drawn."""
        super().initStyleOption(option, index)
        if any(index.data(each) is not None for each in COLOURS):
            option.state &= ~QStyle.StateFlag.State_Selected
