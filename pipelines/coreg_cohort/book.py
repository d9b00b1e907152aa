"""Keeps what becomes of each case while a cohort runs: its record, its log, its row of the table."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from coreg.errors import InputError
from coreg.io.case_model import named_files, read_case_file
from coreg.io.files import write_text
from coreg.io.result_folder import LOG
from coreg.io.work_list import CASES, COHORT
from coreg_cohort.isolated import Ended
from coreg_cohort.manifest import CohortCase
from coreg_cohort.plan import Plan
from coreg_cohort.records import STAGES, STATE, Record, Stage, write_cohort_csv, write_record
from coreg_cohort.runner import Job

# The table is written again no sooner than this after the last time, and at the end.
TABLE_S = 5.0
_DICOM = {"", ".dcm", ".ima", ".dicom"}


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
        self._cases = {each.case_id: each for each in plan.cases}
        self._places: dict[str, list[tuple[str, str]]] = {}
        for name, reason in plan.unusable.items():
            # Not on disk: where only the way to the case was lost, what is known of it holds again later.
            told = self._without_places(name, reason)
            self.records[name] = Record(name, {}, "failed", told, {}, 0.0, 0.0, version)
        # Of a case's earlier jobs in this run.
        self._spent_s: dict[str, float] = {}
        self._printed: dict[str, str] = {}
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
        self._spent_s[job.case_id] = record.seconds
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
            self._without_places(name, ended.reason),
            ended.facts,
            self._spent_s.get(name, 0.0) + ended.seconds,
            ended.peak_memory_gb,
            self._version,
            self._plan.settings,
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
        # Where it cannot be put, as into a folder of somebody else, it stays where it is.
        with suppress(OSError):
            if keep:
                self._add_to_log(job.case_id, job.log)
            job.log.unlink()

    def _add_to_log(self, name: str, log: Path) -> None:
        """Write what was printed into a result, after what earlier jobs of this run printed."""
        printed = self._without_places(name, log.read_text(encoding="utf-8", errors="replace"))
        self._printed[name] = self._printed.get(name, "") + printed
        kept = self._plan.out / CASES / name / LOG
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_text(kept, self._printed[name])

    def enter_batch(self, names: Sequence[str], job: Job, ended: Ended) -> None:
        """Keep what a batch took and printed with each of its cases, before the rest of their stages run."""
        for name in names:
            with suppress(OSError):
                self._add_to_log(name, job.log)
            self._spent_s[name] = self._spent_s.get(name, 0.0) + ended.seconds / len(names)
        job.log.unlink(missing_ok=True)

    def _without_places(self, name: str, text: str) -> str:
        """Name files by their keys in the case, or relative to it: where they lie may tell whose it is."""
        if name not in self._places:
            self._places[name] = _places_of(self._cases[name])
        for place, word in self._places[name]:
            text = text.replace(place, word)
        return text

    def write_table(self) -> None:
        """Write the table of all cases."""
        write_cohort_csv(self._plan.out / COHORT, self._plan.cases, self.records)
        self._written_s = time.monotonic()


def _places_of(case: CohortCase) -> list[tuple[str, str]]:
    """List paths of a case as messages may have them, the longest first, and what to call them.

    Files in its folder go by their names there, but for DICOM and folders of images, whose names are often
    those of patients: these, and files elsewhere, go by their keys.
    """
    path = case.case_path
    known = {
        path: path.name if path.suffix == ".toml" else f"the case in row {case.row} of the manifest",
        path.parent: ".",
    }
    with suppress(InputError):
        case_file = read_case_file(path)
        for key, name in named_files(case_file):
            file = case_file.resolved(name)
            if Path(name).suffix.lower() in _DICOM or not file.resolve().is_relative_to(
                path.parent.resolve()
            ):
                known[file] = key
    found = {str(place): word for each, word in known.items() for place in (each, each.resolve())}
    found |= {f"{place}{os.sep}": "" for place in (path.parent, path.parent.resolve())}
    return sorted(found.items(), key=lambda each: len(each[0]), reverse=True)
