"""Contours of a pullback: HolOrama CSV, coreg's contours.csv, and label stacks.

HolOrama's tables have no header: frame (from 1), x, y, z in mm from an image corner, y flipped
against the image. coreg's are about the catheter with frames from 0. The content tells which.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from skimage.measure import find_contours, points_in_poly

from coreg.contours import normalised_contour, signed_area_mm2
from coreg.errors import InputError
from coreg.io.files import read_text, unusable
from coreg.io.tables import read_table, write_table
from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Contours = dict[int, FloatArray]

KINDS = ("lumen", "eem", "calcium", "branch", "stent")
# Specks of a segmentation that are this much smaller than the frame's largest piece are noise.
_SPECK = 0.05
# No image is that large, in pixels or any length.
_LARGEST_COORDINATE = 1e5


@dataclass(frozen=True, eq=False)
class ContourFile:
    """Contours as a file has them.

    Attributes
    ----------
    contours : dict of str to dict of int to (M, 2) array
        By kind (a HolOrama file has one kind, called lumen here) and acquisition index from 0: points
        in mm, x along image columns, y along image rows.
    about_catheter : bool
        Whether the points are counted from the catheter's centre. If not, from where HolOrama has
        its origin, with y still flipped.
    z_mm : dict of int to float
        HolOrama's nominal position by frame; only for show.
    """

    contours: dict[str, Contours]
    about_catheter: bool
    z_mm: dict[int, float] = field(default_factory=dict)


def read_contours(path: Path) -> ContourFile:
    """Read HolOrama's or coreg's contour CSV, whichever the content says.

    Raises
    ------
    InputError
        If the file is neither, or a contour has fewer than three points or no area.
    """
    if path.suffix.lower() in {".json", ".xml"}:
        found = f"a {path.suffix} file"
        raise unusable(
            path, "", found=found, expected="contours as CSV (JSON and XML are not read in this version)"
        )
    text = read_text(path).strip()
    first = text.split("\n", 1)[0]
    if not text:
        raise unusable(path, "", found="no contour at all", expected="lines of contour points")
    return _read_coreg(path) if first[0].isalpha() or first[0] == '"' else _read_holorama(path, text)


def contours_about_catheter(contours: Contours, catheter_mm: FloatArray) -> Contours:
    """Take HolOrama's points, by frame (M, 2), to mm from the catheter, y down as in the image.

    ``catheter_mm`` is (x, y) in the file's own coordinates.
    """
    # HolOrama's y grows upwards; flipping about the catheter gives image rows again.
    return {frame: (points - catheter_mm) * np.array([1.0, -1.0]) for frame, points in contours.items()}


def write_contours(path: Path, contours: Mapping[str, Mapping[int, FloatArray]]) -> None:
    """Write contours.csv: by kind and acquisition index, points (M, 2) in mm from the catheter."""
    rows = (
        (frame, kind, point, x, y)
        for kind, of_kind in contours.items()
        for frame in sorted(of_kind)
        for point, (x, y) in enumerate(of_kind[frame])
    )
    write_table(path, ["frame", "kind", "point", "x_mm", "y_mm"], rows)


def label_stack_contours(stack: Volume, *, catheter_px: FloatArray, pixel_spacing_mm: FloatArray) -> Contours:
    """Outline each frame of a label stack at the half level.

    Parameters
    ----------
    stack : Volume
        (frames, rows, columns), non-zero inside. Where it lies in the world plays no part.
    catheter_px : (2,) array
        Column and row of the catheter's centre.
    pixel_spacing_mm : (2,) array
        Along a row (between columns) and along a column (between rows).

    Returns
    -------
    dict of int to (M, 2) array
        By frame, of the largest piece that encloses the catheter, else the one nearest to it; mm from
        the catheter. Empty frames are absent.
    """
    contours = {}
    for frame, image in enumerate(stack.values):
        pixels = _frame_outline(image != 0, catheter_px)
        if pixels is not None:
            contours[frame] = (pixels - catheter_px) * pixel_spacing_mm
    return contours


def _frame_outline(mask: npt.NDArray[np.bool_], catheter_px: FloatArray) -> FloatArray | None:
    """Outline (M, 2) in pixels as (column, row), or None for an empty frame."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    corner = np.array([columns[0], rows[0]], dtype=np.float64) - 1.0
    cut = np.pad(mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float64), 1)
    loops = [loop[:-1, ::-1] + corner for loop in find_contours(cut, 0.5)]
    areas = np.array([signed_area_mm2(loop) for loop in loops])
    # Holes wind against the outer borders; the largest loop is a border.
    outer = areas * np.sign(areas[np.argmax(np.abs(areas))])
    kept = [loop for loop, area in zip(loops, outer, strict=True) if area > _SPECK * outer.max()]
    enclosing = [loop for loop in kept if points_in_poly(catheter_px[None], loop)[0]]
    if enclosing:
        return max(enclosing, key=lambda loop: abs(signed_area_mm2(loop)))
    return min(kept, key=lambda loop: float(np.linalg.norm(loop - catheter_px, axis=1).min()))


