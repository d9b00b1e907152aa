"""Tables of what both modalities show: landmarks, side branches, and positions of frames."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from coreg.io.case_model import ID_RULE
from coreg.io.files import unusable
from coreg.io.tables import Cell, Table, read_table, write_table
from coreg.landmarks import KINDS, Landmark, SideBranch
from coreg.review import ACCEPTED, ORIGINS, STATES, ReviewedLandmark

FloatArray = npt.NDArray[np.float64]
Choice = TypeVar("Choice", bound=str)

LANDMARK_COLUMNS = ("id", "frame", "angle_deg", "x_mm", "y_mm", "z_mm")
_OPTIONAL = ("radius_mm", "kind", "sd_frames", "sd_deg")
_REVIEWED = ("state", "origin", "reviewer", "time")
_DIRECTION = ("dir_x", "dir_y", "dir_z")
_FARTHEST_MM = 1e5
_FARTHEST_FROM_CATHETER_MM = 30.0
_VAGUEST = 1e6
_MOST_LANDMARKS = 1000
ID_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def read_positions(path: Path) -> dict[int, float]:
    """Read positions.csv: withdrawal in mm by acquisition index.

    Raises
    ------
    InputError
        If it is no such table, a position is missing or not finite, or a frame comes twice.
    """
    table = read_table(path, required=("frame", "position_mm"))
    frames = table.whole_numbers("frame")
    positions = table.numbers("position_mm", required=True)
    for row, frame in enumerate(frames):
        if frame in frames[:row]:
            raise table.bad_cell(row, "frame", "each frame once")
    return {int(frame): float(position) for frame, position in zip(frames, positions, strict=True)}


def write_positions(path: Path, positions: Mapping[int, float]) -> None:
    """Write positions.csv in acquisition order."""
    write_table(path, ["frame", "position_mm"], sorted(positions.items()))


def read_landmarks(path: Path) -> tuple[Landmark, ...]:
    """Read landmarks.csv. A half of a pair may be empty, not both.

    Of a landmarks_reviewed.csv, which has the column ``state``, only those come that a reader accepted or
    corrected: proposed and rejected ones are neither to guide nor to be measured.

    Raises
    ------
    InputError
        If it is no such table, an id is malformed or comes twice, or a value is out of range.
    """
    table = _landmark_table(path)
    if "state" not in table:
        return _landmarks(table)
    # What is still being set may have no half at all.
    reviewed = zip(_landmarks(table, empty=True), _one_of(table, "state", STATES, "proposed"), strict=True)
    return tuple(each for each, state in reviewed if state in ACCEPTED and not _is_empty(each))


def read_reviewed_landmarks(path: Path) -> tuple[ReviewedLandmark, ...]:
    """Read all rows of landmarks_reviewed.csv, or of a landmarks.csv, whose rows count as proposed.

    Raises
    ------
    InputError
        If it is no such table, an id is malformed or comes twice, or a value is out of range.
    """
    table = _landmark_table(path)
    states, origins = _one_of(table, "state", STATES, "proposed"), _one_of(table, "origin", ORIGINS, "given")
    reviewers, times = table.texts("reviewer"), table.texts("time")
    return tuple(
        ReviewedLandmark(each, states[row], origins[row], reviewers[row] or "", times[row] or "")
        for row, each in enumerate(_landmarks(table, empty="state" in table))
    )


def write_landmarks(path: Path, landmarks: Iterable[Landmark]) -> None:
    """Write landmarks.csv with all optional columns."""
    write_table(path, [*LANDMARK_COLUMNS, *_OPTIONAL], (_landmark_row(each) for each in landmarks))


def write_reviewed_landmarks(path: Path, landmarks: Iterable[ReviewedLandmark]) -> None:
    """Write landmarks_reviewed.csv: the columns of landmarks.csv and what a reader thinks of each."""
    rows = (
        (*_landmark_row(each.landmark), each.state, each.origin, each.reviewer, each.time)
        for each in landmarks
    )
    write_table(path, [*LANDMARK_COLUMNS, *_OPTIONAL, *_REVIEWED], rows)


def _landmark_row(landmark: Landmark) -> tuple[Cell, ...]:
    return (
        landmark.id,
        landmark.frame,
        _degrees(landmark.angle_rad),
        *_coordinates(landmark.world_mm),
        landmark.radius_mm,
        landmark.kind,
        landmark.sd_frames,
        _degrees(landmark.sd_rad),
    )


def _landmark_table(path: Path) -> Table:
    table = read_table(path, required=LANDMARK_COLUMNS, optional=(*_OPTIONAL, *_REVIEWED))
    if len(table) > _MOST_LANDMARKS:
        expected = f"at most {_MOST_LANDMARKS}, those that both modalities show"
        raise unusable(path, "", found=f"{len(table)} landmarks", expected=expected)
    return table


def _landmarks(table: Table, *, empty: bool = False) -> tuple[Landmark, ...]:
    """Landmarks of all rows; ``empty`` lets both halves be missing."""
    ids, world = _ids(table), _world(table)
    frame, angle = _frames(table, "frame"), _angles(table, "angle_deg")
    radius = _distances(table)
    sd_frames, sd_deg = _not_negative(table, "sd_frames"), _not_negative(table, "sd_deg")
    kinds = _one_of(table, "kind", KINDS, "branch")
    landmarks = []
    for row, name in enumerate(ids):
        if frame[row] is None and world[row] is None and not empty:
            raise table.bad_cell(row, "frame", "a frame or x_mm,y_mm,z_mm, or both")
        if frame[row] is None and angle[row] is not None:
            raise table.bad_cell(row, "frame", "the frame in which angle_deg was read")
        sd = sd_deg[row]
        landmarks.append(
            Landmark(
                name,
                kinds[row],
                frame[row],
                angle[row],
                world[row],
                radius[row],
                sd_frames[row],
                None if sd is None else float(np.deg2rad(sd)),
            )
        )
    return tuple(landmarks)


def _is_empty(landmark: Landmark) -> bool:
    return landmark.frame is None and landmark.world_mm is None


def read_ccta_side_branches(path: Path) -> tuple[SideBranch, ...]:
    """Read ccta_side_branches.csv: ostium centres, and directions where known, in LPS.

    Raises
    ------
    InputError
        If it is no such table, an id is malformed or comes twice, or a value is out of range.
    """
    optional = ("arc_length_mm", "radius_mm", "probability", *_DIRECTION)
    table = read_table(path, required=("id", "x_mm", "y_mm", "z_mm"), optional=optional)
    points = np.column_stack([table.numbers(name, required=True) for name in ("x_mm", "y_mm", "z_mm")])
    arc, radius, probability = (
        _optional(table, "arc_length_mm"),
        _not_negative(table, "radius_mm"),
        _shares(table),
    )
    directions = _directions(table)
    return tuple(
        SideBranch(
            name,
            points[row],
            arc[row],
            radius[row],
            probability=probability[row],
            direction=directions[row],
        )
        for row, name in enumerate(_ids(table))
    )


def write_ccta_side_branches(path: Path, branches: Iterable[SideBranch]) -> None:
    """Write ccta_side_branches.csv."""
    names = ["id", "arc_length_mm", "x_mm", "y_mm", "z_mm", "radius_mm", "probability", *_DIRECTION]
    rows = (
        (
            each.id,
            each.arc_length_mm,
            *_coordinates(each.world_mm),
            each.radius_mm,
            each.probability,
            *_coordinates(each.direction),
        )
        for each in branches
    )
    write_table(path, names, rows)


def read_pullback_side_branches(path: Path) -> tuple[SideBranch, ...]:
    """Read pullback_side_branches.csv: frames and angles in the stored image.

    Raises
    ------
    InputError
        If it is no such table, an id is malformed or comes twice, or a value is out of range.
    """
    optional = ("first_frame", "last_frame", "probability")
    table = read_table(path, required=("id", "frame", "angle_deg"), optional=optional)
    table.numbers("frame", required=True)
    frame, angle = _frames(table, "frame"), _angles(table, "angle_deg")
    first, last, probability = _frames(table, "first_frame"), _frames(table, "last_frame"), _shares(table)
    return tuple(
        SideBranch(
            name,
            frame=frame[row],
            first_frame=first[row],
            last_frame=last[row],
            angle_rad=angle[row],
            probability=probability[row],
        )
        for row, name in enumerate(_ids(table))
    )


def write_pullback_side_branches(path: Path, branches: Iterable[SideBranch]) -> None:
    """Write pullback_side_branches.csv."""
    names = ["id", "frame", "angle_deg", "first_frame", "last_frame", "probability"]
    rows = (
        (each.id, each.frame, _degrees(each.angle_rad), each.first_frame, each.last_frame, each.probability)
        for each in branches
    )
    write_table(path, names, rows)


def _ids(table: Table) -> list[str]:
    ids = table.columns["id"]
    for row, name in enumerate(ids):
        if not ID_PATTERN.fullmatch(name):
            raise table.bad_cell(row, "id", ID_RULE)
        if name in ids[:row]:
            raise table.bad_cell(row, "id", "each id once")
    return ids


def _one_of(table: Table, name: str, known: Sequence[Choice], default: Choice) -> list[Choice]:
    """Cells of a column, each one of some texts; an empty or absent one is the default."""
    chosen: list[Choice] = []
    for row, text in enumerate(table.texts(name)):
        choice = next((each for each in known if each == (text or default)), None)
        if choice is None:
            raise table.bad_cell(row, name, " or ".join(known))
        chosen.append(choice)
    return chosen


def _world(table: Table) -> list[FloatArray | None]:
    points = np.column_stack([table.numbers(name) for name in ("x_mm", "y_mm", "z_mm")])
    known = np.isfinite(points)
    for row in np.flatnonzero(known.any(axis=1) & ~known.all(axis=1)):
        name = ("x_mm", "y_mm", "z_mm")[int(np.argmin(known[row]))]
        raise table.bad_cell(int(row), name, "all of x_mm,y_mm,z_mm, or none")
    for row, column in np.argwhere(np.abs(points) > _FARTHEST_MM):
        expected = f"mm, within {_FARTHEST_MM:g} mm of the scanner's centre"
        raise table.bad_cell(int(row), ("x_mm", "y_mm", "z_mm")[column], expected)
    return [point if np.isfinite(point).all() else None for point in points]


def _directions(table: Table) -> list[FloatArray | None]:
    vectors = np.column_stack([table.numbers(name) for name in _DIRECTION])
    directions: list[FloatArray | None] = []
    for row, vector in enumerate(vectors):
        length = float(np.linalg.norm(vector))
        known = bool(np.isfinite(vector).any())
        if known and not length > 1e-6:
            raise table.bad_cell(row, _DIRECTION[0], "a vector dir_x,dir_y,dir_z, or none of the three")
        directions.append(vector / length if known else None)
    return directions


def _optional(table: Table, name: str) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in table.numbers(name)]


def _within(table: Table, name: str, *, low: float, high: float, expected: str) -> list[float | None]:
    values = table.numbers(name)
    bad = np.flatnonzero((values < low) | (values > high))
    if len(bad):
        raise table.bad_cell(int(bad[0]), name, expected)
    return _optional(table, name)


def _frames(table: Table, name: str) -> list[float | None]:
    return _within(table, name, low=0.0, high=1e9, expected="a frame, counted from 0")


def _not_negative(table: Table, name: str) -> list[float | None]:
    return _within(table, name, low=0.0, high=_VAGUEST, expected=f"0 or more, at most {_VAGUEST:g}")


def _distances(table: Table) -> list[float | None]:
    """Distances from the catheter, beyond which no image reaches."""
    expected = f"the distance from the catheter, 0 to {_FARTHEST_FROM_CATHETER_MM:g} mm; is it in pixels?"
    return _within(table, "radius_mm", low=0.0, high=_FARTHEST_FROM_CATHETER_MM, expected=expected)


def _shares(table: Table) -> list[float]:
    values = _within(table, "probability", low=0.0, high=1.0, expected="a probability from 0 to 1")
    return [1.0 if value is None else value for value in values]


def _angles(table: Table, name: str) -> list[float | None]:
    degrees = _within(table, name, low=-360.0, high=360.0, expected="degrees in (-180, 180]")
    return [
        None if value is None else float(np.deg2rad(180.0 - (180.0 - value) % 360.0)) for value in degrees
    ]


def _degrees(angle_rad: float | None) -> float | None:
    return None if angle_rad is None else float(np.rad2deg(angle_rad))


def _coordinates(world_mm: FloatArray | None) -> tuple[float | None, ...]:
    return (None, None, None) if world_mm is None else tuple(float(value) for value in world_mm)
