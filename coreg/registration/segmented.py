"""What an automatic segmentation of the CCTA means for the trust in a registration."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from coreg.catheter_path import VirtualCatheterPath
from coreg.ccta_vessel import CctaVessel
from coreg.result import Registration

BoolArray = npt.NDArray[np.bool_]

MOST_MARKED = 0.1
MOST_NAMED = 3


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
    verdict = "review" if registration.verdict == "good" else registration.verdict
    return replace(registration, verdict=verdict, reasons=(*registration.reasons, reason))


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
    longest = sorted(inside, key=lambda each: each[0] - each[1])[:MOST_NAMED]
    texts = [f"{start:.0f} to {end:.0f} mm: {reason}" for start, end, reason in sorted(longest)]
    more = len(inside) - len(longest)
    return "; ".join(texts) + (f"; and {more} more stretches" if more else "")
