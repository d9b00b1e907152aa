"""From a case to a registration."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Literal

import numpy as np
import torch

from coreg.case import Case
from coreg.errors import RegistrationError
from coreg.landmarks import Landmark
from coreg.registration.baselines import baseline_outcome
from coreg.registration.detours import with_detours
from coreg.registration.global_start import MANUAL_STRETCHES, STRETCHES, TWISTS_RAD, Start, find_starts
from coreg.registration.guided_starts import MANUAL_STRETCHES as MANUAL_SPEEDS
from coreg.registration.guided_starts import STRETCHES as SPEEDS
from coreg.registration.guided_starts import guided_starts
from coreg.registration.guides import Guide, guides_of
from coreg.registration.observations import Observations
from coreg.registration.outcome import doubtful, rigid_outcome
from coreg.registration.resolve import Solved, finished, one_torch_thread, variants_of
from coreg.registration.scene import Scene, observed, prepare_scene
from coreg.registration.search import (
    AHEAD,
    COARSE,
    FINE,
    MIDDLE,
    Candidates,
    from_starts,
    on_level,
    refined_on,
    with_flips,
)
from coreg.result import Registration
from coreg.settings import RegistrationSettings

Progress = Callable[[str, float], None]
Beside = Callable[[Callable[[], Candidates]], Callable[[], Candidates]]
Method = Literal["nonrigid", "rigid", "dtw", "dp", "bspline"]


def register(
    case: Case,
    *,
    settings: RegistrationSettings | None = None,
    method: Method = "nonrigid",
    device: str = "auto",
    threads: int = 1,
    progress: Progress | None = None,
    guides: Sequence[Landmark] = (),
) -> Registration:
    """Place a pullback in a CCTA.

    Parameters
    ----------
    case : Case
        Lumens of both modalities, and a centerline or two clicks.
    settings : RegistrationSettings, optional
        What is believed of catheters and lumens.
    method : str
        ``nonrigid``: the whole method. ``rigid``: the best shift and rotation only. Others, to compare
        with: ``dtw``, time warping of areas; ``dp``, one dynamic programme over place and rotation;
        ``bspline``, free-form deformation of straightened volumes.
    device : str
        ``auto`` takes a CUDA device where there is one; ``cpu``; ``cuda``.
    threads : int
        With two or more, the mirror image is looked at beside the rest; torch takes one each, since its
        kernels are small. The result is the same.
    progress : callable, optional
        Takes a stage's name and the share of all work that is done.
    guides : sequence of Landmark
        Paired landmarks that are to guide the ``nonrigid`` method beside the lumens.

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
    ValueError
        If another method is to be guided.
    """
    solved = solve(
        case,
        settings=settings,
        method=method,
        device=device,
        threads=threads,
        progress=progress,
        guides=guides,
    )
    return solved.registration


def solve(
    case: Case,
    *,
    settings: RegistrationSettings | None = None,
    method: Method = "nonrigid",
    device: str = "auto",
    threads: int = 1,
    progress: Progress | None = None,
    guides: Sequence[Landmark] = (),
) -> Solved:
    """Place a pullback in a CCTA, and keep the state for `resolve`; arguments are those of `register`."""
    if guides and method != "nonrigid":
        msg = f"method {method!r} cannot be guided by landmarks; use nonrigid"
        raise ValueError(msg)
    with one_torch_thread(), _beside(threads) as beside:
        return _solved(
            case,
            settings or RegistrationSettings(),
            method,
            torch_device(device),
            progress or _silent,
            guides,
            beside,
        )


@contextmanager
def _beside(threads: int) -> Iterator[Beside]:
    """Give a way to do work in a second thread, or else at once; what it returns gives the result."""
    if threads == 1:
        yield _at_once
        return
    with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        yield lambda work: pool.submit(work).result


def _at_once(work: Callable[[], Candidates]) -> Callable[[], Candidates]:
    result = work()
    return lambda: result


def _silent(stage: str, share: float) -> None:
    """Tell nobody."""


def _solved(
    case: Case,
    settings: RegistrationSettings,
    method: Method,
    device: torch.device,
    tell: Progress,
    landmarks: Sequence[Landmark],
    beside: Beside,
) -> Solved:
    tell("CCTA: centerline and lumen", 0.0)
    scene = prepare_scene(case, settings, device)
    settings = scene.settings
    tell("global start", 0.3)
    rigid = _starts(scene, count=1, stretches=(1.0,), twists_rad=(0.0,))[0]
    if method == "rigid":
        return Solved(rigid_outcome(scene, rigid), scene, rigid, {})
    if method != "nonrigid":
        tell(method, 0.45)
        start = _starts(scene, count=1, stretches=_stretches(scene))[0]
        return Solved(baseline_outcome(scene, rigid, start, method), scene, rigid, {})
    guides = guides_of(landmarks, case.pullback, scene.seen)
    variants = variants_of(guides, scene.seen.length_mm)
    tell("mirror image", 0.4)
    mirror = beside(lambda: _otherwise(scene, scene.seen.mirrored(), variants["mirrored"]))
    tell("coarse paths", 0.55)
    starts = _starts(scene, count=settings.hypotheses, stretches=_stretches(scene))
    as_it_is = from_starts(
        scene.tensors, scene.seen, settings, [rigid], replace(COARSE, iterations=0), guides=guides
    )
    coarse, middle = _compared(scene, scene.seen, starts, guides)
    tell("fine path", 0.7)
    ahead = on_level(middle, scene.tensors, scene.seen, settings, AHEAD, guides=guides)
    fine = refined_on(ahead.model, ahead.coefficients, scene.seen, FINE, guides)
    fine = with_detours(fine, scene, guides=guides)
    mirrored = mirror()
    tell("confidence", 0.95)
    stages = {"rigid": as_it_is, "coarse": coarse, "middle": middle, "mirrored": mirrored, "fine": fine}
    if doubtful(middle, mirrored):
        tell("reverse order", 0.97)
        backward = observed(case.pullback.reversed(), settings)
        stages["backward"] = _otherwise(scene, backward, variants["backward"])
        stages["swapped"] = _otherwise(scene, backward.mirrored(), variants["swapped"])
    return finished(scene, rigid, stages, landmarks)


def torch_device(name: str) -> torch.device:
    """Return the device that a name stands for; ``auto`` prefers CUDA."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        msg = f"device {name!r} is not available: torch finds no CUDA device"
        raise ValueError(msg)
    return torch.device(name)


