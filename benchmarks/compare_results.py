"""What one method made of one case, and the tables on disk that keep it.

``cases.csv`` has a row per case and method, ``landmarks.csv`` one per landmark, ``frames.csv.gz`` one per
frame; all errors are signed, found minus true.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Columns = Mapping[str, FloatArray]
Key = tuple[str, ...]
Row = tuple[Any, ...]
Text = Mapping[str, str]

KEY = ("case", "patient", "level", "modality", "method")
FACTS = ("verdict", "error", "seconds", "memory_gb")
MEANS = ("landmark_mm", "landmark_deg", "landmark_3d_mm", "frames_mm", "frames_deg")
LANDMARK_COLUMNS = (
    *("frame_expected", "frame_found", "error_frames", "error_mm", "error_deg"),
    *("error_tangential_mm", "error_3d_mm"),
)
FRAME_COLUMNS = (
    *("frame", "error_frames", "error_mm", "error_deg", "error_3d_mm", "reliable"),
    *("arc_length_sd_mm", "rotation_sd_deg"),
)
CASE_COLUMNS = (*KEY, *FACTS, "landmarks", "frames", *MEANS)
BUG = "bug: "
CASES, LANDMARKS, FRAMES = "cases.csv", "landmarks.csv", "frames.csv.gz"


def no_rows(names: Sequence[str]) -> Columns:
    """Columns of an empty table."""
    return {name: np.zeros(0) for name in names}


@dataclass(frozen=True, eq=False)
class CaseResult:
    """One case by one method.

    Attributes
    ----------
    case, patient, level, modality, method : str
        What was run.
    verdict : str
        good, review, failed; or error, where there is no registration.
    error : str
        Why there is none.
    seconds, memory_gb : float
        Of the method alone, and the highest memory of its process.
    landmark_id : tuple of str
        Names of the landmarks that both modalities show.
    landmarks : mapping of str to (M,) array
        `LANDMARK_COLUMNS`; NaN where no frame met the landmark.
    frames : mapping of str to (N,) array
        `FRAME_COLUMNS` of the frames with a pose; standard deviations are NaN where there is none.
    """

    case: str
    patient: str
    level: str
    modality: str
    method: str
    verdict: str
    error: str = ""
    seconds: float = float("nan")
    memory_gb: float = float("nan")
    landmark_id: tuple[str, ...] = ()
    landmarks: Columns = field(default_factory=lambda: no_rows(LANDMARK_COLUMNS))
    frames: Columns = field(default_factory=lambda: no_rows(FRAME_COLUMNS))

    @property
    def key(self) -> Key:
        """What was run."""
        return tuple(getattr(self, name) for name in KEY)

    @property
    def bug(self) -> bool:
        """Whether the program, not the case, is why there is no registration."""
        return self.error.startswith(BUG)

    @property
    def means(self) -> tuple[float, ...]:
        """Mean absolute errors of the case, in the order of `MEANS`; NaN where nothing was measured."""
        marks = (self.landmarks[name] for name in ("error_mm", "error_deg", "error_3d_mm"))
        frames = (self.frames[name] for name in ("error_mm", "error_deg"))
        return tuple(_mean_size(each) for each in (*marks, *frames))

    def beyond(self, limit_mm: float, limit_deg: float) -> bool:
        """Whether the case's mean landmark error is above either limit, or no landmark was met."""
        mm, deg = self.means[:2]
        return not (mm <= limit_mm and deg <= limit_deg)


def _mean_size(values: FloatArray) -> float:
    known = np.abs(values[np.isfinite(values)])
    return float(known.mean()) if len(known) else float("nan")


def append_results(folder: Path, results: Sequence[CaseResult]) -> None:
    """Add results to the tables of a folder, which are begun where they are missing."""
    folder.mkdir(parents=True, exist_ok=True)
    _append(folder / LANDMARKS, (*KEY, "id", *LANDMARK_COLUMNS), _landmark_rows(results))
    _append(folder / FRAMES, (*KEY, *FRAME_COLUMNS), _frame_rows(results))
    # A case counts as done from here on: a run that is stopped before does it again.
    _append(folder / CASES, CASE_COLUMNS, map(_case_row, results))


