"""What an automatic segmentation of CCTA or pullback means for the trust in a registration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from coreg.catheter_path import VirtualCatheterPath
from coreg.ccta_vessel import CctaVessel
from coreg.pullback import Pullback
from coreg.pullback_measures import gated_frames
from coreg.pullback_vessel import Gating, PullbackVessel, stretches_of
from coreg.result import Registration
from coreg.stretches import frames_text, lengths_text, longest, more_text

BoolArray = npt.NDArray[np.bool_]

MOST_MARKED = 0.1
MOST_NAMED = 3
# Per cent of the RR interval that are surely ejection and its end, or surely rest before the next beat.
SYSTOLE_PERCENT, DIASTOLE_PERCENT = (20.0, 50.0), (60.0, 90.0)


def doubted(registration: Registration, vessel: CctaVessel) -> Registration:
    """Ask for review where much of the lumen that the pullback was matched with is marked.

    Parameters
    ----------
    registration : Registration
        Of a pullback with the lumen of ``vessel``.
    vessel : CctaVessel
        As segmented from the image.

    Returns
    -------
    Registration
        The same; where more than a tenth of the stretch under the placed frames is marked, a verdict
        of good becomes one of review, with a reason that names where.
    """
    covered = covered_points(vessel, registration.path)
    marked = vessel.marked & covered
    share = marked.sum() / max(1, covered.sum())
    if share <= MOST_MARKED:
        return registration
    stretches = _named(vessel, covered)
    reason = (
        f"The CCTA lumen was segmented automatically, and {share:.0%} of it along the pullback is not to be "
        f"trusted ({stretches}); look at its sections"
    )
    return _for_review(registration, reason)


def doubted_frames(registration: Registration, vessel: PullbackVessel) -> Registration:
    """Take frames whose lumen is not to be trusted for not reliable; ask for review where they are many.

    Parameters
    ----------
    registration : Registration
        Of a pullback with the outlines of ``vessel``.
    vessel : PullbackVessel
        As segmented from the images.

    Returns
    -------
    Registration
        The same; marked frames that have a pose are not reliable, for the reason of the segmentation.
        Where they are more than a tenth of the placed frames that were to take part, a verdict of good
        becomes one of review, with a reason that names frames.
    """
    marked = {i: why for i, why in enumerate(vessel.reason) if why}
    taking_part = gated_frames(vessel)[registration.path.frame]
    origin = "The pullback was segmented automatically, and"
    return _with_marks(registration, marked, taking_part, origin)


def doubted_contours(registration: Registration, pullback: Pullback) -> Registration:
    """Likewise where the contours came with marks of an earlier segmentation.

    Parameters
    ----------
    registration : Registration
        Of ``pullback``.
    pullback : Pullback
        Of its frames those with a contour take part.
    """
    taking_part = np.isin(registration.path.frame, list(pullback.lumen))
    return _with_marks(registration, pullback.marked, taking_part, "The pullback's contours came with marks:")


def _with_marks(
    registration: Registration, marked: Mapping[int, str], taking_part: BoolArray, origin: str
) -> Registration:
    """Take marked frames for not reliable; ask for review where they are many of those that take part."""
    path = registration.path
    doubtful = np.isin(path.frame, list(marked)) & path.posed
    reason = tuple(
        _of_frame(marked[frame], before) if doubt else before
        for frame, doubt, before in zip(path.frame.tolist(), doubtful, path.reason, strict=True)
    )
    path = replace(path, reliable=path.reliable & ~doubtful, reason=reason)
    registration = replace(registration, path=path)
    taking_part = path.posed & taking_part
    share = (doubtful & taking_part).sum() / max(1, taking_part.sum())
    if share <= MOST_MARKED:
        return registration
    named = _named_frames(marked, path.frame[doubtful & taking_part])
    text = f"{origin} {share:.0%} of its placed frames are not to be trusted ({named}); look at them"
    return _for_review(registration, text)


def phase_note(ccta_phase_percent: float | None, gating: Gating | None) -> str:
    """Say that CCTA and pullback show different phases of the heart; empty where that is not known."""
    if ccta_phase_percent is None or gating is None:
        return ""
    shown = {"systole": SYSTOLE_PERCENT, "diastole": DIASTOLE_PERCENT}
    other = "systole" if gating.phase == "diastole" else "diastole"
    low, high = shown[other]
    if not low <= ccta_phase_percent <= high:
        return ""
    return (
        f"The CCTA shows {other} ({ccta_phase_percent:g} % of the beat), the gated frames {gating.phase} "
        f"(with a probability of {gating.probability:.0%}): lumens and bends may differ."
    )


def covered_points(vessel: CctaVessel, path: VirtualCatheterPath) -> BoolArray:
    """Points of the vessel's centerline, shape (N,), that lie along the placed frames."""
    found = path.arc_length_mm[path.posed]
    arc = vessel.centerline.arc_length_mm
    if not len(found):
        return np.zeros(len(arc), dtype=bool)
    return (arc >= found.min()) & (arc <= found.max())


def _named(vessel: CctaVessel, covered: BoolArray) -> str:
    arc = vessel.centerline.arc_length_mm[covered]
    inside = [each for each in vessel.marked_stretches if each[1] >= arc[0] and each[0] <= arc[-1]]
    named = sorted(longest(inside, MOST_NAMED))
    texts = [f"{lengths_text(start, end, digits=0)}: {reason}" for start, end, reason in named]
    return "; ".join(filter(None, [*texts, more_text(len(inside) - len(named))]))


def _for_review(registration: Registration, reason: str) -> Registration:
    verdict = "review" if registration.verdict == "good" else registration.verdict
    return replace(registration, verdict=verdict, reasons=(*registration.reasons, reason))


def _of_frame(doubt: str, before: str) -> str:
    """Reason of a frame whose lumen is doubted; what keeps it out altogether stays."""
    return before if before and not before.startswith("no contour") else f"lumen not to be trusted: {doubt}"


def _named_frames(marked: Mapping[int, str], frames: npt.NDArray[np.int64]) -> str:
    """Name the longest stretches of marked frames, of those given."""
    wanted = set(frames.tolist())
    stretches = stretches_of([marked.get(i, "") for i in range(max(marked) + 1)])
    inside = [each for each in stretches if wanted & set(range(each[0], each[1] + 1))]
    named = sorted(longest(inside, MOST_NAMED))
    texts = [f"{frames_text(first, last)}: {reason}" for first, last, reason in named]
    return "; ".join(filter(None, [*texts, more_text(len(inside) - len(named))]))
