"""Keeps what becomes of each case while a cohort runs: its record, its log, its row of the table."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from coreg.io.result_folder import LOG
from coreg.io.work_list import CASES, COHORT
from coreg_cohort.isolated import Ended
from coreg_cohort.plan import Plan
from coreg_cohort.records import STAGES, STATE, Record, Stage, write_cohort_csv, write_record
from coreg_cohort.runner import Job

# The table is written again no sooner than this after the last time, and at the end.
TABLE_S = 5.0


class Book:
    """Enters what becomes of cases.

    Attributes
    ----------
    records : dict of str to Record
        Of the cases whose results are what they would be now, and of those that failed.
    """

    def __init__(self, plan: Plan, version: str) -> None:
        self._plan, self._version = plan, version
        self._running: dict[str, tuple[Stage, ...]] = {}
        self.records = {name: record for name, record in plan.records.items() if self._counts(record)}
        for name, reason in plan.unusable.items():
            # Not on disk: where only the way to the case was lost, what is known of it holds again later.
            self.records[name] = Record(name, {}, "failed", reason, {}, 0.0, 0.0, version)
        self._written_s = -TABLE_S
        self.write_table()

    def _counts(self, record: Record) -> bool:
        """Whether what is known of a case is of this cohort, and what it would be now."""
        work = self._plan.work.get(record.case_id)
        if work is None or work.stages:
            return False
        return not work.waits_for or record.status == "failed"

    def job(self, case_id: str, stages: tuple[Stage, ...], arguments: tuple[Any, ...]) -> Job:
        """Make the job that runs stages of a case."""
        self._running[case_id] = stages
        return Job(case_id, arguments, self.log(case_id))

    def log(self, name: str) -> Path:
        """Where a process prints to."""
        return self._plan.out / STATE / "logs" / f"{name}.txt"

    def enter(self, job: Job, ended: Ended) -> None:
        """Keep what became of a case, its result being in its place."""
        stages = self._running[job.case_id]
        self._put_log(job, keep=stages != ("validate",) or ended.status == "failed")
        record = self._entry(job.case_id, stages, ended)
        write_record(self._plan.out, record)
        self.records[record.case_id] = record
        if time.monotonic() - self._written_s >= TABLE_S:
            self.write_table()

    def _entry(self, name: str, ran: tuple[Stage, ...], ended: Ended) -> Record:
        """Make the record of a case some of whose stages have run."""
        # A stage that ran took the results of later ones away.
        good = (*STAGES[: STAGES.index(ran[0])], *(ran if ended.status == "done" else ()))
        now = self._plan.fingerprints[name]
        prints = {stage: getattr(now, stage) for stage in good}
        made = Record(
            name,
            {stage: each for stage, each in prints.items() if each is not None},
            ended.status,
            ended.reason,
            ended.facts,
            ended.seconds,
            ended.peak_memory_gb,
            self._version,
        )
        before = self._plan.records.get(name)
        if ran != ("validate",) or before is None or ended.status == "failed":
            return made
        facts = {**before.facts, **ended.facts}
        return replace(made, facts=facts, seconds=before.seconds, peak_memory_gb=before.peak_memory_gb)

    def _put_log(self, job: Job, *, keep: bool) -> None:
        """Put a log into the result; one that was only measured keeps that of its registration."""
        if not job.log.exists():
            return
        if keep:
            folder = self._plan.out / CASES / job.case_id
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(job.log, folder / LOG)
        job.log.unlink()

    def write_table(self) -> None:
        """Write the table of all cases."""
        write_cohort_csv(self._plan.out / COHORT, self._plan.cases, self.records)
        self._written_s = time.monotonic()
