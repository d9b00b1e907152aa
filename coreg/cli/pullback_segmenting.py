"""One segmentation of a pullback on the command line: from a case file to a result folder."""

from __future__ import annotations

import dataclasses
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coreg.cli.console import RESEARCH_ONLY, Progress, aligned, part_of
from coreg.cli.options import Phase
from coreg.cli.provenance import provenance
from coreg.cli.running import REPORT, entered, use_threads
from coreg.stretches import counted, frame_marks

if TYPE_CHECKING:
    from coreg.case import PullbackCase
    from coreg.pullback import Pullback
    from coreg.pullback_images import PullbackImages
    from coreg.pullback_vessel import Gating, PullbackVessel

MOST_SHOWN = 6


@dataclass(frozen=True, eq=False)
class PullbackOutcome:
    """What came of the segmentation of a pullback."""

    case: PullbackCase
    vessel: PullbackVessel
    outlined: bool
    out: Path
    seconds: float


def segment_pullback_case(
    path: Path, out: Path, *, phase: Phase, threads: int | None, force: bool, progress: Progress
) -> PullbackOutcome:
    """Segment the pullback of a case and write its result folder, whole or not at all.

    Parameters
    ----------
    path : Path
        case.toml or its folder.
    out : Path
        The result folder.
    phase : Phase
        Of the heart, where the pullback ran through the heartbeat.
    threads : int or None
        CPU threads; None leaves the choice to the libraries.
    force : bool
        Replace whatever is in the way.
    progress : callable
        Takes a stage's name and the share that is done.
    """
    use_threads(threads)
    progress("reading the case", 0.0)
    from coreg.io.case_file import load_pullback, pullback_input_paths, read_case_file
    from coreg.io.files import naming
    from coreg.io.pullback_segmentation_files import write_pullback_segmentation
    from coreg.io.results import replaced_folder

    start = time.perf_counter()
    case_file = read_case_file(path)
    inputs = pullback_input_paths(case_file)
    with ExitStack() as stack:
        folder = entered(stack, replaced_folder(out, case_file.id, force=force, inputs=inputs))
        given = load_pullback(path, progress=part_of(progress, 0.0, 0.3))
        with naming(str(case_file.path)):
            case, vessel = segmented_pullback(given, phase=phase, progress=part_of(progress, 0.3, 0.85))
        progress("writing the files", 0.85)
        from coreg.report import write_pullback_report

        made, outlined = provenance(case_file, inputs), bool(given.pullback.lumen)
        write_pullback_segmentation(folder, vessel, case.pullback, case.images, case_id=case.id, made=made)
        drawing = part_of(progress, 0.9, 1.0)
        write_pullback_report(folder / REPORT, case, vessel, made, outlined=outlined, progress=drawing)
    progress("done", 1.0)
    return PullbackOutcome(case, vessel, outlined, out, time.perf_counter() - start)


def segmented_pullback(
    case: PullbackCase, *, phase: Phase, progress: Progress
) -> tuple[PullbackCase, PullbackVessel]:
    """Segment the images of a pullback, or measure the user's own contours where there are any.

    Returns
    -------
    case : PullbackCase
        The same with a position for every frame that there is.
    vessel : PullbackVessel
        With one frame per beat where the pullback ran through the heartbeat and one was found.

    Raises
    ------
    InputError
        If images or contours cannot be used.
    """
    from coreg.segmentation import (
        segment_pullback,
        vessel_from_contours,
        with_all_frames,
        without_excluded,
    )

    if case.pullback.lumen:
        progress("pullback: contours", 0.0)
        if case.images is not None:
            pullback = with_all_frames(case.pullback, len(case.images))
            case = dataclasses.replace(case, pullback=pullback)
        vessel = vessel_from_contours(case.pullback, side_branches=case.side_branches)
    else:
        vessel = segment_pullback(case.known_images, case.pullback, progress=part_of(progress, 0.0, 0.75))
    vessel = without_excluded(vessel, case.pullback)
    # How positions and contours were read must be known as well as how the images were.
    vessel = dataclasses.replace(vessel, notes=tuple(dict.fromkeys((*case.pullback.notes, *vessel.notes))))
    return case, _gated(vessel, case, phase, part_of(progress, 0.75, 1.0))


def _gated(vessel: PullbackVessel, case: PullbackCase, phase: Phase, progress: Progress) -> PullbackVessel:
    """Find one frame per beat in IVUS images that ran through the heartbeat."""
    from coreg.pullback_measures import areas_mm2
    from coreg.segmentation.gating import find_gating

    if phase is Phase.none or case.images is None or not _through_heartbeat(case.pullback, case.images):
        return dataclasses.replace(vessel, notes=(*vessel.notes, *idle_phase_notes(case, phase)))
    # The enumeration's values are those that the function takes.
    wanted: Any = phase.value
    area = areas_mm2(vessel.wall_mm)
    gating, note = find_gating(case.images, area_mm2=area, phase=wanted, progress=progress)
    return dataclasses.replace(vessel, gating=gating, notes=(*vessel.notes, note))


def idle_phase_notes(case: PullbackCase, phase: Phase) -> tuple[str, ...]:
    """Say why a phase of the heart that was asked for changes nothing, if that is so."""
    if phase not in {Phase.diastole, Phase.systole}:
        return ()
    if case.images is None:
        reason = "the contours of the case are taken as they are"
    elif not _through_heartbeat(case.pullback, case.images):
        is_oct = case.images.modality == "OCT"
        reason = "an OCT pullback is over in a few beats" if is_oct else "the pullback is gated already"
    else:
        return ()
    return (f"--phase {phase.value} has no effect: {reason}.",)


