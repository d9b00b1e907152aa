"""The result of a registration: the path, how it was found and how far to trust it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from coreg.catheter_path import VirtualCatheterPath
from coreg.centerline import Centerline

FloatArray = npt.NDArray[np.float64]
Verdict = Literal["good", "review", "failed"]


@dataclass(frozen=True)
class Hypothesis:
    """One start that was refined.

    Attributes
    ----------
    arc_length_mm : float
        Where the pullback's most distal frame was put, along the centerline.
    rotation_deg : float
        Mean rotation of the images in the centerline's rotation-minimizing frame.
    stretch : float
        Vessel mm per pullback mm.
    cost : float
        After refinement, per frame with a say; lower is better.
    mirrored : bool
        Whether the images were mirrored against what the case says.
    """

    arc_length_mm: float
    rotation_deg: float
    stretch: float
    cost: float
    mirrored: bool = False


@dataclass(frozen=True, eq=False)
class Registration:
    """A pullback placed in a CCTA.

    Attributes
    ----------
    path : VirtualCatheterPath
        The result.
    rigid_path : VirtualCatheterPath
        The best rigid placement (one shift, one stretch, one rotation), for comparison.
    centerline : Centerline
        The vessel along which arc length and rotation are counted.
    verdict, reasons
        Whether a person must look, and why, in plain words.
    radius_scale : float
        Fitted CCTA radius over pullback radius. Measurements are never changed by it.
    margin : float
        Cost of the runner-up at a distinctly different place over the winner's, minus 1.
    hypotheses : tuple of Hypothesis
        Distinct refined starts: first that which became the path, then the others, best first.
    costs : mapping of str to float
        Cost at the end of each stage.
    residual_mm : (N,) array
        Per row of the path: root-mean-square distance of the pullback's lumen from the CCTA's
        lumen surface after the radius scale; NaN where nothing was measured.
    settings, provenance : mapping
        How it was made: settings, seed, versions, device, SHA-256 of inputs.
    """

    path: VirtualCatheterPath
    rigid_path: VirtualCatheterPath
    centerline: Centerline
    verdict: Verdict
    reasons: tuple[str, ...]
    radius_scale: float
    margin: float
    hypotheses: tuple[Hypothesis, ...]
    costs: Mapping[str, float]
    residual_mm: FloatArray
    settings: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def guides(self) -> dict[str, str]:
        """Landmarks that guided it by id: ``guide`` or ``locked``."""
        locked = self.settings.get("locked", ())
        return {name: "locked" if name in locked else "guide" for name in self.settings.get("guides", ())}
