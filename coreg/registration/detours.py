"""Another course along the vessel: out of a dip in the cost that small steps cannot leave.

Where the catheter swings by more than a feature's length, refinement settles for the nearest wall that
looks alike. A dynamic programme sees all places within reach at once: it moves every frame along the
vessel, cheaply measured by radial profiles, at the price of uneven motion. Its course is a start like
any other: it is refined, and taken only if it ends at a lower cost.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from coreg.registration.cheapest_course import Moves, cheapest_course
from coreg.registration.each_case import Each
from coreg.registration.guides import Guide
from coreg.registration.motion_prior import spline_basis
from coreg.registration.path_model import NULL_MM
from coreg.registration.scene import Scene
from coreg.registration.search import FINE, Candidates, Level, Paths, refined
from coreg.registration.vessel import ANGLES

FloatArray = npt.NDArray[np.float64]

REACH_MM, STEP_MM = 6.0, 0.25
TURNS_RAD = np.radians(np.arange(-16.0, 17.0, 4.0))
TURN_SD_RAD = np.radians(22.0)
# Of the wandering that a course may show: twice the usual swing, since it is to find what is unusual.
WANDER_MM, WANDER_LENGTH_MM = 0.8, 1.2
FASTEST_STEP_MM = 3.0
ROUNDS = 2
# Less of the whole pullback's cost would not show.
ENOUGH = 0.05


def with_detours(
    found: Sequence[Candidates],
    scenes: Sequence[Scene],
    *,
    guides: Sequence[Sequence[Guide]],
    each: Each = map,
) -> list[Candidates]:
    """Leave each case's best path for another course along the vessel where that ends at a lower cost.

    Parameters
    ----------
    found : sequence of Candidates
        Of each case, refined on the fine level.
    scenes : sequence of Scene
        What is registered.
    guides : sequence of sequences of Guide
        Landmarks that have a say in each case's cost.
    each : callable
        As `map`; may use threads.

    Returns
    -------
    list of Candidates
        Those of ``found``, or better ones.
    """
    best, going = list(found), list(range(len(found)))
    for _ in range(ROUNDS):
        courses = list(each(lambda i: _other_course(best[i], scenes[i], guides[i]), going))
        others = dict(zip(going, refined(courses, FINE, tolerance=ENOUGH), strict=True))
        going = [i for i in going if _much_better(others[i], best[i], scenes[i])]
        for i in going:
            best[i] = others[i]
    return best


def _other_course(found: Candidates, scene: Scene, guides: Sequence[Guide]) -> Paths:
    start = _along(found, offsets_mm(found, scene), scene.seen.depth_mm)
    return Paths(found.model, start, len(scene.seen.row), guides)


def _much_better(other: Candidates, found: Candidates, scene: Scene) -> bool:
    return bool(other.cost[0] <= found.cost[0] - ENOUGH / len(scene.seen.row))


def offsets_mm(found: Candidates, scene: Scene, *, level: Level = FINE) -> FloatArray:
    """How far along the vessel the cheapest course puts each frame with a say from where it is, (M,)."""
    seen = scene.seen
    rows = np.arange(0, len(seen.row), max(1, len(seen.row) // level.frames))
    depth = seen.depth_mm[rows]
    gap = max(float(np.median(np.diff(depth))), 1e-3) if len(depth) > 1 else 1.0
    tried = np.arange(-REACH_MM, REACH_MM + 1e-9, STEP_MM)
    costs = moved_costs(found, scene, rows, tried, width_mm=level.width_mm) * len(seen.row) / len(rows)
    costs = costs + 0.25 * gap / WANDER_LENGTH_MM * (tried / WANDER_MM) ** 2
    steps = np.arange(-round(FASTEST_STEP_MM / STEP_MM), round(FASTEST_STEP_MM / STEP_MM) + 1)
    price = 0.25 * (STEP_MM / WANDER_MM) ** 2 * WANDER_LENGTH_MM / gap
    place, _, _ = cheapest_course(costs[:, :, None], places=Moves.quadratic(steps, usual=0.0, weight=price))
    return np.asarray(np.interp(seen.depth_mm, depth, tried[place]))


def moved_costs(
    found: Candidates,
    scene: Scene,
    rows: npt.NDArray[np.int64],
    tried_mm: FloatArray,
    *,
    width_mm: float,
) -> FloatArray:
    """Cost (R, D) of some frames with a say, were they at other places along the vessel.

    Parameters
    ----------
    found : Candidates
        The best one's rotation, radius scale and radius difference are kept; rotation may give way a little.
    scene : Scene
        What is registered.
    rows : (R,) int array
        Of the frames with a say.
    tried_mm : (D,) array
        Offsets from where the frames are, mm of the vessel's axis.
    width_mm : float
        Where the loss saturates.
    """
    seen, patch_mm = scene.seen, scene.settings.surface.patch_mm
    functions = found.functions_at(seen.depth_mm[rows])[0]
    place = functions[0][:, None] + tried_mm
    theirs = _profiles_at(scene, place)
    mine = seen.profile_mm[rows] + (found.log_scale[0] * seen.radius_mm[rows] + functions[4])[:, None]
    cost = np.full(place.shape, np.inf)
    for turn in TURNS_RAD:
        apart = theirs - _turned(mine, functions[1] + turn)[:, None]
        misfit = (width_mm / patch_mm) ** 2 * (1.0 - np.exp(-0.5 * (apart / width_mm) ** 2)).mean(axis=-1)
        cost = np.minimum(cost, misfit + 0.5 * (turn / TURN_SD_RAD) ** 2)
    inside = (place >= scene.tensors.first_mm) & (place <= scene.tensors.last_mm)
    nowhere = 0.5 * (NULL_MM / patch_mm) ** 2
    return np.asarray(np.where(inside, cost, nowhere) * seen.patches[rows, None])


def _profiles_at(scene: Scene, arc_length_mm: FloatArray) -> FloatArray:
    """Radial profiles (..., ANGLES) of the vessel at arc lengths (...), linear between stations."""
    stations, profile = scene.vessel.arc_length_mm, scene.vessel.profile_mm
    place = (arc_length_mm - stations[0]) / (stations[1] - stations[0])
    low = np.clip(np.floor(place).astype(int), 0, len(stations) - 2)
    share = np.clip(place - low, 0.0, 1.0)[..., None]
    return np.asarray((1.0 - share) * profile[low] + share * profile[low + 1])


def _turned(profile_mm: FloatArray, turn_rad: FloatArray) -> FloatArray:
    """Profiles (M, ANGLES) by angle in the vessel, from those by angle in images turned by (M,)."""
    shift = turn_rad * ANGLES / (2.0 * np.pi)
    whole = np.floor(shift).astype(int)
    share = (shift - whole)[:, None]
    angle = np.arange(ANGLES) - whole[:, None]
    near = np.take_along_axis(profile_mm, angle % ANGLES, axis=1)
    far = np.take_along_axis(profile_mm, (angle - 1) % ANGLES, axis=1)
    return (1.0 - share) * near + share * far


def _along(found: Candidates, offset_mm: FloatArray, depth_mm: FloatArray) -> torch.Tensor:
    """Coefficients (1, P) of the best path, moved along the vessel by offsets (M,) at depths (M,)."""
    basis = spline_basis(depth_mm, found.model.knots_mm)
    knots = basis.shape[1]
    # A light hand on knots without a frame near them.
    change = np.linalg.solve(basis.T @ basis + 0.3 * np.eye(knots), basis.T @ offset_mm)
    moved = found.coefficients[:1].clone()
    moved[0, :knots] += torch.as_tensor(change, dtype=moved.dtype, device=moved.device)
    return moved
