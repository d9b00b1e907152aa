"""Side branches of a pullback, from the mouths in its outlines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coreg.landmarks import SideBranch
from coreg.pullback_vessel import OPEN
from coreg.segmentation.openings import runs_round
from coreg.segmentation.outlines import Outlines

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

APART_MM, APART_RAD = 0.8, np.radians(30.0)
LEAST_PROBABLE = 0.2


@dataclass(frozen=True, eq=False)
class _Mouth:
    """One connected opening: its frames, angle and size."""

    first: int
    last: int
    angle_rad: float
    width_mm: float
    depth_mm: float
    pixels: int


def pullback_branches(outlines: Outlines, position_mm: FloatArray) -> tuple[SideBranch, ...]:
    """Gather openings of the lumen into side branches.

    Parameters
    ----------
    outlines : Outlines
        Of N frames in acquisition order.
    position_mm : (N,) array
        How far the catheter had been withdrawn.

    Returns
    -------
    tuple of SideBranch
        With frames, angle and probability, in acquisition order; the frame is the middle of those that
        show the mouth.
    """
    mouths = _mouths(outlines)
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


def _mouths(outlines: Outlines) -> list[_Mouth]:
    numbers, count = runs_round(outlines.state == OPEN)
    angle = 2.0 * np.pi * np.arange(numbers.shape[1]) / numbers.shape[1]
    mouths = []
    for number in range(1, count + 1):
        part = numbers == number
        frames, rays = np.nonzero(part)
        beyond = outlines.lumen_mm[part] - outlines.wall_mm[part]
        width = (part * outlines.wall_mm).sum(axis=1).max() * (angle[1] - angle[0])
        # Rays are dense where the catheter is near; what counts is the wall that is missing.
        rays_out = np.exp(1j * angle[rays]) * outlines.wall_mm[part]
        middle = float(np.angle((rays_out * outlines.wall_mm[part]).sum()))
        mouths.append(
            _Mouth(
                int(frames.min()),
                int(frames.max()),
                middle,
                float(width),
                float(np.percentile(beyond, 90)),
                len(rays),
            )
        )
    return sorted(mouths, key=lambda each: each.first)


def _one(a: _Mouth, b: _Mouth, position_mm: FloatArray) -> bool:
    """Whether two mouths are so close that they are one."""
    if a.last >= b.first and b.last >= a.first:
        gap = 0.0
    else:
        early, late = (a, b) if a.last < b.first else (b, a)
        gap = abs(float(position_mm[late.first] - position_mm[early.last]))
    apart = abs((a.angle_rad - b.angle_rad + np.pi) % (2.0 * np.pi) - np.pi)
    return gap < APART_MM and apart < APART_RAD


def _branch(group: list[_Mouth], position_mm: FloatArray) -> SideBranch:
    first, last = min(each.first for each in group), max(each.last for each in group)
    size = np.array([each.pixels for each in group], dtype=np.float64)
    angle = float(np.angle((size * np.exp(1j * np.array([each.angle_rad for each in group]))).sum()))
    pitch = float(np.median(np.abs(np.diff(position_mm)))) if len(position_mm) > 1 else 0.2
    length = abs(float(position_mm[last] - position_mm[first])) + pitch
    width, depth = max(each.width_mm for each in group), max(each.depth_mm for each in group)
    # A mouth is about as long as it is wide; shadows and blood make narrow or shallow ones.
    score = 6.0 * (min(width, length) - 0.35) + 2.5 * (min(depth, 1.2) - 0.45)
    probability = float(1.0 / (1.0 + np.exp(-score)))
    return SideBranch(
        "",
        frame=0.5 * (first + last),
        first_frame=float(first),
        last_frame=float(last),
        angle_rad=angle,
        probability=probability,
    )
