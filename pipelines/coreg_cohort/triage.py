"""The cases that a person should look at, the riskiest first, with a small picture each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np

from coreg.io.files import is_there
from coreg.io.work_list import CASES, LARGE_ERROR_MM, WorkItem
from coreg.report.tables import number
from coreg_cohort.measured_case import Cohort, MeasuredCase
from coreg_cohort.thumbnail import picture

# A list without a single case would leave a reader with nothing to check.
LEAST_SHOWN = 6
MOST_PICTURES = 50
PAGE, LOG = "report.html", "log.txt"


@dataclass(frozen=True)
class Suspect:
    """One case on the list.

    Attributes
    ----------
    case_id, verdict : str
        Whose it is; ``broken`` where the result cannot be read.
    facts : tuple of str
        Patient, vessel, margin, error at landmarks.
    reasons : tuple of str
        Why a person must look.
    href : str
        Its own page, relative to the cohort's; empty where there is none.
    picture : str
        As a data URI; empty where there is none.
    """

    case_id: str
    verdict: str
    facts: tuple[str, ...]
    reasons: tuple[str, ...]
    href: str
    picture: str


def suspects(cohort: Cohort) -> list[Suspect]:
    """List the results that ask for a look, the riskiest first; what a reader signed off is not among them.

    Where few ask, the riskiest of the others come too.
    """
    cases = {each.case_id: each for each in cohort.of_state("done", "broken")}
    open_items = [each for each in cohort.work if each.folder.name in cases and each.sign_off is None]
    asking = [each for each in open_items if asks(each)]
    others = [each for each in open_items if not asks(each)]
    listed = [*asking, *others[: max(0, LEAST_SHOWN - len(asking))]]
    drawn = [each.folder.name for each in listed if cases[each.folder.name].sketch][:MOST_PICTURES]
    return [
        _suspect(cohort.folder, each, cases[each.folder.name], pictured=each.folder.name in drawn)
        for each in listed
    ]


def asks(item: WorkItem) -> bool:
    """Whether a person must look at a result: it is broken, not good, or far off at its landmarks."""
    return bool(item.failed) or item.verdict != "good" or (item.error_mm or 0.0) >= LARGE_ERROR_MM


def link(folder: Path, case_id: str, name: str) -> str:
    """Return where a file of a case is, relative to the cohort's page; empty where there is none."""
    for place in (f"{CASES}/{case_id}/{name}", f"{case_id}/{name}"):
        if is_there(folder / place):
            return quote(place)
    return ""


def _suspect(folder: Path, item: WorkItem, case: MeasuredCase, *, pictured: bool) -> Suspect:
    patient = case.patient if case.patient.startswith("case ") else f"patient {case.patient}"
    known = np.isfinite(item.margin)
    facts = [patient, case.vessel, f"margin {number(100.0 * item.margin, 0)} %" if known else ""]
    if item.error_mm is not None:
        facts.append(f"{number(item.error_mm)} mm at landmarks")
    reasons = [*case.reasons, *case.problems]
    if (item.error_mm or 0.0) >= LARGE_ERROR_MM:
        reasons.append(f"Mean error at landmarks of {number(LARGE_ERROR_MM, 0)} mm or more.")
    drawn = case.sketch if pictured else None
    return Suspect(
        case.case_id,
        "broken" if case.state == "broken" or item.failed else str(item.verdict),
        tuple(filter(None, facts)),
        tuple(reasons),
        link(folder, case.case_id, PAGE),
        picture(drawn, case.errors_by(case.method)) if drawn else "",
    )
