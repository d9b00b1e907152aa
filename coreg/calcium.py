"""Calcified plaque as a table of deposits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import label as components_of
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from coreg.ccta_vessel import CctaVessel

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Deposit:
    """One calcified deposit of a vessel's wall.

    Attributes
    ----------
    start_mm, end_mm : float
        Arc length of its first and last section.
    angle_rad : float
        Direction of its middle from the centerline, from the normal towards the binormal, in
        (-pi, pi].
    extent_rad : float
        Angle that it covers about the centerline, all sections taken together; 2 pi all round.
    thickness_mm : float
        Largest thickness along a ray.
    """

    start_mm: float
    end_mm: float
    angle_rad: float
    extent_rad: float
    thickness_mm: float


def calcium_deposits(vessel: CctaVessel) -> tuple[Deposit, ...]:
    """Find the connected parts of a vessel's calcium, proximal first.

    Parts that touch, also at a corner or across the first angle, are one deposit.
    """
    numbers = _parts_on_cylinder(vessel.calcium_mm > 0.0)
    arc_mm, step_rad = vessel.centerline.arc_length_mm, 2.0 * np.pi / numbers.shape[1]
    deposits = []
    for number in np.unique(numbers[numbers > 0]):
        inside = numbers == number
        rows = np.flatnonzero(inside.any(axis=1))
        angle_rad, extent_rad = _sector(inside.any(axis=0), step_rad)
        thickness_mm = float(vessel.calcium_mm[inside].max())
        start_mm, end_mm = float(arc_mm[rows[0]]), float(arc_mm[rows[-1]])
        deposits.append(Deposit(start_mm, end_mm, angle_rad, extent_rad, thickness_mm))
    return tuple(sorted(deposits, key=lambda each: (each.start_mm, each.angle_rad)))


def _parts_on_cylinder(inside: BoolArray) -> IntArray:
    """Number the connected parts, from 1, of a map (N, A) whose last column touches the first."""
    flat, count = components_of(inside, np.ones((3, 3)))
    last = np.pad(flat[:, -1], 1)
    pairs = np.concatenate([np.stack([flat[:, 0], last[i : i + len(flat)]]) for i in range(3)], axis=1)
    touching = pairs[:, (pairs > 0).all(axis=0)]
    links = coo_array((np.ones(touching.shape[1]), tuple(touching)), shape=(count + 1, count + 1))
    return connected_components(links, directed=False)[1].astype(np.int64)[flat]


def _sector(covered: BoolArray, step_rad: float) -> tuple[float, float]:
    """Middle and extent, in radians, of the smallest sector that holds the covered angles (A,)."""
    count = len(covered)
    at = np.flatnonzero(covered)
    gaps = np.diff(np.append(at, at[0] + count))
    widest = int(np.argmax(gaps))
    first, last = int(at[(widest + 1) % len(at)]), int(at[widest])
    cells = (last - first) % count + 1
    middle = (first + 0.5 * (cells - 1)) * step_rad
    return float(np.pi - (np.pi - middle) % (2.0 * np.pi)), cells * step_rad
