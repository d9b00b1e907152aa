"""Contours of a pullback: coreg's contours.csv, label stacks, and the files of other tools.

coreg's table is about the catheter with frames from 0. The content of a file tells what it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from coreg.io.contour_file import ContourFile, Contours, split_by_frame
from coreg.io.echoplaque import read_echoplaque
from coreg.io.files import existing_file, is_dicom_file, read_text, unusable
from coreg.io.holorama_csv import read_holorama_csv
from coreg.io.holorama_json import read_holorama_json
from coreg.io.label_outlines import frame_outline
from coreg.io.tables import read_table, write_table
from coreg.volume import Volume

__all__ = [
    "KINDS",
    "ContourFile",
    "Contours",
    "contours_about_catheter",
    "label_stack_contours",
    "pixels_about_catheter",
    "read_contours",
    "write_contours",
]

FloatArray = npt.NDArray[np.float64]

KINDS = ("lumen", "eem", "calcium", "branch", "stent")


def read_contours(path: Path) -> ContourFile:
    """Read contours of HolOrama (CSV, JSON), AIVUS, echoPlaque, DICOM or coreg, whichever the content says.

    Raises
    ------
    InputError
        If the file is none of them, or a contour has fewer than three points or no area.
    """
    if is_dicom_file(path):
        # Loads pydicom, which most cases do without.
        from coreg.io.contour_seg import read_segmentation_contours

        return read_segmentation_contours(path)
    beginning = _beginning(path)
    if beginning.startswith("<"):
        return read_echoplaque(path)
    if beginning.startswith(("{", "[")):
        return read_holorama_json(path)
    text = read_text(path).strip()
    if not text:
        raise unusable(path, "", found="no contour at all", expected="lines of contour points")
    return _read_coreg(path) if text[0].isalpha() or text[0] == '"' else read_holorama_csv(path, text)


def contours_about_catheter(contours: Contours, catheter_mm: FloatArray) -> Contours:
    """Take HolOrama's points, by frame (M, 2), to mm from the catheter, y down as in the image.

    ``catheter_mm`` is (x, y) in the file's own coordinates.
    """
    # HolOrama's y grows upwards; flipping about the catheter gives image rows again.
    return {frame: (points - catheter_mm) * np.array([1.0, -1.0]) for frame, points in contours.items()}


def pixels_about_catheter(
    contours: Contours, *, catheter_px: FloatArray, pixel_spacing_mm: FloatArray
) -> Contours:
    """Take points in pixels, by frame (M, 2), to mm from the catheter.

    ``catheter_px`` is its column and row, ``pixel_spacing_mm`` between columns and between rows.
    """
    return {frame: (points - catheter_px) * pixel_spacing_mm for frame, points in contours.items()}


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
        pixels = frame_outline(image != 0, catheter_px)
        if pixels is not None:
            contours[frame] = (pixels - catheter_px) * pixel_spacing_mm
    return contours


def _beginning(path: Path) -> str:
    """First characters of a text file after white space, whatever its encoding makes of them."""
    with existing_file(path).open("rb") as file:
        return file.read(4096).decode("ascii", errors="ignore").replace("\0", "").lstrip()


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
            result[kind] = split_by_frame(path, frames[rows], xy[rows])
    return ContourFile(result, about_catheter=True)
