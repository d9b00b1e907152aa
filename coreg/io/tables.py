"""CSV tables: one checked reader and one writer for all of them."""

from __future__ import annotations

import csv
import difflib
import io
import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from coreg.errors import InputError
from coreg.io.files import read_text, unusable, write_text

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Cell = str | float | int | bool | None


@dataclass(frozen=True, eq=False)
class Table:
    """The cells of a CSV file with a header.

    Attributes
    ----------
    path : Path
        Where it was read, for messages.
    columns : dict of str to list of str
        Stripped text by column name.
    lines : list of int
        Line of the file in which each row ends.
    """

    path: Path
    columns: dict[str, list[str]]
    lines: list[int]

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.lines)

    def __contains__(self, name: str) -> bool:
        """Tell whether there is such a column."""
        return name in self.columns

    def bad_cell(self, row: int, name: str, expected: str) -> InputError:
        """Make the error about one cell."""
        found = repr(self.columns[name][row]) if self.columns[name][row] else "an empty cell"
        return unusable(self.path, f"line {self.lines[row]}, column {name}", found=found, expected=expected)

    def texts(self, name: str) -> list[str | None]:
        """Cells of a column; None where empty or where the column is absent."""
        if name not in self.columns:
            return [None] * len(self)
        return [cell or None for cell in self.columns[name]]

    def numbers(self, name: str, *, required: bool = False) -> FloatArray:
        """Finite numbers of a column, shape (rows,); NaN where empty or the column is absent.

        Raises
        ------
        InputError
            If a cell is not a finite number, or empty though ``required``.
        """
        if name not in self.columns:
            return np.full(len(self), np.nan)
        values = np.empty(len(self))
        for row, cell in enumerate(self.columns[name]):
            if not cell and not required:
                values[row] = np.nan
                continue
            try:
                values[row] = float(cell)
            except ValueError as error:
                raise self.bad_cell(row, name, "a number") from error
            if not math.isfinite(values[row]):
                raise self.bad_cell(row, name, "a finite number")
        return values

    def whole_numbers(self, name: str) -> IntArray:
        """Whole numbers from 0 of a column without empty cells, shape (rows,)."""
        values = self.numbers(name, required=True)
        bad = np.flatnonzero((values != np.rint(values)) | (values < 0) | (values > 1e9))
        if len(bad):
            raise self.bad_cell(int(bad[0]), name, "a whole number from 0")
        return values.astype(np.int64)


@dataclass(frozen=True, eq=False)
class Record:
    """One row of a CSV file, the header or another.

    Attributes
    ----------
    cells : list of str
        Stripped text.
    row : int
        As a spreadsheet counts: the header is row 1, and empty rows count too.
    line : int
        Line of the file in which it ends.
    """

    cells: list[str]
    row: int
    line: int


def read_records(path: Path, *, expected: str = "a UTF-8 text file") -> list[Record]:
    """Read the rows of a CSV file (comma, semicolon or tab) that are not empty, unchecked.

    Raises
    ------
    InputError
        If the file cannot be read, is not UTF-8, or its quotes do not match.
    """
    text = read_text(path, expected=expected)
    header = text.lstrip().splitlines()[0] if text.strip() else ""
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        every = [
            Record([cell.strip() for cell in each], i, reader.line_num) for i, each in enumerate(reader, 1)
        ]
    except csv.Error as error:
        raise unusable(path, f"line {reader.line_num}", found=str(error), expected="a CSV table") from error
    return [each for each in every if any(each.cells)]


def read_table(path: Path, *, required: Sequence[str], optional: Sequence[str] = ()) -> Table:
    """Read a CSV file (comma, semicolon or tab) with a header of known columns.

    Raises
    ------
    InputError
        If the file cannot be read, a required column is missing, a column is unknown or comes
        twice, a row has too many or too few cells, or there is no row.
    """
    records = read_records(path)
    if not records:
        raise unusable(path, "", found="no header", expected=f"the columns {','.join(required)}")
    names, rows = records[0].cells, records[1:]
    _check_header(path, names, required=required, optional=optional)
    for each in rows:
        if len(each.cells) != len(names):
            found, expected = f"{len(each.cells)} cells", f"{len(names)} cells as in the header"
            raise unusable(path, f"line {each.line}", found=found, expected=expected)
    if not rows:
        raise unusable(path, "", found="a header without rows", expected="at least one row")
    columns = {name: [each.cells[i] for each in rows] for i, name in enumerate(names)}
    return Table(path, columns, [each.line for each in rows])


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that looks most like ``name``, if any does."""
    close = difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=0.5)
    return close[0] if close else None


def write_table(path: Path, names: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Write a CSV file, whole or not at all: commas, Unix line ends, empty cells for None and NaN."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([cell_text(cell) for cell in row] for row in rows)
    write_text(path, out.getvalue())


def cell_text(value: Cell) -> str:
    """Write a value as a cell: numbers with up to nine decimals, truth as 1 and 0."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, np.bool_)):
        return "1" if value else "0"
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if math.isnan(value):
        return ""
    if not math.isfinite(value):
        return repr(float(value))
    text = f"{value:.9f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _check_header(
    path: Path, names: list[str], *, required: Collection[str], optional: Collection[str]
) -> None:
    known = [*required, *optional]
    missing = [name for name in required if name not in names]
    unknown = [name for name in names if name not in known]
    if missing:
        found = f"the columns {','.join(names)}"[:200]
        raise unusable(path, f"column {missing[0]}", found=found, expected=f"{','.join(required)}")
    if unknown:
        near = nearest_name(unknown[0], known)
        hint = f" (did you mean {near}?)" if near else ""
        found = f"an unknown column {unknown[0]!r}{hint}"
        raise unusable(path, "header", found=found, expected=f"only {','.join(known)}")
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise unusable(path, f"column {twice[0]}", found="it twice", expected="each column once")


def has_rows(path: Path) -> bool:
    """Tell whether a table has more than a header; a vessel may have no side branch."""
    return read_text(path).strip().count("\n") > 0
