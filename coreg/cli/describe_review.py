"""What a registration is and what a reader made of it: for ``coreg info``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coreg.cli.describe import Described
from coreg.errors import InputError
from coreg.io.json_fields import case_id_of, parsed_json
from coreg.io.landmark_files import read_reviewed_landmarks
from coreg.io.registration_json import FILE_NAME, read_registration
from coreg.io.review_files import REGISTRATION, REVIEW, read_review, review_from
from coreg.io.tables import has_rows
from coreg.review import STATES, Review, ReviewedLandmark, SignOff

RESEARCH = "(for research use only)"


def described_result(folder: Path) -> Described:
    """Tell what a result folder holds: the registration, and what a reader made of it.

    Raises
    ------
    InputError
        If a file of it is broken.
    """
    found = [name for name in (FILE_NAME, REGISTRATION) if (folder / name).is_file()]
    if not found:
        return described_review(folder / REVIEW)
    told = described_registration(folder / found[0])
    facts, data = dict(told.facts), dict(told.data)
    if REGISTRATION in found[1:]:
        facts["placement of the reader"] = f"in {REGISTRATION}"
    review = read_review(folder)
    if review is not None:
        facts |= _review_facts(review)
        data["review"] = _review_data(review)
    return Described(told.kind, "", facts, data)


def described_registration(path: Path) -> Described:
    """Tell what a registration.json is, or the registration_reviewed.json that a reader left.

    Raises
    ------
    InputError
        If it is broken.
    """
    registration, reviewed = read_registration(path), path.name == REGISTRATION
    placed, made = registration.path, registration.provenance
    reliable = int((placed.posed & placed.reliable).sum())
    facts = {"case": case_id_of(path) or "?", "verdict": registration.verdict}
    facts |= {f"reason {i + 1}": reason for i, reason in enumerate(registration.reasons)}
    facts |= {
        "frames": f"{len(placed)}, {int(placed.posed.sum())} placed, {reliable} reliable",
        "radius scale": f"{registration.radius_scale:.3f} (CCTA over pullback)",
        "margin": f"{100.0 * registration.margin:.1f} %",
        "hypotheses": str(len(registration.hypotheses)),
        "made by": f"coreg {made.get('coreg', '?')} on {made.get('device', '?')}",
    }
    data: dict[str, Any] = {
        "case_id": case_id_of(path),
        "verdict": registration.verdict,
        "reasons": registration.reasons,
        "frames": len(placed),
        "placed": int(placed.posed.sum()),
        "reliable": reliable,
        "radius_scale": registration.radius_scale,
        "margin": registration.margin,
        "settings": registration.settings,
        "provenance": made,
    }
    if not reviewed:
        return Described(f"a registration {RESEARCH}", "", facts, data)
    beside = _beside(path)
    return Described(
        f"a registration as a reader left it {RESEARCH}", "", facts | beside[0], data | beside[1]
    )


def described_review(path: Path) -> Described:
    """Tell what a review.json says: of which case, who decided what, and what became of the landmarks.

    Raises
    ------
    InputError
        If it is broken.
    """
    review = review_from(path, parsed_json(path))
    facts = {"case": review.case_id, **_review_facts(review)}
    data = {"case_id": review.case_id, **_review_data(review)}
    return Described(f"a review of a registration {RESEARCH}", "", facts, data)


def described_reviewed_landmarks(path: Path) -> Described:
    """Tell what became of the landmarks of a landmarks_reviewed.csv, which may have none.

    Raises
    ------
    InputError
        If it is broken.
    """
    landmarks = read_reviewed_landmarks(path) if has_rows(path) else ()
    counted = sum(each.counts for each in landmarks)
    facts = {
        "landmarks": _counts_text(landmarks),
        "count as truth": f"{counted}: accepted or corrected, in both modalities",
    }
    readers = sorted({each.reviewer for each in landmarks if each.reviewer})
    if readers:
        facts["changed by"] = ", ".join(readers)
    data = {**_counts(landmarks), "counted": counted, "readers": readers}
    beside = _beside(path)
    role = "landmarks.file" if counted else ""
    return Described("landmarks that a reader looked at", role, beside[0] | facts, beside[1] | data)


def _beside(path: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """Case and decision by the review.json in the same folder, where it can be read."""
    try:
        review = read_review(path.parent)
    except InputError:
        review = None
    if review is None:
        return {}, {}
    told = {"case": review.case_id, "signed off": _decision_text(review.sign_off)}
    return told, {"case_id": review.case_id, "sign_off": _decision(review.sign_off)}


def _review_facts(review: Review) -> dict[str, str]:
    facts = {"signed off": _decision_text(review.sign_off), "landmarks": _counts_text(review.landmarks)}
    if review.comment:
        facts["comment"] = review.comment
    if review.events:
        last = review.events[-1]
        facts["audit trail"] = f"{len(review.events)} entries, the last of {last.time}: {last.action}"
    return facts | ({"repeat with": review.command} if review.command else {})


def _review_data(review: Review) -> dict[str, Any]:
    return {
        "sign_off": _decision(review.sign_off),
        "comment": review.comment,
        "events": len(review.events),
        "command": review.command,
        **_counts(review.landmarks),
    }


def _decision_text(sign_off: SignOff | None) -> str:
    if sign_off is None:
        return "not yet"
    comment = f": {sign_off.comment}" if sign_off.comment else ""
    return f"{sign_off.decision} by {sign_off.reviewer}, {sign_off.time}{comment}"


def _decision(sign_off: SignOff | None) -> dict[str, str] | None:
    return None if sign_off is None else dict(vars(sign_off))


def _counts(landmarks: Sequence[ReviewedLandmark]) -> dict[str, Any]:
    states = Counter(each.state for each in landmarks)
    return {"landmarks": len(landmarks), "states": {state: states[state] for state in STATES}}


def _counts_text(landmarks: Sequence[ReviewedLandmark]) -> str:
    states = Counter(each.state for each in landmarks)
    said = ", ".join(f"{states[state]} {state}" for state in STATES if states[state])
    return f"{len(landmarks)}: {said}" if said else "0"
