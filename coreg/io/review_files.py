"""The files of a review: what the reviewer's tool writes into a result folder, and what survives a crash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from coreg.errors import InputError
from coreg.io.case_model import ID_RULE
from coreg.io.files import is_folder, is_there, unusable
from coreg.io.json_fields import USE, Fields, case_id_of, parsed_json, plain_json, write_json
from coreg.io.landmark_files import ID_PATTERN, write_reviewed_landmarks
from coreg.io.registration_json import read_registration, registration_content, registration_from
from coreg.io.result_folder import AUTOSAVE, OWNER_FILES
from coreg.landmarks import KINDS, Landmark
from coreg.result import Registration
from coreg.review import DECISIONS, ORIGINS, STATES, Event, Review, ReviewedLandmark, SignOff

SCHEMA_VERSION = 1
REVIEW = "review.json"
LANDMARKS = "landmarks_reviewed.csv"
REGISTRATION = "registration_reviewed.json"
# Lowest and highest of a landmark's numbers, as in its table; an angle of any turn is one.
RANGES: dict[str, tuple[float, float]] = {
    "frame": (0.0, 1e9),
    "angle_rad": (-100.0, 100.0),
    "radius_mm": (0.0, 30.0),
    "sd_frames": (0.0, 1e6),
    "sd_rad": (0.0, 1e6),
}
_FARTHEST_MM = 1e5


@dataclass(frozen=True, eq=False)
class Autosave:
    """Work that was not saved when the program ended.

    Attributes
    ----------
    review : Review
        As it was.
    registration : Registration or None
        As it was changed; None where there was none.
    time : str
        When it was written (ISO 8601, UTC).
    """

    review: Review
    registration: Registration | None
    time: str


def save_review(folder: Path, review: Review, registration: Registration | None) -> None:
    """Write the three files of a review into a result folder, each whole or not at all.

    review.json comes last, so that what it tells of is there; it alone is read back.

    Parameters
    ----------
    folder : Path
        Made where it is missing.
    review : Review
        What was done.
    registration : Registration or None
        As the reader left it; of None nothing is written, and what is there stays.

    Raises
    ------
    InputError
        If the folder holds a result or a review of another case, or cannot be written.
    """
    _check_owner(folder, review.case_id)
    with _writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if registration is not None:
            content = registration_content(registration, case_id=review.case_id)
            write_json(folder / REGISTRATION, _utf8(content))
        landmarks = [replace(each, reviewer=_utf8(each.reviewer)) for each in review.landmarks]
        write_reviewed_landmarks(folder / LANDMARKS, landmarks)
        write_json(folder / REVIEW, _utf8(review_content(review)))


def read_review(folder: Path, *, case_id: str | None = None) -> Review | None:
    """Read the review of a result folder, or a review.json itself; None where there is none.

    Raises
    ------
    InputError
        If it is broken, of another schema version, or not of case ``case_id``.
    """
    path = folder if folder.suffix == ".json" and not is_folder(folder) else folder / REVIEW
    if not is_there(path):
        return None
    return review_from(path, parsed_json(path), case_id=case_id)


def read_reviewed_registration(folder: Path, *, case_id: str | None = None) -> Registration | None:
    """Read the registration that a reader left in a result folder; None where there is none.

    Raises
    ------
    InputError
        If it is broken, of another schema version, or not of case ``case_id``.
    """
    path = folder / REGISTRATION
    if not is_there(path):
        return None
    registration = read_registration(path)
    found = case_id_of(path)
    if case_id is not None and found != case_id:
        raise unusable(path, "case_id", found=repr(found), expected=case_id)
    return registration


def autosave_path(folder: Path) -> Path:
    """Return where unsaved work on a result folder is kept."""
    return folder / AUTOSAVE


def autosave_path_of_case(state_folder: Path, case_id: str, case_path: Path) -> Path:
    """Return where unsaved work on a case is kept while it has no result folder.

    Parameters
    ----------
    state_folder : Path
        The user's folder for such files.
    case_id : str
        Names the file, for people.
    case_path : Path
        Of its case.toml; cases of the same id in other places have files of their own.
    """
    place = hashlib.sha256(str(case_path.resolve()).encode()).hexdigest()[:16]
    return state_folder / f"{case_id}-{place}{AUTOSAVE}"


def save_autosave(path: Path, review: Review, registration: Registration | None) -> None:
    """Keep unsaved work in one file, whole or not at all.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    content = {
        "schema_version": SCHEMA_VERSION,
        "use": USE,
        "case_id": review.case_id,
        "review": review_content(review),
        "registration": registration and registration_content(registration, case_id=review.case_id),
    }
    with _writable(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, _utf8(content))


