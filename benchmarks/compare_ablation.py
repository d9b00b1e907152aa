"""Our method with one thing changed: what each part is worth.

Another one is another line of `ABLATIONS`: settings that the case gives, other starts, or other levels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from compare_oracles import LEVELS, refined, starts_of

from coreg.case import Case
from coreg.registration import register, torch_device
from coreg.registration.global_start import TWISTS_RAD
from coreg.registration.outcome import rigid_outcome
from coreg.registration.scene import prepare_scene
from coreg.result import Registration
from coreg.settings import MotionPrior, RegistrationSettings, SurfacePrior, motion_of

# So stiff that nothing moves, and yet a covariance that can be inverted.
NONE = 1e-4
NEVER_MM = 1e3


@dataclass(frozen=True)
class Ablation:
    """A changed method: its name on the command line, its title in tables, and what it does to a case."""

    name: str
    title: str
    run: Callable[[Case], Registration]


def _with_settings(**changes: object) -> Callable[[Case], Registration]:
    return lambda case: register(case, settings=replace(RegistrationSettings(), **changes))


def _with_motion(**changes: float) -> Callable[[Case], Registration]:
    def run(case: Case) -> Registration:
        motion: MotionPrior = replace(motion_of(case.pullback.acquisition), **changes)
        return register(case, settings=replace(RegistrationSettings(), motion=motion))

    return run


def _without_twist(case: Case) -> Registration:
    scene = prepare_scene(case, RegistrationSettings(), torch_device("auto"))
    return refined(scene, starts_of(scene, count=scene.settings.hypotheses, twists_rad=(0.0,)))


def _without_saturation(case: Case) -> Registration:
    scene = prepare_scene(case, RegistrationSettings(), torch_device("auto"))
    levels = [replace(level, width_mm=NEVER_MM) for level in LEVELS]
    return refined(scene, starts_of(scene, count=scene.settings.hypotheses), levels)


def _without_sharpening(case: Case) -> Registration:
    scene = prepare_scene(case, RegistrationSettings(), torch_device("auto"))
    levels = [*LEVELS[:3], replace(LEVELS[3], iterations=0)]
    return refined(scene, starts_of(scene, count=scene.settings.hypotheses), levels)


def _without_detours(case: Case) -> Registration:
    scene = prepare_scene(case, RegistrationSettings(), torch_device("auto"))
    return refined(scene, starts_of(scene, count=scene.settings.hypotheses), detours=False)


def _start_alone(
    scale_sd: float = RegistrationSettings().radius_scale_sd, twists_rad: tuple[float, ...] = TWISTS_RAD
) -> Callable[[Case], Registration]:
    def run(case: Case) -> Registration:
        settings = replace(RegistrationSettings(), radius_scale_sd=scale_sd)
        scene = prepare_scene(case, settings, torch_device("auto"))
        return rigid_outcome(scene, starts_of(scene, count=1, twists_rad=twists_rad)[0])

    return run


ABLATIONS = (
    Ablation("start", "global start alone (one shift, stretch, rotation and twist)", _start_alone()),
    Ablation("start-no-scale", "global start alone, no radius scale", _start_alone(NONE)),
    Ablation("start-no-twist", "global start alone, no radius scale, no twist", _start_alone(NONE, (0.0,))),
    Ablation("one-start", "one hypothesis (and its half turn)", _with_settings(hypotheses=1)),
    Ablation("no-twist", "no twist in the start", _without_twist),
    Ablation("no-scale", "no radius scale", _with_settings(radius_scale_sd=NONE)),
    Ablation("no-radii", "no local radius difference", _with_settings(surface=SurfacePrior(radius_mm=NONE))),
    Ablation("no-beat", "no heartbeat in the prior", _with_motion(swing_mm=NONE, beat_rad=NONE)),
    Ablation("no-slow", "no slow change of speed and rotation", _with_motion(slow_mm=NONE, slow_rad=NONE)),
    Ablation("no-offset", "no offset across the vessel", _with_motion(offset_mm=NONE)),
    Ablation("no-detours", "no detours", _without_detours),
    Ablation("no-sharpening", "walls believed no more in the end", _without_sharpening),
    Ablation("no-saturation", "square loss without saturation", _without_saturation),
)
