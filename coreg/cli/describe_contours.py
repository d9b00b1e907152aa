"""What a file of contours holds, whichever tool wrote it: for ``coreg info`` and ``coreg init``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from coreg.cli.describe import Described
from coreg.contours import area_mm2, signed_area_mm2
from coreg.io.case_model import FRAME_SPACING_MM, PIXEL_SPACING_MM
from coreg.io.contour_file import ContourFile, Contours, DrawnImages
from coreg.io.contour_formats import read_contours
from coreg.io.files import is_dicom_file, read_text, unusable
from coreg.io.holorama_csv import read_reference_points
from coreg.io.holorama_json import JSON_KINDS

CATHETER_MM = "pullback.catheter_mm"
CATHETER_PX, PIXEL_SPACING = "pullback.catheter_px", "pullback.pixel_spacing_mm"
FRAME_SPACING = "pullback.frame_spacing_mm"
_TABLES = (".csv", ".tsv", ".txt")
_WHAT = {
    CATHETER_MM: "the catheter in the file's own coordinates",
    CATHETER_PX: "the catheter's column and row, as the file does not say how large the images are; "
    "or pullback.image",
    PIXEL_SPACING: "the size of a pixel",
    FRAME_SPACING: "the distance between frames; or pullback.positions",
}


def described_contours(path: Path) -> Described:
    """Tell what contours of coreg, HolOrama, AIVUS, echoPlaque or a DICOM segmentation are.

    Raises
    ------
    InputError
        If the file is none of them, or is broken.
    """
    points = read_reference_points(path) if path.suffix.lower() in _TABLES else None
    if points is not None:
        return _reference_points(sorted(points))
    file = read_contours(path)
    pixel_mm = _pixel_mm(file.images)
    facts, data = {"format": _format(path, file)}, dict[str, Any]()
    for kind, contours in file.contours.items():
        facts |= _kind_facts(kind, contours, file, pixel_mm)
        data[kind] = _kind_data(contours, pixel_mm)
    if file.images is not None:
        facts |= _image_facts(file.images)
        data["images"] = {name: value for name, value in vars(file.images).items() if name != "notes"}
    needs = _needs(file)
    facts |= {f"needs {key}": _WHAT[key] for key in needs}
    role = "pullback.eem" if "eem" in path.name.lower() else "pullback.lumen"
    data |= {"about_catheter": file.about_catheter, "needs": needs}
    return Described("pullback contours", role, facts, data)


def described_json(path: Path) -> Described:
    """Tell what JSON of another tool than coreg is.

    Raises
    ------
    InputError
        If it is not of HolOrama or AIVUS; the message says what it looks like.
    """
    expected = "contours of HolOrama or AIVUS"
    try:
        content = json.loads(read_text(path))
    except (ValueError, RecursionError):
        return described_contours(path)
    if not isinstance(content, dict) or any(key.isdigit() or key in JSON_KINDS for key in content):
        return described_contours(path)
    if "markups" in content:
        raise unusable(path, "", found="a markup of 3D Slicer", expected="its name to end in .mrk.json")
    if "schema_version" in content and "case_id" in content:
        found, expected = "a result of coreg under another name", "registration.json or a segmentation's JSON"
        raise unusable(path, "", found=found, expected=expected)
    found = f"JSON of unknown kind (keys {', '.join(content)})"[:200]
    raise unusable(path, "", found=found, expected=expected)


def _reference_points(frames: list[int]) -> Described:
    where = f"frames {frames[0]} to {frames[-1]}" if len(frames) > 1 else f"frame {frames[0]}"
    facts = {
        "points": f"{len(frames)}, in {where} counted from 0",
        "not read": "they are no contours; to validate with a point that the CCTA shows too, put it into "
        "landmarks.csv",
    }
    return Described("reference points of HolOrama", "", facts, {"frames": frames})


def _format(path: Path, file: ContourFile) -> str:
    if file.about_catheter:
        return "coreg contours.csv"
    if is_dicom_file(path):
        return "DICOM segmentation (frames from 0, pixels)"
    if file.images is None:
        return "HolOrama CSV (frames from 1, y flipped)"
    beginning = read_text(path).lstrip()[:1]
    return f"{'echoPlaque XML' if beginning == '<' else 'HolOrama or AIVUS JSON'} (frames from 0, pixels)"


def _kind_facts(kind: str, contours: Contours, file: ContourFile, pixel_mm: float | None) -> dict[str, str]:
    frames, areas = sorted(contours), _areas(contours, pixel_mm)
    # HolOrama's y grows upwards, which turns the sense about.
    down = file.about_catheter or file.images is not None
    turns = sum((signed_area_mm2(each) > 0.0) == down for each in contours.values())
    unit = "pixels" if file.images is not None and pixel_mm is None else "mm2"
    facts = {
        kind: f"{len(frames)} frames, {frames[0]} to {frames[-1]} counted from 0",
        f"{kind} areas": f"{min(areas):.2f} to {max(areas):.2f} {unit}",
    }
    if file.images is None:
        against = len(frames) - turns
        facts[f"{kind} winding"] = f"{turns} with, {against} against angle_deg; normalised on reading"
    return facts


def _kind_data(contours: Contours, pixel_mm: float | None) -> dict[str, Any]:
    frames, areas = sorted(contours), _areas(contours, pixel_mm)
    data = {"frames": len(frames), "first": frames[0], "last": frames[-1]}
    return data | {"area_mm2": [min(areas), max(areas)]}


def _areas(contours: Contours, pixel_mm: float | None) -> list[float]:
    return [area_mm2(each) * (pixel_mm or 1.0) ** 2 for each in contours.values()]


def _image_facts(images: DrawnImages) -> dict[str, str]:
    """Say what the file tells of the images that its contours were drawn on."""
    size = "of unknown size"
    if images.size_px is not None:
        size = f"of {images.size_px[0]} x {images.size_px[1]} pixels"
    facts = {"images": size if images.frames is None else f"{images.frames} {size}"}
    if images.pixel_spacing_mm is not None:
        facts["pixels"] = " x ".join(f"{each:.5g}" for each in images.pixel_spacing_mm) + " mm"
    if images.frame_spacing_mm is not None:
        facts["frame spacing"] = f"{images.frame_spacing_mm:.4g} mm"
    if images.frame_rate_hz is not None:
        facts["frame rate"] = f"{images.frame_rate_hz:.4g} per second"
    if images.phase:
        counts = ", ".join(f"{len(images.frames_of(each))} in {each}" for each in ("diastole", "systole"))
        facts["gated frames"] = f'{counts}; acquisition = "gated" takes those in diastole only'
    if images.unfit:
        facts["set aside"] = f"{len(images.unfit)} frames by the person who drew"
    return facts | {f"note {i + 1}": note for i, note in enumerate(images.notes)}


def _pixel_mm(images: DrawnImages | None) -> float | None:
    """Mean size of a pixel where the file states one that can be."""
    if images is None or images.pixel_spacing_mm is None:
        return None
    low, high = PIXEL_SPACING_MM
    sizes = np.array(images.pixel_spacing_mm)
    return float(np.sqrt(sizes.prod())) if ((sizes >= low) & (sizes <= high)).all() else None


def _needs(file: ContourFile) -> list[str]:
    """Keys of a case.toml without which the contours cannot be used."""
    images, needs = file.images, list[str]()
    if images is None:
        return [FRAME_SPACING] if file.about_catheter else [CATHETER_MM, FRAME_SPACING]
    if images.size_px is None:
        needs.append(CATHETER_PX)
    if _pixel_mm(images) is None:
        needs.append(PIXEL_SPACING)
    low, high = FRAME_SPACING_MM
    if images.frame_spacing_mm is None or not low <= images.frame_spacing_mm <= high:
        needs.append(FRAME_SPACING)
    return needs
