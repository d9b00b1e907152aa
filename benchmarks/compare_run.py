"""One method on one case in a process of its own: errors, seconds and peak memory."""

from __future__ import annotations

from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress

import numpy as np
from compare_cases import Subject
from compare_methods import METHODS
from compare_results import BUG, FRAME_COLUMNS, LANDMARK_COLUMNS, CaseResult, Columns
from measuring import apart, measured

from coreg.catheter_path import VirtualCatheterPath
from coreg.errors import CoregError
from coreg.registration import register
from coreg.validation import FrameErrors, LandmarkError, frame_errors, landmark_errors


def run_apart(subject: Subject, method: str) -> CaseResult:
    """Run a method in a fresh process, so that neither time nor memory of one tells on the next."""
    try:
        return apart(run_here, subject, method)
    except BrokenProcessPool:
        return _without(subject, method, "the process ended: out of memory?")
    except Exception as error:  # counted among the errors and printed: a bug must not end a run of hours
        return _without(subject, method, f"{BUG}{type(error).__name__}: {error}")


def run_here(subject: Subject, method: str) -> CaseResult:
    """Run a method in this process; what is loaded on first use is loaded before the clock starts."""
    with suppress(CoregError):
        register(subject.case, method="rigid")
    try:
        result, cost = measured(METHODS[method].run, subject.case, subject.truth)
    except CoregError as error:
        return _without(subject, method, str(error))
    marks = landmark_errors(result.path, subject.case.landmarks)
    return CaseResult(
        *_key(subject, method),
        verdict=result.verdict,
        seconds=cost.seconds,
        memory_gb=cost.memory_gb,
        landmark_id=tuple(mark.id for mark in marks),
        landmarks=_landmark_columns(marks),
        frames=_frame_columns(frame_errors(result.path, subject.truth), result.path),
    )


def _key(subject: Subject, method: str) -> tuple[str, str, str, str, str]:
    return subject.case.id, subject.patient, subject.level, subject.modality, method


def _without(subject: Subject, method: str, error: str) -> CaseResult:
    return CaseResult(*_key(subject, method), verdict="error", error=error)


def _landmark_columns(marks: tuple[LandmarkError, ...]) -> Columns:
    return {name: np.array([getattr(mark, name) for mark in marks]) for name in LANDMARK_COLUMNS}


def _frame_columns(errors: FrameErrors, path: VirtualCatheterPath) -> Columns:
    at = [int(np.flatnonzero(path.frame == frame)[0]) for frame in errors.frame]
    spread = {"arc_length_sd_mm": _spread(path, "arc_length_sd_mm")[at]}
    spread["rotation_sd_deg"] = np.degrees(_spread(path, "rotation_sd_rad"))[at]
    return {
        name: spread[name] if name in spread else np.asarray(getattr(errors, name), dtype=np.float64)
        for name in FRAME_COLUMNS
    }


def _spread(path: VirtualCatheterPath, name: str) -> np.ndarray:
    """Standard deviations (N,) of a path; NaN where the path tells none."""
    values = getattr(path, name, None)
    return np.full(len(path), np.nan) if values is None else np.asarray(values, dtype=np.float64)
