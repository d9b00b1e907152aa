"""One segmentation of a CCTA on the command line: from a case file to a result folder."""

from __future__ import annotations

import dataclasses
import math
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coreg.cli.console import RESEARCH_ONLY, Progress, aligned, number, part_of, table
from coreg.cli.provenance import provenance
from coreg.cli.running import REPORT, entered, use_threads
from coreg.errors import InputError
from coreg.stretches import vessel_marks

if TYPE_CHECKING:
    from coreg.case import CctaCase
    from coreg.ccta_vessel import CctaVessel
    from coreg.centerline import VesselTree
    from coreg.io.segmentation_files import VesselShapes
    from coreg.volume import FloatArray, Volume

MOST_SHOWN = 6


@dataclass(frozen=True, eq=False)
class VesselOutcome:
    """What came of the segmentation of one vessel."""

    case_id: str
    vessel: CctaVessel
    outlined: bool
    out: Path
    seconds: float


@dataclass(frozen=True, eq=False)
class TreeOutcome:
    """What came of the search for a whole tree."""

    case_id: str
    tree: VesselTree
    out: Path
    seconds: float


def segment_case(
    path: Path, out: Path, *, threads: int | None, force: bool, progress: Progress
) -> VesselOutcome:
    """Segment the vessel of a case and write its result folder, whole or not at all.

    Parameters
    ----------
    path : Path
        case.toml or its folder.
    out : Path
        The result folder.
    threads : int or None
        CPU threads; None leaves the choice to the libraries.
    force : bool
        Replace whatever is in the way.
    progress : callable
        Takes a stage's name and the share that is done.
    """
    use_threads(threads)
    progress("reading the case", 0.0)
    from coreg.io.case_file import ccta_input_paths, load_ccta, read_case_file
    from coreg.io.files import naming
    from coreg.io.results import replaced_folder
    from coreg.io.segmentation_files import write_ccta_segmentation

    start = time.perf_counter()
    case_file = read_case_file(path)
    inputs = ccta_input_paths(case_file)
    with ExitStack() as stack:
        folder = entered(stack, replaced_folder(out, case_file.id, force=force, inputs=inputs))
        ccta = load_ccta(path, progress=part_of(progress, 0.0, 0.15))
        with naming(str(case_file.path)):
            vessel, shapes = segmented(ccta, progress=part_of(progress, 0.15, 0.85))
        progress("writing the files", 0.85)
        from coreg.report import write_segmentation_report

        made = with_phase(provenance(case_file, inputs), ccta.ccta_phase_percent)
        write_ccta_segmentation(folder, vessel, shapes, case_id=ccta.id, made=made)
        drawing = part_of(progress, 0.9, 1.0)
        write_segmentation_report(folder / REPORT, ccta, vessel, shapes.surface, made, progress=drawing)
    progress("done", 1.0)
    return VesselOutcome(ccta.id, vessel, ccta.lumen is not None, out, time.perf_counter() - start)


def segment_tree(
    path: Path, out: Path, *, threads: int | None, force: bool, progress: Progress
) -> TreeOutcome:
    """Follow all vessels from the ostium of a case; parameters as in `segment_case`."""
    use_threads(threads)
    progress("reading the case", 0.0)
    from coreg.io.case_file import ccta_input_paths, load_ccta, read_case_file
    from coreg.io.files import naming
    from coreg.io.results import replaced_folder
    from coreg.io.segmentation_files import write_ccta_tree

    start = time.perf_counter()
    case_file = read_case_file(path)
    inputs = ccta_input_paths(case_file)
    with ExitStack() as stack:
        folder = entered(stack, replaced_folder(out, case_file.id, force=force, inputs=inputs))
        if case_file.ccta.image is None:
            expected = "an image, since --tree looks for vessels in the CCTA itself"
            raise case_file.bad(key="ccta.image", found="nothing", expected=expected)
        ccta = load_ccta(path, distal_needed=False, progress=part_of(progress, 0.0, 0.15))
        from coreg.report import write_tree_report
        from coreg.segmentation import ccta_tree

        with naming(str(case_file.path)):
            tree = ccta_tree(ccta.known_image, ccta.mouth_mm, progress=part_of(progress, 0.15, 0.85))
        progress("writing the report", 0.85)
        made = provenance(case_file, inputs)
        write_ccta_tree(folder, tree, case_id=ccta.id, made=made)
        write_tree_report(folder / REPORT, ccta, tree, made)
    progress("done", 1.0)
    return TreeOutcome(ccta.id, tree, out, time.perf_counter() - start)


def with_phase(made: dict[str, Any], ccta_phase_percent: float | None) -> dict[str, Any]:
    """Add to how a result was made the phase of the heart that the CCTA shows, where it is known."""
    return made if ccta_phase_percent is None else {**made, "ccta_phase_percent": ccta_phase_percent}


