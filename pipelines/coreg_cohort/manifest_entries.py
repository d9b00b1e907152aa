"""The rows of a table of cases, or the folders of cases, as they were found, before any case is opened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from coreg.errors import InputError
from coreg.io.case_model import CASE_NAME, MANIFEST_NAME
from coreg.io.files import is_folder, is_there
from coreg.io.tables import nearest_name, read_records

REQUIRED, OPTIONAL = ("case_id", "case"), ("patient", "vessel")
_LONGEST_TEXT, _LONGEST_CELL = 400, 80
_TABLE = "a table of cases in UTF-8 (CSV or TSV), or a folder with a folder for each case"


@dataclass(frozen=True)
class Problem:
    """One reason why a manifest cannot be used.

    Attributes
    ----------
    text : str
        What was found and what was expected, in one line.
    row : int
        Row of the manifest as a spreadsheet counts; 0 where it is none of a row.
    column : str
        Of the cell; empty where it is none of a column.
    case_id : str
        Of the case, where the manifest gives one.
    """

    text: str
    row: int = 0
    column: str = ""
    case_id: str = ""

    def __str__(self) -> str:
        """Name the cell, then say what is wrong."""
        row = f"row {self.row}" if self.row else ""
        column = f"column {self.column}" if self.column else ""
        place = ", ".join(filter(None, (row, column)))
        return f"{place}: {self.text}" if place else self.text


@dataclass(frozen=True)
class Entry:
    """A case as a manifest lists it; a folder of cases tells no more than where it is."""

    case: str
    case_id: str = ""
    patient: str = ""
    vessel: str = ""
    covariates: Mapping[str, str] = field(default_factory=dict)
    row: int = 0

    @property
    def place(self) -> str:
        """What to call it in a message."""
        return f"row {self.row}" if self.row else self.case

    def problem(self, column: str, text: str) -> Problem:
        """Make the problem of a cell, in one line; of a folder of cases that of a case."""
        if self.row:
            return Problem(_in_one_line(text), self.row, column, self.case_id)
        return Problem(_in_one_line(f"{self.case}: {text}"))


def entries_of_folder(folder: Path) -> tuple[list[Entry], list[Problem]]:
    """List the cases in a folder by the names of their folders, and what is wrong with the folder."""
    expected = f"a folder for each case with its {CASE_NAME}, or a {MANIFEST_NAME}"
    if is_there(folder / CASE_NAME):
        return [], [Problem(f"found a single case, expected {expected}")]
    try:
        names = sorted(each.name for each in folder.iterdir() if _may_be_case(each))
    except OSError as error:
        return [], [Problem(f"found {error.strerror or error}, expected a folder that can be read")]
    if not names:
        return [], [Problem(f"found no case, expected {expected}")]
    return [Entry(name) for name in names], []


def _may_be_case(folder: Path) -> bool:
    """Tell whether there is a case.toml; a folder that cannot be looked into must not be lost unseen."""
    if folder.name.startswith(".") or not is_folder(folder):
        return False
    try:
        return (folder / CASE_NAME).exists()
    except OSError:
        return True


def entries_of_table(path: Path) -> tuple[list[Entry], list[Problem]]:
    """List the rows of a table of cases, and what is wrong with its header and the number of its cells."""
    try:
        records = read_records(path, expected=_TABLE)
    except InputError as error:
        return [], [Problem(_in_one_line(str(error).removeprefix(f"{path}: ")))]
    if not records:
        return [], [Problem(f"found nothing, expected the columns {','.join(REQUIRED)}")]
    header, rows = records[0], records[1:]
    names = header.cells
    problems = [Problem(text, header.row, column) for column, text in _header_problems(names)]
    if not rows:
        problems.append(Problem("found a header without rows, expected a row for each case"))
    if any(names.count(each) != 1 for each in REQUIRED):
        return [], problems
    entries = []
    for each in rows:
        cells, beyond = each.cells[: len(names)], each.cells[len(names) :]
        if len(cells) < len(names) or any(beyond):
            text = f"found {len(each.cells)} cells, expected {len(names)} as in the header"
            problems.append(Problem(text, each.row))
        else:
            entries.append(_entry(dict(zip(names, cells, strict=True)), each.row))
    return entries, problems


def _entry(cells: Mapping[str, str], row: int) -> Entry:
    known = {name: cells.get(name, "") for name in (*REQUIRED, *OPTIONAL)}
    # Spreadsheets leave columns without a name behind.
    others = {name: cell for name, cell in cells.items() if name and name not in known}
    return Entry(**known, covariates=others, row=row)


def _header_problems(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield column and text of what is wrong with a header."""
    known = (*REQUIRED, *OPTIONAL)
    alike = {name: name.casefold().replace(" ", "_").replace("-", "_") for name in names if name not in known}
    for name in REQUIRED:
        if name not in names and name not in alike.values():
            near = nearest_name(name, [each for each in names if each not in known])
            hint = f" (is it {near}?)" if near else ""
            found = shown(",".join(names))
            yield name, f"found no such column in {found}{hint}, expected {','.join(REQUIRED)}"
    for name, meant in alike.items():
        if meant in known:
            yield name, f"found {shown(name)}, expected it to be spelled {meant}"
    for name in dict.fromkeys(names):
        if name and names.count(name) > 1:
            yield name, f"found it {names.count(name)} times, expected each column once"


def shown(cell: str) -> str:
    """Quote a cell for a message, cut where it is long."""
    if not cell:
        return "an empty cell"
    return repr(cell if len(cell) <= _LONGEST_CELL else f"{cell[:_LONGEST_CELL]}...")


def _in_one_line(text: str) -> str:
    # Of what comes from a file nothing must reach a terminal but what can be seen.
    line = "".join(each if each.isprintable() else "\ufffd" for each in " ".join(text.split()))
    return line if len(line) <= _LONGEST_TEXT else f"{line[:_LONGEST_TEXT]}..."