def read_autosave(path: Path, *, case_id: str | None = None) -> Autosave | None:
    """Read work that was not saved; None where there is none.

    Raises
    ------
    InputError
        If it is broken, of another schema version, or not of case ``case_id``.
    """
    if not is_there(path):
        return None
    fields = Fields(path, "", parsed_json(path))
    fields.check_schema(SCHEMA_VERSION)
    review = review_from(path, fields.mapping("review"), case_id=case_id, place="review.")
    registration = None
    if fields.value("registration") is not None:
        registration = registration_from(path, fields.mapping("registration"), place="registration.")
    time = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return Autosave(review, registration, time.isoformat(timespec="seconds"))


def remove_autosave(path: Path) -> None:
    """Remove what was kept, once it is saved or given up.

    Raises
    ------
    InputError
        If it cannot be removed.
    """
    with _writable(path.parent):
        path.unlink(missing_ok=True)


def set_autosave_aside(path: Path) -> Path:
    """Give unsaved work that cannot be read another name, so that newer work does not take its place.

    Raises
    ------
    InputError
        If it cannot be renamed.
    """
    names = (path.with_name(f"{path.name}.unread-{i}") for i in range(1, 10_000))
    aside = next(each for each in names if not is_there(each))
    with _writable(path.parent):
        path.rename(aside)
    return aside


def saved_by_another(folder: Path, review: Review) -> bool:
    """Tell whether a folder holds a review with events that a review to be saved does not go on from.

    Nothing is ever taken out of an audit trail, so that it then was written by somebody else meanwhile.
    One that cannot be read is somebody else's, too.
    """
    try:
        there = read_review(folder)
    except InputError:
        return True
    return there is not None and review.events[: len(there.events)] != there.events


def review_content(review: Review) -> dict[str, Any]:
    """Return what review.json holds."""
    return {
        "schema_version": SCHEMA_VERSION,
        "use": USE,
        "case_id": review.case_id,
        "sign_off": review.sign_off,
        "comment": review.comment,
        "command": review.command,
        "landmarks": [_landmark_content(each) for each in review.landmarks],
        "events": review.events,
    }


def review_from(
    path: Path, content: Mapping[str, Any], *, case_id: str | None = None, place: str = ""
) -> Review:
    """Rebuild a review from what review.json holds.

    Parameters
    ----------
    path : Path
        Where it was read, for messages.
    content : mapping
        As `review_content` gives it, through JSON.
    case_id : str, optional
        Whose it has to be.
    place : str
        Where in the file it was, for messages, such as ``review.``.

    Raises
    ------
    InputError
        If it is broken, of another schema version, or not of case ``case_id``.
    """
    fields = Fields(path, place, content)
    fields.check_schema(SCHEMA_VERSION)
    if case_id is not None and fields.value("case_id") != case_id:
        raise fields.bad(name="case_id", expected=case_id)
    return Review(
        case_id=fields.text("case_id"),
        landmarks=_read_landmarks(fields),
        events=tuple(
            Event(*map(each.text, ("time", "reviewer", "action", "detail"))) for each in fields.each("events")
        ),
        sign_off=sign_off_of(fields),
        comment=fields.text("comment"),
        command=fields.text("command"),
    )


