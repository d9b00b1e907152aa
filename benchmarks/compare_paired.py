"""Methods compared with ours on the same patients: paired differences, effect sizes and tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from compare_results import CaseResult
from compare_tables import SEED, Measure, Source

from coreg.report.tables import interval_text, p_text
from coreg.validation import PairedDifference, holm, paired_difference

COMPARED = (
    Measure("landmarks", "error_mm", "landmarks, mm", 2),
    Measure("landmarks", "error_deg", "landmarks, degrees", 1),
    Measure("frames", "error_mm", "all frames, mm", 2),
    Measure("frames", "error_deg", "all frames, degrees", 1),
)


@dataclass(frozen=True)
class Comparison:
    """One method against ours in one measure; ``p_value`` is adjusted for all of a table."""

    title: str
    measure: Measure
    paired: PairedDifference
    p_value: float


def compared(groups: dict[str, list[CaseResult]], ours: str) -> list[Comparison]:
    """Compare every method with ours in every measure.

    Parameters
    ----------
    groups : dict of str to list of CaseResult
        Each method's cases by its title.
    ours : str
        The title that the others are compared with.
    """
    pairs = [(title, measure) for title in groups if title != ours for measure in COMPARED]
    found = [difference(groups[title], groups[ours], measure) for title, measure in pairs]
    adjusted = holm([each.p_value for each in found])
    return [
        Comparison(title, measure, each, float(p))
        for (title, measure), each, p in zip(pairs, found, adjusted, strict=True)
    ]


def difference(
    theirs: Sequence[CaseResult], ours: Sequence[CaseResult], measure: Measure
) -> PairedDifference:
    """Compare absolute errors of two methods at the same landmarks or frames of the same cases."""
    mine = {_case(each): each for each in ours}
    first, second, patients = [np.zeros(0)], [np.zeros(0)], [np.zeros(0, dtype=str)]
    for each in theirs:
        if _case(each) not in mine:
            continue
        a, b = _matched(each, mine[_case(each)], measure.source, measure.column)
        first.append(np.abs(a))
        second.append(np.abs(b))
        patients.append(np.full(len(a), each.patient))
    return paired_difference(*(np.concatenate(some) for some in (first, second, patients)), seed=SEED)


def _case(result: CaseResult) -> tuple[str, str, str]:
    return result.case, result.level, result.modality


def _matched(
    theirs: CaseResult, ours: CaseResult, source: Source, column: str
) -> tuple[np.ndarray, np.ndarray]:
    """Errors of both at what both have: landmarks by name, frames by number."""
    if source == "landmarks":
        names = np.array(theirs.landmark_id, dtype=str), np.array(ours.landmark_id, dtype=str)
    else:
        names = theirs.frames["frame"], ours.frames["frame"]
    _, at, mine = np.intersect1d(*names, return_indices=True)
    return getattr(theirs, source)[column][at], getattr(ours, source)[column][mine]


def paired_table(comparisons: Sequence[Comparison]) -> str:
    """Write comparisons in Markdown, a row per method; empty if there are none."""
    head = ["method", *(measure.title for measure in COMPARED)]
    lines = [f"| {' | '.join(head)} |", f"| {' | '.join(['---'] * len(head))} |"]
    for title in dict.fromkeys(each.title for each in comparisons):
        cells = [_cell(each) for each in comparisons if each.title == title]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines) if comparisons else ""


def _cell(comparison: Comparison) -> str:
    paired, digits = comparison.paired, comparison.measure.digits
    if not paired.clusters:
        return "-"
    gap = interval_text(paired.difference, digits, signed=True)
    effect = "-" if np.isnan(paired.effect.estimate) else interval_text(paired.effect, 1, signed=True)
    higher = f"higher in {paired.higher} of {paired.clusters}"
    return f"{gap}; g {effect}; {higher}; p {p_text(comparison.p_value)}"
