"""What the output of a cohort is searched for and where, once its cases were run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from coreg.errors import InputError
from coreg.io.work_list import CASES, METHODS

if TYPE_CHECKING:
    from coreg_cohort.leaks import Leak
    from coreg_cohort.plan import Plan


class Searched(NamedTuple):
    """What was found, and the cases that were not searched since their case.toml is not there any more."""

    leaks: tuple[Leak, ...]
    unsearched: tuple[str, ...]


def leaks_of(plan: Plan, progress: Callable[[str, float], None]) -> Searched:
    """Search what was written of the cases that ran now, and what is there of the whole cohort.

    Each case's files are searched for its own patient only; what is of all of them for all who ran now.
    """
    from coreg_cohort.identity import Identity, identity_of
    from coreg_cohort.leaks import leaks

    found: list[Leak] = []
    identities: list[Identity] = []
    unsearched: list[str] = []
    for i, case in enumerate(plan.todo):
        progress("searching for identities", i / len(plan.todo))
        known_as = (case.patient, case.vessel)
        try:
            identities.append(identity_of(case.case_path, case.case_id, known_as=known_as))
        except InputError:
            unsearched.append(case.case_id)
            continue
        found += leaks(plan.out, _of_case(plan.out, case.case_id), identities[-1:])
    return Searched((*found, *leaks(plan.out, _of_all(plan.out), identities)), tuple(unsearched))


def _of_case(out: Path, case_id: str) -> list[Path]:
    from coreg_cohort.records import STATE

    return [
        out / CASES / case_id,
        *sorted(out.glob(f"{METHODS}/*/{case_id}")),
        out / STATE / "records" / f"{case_id}.json",
        out / STATE / "logs" / f"{case_id}.txt",
    ]


def _of_all(out: Path) -> list[Path]:
    from coreg_cohort.records import STATE

    single = [each for folder in (out, out / STATE) for each in sorted(folder.iterdir()) if each.is_file()]
    return [*single, out / "figures"]