def _through_heartbeat(pullback: Pullback, images: PullbackImages) -> bool:
    """Tell whether a pullback shows all phases of the heart; OCT is over in a few beats."""
    return images.modality == "IVUS" and pullback.acquisition != "gated"


def pullback_headline(outcome: PullbackOutcome) -> str:
    """Sum up a segmented pullback in a few lines."""
    vessel, images = outcome.vessel, outcome.case.images
    rows = [("made from", "the contours of the case" if outcome.outlined else "the images")]
    rows += measure_rows(outcome.case, vessel)
    rows += [("", f"- {text}") for text in marked_frames_texts(vessel)]
    rows += [(name, f"from {source}") for name, source in ({} if images is None else images.sources).items()]
    rows += [("note", note) for note in vessel.notes]
    rows += [("time", f"{outcome.seconds:.1f} s"), ("report", str(outcome.out / REPORT))]
    return aligned(rows)


def measure_rows(case: PullbackCase, vessel: PullbackVessel) -> list[tuple[str, str]]:
    """Say what was measured; the share of marked frames comes last."""
    from coreg.pullback_measures import measures_of

    found = measures_of(vessel)
    rows = [("frames", f"{frames_text(vessel)} over {case.pullback.length_mm:.1f} mm")]
    if found.lumen_area_mm2 is not None:
        rows += [
            ("mean lumen", f"{found.lumen_area_mm2:.2f} mm2, diameter {found.lumen_diameter_mm:.2f} mm"),
            ("smallest lumen", f"{found.smallest_area_mm2:.2f} mm2, in frame {found.smallest_frame}"),
        ]
    if found.doubtful_frame is not None:
        rows.append(
            (
                "",
                f"- {found.doubtful_area_mm2:.2f} mm2 in frame {found.doubtful_frame}, which is marked: look",
            )
        )
    if found.plaque_burden is not None:
        largest = f"largest {found.largest_burden:.0%} in frame {found.largest_burden_frame}"
        rows.append(
            ("plaque burden", f"{found.plaque_burden:.0%} of {found.eem_area_mm2:.2f} mm2, {largest}")
        )
    rows.append(("side branches", str(len(vessel.side_branches))))
    if vessel.calcium:
        rows.append(("calcium", counted(len(vessel.calcium), "arc")))
    if vessel.gating is not None:
        rows.append(("heartbeat", gating_text(case, vessel.gating)))
    return [*rows, ("marked", f"{vessel.marked_share:.0%} of the frames")]


def frames_text(vessel: PullbackVessel) -> str:
    """Count the frames, and name the first and the last where there are gaps between them."""
    frame = vessel.frame
    return (
        f"{len(frame)} (of {frame[0]} to {frame[-1]})"
        if frame[-1] - frame[0] >= len(frame)
        else str(len(frame))
    )


def gating_text(case: PullbackCase, gating: Gating) -> str:
    """Say what was found of the heartbeat."""
    rate = _beats_per_min(case, gating)
    speed = "" if rate is None else f", {rate:.0f} a minute"
    return (
        f"{gating.beat_frames:.1f} frames a beat{speed}; {len(gating.frame)} gated frames, "
        f"{gating.phase} (probability {gating.probability:.2f})"
    )


def _beats_per_min(case: PullbackCase, gating: Gating) -> float | None:
    rate = None if case.images is None else case.images.frame_rate_hz
    return None if rate is None else 60.0 * rate / gating.beat_frames


def marked_frames_texts(vessel: PullbackVessel) -> list[str]:
    """Say which frames are not to be trusted, the longest stretches first."""
    return frame_marks(vessel.marked_stretches, most=MOST_SHOWN)


def pullback_data(outcome: PullbackOutcome) -> dict[str, Any]:
    """Put the same into a form for machines."""
    images = outcome.case.images
    return {
        "case_id": outcome.case.id,
        "from_contours": outcome.outlined,
        **pullback_numbers(outcome.case, outcome.vessel),
        "sources": {} if images is None else dict(images.sources),
        "seconds": round(outcome.seconds, 3),
        "out": outcome.out,
        "report": outcome.out / REPORT,
        "use": RESEARCH_ONLY,
    }


def pullback_numbers(case: PullbackCase, vessel: PullbackVessel) -> dict[str, Any]:
    """Put what was measured of a pullback into a form for machines."""
    from coreg.pullback_measures import measures_of

    gating = vessel.gating
    measured = dataclasses.asdict(measures_of(vessel))
    return {
        "frames": len(vessel.frame),
        "length_mm": case.pullback.length_mm,
        "frames_measured": measured.pop("frames"),
        **measured,
        "side_branches": len(vessel.side_branches),
        "calcium": len(vessel.calcium),
        "marked_share": vessel.marked_share,
        "marked": [
            {"first_frame": first, "last_frame": last, "reason": reason}
            for first, last, reason in vessel.marked_stretches
        ],
        "gating": None
        if gating is None
        else {
            "frames": gating.frame,
            "beat_frames": gating.beat_frames,
            "beats_per_min": _beats_per_min(case, gating),
            "phase": gating.phase,
            "probability": gating.probability,
        },
        "notes": vessel.notes,
    }
