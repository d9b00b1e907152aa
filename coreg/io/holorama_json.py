"""Contours as HolOrama, and AIVUS before it, keeps them of a pullback: JSON.

Frames count from 0; points are knots in pixels, from the corner of the image's first pixel. The files
state neither the size of a pixel nor that of the image, but areas in mm2.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from coreg.contours import area_mm2
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
from coreg.io.files import read_text, unusable

FloatArray = npt.NDArray[np.float64]

JSON_KINDS = ("lumen", "eem", "calcium", "branch", "stent")
_PHASES: dict[object, Phase] = {"D": "diastole", "S": "systole"}
_UNFIT = {"guiding_catheter": "guide catheter", "unanalyzable": "not analysable"}
# From the corner of the first pixel to its centre.
_HALF_PIXEL = 0.5
_FEWEST_AREAS = 3
_NOTHING: tuple[object, ...] = (None, [], [[], []])
_LARGEST_SPREAD = 0.005
_EXPECTED = "contours of HolOrama or AIVUS"


def read_holorama_json(path: Path) -> ContourFile:
    """Read the contours that HolOrama (or AIVUS, with one list per quantity) keeps of a pullback.

    Raises
    ------
    InputError
        If it is no such file, or a contour encloses nothing.
    """
    frames = _read_frames(path)
    outlines: dict[str, Contours] = {}
    left_out = 0
    for number, frame in frames.items():
        for kind in JSON_KINDS:
            place = f"frame {number} (from 0), {kind}"
            found = [
                drawn_outline(path, place, knots - _HALF_PIXEL)
                for knots in _closed_knots(path, place, frame, kind)
            ]
            left_out += _open_count(frame.get(kind))
            if found:
                outlines.setdefault(kind, {})[number] = largest_outline(found)
    return ContourFile(outlines, about_catheter=False, images=_images(frames, outlines, left_out))


def stated_areas_mm2(path: Path) -> dict[str, dict[int, float]]:
    """Read the areas that HolOrama's JSON states, by kind and acquisition index, to check outlines by.

    Raises
    ------
    InputError
        If it is no such file.
    """
    frames = _read_frames(path)
    areas: dict[str, dict[int, float]] = {}
    for number, frame in frames.items():
        for kind in JSON_KINDS:
            area = _stated_area(frame.get(kind))
            if area is not None:
                areas.setdefault(kind, {})[number] = area
    return areas


def area_deviations(
    outlines: Mapping[int, FloatArray], stated_mm2: Mapping[int, float], pixel_mm: float
) -> FloatArray:
    """How much outlines (M, 2) in pixels differ in area from what is stated of their frame, as shares of it.

    Only frames in both count, in rising order; a contour in mm has ``pixel_mm`` 1.
    """
    frames = sorted(set(outlines) & set(stated_mm2))
    return np.array([area_mm2(outlines[i]) * pixel_mm**2 / stated_mm2[i] - 1.0 for i in frames])


def _read_frames(path: Path) -> dict[int, dict[str, Any]]:
    """Frames by acquisition index, in the form of today's files."""
    try:
        content = json.loads(read_text(sized_file(path)))
    except (ValueError, RecursionError) as error:
        where = f" in line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise unusable(path, "", found=f"broken JSON{where}", expected=_EXPECTED) from error
    if not isinstance(content, dict):
        raise unusable(path, "", found=f"JSON of a {type(content).__name__}", expected=_EXPECTED)
    is_aivus = isinstance(content.get("lumen"), list)
    frames = _aivus_frames(path, content) if is_aivus else _frames(path, content)
    if not frames:
        raise unusable(path, "", found="JSON without a frame", expected=_EXPECTED)
    return frames


