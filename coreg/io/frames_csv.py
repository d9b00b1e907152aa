"""frames.csv and validation.csv: tables of a registration, in acquisition order and degrees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from coreg.catheter_path import VirtualCatheterPath
from coreg.io.files import unusable
from coreg.io.tables import Cell, Table, read_table, write_table

FloatArray = npt.NDArray[np.float64]

_ORIGIN = ("x_mm", "y_mm", "z_mm")
_COLUMN = ("col_x", "col_y", "col_z")
_ROW = ("row_x", "row_y", "row_z")
FRAME_COLUMNS = (
    "frame",
    "position_mm",
    "arc_length_mm",
    *_ORIGIN,
    *_COLUMN,
    *_ROW,
    "rotation_deg",
    "arc_length_sd_mm",
    "rotation_sd_deg",
    "reliable",
    "reason",
)
VALIDATION_COLUMNS = (
    "id",
    "kind",
    "frame_expected",
    "frame_found",
    "error_frames",
    "error_mm",
    "error_deg",
    "error_tangential_mm",
    "error_3d_mm",
)
_LEFT_OUT = ("error_frames", "error_mm", "error_deg", "error_tangential_mm", "error_3d_mm")
_COLUMNS_LEFT_OUT = tuple(f"{name}_left_out" for name in _LEFT_OUT)


class LeftOut(NamedTuple):
    """Errors of a landmark on a path found without it, as `coreg.validation.LandmarkError` has them."""

    id: str
    error_frames: float
    error_mm: float
    error_deg: float
    error_tangential_mm: float
    error_3d_mm: float


def write_frames(path: Path, catheter_path: VirtualCatheterPath) -> None:
    """Write frames.csv: a row per frame in acquisition order, empty cells where there is no pose."""
    poses = np.column_stack([catheter_path.origin_mm, catheter_path.column, catheter_path.row])
    degrees = 180.0 - (180.0 - np.rad2deg(catheter_path.rotation_rad)) % 360.0
    posed = catheter_path.posed
    rows = []
    for i in np.argsort(catheter_path.frame, kind="stable"):
        pose = poses[i] if posed[i] else np.full(9, np.nan)
        arc, angle = (catheter_path.arc_length_mm[i], degrees[i]) if posed[i] else (np.nan, np.nan)
        head = (catheter_path.frame[i], catheter_path.position_mm[i], arc, *pose, angle)
        spread = (catheter_path.arc_length_sd_mm[i], np.rad2deg(catheter_path.rotation_sd_rad[i]))
        rows.append((*head, *spread, catheter_path.reliable[i], catheter_path.reason[i]))
    write_table(path, FRAME_COLUMNS, rows)


def read_frames(path: Path) -> VirtualCatheterPath:
    """Read frames.csv into a path, proximal to distal.

    Raises
    ------
    InputError
        If it is no such table, a pose is incomplete, or its axes are not perpendicular unit vectors.
    """
    table = read_table(path, required=FRAME_COLUMNS)
    frame, position = table.whole_numbers("frame"), table.numbers("position_mm", required=True)
    for i in range(len(frame)):
        if frame[i] in frame[:i]:
            raise table.bad_cell(i, "frame", "each frame once")
    order = np.lexsort((frame, -position))
    names = [*_ORIGIN, *_COLUMN, *_ROW, "arc_length_mm", "rotation_deg"]
    poses = np.column_stack([table.numbers(name) for name in names])
    known = np.isfinite(poses)
    partial = np.flatnonzero(known.any(axis=1) & ~known.all(axis=1))
    if len(partial):
        raise table.bad_cell(
            int(partial[0]), names[int(np.argmin(known[partial[0]]))], "a whole pose, or none"
        )
    reason = [text or "" for text in table.texts("reason")]
    try:
        return VirtualCatheterPath(
            frame=frame[order],
            position_mm=position[order],
            arc_length_mm=poses[order, 9],
            rotation_rad=np.deg2rad(poses[order, 10]),
            origin_mm=poses[order, :3],
            column=poses[order, 3:6],
            row=poses[order, 6:9],
            reliable=_truths(table, "reliable")[order],
            reason=tuple(reason[i] for i in order),
            arc_length_sd_mm=table.numbers("arc_length_sd_mm")[order],
            rotation_sd_rad=np.deg2rad(table.numbers("rotation_sd_deg")[order]),
        )
    except ValueError as error:
        raise unusable(path, "poses", found=str(error), expected="perpendicular unit axes") from error


def write_validation(
    path: Path,
    errors: Iterable[Any],
    *,
    guides: Mapping[str, str] | None = None,
    left_out: Sequence[Any] = (),
) -> None:
    """Write validation.csv; NaN becomes empty.

    Parameters
    ----------
    path : Path
        The file.
    errors : iterable
        Objects that have its columns as attributes.
    guides : mapping of str to str, optional
        What landmarks were used as, by id; where there are any, they have a column.
    left_out : sequence
        Errors of the same landmarks on paths found without them; where there are any, they have columns.
    """
    names, own = list(VALIDATION_COLUMNS), {each.id: each for each in left_out}
    names += ["used_as"] if guides else []
    names += _COLUMNS_LEFT_OUT if own else ()
    rows = []
    for each in errors:
        row: list[Cell] = [getattr(each, name) for name in VALIDATION_COLUMNS]
        row += [guides.get(each.id)] if guides else []
        row += [getattr(own.get(each.id), name, None) for name in _LEFT_OUT] if own else []
        rows.append(row)
    write_table(path, names, rows)


def read_left_out(path: Path) -> tuple[LeftOut, ...]:
    """Read the errors of landmarks left out from validation.csv; none where it has no such columns.

    Raises
    ------
    InputError
        If it is no such table, or a cell is no number.
    """
    table = _read_validation(path)
    if not all(name in table for name in _COLUMNS_LEFT_OUT):
        return ()
    values = np.column_stack([table.numbers(name) for name in _COLUMNS_LEFT_OUT])
    return tuple(
        LeftOut(name, *map(float, row)) for name, row in zip(table.columns["id"], values, strict=True)
    )


def read_counted_errors(path: Path) -> tuple[LeftOut, ...]:
    """Read from validation.csv the errors that tell of accuracy.

    Of a landmark that guided this is the one that was measured while it was left out, if any; its own is a
    residual of a fit.

    Raises
    ------
    InputError
        If it is no such table, or a cell is no number.
    """
    table = _read_validation(path)
    own, left = (
        np.column_stack([table.numbers(name) for name in names]) for names in (_LEFT_OUT, _COLUMNS_LEFT_OUT)
    )
    guided = np.array([each is not None for each in table.texts("used_as")], dtype=bool)
    counted = ~guided | np.isfinite(left).any(axis=1)
    values = np.where(guided[:, None], left, own)
    names = table.columns["id"]
    return tuple(LeftOut(names[row], *map(float, values[row])) for row in np.flatnonzero(counted))


def _read_validation(path: Path) -> Table:
    return read_table(path, required=VALIDATION_COLUMNS, optional=("used_as", *_COLUMNS_LEFT_OUT))


def _truths(table: Table, name: str) -> npt.NDArray[np.bool_]:
    for i, cell in enumerate(table.columns[name]):
        if cell not in {"0", "1"}:
            raise table.bad_cell(i, name, "0 or 1")
    return np.array([cell == "1" for cell in table.columns[name]], dtype=bool)
