"""A case with what was found in its images: outlines, and the frames of one phase of the heart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from coreg.case import Case
from coreg.ccta_vessel import CctaVessel
from coreg.centerline import VesselTree
from coreg.pullback import Pullback
from coreg.pullback_vessel import Gating, PullbackVessel
from coreg.surface import Surface

# How far into the mouth of a side branch readers draw a lumen.
BULGE_MM = 1.0
NOT_GATED = "not in the gated phase"


def with_ccta_vessel(case: Case, vessel: CctaVessel, lumen: Surface) -> Case:
    """Give a case the vessel that was found in its CCTA.

    Parameters
    ----------
    case : Case
        Without a lumen of the CCTA.
    vessel : CctaVessel
        Its centerline and side branches become those of the case.
    lumen : Surface
        Of the vessel and its side branches.
    """
    # The vessel runs from click to click already.
    return replace(
        case,
        lumen=lumen,
        tree=VesselTree((vessel.centerline,)),
        ostium_mm=None,
        distal_mm=None,
        ccta_side_branches=vessel.side_branches,
    )


def with_pullback_vessel(case: Case, vessel: PullbackVessel) -> Case:
    """Give a case the outlines that were found in its pullback; the side branches only if it has none."""
    pullback = with_vessel(case.pullback, vessel)
    if vessel.gating is not None:
        pullback = gated_pullback(pullback, vessel.gating)
    branches = case.pullback_side_branches or vessel.side_branches
    return replace(case, pullback=pullback, pullback_side_branches=branches)


def with_vessel(pullback: Pullback, vessel: PullbackVessel) -> Pullback:
    """Give a pullback the outlines that were found in its images.

    Into the mouths of side branches the lumen goes no farther than readers draw it; frames that are
    not to be trusted have little say in the registration, or none.
    """
    lumen = vessel.outline_mm(np.minimum(vessel.lumen_mm, vessel.wall_mm + BULGE_MM))
    eem = {} if vessel.eem_mm is None else dict(enumerate(vessel.outline_mm(vessel.eem_mm)))
    return replace(
        pullback,
        lumen=dict(enumerate(lumen)),
        eem=eem,
        quality=dict(enumerate(vessel.quality.tolist())),
        field_of_view_mm=vessel.field_of_view_mm,
    )


def gated_pullback(pullback: Pullback, gating: Gating) -> Pullback:
    """Return a pullback in which only the gated frames have a say."""
    kept = set(gating.frame.tolist())
    others = {int(frame): NOT_GATED for frame in pullback.frame if int(frame) not in kept}
    return replace(pullback, acquisition="gated", excluded={**others, **pullback.excluded})
