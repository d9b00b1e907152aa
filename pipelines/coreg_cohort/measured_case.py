"""What a report knows of each case of a cohort, and of all of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from coreg.io.work_list import WorkItem
from coreg.report.methods import TITLES
from coreg_cohort.landmark_tables import NO_ERRORS, Errors

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
State = Literal["done", "failed", "broken", "waiting"]

# Whose errors they are, beside the names of methods.
REVIEWED = "after review"


@dataclass(frozen=True, eq=False)
class Sketch:
    """What a small picture of a registration needs: N frames, proximal to distal, and M points.

    Attributes
    ----------
    centerline_mm, origin_mm : (M, 3) and (N, 3) arrays
        The CCTA's vessel, and the catheter at each frame; NaN for frames without a pose.
    frame, position_mm, residual_mm : (N,) arrays
        Acquisition index, withdrawal, and distance of the two lumens; NaN where nothing was measured.
    reliable : (N,) bool array
        Whether a frame is to be trusted.
    """

    centerline_mm: FloatArray
    origin_mm: FloatArray
    frame: npt.NDArray[np.int64]
    position_mm: FloatArray
    residual_mm: FloatArray
    reliable: BoolArray


@dataclass(frozen=True, eq=False)
class Reviewed:
    """What a reader made of a case.

    Attributes
    ----------
    decision : str
        ``approved``, ``rejected``, or empty while it is not signed off.
    errors : Errors
        Of the registration as the reader left it, at the landmarks that count and did not guide it.
    marks : frozenset or None
        Id and frame of each landmark that the reader accepted or corrected; None where the reader decided on
        none, so that those of the case count.
    """

    decision: str = ""
    errors: Errors = NO_ERRORS
    marks: frozenset[tuple[str, float]] | None = None


@dataclass(frozen=True, eq=False)
class MeasuredCase:
    """One pullback of the cohort.

    Attributes
    ----------
    case_id, patient, vessel : str
        As in cohort.csv. A case without a patient counts as a patient of its own.
    state : str
        ``done``; ``failed``, which has no result that counts; ``broken``, whose result cannot be read;
        or ``waiting``.
    verdict : str
        Of the program; empty where there is none.
    reasons : tuple of str
        Why it failed, cannot be read, or a person must look.
    margin, seconds : float
        As in registration.json and cohort.csv; NaN where not known.
    method : str
        Which one the result is of.
    frames : int
        Of the pullback.
    by_reader : bool
        Whether errors are measured at landmarks that a reader accepted or corrected.
    errors : mapping of str to Errors
        By method, those that count.
    residuals : Errors
        Of the result, at landmarks that guided it.
    review : Reviewed or None
        None where nobody has reviewed it.
    sketch : Sketch or None
        None where there is no result.
    settings, provenance : mapping
        Of registration.json.
    problems : tuple of str
        What could not be read besides.
    """

    case_id: str
    patient: str
    vessel: str = ""
    state: State = "done"
    verdict: str = ""
    reasons: tuple[str, ...] = ()
    margin: float = math.nan
    seconds: float = math.nan
    method: str = ""
    frames: int = 0
    by_reader: bool = False
    errors: Mapping[str, Errors] = field(default_factory=dict)
    residuals: Errors = NO_ERRORS
    review: Reviewed | None = None
    sketch: Sketch | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @property
    def guides(self) -> tuple[str, ...]:
        """Landmarks that guided the result."""
        return guides_of(self.settings)

    def errors_by(self, method: str) -> Errors:
        """Return the errors that count, by a method or after review."""
        if method == REVIEWED:
            return self.review.errors if self.review else NO_ERRORS
        return self.errors.get(method, NO_ERRORS)


@dataclass(frozen=True, eq=False)
class Cohort:
    """All cases.

    Attributes
    ----------
    folder : Path
        Where they are.
    cases : tuple of MeasuredCase
        In the manifest's order.
    work : tuple of WorkItem
        The results, the riskiest first.
    method : str
        Which one most results are of.
    notes : tuple of str
        What a reader of the report should know.
    """

    folder: Path
    cases: tuple[MeasuredCase, ...]
    work: tuple[WorkItem, ...]
    method: str
    notes: tuple[str, ...] = ()

    def of_state(self, *states: State) -> tuple[MeasuredCase, ...]:
        """Return the cases in some states."""
        return tuple(each for each in self.cases if each.state in states)

    @property
    def methods(self) -> tuple[str, ...]:
        """Methods that have errors: that of the results first, others in the order of all tables."""
        found = {name for each in self.cases for name, errors in each.errors.items() if len(errors)}
        known = list(TITLES)
        place = {name: known.index(name) if name in known else len(known) for name in found}
        return tuple(sorted(found, key=lambda name: (name != self.method, place[name], name)))


def guides_of(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return ids of landmarks that guided; none where the settings hold something else there."""
    found = settings.get("guides")
    return tuple(map(str, found)) if isinstance(found, list) else ()


def pooled(
    cases: Sequence[MeasuredCase], method: str, column: str
) -> tuple[FloatArray, npt.NDArray[np.str_]]:
    """Values (N,) of a column of a method's errors in all cases, and the patient of each (N,)."""
    parts = [getattr(each.errors_by(method), column) for each in cases]
    patients = np.array([each.patient for each in cases], dtype=np.str_)
    return np.concatenate([np.zeros(0), *parts]), np.repeat(patients, [len(part) for part in parts])
