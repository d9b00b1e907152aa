"""From a case to a registration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from coreg import __version__
from coreg.case import Case
from coreg.catheter_path import VirtualCatheterPath
from coreg.centerline import Centerline
from coreg.errors import InputError, RegistrationError
from coreg.pullback import Pullback
from coreg.registration.global_start import STRETCHES, TWISTS_RAD, Start, find_starts
from coreg.registration.observations import Observations, observe
from coreg.registration.path_model import FUNCTIONS, VesselTensors, poses, slope_operator
from coreg.registration.search import (
    COARSE,
    FINE,
    MIDDLE,
    Candidates,
    from_starts,
    on_level,
    with_flips,
    wrapped,
)
from coreg.registration.trust import FrameEvidence, Whole, frame_reasons, frame_sd, judge
from coreg.registration.vessel import Vessel, prepare_vessel, sample
from coreg.result import Hypothesis, Registration
from coreg.segmentation import centerline_from_label
from coreg.settings import RegistrationSettings
from coreg.surface import Surface

FloatArray = npt.NDArray[np.float64]
Progress = Callable[[str, float], None]
Method = Literal["nonrigid", "rigid"]

POINTS = 48
BEFORE_OSTIUM_MM = 15.0
SHORTEST_MM = 3.0
FEWEST_FRAMES = 5


def register(
    case: Case,
    *,
    settings: RegistrationSettings | None = None,
    method: Method = "nonrigid",
    device: str = "auto",
    progress: Progress | None = None,
) -> Registration:
    """Place a pullback in a CCTA.

    Parameters
    ----------
    case : Case
        Lumens of both modalities, and a centerline or two clicks.
    settings : RegistrationSettings, optional
        What is believed of catheters and lumens.
    method : str
        ``nonrigid``: the whole method. ``rigid``: the best shift and rotation only.
    device : str
        ``auto`` takes a CUDA device where there is one; ``cpu``; ``cuda``.
    progress : callable, optional
        Takes a stage's name and the share of all work that is done.

    Returns
    -------
    Registration
        With verdict and reasons.

    Raises
    ------
    InputError
        If the centerline does not lie in the lumen, or the label does not connect the clicks.
    RegistrationError
        If there is too little to register, or no placement overlaps enough.
    """
    settings = settings or RegistrationSettings()
    tell = progress or (lambda stage, share: None)

    tell("CCTA: centerline and lumen", 0.0)
    scene = _scene(case, settings, torch_device(device))
    tell("global start", 0.3)
    rigid = _starts(scene, count=1, stretches=(1.0,), twists_rad=(0.0,))[0]
    if method == "rigid":
        return _rigid_result(scene, rigid)
    starts = _starts(scene, count=settings.hypotheses)
    tell("coarse paths", 0.45)
    coarse = from_starts(scene.tensors, scene.seen, settings, with_flips(starts), COARSE)
    middle = on_level(coarse, scene.tensors, scene.seen, settings, MIDDLE)
    tell("mirror image", 0.6)
    mirrored = _mirrored(scene)
    tell("fine path", 0.75)
    fine = on_level(middle, scene.tensors, scene.seen, settings, FINE)
    tell("confidence", 0.95)
    return _nonrigid_result(scene, rigid, coarse, middle, mirrored, fine)


def torch_device(name: str) -> torch.device:
    """Return the device that a name stands for; ``auto`` prefers CUDA."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        msg = f"device {name!r} is not available: torch finds no CUDA device"
        raise ValueError(msg)
    return torch.device(name)


def vessel_centerline(case: Case) -> Centerline:
    """Return the centerline of the case's vessel: as given, else from the lumen label.

    Raises
    ------
    InputError
        If neither a centerline nor a label with two clicks is there.
    """
    if case.tree is not None:
        return case.tree.vessel(case.ostium_mm, case.distal_mm)
    if isinstance(case.lumen, Surface) or case.ostium_mm is None or case.distal_mm is None:
        msg = (
            "ccta.centerline: found none, expected one, or a label image as ccta.lumen together with ccta.ostium "
            "and ccta.distal, from which it can be found"
        )
        raise InputError(msg)
    return centerline_from_label(case.lumen, case.ostium_mm, case.distal_mm)


@dataclass(frozen=True, eq=False)
class _Scene:
    """Everything a registration looks at."""

    case: Case
    settings: RegistrationSettings
    device: torch.device
    centerline: Centerline
    vessel: Vessel
    tensors: VesselTensors
    seen: Observations


def _scene(case: Case, settings: RegistrationSettings, device: torch.device) -> _Scene:
    centerline = vessel_centerline(case)
    vessel = prepare_vessel(case.lumen, _from_ostium(centerline))
    if vessel.valid.mean() < 0.3:
        msg = (
            f"ccta.centerline: {vessel.valid.mean():.0%} of it lies in a vessel of ccta.lumen, expected most of it; "
            "are both of one patient and in LPS?"
        )
        raise InputError(msg)
    seen = observe(case.pullback, points=POINTS, correlation_mm2=settings.correlation_mm2)
    _check_enough(seen)
    return _Scene(case, settings, device, centerline, vessel, VesselTensors.on(vessel, device), seen)