def _case_row(each: CaseResult) -> Row:
    facts = (each.verdict, each.error, each.seconds, each.memory_gb)
    return (*each.key, *facts, len(each.landmark_id), len(each.frames["frame"]), *each.means)


def _landmark_rows(results: Iterable[CaseResult]) -> Iterator[Row]:
    for each in results:
        numbers = zip(*(each.landmarks[name] for name in LANDMARK_COLUMNS), strict=True)
        for name, row in zip(each.landmark_id, numbers, strict=True):
            yield (*each.key, name, *row)


def _frame_rows(results: Iterable[CaseResult]) -> Iterator[Row]:
    for each in results:
        for row in zip(*(each.frames[name] for name in FRAME_COLUMNS), strict=True):
            yield (*each.key, *row)


def _append(path: Path, names: Sequence[str], rows: Iterable[Row]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if not path.exists():
        writer.writerow(names)
    writer.writerows([_cell(value) for value in row] for row in rows)
    content = text.getvalue().encode()
    # In one go, so that a run that is stopped leaves no half of a row.
    with path.open("ab") as file:
        file.write(gzip.compress(content) if path.suffix == ".gz" else content)


def read_results(folder: Path) -> list[CaseResult]:
    """Read what `append_results` wrote, in its order; none where there are no tables.

    A method that ended in a bug, or was stopped, may have been run again: the last row counts.

    Raises
    ------
    ValueError
        If a table is missing or is none that `append_results` wrote.
    """
    if not (folder / CASES).exists():
        return []
    last = {_key(row): row for row in _rows(folder / CASES, CASE_COLUMNS)}
    marks = _grouped(folder / LANDMARKS, ("id", *LANDMARK_COLUMNS), by="id")
    frames = _grouped(folder / FRAMES, FRAME_COLUMNS, by="frame")
    return [_result(key, row, marks.get(key, ()), frames.get(key, ())) for key, row in last.items()]


def _result(key: Key, row: Text, marks: Sequence[Text], frames: Sequence[Text]) -> CaseResult:
    return CaseResult(
        *key,
        verdict=row["verdict"],
        error=row["error"],
        seconds=_number(row["seconds"]),
        memory_gb=_number(row["memory_gb"]),
        landmark_id=tuple(each["id"] for each in marks),
        landmarks=_columns(marks, LANDMARK_COLUMNS),
        frames=_columns(frames, FRAME_COLUMNS),
    )


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.4f}".rstrip("0").rstrip(".")
    return str(value)


def _rows(path: Path, names: Sequence[str]) -> list[dict[str, str]]:
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix == ".gz" else content
        reader = csv.DictReader(io.StringIO(content.decode(), newline=""))
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        msg = f"{path}: {error}; expected a table of this comparison"
        raise ValueError(msg) from error
    if missing := [name for name in names if name not in (reader.fieldnames or ())]:
        msg = f"{path}: found no column {missing[0]}, expected a table of this comparison"
        raise ValueError(msg)
    return list(reader)


def _key(row: Text) -> Key:
    return tuple(row[name] for name in KEY)


def _grouped(path: Path, names: Sequence[str], *, by: str) -> dict[Key, list[dict[str, str]]]:
    """Rows of each result; of rows that tell of the same, the last."""
    groups: dict[Key, dict[str, dict[str, str]]] = defaultdict(dict)
    for row in _rows(path, (*KEY, *names)):
        groups[_key(row)][row[by]] = row
    return {key: list(rows.values()) for key, rows in groups.items()}


def _columns(rows: Sequence[Text], names: Sequence[str]) -> Columns:
    return {name: np.array([_number(row[name]) for row in rows], dtype=np.float64) for name in names}


def _number(cell: str) -> float:
    return float(cell) if cell else float("nan")
