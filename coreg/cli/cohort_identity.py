"""What the output of a cohort is searched for and where, once its cases were run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from coreg.errors import InputError
from coreg.io.json_fields import parsed_json, write_json
from coreg.io.work_list import CASES, METHODS
from coreg_cohort.records import STATE

if TYPE_CHECKING:
    from coreg_cohort.leaks import Leak
    from coreg_cohort.plan import Plan


# In the folder of a cohort's state: of whom something was found.
LEAKS = "leaks.json"


class Searched(NamedTuple):
    """What was found, and the cases that were not searched since their case.toml is not there any more."""

    leaks: tuple[Leak, ...]
    unsearched: tuple[str, ...]


def leaks_of(plan: Plan, progress: Callable[[str, float], None]) -> Searched:
    """Search what was written of the cases that ran now, and what is there of the whole cohort.

    Cases that could not be read, and those of which an earlier run found something, are searched too. Each
    case's files are searched for its own patient only; what is of all of them for all of these.
    """
    from coreg_cohort.identity import Identity, identity_of
    from coreg_cohort.leaks import leaks

    before = _told_before(plan.out)
    ran = {each.case_id for each in plan.todo}
    cases = [each for each in plan.cases if each.case_id in {*ran, *before, *plan.unusable}]
    found: list[Leak] = []
    identities: list[Identity] = []
    unsearched: list[str] = []
    for i, case in enumerate(cases):
        progress("searching for identities", i / len(cases))
        known_as = (case.patient, case.vessel)
        try:
            identities.append(identity_of(case.case_path, case.case_id, known_as=known_as))
        except InputError:
            # Of one that could never be read there is no result.
            unsearched += [case.case_id] if case.case_id in ran else []
            continue
        found += leaks(plan.out, _of_case(plan.out, case.case_id), identities[-1:])
    found += leaks(plan.out, _of_all(plan.out), identities)
    _keep(plan.out, found)
    return Searched(tuple(found), tuple(unsearched))


def _told_before(out: Path) -> set[str]:
    """List cases whose identity was found by an earlier run: they are looked for until it is gone."""
    try:
        told = parsed_json(out / STATE / LEAKS).get("case_ids")
    except InputError:
        return set()
    return {str(each) for each in told} if isinstance(told, list) else set()


def _keep(out: Path, found: Sequence[Leak]) -> None:
    names = sorted({each.case_id for each in found})
    if names or (out / STATE / LEAKS).exists():
        write_json(out / STATE / LEAKS, {"schema_version": 1, "case_ids": names})


def _of_case(out: Path, case_id: str) -> list[Path]:
    return [
        out / CASES / case_id,
        *sorted(out.glob(f"{METHODS}/*/{case_id}")),
        out / STATE / "records" / f"{case_id}.json",
        out / STATE / "logs" / f"{case_id}.txt",
    ]


def _of_all(out: Path) -> list[Path]:
    single = [each for folder in (out, out / STATE) for each in sorted(folder.iterdir()) if each.is_file()]
    return [*single, out / "figures"]
