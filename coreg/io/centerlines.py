"""Centerlines from VMTK (.vtp), CSV tables and 3D Slicer markups (.mrk.json), in LPS mm."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from coreg.centerline import Centerline, VesselTree
from coreg.io.files import existing_file, read_text, replaced_file, unusable
from coreg.io.tables import read_table, write_table
from coreg.io.vtk_files import read_polydata, write_polylines

FloatArray = npt.NDArray[np.float64]

RADIUS_ARRAY = "MaximumInscribedSphereRadius"
_RAS_TO_LPS = np.array([-1.0, -1.0, 1.0])
# From the groin to the heart is less; points out of order are soon more.
_LONGEST_MM = 2000.0
_FARTHEST_MM = 1e5
_SAME_PLACE_MM = 1e-6


def read_centerlines(path: Path) -> VesselTree:
    """Read one or more centerlines; the format goes by the ending.

    Points that repeat the one before them are dropped.

    Raises
    ------
    InputError
        If the file cannot be read, has no line, or a line has a point that is not finite or fewer
        than two distinct points.
    """
    name = existing_file(path).name.lower()
    if name.endswith(".vtp"):
        return _read_vtp(path)
    if name.endswith(".csv"):
        return _read_csv(path)
    if name.endswith(".mrk.json"):
        return _read_markups(path)
    expected = "a centerline: .vtp (VMTK), .csv (x_mm,y_mm,z_mm[,radius_mm]) or .mrk.json (3D Slicer)"
    raise unusable(path, "", found=f"a file ending in {path.suffix!r}", expected=expected)


def write_centerline_csv(
    path: Path,
    centerline: Centerline,
    *,
    quality: FloatArray | None = None,
    reason: Sequence[str] = (),
    wall_quality: FloatArray | None = None,
) -> None:
    """Write one vessel as CSV, ostium first.

    Parameters
    ----------
    path : Path
        Ends in .csv.
    centerline : Centerline
        Proximal to distal.
    quality : (N,) array, optional
        From 0 to 1.
    reason : sequence of N str, optional
        Why the quality is low.
    wall_quality : (N,) array, optional
        The same of the outer wall, from 0 to 1; a column of its own where given.
    """
    count = len(centerline.points_mm)
    nothing = np.full(count, np.nan)
    radius = nothing if centerline.radius_mm is None else centerline.radius_mm
    columns = [
        *centerline.points_mm.T,
        centerline.arc_length_mm,
        radius,
        nothing if quality is None else quality,
    ]
    names = ["x_mm", "y_mm", "z_mm", "arc_length_mm", "radius_mm", "quality", "reason"]
    rows = [[*values, text] for *values, text in zip(*columns, reason or [""] * count, strict=True)]
    if wall_quality is not None:
        names.append("wall_quality")
        rows = [[*row, value] for row, value in zip(rows, wall_quality, strict=True)]
    write_table(path, names, rows)


def write_centerline_vtp(path: Path, lines: Sequence[Centerline]) -> None:
    """Write lines as VMTK does, in LPS mm, with their radii where all have one.

    Raises
    ------
    InputError
        If the `mesh` extra is missing.
    """
    radii = [line.radius_mm for line in lines if line.radius_mm is not None]
    data = {RADIUS_ARRAY: np.concatenate(radii)} if len(radii) == len(lines) else {}
    with replaced_file(path) as temporary:
        write_polylines(temporary, [line.points_mm for line in lines], data)


def _read_vtp(path: Path) -> VesselTree:
    data = read_polydata(path)
    if not data.lines:
        raise unusable(path, "lines", found="none", expected="at least one polyline, as VMTK writes them")
    points = data.points * _RAS_TO_LPS if data.space == "RAS" else data.points
    radius = data.point_data.get(RADIUS_ARRAY)
    return VesselTree(
        tuple(
            _line(path, f"line {i}", points[line], None if radius is None else radius[line])
            for i, line in enumerate(data.lines)
        )
    )


def _read_csv(path: Path) -> VesselTree:
    optional = ("radius_mm", "arc_length_mm", "quality", "reason", "wall_quality")
    table = read_table(path, required=("x_mm", "y_mm", "z_mm"), optional=optional)
    points = np.column_stack([table.numbers(name, required=True) for name in ("x_mm", "y_mm", "z_mm")])
    radius = table.numbers("radius_mm")
    return VesselTree((_line(path, "centerline", points, radius if np.isfinite(radius).all() else None),))


def _read_markups(path: Path) -> VesselTree:
    try:
        content = json.loads(read_text(path))
    except (json.JSONDecodeError, RecursionError) as error:
        raise unusable(path, "", found=f"broken JSON ({error})", expected="3D Slicer markups") from error
    markups = content.get("markups") if isinstance(content, dict) else None
    if not isinstance(markups, list):
        raise unusable(path, "markups", found="none", expected="3D Slicer markups with a list 'markups'")
    curves = [each for each in markups if isinstance(each, dict) and each.get("type") == "Curve"]
    if not curves:
        kinds = [each.get("type") for each in markups if isinstance(each, dict)]
        raise unusable(path, "markups", found=f"types {kinds}", expected="at least one of type 'Curve'")
    return VesselTree(tuple(_curve(path, f"markups[{markups.index(each)}]", each) for each in curves))


def _curve(path: Path, field: str, curve: dict[str, Any]) -> Centerline:
    # Until 2021 Slicer wrote the system as a number.
    space = {"LPS": "LPS", "RAS": "RAS", "0": "RAS", "1": "LPS"}.get(str(curve.get("coordinateSystem")))
    if space is None:
        found = repr(curve.get("coordinateSystem"))
        raise unusable(path, f"{field}.coordinateSystem", found=found, expected="'LPS' or 'RAS'")
    units = curve.get("coordinateUnits", "mm")
    if units not in ("mm", ["mm", "UCUM", "millimeter"]) and "mm" not in units:
        raise unusable(path, f"{field}.coordinateUnits", found=repr(units), expected="'mm'")
    nodes = curve.get("controlPoints")
    if not isinstance(nodes, list):
        raise unusable(path, f"{field}.controlPoints", found="none", expected="a list of points")
    placed = [i for i, node in enumerate(nodes) if _is_placed(node)]
    points = np.empty((len(placed), 3))
    for row, i in enumerate(placed):
        points[row] = _position(path, f"{field}.controlPoints[{i}].position", nodes[i])
    if space == "RAS":
        points = points * _RAS_TO_LPS
    radius = _measured_radius(curve, len(nodes))
    return _line(path, field, points, None if radius is None else radius[placed])


def _is_placed(node: Any) -> bool:
    return not isinstance(node, dict) or node.get("positionStatus", "defined") == "defined"


def _position(path: Path, field: str, node: Any) -> FloatArray:
    value = node.get("position") if isinstance(node, dict) else None
    numbers = isinstance(value, list) and all(isinstance(x, (int, float)) for x in value)
    if not (numbers and isinstance(value, list) and len(value) == 3):
        raise unusable(path, field, found=repr(value), expected="three numbers")
    return np.array(value, dtype=np.float64)


def _measured_radius(curve: dict[str, Any], count: int) -> FloatArray | None:
    measurements = curve.get("measurements")
    for each in measurements if isinstance(measurements, list) else []:
        values = each.get("controlPointValues") if isinstance(each, dict) else None
        if values and str(each.get("name")).lower() == "radius" and len(values) == count:
            try:
                return np.array(values, dtype=np.float64).reshape(count)
            except (TypeError, ValueError):
                return None
    return None


def _line(path: Path, field: str, points: FloatArray, radius: FloatArray | None) -> Centerline:
    if not np.isfinite(points).all():
        bad = int(np.flatnonzero(~np.isfinite(points).all(axis=1))[0])
        raise unusable(path, f"{field}, point {bad}", found=points[bad].tolist(), expected="finite mm")
    far = np.flatnonzero(np.abs(points).max(axis=1) > _FARTHEST_MM)
    if len(far):
        found, expected = points[far[0]].tolist(), f"mm, within {_FARTHEST_MM:g} mm of the scanner's centre"
        raise unusable(path, f"{field}, point {far[0]}", found=found, expected=expected)
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    keep = np.concatenate([[True], steps > _SAME_PLACE_MM])[: len(points)]
    points = points[keep]
    if len(points) < 2:
        found = f"{len(points)} distinct point{'s' * (len(points) != 1)}"
        raise unusable(path, field, found=found, expected="at least two distinct points")
    steps = steps[keep[1:]]
    if not steps.sum() <= _LONGEST_MM:
        worst = int(np.argmax(steps)) + 1
        found = f"{steps.sum():.4g} mm of line, {steps[worst - 1]:.4g} mm of it up to this point"
        expected = f"at most {_LONGEST_MM:.0f} mm in all; are the points in order and in mm?"
        raise unusable(path, f"{field}, point {worst}", found=found, expected=expected)
    return Centerline(points, None if radius is None else radius[keep])
