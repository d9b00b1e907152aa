"""What can be set in a registration, with the physics behind each default."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True)
class MotionPrior:
    """How a catheter is believed to move, as Gaussian processes over the withdrawal.

    The defaults are those of a motorized pullback through the heartbeat; `motion_of` has the others.

    Attributes
    ----------
    stretch_sd : float
        Relative error of the nominal pullback speed.
    slow_mm, slow_length_mm : float
        Standard deviation and length scale of slow speed variation.
    swing_mm, swing_length_mm : float
        The same of the heart's to and fro (1.5 +- 0.8 mm peak to peak, Arbab-Zadeh 1999, bunched in
        a third of the beat).
    drift_rad_per_mm : float
        Steady rotation of the image against the vessel.
    slow_rad, beat_rad : float
        Standard deviation of slow and of cardiac rotation, with the length scales above.
    offset_mm, offset_length_mm : float
        Of the lumen's centre between the two modalities across the vessel.
    """

    stretch_sd: float = 0.06
    slow_mm: float = 0.6
    slow_length_mm: float = 12.0
    swing_mm: float = 0.4
    swing_length_mm: float = 1.2
    drift_rad_per_mm: float = 0.03
    slow_rad: float = 0.25
    beat_rad: float = 0.07
    offset_mm: float = 0.25
    offset_length_mm: float = 4.0


def motion_of(acquisition: Literal["motorized", "gated", "manual"]) -> MotionPrior:
    """Return the prior of a kind of pullback.

    Gating takes most of the heart's swing out, and a gated or measured position is better than a
    nominal one. By hand, speeds vary by a third (Wahle 1998).
    """
    if acquisition == "gated":
        return replace(MotionPrior(), stretch_sd=0.04, slow_mm=0.3, swing_mm=0.15)
    if acquisition == "manual":
        return replace(MotionPrior(), stretch_sd=0.25, slow_mm=2.0)
    return MotionPrior()


@dataclass(frozen=True)
class SurfacePrior:
    """How far the lumen surfaces of both modalities are believed to differ at the true pose.

    The defaults are those of a CCTA lumen that a reader outlined; `surface_of` has the others.

    Attributes
    ----------
    patch_mm : float
        Standard deviation of the distance between the surfaces.
    correlation_mm2 : float
        Area of surface over which that distance is one and the same.
    radius_mm, radius_length_mm : float
        Standard deviation and length scale of the local difference of the two radii, beside the case's
        radius scale.
    """

    patch_mm: float = 0.1
    correlation_mm2: float = 3.0
    radius_mm: float = 0.15
    radius_length_mm: float = 4.0


def surface_of(ccta_lumen: Literal["outlined", "segmented"]) -> SurfacePrior:
    """Return the prior of a CCTA lumen by where it comes from.

    A program's lumen errs by half a millimetre where plaque is as bright as blood, over the length of
    the plaque (`docs/decisions/registration-method.md`).
    """
    if ccta_lumen == "segmented":
        return SurfacePrior(patch_mm=0.15, radius_mm=0.4)
    return SurfacePrior()


@dataclass(frozen=True)
class RegistrationSettings:
    """Settings of `coreg.registration.register`.

    Attributes
    ----------
    motion : MotionPrior, optional
        What is believed of the catheter before the lumens are compared; by default what fits the
        pullback's acquisition.
    radius_scale_sd : float
        How far CCTA and pullback radii may differ, relative. Studies find -26 % to +10 % in area.
    surface : SurfacePrior
        How far the two lumen surfaces may differ locally.
    hypotheses : int
        Distinct starts that are refined.
    minimum_overlap : float
        Share of the pullback that must lie in the CCTA's vessel.
    seed : int
        Of everything random.
    """

    motion: MotionPrior | None = None
    radius_scale_sd: float = 0.06
    surface: SurfacePrior = SurfacePrior()
    hypotheses: int = 24
    minimum_overlap: float = 0.5
    seed: int = 0
