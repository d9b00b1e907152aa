"""How far two readers agree, as a small table."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from coreg.validation.agreement import Agreement, ReaderAgreement
from coreg_napari.landmark_table import DASH

COLUMNS = ("n", "mean", "SD", "limits of agreement")


class ReaderTable(QTableWidget):
    """Mean difference, SD and limits of agreement of two readers, this one minus the other."""

    def __init__(self) -> None:
        super().__init__(0, len(COLUMNS))
        self.setHorizontalHeaderLabels(COLUMNS)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setToolTip(
            "This reader minus the other one, of landmarks with the same id. Limits of agreement: mean "
            "difference \u00b1 1.96 SD (Bland and Altman 1986). In the CCTA: distance between the two points."
        )
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.horizontalHeader().setStretchLastSection(True)
        self.verticalHeader().setDefaultSectionSize(20)

    def show_agreement(self, found: ReaderAgreement) -> None:
        """Show two readers' differences."""
        rows = rows_of(found)
        self.setRowCount(len(rows))
        self.setVerticalHeaderLabels(list(rows))
        for i, cells in enumerate(rows.values()):
            for j, text in enumerate(cells):
                item = QTableWidgetItem(text)
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.setItem(i, j, item)
        height = self.horizontalHeader().sizeHint().height() + self.verticalHeader().length()
        self.setFixedHeight(height + 2 * self.frameWidth() + 2)


def rows_of(found: ReaderAgreement) -> dict[str, tuple[str, ...]]:
    """Write each difference as a row of texts by its name and unit."""
    world_mm = np.array([each.world_mm for each in found.differences])
    world_mm = world_mm[np.isfinite(world_mm)]
    sd_mm = f"{world_mm.std(ddof=1):.2f}" if len(world_mm) > 1 else DASH
    mean_mm = f"{found.mean_world_mm:.2f}" if len(world_mm) else DASH
    return {
        "frames": _cells(found.frames, 1),
        "pullback, mm": _cells(found.position_mm, 2),
        "angle, \u00b0": _cells(found.angle_deg, 0),
        # A distance has no sign, so that limits about its mean would mean nothing.
        "CCTA, mm apart": (str(len(world_mm)), mean_mm, sd_mm, DASH),
    }


def _cells(found: Agreement | None, digits: int) -> tuple[str, ...]:
    if found is None:
        return "< 2", DASH, DASH, DASH
    mean, sd, low, high = (
        f"{round(each, digits) + 0.0:.{digits}f}"
        for each in (found.mean_difference, found.sd, found.lower, found.upper)
    )
    return str(found.count), mean, sd, f"{low} to {high}"
