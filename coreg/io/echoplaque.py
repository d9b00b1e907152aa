"""Contours in the XML of echoPlaque, which AIVUS and others write too.

Frames count from 0, points are whole pixels of the image. A document type, which no such file has,
is refused before anything of it is used: entities could name files or grow without end. Nothing that
tells of the patient is read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

import numpy as np
import numpy.typing as npt

from coreg.io.contour_file import (
    MOST_FRAMES,
    ContourFile,
    Contours,
    DrawnImages,
    Phase,
    drawn_outline,
    largest_outline,
    sized_file,
)
from coreg.io.files import unusable

FloatArray = npt.NDArray[np.float64]

_ROOT = "AnalysisState"
_EXPECTED = "contours of echoPlaque (XML with AnalysisState)"
_KINDS = {"L": "lumen", "V": "eem", "S": "stent"}
_PHASES: dict[str, Phase] = {"D": "diastole", "S": "systole"}
# AIVUS and others write this rate whatever the truth.
_CONSTANT_RATE_HZ = 133.0
_SAME_RATE = 0.02


def read_echoplaque(path: Path) -> ContourFile:
    """Read lumen, membrane and stent of a pullback.

    Raises
    ------
    InputError
        If it is no such file, a number in it is none, or a contour has another number of points than
        it says or encloses nothing.
    """
    root = _read_xml(path)
    if root.tag != _ROOT:
        raise unusable(path, "", found="XML of something else", expected=_EXPECTED)
    relative = root.findtext("FrameState/ImageRelativePoints", "TRUE").strip().upper()
    if relative != "TRUE":
        expected = "TRUE: points counted from the image's corner"
        raise unusable(path, "ImageRelativePoints", found="another value", expected=expected)
    images = _images(path, root)
    drawn: dict[str, dict[int, list[FloatArray]]] = {}
    phases: dict[int, Phase] = {}
    for number, frame in _frames(path, root, images.frames):
        phase = _PHASES.get(frame.findtext("Phase", "").strip())
        if phase is not None:
            phases[number] = phase
        for kind, outline in _outlines(path, number, frame):
            drawn.setdefault(kind, {}).setdefault(number, []).append(outline)
    contours: dict[str, Contours] = {
        kind: {number: largest_outline(each) for number, each in by_frame.items()}
        for kind, by_frame in drawn.items()
    }
    return ContourFile(
        contours,
        about_catheter=False,
        images=DrawnImages(
            images.size_px,
            images.frames,
            images.pixel_spacing_mm,
            images.frame_spacing_mm,
            images.frame_rate_hz,
            phases,
            notes=images.notes,
        ),
    )


def _read_xml(path: Path) -> Element:
    def refuse(*_: object) -> NoReturn:
        raise unusable(path, "", found="XML with a document type (DTD)", expected=_EXPECTED)

    builder = TreeBuilder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(sized_file(path).read_bytes(), True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise unusable(path, "", found=f"broken XML ({error})", expected=_EXPECTED) from error
    except OSError as error:
        raise unusable(path, "", found=error.strerror or error, expected="a file that can be read") from error
    return builder.close()


def _images(path: Path, root: Element) -> DrawnImages:
    columns, rows, frames = (
        _whole(path, root, f"ImageState/{name}") for name in ("Xdim", "Ydim", "NumberOfFrames")
    )
    if frames is not None and frames > MOST_FRAMES:
        raise unusable(path, "NumberOfFrames", found=frames, expected=f"at most {MOST_FRAMES}")
    pixel = [_number(path, root, f"ImageCalibration/{name}Calibration") for name in "XY"]
    rate, notes = _frame_rate(path, root)
    speed = _number(path, root, "ImageCalibration/PullbackSpeed")
    known = rate is not None and speed is not None and speed > 0.0
    return DrawnImages(
        size_px=(columns, rows) if columns and rows else None,
        frames=frames,
        pixel_spacing_mm=None if pixel[0] is None or pixel[1] is None else (pixel[0], pixel[1]),
        frame_spacing_mm=speed / rate if known and speed is not None and rate is not None else None,
        frame_rate_hz=rate,
        notes=notes,
    )


def _frame_rate(path: Path, root: Element) -> tuple[float | None, tuple[str, ...]]:
    """Images per second, and what a person should know of it; None where it cannot be trusted."""
    stated = _number(path, root, "ImageCalibration/AcqRateInFPS")
    time_ms = _number(path, root, "ImageCalibration/FrameTimeInMs")
    timed = 1000.0 / time_ms if time_ms else None
    if timed is not None and timed > 0.0:
        if not stated or abs(stated / timed - 1.0) < _SAME_RATE:
            return timed, ()
        return None, (f"no frame rate: the file states both {stated:g} and {timed:g} per second",)
    if stated == _CONSTANT_RATE_HZ:
        return None, (f"no frame rate: {stated:g} per second is written whatever the truth",)
    return (stated, ()) if stated is not None and stated > 0.0 else (None, ())


def _frames(path: Path, root: Element, count: int | None) -> Iterator[tuple[int, Element]]:
    for frame in root.iterfind("FrameState/Fm"):
        number = _whole(path, frame, "Num")
        if number is None:
            raise unusable(path, "Fm", found="a frame without Num", expected="its number, from 0")
        if number >= (MOST_FRAMES if count is None else count):
            expected = (
                f"at most {MOST_FRAMES} frames" if count is None else f"0 to {count - 1} (NumberOfFrames)"
            )
            raise unusable(path, "Fm, Num", found=number, expected=expected)
        yield number, frame


def _outlines(path: Path, number: int, frame: Element) -> Iterator[tuple[str, FloatArray]]:
    for contour in frame.iterfind("Ctr"):
        kind = _KINDS.get(contour.findtext("Type", "").strip())
        if kind is None:
            continue
        place = f"frame {number} (from 0), {kind}"
        points = [_point(path, place, each.text or "") for each in contour.iterfind("p")]
        stated = _whole(path, contour, "Npts")
        if stated is not None and stated != len(points):
            raise unusable(path, place, found=f"{len(points)} points", expected=f"{stated} (Npts)")
        if points:
            yield kind, drawn_outline(path, place, np.array(points))


def _point(path: Path, place: str, text: str) -> tuple[float, float]:
    try:
        x, y = (float(each) for each in text.split(","))
    except ValueError as error:
        raise unusable(path, place, found=f"a point {text[:40]!r}", expected="x,y in pixels") from error
    return x, y


def _number(path: Path, element: Element, place: str) -> float | None:
    """Read a number that need not be there."""
    text = element.findtext(place, "").strip()
    if not text:
        return None
    name = place.rsplit("/", 1)[-1]
    try:
        number = float(text)
    except ValueError as error:
        raise unusable(path, name, found=repr(text[:40]), expected="a number") from error
    if not math.isfinite(number):
        raise unusable(path, name, found=repr(text[:40]), expected="a finite number")
    return number


def _whole(path: Path, element: Element, place: str) -> int | None:
    number = _number(path, element, place)
    if number is not None and (number != round(number) or not 0 <= number <= 1e9):
        name = place.rsplit("/", 1)[-1]
        raise unusable(path, name, found=f"{number:g}", expected="a whole number from 0")
    return None if number is None else int(number)
