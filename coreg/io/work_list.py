"""What is to be reviewed in a folder of results, the riskiest first."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from coreg.errors import InputError
from coreg.io.case_model import CASE_NAME, is_id
from coreg.io.files import is_folder, is_there, unusable
from coreg.io.frames_csv import read_counted_errors
from coreg.io.json_fields import Fields, parsed_json
from coreg.io.registration_json import FILE_NAME, SCHEMA_VERSION, verdict_of
from coreg.io.result_folder import is_result
from coreg.io.review_files import REGISTRATION, REVIEW, review_fields, sign_off_of
from coreg.io.tables import read_records
from coreg.result import Verdict
from coreg.review import SignOff

# In the folder of a cohort: results by case, results of other methods by method and case, the table of all.
CASES, METHODS, COHORT = "cases", "methods", "cohort.csv"
VALIDATION = "validation.csv"
# Mean errors at landmarks from here on come before any margin of the cost.
LARGE_ERROR_MM = 1.0
_ORDER: tuple[Verdict | None, ...] = (None, "failed", "review", "good")


@dataclass(frozen=True)
class WorkItem:
    """One result on the list.

    Attributes
    ----------
    case_id : str
        Whose it is; of a broken result the folder's name.
    folder : Path
        The result folder; of a case that a cohort could not register it may be missing.
    verdict : str or None
        ``good``, ``review`` or ``failed``; None where there is no registration that can be read.
    reasons : tuple of str
        Why a person must look.
    error_mm : float or None
        Mean absolute error along the vessel at the landmarks that did not guide, of guides those left
        out; None where none was measured. It is that of the registration by the program.
    sign_off : SignOff or None
        A reader's decision; None where there is none yet.
    failed : str
        Why it cannot be opened; empty where it can.
    margin : float
        By how much the cost of the next best placement is above that of the one that was taken; NaN where
        it is not known.
    """

    case_id: str
    folder: Path
    verdict: Verdict | None = None
    reasons: tuple[str, ...] = ()
    error_mm: float | None = None
    sign_off: SignOff | None = None
    failed: str = ""
    margin: float = math.nan

    @property
    def risk(self) -> tuple[bool, int, float, float, str]:
        """What the list is sorted by, riskiest first.

        What is signed off comes last. Then by verdict: broken, failed, review, good; then by the mean
        error at landmarks where that is large, and else by how close another placement came.
        """
        error = self.error_mm or 0.0
        return (
            self.sign_off is not None and not self.failed,
            _ORDER.index(None if self.failed else self.verdict),
            -error if error >= LARGE_ERROR_MM else 0.0,
            math.inf if math.isnan(self.margin) else self.margin,
            self.case_id,
        )


def is_cohort(path: Path | str) -> bool:
    """Tell whether a path is a folder of results: that of a cohort, or one whose folders are results."""
    path = Path(path)
    if not is_folder(path) or is_result(path) or is_there(path / CASE_NAME):
        return False
    return is_there(path / COHORT) or is_folder(path / CASES) or any(map(is_result, _folders_in(path)))


def work_list(folder: Path | str) -> tuple[WorkItem, ...]:
    """List the results of a cohort, or those right in a folder, the riskiest first.

    A result that cannot be read is an item that says why.

    Raises
    ------
    InputError
        If there is none.
    """
    folder = Path(folder)
    failures = _failures(folder / COHORT)
    if is_folder(folder / CASES):
        places = list(_folders_in(folder / CASES))
    else:
        places = [each for each in _folders_in(folder) if is_result(each)]
    items = [_item(each, failures.pop(each.name, "")) for each in places]
    items += [WorkItem(name, folder / CASES / name, failed=why) for name, why in failures.items()]
    if not items:
        expected = f"folders with a {FILE_NAME}, or {CASES} of coreg cohort run"
        raise unusable(folder, "", found="no results", expected=expected)
    return tuple(sorted(items, key=lambda item: item.risk))


def read_again(items: Sequence[WorkItem], folder: Path) -> tuple[WorkItem, ...]:
    """List the same results, one of them read again, as after its review was saved."""
    here = folder.resolve()
    anew = (_item(each.folder, "") if each.folder.resolve() == here else each for each in items)
    return tuple(sorted(anew, key=lambda item: item.risk))


def _folders_in(folder: Path) -> Iterator[Path]:
    """Folders right in a folder, by name; those that are still being written have a dot."""
    try:
        inside = sorted(folder.iterdir())
    except OSError:
        return
    yield from (each for each in inside if not each.name.startswith(".") and is_folder(each))


def _item(folder: Path, failure: str) -> WorkItem:
    """Read a result; of a case that failed in the last run the result of an earlier one does not count."""
    try:
        if failure or not is_result(folder):
            return WorkItem(folder.name, folder, failed=failure or "no registration")
        return _read_item(folder)
    except InputError as error:
        return WorkItem(folder.name, folder, failed=str(error))
    except OverflowError:
        return WorkItem(folder.name, folder, failed=f"{folder}: a number in its files is too large")
    except OSError as error:
        return WorkItem(folder.name, folder, failed=f"{folder}: {error.strerror or error}")


def _read_item(folder: Path) -> WorkItem:
    item = WorkItem(folder.name, folder, error_mm=_landmark_error_mm(folder / VALIDATION))
    if is_there(folder / REVIEW):
        review = review_fields(folder / REVIEW)
        item = replace(item, case_id=review.text("case_id"), sign_off=sign_off_of(review))
    name = next((each for each in (REGISTRATION, FILE_NAME) if is_there(folder / each)), None)
    if name is None:
        return item
    fields = Fields(folder / name, "", parsed_json(folder / name))
    fields.check_schema(SCHEMA_VERSION)
    return replace(
        item,
        case_id=fields.text("case_id"),
        verdict=verdict_of(fields),
        reasons=fields.texts("reasons"),
        margin=fields.number("margin"),
    )


def _landmark_error_mm(path: Path) -> float | None:
    """Mean absolute error along the vessel that is no residual of a fit."""
    if not is_there(path):
        return None
    errors = np.array([each.error_mm for each in read_counted_errors(path)])
    known = np.abs(errors[np.isfinite(errors)])
    return float(known.mean()) if len(known) else None


def _failures(path: Path) -> dict[str, str]:
    """Reasons of the cases that a cohort could not register, by id; the table may have any other columns."""
    if not is_there(path):
        return {}
    try:
        header, *rows = [each.cells for each in read_records(path)] or [[]]
    except InputError:
        # The results themselves tell what is there.
        return {}
    cases = [dict(zip(header, row, strict=False)) for row in rows]
    return {
        each["case_id"]: each.get("reason") or "could not be registered"
        for each in cases
        if each.get("status") == "failed" and is_id(each.get("case_id", ""))
    }
