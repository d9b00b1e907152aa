"""One coronary artery as segmented from the images of a pullback."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from coreg.landmarks import SideBranch

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

SEEN, BRIDGED, OPEN, BLOOD, BEYOND, UNDRAWN = range(6)
NO_CONTOUR = "no contour in this frame"
OUTSIDE = "the catheter lies outside this contour"
_DTYPES: dict[str, type[np.generic]] = {"state": np.uint8, "eem_seen": np.bool_}


def stretches_of(reason: Sequence[str]) -> tuple[tuple[int, int, str], ...]:
    """Runs of frames with one reason against them: the first and the last frame, and the reason.

    >>> stretches_of(["", "blood", "blood", ""])
    ((1, 2, 'blood'),)
    """
    stretches = []
    for why, run in groupby(range(len(reason)), key=lambda i: reason[i]):
        frames = list(run)
        if why:
            stretches.append((frames[0], frames[-1], why))
    return tuple(stretches)


@dataclass(frozen=True)
class CalciumArc:
    """Calcified plaque as a run of frames shows it.

    Attributes
    ----------
    id : str
        Name in files.
    first_frame, last_frame : int
        Acquisition indices.
    angle_rad : float
        Of its middle where it is widest, in the stored image about the catheter.
    extent_rad : float
        Its largest width there.
    """

    id: str
    first_frame: int
    last_frame: int
    angle_rad: float
    extent_rad: float


@dataclass(frozen=True, eq=False)
class Gating:
    """One phase of the heart in a pullback that ran through all of them.

    Attributes
    ----------
    frame : (G,) int array
        Acquisition indices of one frame per beat, rising.
    beat_frames : float
        Mean length of a beat, in frames.
    phase : str
        Which phase the frames probably show: ``diastole`` or ``systole``.
    probability : float
        That it is that phase, from 0.5 to 1.
    signal : (N,) array
        The course of the heartbeat over all frames, as it was found; without unit.
    """

    frame: IntArray
    beat_frames: float
    phase: Literal["diastole", "systole"]
    probability: float
    signal: FloatArray


@dataclass(frozen=True, eq=False)
class PullbackVessel:
    """Lumen, membrane, side branches and calcium in all frames, in acquisition order.

    The columns of the tables with an angle go once round at equal steps, in the stored image from
    +column towards +row, from angle 0; distances count from the catheter's centre.

    Attributes
    ----------
    lumen_mm : (N, A) array
        Distance of the lumen's outline, as far into the mouth of a side branch as it is seen. Read-only.
    wall_mm : (N, A) array
        Distance of the vessel's own wall: the lumen's outline with the mouths closed. Read-only.
    eem_mm : (N, A) array or None
        Distance of the external elastic membrane, at least that of the wall; None where it was not
        looked for (OCT). Read-only.
    state : (N, A) uint8 array
        How the lumen's outline is known: ``SEEN``, ``BRIDGED`` (behind the guide wire, in a shadow or
        in the blind zone), ``OPEN`` (the mouth of a side branch), ``BLOOD`` (behind residual blood),
        ``BEYOND`` (not within the field of view) or ``UNDRAWN`` (nobody outlined the frame: its row lies
        between its neighbours, for pictures only). Read-only.
    eem_seen : (N, A) bool array or None
        Whether the membrane itself is seen. Read-only.
    quality : (N,) array
        Of the lumen in each frame, from 0 (do not use) to 1. Read-only.
    reason : tuple of str
        For each frame why its lumen is not to be trusted; empty where it is.
    field_of_view_mm : float
        Largest distance that the images show.
    side_branches : tuple of SideBranch
        With frames, angle and probability.
    calcium : tuple of CalciumArc
        Calcified plaque.
    gating : Gating or None
        Where the pullback ran through the heartbeat and a phase was found.
    notes : tuple of str
        What a person should know, in plain words.
    from_contours : bool
        Whether somebody else outlined the frames. Then ``wall_mm`` is the lumen as it was drawn, with or
        without the mouths of side branches.
    absent : tuple of int
        Acquisition indices that the pullback has no frame of, such as those between gated frames; their
        rows are 0 and ``UNDRAWN``.
    """

    lumen_mm: FloatArray
    wall_mm: FloatArray
    eem_mm: FloatArray | None
    state: npt.NDArray[np.uint8]
    eem_seen: BoolArray | None
    quality: FloatArray
    reason: tuple[str, ...]
    field_of_view_mm: float
    side_branches: tuple[SideBranch, ...] = ()
    calcium: tuple[CalciumArc, ...] = ()
    gating: Gating | None = None
    notes: tuple[str, ...] = ()
    from_contours: bool = False
    absent: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        shape = np.shape(self.lumen_mm)
        if len(shape) != 2 or shape[0] < 1 or shape[1] < 8:
            msg = f"lumen_mm must have shape (N, A) with A >= 8, got {shape}"
            raise ValueError(msg)
        for name, expected in (
            ("lumen_mm", shape),
            ("wall_mm", shape),
            ("eem_mm", shape),
            ("state", shape),
            ("eem_seen", shape),
            ("quality", shape[:1]),
        ):
            given = getattr(self, name)
            if given is None and name.startswith("eem"):
                continue
            values: npt.NDArray[Any] = np.array(given, dtype=_DTYPES.get(name, np.float64))
            if values.shape != expected or not np.isfinite(values).all():
                msg = f"{name} must be finite and of shape {expected}, got shape {values.shape}"
                raise ValueError(msg)
            values.flags.writeable = False
            object.__setattr__(self, name, values)
        if len(self.reason) != shape[0]:
            msg = f"reason must have {shape[0]} entries, got {len(self.reason)}"
            raise ValueError(msg)
        if self.eem_mm is not None and (self.eem_mm < self.wall_mm - 1e-9).any():
            frame = int(np.argmax((self.eem_mm < self.wall_mm - 1e-9).any(axis=1)))
            msg = f"eem_mm lies inside the lumen's wall in frame {frame}"
            raise ValueError(msg)

    def __len__(self) -> int:
        """Count the rows: acquisition indices up to the last frame."""
        return len(self.quality)

    @property
    def frame(self) -> IntArray:
        """Acquisition indices of the frames that there are, rising."""
        return np.setdiff1d(np.arange(len(self)), np.array(self.absent, dtype=np.int64))

    @property
    def outlined(self) -> BoolArray:
        """Which rows, shape (N,), have a lumen of their own."""
        return np.array((self.state != UNDRAWN).any(axis=1))

    @property
    def membraned(self) -> BoolArray:
        """Which rows, shape (N,), have a membrane: a found one is estimated where it is not seen."""
        if self.eem_seen is None or not self.from_contours:
            return np.full(len(self), self.eem_seen is not None)
        return np.array(self.eem_seen.any(axis=1))

    @property
    def angles_rad(self) -> FloatArray:
        """Angles (A,) of the tables' columns."""
        count = self.lumen_mm.shape[1]
        return 2.0 * np.pi * np.arange(count) / count

    @property
    def marked(self) -> BoolArray:
        """Which frames, shape (N,), have a reason against their lumen."""
        return np.array([bool(each) for each in self.reason])

    @property
    def marked_share(self) -> float:
        """Share of the frames that are marked."""
        return float(self.marked[self.frame].mean())

    @property
    def marked_stretches(self) -> tuple[tuple[int, int, str], ...]:
        """Runs of frames with one reason: the first and the last frame, and the reason."""
        return stretches_of(self.reason)

    def outline_mm(self, distance_mm: FloatArray) -> FloatArray:
        """Points (N, A, 2) of a table of distances such as ``lumen_mm``, mm from the catheter."""
        angles = self.angles_rad
        return distance_mm[..., None] * np.column_stack([np.cos(angles), np.sin(angles)])
