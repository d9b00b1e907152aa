"""Landmarks as rows and columns of a table, read from a session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from qtpy.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from qtpy.QtGui import QColor, QFont

from coreg.review import ReviewedLandmark, State
from coreg.validation import LandmarkError
from coreg_napari.colours import STATE_COLOURS
from coreg_napari.session import Session

Index = QModelIndex | QPersistentModelIndex
DASH = "\u2013"
# Sorting asks for the number or text behind a cell.
SORT = Qt.ItemDataRole.UserRole
GUIDED = "A residual, not an error: this landmark guided the registration."


@dataclass(frozen=True)
class Column:
    """A column: its title, what it means, its width in pixels, and how many digits its numbers have."""

    title: str
    meaning: str
    width: int
    digits: int | None = None


COLUMNS = (
    Column("id", "Name of the landmark", 28),
    Column("kind", "What it is", 62),
    Column("state", "What a reader thinks of it", 62),
    Column(
        "frame\n(file)",
        "Frame in acquisition order, from 0 as in all files; the console counts from 1",
        40,
        1,
    ),
    Column("angle\n°", "Angle in the stored image, from +column towards +row", 34, 0),
    Column(
        "error\nmm", "Along the pullback: where the path meets its place in the CCTA, minus its frame", 38, 2
    ),
    Column("error\n°", "Direction from the catheter: found minus annotated", 32, 0),
    Column("left out\nmm", "Error along the pullback on a path that was found without it", 46, 2),
    Column("SD\nmm", "How sure the registration is of the place of its frame", 32, 2),
    Column("origin", "Given by the case, found by the program, or set by hand", 52),
)
STATE_COLUMN, RESIDUALS = 2, (5, 6)
Value = str | float


@dataclass(frozen=True)
class Row:
    """A landmark, and its cells in the columns' order; NaN for what is not known or not to be seen."""

    landmark: ReviewedLandmark
    guided: bool
    values: tuple[Value, ...]

    @property
    def id(self) -> str:
        """The landmark's id."""
        return self.landmark.landmark.id


def rows_of(session: Session) -> tuple[Row, ...]:
    """Read a session's landmarks. Blinded, nothing comes that one modality says of the other."""
    registration, errors = session.registration, {} if session.blinded else session.errors()
    guides = {} if registration is None else registration.guides
    left_out = {} if session.blinded else session.left_out
    return tuple(
        Row(
            each,
            each.landmark.id in guides,
            (
                each.landmark.id,
                each.landmark.kind,
                each.state,
                _number(each.landmark.frame),
                _degrees(each.landmark.angle_rad),
                *_error(errors.get(each.landmark.id)),
                _error(left_out.get(each.landmark.id))[0],
                _sd_mm(session, each),
                each.origin,
            ),
        )
        for each in session.landmarks
    )


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _degrees(angle_rad: float | None) -> float:
    return float(np.degrees(_number(angle_rad)))


def _error(error: LandmarkError | None) -> tuple[float, float]:
    return (float("nan"), float("nan")) if error is None else (error.error_mm, error.error_deg)


def _sd_mm(session: Session, each: ReviewedLandmark) -> float:
    row = None if session.blinded else session.shown_row(each.landmark)
    if row is None or session.path is None:
        return float("nan")
    return float(session.path.arc_length_sd_mm[row])


class LandmarkTable(QAbstractTableModel):
    """A session's landmarks for a table view.

    Parameters
    ----------
    session : Session
        Whose landmarks are shown, as they were at the last ``refresh``.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.rows = rows_of(session)

    def refresh(self) -> None:
        """Read the session again."""
        rows = rows_of(self._session)
        if [each.id for each in rows] == [each.id for each in self.rows]:
            self.rows = rows
            if rows:
                self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, len(COLUMNS) - 1))
            return
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        """Count the landmarks."""
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index | None = None) -> int:
        """Count the columns."""
        return 0 if parent is not None and parent.isValid() else len(COLUMNS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Name the columns."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section].title
        return COLUMNS[section].meaning if role == Qt.ItemDataRole.ToolTipRole else None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Tell what a cell shows."""
        if not index.isValid():
            return None
        row, column = self.rows[index.row()], index.column()
        value = row.values[column]
        residual = row.guided and column in RESIDUALS
        if role == Qt.ItemDataRole.DisplayRole:
            return text_of(value, COLUMNS[column].digits)
        if role == SORT:
            return value
        if role == Qt.ItemDataRole.ForegroundRole and column == STATE_COLUMN:
            return QColor(STATE_COLOURS[row.landmark.state])
        if role == Qt.ItemDataRole.TextAlignmentRole and COLUMNS[column].digits is not None:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role == Qt.ItemDataRole.FontRole and residual:
            font = QFont()
            font.setItalic(True)
            return font
        if role == Qt.ItemDataRole.ToolTipRole:
            return tooltip_of(value, GUIDED if residual else COLUMNS[column].meaning)
        return None


def tooltip_of(value: Value, meaning: str) -> str:
    """Write a cell's tooltip; a word is in it, as it may be cut off in the cell."""
    return f"{value}: {meaning}" if isinstance(value, str) and value else meaning


def text_of(value: Value, digits: int | None) -> str:
    """Write a cell: a dash for what is not known, whole frames without a point."""
    if isinstance(value, str):
        return value
    if not np.isfinite(value):
        return DASH
    digits = 0 if float(value).is_integer() and digits == 1 else digits or 0
    # Rounded to nothing, a number has no sign.
    return f"{round(value, digits) + 0.0:.{digits}f}"


def summary(rows: tuple[Row, ...], *, blinded: bool) -> str:
    """Say how many landmarks are in which state, and how far off the path is at the accepted ones."""
    states: dict[State, int] = {"accepted": 0, "corrected": 0, "rejected": 0, "proposed": 0}
    for row in rows:
        states[row.landmark.state] += 1
    counts = ", ".join(f"{count} {state}" for state, count in states.items())
    if blinded:
        return f"{counts}. Blinded: errors are not shown."
    counted = [row for row in rows if row.landmark.counts]
    free, guiding = ([row for row in counted if row.guided is guided] for guided in (False, True))
    text = f"{counts}. Mean absolute error where accepted: {_means(free)}."
    if guiding:
        text += f" Where they guided it is a residual, in italics, not an error: {_means(guiding)}."
    return text


def _means(rows: list[Row]) -> str:
    parts = []
    for column, digits, unit in ((RESIDUALS[0], 2, " mm"), (RESIDUALS[1], 0, "°")):
        known = [abs(float(row.values[column])) for row in rows if np.isfinite(float(row.values[column]))]
        parts.append(f"{np.mean(known):.{digits}f}{unit}" if known else DASH)
    return DASH if parts == [DASH, DASH] else f"{', '.join(parts)} (n = {len(rows)})"
