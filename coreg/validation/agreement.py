"""How far two readers, or two measurements, agree.

Limits of agreement after Bland and Altman (Lancet 1986; 327: 307-310): within them lie 95 % of the
differences if these are normal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coreg.catheter_path import fractional_rows
from coreg.landmarks import Landmark
from coreg.pullback import Pullback

FloatArray = npt.NDArray[np.float64]

# Of a normal distribution, 95 % lie within so many standard deviations.
WIDTH = 1.96


@dataclass(frozen=True)
class Agreement:
    """Differences of pairs, first minus second, in the measurements' unit.

    Attributes
    ----------
    count : int
        Pairs that count.
    mean_difference : float
        The bias.
    sd : float
        Of the differences, with one degree of freedom less.
    lower, upper : float
        Limits of agreement: mean -+ 1.96 SD.
    """

    count: int
    mean_difference: float
    sd: float
    lower: float
    upper: float


@dataclass(frozen=True)
class ReaderDifference:
    """One landmark as two readers have it, first minus second; NaN where one of them does not say.

    Attributes
    ----------
    id : str
        Of the landmark.
    frames, position_mm : float
        Difference in frame index, and in withdrawal.
    angle_deg : float
        Difference in the stored image, in (-180, 180].
    world_mm : float
        Distance between the two points in the CCTA.
    """

    id: str
    frames: float
    position_mm: float
    angle_deg: float
    world_mm: float


@dataclass(frozen=True)
class ReaderAgreement:
    """Two readers' landmarks compared by id.

    Attributes
    ----------
    differences : tuple of ReaderDifference
        Of the landmarks that both have, in the first reader's order.
    only_first, only_second : tuple of str
        Ids that one reader alone has.
    frames, position_mm, angle_deg : Agreement or None
        None where fewer than two landmarks tell.
    mean_world_mm : float
        Mean distance in the CCTA; NaN where nothing tells.
    """

    differences: tuple[ReaderDifference, ...]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    frames: Agreement | None
    position_mm: Agreement | None
    angle_deg: Agreement | None
    mean_world_mm: float


def agreement(first: npt.ArrayLike, second: npt.ArrayLike) -> Agreement:
    """Compare two measurements of the same things.

    Parameters
    ----------
    first, second : (N,) arrays
        In the same order and unit. Pairs with a NaN are left out.

    Raises
    ------
    ValueError
        If the shapes differ, or fewer than two pairs are left.

    Examples
    --------
    >>> agreement([1.0, 2.0, 4.0], [1.0, 1.0, 2.0])
    Agreement(count=3, mean_difference=1.0, sd=1.0, lower=-0.96, upper=2.96)
    """
    one, other = (np.asarray(each, dtype=np.float64) for each in (first, second))
    if one.ndim != 1 or one.shape != other.shape:
        msg = f"first and second must have one shape (N,), got {one.shape} and {other.shape}"
        raise ValueError(msg)
    found = _limits(one - other)
    if found is None:
        msg = f"agreement needs two pairs, got {int(np.isfinite(one - other).sum())}"
        raise ValueError(msg)
    return found


def reader_agreement(
    first: Sequence[Landmark], second: Sequence[Landmark], pullback: Pullback
) -> ReaderAgreement:
    """Compare two readers' landmarks by id.

    Parameters
    ----------
    first, second : sequence of Landmark
        Of one case. Halves that are missing are left out.
    pullback : Pullback
        Tells the withdrawal at a frame.

    Raises
    ------
    ValueError
        If a reader has an id twice.
    """
    one, other = _by_id(first, "first"), _by_id(second, "second")
    differences = tuple(_difference(one[name], other[name], pullback) for name in one if name in other)
    world = np.array([each.world_mm for each in differences], dtype=np.float64)
    known = world[np.isfinite(world)]
    return ReaderAgreement(
        differences,
        tuple(name for name in one if name not in other),
        tuple(name for name in other if name not in one),
        _limits(np.array([each.frames for each in differences])),
        _limits(np.array([each.position_mm for each in differences])),
        _limits(np.array([each.angle_deg for each in differences])),
        float(known.mean()) if len(known) else float("nan"),
    )


def _limits(differences: FloatArray) -> Agreement | None:
    """Limits of agreement of differences (N,), those that are NaN left out; None for fewer than two."""
    known = differences[np.isfinite(differences)]
    if len(known) < 2:
        return None
    mean, sd = float(known.mean()), float(known.std(ddof=1))
    return Agreement(len(known), mean, sd, mean - WIDTH * sd, mean + WIDTH * sd)


def _by_id(landmarks: Sequence[Landmark], reader: str) -> dict[str, Landmark]:
    named: dict[str, Landmark] = {}
    for each in landmarks:
        if each.id in named:
            msg = f"the {reader} reader has landmark {each.id} twice"
            raise ValueError(msg)
        named[each.id] = each
    return named


def _difference(one: Landmark, other: Landmark, pullback: Pullback) -> ReaderDifference:
    frames = np.array([_number(one.frame), _number(other.frame)])
    rows = fractional_rows(pullback.frame, frames)
    position = np.interp(rows, np.arange(len(pullback)), pullback.position_mm)
    turn = np.degrees(_number(one.angle_rad) - _number(other.angle_rad))
    apart = float("nan")
    if one.world_mm is not None and other.world_mm is not None:
        apart = float(np.linalg.norm(np.asarray(one.world_mm) - np.asarray(other.world_mm)))
    return ReaderDifference(
        one.id,
        float(frames[0] - frames[1]),
        float(position[0] - position[1]),
        float(180.0 - (180.0 - turn) % 360.0),
        apart,
    )


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
