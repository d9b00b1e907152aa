"""What a file is, judged by its content: for ``coreg info`` and ``coreg init``."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coreg.errors import InputError

if TYPE_CHECKING:
    import numpy.typing as npt

    from coreg.io.frame_source import FrameSource
    from coreg.volume import Volume

    FloatArray = npt.NDArray[np.float64]

# A pullback's pixels are far smaller than those of any CCTA.
LARGEST_PULLBACK_PIXEL_MM = 0.12
# A label of frames has a value for each structure; an image has far more.
MOST_FRAME_VALUES = 16
BESIDE_CT = "give the pullback's own file or folder to coreg info and to pullback.image"
SECTIONS = "pullback_sections.nii.gz"
SECTION_TABLES = ("lumen", "wall", "state", "membrane", "whether it is seen")
# Keys of a case.toml that stand in for what the images of a pullback do not say.
IMAGE_KEYS = {
    "pixel_spacing_mm": "pullback.pixel_spacing_mm",
    "position_mm": "pullback.frame_spacing_mm",
    "modality": "pullback.modality",
}


@dataclass(frozen=True)
class Described:
    """One file as the program understands it.

    Attributes
    ----------
    kind : str
        What it is, in words.
    role : str
        Key of a case.toml it can be given to, such as ``ccta.lumen``; empty if none.
    facts : mapping of str to str
        What to show.
    data : mapping of str to Any
        The same numbers for machines.
    """

    kind: str
    role: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)


def described(path: Path) -> Described:
    """Tell what a file is.

    Raises
    ------
    InputError
        If it is missing, broken, or of no known kind.
    """
    from coreg.io.dicom_headers import dicom_files
    from coreg.io.files import existing_file, is_dicom_file, is_folder, unusable
    from coreg.io.picture_files import picture_files
    from coreg.io.surfaces import is_surface_file
    from coreg.io.volumes import is_volume_file

    if is_folder(path):
        if dicom_files(path):
            return _dicom(path)
        if picture_files(path):
            return _frames(path)
        found = "a folder without case.toml, registration.json, DICOM files or pictures"
        expected = "a case, a result, a folder of DICOM or of frames, or a file"
        raise unusable(path, "", found=found, expected=expected)
    existing_file(path)
    name = path.name.lower()
    if is_volume_file(path):
        return _volume(path)
    if is_surface_file(path):
        return _mesh(path)
    if name.endswith(".mrk.json"):
        return described_centerlines(path)
    if name.endswith((".csv", ".tsv", ".txt")):
        from coreg.cli.describe_tables import described_table

        return described_table(path)
    if name.endswith((".json", ".xml")):
        from coreg.cli.describe_contours import described_contours, described_json

        return described_json(path) if name.endswith(".json") else described_contours(path)
    if is_dicom_file(path):
        return _dicom(path)
    if name.endswith((".tif", ".tiff")):
        return _frames(path)
    if name == "report.html":
        return Described("a report, to be looked at in a browser")
    expected = "a case.toml, an image, a surface, a centerline, contours or a table"
    raise unusable(path, "", found=f"a file of unknown kind, ending in {path.suffix!r}", expected=expected)


def without_missing(what: Described, given: Collection[str]) -> Described:
    """Leave out that images do not say what keys of a case.toml tell."""
    ends = tuple(f"set {key}" for key in given)
    facts = {name: text for name, text in what.facts.items() if not text.endswith(ends)}
    missing = [key for key in what.data.get("missing", ()) if key not in given]
    return Described(what.kind, what.role, facts, {**what.data, "missing": missing})


def described_series(path: Path, number: int) -> Described:
    """Tell what one CT series of a folder is, by its number.

    Raises
    ------
    InputError
        If there is no CT in the folder.
    """
    what = described(path)
    name = f"series {number}"
    facts = {key: text for key, text in what.facts.items() if key.split(",")[0] == name}
    return Described(what.kind, what.role, facts, what.data) if facts else what


def _dicom(path: Path) -> Described:
    """List the CT series by the numbers that ``ccta.series`` takes, or tell what a pullback is."""
    from coreg.io.contour_seg import is_segmentation

    if is_segmentation(path):
        from coreg.cli.describe_contours import described_contours

        return described_contours(path)
    from coreg.io.dicom_pullback import holds_pullback
    from coreg.io.dicom_series import counted, dicom_content, series_facts, with_ct

    content = dicom_content(path)
    data: dict[str, Any] = {"pullbacks": content.pullbacks, "others": dict(content.others), "series": []}
    if not content.series and holds_pullback(path):
        return _frames(path)
    facts = {}
    for each in with_ct(path, content).series:
        name = f"series {each.number}"
        facts[name] = series_facts(each)
        notes = {"left out": each.left_out, "problem": each.problem, "warning": "; ".join(each.warnings)}
        facts |= {f"{name}, {key}": text for key, text in notes.items() if text}
        data["series"].append({key: value for key, value in vars(each).items() if key != "files"})
    usable = [each.number for each in content.series if not each.left_out]
    if len(usable) > 1:
        numbers = ", ".join(map(str, usable))
        facts["choice"] = f"set `ccta.series = N` in case.toml, N being one of {numbers}"
    if content.others:
        facts["besides"] = counted(content.others)
    if content.pullbacks:
        facts["pullbacks"] = BESIDE_CT
    return Described("CT (DICOM)", "ccta.image" if usable else "", facts, data | {"usable": usable})


def _frames(path: Path) -> Described:
    """Tell what the images of a pullback say and what is still to be said in case.toml."""
    from coreg.io.pullback_image_files import open_frames

    source = open_frames(path)
    facts = {"frames": f"{source.count} of {source.columns} x {source.rows} pixels"}
    facts |= _said(source)
    missing = [key for name, key in IMAGE_KEYS.items() if name not in source.facts.sources]
    facts |= {f"note {i + 1}": note for i, note in enumerate(source.facts.notes)}
    told = source.facts
    data = {
        "frames": source.count,
        "columns": source.columns,
        "rows": source.rows,
        "pixel_spacing_mm": told.pixel_spacing_mm,
        "frame_spacing_mm": None if told.withdrawn_mm is None else _median_step_mm(told.withdrawn_mm),
        "length_mm": None if told.withdrawn_mm is None else float(np.ptp(told.withdrawn_mm)),
        "modality": told.modality,
        "acquisition": told.acquisition,
        "frame_rate_hz": told.frame_rate_hz,
        "sources": told.sources,
        "missing": missing,
        "notes": told.notes,
    }
    return Described(f"pullback images ({source.kind})", "pullback.image", facts, data)


def _said(source: FrameSource) -> dict[str, str]:
    """Each fact with where it comes from, or the key of a case.toml that must stand in for it."""
    told = source.facts
    spacing, withdrawn = told.pixel_spacing_mm, told.withdrawn_mm
    texts = {
        ("pixels", "pixel_spacing_mm"): spacing and f"{spacing[0]:.5g} x {spacing[1]:.5g} mm",
        ("length", "position_mm"): None if withdrawn is None else _length_text(withdrawn),
        ("modality", "modality"): told.modality,
        ("acquisition", "acquisition"): told.acquisition,
        ("frame rate", "frame_rate_hz"): told.frame_rate_hz and f"{told.frame_rate_hz:.4g} per second",
    }
    said = {}
    for (name, key), text in texts.items():
        if text:
            said[name] = f"{text} ({told.sources[key]})"
        elif key in IMAGE_KEYS:
            said[name] = f"missing ({told.lacking.get(key, 'nothing in the files')}); set {IMAGE_KEYS[key]}"
    if told.at_rest:
        said["at rest"] = f"{len(told.at_rest)} frames, which are left out"
    return said


def _length_text(withdrawn_mm: FloatArray) -> str:
    return f"{np.ptp(withdrawn_mm):.1f} mm, a frame every {_median_step_mm(withdrawn_mm):.4g} mm"


def _median_step_mm(withdrawn_mm: FloatArray) -> float:
    steps = np.abs(np.diff(withdrawn_mm))
    moving = steps[steps > 0.0]
    return float(np.median(moving)) if len(moving) else 0.0


def _volume(path: Path) -> Described:
    from coreg.io.volumes import read_label, read_volume

    volume = read_volume(path)
    if path.name == SECTIONS and _holds_sections(volume):
        return _sections(volume)
    spacing = volume.spacing_mm
    size = " x ".join(str(each) for each in volume.values.shape[::-1])
    direction = (volume.index_to_world[:3, :3] / spacing)[:, ::-1].T.round(3)
    facts = {
        "size": f"{size} (columns, rows, slices)",
        "spacing": " x ".join(f"{each:.4g}" for each in spacing[::-1]) + " mm",
        "column, row and slice axes (LPS)": "  ".join(str(each.tolist()) for each in direction),
        "first voxel (LPS)": str(volume.index_to_world[:3, 3].round(3).tolist()) + " mm",
    }
    data: dict[str, Any] = {
        "size": volume.values.shape[::-1],
        "spacing_mm": spacing[::-1],
        "axes_lps": direction,
        "origin_lps_mm": volume.index_to_world[:3, 3],
    }
    pullback = float(spacing[1:].max()) <= LARGEST_PULLBACK_PIXEL_MM
    try:
        inside = read_label(path).values != 0
    except InputError:
        return _image(path, volume, pullback, facts, data)
    if pullback and len(np.unique(volume.values)) > MOST_FRAME_VALUES:
        return _image(path, volume, pullback, facts, data)
    from scipy.ndimage import label as components

    count = int(components(inside, np.ones((3, 3, 3)))[1])
    volume_mm3 = float(inside.sum() * np.prod(spacing))
    facts |= {"label": f"{volume_mm3:.1f} mm3 in {count} piece{'s' * (count != 1)}"}
    kinds = np.unique(volume.values[inside])
    if len(kinds) > 1:
        facts["values"] = (
            f"{len(kinds)} different ones, {kinds[0]:g} to {kinds[-1]:g}; all of them count as inside"
        )
    data |= {"label_mm3": volume_mm3, "components": count}
    if not pullback:
        if "wall" in path.name.lower():
            return Described("label image of the outer wall (CCTA)", "ccta.wall", facts, data)
        return Described("label image (CCTA)", "ccta.lumen", facts, data)
    filled = inside.any(axis=(1, 2))
    area = inside.sum(axis=(1, 2))[filled] * float(np.prod(spacing[1:]))
    facts |= {
        "frames": f"{len(filled)}, {int(filled.sum())} with a label",
        "areas": f"{area.min():.2f} to {area.max():.2f} mm2",
    }
    data |= {
        "frames": len(filled),
        "labelled_frames": int(filled.sum()),
        "area_mm2": [area.min(), area.max()],
    }
    role = "pullback.eem" if "eem" in path.name.lower() else "pullback.lumen"
    return Described("label stack (pullback)", role, facts, data)


def _holds_sections(volume: Volume) -> bool:
    """Tell distances by angle and frame, as coreg writes them, from an image of the same name."""
    tables, _, angles = volume.values.shape
    return 3 <= tables <= 5 and angles >= 8 and np.array_equal(volume.index_to_world, np.eye(4))


def _sections(volume: Volume) -> Described:
    from coreg.pullback_measures import areas_mm2
    from coreg.pullback_vessel import UNDRAWN

    tables, frames, angles = volume.values.shape
    outlined = (volume.values[2] != UNDRAWN).any(axis=1)
    area = areas_mm2(volume.values[1].astype(np.float64))[outlined]
    kind = "distances from the catheter by angle and frame (segmented pullback)"
    facts = {
        "frames": f"{frames}, {int(outlined.sum())} with a lumen",
        "angles": str(angles),
        "tables": ", ".join(SECTION_TABLES[:tables]),
        "areas": f"{area.min():.2f} to {area.max():.2f} mm2" if len(area) else "none",
    }
    return Described(kind, "", facts, {"frames": frames, "outlined_frames": int(outlined.sum())})


def _image(
    path: Path, volume: Volume, pullback: bool, facts: dict[str, str], data: dict[str, Any]
) -> Described:
    """Add to what is known of a volume what an image of grey values or CT numbers tells."""
    low, high = float(volume.values.min()), float(volume.values.max())
    facts = facts | {"box (LPS)": _box_text(volume), "values": f"{low:g} to {high:g}"}
    data = data | {"values": [low, high]}
    if pullback:
        frames = _frames(path)
        return Described(frames.kind, frames.role, {**frames.facts, **facts}, {**data, **frames.data})
    return Described("image (CCTA)", "ccta.image", facts, data)


def _box_text(volume: Volume) -> str:
    """Opposite corners in the world of the box around an image's voxel centres."""
    ends = itertools.product(*((0.0, each - 1.0) for each in volume.values.shape))
    corners = volume.to_world(np.array(list(ends)))
    return f"{corners.min(axis=0).round(1).tolist()} to {corners.max(axis=0).round(1).tolist()} mm"


