"""A cohort from its manifest to its table: what there is to do, and doing it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from coreg.io.case_model import is_id
from coreg.io.result_folder import LOG, is_result
from coreg_cohort.cluster import cluster
from coreg_cohort.fingerprint import StatCache, fingerprint
from coreg_cohort.folder import check_folder, cohort_folder
from coreg_cohort.isolated import Ended, Work
from coreg_cohort.manifest import CohortCase, ManifestError, Problem, examine_manifest
from coreg_cohort.records import STATE, Record, read_records, write_cohort_csv, write_record
from coreg_cohort.runner import Job, Progress, run
from coreg_cohort.slurm import SlurmOptions

CASES, TABLE = "cases", "cohort.csv"
# The table is written again no sooner than this after the last time, and at the end.
TABLE_S = 5.0


@dataclass(frozen=True)
class Plan:
    """What a run of a cohort has to do.

    Attributes
    ----------
    cases : tuple of CohortCase
        All of the manifest's, in its order.
    unusable : mapping of str to str
        Why a case cannot be read, by id; it fails without being run.
    fingerprints : mapping of str to str
        Of what each other case depends on now.
    records : mapping of str to Record
        What earlier runs left, by id.
    out : Path
        The cohort's folder.
    """

    cases: tuple[CohortCase, ...]
    unusable: Mapping[str, str]
    fingerprints: Mapping[str, str]
    records: Mapping[str, Record]
    out: Path

    @cached_property
    def todo(self) -> tuple[CohortCase, ...]:
        """Cases to run: new, changed, or failed before."""
        return tuple(
            each for each in self.cases if each.case_id not in self.unusable and not self._stands(each)
        )

    def _stands(self, case: CohortCase) -> bool:
        record = self.records.get(case.case_id)
        print_now = self.fingerprints[case.case_id]
        return record is not None and record.stands(print_now) and is_result(self.out / CASES / case.case_id)


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


def planned(
    manifest: Path, out: Path, settings: Mapping[str, Any], version: str, *, strict: bool = False
) -> Plan:
    """Check a manifest whole and find what is to do; writes nothing.

    Parameters
    ----------
    manifest : Path
        As in `read_manifest`.
    out : Path
        The cohort's folder.
    settings : mapping
        All that changes a result.
    version : str
        Of the program.
    strict : bool
        Refuse also where single cases cannot be read; else these fail and the others run.

    Raises
    ------
    ManifestError
        If the manifest cannot be used.
    InputError
        If the folder is not this cohort's.
    """
    listed, problems = examine_manifest(manifest)
    alone = {} if strict else _of_single_cases(problems)
    if problems and (strict or any(each.case_id not in alone for each in problems) or not listed.cases):
        raise ManifestError(listed.path, problems)
    rows = {each.case_id: each.row for each in problems}
    lost = [CohortCase(name, listed.path, name, "", {}, rows[name]) for name in alone]
    cases = tuple(sorted([*listed.cases, *lost], key=lambda each: each.row))
    check_folder(out, [each.case_id for each in cases])
    cache = StatCache(out / STATE / "inputs.json")
    prints = {each.case_id: fingerprint(each.case_path, settings, version, cache) for each in listed.cases}
    if (out / STATE).is_dir():
        # Only a convenience: the next run reads all inputs again.
        with suppress(OSError):
            cache.save()
    return Plan(cases, alone, prints, read_records(out), out)


def _of_single_cases(problems: Sequence[Problem]) -> dict[str, str]:
    """Reasons of cases that cannot be read, by id, where the manifest itself is sound."""
    found: dict[str, list[str]] = {}
    for each in problems:
        if each.column == "case" and is_id(each.case_id):
            found.setdefault(each.case_id, []).append(each.text)
    others = {each.case_id for each in problems if each.column != "case"}
    return {name: "; ".join(texts) for name, texts in found.items() if name not in others}


def run_planned(
    plan: Plan,
    work: Work,
    arguments: Callable[[CohortCase], tuple[Any, ...]],
    where: Where,
    *,
    version: str,
    preload: Sequence[str] = (),
    progress: Callable[[Progress], None] = lambda _: None,
) -> dict[str, Record]:
    """Run what is to do, and write the table of all cases.

    Parameters
    ----------
    plan : Plan
        From `planned`.
    work : callable
        Registers one case into ``cases/<case_id>``, as in `isolated`.
    arguments : callable
        Gives the function's arguments for a case.
    where : Where
        Where, and within which limits.
    version : str
        Of the program.
    preload : sequence of str
        As in `isolated`.
    progress : callable
        Told how far it is.

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
        book = _Book(plan, version)
        try:
            if plan.todo:
                with cluster(where.kind, workers=where.workers, slurm=where.slurm) as client:
                    run(
                        [Job(each.case_id, arguments(each), book.log(each.case_id)) for each in plan.todo],
                        work,
                        client=client,
                        on_end=book.enter,
                        time_limit_s=where.time_limit_s,
                        memory_limit_gb=where.memory_limit_gb,
                        preload=preload,
                        progress=progress,
                    )
        finally:
            book.write_table()
    return book.records


class _Book:
    """Enters what becomes of cases."""

    def __init__(self, plan: Plan, version: str) -> None:
        self._plan, self._version = plan, version
        known = {each.case_id for each in plan.cases}
        self.records = {name: record for name, record in plan.records.items() if name in known}
        for each in plan.todo:
            # What is there is not what is asked for.
            self.records.pop(each.case_id, None)
        for name, reason in plan.unusable.items():
            self._keep(Record(name, "", "failed", reason, {}, 0.0, 0.0, version))
        self._written_s = -TABLE_S
        self.write_table()

    def log(self, case_id: str) -> Path:
        """Where a case's process prints to."""
        return self._plan.out / STATE / "logs" / f"{case_id}.txt"

    def enter(self, job: Job, ended: Ended) -> None:
        """Keep what became of a case, its result being in its place."""
        self._put_log(job)
        now = self._plan.fingerprints[job.case_id]
        made = Record(
            job.case_id,
            now,
            ended.status,
            ended.reason,
            ended.facts,
            ended.seconds,
            ended.peak_memory_gb,
            self._version,
        )
        self._keep(made)
        if time.monotonic() - self._written_s >= TABLE_S:
            self.write_table()

    def _keep(self, record: Record) -> None:
        write_record(self._plan.out, record)
        self.records[record.case_id] = record

    def _put_log(self, job: Job) -> None:
        folder = self._plan.out / CASES / job.case_id
        if job.log.exists():
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(job.log, folder / LOG)
            job.log.unlink()

    def write_table(self) -> None:
        """Write the table of all cases."""
        write_cohort_csv(self._plan.out / TABLE, self._plan.cases, self.records)
        self._written_s = time.monotonic()
