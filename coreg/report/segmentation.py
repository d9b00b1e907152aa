"""The page that a person looks at after a CCTA was segmented, and its parts for other pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from coreg.calcium import calcium_deposits
from coreg.case import CctaCase
from coreg.ccta_vessel import CctaVessel
from coreg.centerline import Centerline, VesselTree
from coreg.report import captions
from coreg.report.figures_slabs import Dot, Stroke, slabs
from coreg.report.figures_space import lines_in_space, triangles_near
from coreg.report.figures_vessel import picked_sections, section_gallery, straightened_views, vessel_profiles
from coreg.report.html import Head, Part, Progress, case_facts, rendered, silent, with_marks
from coreg.report.style import DOUBT, LANDMARK, LUMEN, TREE_COLOURS, look, png_uri
from coreg.report.tables import DASH, Card, Table, flat_table, number, percent
from coreg.stretches import counted, lengths_text, vessel_marks
from coreg.surface import Surface

FloatArray = npt.NDArray[np.float64]

STAGE = "report: CCTA"
MOST_MARKED, MOST_NAMED = 0.1, 6
CLICK, ON_VESSEL = "#FFFFFF", "#F0E442"
_IMAGE_CAPTIONS = (captions.STRAIGHTENED, captions.ACROSS, captions.PROFILE)
_LABEL_CAPTIONS = (captions.STRAIGHTENED_LABEL, captions.ACROSS_LABEL, captions.PROFILE_LABEL)
MEANINGS = {
    "segmented": "Little of the lumen is marked; look whether the path is the right one.",
    "review": "Much of the lumen is not to be trusted; look at it before it is used.",
    "found": "Lines from the ostium to every end that was found; choose one.",
}


def write_segmentation_report(
    path: Path,
    ccta: CctaCase,
    vessel: CctaVessel,
    surface: Surface,
    made: Mapping[str, Any],
    *,
    progress: Progress = silent,
) -> None:
    """Write ``report.html``; see ``segmentation_html``."""
    html = segmentation_html(ccta, vessel, surface, made, progress=progress)
    path.write_text(html, encoding="utf-8")


def segmentation_html(
    ccta: CctaCase,
    vessel: CctaVessel,
    surface: Surface,
    made: Mapping[str, Any],
    *,
    progress: Progress = silent,
) -> str:
    """Make one self-contained HTML page of a segmented vessel.

    Parameters
    ----------
    ccta : CctaCase
        What was segmented.
    vessel : CctaVessel
        The result.
    surface : Surface
        Of its lumen with side branches.
    made : mapping
        How it was made.
    progress : callable
        Takes a stage's name and the share that is done.
    """
    verdict = "review" if vessel.marked.mean() > MOST_MARKED else "segmented"
    source = "from the lumen label of the case" if ccta.lumen is not None else "from the CCTA image"
    marks = vessel_marks(vessel.marked_stretches, most=MOST_NAMED)
    head = Head(
        ccta.id,
        [*case_facts(ccta.patient, ccta.vessel), source],
        verdict,
        with_marks(MEANINGS[verdict], marks),
        marks,
        vessel.notes,
    )
    making = Part("making", "How it was made", captions.VESSEL_MAKING, (), [flat_table(made)], folded=True)
    parts = segmentation_parts(ccta, vessel, surface, progress=progress)
    return rendered(head, _cards(vessel), [*parts, making])


def segmentation_parts(
    ccta: CctaCase, vessel: CctaVessel, surface: Surface, *, progress: Progress = silent
) -> list[Part]:
    """Make the sections of a page that show a segmented vessel."""
    strokes, dots = _strokes(vessel), _dots(ccta, vessel)
    line = vessel.centerline.points_mm
    texts = _LABEL_CAPTIONS if vessel.only_lumen else _IMAGE_CAPTIONS
    drawings: list[Callable[[], Figure]] = [
        lambda: straightened_views(vessel, ccta.image),
        lambda: section_gallery(vessel, ccta.image, picked_sections(vessel)),
        lambda: vessel_profiles(vessel, ccta.image),
        lambda: lines_in_space(triangles_near(surface, line), line, strokes, dots),
    ]
    with look():
        progress(STAGE, 0.0)
        path = [] if ccta.image is None else [png_uri(slabs(ccta.image, strokes, dots))]
        figures = []
        for i, draw in enumerate(drawings):
            progress(STAGE, (i + 1) / (len(drawings) + 1))
            figures.append(png_uri(draw()))
    views, gallery, profile, space = figures
    return [
        *(
            [Part("path", "CCTA: the path", captions.PATH, path, [_click_table(ccta, vessel)])]
            if path
            else []
        ),
        Part("straightened", "CCTA: straightened", texts[0], [views], [_marked_table(vessel)]),
        Part("across", "CCTA: cross-sections", texts[1], [gallery]),
        Part("profile", "CCTA: along the vessel", texts[2], [profile], [_calcium_table(vessel)]),
        Part("vessel", "CCTA: in space", captions.VESSEL_IN_SPACE, [space]),
        *_branch_part(vessel),
    ]


def write_tree_report(path: Path, ccta: CctaCase, tree: VesselTree, made: Mapping[str, Any]) -> None:
    """Write ``report.html`` of all vessels from an ostium."""
    path.write_text(tree_html(ccta, tree, made), encoding="utf-8")


def tree_html(ccta: CctaCase, tree: VesselTree, made: Mapping[str, Any]) -> str:
    """Make one self-contained HTML page of all vessels from an ostium."""
    strokes = [
        Stroke(line.points_mm, TREE_COLOURS[i % len(TREE_COLOURS)], "line, numbered at its end")
        for i, line in enumerate(tree.lines)
    ]
    dots = [Dot(ccta.mouth_mm, "ostium", "X", CLICK, "click as given")]
    dots += [Dot(line.points_mm[-1], str(i), "o", ON_VESSEL, "end") for i, line in enumerate(tree.lines)]
    with look():
        figure = png_uri(slabs(ccta.known_image, strokes, dots))
    lengths = [np.ptp(line.arc_length_mm) for line in tree.lines]
    cards = [Card("lines", str(len(tree.lines)), f"the longest {max(lengths):.0f} mm")]
    head = Head(ccta.id, case_facts(ccta.patient, ccta.vessel), "found", MEANINGS["found"], ccta.notes)
    parts = [
        Part("lines", "All vessels from the ostium", captions.TREE_LINES, [figure], [_tree_table(tree)]),
        Part("making", "How it was made", captions.VESSEL_MAKING, (), [flat_table(made)], folded=True),
    ]
    return rendered(head, cards, parts)


def _strokes(vessel: CctaVessel) -> list[Stroke]:
    line = vessel.centerline.points_mm
    strokes = [Stroke(line, LUMEN, "vessel")]
    if vessel.marked.any():
        strokes.append(Stroke(np.where(vessel.marked[:, None], line, np.nan), DOUBT, "marked", 3.0))
    return strokes + [Stroke(each.points_mm, LANDMARK, "side branch") for each in vessel.branch_lines]


def _dots(ccta: CctaCase, vessel: CctaVessel) -> list[Dot]:
    dots = []
    ends = (vessel.centerline.points_mm[0], vessel.centerline.points_mm[-1])
    for name, given, found in zip(("ostium", "distal"), ccta.ends_mm, ends, strict=True):
        dots += [
            Dot(given, name, "X", CLICK, "click as given"),
            Dot(found, "", "o", ON_VESSEL, "end of the vessel"),
        ]
    return dots


def _cards(vessel: CctaVessel) -> list[Card]:
    arc = vessel.centerline.arc_length_mm
    length = float(arc[-1] - arc[0])
    area = 0.5 * (vessel.lumen_radius_mm**2).mean(axis=1) * 2.0 * np.pi
    smallest = int(np.argmin(np.where(vessel.marked, np.inf, area)))
    moved = "; ".join(f"{name} {number(mm, 1)} mm" for name, mm in vessel.moved_mm.items())
    radius = float(np.sqrt(vessel.volume_mm3 / (np.pi * length)))
    return [
        Card("length", f"{number(length, 1)} mm", "along the centerline"),
        Card(
            "lumen",
            f"{number(vessel.volume_mm3, 0)} mm³",
            f"mean radius {number(radius)} mm, without side branches",
        ),
        Card(
            "smallest area",
            number(area[smallest]) + " mm²",
            f"at {number(arc[smallest], 1)} mm, marked ones left out",
        ),
        Card("marked", percent(vessel.marked.mean()), counted(len(vessel.marked_stretches), "stretch", "es")),
        Card("side branches", str(len(vessel.side_branches)), "with their mouths on this vessel"),
        _calcium_card(vessel),
        Card(
            "clicks moved",
            f"{number(max(vessel.moved_mm.values(), default=0.0), 1)} mm",
            moved or "not at all",
        ),
    ]


def _calcium_card(vessel: CctaVessel) -> Card:
    if vessel.only_lumen:
        return Card("calcium", "not known", "a lumen label does not show it")
    deposits = calcium_deposits(vessel)
    thick = max((each.thickness_mm for each in deposits), default=0.0)
    return Card(
        "calcium",
        counted(len(deposits), "deposit"),
        f"up to {number(thick, 1)} mm thick" if deposits else "none seen",
    )


def _click_table(ccta: CctaCase, vessel: CctaVessel) -> Table:
    ends = (vessel.centerline.points_mm[0], vessel.centerline.points_mm[-1])
    rows = [
        [name, _point(given), _point(found), number(vessel.moved_mm.get(name, float("nan")), 1)]
        for name, given, found in zip(("ostium", "distal"), ccta.ends_mm, ends, strict=True)
    ]
    return Table(("click", "as given (LPS mm)", "end of the vessel (LPS mm)", "moved (mm)"), rows)


def _marked_table(vessel: CctaVessel) -> Table:
    rows = [[lengths_text(start, end), reason] for start, end, reason in vessel.marked_stretches]
    return Table(("not to be trusted", "why"), rows, words=(0, 1))


def _calcium_table(vessel: CctaVessel) -> Table:
    rows = [
        [
            lengths_text(each.start_mm, each.end_mm),
            number(float(np.degrees(each.angle_rad)), 0),
            number(float(np.degrees(each.extent_rad)), 0),
            number(each.thickness_mm, 1),
        ]
        for each in calcium_deposits(vessel)
    ]
    return Table(("calcium", "angle (degrees)", "extent (degrees)", "thickness (mm)"), rows)


def _branch_part(vessel: CctaVessel) -> list[Part]:
    rows = []
    for branch, line in zip(vessel.side_branches, vessel.branch_lines, strict=True):
        known = branch.arc_length_mm is not None
        arc = float(branch.arc_length_mm or 0.0)
        rows.append(
            [
                f"CCTA {branch.id}",
                number(arc, 1) if known else DASH,
                DASH if branch.radius_mm is None else number(branch.radius_mm),
                DASH
                if branch.direction is None
                else number(_angle_deg(vessel.centerline, arc, branch.direction), 0),
                number(float(np.ptp(line.arc_length_mm)), 0),
                number(branch.probability),
            ]
        )
    header = (
        "side branch",
        "arc length (mm)",
        "radius (mm)",
        "angle (degrees)",
        "followed (mm)",
        "probability",
    )
    part = Part("branches", "CCTA: side branches", captions.BRANCHES, (), [Table(header, rows)])
    return [part] if rows else []


def _angle_deg(line: Centerline, arc_length_mm: float, direction: FloatArray) -> float:
    tangent = line.tangents_at(np.array(arc_length_mm))
    return float(np.degrees(np.arccos(np.clip(tangent @ direction, -1.0, 1.0))))


def _tree_table(tree: VesselTree) -> Table:
    rows = [
        [
            str(i),
            number(float(np.ptp(line.arc_length_mm)), 1),
            DASH if line.radius_mm is None else number(float(line.radius_mm.mean())),
            _point(line.points_mm[-1]),
        ]
        for i, line in enumerate(tree.lines)
    ]
    return Table(("line", "length (mm)", "mean radius (mm)", "end (LPS mm)"), rows)


def _point(point_mm: Sequence[float] | FloatArray) -> str:
    return "[" + ", ".join(number(each, 1) for each in point_mm) + "]"
