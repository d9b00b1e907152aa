"""``coreg cohort run``: what it asks of the runner, and what it prints."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from coreg import __version__
from coreg.cli.cohort_case import PRELOAD, CohortSettings, run_case
from coreg.cli.cohort_identity import leaks_of
from coreg.cli.console import RESEARCH_ONLY, Console, aligned, part_of
from coreg.errors import InputError
from coreg.io.files import unusable

if TYPE_CHECKING:
    from coreg_cohort.records import Record
    from coreg_cohort.runner import Progress
    from coreg_cohort.slurm import SlurmOptions
    from coreg_cohort.unattended import Plan

NO_IDENTITY = (
    "none: do not pass this folder on; remove the files that are named above, and report it as a bug of "
    "coreg, without the files"
)
# Of a list in the terminal; all are in cohort.csv.
MOST_SHOWN = 20


@dataclass(frozen=True)
class Asked:
    """What the command line asks for; see its help."""

    manifest: Path
    out: Path
    settings: CohortSettings
    workers: int | None = None
    cluster: str = "local"
    cluster_options: Path | None = None
    time_limit_s: float | None = None
    memory_limit_gb: float | None = None
    strict: bool = False
    dry_run: bool = False


@contextmanager
def extra_there() -> Iterator[None]:
    """Say what to install where an import fails."""
    try:
        yield
    except ImportError as error:
        msg = f"coreg cohort needs the cohort extra ({error.name} is missing): pip install 'coreg[cohort]'"
        raise InputError(msg) from error


def run_cohort(asked: Asked, console: Console) -> int:
    """Run a cohort and report on it; the number of cases that failed."""
    with extra_there():
        from coreg_cohort.page import write_cohort_report
        from coreg_cohort.unattended import Where, planned, run_planned
    slurm = _slurm_options(asked)
    console.note(f"checking {asked.manifest}")
    out = asked.out.absolute()
    plan = planned(asked.manifest, out, asdict(asked.settings), __version__, strict=asked.strict)
    for name, reason in plan.unusable.items():
        console.note(f"{name} cannot be read and will fail: {reason}")
    console.note(f"{_cases(len(plan.cases))}, {len(plan.todo)} to run")
    if asked.dry_run:
        console.outcome(_plan_text(plan), _plan_data(plan))
        return 0
    where = Where(
        asked.cluster,
        asked.workers or _cores(),
        slurm,
        asked.time_limit_s,
        asked.memory_limit_gb,
    )
    with console.progress() as progress:
        records = run_planned(
            plan,
            run_case,
            lambda case: (case.case_path, out, case.case_id, asked.settings),
            where,
            version=__version__,
            preload=PRELOAD,
            progress=lambda now: progress(_stage(now), 0.95 * now.ended / max(1, now.total)),
        )
        page = write_cohort_report(asked.out, progress=part_of(progress, 0.95, 0.98))
        found = leaks_of(plan, part_of(progress, 0.98, 1.0))
    for each in found:
        console.note(f"identity found: {each.file} holds {each.attribute} of case {each.case_id}")
    outcome = _Outcome(records, asked.out / "cohort.csv", page, tuple(sorted({each.file for each in found})))
    console.outcome(outcome.text(), outcome.data())
    if found:
        raise unusable(out, "", found=_holding(outcome.telling), expected=NO_IDENTITY)
    return len(outcome.failed)


def _cores() -> int:
    """Cores that this program may use, which may be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _slurm_options(asked: Asked) -> SlurmOptions | None:
    from coreg_cohort.slurm import read_slurm_options

    if asked.cluster_options is None:
        return None
    if asked.cluster != "slurm":
        msg = f"--cluster-options needs --cluster slurm, found {asked.cluster}"
        raise typer.BadParameter(msg)
    return read_slurm_options(asked.cluster_options)


def _stage(now: Progress) -> str:
    failed = f", {now.failed} failed" if now.failed else ""
    left = "" if now.seconds_left is None or now.ended == now.total else f", {_time(now.seconds_left)} left"
    return f"{now.ended} of {now.total} cases{failed}{left}"


def _time(seconds: float) -> str:
    """Write a time as a person says it.

    >>> _time(42.3), _time(600), _time(9000)
    ('42 s', '10 min', '2.5 h')
    """
    if seconds < 90.0:
        return f"{seconds:.0f} s"
    return f"{seconds / 60.0:.0f} min" if seconds < 5400.0 else f"{seconds / 3600.0:.1f} h"


def _cases(count: int) -> str:
    return f"{count} case{'s' * (count != 1)}"


def _plan_text(plan: Plan) -> str:
    names = [each.case_id for each in plan.todo]
    shown = [*names[:MOST_SHOWN], *([f"and {len(names) - MOST_SHOWN} more"] * (len(names) > MOST_SHOWN))]
    rows = [
        ("cases", str(len(plan.cases))),
        ("done before", str(len(plan.cases) - len(plan.todo) - len(plan.unusable))),
        ("to run", str(len(names))),
        *(("", f"- {name}") for name in shown),
        ("cannot be read", str(len(plan.unusable))),
        *(("", f"- {name}: {reason}") for name, reason in list(plan.unusable.items())[:MOST_SHOWN]),
    ]
    return aligned(rows)


def _plan_data(plan: Plan) -> dict[str, Any]:
    return {
        "cases": len(plan.cases),
        "to_run": [each.case_id for each in plan.todo],
        "unusable": dict(plan.unusable),
    }


def _holding(files: Sequence[str]) -> str:
    """Say how many files hold a part of an identity."""
    several = len(files) != 1
    return f"{len(files)} file{'s' * several} that hold{'s' * (not several)} a patient's identity"


@dataclass(frozen=True)
class _Outcome:
    """What came of a run, and where to look."""

    records: Mapping[str, Record]
    table: Path
    page: Path
    telling: tuple[str, ...] = ()

    @property
    def failed(self) -> dict[str, str]:
        """Reasons by case."""
        return {name: each.reason for name, each in self.records.items() if each.status == "failed"}

    def text(self) -> str:
        done = [each for each in self.records.values() if each.status == "done"]
        counts = Counter(str(each.facts.get("verdict")) for each in done)
        verdicts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
        rows = [
            ("done", f"{len(done)} ({verdicts})" if done else "0"),
            ("failed", str(len(self.failed))),
            *(("", f"- {name}: {reason}") for name, reason in list(self.failed.items())[:MOST_SHOWN]),
            ("table", str(self.table)),
            ("report", str(self.page)),
            ("identity", _holding(self.telling) if self.telling else "none found"),
        ]
        return aligned(rows)

    def data(self) -> dict[str, Any]:
        done = len(self.records) - len(self.failed)
        return {
            "done": done,
            "failed": self.failed,
            "table": self.table,
            "report": self.page,
            "identity_found_in": list(self.telling),
            "use": RESEARCH_ONLY,
        }
