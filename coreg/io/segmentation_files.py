"""What the segmentation of a CCTA leaves behind, and how it is read back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from coreg.calcium import calcium_deposits
from coreg.ccta_vessel import CctaVessel
from coreg.centerline import Centerline, VesselTree
from coreg.io.centerlines import read_centerlines, write_centerline_csv, write_centerline_vtp
from coreg.io.files import unusable
from coreg.io.json_fields import USE, Fields, parsed_json, write_json
from coreg.io.landmark_files import read_ccta_side_branches, write_ccta_side_branches
from coreg.io.surfaces import write_surface
from coreg.io.tables import Cell, Table, has_rows, read_table, write_table
from coreg.io.volumes import write_volume
from coreg.io.vtk_files import vtk_is_there
from coreg.surface import Surface
from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]

FILE_NAME = "segmentation.json"
SCHEMA_VERSION = 1
LUMEN, VESSEL, WALL = "ccta_lumen.nii.gz", "ccta_vessel.nii.gz", "ccta_wall.nii.gz"
SURFACE = "ccta_lumen.stl"
CENTERLINE, SIDE_BRANCHES = "centerline", "ccta_side_branches.csv"
BRANCH_LINES, SECTIONS, CALCIUM = "ccta_branch_lines.csv", "ccta_sections.csv", "ccta_calcium.csv"
TREE = "tree"
_SECTION_COLUMNS = ("arc_length_mm", "angle_deg", "lumen_radius_mm", "wall_radius_mm", "calcium_mm")
_TREE_COLUMNS = ("line", "x_mm", "y_mm", "z_mm", "arc_length_mm", "radius_mm")
# A tenth of a micrometre; more digits would treble the largest table.
_DIGITS = 4


@dataclass(frozen=True, eq=False)
class VesselShapes:
    """A segmented vessel as labels on the CCTA's grid and as a surface.

    Attributes
    ----------
    lumen : Volume
        uint8, 1 in the lumen of the vessel and its side branches.
    vessel : Volume
        uint8, 1 in the lumen of the vessel alone, the mouths of side branches closed.
    wall : Volume or None
        uint8, 1 inside the vessel's outer wall; None where only its lumen is known.
    surface : Surface
        Of the lumen, to a fraction of a voxel.
    """

    lumen: Volume
    vessel: Volume
    wall: Volume | None
    surface: Surface


def write_ccta_segmentation(
    folder: Path, vessel: CctaVessel, shapes: VesselShapes, *, case_id: str, made: Mapping[str, Any]
) -> None:
    """Write all files of a segmented vessel into a folder.

    Parameters
    ----------
    folder : Path
        Must exist.
    vessel : CctaVessel
        What was found.
    shapes : VesselShapes
        The same as labels and surface.
    case_id : str
        Whose result it is.
    made : mapping
        How it was made: versions, hashes of inputs.
    """
    line = vessel.centerline
    for name, label in ((LUMEN, shapes.lumen), (VESSEL, shapes.vessel), (WALL, shapes.wall)):
        if label is not None:
            write_volume(folder / name, label)
    write_surface(folder / SURFACE, shapes.surface)
    write_centerline_csv(
        folder / f"{CENTERLINE}.csv",
        line,
        quality=vessel.quality,
        reason=vessel.reason,
        wall_quality=vessel.wall_quality,
    )
    if vtk_is_there():
        write_centerline_vtp(folder / f"{CENTERLINE}.vtp", [line])
    write_ccta_side_branches(folder / SIDE_BRANCHES, vessel.side_branches)
    names = [each.id for each in vessel.side_branches]
    write_table(folder / BRANCH_LINES, ("id", *_TREE_COLUMNS[1:]), _line_rows(names, vessel.branch_lines))
    write_table(folder / SECTIONS, _SECTION_COLUMNS, _section_rows(vessel))
    if not vessel.only_lumen:
        write_calcium(folder / CALCIUM, vessel)
    content = {
        "schema_version": SCHEMA_VERSION,
        "use": USE,
        "case_id": case_id,
        "length_mm": float(np.ptp(line.arc_length_mm)),
        "marked_share": float(vessel.marked.mean()),
        "moved_mm": vessel.moved_mm,
        "notes": vessel.notes,
        "provenance": made,
    }
    write_json(folder / FILE_NAME, content)


def read_ccta_segmentation(folder: Path) -> CctaVessel:
    """Read back the vessel that `write_ccta_segmentation` wrote, to 0.1 micrometres.

    Raises
    ------
    InputError
        If a file is missing or broken, or they do not belong together.
    """
    path = folder / FILE_NAME
    fields = Fields(path, "", parsed_json(path))
    fields.check_schema(SCHEMA_VERSION)
    line, quality, reason, wall_quality = _read_centerline(folder / f"{CENTERLINE}.csv")
    lumen, wall, calcium = _read_sections(folder / SECTIONS, len(line.points_mm))
    table = folder / SIDE_BRANCHES
    branches = read_ccta_side_branches(table) if table.is_file() and has_rows(table) else ()
    moved = fields.inner("moved_mm")
    try:
        return CctaVessel(
            line,
            lumen,
            wall,
            calcium,
            quality,
            reason,
            wall_quality,
            branches,
            _read_branch_lines(folder / BRANCH_LINES, [each.id for each in branches]),
            {name: moved.number(name) for name in fields.mapping("moved_mm")},
            fields.texts("notes"),
        )
    except ValueError as error:
        raise unusable(folder, "", found=str(error), expected="files of one segmentation") from error


def write_calcium(path: Path, vessel: CctaVessel) -> None:
    """Write ccta_calcium.csv: a row per deposit, proximal first."""
    rows = (
        (
            i + 1,
            each.start_mm,
            each.end_mm,
            float(np.degrees(each.angle_rad)),
            float(np.degrees(each.extent_rad)),
            each.thickness_mm,
        )
        for i, each in enumerate(calcium_deposits(vessel))
    )
    write_table(path, ["id", "start_mm", "end_mm", "angle_deg", "extent_deg", "thickness_mm"], rows)


def write_ccta_tree(folder: Path, tree: VesselTree, *, case_id: str, made: Mapping[str, Any]) -> None:
    """Write the lines of a whole tree: tree.csv, tree.vtp with the `mesh` extra, and segmentation.json."""
    numbers = [str(i) for i in range(len(tree.lines))]
    write_table(folder / f"{TREE}.csv", _TREE_COLUMNS, _line_rows(numbers, tree.lines))
    if vtk_is_there():
        write_centerline_vtp(folder / f"{TREE}.vtp", tree.lines)
    content = {"schema_version": SCHEMA_VERSION, "use": USE, "case_id": case_id, "lines": len(tree.lines)}
    write_json(folder / FILE_NAME, content | {"provenance": made})


def read_ccta_tree(path: Path) -> VesselTree:
    """Read tree.csv.

    Raises
    ------
    InputError
        If it is no such table or a line has fewer than two points.
    """
    table = read_table(path, required=_TREE_COLUMNS)
    return VesselTree(tuple(_lines_by(table, "line").values()))


def _line_rows(names: Sequence[str], lines: Sequence[Centerline]) -> Iterator[Sequence[Cell]]:
    for name, line in zip(names, lines, strict=True):
        radius = np.full(len(line.points_mm), np.nan) if line.radius_mm is None else line.radius_mm
        for point, arc, each in zip(line.points_mm.tolist(), line.arc_length_mm, radius, strict=True):
            yield [name, *point, float(arc), float(each)]


def _section_rows(vessel: CctaVessel) -> Iterator[Sequence[Cell]]:
    arc = np.repeat(vessel.centerline.arc_length_mm, len(vessel.angles_rad))
    angle = np.tile(np.degrees(vessel.angles_rad), len(vessel.quality))
    tables = (vessel.lumen_radius_mm, vessel.wall_radius_mm, vessel.calcium_mm)
    columns = np.column_stack([arc, angle, *(each.ravel() for each in tables)])
    yield from columns.round(_DIGITS).tolist()


def _read_centerline(path: Path) -> tuple[Centerline, FloatArray, tuple[str, ...], FloatArray]:
    line = read_centerlines(path).lines[0]
    names = ("x_mm", "y_mm", "z_mm", "arc_length_mm", "radius_mm", "quality", "reason", "wall_quality")
    table = read_table(path, required=names)
    reason = tuple(each or "" for each in table.texts("reason"))
    quality, wall = (table.numbers(name, required=True) for name in ("quality", "wall_quality"))
    return line, quality, reason, wall


def _read_sections(path: Path, count: int) -> list[FloatArray]:
    """Tables (count, angles) of lumen radius, wall radius and calcium."""
    table = read_table(path, required=_SECTION_COLUMNS)
    if len(table) % count:
        expected = f"the same number of angles at each of the centerline's {count} points"
        raise unusable(path, "", found=f"{len(table)} rows", expected=expected)
    return [table.numbers(name, required=True).reshape(count, -1) for name in _SECTION_COLUMNS[2:]]


def _read_branch_lines(path: Path, names: Sequence[str]) -> tuple[Centerline, ...]:
    if not (path.is_file() and has_rows(path)):
        return ()
    lines = _lines_by(read_table(path, required=("id", *_TREE_COLUMNS[1:])), "id")
    if set(lines) != set(names):
        raise unusable(path, "id", found=", ".join(lines), expected=f"the ids of {SIDE_BRANCHES}")
    return tuple(lines[name] for name in names)


def _lines_by(table: Table, column: str) -> dict[str, Centerline]:
    points = np.column_stack([table.numbers(name, required=True) for name in ("x_mm", "y_mm", "z_mm")])
    radius, names = table.numbers("radius_mm"), np.array(table.columns[column])
    lines = {}
    for name in dict.fromkeys(table.columns[column]):
        rows = names == name
        known = bool(np.isfinite(radius[rows]).all())
        try:
            lines[name] = Centerline(points[rows], radius[rows] if known else None)
        except ValueError as error:
            expected = "at least two distinct points"
            raise unusable(table.path, f"{column} {name}", found=str(error), expected=expected) from error
    return lines