def _mesh(path: Path) -> Described:
    if path.suffix.lower() == ".vtp":
        from coreg.io.vtk_files import read_polydata

        data = read_polydata(path)
        if data.lines and not len(data.triangles):
            return described_centerlines(path)
    from coreg.io.surfaces import open_edge_length_mm, read_surface

    surface = read_surface(path)
    a, b, c = (surface.points_mm[surface.faces[:, i]] - surface.points_mm.mean(axis=0) for i in range(3))
    volume_mm3 = abs(float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum()) / 6.0)
    rim_mm = open_edge_length_mm(surface)
    low, high = surface.points_mm.min(axis=0), surface.points_mm.max(axis=0)
    facts = {
        "triangles": str(len(surface.faces)),
        "closed": "yes" if rim_mm == 0.0 else f"no: {rim_mm:.1f} mm of open edges",
        "volume": f"{volume_mm3:.1f} mm3",
        "box (LPS)": f"{low.round(1).tolist()} to {high.round(1).tolist()} mm",
    }
    numbers = {"triangles": len(surface.faces), "open_edges_mm": rim_mm, "volume_mm3": volume_mm3}
    wall = "wall" in path.name.lower()
    kind, role = ("surface of the outer wall", "ccta.wall") if wall else ("surface", "ccta.lumen")
    return Described(kind, role, facts, numbers | {"box_lps_mm": [low, high]})


def described_centerlines(path: Path) -> Described:
    """Tell what lines are in a file of centerlines.

    Raises
    ------
    InputError
        If it is broken or holds none.
    """
    from coreg.io.centerlines import read_centerlines

    tree = read_centerlines(path)
    lengths = [float(np.ptp(line.arc_length_mm)) for line in tree.lines]
    facts = {"lines": str(len(lengths)), "lengths": ", ".join(f"{each:.1f}" for each in lengths) + " mm"}
    data: dict[str, Any] = {"lines": len(lengths), "length_mm": lengths}
    radii = [line.radius_mm for line in tree.lines if line.radius_mm is not None]
    if radii:
        low, high = min(float(each.min()) for each in radii), max(float(each.max()) for each in radii)
        facts["radius"] = f"{low:.2f} to {high:.2f} mm"
        data["radius_mm"] = [low, high]
    ends = [line.points_mm[[0, -1]].round(1).tolist() for line in tree.lines]
    facts["ends (LPS)"] = "; ".join(f"{first} to {last}" for first, last in ends)
    return Described("centerline", "ccta.centerline", facts, data | {"ends_lps_mm": ends})
