"""frames.csv and validation.csv: tables of a registration, in acquisition order and degrees."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from coreg.catheter_path import VirtualCatheterPath
from coreg.io.files import unusable
from coreg.io.tables import Table, read_table, write_table

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


def write_frames(path: Path, catheter_path: VirtualCatheterPath) -> None:
    """Write frames.csv: a row per frame in acquisition order, empty cells where there is no pose.

    Standard deviations are not estimated in this version; their columns stay empty.
    """
    poses = np.column_stack([catheter_path.origin_mm, catheter_path.column, catheter_path.row])
    degrees = 180.0 - (180.0 - np.rad2deg(catheter_path.rotation_rad)) % 360.0
    posed = catheter_path.posed
    rows = []
    for i in np.argsort(catheter_path.frame, kind="stable"):
        pose = poses[i] if posed[i] else np.full(9, np.nan)
        arc, angle = (catheter_path.arc_length_mm[i], degrees[i]) if posed[i] else (np.nan, np.nan)
        head = (catheter_path.frame[i], catheter_path.position_mm[i], arc, *pose, angle)
        rows.append((*head, None, None, catheter_path.reliable[i], catheter_path.reason[i]))
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
        )
    except ValueError as error:
        raise unusable(path, "poses", found=str(error), expected="perpendicular unit axes") from error


def write_validation(path: Path, errors: Iterable[Any]) -> None:
    """Write validation.csv from objects that have its columns as attributes; NaN becomes empty."""
    rows = ([getattr(each, name) for name in VALIDATION_COLUMNS] for each in errors)
    write_table(path, VALIDATION_COLUMNS, rows)


def _truths(table: Table, name: str) -> npt.NDArray[np.bool_]:
    for i, cell in enumerate(table.columns[name]):
        if cell not in {"0", "1"}:
            raise table.bad_cell(i, name, "0 or 1")
    return np.array([cell == "1" for cell in table.columns[name]], dtype=bool)
