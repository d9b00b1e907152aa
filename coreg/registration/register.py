"""From a case to a registration."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Literal

import numpy as np
import torch

from coreg.case import Case
from coreg.errors import RegistrationError
from coreg.landmarks import Landmark
from coreg.registration.baselines import baseline_outcome
from coreg.registration.coarse_to_fine import (
    Beside,
    Progress,
    Refined,
    Subject,
    best_starts,
    searched,
    stretches_of,
)
from coreg.registration.global_start import TWISTS_RAD, Start
from coreg.registration.guides import guides_of
from coreg.registration.outcome import rigid_outcome
from coreg.registration.resolve import Solved, finished, one_torch_thread
from coreg.registration.scene import Scene, prepare_scene
from coreg.result import Registration
from coreg.settings import RegistrationSettings

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
        With two or more, on a CPU, the mirror image is looked at beside the rest; torch takes one each,
        since its kernels are small. The result is the same.
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
    where = torch_device(device)
    # Two threads would only queue for a GPU.
    with one_torch_thread(), _beside(threads if where.type == "cpu" else 1) as beside:
        return _solved(
            case,
            settings or RegistrationSettings(),
            method,
            where,
            progress or silent,
            guides,
            beside,
        )


@contextmanager
def _beside(threads: int) -> Iterator[Beside]:
    """Give a way to do work in a second thread, or else at once; what it returns gives the result."""
    if threads == 1:
        yield at_once
        return
    with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        yield lambda work: pool.submit(work).result


def at_once(work: Callable[[], Refined]) -> Callable[[], Refined]:
    """Do work now; what it returns gives the result."""
    result = work()
    return lambda: result


def silent(stage: str, share: float) -> None:
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
    tell("global start", 0.3)
    rigid = rigid_start(scene)
    if method == "rigid":
        return Solved(rigid_outcome(scene, rigid), scene, rigid, {})
    if method != "nonrigid":
        tell(method, 0.45)
        start = _start(scene, stretches_of(scene), TWISTS_RAD)
        return Solved(baseline_outcome(scene, rigid, start, method), scene, rigid, {})
    subject = Subject(scene, scene.seen, rigid, guides_of(landmarks, case.pullback, scene.seen))
    (stages,) = searched([subject], tell=tell, beside=beside)
    return finished(scene, rigid, stages, landmarks)


def rigid_start(scene: Scene) -> Start:
    """Best placement without stretch and twist.

    Raises
    ------
    RegistrationError
        If none overlaps enough.
    """
    return _start(scene, (1.0,), (0.0,))


def torch_device(name: str) -> torch.device:
    """Return the device that a name stands for; ``auto`` prefers CUDA."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        msg = f"device {name!r} is not available: torch finds no CUDA device"
        raise ValueError(msg)
    return torch.device(name)


def _start(scene: Scene, stretches: tuple[float, ...], twists_rad: tuple[float, ...]) -> Start:
    starts = best_starts(scene, scene.seen, count=1, stretches=stretches, twists_rad=twists_rad)
    if not starts:
        valid = scene.vessel.arc_length_mm[scene.vessel.valid]
        msg = (
            f"global start: no placement puts {scene.settings.minimum_overlap:.0%} of the pullback "
            f"({np.ptp(scene.seen.depth_mm):.1f} mm) in the CCTA's vessel ({np.ptp(valid):.1f} mm)"
        )
        raise RegistrationError(msg)
    return starts[0]
