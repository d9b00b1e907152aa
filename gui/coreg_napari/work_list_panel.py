"""The work list of a cohort: the riskiest first, one click to open."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from coreg.io.reviewable import WorkItem
from coreg_napari.coloured_cells import ColouredCells
from coreg_napari.header import VERDICT_COLOURS

COLUMNS = ("case", "verdict", "signed", "why")


class WorkListPanel(QWidget):
    """Lists results, the riskiest first.

    Signals
    -------
    open_requested : object
        A `WorkItem` that is to be shown.
    """

    open_requested = Signal(object)

    def __init__(self, items: Sequence[WorkItem] = (), parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.items: tuple[WorkItem, ...] = ()
        self.current = -1
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        self.summary = QLabel()
        layout.addWidget(self.summary)
        self.table = QTableWidget(0, len(COLUMNS))
        self.table.setHorizontalHeaderLabels(list(COLUMNS))
        self.table.verticalHeader().setVisible(False)
        self.table.setWordWrap(False)
        self.table.setItemDelegate(ColouredCells(self.table))
        self.table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumWidth(300)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        header = self.table.horizontalHeader()
        header.setStretchLastSection(True)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        self.table.cellActivated.connect(lambda row, _: self.open(row))
        self.table.cellClicked.connect(lambda row, _: self.open(row))
        layout.addWidget(self.table, 1)
        line = QHBoxLayout()
        self.previous = QPushButton("Previous")
        self.next = QPushButton("Next")
        self.previous.clicked.connect(lambda _=False: self.step(-1))
        self.next.clicked.connect(lambda _=False: self.step(1))
        line.addWidget(self.previous)
        line.addWidget(self.next)
        layout.addLayout(line)
        self.show_items(items)

    def show_items(self, items: Sequence[WorkItem]) -> None:
        """List results; the one that is open stays marked."""
        opened = self.items[self.current].folder if 0 <= self.current < len(self.items) else None
        self.items = tuple(items)
        self.table.setRowCount(len(self.items))
        for row, item in enumerate(self.items):
            self._fill(row, item)
        self.table.resizeColumnToContents(0)
        for column, width in ((1, 58), (2, 66)):
            self.table.setColumnWidth(column, width)
        signed = sum(each.sign_off is not None for each in self.items)
        self.summary.setText(f"{len(self.items)} cases, riskiest first; {signed} signed off")
        self.mark_folder(opened)

    def _fill(self, row: int, item: WorkItem) -> None:
        why = item.failed or "; ".join(item.reasons)
        signed = "" if item.sign_off is None else item.sign_off.decision
        for column, text in enumerate((item.case_id, item.verdict or "broken", signed, why)):
            cell = QTableWidgetItem(text)
            cell.setToolTip(f"<qt>{escape(why or text)}</qt>")
            if column == 1:
                cell.setBackground(QColor(VERDICT_COLOURS.get(item.verdict or "failed", "#c0392b")))
                cell.setForeground(QColor("white"))
                cell.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
            self.table.setItem(row, column, cell)

    def open(self, row: int) -> None:
        """Ask for a case to be shown."""
        if 0 <= row < len(self.items):
            self.open_requested.emit(self.items[row])

    def step(self, by: int) -> None:
        """Ask for the case above or below the one that is open."""
        self.open(self.current + by)

    def mark_folder(self, folder: Path | None) -> None:
        """Mark the case whose result lies in a folder; none where it is not listed."""
        here = folder and folder.resolve()
        self.mark(next((i for i, each in enumerate(self.items) if each.folder.resolve() == here), -1))

    def mark(self, row: int) -> None:
        """Mark the case that is open; -1 for none."""
        self.current = row
        if row >= 0:
            self.table.selectRow(row)
        else:
            self.table.clearSelection()
        self.previous.setEnabled(row > 0)
        self.next.setEnabled(row + 1 < len(self.items))
