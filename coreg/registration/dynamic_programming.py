"""One dynamic programme over frame, place and rotation.

After Zhang L., Wahle A., Chen Z., Zhang L., Downe R. W., Kovarnik T., Sonka M. Simultaneous registration
of location and orientation in intravascular ultrasound pullbacks pairs via 3D graph-based optimization.
IEEE Transactions on Medical Imaging 34(12), 2550-2561, 2015. There two pullbacks were aligned by what
their images show; here a pullback is aligned with a CCTA by radial profiles of the lumen. Every frame
takes a place on the vessel and a rotation at once, neighbours may differ by few steps, and the sum of
all differences and of all steps is least, for certain, among all courses on the grid.
"""

from __future__ import annotations

from collections.abc import Iterator
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
from coreg.registration.radial_costs import log_profiles, turn_costs
from coreg.registration.scene import Scene

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class DynamicProgramming:
    """The grid of a dynamic programme, and its prices.

    Attributes
    ----------
    frame_mm, place_mm : float
        Steps along the pullback and along the vessel.
    turns : int
        Rotations of the grid.
    reach_mm : float
        How far from the start's line a frame may be put.
    smooth_mm, around_mm : float
        Profiles are averaged over the one; of their mean only what differs from its average over the
        other is compared, since the radius scale drifts along the vessel.
    size_weight : float
        Weight of the profile's mean against that of its shape.
    differing : float
        Mean square difference of two profiles beyond which it hardly matters how much.
    outside : float
        Cost of a frame beyond the vessel.
    fastest : float
        Most vessel mm per pullback mm; the catheter never turns back.
    speed_price, turn_price : float
        Of a departure from the start's speed, per mm, squared; and from its twist, in rad per mm.
    place_blur_mm, turn_blur_mm : float
        Steps are smoothed over so much of the pullback.
    """

    frame_mm: float = 0.2
    place_mm: float = 0.1
    turns: int = 144
    reach_mm: float = 4.5
    smooth_mm: float = 0.2
    around_mm: float = 2.0
    size_weight: float = 0.5
    differing: float = 0.02
    outside: float = 0.006
    fastest: float = 3.0
    speed_price: float = 0.03
    turn_price: float = 0.1
    place_blur_mm: float = 0.3
    turn_blur_mm: float = 1.0


def dynamic_programmed(scene: Scene, start: Start, settings: DynamicProgramming | None = None) -> Placement:
    """Place and turn all frames at once.

    Parameters
    ----------
    scene : Scene
        What is registered.
    start : Start
        Line about which places are sought; its radius scale is kept.
    settings : DynamicProgramming, optional
        Grid and prices.

    Returns
    -------
    Placement
        With the lumen's middle on the vessel's axis; ``cost`` is per mm of pullback.
    """
    settings = settings or DynamicProgramming()
    depth = even_depths_mm(scene, settings.frame_mm)
    line = start.arc_length_mm + start.stretch * depth
    reach = round(settings.reach_mm / settings.place_mm)
    off = settings.place_mm * np.arange(-reach, reach + 1, dtype=np.float64)
    places = place_moves(
        start,
        frame_mm=settings.frame_mm,
        place_mm=settings.place_mm,
        fastest=settings.fastest,
        price=settings.speed_price,
    )
    turns = turn_moves(start, frame_mm=settings.frame_mm, turns=settings.turns, price=settings.turn_price)
    costs = _costs(scene, depth, line[:, None] + off, settings)
    place, turn, cost = cheapest_course(costs, places=places, turns=turns)
    arc_length = line + blurred(off[place], settings.place_blur_mm / settings.frame_mm)
    steps = settings.turn_blur_mm / settings.frame_mm
    rotation = smooth_rotation(start, depth, turn, settings.turns, steps)
    functions = functions_of_course(scene, start, depth, arc_length, rotation)
    return Placement(functions, start.log_scale, cost / float(np.ptp(depth)))


def _costs(
    scene: Scene, depth: FloatArray, at: FloatArray, settings: DynamicProgramming
) -> Iterator[FloatArray]:
    """Cost (J, turns) of every frame at its places: row i of ``at`` (M, J)."""
    vessel, stations = scene.vessel, scene.vessel.arc_length_mm
    grid = even_places_mm(scene, settings.place_mm)
    theirs = columns_at(grid, stations[vessel.valid], log_profiles(vessel.profile_mm[vessel.valid]))
    theirs = _comparable(theirs, settings.place_mm, settings)
    mine = columns_at(depth, scene.seen.depth_mm, log_profiles(scene.seen.profile_mm))
    mine = _comparable(mine, settings.frame_mm, settings)
    inside = np.interp(at, stations, vessel.valid.astype(float), left=0.0, right=0.0) > 0.5
    for profile, places, within in zip(mine, at, inside, strict=True):
        square = turn_costs(profile, columns_at(places, grid, theirs), settings.turns)
        cost = settings.differing * -np.expm1(-square / settings.differing)
        cost[~within] = settings.outside
        yield settings.frame_mm * cost


def _comparable(profiles: FloatArray, step_mm: float, settings: DynamicProgramming) -> FloatArray:
    """Smooth log profiles (M, A), and of their mean keep what stands out from around, by its weight."""
    smooth = blurred(profiles, settings.smooth_mm / step_mm)
    size = smooth.mean(axis=1, keepdims=True)
    local = size - blurred(size, settings.around_mm / step_mm)
    return np.asarray(smooth - size + np.sqrt(settings.size_weight) * local)
