"""One acquired run of an intravascular catheter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from coreg.contours import normalised_contour

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
View = Literal["looking-distal", "looking-proximal"]
Modality = Literal["OCT", "IVUS"]
Acquisition = Literal["motorized", "gated", "manual"]


@dataclass(frozen=True, eq=False)
class Pullback:
    """Frames of a pullback, proximal to distal, with a position each.

    Attributes
    ----------
    frame : (N,) int array
        Index of each frame in acquisition order, from 0. Read-only.
    position_mm : (N,) array
        How far the catheter had been withdrawn from the most distal frame. Falls along the
        array, since that runs proximal to distal; equal positions keep acquisition order.
    lumen : mapping of int to (M, 2) array
        Lumen contour by acquisition index, mm from the catheter's centre. Frames without a
        contour are absent.
    eem : mapping of int to (M, 2) array
        External elastic membrane, likewise.
    excluded : mapping of int to str
        Reason by acquisition index for frames that must not drive the registration.
    view : str
        ``looking-distal`` where (+column axis) x (+row axis) points distally in the body.
    modality : str or None
        OCT or IVUS.
    field_of_view_mm : float or None
        Largest distance from the catheter at which the lumen can be seen.
    acquisition : str
        ``motorized``: at a steady speed, through the heartbeat. ``gated``: a frame a beat, or frames
        with a measured position each. ``manual``: at an unknown, unsteady speed.
    quality : mapping of int to float
        Of the lumen by acquisition index, from 0 (no say in the registration) to 1; 1 where absent.
    marked : mapping of int to str
        Reason by acquisition index for frames whose contour is not to be trusted.
    notes : tuple of str
        What a person should know of how it was read, in plain words.
    """

    frame: IntArray
    position_mm: FloatArray
    lumen: Mapping[int, FloatArray]
    eem: Mapping[int, FloatArray] = field(default_factory=dict)
    excluded: Mapping[int, str] = field(default_factory=dict)
    view: View = "looking-distal"
    modality: Modality | None = None
    field_of_view_mm: float | None = None
    acquisition: Acquisition = "motorized"
    quality: Mapping[int, float] = field(default_factory=dict)
    marked: Mapping[int, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        frame = np.array(self.frame, dtype=np.int64)
        position_mm = np.array(self.position_mm, dtype=np.float64)
        if frame.ndim != 1 or len(frame) == 0 or position_mm.shape != frame.shape:
            msg = f"frame and position_mm must have one shape (N,), got {frame.shape} and {position_mm.shape}"
            raise ValueError(msg)
        if not np.isfinite(position_mm).all():
            bad = int(np.flatnonzero(~np.isfinite(position_mm))[0])
            msg = f"position_mm of frame {frame[bad]} is not finite: {position_mm[bad]}"
            raise ValueError(msg)
        if len(np.unique(frame)) != len(frame):
            values, counts = np.unique(frame, return_counts=True)
            msg = f"frame {values[np.argmax(counts)]} comes {counts.max()} times; each may come once"
            raise ValueError(msg)
        order = np.lexsort((frame, -position_mm))
        frame, position_mm = frame[order], position_mm[order]
        for name, contours in (("lumen", self.lumen), ("eem", self.eem)):
            strange = sorted(set(contours) - set(frame.tolist()))
            if strange:
                msg = f"{name} has a contour for frame {strange[0]}, which the pullback does not have"
                raise ValueError(msg)
            clean = {int(k): normalised_contour(v) for k, v in contours.items()}
            object.__setattr__(self, name, clean)
        for number, quality in self.quality.items():
            if not 0.0 <= quality <= 1.0:
                msg = f"quality of frame {number} must be from 0 to 1, got {quality}"
                raise ValueError(msg)
        for array in (frame, position_mm):
            array.flags.writeable = False
        object.__setattr__(self, "frame", frame)
        object.__setattr__(self, "position_mm", position_mm)

    def __len__(self) -> int:
        """Count the frames."""
        return len(self.frame)

    @property
    def length_mm(self) -> float:
        """Distance between the first and the last position, in mm."""
        return float(np.ptp(self.position_mm))

    @property
    def frame_spacing_mm(self) -> float:
        """Median distance between neighbouring frames, in mm; 0 for a single frame."""
        return float(np.median(-np.diff(self.position_mm))) if len(self) > 1 else 0.0

    def mirrored(self) -> Pullback:
        """Return the pullback as it would look from the other side: every contour's y negated."""

        def flip(contours: Mapping[int, FloatArray]) -> dict[int, FloatArray]:
            return {k: v * np.array([1.0, -1.0]) for k, v in contours.items()}

        return replace(self, lumen=flip(self.lumen), eem=flip(self.eem))

    def reversed(self) -> Pullback:
        """Return the pullback as if it had been acquired from its other end."""
        return replace(self, position_mm=self.position_mm.max() - self.position_mm)
