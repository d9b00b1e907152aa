"""Other ways to bend a path: from our global start, and from the best rigid start that the truth gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from compare_oracles import refined, starts_of
from oracles import true_rigid_functions

from coreg.case import Case
from coreg.catheter_path import VirtualCatheterPath
from coreg.registration import torch_device
from coreg.registration.dynamic_programming import dynamic_programmed
from coreg.registration.global_start import Start
from coreg.registration.outcome import placed_outcome
from coreg.registration.placement import Placement
from coreg.registration.scene import Scene, prepare_scene
from coreg.registration.time_warping import time_warped
from coreg.result import Registration
from coreg.settings import RegistrationSettings

Place = Callable[[Scene, Start], Placement]

BASELINES: dict[str, tuple[str, Place]] = {
    "dtw": ("dynamic time warping", time_warped),
    "dp": ("dynamic programming", dynamic_programmed),
}
REASON = "A baseline: nothing else was compared with it."


def from_global_start(name: str, case: Case) -> Registration:
    """Place by a baseline from the best rigid start that stretch and twist give."""
    scene = prepare_scene(case, RegistrationSettings(), torch_device("auto"))
    return _placed(scene, name, starts_of(scene, count=1)[0])


def from_true_start(name: str, case: Case, truth: VirtualCatheterPath) -> Registration:
    """Place by a baseline, or by our refinement, from the best rigid start that the truth gives."""
    scene = prepare_scene(case, RegistrationSettings(), torch_device("auto"))
    start = true_start(scene, truth)
    return _placed(scene, name, start) if name in BASELINES else refined(scene, [start])


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


def _placed(scene: Scene, name: str, start: Start) -> Registration:
    placement = BASELINES[name][1](scene, start)
    return placed_outcome(scene, start, placement, method=name, reason=REASON)
