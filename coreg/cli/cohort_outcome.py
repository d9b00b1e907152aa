"""What ``coreg cohort run`` says of its plan, its progress and its outcome."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coreg.cli.console import RESEARCH_ONLY, aligned

if TYPE_CHECKING:
    from coreg_cohort.plan import Plan
    from coreg_cohort.records import Record
    from coreg_cohort.runner import Progress

# Of a list in the terminal; all are in cohort.csv.
MOST_SHOWN = 20
# Of a run with batches, roughly.
_SPANS = {"segmented": (0.0, 0.4), "batches": (0.4, 0.6), "cases": (0.6, 0.95)}
_NAMES = {"segmented": "cases segmented", "batches": "batches registered", "cases": "cases"}


def share_of(what: str, now: Progress, *, batches: bool) -> float:
    """Tell the share of a run that is done, but for its report."""
    begin, end = _SPANS[what] if batches else (0.0, 0.95)
    return begin + (end - begin) * now.ended / max(1, now.total)


def stage_text(what: str, now: Progress) -> str:
    """Say how far a run is."""
    failed = f", {now.failed} failed" if now.failed else ""
    left = "" if now.seconds_left is None or now.ended == now.total else f", {_time(now.seconds_left)} left"
    return f"{now.ended} of {now.total} {_NAMES[what]}{failed}{left}"


def _time(seconds: float) -> str:
    """Write a time as a person says it.

    >>> _time(42.3), _time(600), _time(9000)
    ('42 s', '10 min', '2.5 h')
    """
    if seconds < 90.0:
        return f"{seconds:.0f} s"
    return f"{seconds / 60.0:.0f} min" if seconds < 5400.0 else f"{seconds / 3600.0:.1f} h"


def cases_text(count: int) -> str:
    """Write a number of cases.

    >>> cases_text(1), cases_text(2)
    ('1 case', '2 cases')
    """
    return f"{count} case{'s' * (count != 1)}"


def plan_text(plan: Plan) -> str:
    """Sum up what a run would do."""
    names = [each.case_id for each in plan.todo]
    shown = names[:MOST_SHOWN]
    rows = [
        ("cases", str(len(plan.cases))),
        ("done before", str(len(plan.cases) - len({*names, *plan.waiting, *plan.unusable}))),
        ("to run", str(len(names))),
        *(("", f"- {name}: {', '.join(plan.work[name].stages)} ({plan.why(name)})") for name in shown),
        *([("", f"and {len(names) - MOST_SHOWN} more")] if len(names) > MOST_SHOWN else []),
        *([("waiting", f"{len(plan.waiting)}, for an earlier stage")] if plan.waiting else []),
        ("cannot be read", str(len(plan.unusable))),
        *(("", f"- {name}: {reason}") for name, reason in list(plan.unusable.items())[:MOST_SHOWN]),
    ]
    return aligned(rows)


def plan_data(plan: Plan) -> dict[str, Any]:
    """Put the same into a form for machines."""
    return {
        "cases": len(plan.cases),
        "to_run": [each.case_id for each in plan.todo],
        "stages": {each.case_id: plan.work[each.case_id].stages for each in plan.todo},
        "why": {each.case_id: plan.why(each.case_id) for each in plan.todo},
        "waiting": dict(plan.waiting),
        "unusable": dict(plan.unusable),
    }


def holding(files: Sequence[str]) -> str:
    """Say how many files hold a part of an identity."""
    several = len(files) != 1
    return f"{len(files)} file{'s' * several} that hold{'s' * (not several)} a patient's identity"


@dataclass(frozen=True)
class CohortOutcome:
    """What came of a run, and where to look."""

    records: Mapping[str, Record]
    waiting: Mapping[str, str]
    table: Path
    page: Path
    telling: tuple[str, ...] = ()

    @property
    def failed(self) -> dict[str, str]:
        """Reasons by case."""
        return {name: each.reason for name, each in self.records.items() if each.status == "failed"}

    def text(self) -> str:
        """Sum it up in a few lines."""
        done = [each for each in self.records.values() if each.status == "done"]
        counts = Counter(each.facts.get("verdict", "segmented") for each in done)
        verdicts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
        rows = [
            ("done", f"{len(done)} ({verdicts})" if done else "0"),
            ("failed", str(len(self.failed))),
            *(("", f"- {name}: {reason}") for name, reason in list(self.failed.items())[:MOST_SHOWN]),
            *([("waiting", f"{len(self.waiting)}, for an earlier stage")] if self.waiting else []),
            ("table", str(self.table)),
            ("report", str(self.page)),
            ("identity", holding(self.telling) if self.telling else "none found"),
        ]
        return aligned(rows)

    def data(self) -> dict[str, Any]:
        """Put the same into a form for machines."""
        done = len(self.records) - len(self.failed)
        return {
            "done": done,
            "failed": self.failed,
            "waiting": dict(self.waiting),
            "table": self.table,
            "report": self.page,
            "identity_found_in": list(self.telling),
            "use": RESEARCH_ONLY,
        }
