"""From the search's candidates to a registration: poses, evidence, verdict."""

from __future__ import annotations

from dataclasses import asdict, replace
from importlib.metadata import version

import numpy as np
import numpy.typing as npt
import torch

from coreg import __version__
from coreg.catheter_path import VirtualCatheterPath
from coreg.registration.global_start import Start
from coreg.registration.likeness import Likeness
from coreg.registration.path_model import poses
from coreg.registration.placement import Placement, frame_depth_mm, rigid_functions
from coreg.registration.scene import Scene
from coreg.registration.search import FINE, Candidates, wrapped
from coreg.registration.trust import (
    DIFFERENT_MM,
    FrameEvidence,
    Whole,
    frame_reasons,
    judge,
    place_and_turn_sd,
    sd_of_no_knowledge,
    shape_rotation_sd,
)
from coreg.result import Hypothesis, Registration

FloatArray = npt.NDArray[np.float64]

DOUBT = 0.25
RIGID_ONLY = "Rigid placement only: it follows neither the catheter's motion nor its rotation."


def rigid_outcome(scene: Scene, start: Start) -> Registration:
    """Make a registration of a rigid placement."""
    functions = rigid_functions(start, scene.seen, frame_depth_mm(scene))
    placement = Placement(functions, start.log_scale, start.cost)
    result = placed_outcome(scene, start, placement, method="rigid", reason=RIGID_ONLY)
    return replace(result, rigid_path=result.path)


def placed_outcome(
    scene: Scene, rigid: Start, placement: Placement, *, method: str, reason: str
) -> Registration:
    """Make a registration of given functions, for review: nothing else was compared with them.

    Parameters
    ----------
    scene : Scene
        What was registered.
    rigid : Start
        The best rigid placement, for comparison.
    placement : Placement
        Where all frames were put.
    method, reason : str
        The method's name, and why a person must look.
    """
    pullback = scene.case.pullback
    functions = placement.functions
    residual = _residual_mm(scene, functions, placement.log_scale)
    path, _ = _judged_path(scene, functions, residual, np.zeros(len(pullback)), np.zeros(len(pullback)))
    return Registration(
        path=path,
        rigid_path=unjudged_path(scene, rigid_functions(rigid, scene.seen, frame_depth_mm(scene))),
        centerline=scene.centerline,
        verdict="review",
        reasons=(reason,),
        radius_scale=float(np.exp(placement.log_scale)),
        margin=float("nan"),
        hypotheses=(_hypothesis(scene, functions, placement.cost),),
        costs={method: placement.cost},
        residual_mm=residual,
        settings={**asdict(scene.settings), "method": method},
        provenance=_provenance(scene.device),
    )


def nonrigid_outcome(scene: Scene, rigid: Start, stages: dict[str, Candidates]) -> Registration:
    """Make a registration of the search's stages.

    Parameters
    ----------
    scene : Scene
        What was registered.
    rigid : Start
        The best rigid placement.
    stages : dict of str to Candidates
        ``middle``, ``fine`` and ``sharp`` at least, ``mirrored`` where it was looked at; the costs of all
        are kept, but for that of ``sharp``, which weighs otherwise.
    """
    pullback, seen = scene.case.pullback, scene.seen
    middle, mirrored, sharp = stages["middle"], stages.get("mirrored"), stages["sharp"]
    depth = frame_depth_mm(scene)
    functions, log_scale = sharp.functions_at(depth)[0], float(sharp.log_scale[0])
    residual = _residual_mm(scene, functions, log_scale)
    # Of the fine level, whose doubts about walls are the honest ones.
    spread = place_and_turn_sd(replace(stages["fine"], coefficients=sharp.coefficients), depth, FINE)
    turn_sd = np.full(len(pullback), np.nan)
    turn_sd[seen.row] = shape_rotation_sd(scene.vessel, seen, functions[:, seen.row])
    path, reason = _judged_path(scene, functions, residual, spread[0], turn_sd)
    widest = sd_of_no_knowledge(first_mm=scene.tensors.first_mm, last_mm=scene.tensors.last_mm)
    spread = np.where(path.posed, np.minimum(spread, widest[:, None]), np.nan)
    path = replace(path, arc_length_sd_mm=spread[0], rotation_sd_rad=spread[1])
    rigid_path = unjudged_path(scene, rigid_functions(rigid, seen, depth))

    hypotheses = _hypotheses(scene, _found_first(middle, functions, depth))
    unlike = [] if mirrored is None else _hypotheses(scene, mirrored, mirrored=True)[:1]
    whole = replace(_whole(scene, stages, functions, residual, reason), runner_up=_runner_up(hypotheses))
    verdict, reasons = judge(whole)
    return Registration(
        path=path,
        rigid_path=rigid_path,
        centerline=scene.centerline,
        verdict=verdict,
        reasons=reasons,
        radius_scale=float(np.exp(log_scale)),
        margin=whole.margin,
        hypotheses=tuple(hypotheses + unlike),
        costs={name: float(stage.cost[0]) for name, stage in stages.items() if _costs_alike(name, stage)},
        residual_mm=residual,
        settings={**asdict(scene.settings), "method": "nonrigid"},
        provenance=_provenance(scene.device),
    )


