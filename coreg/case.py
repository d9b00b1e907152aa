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
class CctaCase:
    """The CCTA of one artery, before anything is known of a pullback.

    Attributes
    ----------
    id : str
        Names the case in files and reports.
    image : Volume or None
        HU.
    lumen : Volume or Surface or None
        What the user outlined: a label image (non-zero inside) or a closed surface.
    tree : VesselTree or None
        Centerlines as read.
    ostium_mm, distal_mm : (3,) arrays or None
        Clicks in LPS mm as given. Where there is no lumen, the ends of the centerline stand in for
        clicks that are not given.
    side_branches : tuple of SideBranch
        As read.
    notes : tuple of str
        What a person should know of how the image was read.
    patient, vessel : str or None
        Groups in statistics.
    """

    id: str
    image: Volume | None = None
    lumen: Volume | Surface | None = None
    tree: VesselTree | None = None
    ostium_mm: FloatArray | None = None
    distal_mm: FloatArray | None = None
    side_branches: tuple[SideBranch, ...] = ()
    notes: tuple[str, ...] = ()
    patient: str | None = None
    vessel: str | None = None


@dataclass(frozen=True, eq=False)
class Case:
    """One pullback and the CCTA of the same artery.

    Attributes
    ----------
    id : str
        Names the case in files and reports.
    lumen : Volume or Surface or None
        CCTA lumen: a label image (non-zero inside) or a closed surface; None where it is still to be
        segmented from the image.
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
    image : Volume or None
        CCTA in HU; as read where the lumen is to be segmented.
    ccta_notes : tuple of str
        What a person should know of how the image was read.
    """

    id: str
    lumen: Volume | Surface | None
    pullback: Pullback
    tree: VesselTree | None = None
    ostium_mm: FloatArray | None = None
    distal_mm: FloatArray | None = None
    landmarks: tuple[Landmark, ...] = ()
    ccta_side_branches: tuple[SideBranch, ...] = ()
    pullback_side_branches: tuple[SideBranch, ...] = ()
    patient: str | None = None
    vessel: str | None = None
    image: Volume | None = None
    ccta_notes: tuple[str, ...] = ()

    @property
    def known_lumen(self) -> Volume | Surface:
        """The lumen of a case that has one.

        Raises
        ------
        ValueError
            If it is still to be segmented.
        """
        if self.lumen is None:
            msg = f"case {self.id} has no lumen yet; segment its CCTA first"
            raise ValueError(msg)
        return self.lumen

    @property
    def ccta(self) -> CctaCase:
        """What is known of the CCTA alone."""
        return CctaCase(
            self.id,
            self.image,
            self.lumen,
            self.tree,
            self.ostium_mm,
            self.distal_mm,
            self.ccta_side_branches,
            self.ccta_notes,
            self.patient,
            self.vessel,
        )
