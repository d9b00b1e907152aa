"""What would be reached from the truth: it tells errors of the search from those of the refinement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from oracles import true_functions, true_rigid_functions

from coreg.case import Case
from coreg.catheter_path import VirtualCatheterPath
from coreg.registration import search, torch_device
from coreg.registration.baselines import REASONS, baseline_outcome
from coreg.registration.detours import with_detours
from coreg.registration.global_start import TWISTS_RAD, Start, find_starts
from coreg.registration.motion_prior import spline_basis
from coreg.registration.outcome import nonrigid_outcome, placed_outcome
from coreg.registration.path_model import PathModel
from coreg.registration.placement import Placement
from coreg.registration.scene import Scene, prepare_scene
from coreg.registration.search import (
    COARSE,
    FINE,
    MIDDLE,
    SHARP,
    Candidates,
    Level,
    from_starts,
    on_level,
    sharpened,
    with_flips,
)
from coreg.result import Registration
from coreg.settings import RegistrationSettings

LEVELS = (COARSE, MIDDLE, FINE, SHARP)


def from_true_poses(case: Case, truth: VirtualCatheterPath) -> Registration:
    """Refine the exact arc length and rotation on the finest level: the search cannot do better."""
    scene = prepare_scene(case, RegistrationSettings(), torch_device("auto"))
    exact = true_functions(scene, truth)
    # Offsets and radii are left to the refinement, as they are after a global start.
    exact[2:] = 0.0
    start = _fitted(scene, exact, truth.position_mm.max() - truth.position_mm, FINE)
    fine = on_level(start, scene.tensors, scene.seen, scene.settings, FINE)
    return refined_outcome(scene, starts_of(scene, count=1)[0], fine, fine)


def _fitted(scene: Scene, functions: np.ndarray, depth_mm: np.ndarray, level: Level) -> Candidates:
    """Splines of least squares through functions (F, N) of depths (N,), with no radius scale."""
    model = PathModel.build(
        scene.tensors,
        scene.seen,
        scene.settings,
        knot_spacing_mm=level.knot_spacing_mm,
        frames=level.frames,
        points=level.points,
    )
    table = np.linalg.lstsq(spline_basis(depth_mm, model.knots_mm), functions.T)[0].T
    flat = np.append(table.ravel(), 0.0)
    coefficients = torch.as_tensor(flat, dtype=torch.float64, device=scene.device)[None]
    return Candidates(model, coefficients, np.array([np.nan]))


def true_rigid(case: Case, truth: VirtualCatheterPath) -> Registration:
    """Place a pullback by lines through its exact arc length and rotation: no rigid start can do better."""
    scene = prepare_scene(case, RegistrationSettings(), torch_device("auto"))
    placement = Placement(true_rigid_functions(scene, truth), 0.0, float("nan"))
    rigid = starts_of(scene, count=1)[0]
    return placed_outcome(scene, rigid, placement, method="true-rigid", reason="Placed by its truth.")


def from_true_start(name: str, case: Case, truth: VirtualCatheterPath) -> Registration:
    """Place by a baseline, or else by our refinement, from the best rigid start that the truth gives."""
    scene = prepare_scene(case, RegistrationSettings(), torch_device("auto"))
    start = true_start(scene, truth)
    return baseline_outcome(scene, start, start, name) if name in REASONS else refined(scene, [start])


def true_start(scene: Scene, truth: VirtualCatheterPath) -> Start:
    """Lines through the exact arc length and rotation, with the global start's radius scale."""
    depth = truth.position_mm.max() - truth.position_mm
    (stretch, twist), (arc_length, rotation) = np.polyfit(depth, true_rigid_functions(scene, truth)[:2].T, 1)
    return replace(
        starts_of(scene, count=1)[0],
        arc_length_mm=float(arc_length),
        stretch=float(stretch),
        rotation_rad=float(rotation + 0.5 * twist * scene.seen.depth_mm.max()),
        twist_rad_per_mm=float(twist),
    )


def starts_of(scene: Scene, *, count: int, twists_rad: tuple[float, ...] = TWISTS_RAD) -> list[Start]:
    """Find a scene's starts; by default all twists are tried."""
    return find_starts(
        scene.vessel,
        scene.seen,
        count=count,
        scale_sd=scene.settings.radius_scale_sd,
        minimum_overlap=scene.settings.minimum_overlap,
        twists_rad=twists_rad,
    )


def refined(
    scene: Scene, starts: list[Start], levels: Sequence[Level] = LEVELS, *, detours: bool = True
) -> Registration:
    """Refine starts coarse to fine, as `register` does, without its look at the mirror image."""
    settings = scene.settings
    coarse = from_starts(scene.tensors, scene.seen, settings, with_flips(starts), levels[0])
    middle = on_level(coarse, scene.tensors, scene.seen, settings, levels[1])
    fine = on_level(middle, scene.tensors, scene.seen, settings, levels[2])
    if detours:
        (fine,) = with_detours([fine], [scene], guides=[()])
    return refined_outcome(scene, starts[0], middle, fine, levels[3])


def refined_outcome(
    scene: Scene, rigid: Start, middle: Candidates, fine: Candidates, last: Level = SHARP
) -> Registration:
    """Judge candidates; the mirror image was not looked at, so it fits infinitely badly."""
    mirrored = Candidates(middle.model, middle.coefficients[:1], np.array([np.inf]))
    (sharp,) = search.refined([sharpened(fine, len(scene.seen.row))], last)
    return nonrigid_outcome(
        scene, rigid, {"middle": middle, "mirrored": mirrored, "fine": fine, "sharp": sharp}
    )