def review_fields(path: Path) -> Fields:
    """Return the fields of a review.json, of which a list needs only some.

    Raises
    ------
    InputError
        If it is broken or of another schema version.
    """
    fields = Fields(path, "", parsed_json(path))
    fields.check_schema(SCHEMA_VERSION)
    return fields


def sign_off_of(fields: Fields) -> SignOff | None:
    """Return the decision among the fields of a review.json; None where there is none yet."""
    if fields.value("sign_off") is None:
        return None
    inner = fields.inner("sign_off")
    return SignOff(
        inner.one_of("decision", DECISIONS), inner.text("reviewer"), inner.text("time"), inner.text("comment")
    )


def _landmark_content(reviewed: ReviewedLandmark) -> dict[str, Any]:
    """All of a landmark, exactly: the table rounds, and other programs may save it differently."""
    landmark = reviewed.landmark
    return {
        "id": landmark.id,
        "state": reviewed.state,
        "origin": reviewed.origin,
        "reviewer": reviewed.reviewer,
        "time": reviewed.time,
        "kind": landmark.kind,
        "frame": landmark.frame,
        "angle_rad": landmark.angle_rad,
        "world_mm": landmark.world_mm,
        "radius_mm": landmark.radius_mm,
        "sd_frames": landmark.sd_frames,
        "sd_rad": landmark.sd_rad,
        "locked": landmark.locked,
    }


def _read_landmark(fields: Fields) -> ReviewedLandmark:
    numbers = {name: _number(fields, name) for name in RANGES}
    world = None if fields.value("world_mm") is None else _array(fields, "world_mm")
    # What is not a number is not within anything.
    if world is not None and not (world.shape == (3,) and (np.abs(world) <= _FARTHEST_MM).all()):
        expected = f"three numbers within {_FARTHEST_MM:g} mm of the scanner's centre, or null"
        raise fields.bad(name="world_mm", expected=expected)
    landmark = Landmark(
        fields.text("id"),
        fields.one_of("kind", KINDS),
        world_mm=world,
        locked=fields.value("locked") is True,
        **numbers,
    )
    return ReviewedLandmark(
        landmark,
        fields.one_of("state", STATES),
        fields.one_of("origin", ORIGINS),
        fields.text("reviewer"),
        fields.text("time"),
    )


def _number(fields: Fields, name: str) -> float | None:
    low, high = RANGES[name]
    expected = f"a number from {low:g} to {high:g}, or null"
    try:
        number = fields.finite_or_none(name)
    except OverflowError as error:
        raise fields.bad(name, expected) from error
    if number is not None and not low <= number <= high:
        raise fields.bad(name, expected)
    return number


def _array(fields: Fields, name: str) -> npt.NDArray[np.float64]:
    try:
        return fields.array(name)
    except OverflowError as error:
        raise fields.bad(name, "numbers") from error


def _utf8(value: Any) -> Any:
    """Take what a file can hold: texts from elsewhere may have halves of characters, which UTF-8 has not."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, Mapping):
        return {_utf8(str(key)): _utf8(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_utf8(each) for each in value]
    plain = plain_json(value)
    return _utf8(plain) if isinstance(plain, (str, dict, list)) else plain


def _read_landmarks(fields: Fields) -> tuple[ReviewedLandmark, ...]:
    landmarks: dict[str, ReviewedLandmark] = {}
    for each in fields.each("landmarks"):
        name = each.text("id")
        if not ID_PATTERN.fullmatch(name):
            raise each.bad(name="id", expected=ID_RULE)
        if name in landmarks:
            raise each.bad(name="id", expected="each id once")
        landmarks[name] = _read_landmark(each)
    return tuple(landmarks.values())


def _check_owner(folder: Path, case_id: str) -> None:
    """Refuse to lay a review beside the result of another case."""
    owners = ((name, case_id_of(folder / name)) for name in (*OWNER_FILES, REVIEW))
    for name, owner in owners:
        if owner is not None and owner != case_id:
            raise unusable(folder / name, "case_id", found=repr(owner), expected=case_id)


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        found = error.strerror or error
        raise unusable(folder, "", found=found, expected="a folder that can be written") from error
