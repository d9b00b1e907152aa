"""A path found from one given placement, such as one made by hand: only places close by are looked at."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from coreg.case import Case
from coreg.catheter_path import VirtualCatheterPath
from coreg.centerline import Centerline
from coreg.landmarks import Landmark
from coreg.registration.by_hand import LocalPoses
from coreg.registration.coarse_to_fine import Progress
from coreg.registration.detours import with_detours
from coreg.registration.global_start import Start
from coreg.registration.guides import guides_of
from coreg.registration.motion_prior import spline_basis
from coreg.registration.path_model import FUNCTIONS, PathModel
from coreg.registration.placement import frame_depth_mm
from coreg.registration.register import silent, torch_device
from coreg.registration.resolve import Solved, finished, one_torch_thread
from coreg.registration.scene import Scene, prepare_scene
from coreg.registration.search import (
    COARSE,
    FINE,
    MIDDLE,
    SHARP,
    Candidates,
    level_model,
    on_level,
    refined,
    refined_on,
    sharpened,
    wrapped,
)
from coreg.settings import RegistrationSettings

FloatArray = npt.NDArray[np.float64]

ONLY_THIS = (
    "Found close to a given placement: neither places farther off nor the mirror image were compared with it."
)
# A hand is this rough. Steps are about as long as a start is drawn by the right place.
SHIFTS_MM = (0.0, -1.5, 1.5, -3.0, 3.0)
TURNS_RAD = tuple(float(each) for each in np.radians([0.0, -30.0, 30.0, -60.0, 60.0]))
# What has run farther from where it was placed, in the mean, is another place.
FARTHEST_MM, FARTHEST_RAD = 4.0, float(np.radians(75.0))
KEPT = 3
ALL_NEARBY = replace(COARSE, keep=len(SHIFTS_MM) * len(TURNS_RAD))


def solve_from(
    given: Case | Scene,
    path: VirtualCatheterPath,
    *,
    settings: RegistrationSettings | None = None,
    device: str = "auto",
    guides: Sequence[Landmark] = (),
    progress: Progress | None = None,
) -> Solved:
    """Bend a given placement until the lumens meet, by the nonrigid method with a search close by only.

    A placement by hand is rough, so that places up to 3 mm and rotations up to 60 degrees off are tried
    too. It stays a local search: a coarse path that has run more than 4 mm or 75 degrees from the
    placement, in the mean, is not taken, unless all have; of these the closest is.

    Parameters
    ----------
    given : Case or Scene
        What to register; a scene that is prepared already spares a second or two, and brings settings
        and device with it.
    path : VirtualCatheterPath
        Where to start: places along the vessel and rotations of the case's frames. Frames without a
        pose continue it. Offsets across the vessel and the radius scale are found anew.
    settings : RegistrationSettings, optional
        Of a case; not used with a scene.
    device : str
        ``auto``, ``cpu`` or ``cuda``; not used with a scene.
    guides : sequence of Landmark
        Paired landmarks that are to guide beside the lumens.
    progress : callable, optional
        Takes a stage's name and the share of all work that is done.

    Returns
    -------
    Solved
        Its verdict is ``review`` at best, since nothing farther off was compared. `resolve` and
        `left_out_errors` go on from it.

    Raises
    ------
    InputError
        If the centerline does not lie in the lumen, or the label does not connect the clicks.
    RegistrationError
        If the pullback has too few outlined frames, or they span too little.
    ValueError
        If the path has other frames than the case, no pose at all, or images that are mirrored against
        the case's view.
    """
    tell = progress or silent
    with one_torch_thread():
        if isinstance(given, Case):
            tell("CCTA: centerline and lumen", 0.0)
            given = prepare_scene(given, settings or RegistrationSettings(), torch_device(device))
        return _solved(given, path, guides, tell)


def _solved(scene: Scene, path: VirtualCatheterPath, landmarks: Sequence[Landmark], tell: Progress) -> Solved:
    functions, depth = placed_functions(scene, path), frame_depth_mm(scene)
    guides = guides_of(landmarks, scene.case.pullback, scene.seen)
    side = scene.tensors, scene.seen, scene.settings
    tell("coarse paths", 0.3)
    model = level_model(*side, COARSE)
    starts = _around(_coefficients(model, functions, depth))
    ends = refined_on(model, starts, scene.seen, ALL_NEARBY, guides)
    coarse = _nearest(ends, functions, depth)
    middle = on_level(coarse, *side, MIDDLE, guides=guides)
    tell("fine path", 0.5)
    fine = on_level(middle, *side, FINE, guides=guides)
    tell("other courses", 0.7)
    (fine,) = with_detours([fine], [scene], guides=[guides])
    (sharp,) = refined([sharpened(fine, len(scene.seen.row), guides)], SHARP)
    stages: dict[str, Candidates] = {"coarse": coarse, "middle": middle, "fine": fine, "sharp": sharp}
    return finished(scene, _straight(scene, functions, depth), stages, landmarks, doubt=ONLY_THIS)


def placed_functions(scene: Scene, path: VirtualCatheterPath) -> FloatArray:
    """Arc length and rotation (2, N) of a path along the axis of a scene's vessel.

    Parameters
    ----------
    scene : Scene
        What is registered.
    path : VirtualCatheterPath
        Poses of its pullback's frames; those without a pose continue the others.

    Returns
    -------
    (2, N) array
        In mm and unwrapped rad.

    Raises
    ------
    ValueError
        As `solve_from`.
    """
    pullback, vessel = scene.case.pullback, scene.vessel
    if not np.array_equal(path.frame, pullback.frame):
        msg = f"path has {len(path)} frames that are not the {len(pullback)} of case {scene.case.id}"
        raise ValueError(msg)
    axis = Centerline(vessel.points_mm, None, -float(vessel.arc_length_mm[0]))
    local = LocalPoses.of(path, axis, np.zeros((len(path), 2)))
    distal = float(np.median(local.sense)) > 0.0
    if distal != (pullback.view == "looking-distal"):
        msg = (
            f"path shows the images mirrored against pullback.view {pullback.view!r}; correct the view first"
        )
        raise ValueError(msg)
    return np.stack([local.place_mm, np.unwrap(np.arctan2(local.axes[:, 1, 0], local.axes[:, 0, 0]))])


def _coefficients(model: PathModel, functions: FloatArray, depth_mm: FloatArray) -> torch.Tensor:
    """Coefficients (1, P) of splines through functions (2, N) at depths (N,); the rest is zero."""
    knots = model.knots_mm
    dense = np.linspace(knots[1], knots[-2], 4 * len(knots))
    values = np.stack([np.interp(dense, depth_mm, each) for each in functions], axis=1)
    table = np.linalg.lstsq(spline_basis(dense, knots), values)[0].T
    flat = np.concatenate([table.ravel(), np.zeros((FUNCTIONS - 2) * len(knots) + 1)])
    return torch.as_tensor(flat, dtype=torch.float64, device=model.basis.device)[None]


def _around(placed: torch.Tensor) -> torch.Tensor:
    """Coefficients (H, P) of a path (1, P) and of those around it; splines move as their coefficients do."""
    knots = (placed.shape[1] - 1) // FUNCTIONS
    moved = placed.repeat(len(SHIFTS_MM) * len(TURNS_RAD), 1)
    steps = torch.tensor(
        list(itertools.product(SHIFTS_MM, TURNS_RAD)), dtype=placed.dtype, device=placed.device
    )
    moved[:, :knots] += steps[:, :1]
    moved[:, knots : 2 * knots] += steps[:, 1:]
    return moved


def _nearest(ends: Candidates, placed: FloatArray, depth_mm: FloatArray) -> Candidates:
    """Best candidates that are still close to a placement (2, N); the closest one where none is."""
    place, turn = np.moveaxis(ends.functions_at(depth_mm)[:, :2] - placed, 1, 0)
    far_mm, far_rad = (np.abs(each).mean(axis=1) for each in (place, wrapped(turn)))
    far = np.maximum(far_mm / FARTHEST_MM, far_rad / FARTHEST_RAD)
    close = np.flatnonzero(far <= 1.0)[:KEPT] if far.min() <= 1.0 else far.argmin(keepdims=True)
    return replace(ends, coefficients=ends.coefficients[torch.as_tensor(close)], cost=ends.cost[close])


def _straight(scene: Scene, functions: FloatArray, depth_mm: FloatArray) -> Start:
    """Lines through arc length and rotation (2, N), for comparison; their cost is not known."""
    (stretch, twist), (arc_length, rotation) = np.polyfit(depth_mm, functions.T, 1)
    half = 0.5 * float(scene.seen.depth_mm.max())
    return Start(
        float(arc_length), float(stretch), float(rotation + twist * half), float(twist), 0.0, float("nan")
    )
