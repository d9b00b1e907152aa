"""What a cohort consists of: a table of cases, or a folder of them, checked whole before anything runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from coreg.errors import InputError
from coreg.io.case_file import CaseFile, missing_files, read_case_file
from coreg.io.case_model import CASE_NAME, ID_RULE, MANIFEST_NAME, is_id
from coreg.io.files import is_folder, is_there
from coreg_cohort.manifest_entries import Entry, Problem, entries_of_folder, entries_of_table, shown

__all__ = [
    "CohortCase",
    "Manifest",
    "ManifestError",
    "Problem",
    "by_patient",
    "check_manifest",
    "examine_manifest",
    "read_manifest",
]

# Beyond this many a list is no longer read; `check_manifest` has them all.
MOST_SHOWN = 20
_LONGEST_VESSEL = 64
_BOTH = ("ccta", "pullback")


@dataclass(frozen=True)
class CohortCase:
    """One pullback of a cohort.

    Attributes
    ----------
    case_id : str
        Unlike that of any other case, also where capitals do not count.
    case_path : Path
        Its case.toml, absolute.
    patient : str
        As the manifest or the case says; else the case's id.
    vessel : str
        As the manifest or the case says; empty where none does.
    covariates : mapping of str to str
        All other columns of the manifest; an empty cell is an empty text.
    row : int
        Row of the manifest as a spreadsheet counts (the header is row 1); 0 of a folder of cases.
    """

    case_id: str
    case_path: Path
    patient: str
    vessel: str
    covariates: Mapping[str, str]
    row: int


@dataclass(frozen=True)
class Manifest:
    """The cases of a cohort in order, and the absolute path of the table or folder that lists them.

    Those that have a problem are in ``troubled`` instead, as far as the table tells of them.
    """

    path: Path
    cases: tuple[CohortCase, ...]
    troubled: tuple[CohortCase, ...] = ()


class ManifestError(InputError):
    """A manifest with problems; lists the first of them, and has all of them as ``problems``."""

    def __init__(self, path: Path, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(_listed(path, problems))


def read_manifest(path: Path | str, *, needs: Collection[str] = _BOTH) -> Manifest:
    """Read what a cohort consists of, and check all of it.

    Parameters
    ----------
    path : Path or str
        A CSV or TSV with the columns ``case_id`` and ``case`` (a case.toml or its folder, absolute or
        relative to the table's folder), optionally ``patient`` and ``vessel``, and any covariates; or a
        folder with a ``manifest.csv``; or a folder whose folders have a case.toml each.
    needs : collection of str
        Tables that each case.toml must have; a segmentation needs one of the two only.

    Raises
    ------
    ManifestError
        If there is any problem: one error for all of them, each with its row and column.
    """
    manifest, problems = examine_manifest(path, needs=needs)
    if problems:
        raise ManifestError(manifest.path, problems)
    return manifest


def check_manifest(path: Path | str, *, needs: Collection[str] = _BOTH) -> tuple[Problem, ...]:
    """List all problems of a manifest, none if it can be used; see `read_manifest`."""
    return examine_manifest(path, needs=needs)[1]


def examine_manifest(
    path: Path | str, *, needs: Collection[str] = _BOTH
) -> tuple[Manifest, tuple[Problem, ...]]:
    """Return the cases of a manifest that have no problem, and all problems; see `read_manifest`."""
    path = Path(path).absolute()
    if is_there(path / MANIFEST_NAME):
        path = path / MANIFEST_NAME
    whole = is_folder(path)
    folder = path if whole else path.parent
    entries, problems = entries_of_folder(path) if whole else entries_of_table(path)
    read = [_read(entry, folder, needs) for entry in entries]
    cases = [case for case, _ in read]
    found = [(i, problem) for i, (_, its) in enumerate(read) for problem in its]
    found += [*_repeated_ids(entries, cases), *_respelled_patients(entries, cases)]
    found.sort(key=lambda each: each[0])
    troubled = {i for i, _ in found}
    sound = (case for i, case in enumerate(cases) if case is not None and i not in troubled)
    others = (cases[i] or _told_by(entries[i], folder) for i in sorted(troubled))
    everything = sorted([*problems, *(each for _, each in found)], key=lambda each: each.row)
    return Manifest(path, tuple(sound), tuple(others)), tuple(everything)


def by_patient(cases: Iterable[CohortCase]) -> dict[str, dict[str, tuple[CohortCase, ...]]]:
    """Group cases by patient, and those of a patient by vessel, all in the order of the manifest.

    Cases of a patient whose vessel is not known count as one vessel, called "".
    """
    groups: dict[str, dict[str, tuple[CohortCase, ...]]] = {}
    for case in cases:
        vessels = groups.setdefault(case.patient, {})
        vessels[case.vessel] = (*vessels.get(case.vessel, ()), case)
    return groups


def _read(
    entry: Entry, folder: Path, needs: Collection[str]
) -> tuple[CohortCase | None, tuple[Problem, ...]]:
    """Read the case of an entry; None where there is none. All problems that do not regard other cases."""
    problems = list(_cell_problems(entry))
    if not entry.case:
        empty = f"found an empty cell, expected a {CASE_NAME} or its folder"
        return None, (*problems, entry.problem("case", empty))
    try:
        case = read_case_file(folder / entry.case)
        problems += _case_problems(entry, case, needs)
    except InputError as error:
        return None, (*problems, entry.problem("case", str(error)))
    made = CohortCase(
        case_id=entry.case_id or case.id,
        case_path=case.path,
        patient=entry.patient or case.patient or entry.case_id or case.id,
        vessel=entry.vessel or case.vessel or "",
        covariates=entry.covariates,
        row=entry.row,
    )
    return made, tuple(problems)


def _told_by(entry: Entry, folder: Path) -> CohortCase:
    """Make a case of what the table alone tells."""
    path, patient = folder / entry.case, entry.patient or entry.case_id
    return CohortCase(entry.case_id, path, patient, entry.vessel, entry.covariates, entry.row)


def _cell_problems(entry: Entry) -> Iterator[Problem]:
    if entry.row and not is_id(entry.case_id):
        yield entry.problem("case_id", f"found {shown(entry.case_id)}, expected {ID_RULE}")
    if entry.patient and not is_id(entry.patient):
        yield entry.problem("patient", f"found {shown(entry.patient)}, expected {ID_RULE}")
    if len(entry.vessel) > _LONGEST_VESSEL:
        expected = f"a name of at most {_LONGEST_VESSEL} characters"
        yield entry.problem("vessel", f"found {shown(entry.vessel)}, expected {expected}")


def _case_problems(entry: Entry, case: CaseFile, needs: Collection[str]) -> Iterator[Problem]:
    given = {"case_id": entry.case_id, "patient": entry.patient, "vessel": entry.vessel}
    told = {"case_id": case.id, "patient": case.patient, "vessel": case.vessel}
    for column, value in given.items():
        if value and told[column] and value != told[column]:
            text = f"found {shown(value)}, expected {told[column]!r} as in {case.path}"
            yield entry.problem(column, text)
    for name in needs:
        if not getattr(case, f"has_{name}"):
            yield entry.problem("case", f"{case.path}: {name}: found nothing, expected the table [{name}]")
    for key, path in missing_files(case):
        yield entry.problem("case", f"{case.path}: {key}: found nothing at {path}, expected a file or folder")


def _repeated_ids(
    entries: Sequence[Entry], cases: Sequence[CohortCase | None]
) -> Iterator[tuple[int, Problem]]:
    """Find ids that a file system may take for one."""
    first: dict[str, Entry] = {}
    for i, (entry, case) in enumerate(zip(entries, cases, strict=True)):
        case_id = entry.case_id or (case.case_id if case else "")
        other = first.setdefault(case_id.casefold(), entry)
        if case_id and other is not entry:
            expected = "ids that differ by more than capitals"
            yield (
                i,
                entry.problem("case_id", f"found {shown(case_id)} as in {other.place}, expected {expected}"),
            )


def _respelled_patients(
    entries: Sequence[Entry], cases: Sequence[CohortCase | None]
) -> Iterator[tuple[int, Problem]]:
    """Find patients that statistics would count twice; one called as its case is told by the ids."""
    first: dict[str, tuple[str, str]] = {}
    for i, (entry, case) in enumerate(zip(entries, cases, strict=True)):
        if case is None or case.patient == case.case_id:
            continue
        patient, place = first.setdefault(case.patient.casefold(), (case.patient, entry.place))
        if patient != case.patient:
            text = f"found {shown(case.patient)}, expected {patient!r} as in {place}, capitals included"
            yield i, entry.problem("patient", text)


def _listed(path: Path, problems: Sequence[Problem]) -> str:
    if len(problems) == 1:
        return f"{path}: {problems[0]}"
    lines = [f"{path}: {len(problems)} problems", *(f"  {each}" for each in problems[:MOST_SHOWN])]
    if len(problems) > MOST_SHOWN:
        lines.append(f"  and {len(problems) - MOST_SHOWN} more")
    return "\n".join(lines)
