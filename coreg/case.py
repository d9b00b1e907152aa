"""A case: what is known of one artery in both modalities, in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coreg.centerline import VesselTree
from coreg.landmarks import Landmark, SideBranch
from coreg.pullback import Pullback
from coreg.surface import Surface
from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Case:
    """One pullback and the CCTA of the same artery.

    Attributes
    ----------
    id : str
        Names the case in files and reports.
    lumen : Volume or Surface
        CCTA lumen: a label image (non-zero inside) or a closed surface.
    pullback : Pullback
        Frames, positions and contours.
    tree : VesselTree or None
        Centerlines as read; None where they are to come from the lumen label.
    ostium_mm, distal_mm : (3,) arrays or None
        Rough clicks in LPS mm.
    landmarks : tuple of Landmark
        For validation.
    ccta_side_branches, pullback_side_branches : tuple of SideBranch
        As read.
    patient, vessel : str or None
        Groups in statistics.
    """

    id: str
    lumen: Volume | Surface
    pullback: Pullback
    tree: VesselTree | None = None
    ostium_mm: FloatArray | None = None
    distal_mm: FloatArray | None = None
    landmarks: tuple[Landmark, ...] = ()
    ccta_side_branches: tuple[SideBranch, ...] = ()
    pullback_side_branches: tuple[SideBranch, ...] = ()
    patient: str | None = None
    vessel: str | None = None
