"""A case: what is known of one artery in both modalities, in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coreg.centerline import Centerline, VesselTree
from coreg.landmarks import Landmark, SideBranch
from coreg.pullback import Pullback
from coreg.pullback_images import PullbackImages
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
        Rough clicks in LPS mm.
    side_branches : tuple of SideBranch
        As read.
    notes : tuple of str
        What a person should know of how the image was read.
    patient, vessel : str or None
        Groups in statistics.
    ccta_phase_percent : float or None
        Phase of the heart that the image shows, in per cent of the RR interval.
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
    ccta_phase_percent: float | None = None

    @property
    def known_image(self) -> Volume:
        """The image of a CCTA that has one.

        Raises
        ------
        ValueError
            If there is none.
        """
        if self.image is None:
            msg = f"case {self.id} has no CCTA image"
            raise ValueError(msg)
        return self.image

    @property
    def grid(self) -> Volume:
        """The grid that labels are written on: the image's, else the lumen label's.

        Raises
        ------
        ValueError
            If there is neither.
        """
        if self.image is None and isinstance(self.lumen, Volume):
            return self.lumen
        return self.known_image

    @property
    def mouth_mm(self) -> FloatArray:
        """The ostium's click, else the centerline's first point.

        Raises
        ------
        ValueError
            If there is neither.
        """
        if self.ostium_mm is not None:
            return self.ostium_mm
        return self._line().points_at(np.array(0.0))

    @property
    def ends_mm(self) -> tuple[FloatArray, FloatArray]:
        """Ostium and distal click, the centerline's ends standing in for what is not given.

        Raises
        ------
        ValueError
            If a click and the centerline are missing.
        """
        distal = self._line().points_mm[-1] if self.distal_mm is None else self.distal_mm
        return self.mouth_mm, distal

    def _line(self) -> Centerline:
        if self.tree is None:
            msg = f"case {self.id} has neither both clicks nor a centerline"
            raise ValueError(msg)
        return self.tree.vessel(self.ostium_mm, self.distal_mm)


@dataclass(frozen=True, eq=False)
class PullbackCase:
    """The pullback of one artery, before anything is known of a CCTA.

    Attributes
    ----------
    id : str
        Names the case in files and reports.
    pullback : Pullback
        Frames and positions, and the contours that the user gave; without any where the images are
        still to be segmented.
    images : PullbackImages or None
        As read.
    side_branches : tuple of SideBranch
        As read.
    patient, vessel : str or None
        Groups in statistics.
    """

    id: str
    pullback: Pullback
    images: PullbackImages | None = None
    side_branches: tuple[SideBranch, ...] = ()
    patient: str | None = None
    vessel: str | None = None

    @property
    def known_images(self) -> PullbackImages:
        """The images of a pullback that has them.

        Raises
        ------
        ValueError
            If there are none.
        """
        if self.images is None:
            msg = f"case {self.id} has no pullback images"
            raise ValueError(msg)
        return self.images


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
        Frames, positions and contours; without contours where the images are still to be segmented.
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
    pullback_images : PullbackImages or None
        As read where the pullback is to be segmented.
    ccta_phase_percent : float or None
        Phase of the heart that the image shows, in per cent of the RR interval.
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
    pullback_images: PullbackImages | None = None
    ccta_phase_percent: float | None = None

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
            self.ccta_phase_percent,
        )

    @property
    def pullback_case(self) -> PullbackCase:
        """What is known of the pullback alone."""
        return PullbackCase(
            self.id,
            self.pullback,
            self.pullback_images,
            self.pullback_side_branches,
            self.patient,
            self.vessel,
        )
