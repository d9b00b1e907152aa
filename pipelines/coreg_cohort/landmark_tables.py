"""Errors of one case at its landmarks, those that are worth something told from residuals of a fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from coreg.catheter_path import VirtualCatheterPath
from coreg.io.frames_csv import VALIDATION_COLUMNS, LeftOut
from coreg.io.tables import Table, read_table
from coreg.validation import LandmarkError

FloatArray = npt.NDArray[np.float64]

MOST_FRAMES = 1e9
# Beyond these something else went wrong than a registration, and sums of them would be of no use.
LARGEST = {"error_mm": 1e4, "error_frames": MOST_FRAMES, "error_deg": 360.0}
MOST_SD = 1e4


@dataclass(frozen=True, eq=False)
class Errors:
    """Signed errors at the landmarks of one case, found minus expected; NaN where not measured.

    Attributes
    ----------
    id : tuple of str
        Of the N landmarks.
    frame_expected : (N,) array
        Where they were annotated, acquisition index.
    error_mm, error_frames, error_deg : (N,) arrays
        Along the vessel and about the catheter.
    sd_mm, sd_deg : (N,) arrays
        Standard deviations that the registration states there; NaN where it states none for this error.
    """

    id: tuple[str, ...]
    frame_expected: FloatArray
    error_mm: FloatArray
    error_frames: FloatArray
    error_deg: FloatArray
    sd_mm: FloatArray
    sd_deg: FloatArray

    def __len__(self) -> int:
        """Count the landmarks."""
        return len(self.id)

    @property
    def frame_found(self) -> FloatArray:
        """Frame (N,) whose plane passes through each landmark picked in the CCTA."""
        return self.frame_expected + self.error_frames

    def taken(self, rows: npt.NDArray[np.bool_]) -> Errors:
        """Return those of some landmarks, rows (N,)."""
        names = tuple(name for name, chosen in zip(self.id, rows, strict=True) if chosen)
        return Errors(names, *(getattr(self, each.name)[rows] for each in fields(self)[1:]))


NO_ERRORS = Errors((), *[np.zeros(0)] * 6)


class CaseErrors(NamedTuple):
    """Errors that count, and residuals at landmarks that guided, which say nothing of accuracy."""

    counted: Errors
    residuals: Errors


def read_errors(path: Path, placed: VirtualCatheterPath | None = None) -> CaseErrors:
    """Read validation.csv.

    Of a landmark that guided the error counts that was measured while it was left out; where there is none,
    it has a residual only.

    Parameters
    ----------
    path : Path
        The table.
    placed : VirtualCatheterPath, optional
        Whose errors they are, for its standard deviations. A landmark left out was measured on another
        path, whose standard deviations are not known.

    Raises
    ------
    InputError
        If it is no such table.
    """
    left_out = tuple(f"{each}_left_out" for each in LeftOut._fields[1:])
    table = read_table(path, required=VALIDATION_COLUMNS, optional=("used_as", *left_out))
    names = tuple(table.columns["id"])
    guided = np.array([each is not None for each in table.texts("used_as")], dtype=bool)
    frame = _sizes(table, "frame_expected", MOST_FRAMES)
    spread = _spread(placed, frame)
    own = [_sizes(table, name, most) for name, most in LARGEST.items()]
    left = [_sizes(table, f"{name}_left_out", most) for name, most in LARGEST.items()]
    measured_apart = guided & np.isfinite(left).any(axis=0)
    counted = Errors(
        names,
        frame,
        *np.where(guided, left, own),
        *np.where(guided, np.nan, spread),
    )
    residuals = Errors(names, frame, *own, *np.full((2, len(names)), np.nan))
    return CaseErrors(counted.taken(~guided | measured_apart), residuals.taken(guided))


def errors_from(errors: Sequence[LandmarkError], placed: VirtualCatheterPath) -> Errors:
    """Make a table of errors that were measured just now."""
    frame = np.array([each.frame_expected for each in errors], dtype=np.float64)
    values = ([getattr(each, name) for each in errors] for name in LARGEST)
    columns = (np.array(each, dtype=np.float64) for each in values)
    return Errors(tuple(each.id for each in errors), frame, *columns, *_spread(placed, frame))


def _spread(placed: VirtualCatheterPath | None, frame: FloatArray) -> FloatArray:
    """Standard deviations (2, N) of place in mm and rotation in degrees at frames (N,)."""
    if placed is None or not len(placed):
        return np.full((2, len(frame)), np.nan)
    rows, every = placed.rows_of(frame), np.arange(len(placed))
    stated = np.array([placed.arc_length_sd_mm, np.degrees(placed.rotation_sd_rad)])
    known = np.where(np.abs(stated) <= MOST_SD, stated, np.nan)
    return np.array([np.interp(rows, every, each) for each in known])


def _sizes(table: Table, name: str, most: float) -> FloatArray:
    """Numbers of a column, NaN where empty or absent, that an error may have."""
    values = table.numbers(name)
    beyond = np.flatnonzero(np.abs(values) > most)
    if len(beyond):
        raise table.bad_cell(int(beyond[0]), name, f"a number from -{most:g} to {most:g}")
    return values
