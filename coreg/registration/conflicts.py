"""Guides that a registration does not meet: told by name, with what speaks against them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from coreg.landmarks import Landmark
from coreg.registration.guides import Guide
from coreg.result import Registration
from coreg.validation import LandmarkError, landmark_errors

OFF_SD = 3.0
OFF_MM = 1.5
OFF_DEG = 25.0
MOST_NAMED = 3


def with_conflicts(
    registration: Registration, landmarks: Sequence[Landmark], guides: Sequence[Guide]
) -> Registration:
    """Ask for review where landmarks that were to guide a registration disagree with it.

    Parameters
    ----------
    registration : Registration
        As guided.
    landmarks : sequence of Landmark
        Those that were given as guides.
    guides : sequence of Guide
        What became of them: those whose frame the pullback has.

    Returns
    -------
    Registration
        The same; a guide that is off by more than 3 of its own standard deviations, and by more than
        1.5 mm or 25 degrees, gives a reason, and a verdict of good becomes one of review.
    """
    own = {each.id: each for each in guides}
    frames = f"{registration.path.frame.min()} to {registration.path.frame.max()}"
    errors = landmark_errors(registration.path, [each for each in landmarks if each.id in own])
    off = [each for each in errors if _far_along(each, own[each.id]) or _far_around(each, own[each.id])]
    reasons = [
        *(f"Landmark {each.id} cannot guide: its frame {each.frame:g} is not in the pullback, which has "
          f"{frames}." for each in landmarks if each.paired and each.id not in own),
        *(_reason(each, own[each.id], registration, [e for e in errors if e not in off]) for each in off),
    ]  # fmt: skip
    if not reasons:
        return registration
    verdict = "review" if registration.verdict == "good" else registration.verdict
    # First: it is what the reader gave, and the rest may follow from it.
    return replace(registration, verdict=verdict, reasons=(*reasons, *registration.reasons))


def _far_along(error: LandmarkError, guide: Guide) -> bool:
    """Whether a guide is off along the vessel; so is one that no frame's plane comes near."""
    return not abs(error.error_mm) <= max(OFF_MM, OFF_SD * guide.place_sd_mm)


def _far_around(error: LandmarkError, guide: Guide) -> bool:
    return abs(error.error_deg) > max(OFF_DEG, OFF_SD * float(np.degrees(guide.turn_sd_rad)))


def _reason(
    error: LandmarkError, guide: Guide, registration: Registration, agreeing: Sequence[LandmarkError]
) -> str:
    against = _evidence(error, registration, agreeing)
    locked = "locked landmark" if guide.locked else "landmark"
    return f"The {locked} {error.id} does not fit: {_how_far(error, guide)}. {against}; check the pair."


def _how_far(error: LandmarkError, guide: Guide) -> str:
    parts = []
    if not np.isfinite(error.error_mm):
        parts.append(error.reason)
    elif _far_along(error, guide):
        way = "proximal" if error.error_mm > 0.0 else "distal"
        parts.append(
            f"its point in the CCTA lies {abs(error.error_mm):.1f} mm further {way} than frame "
            f"{round(error.frame_expected, 1):g}, in which it was annotated"
        )
    if _far_around(error, guide):
        parts.append(f"its direction differs by {abs(error.error_deg):.0f} degrees")
    return " and ".join(parts)


def _evidence(error: LandmarkError, registration: Registration, agreeing: Sequence[LandmarkError]) -> str:
    """Say what put the frame where it is."""
    path = registration.path
    row = path.rows_of(np.array([error.frame_expected]))[0]
    nearest = sorted(agreeing, key=lambda each: abs(each.frame_expected - error.frame_expected))[:MOST_NAMED]
    against = ["the lumens around it"] if path.reliable[round(float(row))] else []
    if nearest:
        names = ", ".join(each.id for each in nearest)
        against.append(f"the landmark{'s' if len(nearest) > 1 else ''} {names}")
    if not against:
        return "Only the pullback's usual motion speaks against it"
    verb = "speaks" if len(against) == 1 and len(nearest) == 1 else "speak"
    text = " and ".join(against)
    return f"{text[0].upper()}{text[1:]} {verb} against it"
