"""The table of contour points that HolOrama exports.

It has no header: frame (from 1), then x, y, z in mm from the image's lower left corner, y up.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from coreg.errors import InputError
from coreg.io.contour_file import ContourFile, split_by_frame
from coreg.io.files import read_text, unusable, write_text

FloatArray = npt.NDArray[np.float64]


def read_holorama_csv(path: Path, text: str) -> ContourFile:
    """Read the table of points that HolOrama exports; it has no header.

    Raises
    ------
    InputError
        If the text is no such table, or a contour encloses nothing.
    """
    values = _points(path, text)
    frames = values[:, 0].astype(np.int64) - 1
    if len(np.unique(frames)) == len(frames):
        found = f"one point a frame, in {len(frames)} frame{'s' * (len(frames) != 1)}"
        expected = "outlines; HolOrama's reference points are no contours"
        raise unusable(path, "", found=found, expected=expected)
    z = {} if values.shape[1] == 3 else {int(f): float(values[frames == f, 3][0]) for f in np.unique(frames)}
    contours = {"lumen": split_by_frame(path, frames, values[:, 1:3])}
    return ContourFile(contours, about_catheter=False, z_mm=z)


def read_reference_points(path: Path) -> dict[int, FloatArray] | None:
    """Read the points (2,) by acquisition index that HolOrama's file of reference points has.

    They are in its own coordinates, as those of `read_holorama_csv`. None where the file is another one.
    """
    try:
        values = _points(path, read_text(path).strip())
    except InputError:
        return None
    frames = (values[:, 0].astype(np.int64) - 1).tolist()
    return dict(zip(frames, values[:, 1:3], strict=True)) if len(set(frames)) == len(frames) else None


def _points(path: Path, text: str) -> FloatArray:
    """Rows (N, 3 or 4) of the table: whole frames from 1, then finite coordinates."""
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
    return values


def write_holorama(
    path: Path, contours: Mapping[int, FloatArray], *, catheter_mm: FloatArray, z_mm: Mapping[int, float]
) -> None:
    """Write contours of one kind as HolOrama exports them, for multimodars and the like.

    Parameters
    ----------
    path : Path
        Where to.
    contours : mapping of int to (M, 2) array
        By acquisition index, in mm from the catheter, y down as in the image.
    catheter_mm : (2,) array
        Of the catheter from the image's lower left corner, y up.
    z_mm : mapping of int to float
        How far the catheter had been withdrawn, by frame.
    """
    lines = [
        f"{frame + 1}\t{x!r}\t{y!r}\t{float(z_mm[frame])!r}\n"
        for frame in sorted(contours)
        for x, y in (catheter_mm + contours[frame] * np.array([1.0, -1.0])).tolist()
    ]
    write_text(path, "".join(lines))


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
