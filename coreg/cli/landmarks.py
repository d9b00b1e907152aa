"""Landmarks on the command line: which guide, and what errors at them are worth."""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from coreg.cli.console import number, table

if TYPE_CHECKING:
    from coreg.case import Case
    from coreg.io.case_file import CaseFile
    from coreg.landmarks import Landmark
    from coreg.result import Registration
    from coreg.validation import LandmarkError

MEAN_ERRORS = ("error_frames", "error_mm", "error_deg")


class InForce(NamedTuple):
    """Landmarks to guide by and to measure at, and whether they are a reader's."""

    landmarks: tuple[Landmark, ...]
    reviewed: bool


def landmarks_in_force(case_file: CaseFile, result: Path) -> InForce:
    """Read the landmarks of a case.

    Once a reader has decided on any, they are those that were accepted or corrected; else the case's own.

    Raises
    ------
    InputError
        If the table of either cannot be used.
    """
    from coreg.io.files import is_there
    from coreg.io.landmark_files import read_landmarks, read_reviewed_landmarks
    from coreg.io.review_files import LANDMARKS
    from coreg.io.tables import has_rows

    reviewed = result / LANDMARKS
    if is_there(reviewed) and has_rows(reviewed):
        decided = [each for each in read_reviewed_landmarks(reviewed) if each.state != "proposed"]
        if decided:
            return InForce(tuple(each.landmark for each in decided if each.counts), reviewed=True)
    if case_file.landmarks is None:
        return InForce((), reviewed=False)
    return InForce(read_landmarks(case_file.resolved(case_file.landmarks.file)), reviewed=False)


def measure_result(
    folder: Path, registration: Registration, landmarks: Sequence[Landmark], *, keep_left_out: bool = True
) -> tuple[LandmarkError, ...]:
    """Measure a finished registration at landmarks, and write validation.csv if there are any.

    Parameters
    ----------
    folder : Path
        A result folder, or its registration.json.
    registration : Registration
        That is in it.
    landmarks : sequence of Landmark
        Pairs are measured.
    keep_left_out : bool
        Whether errors that were measured while landmarks were left out are still those of these landmarks.
    """
    from coreg.io.results import read_left_out, write_validation
    from coreg.io.work_list import VALIDATION
    from coreg.validation import landmark_errors

    errors = landmark_errors(registration.path, landmarks)
    if errors:
        table = (folder if folder.is_dir() else folder.parent) / VALIDATION
        left_out = read_left_out(table) if keep_left_out and table.exists() else ()
        write_validation(table, errors, guides=registration.guides, left_out=left_out)
    return errors


def locked_ids(given: str | None) -> tuple[str, ...]:
    """Read the ids of landmarks to lock off the command line; none where the option is not there.

    Raises
    ------
    BadParameter
        If there is no id in it, as where a shell's variable is empty.
    """
    ids = tuple(each.strip() for each in (given or "").split(",") if each.strip())
    if given is not None and not ids:
        msg = f"--lock-landmarks: found {given!r}, expected ids of landmarks, or all"
        raise typer.BadParameter(msg)
    return ids


def guiding_landmarks(case: Case, *, locked: Sequence[str], path: Path) -> tuple[Landmark, ...]:
    """Take the pairs of a case as guides.

    Parameters
    ----------
    case : Case
        As read.
    locked : sequence of str
        Ids of those that the result has to meet; ``all`` for all of them.
    path : Path
        Of the case, for messages.

    Raises
    ------
    InputError
        If no landmark has both halves.
    BadParameter
        If no pair has such an id.
    """
    paired = paired_landmarks(case, path)
    known = [each.id for each in paired]
    strange = [name for name in locked if name not in {*known, "all"}]
    if strange:
        msg = f"--lock-landmarks: found {strange[0]}, expected all or some of {', '.join(known)}"
        raise typer.BadParameter(msg)
    everyone = "all" in locked
    return tuple(dataclasses.replace(each, locked=everyone or each.id in locked) for each in paired)