def _costs_alike(name: str, stage: Candidates) -> bool:
    return name != "sharp" and len(stage.cost) > 0


def _whole(
    scene: Scene,
    stages: dict[str, Candidates],
    functions: FloatArray,
    residual_mm: FloatArray,
    reason: tuple[str, ...],
) -> Whole:
    pullback, seen, depth = scene.case.pullback, scene.seen, frame_depth_mm(scene)
    middle = stages["middle"]
    best = middle.cost[0]
    margin = float(middle.cost[1] / best - 1.0) if len(middle.cost) > 1 else float("inf")
    inside = (functions[0] >= scene.tensors.first_mm) & (functions[0] <= scene.tensors.last_mm)
    has_say = np.isin(np.arange(len(pullback)), seen.row)
    counted = inside & has_say
    line = np.polyfit(depth, functions[0], 1)[0], np.polyfit(depth, functions[1], 1)[0]
    return Whole(
        margin=margin,
        mirror_margin=_margin(stages.get("mirrored"), best),
        backward_margin=_margin(stages.get("backward"), best),
        swapped_margin=_margin(stages.get("swapped"), best),
        median_residual_mm=float(np.median(residual_mm[counted])) if counted.any() else np.inf,
        inside_share=float(inside[has_say].mean()),
        trusted_share=float(np.mean([reason[i] == "" for i in np.flatnonzero(counted)]))
        if counted.any()
        else 0.0,
        turned_share=float(np.mean(["rotation" not in reason[i] for i in np.flatnonzero(counted)]))
        if counted.any()
        else 0.0,
        stretch=float(line[0]),
        twist_deg_per_mm=float(np.degrees(line[1])),
        radius_scale=float(np.exp(stages["sharp"].log_scale[0])),
        differing_share=float((residual_mm[counted] > DIFFERENT_MM).mean()) if counted.any() else 1.0,
    )


def doubtful(found: Candidates, mirrored: Candidates) -> bool:
    """Whether the fit is so poor or so little distinct that the frames' order should be questioned too."""
    return bool(_margin(mirrored, found.cost[0]) < DOUBT or found.cost[0] > found.model.null)


def _margin(other: Candidates | None, cost: float) -> float:
    """Cost of the best of other candidates over a cost, minus 1."""
    return float(other.cost[0] / cost - 1.0) if other is not None and len(other.cost) else float("inf")


