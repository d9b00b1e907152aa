"""Other methods, to compare with: where each puts the frames, from the same global start."""

from __future__ import annotations

from typing import Literal

from coreg.registration.bspline import free_form
from coreg.registration.dynamic_programming import dynamic_programmed
from coreg.registration.global_start import Start
from coreg.registration.outcome import placed_outcome
from coreg.registration.placement import Placement, frame_depth_mm, rigid_functions
from coreg.registration.scene import Scene
from coreg.registration.time_warping import time_warped
from coreg.result import Registration

Baseline = Literal["dtw", "dp", "bspline"]

REASONS: dict[Baseline, str] = {
    "dtw": "Time warping of lumen areas is a baseline to compare with: it does not judge its result.",
    "dp": "Dynamic programming is a baseline to compare with: it does not judge its result.",
    "bspline": "Free-form deformation is a baseline to compare with: it does not judge its result.",
}


def baseline_outcome(scene: Scene, rigid: Start, start: Start, method: Baseline) -> Registration:
    """Register by another method.

    Parameters
    ----------
    scene : Scene
        What is registered.
    rigid : Start
        The best shift and rotation, for comparison.
    start : Start
        The best of the global start, stretch and twist among it: all methods begin there.
    method : str
        Which.

    Raises
    ------
    ValueError
        If there is no such method.
    """
    if method not in REASONS:
        msg = f"method must be nonrigid, rigid or one of {', '.join(REASONS)}, got {method!r}"
        raise ValueError(msg)
    return placed_outcome(scene, rigid, placed(scene, start, method), method=method, reason=REASONS[method])


def placed(scene: Scene, start: Start, method: Baseline) -> Placement:
    """Place the frames of a scene by a method, from a start."""
    if method == "dtw":
        return time_warped(scene, start)
    if method == "dp":
        return dynamic_programmed(scene, start)
    return free_form(scene, rigid_functions(start, scene.seen, frame_depth_mm(scene)), start.log_scale)
