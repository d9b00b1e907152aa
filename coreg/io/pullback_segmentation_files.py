"""What the segmentation of a pullback leaves behind, and how it is read back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from coreg.io.contour_formats import write_contours
from coreg.io.files import unusable
from coreg.io.frame_marks import CONTOURS, LUMEN, QUALITY, QUALITY_COLUMNS
from coreg.io.holorama_csv import write_holorama
from coreg.io.json_fields import USE, Fields, parsed_json, write_json
from coreg.io.label_stack import write_label_stack
from coreg.io.landmark_files import read_pullback_side_branches, write_pullback_side_branches
from coreg.io.tables import Cell, Table, has_rows, read_table, write_table
from coreg.io.volumes import read_volume, write_volume
from coreg.landmarks import SideBranch
from coreg.pullback import Pullback
from coreg.pullback_images import PullbackImages
from coreg.pullback_measures import areas_mm2, plaque_burdens
from coreg.pullback_vessel import CalciumArc, Gating, PullbackVessel
from coreg.radial_raster import RadialRaster, radial_raster
from coreg.vessel_contours import vessel_contours
from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

FILE_NAME = "pullback_segmentation.json"
SCHEMA_VERSION = 1
EEM, SECTIONS = "pullback_eem.nii.gz", "pullback_sections.nii.gz"
SIDE_BRANCHES, CALCIUM = "pullback_side_branches.csv", "pullback_calcium.csv"
GATING, MEASURES = "gating.csv", "pullback_frames.csv"
HOLORAMA = {"lumen": "holorama_lumen.csv", "eem": "holorama_eem.csv"}
# Pixels of labels where there is no image.
_PIXEL_MM = 0.05
# A tenth of a micrometre; more digits would double the largest files.
_DIGITS = 4
_TABLES = ("lumen_mm", "wall_mm", "state", "eem_mm", "eem_seen")
_CALCIUM_COLUMNS = ("id", "first_frame", "last_frame", "angle_deg", "extent_deg")
_MEASURE_COLUMNS = (
    "frame",
    "position_mm",
    "lumen_area_mm2",
    "lumen_diameter_mm",
    "eem_area_mm2",
    "plaque_burden",
    "side_branches",
    "quality",
    "reason",
)
_PHASES: tuple[Literal["diastole", "systole"], ...] = ("diastole", "systole")
_PARTS = "files of one segmentation"


@dataclass(frozen=True, eq=False)
class _Grid:
    """The pixels of the frames.

    Attributes
    ----------
    shape : tuple of int
        Rows and columns.
    catheter_px : (2,) array
        Its column and row.
    pixel_mm : (2,) array
        Between columns, between rows.
    """

    shape: tuple[int, int]
    catheter_px: FloatArray
    pixel_mm: FloatArray

    @property
    def catheter_mm(self) -> FloatArray:
        """The catheter from the image's lower left corner, y up: HolOrama's coordinates."""
        column, row = self.catheter_px
        from_corner = np.array([column + 0.5, self.shape[0] - (row + 0.5)])
        return from_corner * self.pixel_mm


def write_pullback_segmentation(
    folder: Path,
    vessel: PullbackVessel,
    pullback: Pullback,
    images: PullbackImages | None,
    *,
    case_id: str,
    made: Mapping[str, Any],
) -> None:
    """Write all files of a segmented pullback into a folder.

    Parameters
    ----------
    folder : Path
        Must exist.
    vessel : PullbackVessel
        What was found.
    pullback : Pullback
        Its frames, with their positions.
    images : PullbackImages or None
        What it was found in; the labels have their grid, else pixels of 0.05 mm about the catheter.
    case_id : str
        Whose result it is.
    made : mapping
        How it was made: versions, hashes of inputs.

    Raises
    ------
    ValueError
        If the pullback or the images have other frames than the vessel.
    """
    count = len(vessel)
    other = not np.array_equal(np.sort(pullback.frame), vessel.frame)
    if other or (images is not None and len(images) != count):
        found = f"{len(pullback)} in the pullback, {'no' if images is None else len(images)} images"
        needed = f"frames {vessel.frame[0]} to {vessel.frame[-1]}"
        msg = f"a vessel of {len(vessel.frame)} frames needs {needed}, got {found}"
        raise ValueError(msg)
    write_pullback_vessel(folder, vessel, pullback, images)
    write_table(folder / MEASURES, _MEASURE_COLUMNS, _measure_rows(vessel, pullback))
    contours = vessel_contours(vessel)
    write_contours(folder / CONTOURS, _rounded(contours))
    grid, names = _grid_of(vessel, images), _table_names(vessel)
    _write_holorama(folder, vessel, pullback, grid, contours)
    if vessel.gating is not None:
        write_table(folder / GATING, ["frame", "signal", "gated"], _gating_rows(vessel.gating))
    content = _summary(vessel, images, grid, names)
    content |= {"case_id": case_id, "provenance": made}
    write_json(folder / FILE_NAME, content)


def write_pullback_vessel(
    folder: Path, vessel: PullbackVessel, pullback: Pullback, images: PullbackImages | None
) -> None:
    """Write the labels and tables of a vessel alone, whether found or known; see above."""
    _write_labels(folder, vessel, _grid_of(vessel, images), _spacing_mm(pullback))
    write_volume(folder / SECTIONS, _sections(vessel, _table_names(vessel)))
    write_pullback_side_branches(folder / SIDE_BRANCHES, vessel.side_branches)
    write_table(folder / CALCIUM, _CALCIUM_COLUMNS, _calcium_rows(vessel.calcium))
    quality = ([i, float(vessel.quality[i]), vessel.reason[i]] for i in vessel.frame.tolist())
    write_table(folder / QUALITY, QUALITY_COLUMNS, quality)


def read_pullback_segmentation(folder: Path) -> PullbackVessel:
    """Read back what `write_pullback_segmentation` wrote, to 0.1 micrometres.

    Raises
    ------
    InputError
        If a file is missing or broken, or they do not belong together.
    """
    path = folder / FILE_NAME
    fields = Fields(path, "", parsed_json(path))
    fields.check_schema(SCHEMA_VERSION)
    names = fields.texts("tables")
    if names not in (_TABLES, _TABLES[:3], _TABLES[:4]):
        found = ", ".join(names)
        raise unusable(
            path, "tables", found=found, expected=f"the first three or more of {', '.join(_TABLES)}"
        )
    tables = _read_sections(folder / SECTIONS, names)
    count = len(tables["lumen_mm"])
    frames = fields.number("frames")
    marks = _of_all_frames(read_table(folder / QUALITY, required=QUALITY_COLUMNS), count, frames)
    frame = marks.whole_numbers("frame")
    quality, reason = np.zeros(count), np.full(count, "", dtype=object)
    quality[frame] = marks.numbers("quality", required=True)
    reason[frame] = [each or "" for each in marks.texts("reason")]
    branches = folder / SIDE_BRANCHES
    try:
        return PullbackVessel(
            lumen_mm=tables["lumen_mm"],
            wall_mm=tables["wall_mm"],
            eem_mm=tables.get("eem_mm"),
            state=tables["state"].astype(np.uint8),
            eem_seen=tables["eem_seen"].astype(bool) if "eem_seen" in tables else None,
            quality=quality,
            reason=tuple(reason.tolist()),
            field_of_view_mm=fields.number("field_of_view_mm"),
            side_branches=read_pullback_side_branches(branches) if has_rows(branches) else (),
            calcium=_read_calcium(folder / CALCIUM),
            gating=_read_gating(folder / GATING, fields, count),
            notes=fields.texts("notes"),
            from_contours=fields.value("from_contours") is True,
            absent=tuple(np.setdiff1d(np.arange(count), frame).tolist()),
        )
    except ValueError as error:
        raise unusable(folder, "", found=str(error), expected=_PARTS) from error


def _grid_of(vessel: PullbackVessel, images: PullbackImages | None) -> _Grid:
    if images is not None:
        _, rows, columns = images.pixels.shape
        return _Grid((rows, columns), images.catheter_px, images.pixel_spacing_mm)
    half = int(np.ceil(vessel.field_of_view_mm / _PIXEL_MM))
    return _Grid((2 * half + 1, 2 * half + 1), np.full(2, float(half)), np.full(2, _PIXEL_MM))


def _spacing_mm(pullback: Pullback) -> float:
    """Median distance between frames; where most of them share a place, the mean; of one frame 1 mm.

    Of frames that are apart in time, what lies between them counts as frames too.
    """
    order = np.argsort(pullback.frame)
    steps = np.diff(pullback.frame[order])
    if (steps == 1).all():
        return pullback.frame_spacing_mm or pullback.length_mm / max(len(pullback) - 1, 1) or 1.0
    per_frame = np.abs(np.diff(pullback.position_mm[order])) / steps
    return float(np.median(per_frame)) or pullback.length_mm / float(steps.sum()) or 1.0


def _write_labels(folder: Path, vessel: PullbackVessel, grid: _Grid, spacing_mm: float) -> None:
    raster = radial_raster(
        grid.shape,
        catheter_px=grid.catheter_px,
        pixel_spacing_mm=grid.pixel_mm,
        rays=vessel.lumen_mm.shape[1],
    )
    spacing = (spacing_mm, float(grid.pixel_mm[1]), float(grid.pixel_mm[0]))
    for name, table, outlined in (
        (LUMEN, vessel.lumen_mm, vessel.outlined),
        (EEM, vessel.eem_mm, vessel.membraned),
    ):
        if table is not None:
            shape, labels = (len(vessel), *grid.shape), _labels(raster, table, outlined)
            write_label_stack(folder / name, labels, shape=shape, spacing_mm=spacing)


def _labels(
    raster: RadialRaster, distance_mm: FloatArray, outlined: BoolArray
) -> Iterator[npt.NDArray[np.uint8]]:
    """Labels of all frames; empty where there is no outline."""
    for each, drawn in zip(distance_mm, outlined, strict=True):
        inside = raster.inside(each)
        yield inside if drawn else np.zeros_like(inside)


def _rounded(contours: Mapping[str, Mapping[int, FloatArray]]) -> dict[str, dict[int, FloatArray]]:
    return {
        kind: {frame: points.round(_DIGITS) for frame, points in of_kind.items()}
        for kind, of_kind in contours.items()
    }


def _write_holorama(
    folder: Path,
    vessel: PullbackVessel,
    pullback: Pullback,
    grid: _Grid,
    contours: Mapping[str, Mapping[int, FloatArray]],
) -> None:
    """Write what other tools take: the gated frames, else all that are to be trusted."""
    trusted = vessel.frame[~vessel.marked[vessel.frame]]
    frames = trusted if vessel.gating is None else vessel.gating.frame
    if not len(frames):
        return
    position = dict(zip(pullback.frame.tolist(), pullback.position_mm.tolist(), strict=True))
    first = position[int(frames[0])]
    z_mm = {int(frame): round(position[int(frame)] - first, 9) for frame in frames}
    for kind, name in HOLORAMA.items():
        if kind in contours:
            chosen = {frame: contours[kind][frame] for frame in z_mm if frame in contours[kind]}
            write_holorama(folder / name, chosen, catheter_mm=grid.catheter_mm, z_mm=z_mm)


def _table_names(vessel: PullbackVessel) -> tuple[str, ...]:
    return tuple(name for name in _TABLES if getattr(vessel, name) is not None)


def _sections(vessel: PullbackVessel, names: Sequence[str]) -> Volume:
    """Tables of distances and states as an image (tables, frames, angles)."""
    tables = [np.asarray(getattr(vessel, name), dtype=np.float64).round(_DIGITS) for name in names]
    return Volume(np.array(tables, dtype=np.float32), np.eye(4))


def _calcium_rows(arcs: Sequence[CalciumArc]) -> Iterator[Sequence[Cell]]:
    for each in arcs:
        angles = (_degrees(each.angle_rad), float(np.rad2deg(each.extent_rad)))
        yield [each.id, each.first_frame, each.last_frame, *angles]


def _degrees(angle_rad: float) -> float:
    return 180.0 - (180.0 - float(np.rad2deg(angle_rad))) % 360.0


def _measure_rows(vessel: PullbackVessel, pullback: Pullback) -> Iterator[Sequence[Cell]]:
    """Rows of what is measured in each frame; mouths of side branches are closed where they are known."""
    position_mm = dict(zip(pullback.frame.tolist(), pullback.position_mm.tolist(), strict=True))
    area = np.where(vessel.outlined, areas_mm2(vessel.wall_mm), np.nan)
    burden = np.where(vessel.outlined, plaque_burdens(vessel), np.nan)
    eem = np.full(len(vessel), np.nan) if vessel.eem_mm is None else areas_mm2(vessel.eem_mm)
    eem = np.where(np.isfinite(burden), eem, np.nan)
    for i in vessel.frame.tolist():
        here = [each.id for each in vessel.side_branches if _shows(each, i)]
        numbers = (position_mm[i], area[i], 2.0 * np.sqrt(area[i] / np.pi), eem[i], burden[i])
        yield [
            i,
            *(round(float(each), _DIGITS) for each in numbers),
            " ".join(here),
            float(vessel.quality[i]),
            vessel.reason[i],
        ]


def _shows(branch: SideBranch, frame: int) -> bool:
    """Whether a frame shows the mouth of a branch."""
    if branch.first_frame is None or branch.last_frame is None:
        return False
    return branch.first_frame <= frame <= branch.last_frame


def _gating_rows(gating: Gating) -> Iterator[Sequence[Cell]]:
    gated = set(gating.frame.tolist())
    for frame, value in enumerate(gating.signal.tolist()):
        yield [frame, value, frame in gated]


def _summary(
    vessel: PullbackVessel, images: PullbackImages | None, grid: _Grid, names: Sequence[str]
) -> dict[str, Any]:
    gating = vessel.gating
    return {
        "schema_version": SCHEMA_VERSION,
        "use": USE,
        "frames": len(vessel.frame),
        "from_contours": vessel.from_contours,
        "marked_share": vessel.marked_share,
        "field_of_view_mm": vessel.field_of_view_mm,
        "pixel_spacing_mm": grid.pixel_mm,
        "catheter_px": grid.catheter_px,
        "holorama_catheter_mm": grid.catheter_mm,
        "tables": list(names),
        "side_branches": len(vessel.side_branches),
        "calcium": len(vessel.calcium),
        "gating": None
        if gating is None
        else {
            "frames": len(gating.frame),
            "beat_frames": gating.beat_frames,
            "phase": gating.phase,
            "probability": gating.probability,
        },
        "notes": vessel.notes,
        "image_notes": () if images is None else images.notes,
        "sources": {} if images is None else dict(images.sources),
    }


def _read_sections(path: Path, names: Sequence[str]) -> dict[str, FloatArray]:
    values = read_volume(path).values.astype(np.float64)
    if len(values) != len(names):
        raise unusable(
            path, "size", found=f"{len(values)} tables", expected=f"{len(names)}: {', '.join(names)}"
        )
    return {name: table.round(_DIGITS) for name, table in zip(names, values, strict=True)}


def _of_all_frames(table: Table, count: int, wanted: float) -> Table:
    """Return the table if it has a row for each frame, in order; some of all rows may have no frame."""
    frames = table.whole_numbers("frame")
    rising = (np.diff(frames) > 0).all() and frames[-1] == count - 1
    if len(frames) != wanted or not rising:
        found = f"{len(frames)} rows from frame {frames.min()} to {frames.max()}"
        some = f"frames 0 to {count - 1}" if wanted == count else f"{wanted:g} of frames 0 to {count - 1}"
        raise unusable(table.path, "frame", found=found, expected=f"{some}, as in {SECTIONS}")
    return table


def _read_calcium(path: Path) -> tuple[CalciumArc, ...]:
    if not has_rows(path):
        return ()
    table = read_table(path, required=_CALCIUM_COLUMNS)
    first, last = table.whole_numbers("first_frame"), table.whole_numbers("last_frame")
    angle, extent = (np.deg2rad(table.numbers(name, required=True)) for name in ("angle_deg", "extent_deg"))
    return tuple(
        CalciumArc(name, int(first[row]), int(last[row]), float(angle[row]), float(extent[row]))
        for row, name in enumerate(table.columns["id"])
    )


def _read_gating(path: Path, fields: Fields, count: int) -> Gating | None:
    if fields.value("gating") is None:
        return None
    facts = fields.inner("gating")
    phase = next((each for each in _PHASES if each == facts.value("phase")), None)
    if phase is None:
        found = repr(facts.value("phase"))
        raise unusable(path.parent / FILE_NAME, "gating.phase", found=found, expected=" or ".join(_PHASES))
    table = _of_all_frames(read_table(path, required=("frame", "signal", "gated")), count, count)
    gated = np.flatnonzero(table.whole_numbers("gated"))
    signal = table.numbers("signal", required=True)
    return Gating(gated, facts.number("beat_frames"), phase, facts.number("probability"), signal)
