"""``coreg cohort run``: what it asks of the runner, and what it prints."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from coreg import __version__
from coreg.cli.cohort_case import PRELOAD, CohortSettings, register_together, run_case
from coreg.cli.cohort_identity import leaks_of
from coreg.cli.cohort_outcome import (
    MOST_SHOWN,
    CohortOutcome,
    cases_text,
    holding,
    plan_data,
    plan_text,
    share_of,
    stage_text,
)
from coreg.cli.console import Console, part_of
from coreg.cli.console import Progress as Telling
from coreg.errors import InputError
from coreg.io.files import unusable
from coreg.io.work_list import CASES, COHORT
from coreg_cohort.records import STAGES, Stage

if TYPE_CHECKING:
    from coreg_cohort.isolated import Ended
    from coreg_cohort.plan import Plan
    from coreg_cohort.records import Record
    from coreg_cohort.runner import Job
    from coreg_cohort.slurm import SlurmOptions

NO_IDENTITY = (
    "none: do not pass this folder on; remove the files that are named above, and report it as a bug of "
    "coreg, without the files"
)
# Cases that a GPU refines together, where the command line says no other number.
GPU_BATCH = 16


@dataclass(frozen=True)
class Asked:
    """What the command line asks for; see its help."""

    manifest: Path
    out: Path
    settings: CohortSettings
    stages: tuple[Stage, ...] = STAGES
    again: bool = False
    batch: int | None = None
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
        from coreg_cohort.plan import planned
    # Asked first, so that what cannot be is said before hours of work.
    _check_methods(asked.settings)
    slurm, batch = _slurm_options(asked), _batch(asked)
    console.note(f"checking {asked.manifest}")
    plan = planned(
        asked.manifest,
        asked.out.absolute(),
        asdict(asked.settings),
        __version__,
        asked=asked.stages,
        again=asked.again,
        strict=asked.strict,
    )
    _tell_plan(plan, console)
    if asked.dry_run:
        console.outcome(plan_text(plan), plan_data(plan))
        return 0
    with console.progress() as progress:
        records = _run(asked, plan, slurm, batch, console=console, progress=progress)
        page = write_cohort_report(asked.out, progress=part_of(progress, 0.95, 0.98))
        found, unsearched = leaks_of(plan, part_of(progress, 0.98, 1.0))
    for name in unsearched:
        console.note(
            f"{name}: its case.toml cannot be read any more: its result was not searched for identities"
        )
    for each in found:
        console.note(f"identity found: {each.file} holds {each.attribute} of case {each.case_id}")
    telling = tuple(sorted({each.file for each in found}))
    outcome = CohortOutcome(records, plan.waiting, asked.out / COHORT, page, telling)
    console.outcome(outcome.text(), outcome.data())
    if found:
        raise unusable(plan.out, "", found=holding(outcome.telling), expected=NO_IDENTITY)
    return len(outcome.failed)


def _tell_plan(plan: Plan, console: Console) -> None:
    for name, reason in list(plan.unusable.items())[:MOST_SHOWN]:
        console.note(f"{name} cannot be read and will fail: {reason}")
    if len(plan.unusable) > MOST_SHOWN:
        console.note(f"and {len(plan.unusable) - MOST_SHOWN} more cannot be read")
    reasons = Counter(plan.why(each.case_id) for each in plan.todo)
    why = "".join(f"; {count} {reason}" for reason, count in reasons.most_common())
    console.note(f"{cases_text(len(plan.cases))}, {len(plan.todo)} to run{why}")
    for stage, count in Counter(plan.waiting.values()).items():
        console.note(f"{cases_text(count)} left alone until --stage {stage} has run")


def _run(
    asked: Asked, plan: Plan, slurm: SlurmOptions | None, batch: int, *, console: Console, progress: Telling
) -> dict[str, Record]:
    from coreg_cohort.unattended import Together, Where, run_planned

    settings, workers = asked.settings, asked.workers or _cores()
    together = Together(
        register_together,
        batch,
        lambda cases: (
            [(each.case_path, plan.out / CASES / each.case_id, solved) for each, solved in cases],
            settings,
        ),
        lambda job, ended: _tell_failed_batch(console, job, ended),
    )
    return run_planned(
        plan,
        run_case,
        lambda case, stages, solved: (
            case.case_path,
            plan.out,
            case.case_id,
            settings,
            stages,
            plan.fingerprints[case.case_id].register,
            solved,
        ),
        Where(asked.cluster, workers, slurm, asked.time_limit_s, asked.memory_limit_gb),
        version=__version__,
        preload=PRELOAD,
        together=together if batch > 1 else None,
        progress=lambda what, now: progress(stage_text(what, now), share_of(what, now, batches=batch > 1)),
    )


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


def _check_methods(settings: CohortSettings) -> None:
    if settings.method in settings.compare:
        msg = f"--compare {settings.method}: that is the method of the results themselves"
        raise typer.BadParameter(msg)


def _batch(asked: Asked) -> int:
    """How many cases are registered together."""
    settings = asked.settings
    one_by_one = settings.method != "nonrigid" or settings.use_landmarks or settings.leave_one_out
    if one_by_one and asked.batch is not None and asked.batch > 1:
        msg = "--batch is for --method nonrigid without --use-landmarks and --leave-one-out"
        raise typer.BadParameter(msg)
    if one_by_one:
        return 1
    return asked.batch or (GPU_BATCH if settings.device == "cuda" else 1)


def _tell_failed_batch(console: Console, job: Job, ended: Ended) -> None:
    if ended.status == "failed":
        console.note(f"{job.case_id} failed ({ended.reason}); its cases are registered one by one")
