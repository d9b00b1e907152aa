"""What the folder of a cohort holds, read so that no broken file stops the report."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from coreg.errors import InputError
from coreg.io.case_model import is_id
from coreg.io.files import is_folder, is_there, read_text
from coreg.io.json_fields import case_id_of
from coreg.io.landmark_files import read_landmarks
from coreg.io.registration_json import FILE_NAME, read_registration
from coreg.io.review_files import read_review, read_reviewed_registration
from coreg.io.work_list import CASES, COHORT, METHODS, VALIDATION, work_list
from coreg.landmarks import Landmark
from coreg.report.html import Progress, silent
from coreg.result import Registration
from coreg.validation import landmark_errors, unguided
from coreg_cohort.landmark_tables import NO_ERRORS, Errors, errors_from, read_errors
from coreg_cohort.measured_case import Cohort, MeasuredCase, Reviewed, Sketch, State, guides_of

T = TypeVar("T")

STAGE = "report: reading the cases"
MOST_NAMES = 10
LANDMARKS = "landmarks.csv"
REVIEWED_SINCE = "Landmarks were reviewed since it was measured: run coreg cohort run again."
# Of frames, which files have with more digits.
_DIGITS = 3
NOT_RUN, NOT_REGISTERED = "not run yet", "segmented, not registered yet"


def read_cohort(folder: Path, *, progress: Progress = silent) -> Cohort:
    """Read the folder of a cohort.

    Parameters
    ----------
    folder : Path
        That ``coreg cohort run`` wrote, or another one with results in ``cases``.
    progress : callable
        Takes a stage's name and the share that is done.

    Raises
    ------
    InputError
        If there is no result at all in it.
    """
    progress(STAGE, 0.0)
    rows, notes = _listed(folder / COHORT)
    work = work_list(folder) if _any_result(folder, rows) else ()
    names = list(rows)
    others = [each.folder.name for each in work if each.folder.name not in rows]
    if not rows:
        names = others
    elif others:
        notes = [*notes, f"Left out, as {COHORT} does not list {_them(others)}: {_some(others)}."]
        work = tuple(each for each in work if each.folder.name in rows)
    cases = []
    for i, name in enumerate(names):
        cases.append(_case(folder, name, rows.get(name)))
        progress(STAGE, (i + 1) / len(names))
    methods = Counter(each.method for each in cases if each.method)
    # Of equally many the first name, so that the same folder gives the same report.
    method = min(methods, key=lambda name: (-methods[name], name), default="")
    others = [each.case_id for each in cases if each.method not in {method, ""}]
    if others:
        notes = [*notes, f"Registered by another method than the rest ({method}): {', '.join(others)}."]
    return Cohort(folder, tuple(cases), work, method, tuple(notes))


def _them(names: Sequence[str]) -> str:
    return "it" if len(names) == 1 else "them"


def _some(names: Sequence[str]) -> str:
    """List names, the first of many."""
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _any_result(folder: Path, rows: Mapping[str, Any]) -> bool:
    """Whether there is something to list; without a table the list itself says what is missing."""
    return not rows or is_folder(folder / CASES)


def _listed(path: Path) -> tuple[dict[str, Mapping[str, str]], list[str]]:
    """Rows of cohort.csv by case, whatever other columns it has, and what is to be said of it."""
    if not is_there(path):
        return {}, [f"There is no {COHORT}: who the patients are is not known, each case counts as one."]
    try:
        found = list(csv.DictReader(io.StringIO(read_text(path), newline=""), strict=True))
    except (InputError, csv.Error) as error:
        why = str(error).replace(f"{path.parent}/", "")
        return {}, [f"{COHORT} cannot be read, each case counts as a patient: {why}"]
    rows = {(row.get("case_id") or "").strip(): row for row in found}
    # Ids name folders.
    strange = [f"Left out, as it is no id: {name!r}." for name in rows if name and not is_id(name)]
    kept = {name: row for name, row in rows.items() if is_id(name)}
    return {name: {k: v for k, v in row.items() if isinstance(v, str)} for name, row in kept.items()}, strange


def _case(folder: Path, name: str, row: Mapping[str, str] | None) -> MeasuredCase:
    """Read one case; one without a row in the table, or without that table, is done if it has a result."""
    told = row or {}
    case = MeasuredCase(
        name,
        told.get("patient", "").strip() or f"case {name}",
        told.get("vessel", "").strip(),
        seconds=_number(told.get("seconds", "")),
        by_reader=told.get("landmarks_of", "").strip() == "reader",
    )
    status = told.get("status", "").strip() if row is not None else "done"
    if status != "done":
        state: State = "failed" if status else "waiting"
        reason = told.get("reason", "").strip() or ("could not be registered" if status else NOT_RUN)
        return replace(case, state=state, reasons=(reason,))
    if told.get("stage", "").strip() == "segment":
        return replace(case, state="waiting", reasons=(NOT_REGISTERED,))
    place = folder / CASES / name
    if not is_folder(place):
        place = folder / name
    registration, why = _tried(folder, lambda: _own_registration(place, name))
    if registration is None:
        return replace(case, state="broken", reasons=(why,))
    return _measured(folder, place, case, registration)


def _own_registration(place: Path, name: str) -> Registration:
    registration, owner = read_registration(place), case_id_of(place / FILE_NAME)
    if owner != name:
        msg = f"{place / FILE_NAME}: case_id: found {owner!r}, expected {name}"
        raise InputError(msg)
    return registration


def _measured(folder: Path, place: Path, case: MeasuredCase, registration: Registration) -> MeasuredCase:
    path = registration.path
    method = str(registration.settings.get("method", "result"))
    problems = []
    errors, residuals = {}, NO_ERRORS
    if is_there(place / VALIDATION):
        own, why = _tried(folder, lambda: read_errors(place / VALIDATION, path))
        problems.append(why)
        if own is not None:
            errors[method], residuals = own
    for other, table in _compared(folder, case.case_id):
        found, why = _tried(folder, partial(read_errors, table))
        problems.append(why)
        if found is not None and other != method:
            errors[other] = found.counted
    review, why = _tried(folder, lambda: _reviewed(place, case.case_id))
    marks = {mark for each in (errors.get(method, NO_ERRORS), residuals) for mark in _marks(each)}
    if review is not None and review.marks is not None and review.marks != marks:
        problems.append(REVIEWED_SINCE)
    return replace(
        case,
        verdict=registration.verdict,
        reasons=registration.reasons,
        margin=registration.margin,
        method=method,
        frames=len(path),
        errors=errors,
        residuals=residuals,
        review=review,
        sketch=_sketch(registration) if len(path) else None,
        settings=registration.settings,
        provenance=registration.provenance,
        problems=tuple(filter(None, [*problems, why])),
    )


def _marks(errors: Errors) -> Iterator[tuple[str, float]]:
    return zip(errors.id, errors.frame_expected.round(_DIGITS).tolist(), strict=True)


def _sketch(registration: Registration) -> Sketch:
    path = registration.path
    return Sketch(
        registration.centerline.points_mm,
        path.origin_mm,
        path.frame,
        path.position_mm,
        registration.residual_mm,
        path.reliable & path.posed,
    )


def _compared(folder: Path, name: str) -> Iterator[tuple[str, Path]]:
    """Tables of the other methods that were run on a case."""
    for table in sorted((folder / METHODS).glob(f"*/{name}/{VALIDATION}")):
        yield table.parent.parent.name, table


def _reviewed(place: Path, name: str) -> Reviewed | None:
    review = read_review(place, case_id=name)
    registration = read_reviewed_registration(place, case_id=name)
    if review is None:
        return None
    decision = "" if review.sign_off is None else review.sign_off.decision
    if any(each.state != "proposed" for each in review.landmarks):
        counting = [each.landmark for each in review.landmarks if each.counts]
        marks = frozenset((each.id, round(each.frame or 0.0, _DIGITS)) for each in counting)
    else:
        # The reader decided on none: they are the case's own.
        counting, marks = _own_landmarks(place), None
    if registration is None:
        return Reviewed(decision, marks=marks)
    free = unguided(landmark_errors(registration.path, counting), guides_of(registration.settings))
    return Reviewed(decision, errors_from(free, registration.path), marks)


def _own_landmarks(place: Path) -> list[Landmark]:
    table = place / LANDMARKS
    return list(read_landmarks(table)) if is_there(table) else []


def _tried(folder: Path, read: Callable[[], T]) -> tuple[T | None, str]:
    """Read something, or say why not; names of files are told from the cohort's folder on."""
    try:
        return read(), ""
    except (InputError, ValueError, OverflowError) as error:
        return None, str(error).replace(f"{folder}/", "")
    except OSError as error:
        return None, error.strerror or str(error)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