def segmented(ccta: CctaCase, *, progress: Progress) -> tuple[CctaVessel, VesselShapes]:
    """Segment the vessel between the clicks: from the user's own label where there is one.

    Raises
    ------
    InputError
        If image, label or clicks cannot be used.
    """
    from coreg.segmentation import segment_ccta, vessel_from_label
    from coreg.surface import Surface

    if isinstance(ccta.lumen, Surface):
        msg = (
            "ccta.lumen: found a surface, expected a label image, from which centerline, sections and side "
            "branches can be measured; or drop ccta.lumen to have the image segmented"
        )
        raise InputError(msg)
    ostium, distal = ccta.ends_mm
    if ccta.lumen is not None:
        progress("CCTA: vessel in the label", 0.0)
        vessel = vessel_from_label(ccta.lumen, ostium, distal)
    else:
        vessel = segment_ccta(ccta.known_image, ostium, distal, progress=part_of(progress, 0.0, 0.9))
    progress("CCTA: labels", 0.9)
    vessel = dataclasses.replace(vessel, notes=(*ccta.notes, *vessel.notes))
    return vessel, shapes_of(vessel, ccta.grid)


def shapes_of(vessel: CctaVessel, grid: Volume) -> VesselShapes:
    """Make labels of a vessel on a grid, and its surface."""
    from coreg.io.segmentation_files import VesselShapes
    from coreg.segmentation import lumen_label, lumen_surface, wall_label

    return VesselShapes(
        lumen_label(vessel, grid, branches=True),
        lumen_label(vessel, grid, branches=False),
        None if vessel.only_lumen else wall_label(vessel, grid),
        lumen_surface(vessel, branches=True),
    )


def vessel_headline(outcome: VesselOutcome) -> str:
    """Sum up a segmented vessel in a few lines."""
    vessel = outcome.vessel
    rows = [
        ("made from", "the lumen label of the case" if outcome.outlined else "the CCTA image"),
        ("length", f"{length_mm(vessel):.1f} mm"),
        ("mean radius", f"{mean_radius_mm(vessel):.2f} mm"),
        ("lumen", f"{vessel.volume_mm3:.0f} mm3, without side branches"),
        ("side branches", str(len(vessel.side_branches))),
        ("marked", f"{vessel.marked.mean():.0%} of it"),
        *(("", f"- {text}") for text in marked_texts(vessel)),
    ]
    rows += [(f"{name} click", f"moved by {mm:.1f} mm") for name, mm in vessel.moved_mm.items()]
    rows += [("note", note) for note in vessel.notes]
    rows += [("time", f"{outcome.seconds:.1f} s"), ("report", str(outcome.out / REPORT))]
    return aligned(rows)


def marked_texts(vessel: CctaVessel) -> list[str]:
    """Say where a vessel's lumen is not to be trusted, the longest stretches first."""
    return vessel_marks(vessel.marked_stretches, most=MOST_SHOWN)


def length_mm(vessel: CctaVessel) -> float:
    """Length of the vessel's centerline."""
    arc = vessel.centerline.arc_length_mm
    return float(arc[-1] - arc[0])


def mean_radius_mm(vessel: CctaVessel) -> float:
    """Radius of a cylinder of the lumen's length and volume."""
    return math.sqrt(vessel.volume_mm3 / (math.pi * length_mm(vessel)))


def vessel_data(outcome: VesselOutcome) -> dict[str, Any]:
    """Put the same into a form for machines."""
    return {
        "case_id": outcome.case_id,
        "from_label": outcome.outlined,
        **vessel_numbers(outcome.vessel),
        **_where(outcome.out, outcome.seconds),
    }


def vessel_numbers(vessel: CctaVessel) -> dict[str, Any]:
    """Put what was measured of a vessel into a form for machines."""
    return {
        "length_mm": length_mm(vessel),
        "mean_radius_mm": mean_radius_mm(vessel),
        "lumen_mm3": vessel.volume_mm3,
        "side_branches": len(vessel.side_branches),
        "marked_share": float(vessel.marked.mean()),
        "marked": [
            {"start_mm": start, "end_mm": end, "reason": reason}
            for start, end, reason in vessel.marked_stretches
        ],
        "moved_mm": vessel.moved_mm,
        "notes": vessel.notes,
    }


def tree_headline(outcome: TreeOutcome) -> str:
    """List the vessels of a tree, with what to write into the case to segment one of them."""
    rows = [
        [
            str(i),
            number(line.arc_length_mm[-1] - line.arc_length_mm[0], 1),
            number(float("nan") if line.radius_mm is None else float(line.radius_mm.mean())),
            _point_text(line.points_mm[-1]),
        ]
        for i, line in enumerate(outcome.tree.lines)
    ]
    found = table(("line", "length mm", "mean radius mm", "distal ="), rows)
    rest = [("time", f"{outcome.seconds:.1f} s"), ("report", str(outcome.out / REPORT))]
    hint = "To segment one of them, take its end as ccta.distal of the case."
    return f"{found}\n{hint}\n{aligned(rest)}"


def tree_data(outcome: TreeOutcome) -> dict[str, Any]:
    """Put the same into a form for machines."""
    lines = [
        {
            "line": i,
            "length_mm": line.arc_length_mm[-1] - line.arc_length_mm[0],
            "mean_radius_mm": None if line.radius_mm is None else line.radius_mm.mean(),
            "distal": line.points_mm[-1],
        }
        for i, line in enumerate(outcome.tree.lines)
    ]
    return {"case_id": outcome.case_id, "lines": lines, **_where(outcome.out, outcome.seconds)}


def _where(out: Path, seconds: float) -> dict[str, Any]:
    return {"seconds": round(seconds, 3), "out": out, "report": out / REPORT, "use": RESEARCH_ONLY}


def _point_text(point_mm: FloatArray) -> str:
    return "[" + ", ".join(f"{each:.1f}" for each in point_mm) + "]"
