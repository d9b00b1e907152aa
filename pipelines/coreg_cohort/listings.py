"""Tables of cases in which each leads to its own page or log."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from coreg.io.outlines import SEGMENTATION, SEGMENTATION_PAGES
from coreg.report.tables import DASH, mean_absolute, number
from coreg_cohort.comparison import MEASURES
from coreg_cohort.measured_case import Cohort, MeasuredCase
from coreg_cohort.triage import LOG, PAGE, link

_NO_VERDICT = {"failed": "no result", "broken": "cannot be read", "waiting": "not registered yet"}


class LinkedRow(NamedTuple):
    """A case, where it leads, and its cells after the first."""

    case_id: str
    href: str
    cells: list[str]


class Listing(NamedTuple):
    """Header and rows; ``words`` are the columns aligned left."""

    header: tuple[str, ...]
    rows: list[LinkedRow]
    words: tuple[int, ...]


def failures(cohort: Cohort) -> Listing:
    """List the cases without a result that can be used, with their logs; one that was not run has none."""
    cases = cohort.of_state("failed", "broken", "waiting")
    rows = [
        LinkedRow(
            each.case_id,
            _to_segmentation(cohort.folder, each)
            or (link(cohort.folder, each.case_id, LOG) if each.seconds > 0.0 else ""),
            [*_whose(each), each.state, _seconds(each), in_one_line(each.reasons)],
        )
        for each in cases
    ]
    return Listing(("case", "patient", "vessel", "state", "seconds", "why"), rows, (0, 1, 2, 3, 5))


def _to_segmentation(folder: Path, case: MeasuredCase) -> str:
    """Where the page of what was segmented is, of a case that is not registered yet."""
    pages = (link(folder, case.case_id, f"{SEGMENTATION}/{name}") for name in SEGMENTATION_PAGES)
    return next(filter(None, pages), "") if case.state == "waiting" else ""


def all_cases(cohort: Cohort) -> Listing:
    """List all cases in the manifest's order, with their mean absolute errors."""
    measures = [f"error ({each.unit})" for each in MEASURES]
    header = ("case", "patient", "vessel", "verdict", "landmarks", *measures, "margin", "seconds")
    rows = [_case_row(cohort.folder, each) for each in cohort.cases]
    return Listing((*header, "remark"), rows, (0, 1, 2, 3, len(header)))


def _case_row(folder: Path, case: MeasuredCase) -> LinkedRow:
    errors = case.errors_by(case.method)
    sizes = [number(mean_absolute(getattr(errors, each.column).tolist()), each.digits) for each in MEASURES]
    margin = f"{number(100.0 * case.margin, 0)} %" if np.isfinite(case.margin) else DASH
    cells = [*_whose(case), _verdict_text(case), str(len(errors)), *sizes, margin]
    return LinkedRow(
        case.case_id,
        link(folder, case.case_id, PAGE) if case.state != "failed" else "",
        [*cells, _seconds(case), in_one_line([*case.reasons, *case.problems, *_landmark_texts(case)])],
    )


def _verdict_text(case: MeasuredCase) -> str:
    """Say the program's verdict and the reader's; no result is not called "failed", which is a verdict."""
    own = case.verdict or _NO_VERDICT.get(case.state, DASH)
    return f"{own}, {case.review.decision or 'review begun'}" if case.review else own


def in_one_line(texts: Sequence[str]) -> str:
    """Join sentences and words.

    >>> in_one_line(["Too short.", "killed"])
    'Too short. killed.'
    """
    return " ".join(f"{each.rstrip('.')}." for each in texts) if len(texts) > 1 else "".join(texts)


def _landmark_texts(case: MeasuredCase) -> list[str]:
    """Say whose the landmarks are if not the case's, and what the residuals of those that guided are."""
    texts = [_residual_text(case)] if len(case.residuals) else []
    errors = case.errors_by(case.method)
    missed = [name for name, each in zip(errors.id, errors.error_mm, strict=True) if np.isnan(each)]
    if missed:
        texts.append(f"Not met by any frame: {', '.join(missed)}.")
    if case.by_reader:
        where = (
            "Measured at landmarks as reviewed"
            if len(errors)
            else "Its reader left no landmark to measure at"
        )
        texts.append(f"{where}; its own page has those it was registered with.")
    return texts


def _residual_text(case: MeasuredCase) -> str:
    along = mean_absolute(case.residuals.error_mm.tolist())
    return f"Fit residual at {len(case.residuals)} guides {number(along)} mm, not an error."


def _whose(case: MeasuredCase) -> list[str]:
    return [DASH if case.patient.startswith("case ") else case.patient, case.vessel or DASH]


def _seconds(case: MeasuredCase) -> str:
    return number(case.seconds, 0)