def _starts(
    scene: Scene,
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


def _stretches(scene: Scene) -> tuple[float, ...]:
    return MANUAL_STRETCHES if scene.case.pullback.acquisition == "manual" else STRETCHES


def _otherwise(scene: Scene, seen: Observations, guides: Sequence[Guide]) -> Candidates:
    """Refine what the pullback would be under another convention, as far as hypotheses are compared."""
    settings = scene.settings
    starts = find_starts(
        scene.vessel,
        seen,
        count=settings.hypotheses,
        scale_sd=settings.radius_scale_sd,
        minimum_overlap=settings.minimum_overlap,
        stretches=_stretches(scene),
    )
    return _compared(scene, seen, starts, guides)[1]


def _compared(
    scene: Scene, seen: Observations, starts: list[Start], guides: Sequence[Guide]
) -> tuple[Candidates, Candidates]:
    """Refine starts, with those that guides suggest, on the coarse and the middle level."""
    starts = with_flips(starts)
    if guides:
        length = float(seen.depth_mm.max())
        speeds = MANUAL_SPEEDS if scene.case.pullback.acquisition == "manual" else SPEEDS
        scale = starts[0].log_scale if starts else 0.0
        starts += guided_starts(guides, scene.tensors, length_mm=length, log_scale=scale, stretches=speeds)
    coarse = from_starts(scene.tensors, seen, scene.settings, starts, COARSE, guides=guides)
    return coarse, on_level(coarse, scene.tensors, seen, scene.settings, MIDDLE, guides=guides)
