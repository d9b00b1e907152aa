"""Time warping of lumen areas, then a course of rotation: two steps, each discrete.

The classic way to align two recordings of one vessel: dynamic time warping (Sakoe & Chiba, IEEE
Transactions on Acoustics, Speech and Signal Processing 26(1), 1978) of the lumen's area along it, after
a rigid start. Once every frame has its place, a second dynamic programme finds its rotation. Kadry et
al. (arXiv 2301.00060) compare with a discrete method of these two steps.

Areas of CCTA and pullback differ by a factor that drifts along the vessel. What is compared is
therefore the logarithm less its average around, and a difference has no more than a bounded say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coreg.registration.cheapest_course import cheapest_course
from coreg.registration.discrete_steps import (
    blurred,
    columns_at,
    even_depths_mm,
    even_places_mm,
    functions_of_course,
    place_moves,
    smooth_rotation,
    turn_moves,
)
from coreg.registration.global_start import Start
from coreg.registration.placement import Placement
from coreg.registration.radial_costs import log_profiles, log_size, turn_costs
from coreg.registration.scene import Scene

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TimeWarping:
    """How areas are warped and images turned.

    Attributes
    ----------
    frame_mm, place_mm : float
        Steps along the pullback and along the vessel.
    reach_mm : float
        How far from the start's line a frame may be put.
    smooth_mm, around_mm : float
        Areas are averaged over the one, and compared with their average over the other.
    differing : float
        Difference of the logarithms of two sizes beyond which it no longer matters how much.
    outside : float
        Cost of a frame beyond the vessel.
    fastest : float
        Most vessel mm per pullback mm; the catheter never turns back.
    speed_price, turn_price : float
        Of a departure from the start's speed, per mm, squared; and from its twist, in rad per mm.
    turns : int
        Rotations that are tried.
    place_blur_mm, turn_blur_mm : float
        Steps are smoothed over so much of the pullback.
    """

    frame_mm: float = 0.2
    place_mm: float = 0.1
    reach_mm: float = 4.5
    smooth_mm: float = 0.2
    around_mm: float = 1.5
    differing: float = 0.05
    outside: float = 0.02
    fastest: float = 3.0
    speed_price: float = 0.012
    turn_price: float = 0.1
    turns: int = 180
    place_blur_mm: float = 0.3
    turn_blur_mm: float = 1.0


def time_warped(scene: Scene, start: Start, settings: TimeWarping | None = None) -> Placement:
    """Place the frames by their areas, then turn them by their profiles.

    Parameters
    ----------
    scene : Scene
        What is registered.
    start : Start
        Line about which places are sought; its radius scale is kept.
    settings : TimeWarping, optional
        Steps and prices.

    Returns
    -------
    Placement
        With the lumen's middle on the vessel's axis; ``cost`` is that of the areas, per mm.
    """
    settings = settings or TimeWarping()
    depth = even_depths_mm(scene, settings.frame_mm)
    arc_length, cost = _warped(scene, start, depth, settings)
    rotation = _turned(scene, start, depth, arc_length, settings)
    functions = functions_of_course(scene, start, depth, arc_length, rotation)
    return Placement(functions, start.log_scale, cost / float(np.ptp(depth)))


def _warped(scene: Scene, start: Start, depth: FloatArray, settings: TimeWarping) -> tuple[FloatArray, float]:
    """Arc length (M,) at depths, and the cost of the warp."""
    vessel, stations = scene.vessel, scene.vessel.arc_length_mm
    places = even_places_mm(scene, settings.place_mm)
    theirs = np.interp(places, stations[vessel.valid], log_size(vessel.profile_mm)[vessel.valid])
    mine = np.interp(depth, scene.seen.depth_mm, log_size(scene.seen.profile_mm))
    line = start.arc_length_mm + start.stretch * depth
    reach = round(settings.reach_mm / settings.place_mm)
    off = settings.place_mm * np.arange(-reach, reach + 1, dtype=np.float64)
    at = line[:, None] + off
    gap = np.interp(at, places, _local(theirs, settings.place_mm, settings))
    gap = gap - _local(mine, settings.frame_mm, settings)[:, None]
    inside = np.interp(at, stations, vessel.valid.astype(float), left=0.0, right=0.0) > 0.5
    cost = np.where(inside, np.minimum(gap**2, settings.differing**2), settings.outside)
    moves = place_moves(
        start,
        frame_mm=settings.frame_mm,
        place_mm=settings.place_mm,
        fastest=settings.fastest,
        price=settings.speed_price,
    )
    place, _, total = cheapest_course(settings.frame_mm * cost[:, :, None], places=moves)
    return line + blurred(off[place], settings.place_blur_mm / settings.frame_mm), total


def _local(values: FloatArray, step_mm: float, settings: TimeWarping) -> FloatArray:
    """Smooth values (M,) and take their average around away."""
    smooth = blurred(values, settings.smooth_mm / step_mm)
    return smooth - blurred(smooth, settings.around_mm / step_mm)


def _turned(
    scene: Scene, start: Start, depth: FloatArray, arc_length: FloatArray, settings: TimeWarping
) -> FloatArray:
    """Rotation (M,) at depths whose arc lengths (M,) are known."""
    stations = scene.vessel.arc_length_mm
    frames = settings.smooth_mm / settings.frame_mm
    mine = columns_at(depth, scene.seen.depth_mm, log_profiles(scene.seen.profile_mm))
    theirs = columns_at(arc_length, stations, log_profiles(scene.vessel.profile_mm))
    cost = turn_costs(blurred(_centred(mine), frames), blurred(_centred(theirs), frames), settings.turns)
    cost[np.interp(arc_length, stations, scene.vessel.valid.astype(float)) <= 0.5] = 0.0
    moves = turn_moves(start, frame_mm=settings.frame_mm, turns=settings.turns, price=settings.turn_price)
    _, turn, _ = cheapest_course(settings.frame_mm * cost[:, None, :], turns=moves)
    return smooth_rotation(start, depth, turn, settings.turns, settings.turn_blur_mm / settings.frame_mm)


def _centred(profiles: FloatArray) -> FloatArray:
    return profiles - profiles.mean(axis=1, keepdims=True)