def _read_coreg(path: Path) -> ContourFile:
    table = read_table(path, required=("frame", "kind", "point", "x_mm", "y_mm"))
    frames, points = table.whole_numbers("frame"), table.whole_numbers("point")
    xy = np.column_stack([table.numbers(name, required=True) for name in ("x_mm", "y_mm")])
    kinds = np.array(table.columns["kind"])
    strange = np.flatnonzero(~np.isin(kinds, KINDS))
    if len(strange):
        raise table.bad_cell(int(strange[0]), "kind", " or ".join(KINDS))
    result: dict[str, Contours] = {}
    for kind in KINDS:
        rows = np.flatnonzero(kinds == kind)
        rows = rows[np.lexsort((points[rows], frames[rows]))]
        same = np.flatnonzero((np.diff(frames[rows]) == 0) & (np.diff(points[rows]) == 0))
        if len(same):
            expected = f"each point of frame {frames[rows[same[0]]]}, {kind}, once"
            raise table.bad_cell(int(rows[same[0] + 1]), "point", expected)
        if len(rows):
            result[kind] = _by_frame(path, frames[rows], xy[rows])
    return ContourFile(result, about_catheter=True)


def _read_holorama(path: Path, text: str) -> ContourFile:
    first = text.split("\n", 1)[0]
    delimiter = "\t" if "\t" in first else ("," if "," in first else None)
    try:
        values = np.loadtxt(io.StringIO(text), delimiter=delimiter, ndmin=2, comments=None)
    except ValueError as error:
        raise _bad_line(path, text, delimiter) from error
    if values.shape[1] not in (3, 4):
        found = f"{values.shape[1]} columns"
        raise unusable(
            path, "line 1", found=found, expected="HolOrama's frame, x, y, z, or coreg's contours.csv"
        )
    bad = np.flatnonzero(~np.isfinite(values[:, :3]).all(axis=1))
    if len(bad):
        found = values[bad[0]].tolist()
        raise unusable(path, f"contour point {bad[0] + 1}", found=found, expected="finite numbers")
    frame = values[:, 0]
    bad = np.flatnonzero((frame != np.rint(frame)) | (frame < 1) | (frame > 1e9))
    if len(bad):
        expected = "a whole number from 1 (HolOrama counts from 1)"
        raise unusable(path, f"contour point {bad[0] + 1}, frame", found=frame[bad[0]], expected=expected)
    frames = frame.astype(np.int64) - 1
    z = {} if values.shape[1] == 3 else {int(f): float(values[frames == f, 3][0]) for f in np.unique(frames)}
    return ContourFile({"lumen": _by_frame(path, frames, values[:, 1:3])}, about_catheter=False, z_mm=z)


def _bad_line(path: Path, text: str, delimiter: str | None) -> InputError:
    lines = text.split("\n")
    count = len(lines[0].split(delimiter))
    expected = f"{count} numbers, as in the first line, or coreg's contours.csv"
    for number, line in enumerate(lines, start=1):
        cells = line.split(delimiter)
        try:
            [float(cell) for cell in cells]
        except ValueError:
            return unusable(path, f"line {number}", found=repr(line[:80]), expected=expected)
        if len(cells) != count:
            return unusable(path, f"line {number}", found=f"{len(cells)} numbers", expected=expected)
    return unusable(path, "", found="text that is no table of numbers", expected=expected)


def _by_frame(path: Path, frames: IntArray, xy: FloatArray) -> Contours:
    """Split points (M, 2) into contours; the order within a frame is kept."""
    order = np.argsort(frames, kind="stable")
    values, starts = np.unique(frames[order], return_index=True)
    pieces = np.split(xy[order], starts[1:])
    contours = {int(frame): piece for frame, piece in zip(values, pieces, strict=True)}
    check_contours(path, contours.items())
    return contours


def check_contours(path: Path, contours: Iterable[tuple[int, FloatArray]]) -> None:
    """Refuse contours, by frame (M, 2), that are no polygon."""
    for frame, points in contours:
        if np.abs(points).max() > _LARGEST_COORDINATE:
            found = f"a coordinate of {points.flat[np.abs(points).argmax()]:g}"
            raise unusable(path, f"frame {frame} (from 0)", found=found, expected="millimetres")
        try:
            normalised_contour(points)
        except ValueError as error:
            raise unusable(
                path, f"frame {frame} (from 0)", found=str(error), expected="a closed outline"
            ) from error
