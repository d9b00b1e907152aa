"""What there is to do for the cases of a cohort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from coreg.io.case_model import is_id
from coreg.io.json_fields import plain_json
from coreg.io.work_list import CASES
from coreg_cohort.fingerprint import Fingerprints, StatCache, fingerprints
from coreg_cohort.folder import check_folder
from coreg_cohort.manifest import CohortCase, ManifestError, Problem, examine_manifest
from coreg_cohort.records import STAGES, STATE, Record, Stage, read_records
from coreg_cohort.stages import ToDo, standing, to_do


@dataclass(frozen=True)
class Plan:
    """What a run of a cohort has to do.

    Attributes
    ----------
    cases : tuple of CohortCase
        All of the manifest's, in its order.
    unusable : mapping of str to str
        Why a case cannot be read, by id; it fails without being run.
    fingerprints : mapping of str to Fingerprints
        Of what each other case depends on now.
    records : mapping of str to Record
        What earlier runs left, by id.
    out : Path
        The cohort's folder.
    asked : tuple of str
        Stages that may run.
    again : bool
        Whether these run also where they stand.
    settings : mapping
        All options but for the device, as JSON holds them.
    version : str
        Of the program.
    """

    cases: tuple[CohortCase, ...]
    unusable: Mapping[str, str]
    fingerprints: Mapping[str, Fingerprints]
    records: Mapping[str, Record]
    out: Path
    asked: tuple[Stage, ...] = STAGES
    again: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    version: str = ""

    @cached_property
    def standing(self) -> Mapping[str, tuple[Stage, ...]]:
        """Stages that stand, of each case that can be read."""
        return {
            name: standing(self.records.get(name), now, self.out / CASES / name)
            for name, now in self.fingerprints.items()
        }

    @cached_property
    def work(self) -> Mapping[str, ToDo]:
        """What there is to do for each case that can be read."""
        return {
            name: to_do(stands, self.asked, again=self._again(name)) for name, stands in self.standing.items()
        }

    def _again(self, name: str) -> tuple[Stage, ...]:
        """Stages to run also where they stand, if they have anything to do."""
        if not self.again:
            return ()
        nothing = self.fingerprints[name].segment is None
        return tuple(each for each in self.asked if not (each == "segment" and nothing))

    @cached_property
    def todo(self) -> tuple[CohortCase, ...]:
        """Cases to run: new, changed, or failed before."""
        return tuple(
            each for each in self.cases if each.case_id in self.work and self.work[each.case_id].stages
        )

    def why(self, name: str) -> str:
        """Say why a case has to run."""
        record = self.records.get(name)
        if record is None:
            return "new"
        if record.status == "failed":
            return "failed before"
        if record.version != self.version:
            return f"made by coreg {record.version}"
        names = dict.fromkeys([*record.settings, *self.settings])
        other = [each for each in names if record.settings.get(each) != self.settings.get(each)]
        if other:
            return f"made with another {', '.join('--' + each.replace('_', '-') for each in other)}"
        if self.standing[name] == STAGES:
            return "asked for again"
        if record.stage != STAGES[-1] and record.stage in self.standing[name]:
            return f"to go on from {record.stage}"
        return "other landmarks" if self.work[name].stages == ("validate",) else "other files"

    @cached_property
    def waiting(self) -> Mapping[str, str]:
        """Cases that wait for a stage that may not run now, and for which."""
        return {name: each.waits_for for name, each in self.work.items() if each.waits_for}


def planned(
    manifest: Path,
    out: Path,
    settings: Mapping[str, Any],
    version: str,
    *,
    asked: Sequence[Stage] = STAGES,
    again: bool = False,
    strict: bool = False,
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
    asked : sequence of str
        Stages that may run.
    again : bool
        Run these also where they stand.
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
    lost = [each for each in listed.troubled if each.case_id in alone]
    cases = tuple(sorted([*listed.cases, *lost], key=lambda each: each.row))
    check_folder(out, [each.case_id for each in cases])
    cache = StatCache(out / STATE / "inputs.json")
    prints = {
        each.case_id: fingerprints(
            each.case_path, settings, version, cache, result=out / CASES / each.case_id
        )
        for each in listed.cases
    }
    if (out / STATE).is_dir():
        # Only a convenience: the next run reads all inputs again.
        with suppress(OSError):
            cache.save()
    kept = plain_json({name: each for name, each in settings.items() if name != "device"})
    return Plan(cases, alone, prints, read_records(out), out, tuple(asked), again, kept, version)


def _of_single_cases(problems: Sequence[Problem]) -> dict[str, str]:
    """Reasons of cases that cannot be read, by id, where the manifest itself is sound."""
    found: dict[str, list[str]] = {}
    for each in problems:
        if each.column == "case" and is_id(each.case_id):
            found.setdefault(each.case_id, []).append(each.text)
    others = {each.case_id for each in problems if each.column != "case"}
    return {name: "; ".join(texts) for name, texts in found.items() if name not in others}