def _from_ostium(centerline: Centerline) -> Centerline:
    """Leave off what lies far before the ostium: the aorta and beyond."""
    keep = centerline.arc_length_mm >= -BEFORE_OSTIUM_MM
    if keep.all() or keep.sum() < 2:
        return centerline
    points = centerline.points_mm[keep]
    return Centerline(points, None, float(-centerline.arc_length_mm[keep][0]))


def _check_enough(seen: Observations) -> None:
    if len(seen.row) < FEWEST_FRAMES:
        msg = f"pullback: {len(seen.row)} frames have a contour and a say; registration needs {FEWEST_FRAMES}"
        raise RegistrationError(msg)
    length = float(np.ptp(seen.depth_mm))
    if length < SHORTEST_MM:
        msg = f"pullback: its outlined frames span {length:.2f} mm; registration needs {SHORTEST_MM:g} mm"
        raise RegistrationError(msg)


def _starts(
    scene: _Scene,
    *,
    count: int,
    stretches: tuple[float, ...] = STRETCHES,
    twists_rad: tuple[float, ...] = TWISTS_RAD,
) -> list[Start]:
    starts = find_starts(
        scene.vessel,
        scene.seen,
        count=count,
        scale_sd=scene.settings.radius_scale_sd,
        minimum_overlap=scene.settings.minimum_overlap,
        stretches=stretches,
        twists_rad=twists_rad,
    )
    if not starts:
        valid = scene.vessel.arc_length_mm[scene.vessel.valid]
        msg = (
            f"global start: no placement puts {scene.settings.minimum_overlap:.0%} of the pullback "
            f"({np.ptp(scene.seen.depth_mm):.1f} mm) in the CCTA's vessel ({np.ptp(valid):.1f} mm)"
        )
        raise RegistrationError(msg)
    return starts


def _mirrored(scene: _Scene) -> Candidates:
    """Refine the mirror image as far as the hypotheses are compared."""
    settings = scene.settings
    seen = observe(
        scene.case.pullback, points=POINTS, correlation_mm2=settings.correlation_mm2, mirrored=True
    )
    starts = find_starts(
        scene.vessel,
        seen,
        count=settings.hypotheses,
        scale_sd=settings.radius_scale_sd,
        minimum_overlap=settings.minimum_overlap,
    )
    coarse = from_starts(scene.tensors, seen, settings, with_flips(starts), COARSE)
    return on_level(coarse, scene.tensors, seen, settings, MIDDLE)


def _rigid_functions(start: Start, seen: Observations, depth_mm: FloatArray) -> FloatArray:
    """Functions (5, N) of a rigid placement."""
    functions = np.zeros((FUNCTIONS, len(depth_mm)))
    functions[0] = start.arc_length_mm + start.stretch * depth_mm
    functions[1] = start.rotation_rad + start.twist_rad_per_mm * (depth_mm - 0.5 * seen.depth_mm.max())
    return functions


def _depth(pullback: Pullback) -> FloatArray:
    return pullback.position_mm.max() - pullback.position_mm


