"""Points that both modalities show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Kind = Literal["branch", "ostium", "calcium", "stent-edge", "other"]
KINDS: tuple[Kind, ...] = ("branch", "ostium", "calcium", "stent-edge", "other")


@dataclass(frozen=True, eq=False)
class Landmark:
    """One point seen in the pullback, in the CCTA, or in both.

    Attributes
    ----------
    id : str
        Name in files and reports.
    kind : str
        What it is; for a branch, the centre of its ostium.
    frame : float or None
        Acquisition index; the middle of the frames that show it.
    angle_rad : float or None
        In the stored image about the catheter's centre, from +column towards +row.
    world_mm : (3,) array or None
        In the CCTA, LPS.
    radius_mm : float or None
        Distance from the catheter's centre in the image.
    sd_frames, sd_rad : float or None
        How far the reader may be off.
    locked : bool
        Whether a registration that is guided by it has to meet it.
    """

    id: str
    kind: Kind = "branch"
    frame: float | None = None
    angle_rad: float | None = None
    world_mm: FloatArray | None = None
    radius_mm: float | None = None
    sd_frames: float | None = None
    sd_rad: float | None = None
    locked: bool = False

    @property
    def paired(self) -> bool:
        """Whether both halves are known, so that an error can be measured."""
        return self.frame is not None and self.world_mm is not None


@dataclass(frozen=True, eq=False)
class SideBranch:
    """The mouth of a side branch, in the CCTA or in the pullback.

    Attributes
    ----------
    id : str
        Name in files and reports.
    world_mm : (3,) array or None
        Ostium centre in LPS mm (CCTA).
    arc_length_mm, radius_mm : float or None
        Place along the vessel and branch radius (CCTA).
    frame, first_frame, last_frame : float or None
        Acquisition indices (pullback).
    angle_rad : float or None
        In the stored image (pullback).
    probability : float
        How likely it is one.
    direction : (3,) array or None
        Unit vector in which it leaves the main vessel, LPS (CCTA).
    """

    id: str
    world_mm: FloatArray | None = None
    arc_length_mm: float | None = None
    radius_mm: float | None = None
    frame: float | None = None
    first_frame: float | None = None
    last_frame: float | None = None
    angle_rad: float | None = None
    probability: float = 1.0
    direction: FloatArray | None = None
