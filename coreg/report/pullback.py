"""The page that a person looks at after a pullback was segmented, and its parts for other pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from coreg.case import PullbackCase
from coreg.pullback_measures import measures_of, plaque_burdens
from coreg.pullback_vessel import Gating, PullbackVessel
from coreg.report import captions
from coreg.report.figures_frames import frame_gallery
from coreg.report.figures_run import cuts, heartbeat, profiles, unrolled
from coreg.report.html import Head, Part, Progress, case_facts, rendered, silent, unique, with_marks
from coreg.report.pullback_views import SegmentedRun, all_alike, blacked_out, picked_frames
from coreg.report.style import look, png_uri
from coreg.report.tables import DASH, Card, Table, flat_table, number, percent
from coreg.stretches import counted, frame_marks

STAGE = "report: pullback"
MOST_MARKED, MOST_NAMED = 0.1, 6
MEANINGS = {
    "segmented": "Little of the lumen is marked; look whether the outlines follow it.",
    "review": "Much of the lumen is not to be trusted; look at it before it is used.",
    "measured": "The contours of the case were measured as they are.",
}
_FACTS = {
    "pixel_spacing_mm": "pixel size (mm)",
    "catheter_px": "catheter (column, row)",
    "modality": "modality",
    "field_of_view_mm": "field of view (mm from the catheter)",
    "catheter_type": "catheter",
    "frame_rate_hz": "frames per second",
    "position_mm": "positions",
}


def write_pullback_report(
    path: Path,
    case: PullbackCase,
    vessel: PullbackVessel,
    made: Mapping[str, Any],
    *,
    outlined: bool,
    progress: Progress = silent,
) -> None:
    """Write ``report.html``; see ``pullback_html``."""
    html = pullback_html(case, vessel, made, outlined=outlined, progress=progress)
    path.write_text(html, encoding="utf-8")


def pullback_html(
    case: PullbackCase,
    vessel: PullbackVessel,
    made: Mapping[str, Any],
    *,
    outlined: bool = False,
    progress: Progress = silent,
) -> str:
    """Make one self-contained HTML page of a segmented pullback.

    Parameters
    ----------
    case : PullbackCase
        What was segmented, with the position of every frame.
    vessel : PullbackVessel
        The result.
    made : mapping
        How it was made.
    outlined : bool
        Whether the contours are those of the case.
    progress : callable
        Takes a stage's name and the share that is done.
    """
    verdict = "review" if vessel.marked_share > MOST_MARKED else "segmented"
    verdict = "measured" if outlined else verdict
    pullback = case.pullback
    facts = [
        *case_facts(case.patient, case.vessel),
        *([pullback.modality] if pullback.modality else []),
        f"{len(vessel.frame)} frames over {number(pullback.length_mm, 1)} mm",
        "from the contours of the case" if outlined else "from the images",
    ]
    making = Part("making", "How it was made", captions.VESSEL_MAKING, (), [flat_table(made)], folded=True)
    marks = frame_marks(vessel.marked_stretches, most=MOST_NAMED)
    meaning, notes = with_marks(MEANINGS[verdict], marks), pullback_notes(case, vessel)
    head = Head(case.id, facts, verdict, meaning, marks, notes)
    parts = pullback_parts(case, vessel, outlined=outlined, progress=progress)
    return rendered(head, _cards(case, vessel, outlined=outlined), [*parts, making])


def pullback_notes(case: PullbackCase, vessel: PullbackVessel) -> tuple[str, ...]:
    """Collect what a person should know of how a pullback was read and segmented."""
    of_images = () if case.images is None else case.images.notes
    return unique([*case.pullback.notes, *of_images, *vessel.notes])


def pullback_parts(
    case: PullbackCase, vessel: PullbackVessel, *, outlined: bool = False, progress: Progress = silent
) -> list[Part]:
    """Make the sections of a page that show a segmented pullback."""
    run = SegmentedRun(case.pullback, vessel, case.images)
    steps: list[Callable[[], Sequence[Part]]] = [
        lambda: _frame_part(run, outlined=outlined),
        lambda: _cut_part(run),
        lambda: _run_part(run),
        lambda: [] if outlined and not vessel.side_branches else _unrolled_part(run),
        lambda: _heart_part(run),
        lambda: _fact_part(case),
    ]
    parts: list[Part] = []
    with look():
        for i, step in enumerate(steps):
            progress(STAGE, i / len(steps))
            parts += step()
    return parts


def _frame_part(run: SegmentedRun, *, outlined: bool) -> list[Part]:
    figure = png_uri(frame_gallery(run, picked_frames(run)))
    texts = [captions.FRAMES_IN_ORDER if all_alike(run) else captions.FRAMES_RANKED, captions.FRAMES]
    if outlined:
        texts = [captions.FRAMES_OUTLINED]
    if run.vessel.eem_mm is not None:
        texts.append(captions.FRAMES_MEMBRANE)
    return [Part("frames", "Pullback: frames", " ".join([*texts, *_blacked(run)]), [figure])]


def _cut_part(run: SegmentedRun) -> list[Part]:
    text = captions.CUTS if run.images is not None else captions.CUTS_OUTLINED
    caption = " ".join([text, *_gaps(run), *_blacked(run)])
    return [
        Part("cuts", "Pullback: lengthwise cuts", caption, [png_uri(cuts(run))], [_marked_table(run.vessel)])
    ]


def _blacked(run: SegmentedRun) -> list[str]:
    return [captions.BLACKED] if blacked_out(run.images) else []


def _gaps(run: SegmentedRun) -> list[str]:
    return [] if run.vessel.outlined[run.vessel.frame].all() else [captions.GAPS]


def _run_part(run: SegmentedRun) -> list[Part]:
    burden = [] if run.vessel.eem_mm is None else [captions.RUN_PROFILE_MEMBRANE]
    caption = " ".join([captions.RUN_PROFILE, *burden, *_gaps(run)])
    return [Part("run", "Pullback: along the vessel", caption, [png_uri(profiles(run))])]


def _unrolled_part(run: SegmentedRun) -> list[Part]:
    tables = [_branch_table(run), _calcium_table(run)]
    return [Part("unrolled", "Pullback: unrolled", captions.UNROLLED, [png_uri(unrolled(run))], tables)]


def _heart_part(run: SegmentedRun) -> list[Part]:
    gating = run.vessel.gating
    if gating is None:
        return []
    table = _gating_table(gating)
    return [Part("heartbeat", "Pullback: heartbeat", captions.HEARTBEAT, [png_uri(heartbeat(run))], [table])]


def _cards(case: PullbackCase, vessel: PullbackVessel, *, outlined: bool) -> list[Card]:
    found = measures_of(vessel)
    gated = "" if vessel.gating is None else f", {len(vessel.gating.frame)} of them gated"
    cards = [
        Card("frames", str(len(vessel.frame)), f"over {number(case.pullback.length_mm, 1)} mm{gated}"),
        Card(
            "mean lumen",
            _unit(found.lumen_area_mm2, 2, " mm²"),
            f"mean diameter {_unit(found.lumen_diameter_mm, 2, ' mm')}; "
            f"{'as drawn' if vessel.from_contours else 'mouths of branches closed'}",
        ),
        Card(
            "smallest lumen",
            _unit(found.smallest_area_mm2, 2, " mm²"),
            "no frame to be trusted" if found.smallest_frame is None else f"in frame {found.smallest_frame}",
        ),
    ]
    if vessel.eem_mm is not None:
        cards.append(
            Card(
                "plaque burden",
                _percent(found.plaque_burden),
                f"mean of {counted(int(np.isfinite(plaque_burdens(vessel)).sum()), 'frame')}; membrane "
                f"{_unit(found.eem_area_mm2, 1, ' mm²')}; largest "
                f"{_percent(found.largest_burden)} in frame {_text(found.largest_burden_frame)}",
            )
        )
    cards += [
        Card(
            "marked",
            percent(vessel.marked_share),
            f"{int(vessel.marked.sum())} of {len(vessel.frame)} frames",
        ),
        _branch_card(vessel, outlined=outlined),
        _calcium_card(vessel, outlined=outlined),
    ]
    if vessel.gating is not None:
        cards.append(_heart_card(case, vessel.gating))
    return cards


def _heart_card(case: PullbackCase, gating: Gating) -> Card:
    rate = None if case.images is None else case.images.frame_rate_hz
    value = f"{number(gating.beat_frames, 1)} frames"
    if rate is not None:
        value = f"{number(60.0 * rate / gating.beat_frames, 0)} / min"
    return Card("heartbeat", value, f"{gating.phase} with a probability of {percent(gating.probability)}")


def _branch_card(vessel: PullbackVessel, *, outlined: bool) -> Card:
    if outlined and not vessel.side_branches:
        return Card("side branches", "not known", "contours of the lumen do not show them")
    likely = sum(each.probability >= 0.5 for each in vessel.side_branches)
    note = f"{likely} of them probable" if vessel.side_branches else "none seen"
    return Card("side branches", str(len(vessel.side_branches)), note)


def _calcium_card(vessel: PullbackVessel, *, outlined: bool) -> Card:
    if outlined:
        return Card("calcium", "not known", "contours of the lumen do not show it")
    widest = max((np.degrees(each.extent_rad) for each in vessel.calcium), default=0.0)
    note = f"up to {number(widest, 0)}° wide" if vessel.calcium else "none seen"
    return Card("calcium", counted(len(vessel.calcium), "arc"), note)


def _unit(value: float | None, digits: int, unit: str) -> str:
    return DASH if value is None else number(value, digits) + unit


def _percent(share: float | None) -> str:
    return DASH if share is None else percent(share)


def _text(value: int | None) -> str:
    return DASH if value is None else str(value)


def _marked_table(vessel: PullbackVessel) -> Table:
    rows = [
        [_range(first, last), str(last - first + 1), reason]
        for first, last, reason in vessel.marked_stretches
    ]
    return Table(("not to be trusted (frames)", "how many", "why"), rows, words=(0, 2))


def _branch_table(run: SegmentedRun) -> Table:
    rows = [
        [
            f"pullback {each.id}",
            DASH if each.frame is None else number(each.frame, 1),
            _range(each.first_frame, each.last_frame),
            DASH if each.frame is None else number(run.position_at(each.frame), 1),
            DASH if each.angle_rad is None else number(_degrees(each.angle_rad), 0),
            number(each.probability),
        ]
        for each in run.vessel.side_branches
    ]
    header = ("side branch", "frame", "seen in frames", "withdrawn (mm)", "angle (degrees)", "probability")
    return Table(header, rows)


def _calcium_table(run: SegmentedRun) -> Table:
    rows = [
        [
            each.id,
            _range(each.first_frame, each.last_frame),
            number(abs(run.position_at(each.last_frame) - run.position_at(each.first_frame)), 1),
            number(_degrees(each.angle_rad), 0),
            number(float(np.degrees(each.extent_rad)), 0),
        ]
        for each in run.vessel.calcium
    ]
    return Table(("calcium", "frames", "length (mm)", "angle (degrees)", "largest extent (degrees)"), rows)


def _gating_table(gating: Gating) -> Table:
    row = [
        str(len(gating.frame)),
        number(gating.beat_frames, 1),
        gating.phase,
        number(gating.probability),
    ]
    return Table(("gated frames", "frames per beat", "phase", "its probability"), [row], words=(2,))


def _range(first: float | None, last: float | None) -> str:
    if first is None or last is None:
        return DASH
    start, end = number(first, 0), number(last, 0)
    return start if start == end else f"{start} to {end}"


def _degrees(angle_rad: float) -> float:
    """Degrees in (-180, 180]."""
    return 180.0 - (180.0 - float(np.degrees(angle_rad))) % 360.0


def _fact_part(case: PullbackCase) -> list[Part]:
    images = case.images
    if images is None:
        return []
    values = {
        "pixel_spacing_mm": " x ".join(f"{each:.5g}" for each in images.pixel_spacing_mm),
        "catheter_px": ", ".join(number(each, 1) for each in images.catheter_px),
        "modality": images.modality,
        "field_of_view_mm": number(images.field_of_view_mm),
        "catheter_type": images.catheter_type,
        "frame_rate_hz": DASH if images.frame_rate_hz is None else f"{images.frame_rate_hz:.4g}",
        "position_mm": f"{case.pullback.frame_spacing_mm:.4g} mm between frames, {case.pullback.acquisition}",
    }
    rows = [
        [_FACTS.get(name, name), values.get(name, DASH), source] for name, source in images.sources.items()
    ]
    tables = [Table(("fact", "value", "from"), rows, words=(0, 1, 2))]
    return [Part("facts", "Pullback: what is known of the images", captions.RUN_FACTS, (), tables)]