def _world_poses(scene: _Scene, functions: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Catheter centres and image axes, each (N, 3), of all frames."""
    depth = _depth(scene.case.pullback)
    centre = np.stack(
        [np.interp(depth, scene.seen.depth_mm, each) for each in scene.seen.centre_mm.T], axis=1
    )

    def tensor(array: FloatArray) -> torch.Tensor:
        return torch.as_tensor(array, dtype=torch.float64, device=scene.device)

    origin, column, row = (
        each[0].cpu().numpy()
        for each in poses(
            scene.tensors, tensor(functions[None]), tensor(centre), tensor(slope_operator(depth))
        )
    )
    return origin, column, -row if scene.case.pullback.view == "looking-proximal" else row


def _path(
    scene: _Scene, functions: FloatArray, posed: npt.NDArray[np.bool_], reason: tuple[str, ...]
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


def _residual_mm(scene: _Scene, functions: FloatArray, log_scale: float) -> FloatArray:
    """Root-mean-square distance (N,) of lumen points from the CCTA's surface after the radius scale."""
    seen = scene.seen
    origin, column, row = _world_poses(scene, functions)
    if scene.case.pullback.view == "looking-proximal":
        row = -row
    x, y = seen.points_mm[..., :1], seen.points_mm[..., 1:]
    at = seen.row
    world = origin[at, None] + x * column[at, None] + y * row[at, None]
    away = sample(scene.vessel.distance, world) + log_scale * seen.radius_mm[:, None]
    square = (seen.seen * away**2).sum(axis=1) / np.maximum(seen.seen.sum(axis=1), 1.0)
    residual = np.full(len(scene.case.pullback), np.nan)
    residual[at] = np.sqrt(square)
    return residual


def _hypotheses(scene: _Scene, candidates: Candidates, *, mirrored: bool = False) -> list[Hypothesis]:
    depth = scene.seen.depth_mm
    found = []
    for functions, cost in zip(candidates.functions_at(depth), candidates.cost, strict=True):
        turn = float(np.angle(np.exp(1j * functions[1]).mean()))
        stretch = float(np.polyfit(depth, functions[0], 1)[0])
        found.append(
            Hypothesis(float(functions[0, -1]), float(np.degrees(turn)), stretch, float(cost), mirrored)
        )
    return found


def _rigid_result(scene: _Scene, start: Start) -> Registration:
    pullback = scene.case.pullback
    functions = _rigid_functions(start, scene.seen, _depth(pullback))
    residual = _residual_mm(scene, functions, start.log_scale)
    path, _ = _judged_path(scene, functions, residual, np.zeros(len(pullback)), np.zeros(len(pullback)))
    hypothesis = Hypothesis(
        float(functions[0, -1]), float(np.degrees(wrapped(start.rotation_rad))), start.stretch, start.cost
    )
    return Registration(
        path=path,
        rigid_path=path,
        centerline=scene.centerline,
        verdict="review",
        reasons=("Rigid placement only: it follows neither the catheter's motion nor its rotation.",),
        radius_scale=float(np.exp(start.log_scale)),
        margin=float("nan"),
        hypotheses=(hypothesis,),
        costs={"rigid": start.cost},
        residual_mm=residual,
        settings={**asdict(scene.settings), "method": "rigid"},
        provenance=_provenance(scene.device),
    )


def _judged_path(
    scene: _Scene, functions: FloatArray, residual: FloatArray, arc_sd: FloatArray, turn_sd: FloatArray
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


def _nonrigid_result(
    scene: _Scene,
    rigid: Start,
    coarse: Candidates,
    middle: Candidates,
    mirrored: Candidates,
    fine: Candidates,
) -> Registration:
    pullback, seen = scene.case.pullback, scene.seen
    depth = _depth(pullback)
    functions = fine.functions_at(depth)[0]
    log_scale = float(fine.log_scale[0])
    residual = _residual_mm(scene, functions, log_scale)
    arc_sd, turn_sd = frame_sd(fine, depth, FINE)
    path, reason = _judged_path(scene, functions, residual, arc_sd, turn_sd)
    rigid_functions = _rigid_functions(rigid, seen, depth)
    rigid_path = _path(scene, rigid_functions, np.ones(len(pullback), dtype=bool), ("",) * len(pullback))

    margin = float(middle.cost[1] / middle.cost[0] - 1.0) if len(middle.cost) > 1 else float("inf")
    mirror_margin = float(mirrored.cost[0] / middle.cost[0] - 1.0) if len(mirrored.cost) else float("inf")
    inside = (functions[0] >= scene.tensors.first_mm) & (functions[0] <= scene.tensors.last_mm)
    has_say = np.isin(np.arange(len(pullback)), seen.row)
    counted = inside & has_say
    line = np.polyfit(depth, functions[0], 1)[0], np.polyfit(depth, functions[1], 1)[0]
    whole = Whole(
        margin=margin,
        mirror_margin=mirror_margin,
        median_residual_mm=float(np.median(residual[counted])) if counted.any() else np.inf,
        inside_share=float(inside[has_say].mean()),
        trusted_share=float(np.mean([reason[i] == "" for i in np.flatnonzero(counted)]))
        if counted.any()
        else 0.0,
        turned_share=float(np.mean(["rotation" not in reason[i] for i in np.flatnonzero(counted)])),
        stretch=float(line[0]),
        twist_deg_per_mm=float(np.degrees(line[1])),
        radius_scale=float(np.exp(log_scale)),
    )
    verdict, reasons = judge(whole)
    hypotheses = _hypotheses(scene, middle) + _hypotheses(scene, mirrored, mirrored=True)[:1]
    return Registration(
        path=path,
        rigid_path=rigid_path,
        centerline=scene.centerline,
        verdict=verdict,
        reasons=reasons,
        radius_scale=whole.radius_scale,
        margin=margin,
        hypotheses=tuple(hypotheses),
        costs={
            "rigid": rigid.cost,
            "coarse": float(coarse.cost[0]),
            "middle": float(middle.cost[0]),
            "mirrored": float(mirrored.cost[0]) if len(mirrored.cost) else float("nan"),
            "fine": float(fine.cost[0]),
        },
        residual_mm=residual,
        settings={**asdict(scene.settings), "method": "nonrigid"},
        provenance=_provenance(scene.device),
    )


def _provenance(device: torch.device) -> dict[str, str]:
    return {
        "coreg": __version__,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        **{name: version(name) for name in ("numpy", "scipy", "torch")},
    }
