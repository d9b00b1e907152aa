"""Rigid placements that paired landmarks suggest, added to those that the lumens suggest."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from coreg.registration.global_start import Start
from coreg.registration.guides import Guide
from coreg.registration.path_model import VesselTensors

FloatArray = npt.NDArray[np.float64]

# Speeds and twists beyond these are those of a wrong pair.
STRETCHES = (0.65, 1.5)
MANUAL_STRETCHES = (0.5, 2.0)
TWIST_RAD_PER_MM = np.radians(10.0)
NEAREST_MM = 3.0
MOST_SEATS, MOST_PAIRS = 24, 12
TURNS_RAD = tuple(float(each) for each in np.radians(np.arange(0.0, 360.0, 45.0)))


class _Seat(NamedTuple):
    """Where one guide alone would put its frame: depth, arc length in mm, rotation in rad or NaN."""

    depth_mm: float
    arc_length_mm: float
    rotation_rad: float


def guided_starts(
    guides: Sequence[Guide],
    vessel: VesselTensors,
    *,
    length_mm: float,
    log_scale: float,
    stretches: tuple[float, float] = STRETCHES,
) -> list[Start]:
    """Place a pullback by each guide alone and by each two of them, of many by a share.

    Parameters
    ----------
    guides : sequence of Guide
        At least one.
    vessel : VesselTensors
        CCTA side.
    length_mm : float
        Depth of the most distal frame with a say: starts count rotation from half of it.
    log_scale : float
        Radius scale to start with; guides do not tell it.
    stretches : tuple of float
        Vessel mm per pullback mm between which two guides are believed.

    Returns
    -------
    list of Start
        Their cost is NaN: no lumens were compared. Where no guide has a direction, eight turns are tried.
    """
    seats = [_seat(each, vessel) for each in guides]
    # Spread over the pullback where they are many: neighbours would start alike.
    seats = sorted(seats, key=lambda seat: seat.depth_mm)
    apart = max(1, -(-len(seats) // MOST_SEATS))
    seats = seats[::apart]
    lines = [(seat, 1.0, 0.0) for seat in seats]
    pairs = sorted(combinations(seats, 2), key=lambda two: -abs(two[1].depth_mm - two[0].depth_mm))
    lines += [line for two in pairs[:MOST_PAIRS] for line in _between(*two, stretches)]
    return [
        Start(
            seat.arc_length_mm - stretch * seat.depth_mm,
            stretch,
            turn - twist * (seat.depth_mm - 0.5 * length_mm),
            twist,
            log_scale,
            float("nan"),
        )
        for seat, stretch, twist in lines
        for turn in _turns(seat, seats)
    ]


def _turns(seat: _Seat, seats: Sequence[_Seat]) -> tuple[float, ...]:
    """Rotations to try at a guide's frame: its own, else those of all others, else all around."""
    if np.isfinite(seat.rotation_rad):
        return (seat.rotation_rad,)
    known = tuple(each.rotation_rad for each in seats if np.isfinite(each.rotation_rad))
    return known or TURNS_RAD


def _between(first: _Seat, second: _Seat, stretches: tuple[float, float]) -> list[tuple[_Seat, float, float]]:
    """Line through two guides; none where no catheter moves like that."""
    apart = second.depth_mm - first.depth_mm
    if abs(apart) < NEAREST_MM:
        return []
    stretch = (second.arc_length_mm - first.arc_length_mm) / apart
    if not stretches[0] <= stretch <= stretches[1]:
        return []
    turn = second.rotation_rad - first.rotation_rad
    twist = float(np.angle(np.exp(1j * turn))) / apart if np.isfinite(turn) else 0.0
    if abs(twist) > TWIST_RAD_PER_MM:
        twist = 0.0
    # The one with a direction gives the rotation.
    seat = first if np.isfinite(first.rotation_rad) else second
    return [(seat, float(stretch), twist)]


def _seat(guide: Guide, vessel: VesselTensors) -> _Seat:
    table = vessel.table.cpu().numpy()
    point, normal, binormal, tangent = (table[:, k : k + 3] for k in (0, 3, 6, 9))
    near = int(np.linalg.norm(point - guide.world_mm, axis=1).argmin())
    off = guide.world_mm - point[near]
    arc_length = vessel.start_mm + vessel.step_mm * near + float(off @ tangent[near])
    # Directions about the lumen's middle, which lies on the vessel's axis.
    there = np.arctan2(off @ binormal[near], off @ normal[near])
    ray = guide.wall_mm * np.array([np.cos(guide.angle_rad), np.sin(guide.angle_rad)]) - guide.centre_mm
    return _Seat(guide.depth_mm, arc_length, float(there - np.arctan2(ray[1], ray[0])))
