"""A cohort's cases are run, and what becomes of them is kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from coreg_cohort.book import Book
from coreg_cohort.cluster import cluster
from coreg_cohort.folder import cohort_folder
from coreg_cohort.isolated import Ended, Work
from coreg_cohort.manifest import CohortCase
from coreg_cohort.plan import Plan
from coreg_cohort.records import STATE, Record, Stage
from coreg_cohort.runner import Job, Progress, run
from coreg_cohort.slurm import SlurmOptions

# Registrations that remain to be completed, in the folder of a cohort's state.
SOLVED = "solved"
Arguments = Callable[[CohortCase, tuple[Stage, ...], Path], tuple[Any, ...]]
Telling = Callable[[str, Progress], None]


@dataclass(frozen=True)
class Where:
    """Where and within which limits cases run.

    Attributes
    ----------
    kind : str
        As in `cluster`.
    workers : int
        Cases at a time.
    slurm : SlurmOptions or None
        For Slurm.
    time_limit_s, memory_limit_gb : float or None
        Of each case.
    """

    kind: str = "local"
    workers: int = 1
    slurm: SlurmOptions | None = None
    time_limit_s: float | None = None
    memory_limit_gb: float | None = None


@dataclass(frozen=True)
class Together:
    """How cases are registered together, as on a GPU, between their segmentation and the rest.

    A batch that fails costs nothing but time: its cases are registered one by one.

    Attributes
    ----------
    work : callable
        Registers a batch, as in `isolated`, and leaves the results in ``solved``.
    size : int
        Most cases of a batch.
    arguments : callable
        Gives the function's arguments for some cases and the file that the registration of each goes to.
    on_end : callable
        Given each batch and what became of it.
    """

    work: Work
    size: int
    arguments: Callable[[Sequence[tuple[CohortCase, Path]]], tuple[Any, ...]]
    on_end: Callable[[Job, Ended], None]


def run_planned(
    plan: Plan,
    work: Work,
    arguments: Arguments,
    where: Where,
    *,
    version: str,
    together: Together | None = None,
    preload: Sequence[str] = (),
    progress: Telling = lambda _what, _now: None,
) -> dict[str, Record]:
    """Run what is to do, and write the table of all cases.

    Parameters
    ----------
    plan : Plan
        From `planned`.
    work : callable
        Runs stages of one case into ``cases/<case_id>``, as in `isolated`.
    arguments : callable
        Gives the function's arguments for a case, the stages to run, and the file that has its registration
        if it was registered together with others.
    where : Where
        Where, and within which limits.
    version : str
        Of the program.
    together : Together, optional
        Register cases in batches.
    preload : sequence of str
        As in `isolated`.
    progress : callable
        Told what is being done (``segmented``, ``batches`` or ``cases``), and how far it is.

    Returns
    -------
    dict of str to Record
        Of all cases that have ended, now or in an earlier run.

    Raises
    ------
    InputError
        If the folder or the cluster cannot be used.
    """
    with cohort_folder(plan.out, [each.case_id for each in plan.cases]):
        book = Book(plan, version)
        try:
            if plan.todo:
                with cluster(where.kind, workers=where.workers, slurm=where.slurm) as client:
                    start = partial(
                        run,
                        client=client,
                        time_limit_s=where.time_limit_s,
                        memory_limit_gb=where.memory_limit_gb,
                        preload=preload,
                    )
                    steps = _Steps(plan, book, work, arguments, start, progress)
                    left = {each.case_id: plan.work[each.case_id].stages for each in plan.todo}
                    if together is not None:
                        left = steps.registered_together(left, together)
                    steps.run_stages("cases", left)
                    shutil.rmtree(plan.out / STATE / SOLVED, ignore_errors=True)
        finally:
            book.write_table()
    return book.records


@dataclass(frozen=True, eq=False)
class _Steps:
    """What a run does one after the other, with what all of that needs; see `run_planned`."""

    plan: Plan
    book: Book
    work: Work
    arguments: Arguments
    start: Callable[..., Any]
    progress: Telling

    def run_stages(self, what: str, stages: Mapping[str, tuple[Stage, ...]]) -> None:
        """Run stages of cases, each case by itself."""
        jobs = [
            self.book.job(each.case_id, of_case, self.arguments(each, of_case, self._solved(each)))
            for each, of_case in self._with_cases(stages)
        ]
        self.start(jobs, self.work, on_end=self.book.enter, progress=partial(self.progress, what))

    def registered_together(
        self, stages: Mapping[str, tuple[Stage, ...]], how: Together
    ) -> dict[str, tuple[Stage, ...]]:
        """Segment cases and register them in batches; the stages that are left to run."""
        first: tuple[Stage, ...] = ("segment",)
        to_register = {name: each for name, each in stages.items() if "register" in each}
        self.run_stages("segmented", {name: first for name, each in to_register.items() if "segment" in each})
        ready = {
            name: tuple(stage for stage in each if stage != "segment")
            for name, each in to_register.items()
            if not self._failed(name)
        }
        cases = [each for each, _ in self._with_cases(ready)]
        batches = [cases[i : i + how.size] for i in range(0, len(cases), how.size)]
        named = {f"batch-{i}": batch for i, batch in enumerate(batches, 1)}
        jobs = [
            Job(name, how.arguments([(each, self._solved(each)) for each in batch]), self.book.log(name))
            for name, batch in named.items()
        ]

        def enter(job: Job, ended: Ended) -> None:
            # One that ends badly has left nothing; its cases are registered by themselves.
            self.book.enter_batch([each.case_id for each in named[job.case_id]], job, ended)
            how.on_end(job, ended)

        self.start(jobs, how.work, on_end=enter, progress=partial(self.progress, "batches"))
        return {**ready, **{name: each for name, each in stages.items() if name not in to_register}}

    def _with_cases(
        self, stages: Mapping[str, tuple[Stage, ...]]
    ) -> Iterator[tuple[CohortCase, tuple[Stage, ...]]]:
        """Give cases with their stages, in the manifest's order."""
        return ((each, stages[each.case_id]) for each in self.plan.todo if each.case_id in stages)

    def _failed(self, name: str) -> bool:
        record = self.book.records.get(name)
        return record is not None and record.status == "failed"

    def _solved(self, case: CohortCase) -> Path:
        # By what it depends on: one that an interrupted run left serves only where that is the same.
        return self.plan.out / STATE / SOLVED / f"{self.plan.fingerprints[case.case_id].register}.json"
