"""Tables of a comparison in Markdown: errors, failures, and how honest the stated uncertainty is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from compare_results import CaseResult

from coreg.report.tables import interval_text
from coreg.validation import Interval, mean_interval, share_within, summary

SEED = 0
WRONG = (1.5, 20.0)
SUSPECT = (1.0, 15.0)
Source = Literal["landmarks", "frames"]


@dataclass(frozen=True)
class Measure:
    """One kind of error: which table and column has it, its heading, and how it is written.

    A distance has no sign, so no bias.
    """

    source: Source
    column: str
    title: str
    digits: int
    signed: bool = True


MEASURES = (
    Measure("landmarks", "error_mm", "mm along the vessel", 2),
    Measure("landmarks", "error_frames", "frames", 1),
    Measure("landmarks", "error_deg", "degrees", 1),
    Measure("landmarks", "error_tangential_mm", "mm tangentially", 2),
    Measure("landmarks", "error_3d_mm", "mm in space", 2, signed=False),
    Measure("frames", "error_mm", "mm along the vessel", 2),
    Measure("frames", "error_frames", "frames", 1),
    Measure("frames", "error_deg", "degrees", 1),
    Measure("frames", "error_3d_mm", "mm in space", 2, signed=False),
)
SPREADS = (
    ("error_mm", "arc_length_sd_mm", "place, mm"),
    ("error_deg", "rotation_sd_deg", "rotation, degrees"),
)


def pooled(results: Sequence[CaseResult], source: Source, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Values (N,) of a column of all cases, and the patient of each (N,)."""
    parts = [getattr(each, source)[column] for each in results]
    patients = [np.full(len(part), each.patient) for part, each in zip(parts, results, strict=True)]
    if not parts:
        return np.zeros(0), np.zeros(0, dtype=str)
    return np.concatenate(parts), np.concatenate(patients)


def error_table(groups: dict[str, list[CaseResult]], source: Source) -> str:
    """Errors of each method at landmarks or in all frames; ``groups`` are its cases by its title."""
    measures = [each for each in MEASURES if each.source == source]
    lines = [_row(["method", *(each.title for each in measures)]), _rule(1 + len(measures))]
    for title, results in groups.items():
        lines.append(_row([title, *(_errors(results, each) for each in measures)]))
    return "\n".join(lines)


def _errors(results: Sequence[CaseResult], measure: Measure) -> str:
    values, patients = pooled(results, measure.source, measure.column)
    whole = summary(values, patients)
    if not whole.values:
        return "-"
    digits = measure.digits
    parts = [interval_text(mean_interval(np.abs(values), patients, seed=SEED), digits)]
    if measure.signed:
        parts.append(f"{whole.bias:+.{digits}f}")
    parts += [f"{each:.{digits}f}" for each in (whole.median, whole.percentile_95, whole.worst)]
    return " / ".join(parts)


def failure_table(groups: dict[str, list[CaseResult]]) -> str:
    """What went wrong, whether the verdict said so, and what it cost."""
    names = [
        *("method", "cases", "wrong", "of these told", "doubtful", "of these told", "not doubtful but told"),
        *("errors", "landmarks missed", "seconds: median / worst", "memory, GB: median / worst"),
    ]
    lines = [_row(names), _rule(len(names))]
    lines += [_row([title, *_failures(results)]) for title, results in groups.items()]
    return "\n".join(lines)


def _failures(results: Sequence[CaseResult]) -> list[str]:
    done = [each for each in results if each.verdict != "error"]
    judged = [each for each in done if each.landmark_id]
    wrong = [each for each in judged if each.beyond(*WRONG)]
    suspect = [each for each in judged if each.beyond(*SUSPECT)]
    fine = [each for each in judged if not each.beyond(*SUSPECT)]
    missed = sum(int(np.isnan(each.landmarks["error_mm"]).sum()) for each in done)
    return [
        str(len(results)),
        str(len(wrong)),
        _told(wrong),
        str(len(suspect)),
        _told(suspect),
        f"{_told(fine)} of {len(fine)}",
        str(len(results) - len(done)),
        str(missed),
        _typical([each.seconds for each in done], 1),
        _typical([each.memory_gb for each in done], 2),
    ]


def _told(results: Sequence[CaseResult]) -> str:
    return str(sum(each.verdict in {"review", "failed"} for each in results))


def _typical(values: Sequence[float], digits: int) -> str:
    return f"{np.median(values):.{digits}f} / {max(values):.{digits}f}" if values else "-"


def trust_table(groups: dict[str, list[CaseResult]]) -> str:
    """Errors of the frames that a method calls reliable, and of its others."""
    names = ["method", "reliable frames", "mm: reliable / others", "degrees: reliable / others"]
    lines = [_row(names), _rule(len(names))]
    for title, results in groups.items():
        reliable, _ = pooled(results, "frames", "reliable")
        cells = [_by_trust(results, column, digits) for column, digits in (("error_mm", 2), ("error_deg", 1))]
        share = f"{np.mean(reliable > 0.0):.0%} of {len(reliable)}" if len(reliable) else "-"
        lines.append(_row([title, share, *cells]))
    return "\n".join(lines)


def _by_trust(results: Sequence[CaseResult], column: str, digits: int) -> str:
    values, patients = pooled(results, "frames", column)
    reliable = pooled(results, "frames", "reliable")[0] > 0.0
    parts = (mean_interval(np.abs(values[k]), patients[k], seed=SEED) for k in (reliable, ~reliable))
    return " / ".join("-" if np.isnan(each.estimate) else interval_text(each, digits) for each in parts)


def coverage_table(groups: dict[str, list[CaseResult]]) -> str:
    """Share of frames whose error is within 1 and 2 stated standard deviations; empty if none states any."""
    names = [f"{what}: median SD / within 1 SD / within 2 SD" for *_, what in SPREADS]
    lines = [_row(["method", "frames", *names]), _rule(2 + len(names))]
    for title, results in groups.items():
        stated = pooled(results, "frames", SPREADS[0][1])[0]
        if np.isfinite(stated).any():
            cells = [_coverage_cell(results, error, sd) for error, sd, _ in SPREADS]
            lines.append(_row([title, str(int(np.isfinite(stated).sum())), *cells]))
    return "\n".join(lines) if len(lines) > 2 else ""


def _coverage_cell(results: Sequence[CaseResult], error: str, sd: str) -> str:
    typical = np.nanmedian(pooled(results, "frames", sd)[0])
    shares = (interval_text(coverage(results, error, sd, k), 2) for k in (1.0, 2.0))
    return " / ".join((f"{typical:.2f}", *shares))


def coverage(results: Sequence[CaseResult], error: str, sd: str, times: float) -> Interval:
    """Share of the frames with a standard deviation whose error is within so many times it, with interval."""
    errors, patients = pooled(results, "frames", error)
    spread, _ = pooled(results, "frames", sd)
    return share_within(errors, spread, patients, times=times, seed=SEED)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _rule(count: int) -> str:
    return _row(["---"] * count)
