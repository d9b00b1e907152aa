"""What the viewer lets the registration do, in a thread beside the screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

from coreg.case import Case
from coreg.catheter_path import VirtualCatheterPath
from coreg.landmarks import Landmark
from coreg.registration import (
    Solved,
    doubted_contours,
    left_out_errors,
    resolve,
    solve,
    solve_from,
    torch_device,
)
from coreg.registration.likeness import Likeness
from coreg.registration.scene import prepare_scene
from coreg.result import Registration
from coreg.settings import RegistrationSettings, surface_of
from coreg.validation import LandmarkError
from coreg_napari.jobs import Progress

Method = Literal["nonrigid", "rigid", "from here"]
# How the registration's reasons begin that tell of a segmentation: solving again does not end them.
ABOUT_SEGMENTATION = ("The CCTA lumen was segmented", "The pullback was segmented")


class Prepared(NamedTuple):
    """What interactive work needs."""

    likeness: Likeness
    solved: Solved


def settings_of(registration: Registration | None) -> RegistrationSettings:
    """Settings for a case whose earlier result tells where its CCTA lumen comes from."""
    origin = "" if registration is None else str(registration.provenance.get("ccta_lumen", ""))
    return RegistrationSettings(surface=surface_of("segmented" if origin.startswith("segm") else "outlined"))


def likeness_of(case: Case, registration: Registration | None, tell: Progress) -> Likeness:
    """Make ready to compare the lumens."""
    tell("CCTA lumen", 0.0)
    return Likeness.of(prepare_scene(case, settings_of(registration), torch_device("auto")))


def solved_case(
    case: Case,
    before: Registration | None,
    method: Method,
    path: VirtualCatheterPath | None,
    tell: Progress,
) -> Solved:
    """Register a case by a method; ``from here`` starts from a path."""
    settings = settings_of(before)
    if method == "from here":
        if path is None:
            msg = "nothing is placed yet that could be refined"
            raise ValueError(msg)
        solved = solve_from(case, path, settings=settings, progress=tell)
    else:
        solved = solve(case, settings=settings, method=method, progress=tell)
    return replace(solved, registration=with_doubts(solved.registration, case, before))


def solved_again(
    solved: Solved, landmarks: Sequence[Landmark], before: Registration | None, tell: Progress
) -> Solved:
    """Solve again with the accepted landmarks as guides."""
    tell("solving again with landmarks", 0.1)
    again = resolve(solved, landmarks)
    return replace(again, registration=with_doubts(again.registration, again.scene.case, before))


def left_out(solved: Solved, landmarks: Sequence[Landmark], tell: Progress) -> tuple[LandmarkError, ...]:
    """Errors at landmarks, each on a path found without it."""
    return left_out_errors(
        solved, landmarks, guides=landmarks, progress=lambda share: tell("leaving landmarks out", share)
    )


def with_doubts(registration: Registration, case: Case, before: Registration | None) -> Registration:
    """Keep what was known of the segmentations and of how inputs were read."""
    registration = doubted_contours(registration, case.pullback)
    if before is None:
        return registration
    kept = [each for each in before.reasons if each.startswith(ABOUT_SEGMENTATION)]
    kept = [each for each in kept if each not in registration.reasons]
    verdict = "review" if kept and registration.verdict == "good" else registration.verdict
    return replace(
        registration,
        verdict=verdict,
        reasons=(*registration.reasons, *kept),
        provenance={**before.provenance, **registration.provenance},
    )