def _world_poses(scene: Scene, functions: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Catheter centres and image axes, each (N, 3), of all frames."""
    depth = frame_depth_mm(scene)
    centre = np.stack(
        [np.interp(depth, scene.seen.depth_mm, each) for each in scene.seen.centre_mm.T], axis=1
    )

    def tensor(array: FloatArray) -> torch.Tensor:
        return torch.as_tensor(array, dtype=torch.float64, device=scene.device)

    origin, column, row = (
        each[0].cpu().numpy()
        for each in poses(scene.tensors, tensor(functions[None]), tensor(centre), scene.slope)
    )
    return origin, column, -row if scene.case.pullback.view == "looking-proximal" else row


def _path(
    scene: Scene, functions: FloatArray, posed: npt.NDArray[np.bool_], reason: tuple[str, ...]
) -> VirtualCatheterPath:
    pullback = scene.case.pullback
    origin, column, row = _world_poses(scene, functions)
    arc_length = scene.centerline.nearest_arc_length(origin)
    frames = scene.centerline.frames_at(arc_length)
    rotation = np.arctan2(
        np.einsum("ij,ij->i", column, frames[..., 1]), np.einsum("ij,ij->i", column, frames[..., 0])
    )
    for array in (arc_length, rotation, origin, column, row):
        array[~posed] = np.nan
    reliable = posed & (np.array(reason) == "")
    return VirtualCatheterPath(
        pullback.frame, pullback.position_mm, arc_length, rotation, origin, column, row, reliable, reason
    )


def _judged_path(
    scene: Scene, functions: FloatArray, residual: FloatArray, arc_sd: FloatArray, turn_sd: FloatArray
) -> tuple[VirtualCatheterPath, tuple[str, ...]]:
    evidence = FrameEvidence(functions[0], arc_sd, turn_sd, residual)
    posed, reason = frame_reasons(
        scene.case.pullback,
        scene.seen,
        evidence,
        first_mm=scene.tensors.first_mm,
        last_mm=scene.tensors.last_mm,
    )
    return _path(scene, functions, posed, reason), reason


def _residual_mm(scene: Scene, functions: FloatArray, log_scale: float) -> FloatArray:
    """Root-mean-square distance (N,) of lumen points from the CCTA's surface after the radius scale."""
    return Likeness.of(scene).residual_of(*_world_poses(scene, functions), log_scale=log_scale)


def _hypotheses(scene: Scene, candidates: Candidates, *, mirrored: bool = False) -> list[Hypothesis]:
    pairs = zip(candidates.functions_at(frame_depth_mm(scene)), candidates.cost, strict=True)
    return [_hypothesis(scene, functions, float(cost), mirrored=mirrored) for functions, cost in pairs]


def _hypothesis(scene: Scene, functions: FloatArray, cost: float, *, mirrored: bool = False) -> Hypothesis:
    path = unjudged_path(scene, functions)
    turn = float(np.degrees(np.angle(np.exp(1j * path.rotation_rad).mean())))
    stretch = float(np.polyfit(frame_depth_mm(scene), functions[0], 1)[0])
    return Hypothesis(float(path.arc_length_mm[-1]), turn, stretch, cost, mirrored)


def unjudged_path(scene: Scene, functions: FloatArray) -> VirtualCatheterPath:
    """Poses of all frames by functions (5, N), none of them doubted."""
    count = functions.shape[1]
    return _path(scene, functions, np.ones(count, dtype=bool), ("",) * count)


def _found_first(compared: Candidates, functions: FloatArray, depth_mm: FloatArray) -> Candidates:
    """Put the placement that became the path first: later stages may choose the second."""
    away = np.abs(compared.functions_at(depth_mm)[:, 0] - functions[0]).mean(axis=1)
    away += np.abs(wrapped(compared.functions_at(depth_mm)[:, 1] - functions[1])).mean(axis=1)
    rest = [i for i in range(len(away)) if i != away.argmin()]
    order = [int(away.argmin()), *rest]
    return replace(compared, coefficients=compared.coefficients[order], cost=compared.cost[order])


def _runner_up(hypotheses: list[Hypothesis]) -> str:
    """Say how the best other placement differs from the one that was found."""
    if len(hypotheses) < 2:
        return ""
    first, second = hypotheses[:2]
    turn = abs(float(np.degrees(wrapped(np.radians(second.rotation_deg - first.rotation_deg)))))
    shift = second.arc_length_mm - first.arc_length_mm
    way = "distal" if shift >= 0.0 else "proximal"
    return f"turned by {turn:.0f} degrees and {abs(shift):.1f} mm further {way} at the distal end"


def _provenance(device: torch.device) -> dict[str, str]:
    return {
        "coreg": __version__,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        **{name: version(name) for name in ("numpy", "scipy", "SimpleITK", "torch")},
    }
