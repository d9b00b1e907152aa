"""What the output of a cohort is searched for and where, once its cases were run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coreg_cohort.leaks import Leak
    from coreg_cohort.plan import Plan


def leaks_of(plan: Plan, progress: Callable[[str, float], None]) -> tuple[Leak, ...]:
    """Search what was written of the cases that ran now, and what is there of the whole cohort.

    Each case's files are searched for its own patient only; what is of all of them for all who ran now.
    """
    from coreg_cohort.identity import Identity, identity_of
    from coreg_cohort.leaks import leaks

    found: list[Leak] = []
    identities: list[Identity] = []
    for i, case in enumerate(plan.todo):
        progress("searching for identities", i / len(plan.todo))
        known_as = (case.patient, case.vessel)
        identities.append(identity_of(case.case_path, case.case_id, known_as=known_as))
        found += leaks(plan.out, _of_case(plan.out, case.case_id), identities[-1:])
    return (*found, *leaks(plan.out, _of_all(plan.out), identities))


def _of_case(out: Path, case_id: str) -> list[Path]:
    from coreg_cohort.records import STATE

    return [
        out / "cases" / case_id,
        *sorted(out.glob(f"methods/*/{case_id}")),
        out / STATE / "records" / f"{case_id}.json",
        out / STATE / "logs" / f"{case_id}.txt",
    ]


def _of_all(out: Path) -> list[Path]:
    from coreg_cohort.records import STATE

    single = [each for folder in (out, out / STATE) for each in sorted(folder.iterdir()) if each.is_file()]
    return [*single, out / "figures"]