def paired_landmarks(case: Case, path: Path) -> tuple[Landmark, ...]:
    """Take the landmarks of a case that have both halves.

    Raises
    ------
    InputError
        If none has.
    """
    from coreg.io.files import unusable

    paired = tuple(each for each in case.landmarks if each.paired)
    if not paired:
        expected = "at least one landmark with a frame and x_mm, y_mm, z_mm"
        raise unusable(path, "landmarks", found="no complete pair", expected=expected)
    return paired


def landmark_rows(
    errors: Sequence[LandmarkError],
    guides: Container[str],
    left_out: Sequence[LandmarkError],
    *,
    halves: Sequence[str] = (),
) -> list[tuple[str, str]]:
    """Name errors at landmarks by what they are worth, in rows of a headline.

    Parameters
    ----------
    errors : sequence of LandmarkError
        On the registration itself.
    guides : container of str
        Ids of those that guided it.
    left_out : sequence of LandmarkError
        Each on a path found without it.
    halves : sequence of str
        Ids of the case's landmarks that lack one half, so that they neither guide nor are measured.
    """
    from coreg.validation import unguided

    free = unguided(errors, guides)
    used = [each for each in errors if each.id in guides]
    # Of guides the verdict's reasons tell.
    rows = [("", f"- landmark {each.id}: {each.reason}") for each in free if each.reason]
    count = len(errors) + len(halves)
    lacking = f" of {count}; {lack_text(halves)}" if halves else ""
    if free:
        rows.append(
            (f"landmarks ({len(free)}{'' if used else lacking})", f"{mean_errors(free)}, mean absolute error")
        )
    if used:
        rows.append((f"guides ({len(used)}{lacking})", f"{mean_errors(used)}, fit residual, not accuracy"))
    if left_out:
        name = f"left out ({len(left_out)})"
        rows.append((name, f"{mean_errors(left_out)}, each without it and its branch"))
    return rows


def half_ids(landmarks: Sequence[Landmark]) -> tuple[str, ...]:
    """Ids of landmarks that lack one half."""
    return tuple(each.id for each in landmarks if not each.paired)


def lack_text(halves: Sequence[str], *, most: int = 4) -> str:
    """Say which landmarks lack one half.

    >>> lack_text(["B2", "B4"]), lack_text(["B2"])
    ('B2 and B4 lack one half', 'B2 lacks one half')
    """
    if len(halves) == 1:
        return f"{halves[0]} lacks one half"
    named = halves if len(halves) <= most else [*halves[: most - 1], f"{len(halves) - most + 1} more"]
    return f"{', '.join(named[:-1])} and {named[-1]} lack one half"


def mean_errors(errors: Sequence[Any]) -> str:
    """Write mean absolute errors in frames, mm and degrees."""
    frames, mm, degrees = (mean_absolute(errors, name) for name in MEAN_ERRORS)
    return f"{number(frames, 1)} frames, {number(mm)} mm, {number(degrees, 1)} degrees"


def mean_absolute(errors: Sequence[Any], name: str) -> float:
    """Mean absolute value of a field over errors, leaving out what could not be measured."""
    import numpy as np

    values = np.concatenate([np.atleast_1d(getattr(each, name)) for each in errors])
    known = np.abs(values[np.isfinite(values)])
    return float(known.mean()) if len(known) else float("nan")


def errors_data(errors: Sequence[LandmarkError]) -> dict[str, Any]:
    """Put landmark errors into a form for machines."""
    return mean_data(errors) | {"errors": [dataclasses.asdict(each) for each in errors]}


def mean_data(errors: Sequence[Any]) -> dict[str, Any]:
    """Mean absolute errors for machines."""
    return {f"mean_absolute_{name}": mean_absolute(errors, name) for name in MEAN_ERRORS}


def error_table(errors: Sequence[LandmarkError]) -> str:
    """Write landmark errors as aligned text, found minus expected."""
    header = ("landmark", "kind", "expected", "found", "frames", "mm", "degrees", "tangential mm", "3-D mm")
    rows = [
        (
            each.id,
            each.kind,
            number(each.frame_expected, 1),
            number(each.frame_found, 1),
            number(each.error_frames, 1, signed=True),
            number(each.error_mm, signed=True),
            number(each.error_deg, 1, signed=True),
            number(each.error_tangential_mm, signed=True),
            number(each.error_3d_mm),
        )
        for each in errors
    ]
    return table(header, rows)
