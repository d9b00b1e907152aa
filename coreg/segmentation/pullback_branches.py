"""Side branches of a pullback, from the mouths in its outlines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coreg.landmarks import SideBranch
from coreg.pullback_vessel import BRIDGED, OPEN
from coreg.segmentation.openings import runs_round
from coreg.segmentation.outlines import Outlines

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

APART_MM, APART_RAD = 0.8, np.radians(30.0)
LEAST_PROBABLE = 0.2
FADING_MM, FADING = 0.4, 0.7
SHALLOW_MM = 0.2
USUAL_WALL_MM = 0.3
# How far deep, wide mouths are believed, by how many frames show them: a shadow may look like one in a few.
FEW_FRAMES, TRUE_OF_FEW, TRUE_OF_MANY = 2, 0.7, 0.96


@dataclass(frozen=True, eq=False)
class _Mouth:
    """One connected opening: its frames, how wide and deep it is in each, and where it looks.

    ``toward`` is the sum of the missing wall's points, as complex numbers.
    """

    first: int
    widths_mm: FloatArray
    depths_mm: FloatArray
    toward: complex

    @property
    def last(self) -> int:
        return self.first + len(self.widths_mm) - 1


def pullback_branches(
    outlines: Outlines, position_mm: FloatArray, *, outer_mm: FloatArray | None = None
) -> tuple[SideBranch, ...]:
    """Gather openings of the lumen into side branches.

    Parameters
    ----------
    outlines : Outlines
        Of N frames in acquisition order.
    position_mm : (N,) array
        How far the catheter had been withdrawn.
    outer_mm : (N, A) array, optional
        Distance of the vessel's outside, which a branch must pass: the membrane where it is known, else
        a usual wall is assumed.

    Returns
    -------
    tuple of SideBranch
        With frames, angle and probability, in acquisition order; the frame is the middle of the mouth.
    """
    mouths = _mouths(outlines, outlines.wall_mm + USUAL_WALL_MM if outer_mm is None else outer_mm)
    groups: list[list[_Mouth]] = []
    for mouth in mouths:
        near = [group for group in groups if any(_one(each, mouth, position_mm) for each in group)]
        groups = [group for group in groups if group not in near]
        groups.append([each for group in near for each in group] + [mouth])
    branches = [_branch(group, position_mm) for group in groups]
    kept = sorted(
        (each for each in branches if each.probability >= LEAST_PROBABLE), key=lambda each: each.frame or 0.0
    )
    return tuple(
        SideBranch(
            f"S{i}",
            frame=each.frame,
            first_frame=each.first_frame,
            last_frame=each.last_frame,
            angle_rad=each.angle_rad,
            probability=each.probability,
        )
        for i, each in enumerate(kept, start=1)
    )


def _mouths(outlines: Outlines, outer_mm: FloatArray) -> list[_Mouth]:
    numbers, count = runs_round(outlines.state == OPEN)
    angle = 2.0 * np.pi * np.arange(numbers.shape[1]) / numbers.shape[1]
    mouths = []
    for number in range(1, count + 1):
        part = numbers == number
        # Where it hardly passes the vessel's outside, it is no more than a dim wall.
        part &= np.where(part, outlines.lumen_mm - outer_mm, 0.0).max(axis=1, keepdims=True) > SHALLOW_MM
        frames = np.flatnonzero(part.any(axis=1))
        if not len(frames):
            continue
        first, last = int(frames[0]), int(frames[-1])
        depths = np.where(part, outlines.lumen_mm - outer_mm, 0.0)[first : last + 1].max(axis=1)
        missing = np.where(_with_hidden(part, outlines.state == BRIDGED), outlines.wall_mm, 0.0)
        widths = missing.sum(axis=1)[first : last + 1] * (angle[1] - angle[0])
        # Rays are dense where the catheter is near; what counts is the wall that is missing.
        toward = (np.exp(1j * angle) * missing**2).sum()
        mouths.append(_Mouth(first, widths, depths, complex(toward)))
    return sorted(mouths, key=lambda each: each.first)


def _with_hidden(part: BoolArray, hidden: BoolArray) -> BoolArray:
    """Add to a mouth (N, A) the near half of a shadow beside it, into which it probably goes on."""
    whole = part.copy()
    count = part.shape[1]
    for i in np.flatnonzero(part.any(axis=1)):
        for sense in (1, -1):
            beside = np.roll(hidden[i], -sense) & ~hidden[i]
            for edge in np.flatnonzero(part[i] & beside):
                run = (edge + sense * np.arange(1, count)) % count
                whole[i, run[: int(np.argmin(hidden[i, run])) // 2]] = True
    return whole


def _one(a: _Mouth, b: _Mouth, position_mm: FloatArray) -> bool:
    """Whether two mouths are so close that they are one."""
    if a.last >= b.first and b.last >= a.first:
        gap = 0.0
    else:
        early, late = (a, b) if a.last < b.first else (b, a)
        gap = abs(float(position_mm[late.first] - position_mm[early.last]))
    return gap < APART_MM and abs(np.angle(a.toward / b.toward)) < APART_RAD


def _branch(group: list[_Mouth], position_mm: FloatArray) -> SideBranch:
    first, last = min(each.first for each in group), max(each.last for each in group)
    pitch = float(np.median(np.abs(np.diff(position_mm)))) if len(position_mm) > 1 else 0.2
    widths, depths = np.zeros(last - first + 1), np.zeros(last - first + 1)
    for each in group:
        own = slice(each.first - first, each.last - first + 1)
        widths[own] += each.widths_mm
        depths[own] = np.maximum(depths[own], each.depths_mm)
    middle = first + _middle(widths, depths, max(1, round(FADING_MM / max(pitch, 1e-3))))
    length = abs(float(position_mm[last] - position_mm[first])) + pitch
    width, depth = float(widths.max()), float(depths.max())
    # A mouth is about as long as it is wide; shadows and blood make narrow or shallow ones.
    score = 6.0 * (min(width, length, 0.8) - 0.45) + 12.0 * (min(depth, 1.2) - 0.6)
    most = TRUE_OF_FEW if np.count_nonzero(widths) <= FEW_FRAMES else TRUE_OF_MANY
    probability = float(most / (1.0 + np.exp(-score)))
    return SideBranch(
        "",
        frame=float(np.clip(middle, first, last)),
        first_frame=float(first),
        last_frame=float(last),
        angle_rad=float(np.angle(sum(each.toward for each in group))),
        probability=probability,
    )


def _middle(widths_mm: FloatArray, depths_mm: FloatArray, unseen: int) -> float:
    """Middle of a mouth, counted in frames (M,) from the first, where it is widest.

    A branch leans downstream: the mouth is deep at one end and fades away at the other, where some
    frames more would show it than are seen.
    """
    third = max(1, len(depths_mm) // 3)
    start, end = depths_mm[:third].mean(), depths_mm[-third:].mean()
    before = unseen if start < FADING * end else 0
    after = unseen if end < FADING * start else 0
    padded = np.pad(widths_mm, (before, after), mode="edge")
    return float((padded**2 * (np.arange(len(padded)) - before)).sum() / (padded**2).sum())
