"""Polar frames of OCT, wound up to pictures looking distally.

References
----------
DICOM PS3.3, A.66 and C.8.27.4 to C.8.27.6.3: an A-line is a row, its optics at the left; the first one
lies at FirstALineLocation, clockwise from the top, unless SeamLineIndex names another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from scipy.ndimage import map_coordinates

from coreg.io.case_model import PIXEL_SPACING_MM
from coreg.io.dicom_pullback_facts import code, groups, number
from coreg.io.files import unusable
from coreg.io.frame_source import FrameSource, Plane

FloatArray = npt.NDArray[np.float64]

_MOST_COLUMNS = 1024


def polar_source(path: Path, source: FrameSource, header: Dataset) -> FrameSource:
    """Give frames of A-lines as pictures.

    Raises
    ------
    InputError
        If the scale along an A-line is not told.
    """
    step_mm = _step_mm(path, header)
    offsets, seams, padded = _per_frame(path, source, header)
    reach = source.columns + min(0.0, float(np.median(offsets)))
    side = int(min(2.0 * reach, _MOST_COLUMNS)) // 2 * 2 + 1
    spacing_mm = 2.0 * reach * step_mm / side
    distance, clockwise = _picture_grid(side, spacing_mm / step_mm)
    start = number(header, "FirstALineLocation") or 0.0
    sense = -1.0 if code(header, "CatheterDirectionOfRotation") == "CC" else 1.0
    linear = code(header, "PixelIntensityRelationship") == "LIN"

    def planes(indices: Sequence[int]) -> Iterator[Plane]:
        for i, lines in zip(indices, source.planes(indices), strict=True):
            used = lines[: source.rows - padded[i]]
            row = sense * (clockwise - start) / 360.0 * len(used) + seams[i]
            yield _wound(_decibels(used) if linear else used, row, distance - offsets[i])

    half = (side - 1) / 2.0
    facts = replace(
        source.facts,
        pixel_spacing_mm=(spacing_mm, spacing_mm),
        catheter_px=(half, half),
        region_px=None,
        field_of_view_mm=reach * step_mm,
        sources={
            **source.facts.sources,
            "pixel_spacing_mm": "ALinePixelSpacing",
            "catheter_px": "the optics of polar frames",
            "field_of_view_mm": "the length of polar frames",
        },
        notes=(*source.facts.notes, "polar frames were wound up to pictures"),
    )
    return FrameSource(f"{source.kind}, polar", source.count, side, side, planes, facts)


def _step_mm(path: Path, header: Dataset) -> float:
    """Millimetres in tissue between samples of an A-line."""
    step = _first(header, "ALinePixelSpacing")
    index = _first(header, "EffectiveRefractiveIndex")
    if code(header, "RefractiveIndexApplied") == "NO":
        if index is None or not 1.0 <= index <= 2.0:
            found = "no index" if index is None else f"{index:g}"
            expected = "1 to 2, since the file says that it is not applied"
            raise unusable(path, "EffectiveRefractiveIndex", found=found, expected=expected)
        step = None if step is None else step / index
    if step is None or not PIXEL_SPACING_MM[0] / 4.0 <= step <= PIXEL_SPACING_MM[1]:
        found = "nothing" if step is None else f"{step:g} mm"
        raise unusable(path, "ALinePixelSpacing", found=found, expected="mm between samples of polar frames")
    return step


def _first(header: Dataset, keyword: str) -> float | None:
    shared = next(groups(header, "SharedFunctionalGroupsSequence"), Dataset())
    found = number(header, keyword)
    return number(shared, keyword) if found is None else found


def _per_frame(
    path: Path, source: FrameSource, header: Dataset
) -> tuple[list[float], list[float], list[int]]:
    """Offset of the optics in pixels, line at the seam, and lines that are padding, of each frame."""
    shared = next(groups(header, "SharedFunctionalGroupsSequence"), Dataset())
    items = list(islice(groups(header, "PerFrameFunctionalGroupsSequence"), source.count))
    items += [Dataset()] * (source.count - len(items))

    def values(keyword: str) -> list[float]:
        default = _first(header, keyword) or number(shared, keyword) or 0.0
        return [default if (found := number(each, keyword)) is None else found for each in items]

    offsets = [0.0] * source.count
    if code(header, "OCTZOffsetApplied") != "YES":
        offsets = values("OCTZOffsetCorrection")
    padded = [int(each) for each in values("NumberOfPaddedALines")]
    if max(map(abs, offsets)) >= source.columns / 2 or not 0 <= max(padded) <= source.rows // 2:
        found = f"up to {max(map(abs, offsets)):g} pixels and {max(padded)} lines"
        expected = f"less than half of {source.columns} pixels and {source.rows} lines"
        raise unusable(path, "OCTZOffsetCorrection and NumberOfPaddedALines", found=found, expected=expected)
    return offsets, values("SeamLineIndex"), padded


def _picture_grid(side: int, samples_per_pixel: float) -> tuple[FloatArray, FloatArray]:
    """Distance from the centre in samples, and degrees clockwise from the top, of each pixel."""
    across = np.arange(side) - (side - 1) / 2.0
    y, x = np.meshgrid(across, across, indexing="ij")
    return np.hypot(x, y) * samples_per_pixel, np.degrees(np.arctan2(x, -y))


def _wound(lines: Plane, row: FloatArray, column: FloatArray) -> Plane:
    wrapped = np.concatenate([lines, lines[:1]])
    at = np.stack([np.mod(row, len(lines)), column])
    return map_coordinates(wrapped, at, output=np.float32, order=1, mode="constant", cval=float(lines.min()))


def _decibels(lines: Plane) -> Plane:
    """Compress intensities as consoles do."""
    return 20.0 * np.log10(np.maximum(lines.astype(np.float32), 1.0))