def _frames(path: Path, content: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
    """Frames of today's files: an object each, under its number."""
    frames = {}
    for key, frame in content.items():
        if not (key.isascii() and key.isdigit()):
            continue
        # Of a number with more digits nine are enough to be too many.
        number = int(key[:9])
        if number >= MOST_FRAMES:
            raise unusable(path, "", found=f"a frame {key[:12]}", expected=f"at most {MOST_FRAMES} frames")
        if not isinstance(frame, dict):
            found = type(frame).__name__
            raise unusable(path, f"frame {number}", found=found, expected=f"an object, as in {_EXPECTED}")
        frames[number] = frame
    return dict(sorted(frames.items()))


def _aivus_frames(path: Path, content: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
    """Frames of AIVUS's files, which have lists over all frames, in the form of today's."""
    count = 0
    knots: dict[str, list[Any]] = {}
    for kind in JSON_KINDS:
        pair = content.get(kind)
        if not pair:
            continue
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(each, list) for each in pair):
            raise unusable(
                path, kind, found="no pair of lists", expected="x and y by frame, as AIVUS has them"
            )
        if len(pair[0]) != len(pair[1]):
            found = f"x of {len(pair[0])} frames and y of {len(pair[1])}"
            raise unusable(path, kind, found=found, expected="as many of each")
        knots[kind] = list(zip(*pair, strict=True))
        count = max(count, len(knots[kind]))
    if count > MOST_FRAMES:
        raise unusable(path, "", found=f"{count} frames", expected=f"at most {MOST_FRAMES} frames")
    phases, areas = _listed(content.get("phases")), _listed(content.get("lumen_area"))
    frames: dict[int, dict[str, Any]] = {i: {} for i in range(count)}
    for i, frame in frames.items():
        frame["phase"] = phases[i] if i < len(phases) else None
        for kind, pairs in knots.items():
            drawn = i < len(pairs) and bool(pairs[i][0])
            # Closing the curve, AIVUS adds a knot that is near the first one.
            frame[kind] = {"contours": [[_all_but_last(each) for each in pairs[i]]] if drawn else []}
        if "lumen" in frame and i < len(areas):
            frame["lumen"]["measurements"] = {"area": areas[i]}
    return frames


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _all_but_last(value: Any) -> Any:
    return value[:-1] if isinstance(value, list) else value


def _closed_knots(path: Path, place: str, frame: Mapping[str, Any], kind: str) -> Iterator[FloatArray]:
    """Knots (M, 2) of the closed contours of a kind; what is not there or is empty is left out."""
    entry = frame.get(kind)
    if not entry:
        return
    if not isinstance(entry, dict) or not isinstance(entry.get("contours", []), list):
        raise unusable(path, place, found=type(entry).__name__, expected="an object with contours")
    for knots, closed in zip(entry.get("contours", []), _closed(entry), strict=True):
        if closed and knots not in _NOTHING:
            yield _as_points(path, place, knots)


def _closed(entry: Mapping[str, Any]) -> list[bool]:
    """Whether each contour of a kind is closed, as all are of which nothing is said."""
    said = _listed(entry.get("closed"))
    return [not (i < len(said) and said[i] is False) for i in range(len(_listed(entry.get("contours"))))]


def _open_count(entry: Any) -> int:
    return _closed(entry).count(False) if isinstance(entry, dict) else 0


def _as_points(path: Path, place: str, knots: Any) -> FloatArray:
    if not isinstance(knots, list) or len(knots) != 2 or not all(isinstance(each, list) for each in knots):
        raise unusable(path, place, found="no pair of lists", expected="x and y of the knots")
    x, y = knots
    if len(x) != len(y):
        raise unusable(path, place, found=f"{len(x)} x and {len(y)} y", expected="as many of each")
    if not all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in (*x, *y)):
        raise unusable(path, place, found="a knot that is no number", expected="numbers")
    try:
        return np.array([x, y], dtype=np.float64).T
    except OverflowError as error:
        raise unusable(path, place, found="a number beyond all measure", expected="pixels") from error


def _images(
    frames: Mapping[int, Mapping[str, Any]], outlines: dict[str, Contours], left_out: int
) -> DrawnImages:
    notes = []
    if left_out:
        some = "one contour that is" if left_out == 1 else f"{left_out} contours that are"
        notes.append(f"{some} not closed left out")
    pixel_mm = _pixel_mm(frames, outlines.get("lumen", {}))
    if pixel_mm is not None:
        notes.append(f"pixel size of {pixel_mm:.6f} mm from the areas that the file states")
    return DrawnImages(
        frames=max(frames) + 1,
        pixel_spacing_mm=None if pixel_mm is None else (pixel_mm, pixel_mm),
        phase={i: _PHASES[each["phase"]] for i, each in frames.items() if _known_phase(each)},
        unfit={i: reason for i, each in frames.items() if (reason := _unfit(each))},
        notes=tuple(notes),
    )


def _unfit(frame: Mapping[str, Any]) -> str:
    """Why the person who drew set a frame aside; empty where nobody did."""
    return next((reason for name, reason in _UNFIT.items() if frame.get(name) is True), "")


def _known_phase(frame: Mapping[str, Any]) -> bool:
    return isinstance(frame.get("phase"), str) and frame["phase"] in _PHASES


def _pixel_mm(frames: Mapping[int, Mapping[str, Any]], lumen: Contours) -> float | None:
    """Size of a pixel at which outlines in pixels have the areas stated in mm2; None where they disagree."""
    stated = {i: _stated_area(frames[i].get("lumen")) for i in lumen}
    sizes = np.array([np.sqrt(area / area_mm2(lumen[i])) for i, area in stated.items() if area is not None])
    if len(sizes) < _FEWEST_AREAS:
        return None
    size = float(np.median(sizes))
    return size if np.median(np.abs(sizes / size - 1.0)) < _LARGEST_SPREAD else None


def _stated_area(entry: Any) -> float | None:
    """Area in mm2 of the one contour of a kind in a frame."""
    if not isinstance(entry, dict) or len(_listed(entry.get("contours"))) != 1:
        return None
    measures = entry.get("measurements")
    area = measures.get("area") if isinstance(measures, dict) else None
    if isinstance(area, bool) or not isinstance(area, (int, float)) or not 0.0 < area < 1e6:
        return None
    return float(area)
