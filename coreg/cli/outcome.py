"""What came of a registration on the command line, and how it is summed up."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coreg.cli.console import RESEARCH_ONLY, aligned
from coreg.cli.landmarks import errors_data, landmark_rows, mean_data, mean_errors
from coreg.cli.outlining import Found
from coreg.cli.pullback_segmenting import gating_text, pullback_numbers
from coreg.cli.running import REPORT
from coreg.cli.segmenting import length_mm, vessel_numbers

if TYPE_CHECKING:
    from coreg.result import Registration
    from coreg.validation import FrameErrors, LandmarkError


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of it."""

    case_id: str
    registration: Registration
    errors: tuple[LandmarkError, ...]
    truth_errors: FrameErrors | None
    out: Path
    seconds: float
    found: Found
    notes: tuple[str, ...] = ()
    left_out: tuple[LandmarkError, ...] = ()
    halves: tuple[str, ...] = ()


def headline(outcome: Outcome) -> str:
    """Sum up a registration in a few lines."""
    registration, path = outcome.registration, outcome.registration.path
    rows: list[tuple[str, str]] = [("verdict", registration.verdict)]
    rows += [("", f"- {reason}") for reason in registration.reasons]
    placed, reliable = int(path.posed.sum()), int((path.posed & path.reliable).sum())
    rows.append(("frames", f"{placed} of {len(path)} placed, {reliable} reliable"))
    rows += _segmented_rows(outcome.found)
    rows += landmark_rows(outcome.errors, registration.guides, outcome.left_out, halves=outcome.halves)
    if outcome.truth_errors is not None:
        truth = outcome.truth_errors
        rows.append((f"all frames ({len(truth.frame)})", f"{mean_errors([truth])}, mean absolute error"))
    rows += [
        *(("note", note) for note in outcome.notes),
        ("time", f"{outcome.seconds:.1f} s"),
        ("report", str(outcome.out / REPORT)),
    ]
    return aligned(rows)


def _segmented_rows(found: Found) -> list[tuple[str, str]]:
    rows = []
    if found.ccta is not None:
        vessel = found.ccta.vessel
        marked = f"{vessel.marked.mean():.0%} of it marked"
        rows.append(("CCTA lumen", f"segmented over {length_mm(vessel):.1f} mm, {marked}"))
    if found.pullback is not None:
        seen = found.pullback.vessel
        marked = f"{seen.marked_share:.0%} of them marked"
        rows.append(("pullback lumen", f"segmented in {len(seen.frame)} frames, {marked}"))
        if seen.gating is not None:
            rows.append(("heartbeat", gating_text(found.pullback.case, seen.gating)))
        rows += [("note", note) for note in seen.notes]
    return rows


def outcome_data(outcome: Outcome) -> dict[str, Any]:
    """Put the same and more into a form for machines."""
    registration, path = outcome.registration, outcome.registration.path
    data: dict[str, Any] = {
        "case_id": outcome.case_id,
        "verdict": registration.verdict,
        "reasons": registration.reasons,
        "frames": len(path),
        "placed": int(path.posed.sum()),
        "reliable": int((path.posed & path.reliable).sum()),
        "radius_scale": registration.radius_scale,
        "margin": registration.margin,
        "notes": outcome.notes,
        "seconds": round(outcome.seconds, 3),
        "out": outcome.out,
        "report": outcome.out / REPORT,
        "use": RESEARCH_ONLY,
    }
    if outcome.found.ccta is not None:
        data["segmentation"] = vessel_numbers(outcome.found.ccta.vessel)
    if outcome.found.pullback is not None:
        data["pullback_segmentation"] = pullback_numbers(
            outcome.found.pullback.case, outcome.found.pullback.vessel
        )
    if outcome.errors:
        data["landmarks"] = errors_data(outcome.errors)
        data["guides"] = registration.guides
    if outcome.left_out:
        data["landmarks_left_out"] = errors_data(outcome.left_out)
    if outcome.truth_errors is not None:
        data["all_frames"] = mean_data([outcome.truth_errors])
    return data
