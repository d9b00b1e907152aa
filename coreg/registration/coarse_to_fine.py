"""The search of the nonrigid method, of one case or of several whose paths are refined as one batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from coreg.registration.detours import with_detours
from coreg.registration.each_case import Each
from coreg.registration.global_start import MANUAL_STRETCHES, STRETCHES, TWISTS_RAD, Start, find_starts
from coreg.registration.guided_starts import MANUAL_STRETCHES as MANUAL_SPEEDS
from coreg.registration.guided_starts import STRETCHES as SPEEDS
from coreg.registration.guided_starts import guided_starts
from coreg.registration.guides import Guide
from coreg.registration.observations import Observations
from coreg.registration.outcome import doubtful
from coreg.registration.path_model import PathModel
from coreg.registration.scene import Scene, observed
from coreg.registration.search import (
    AHEAD,
    COARSE,
    FINE,
    MIDDLE,
    SHARP,
    Candidates,
    Level,
    Paths,
    carried,
    level_model,
    refined,
    sharpened,
    started,
    with_flips,
)

Progress = Callable[[str, float], None]
Refined = list[Candidates]
Beside = Callable[[Callable[[], Refined]], Callable[[], Refined]]


@dataclass(frozen=True, eq=False)
class Subject:
    """A case that is to be searched, as it is or under another convention.

    Attributes
    ----------
    scene : Scene
        The case, prepared.
    seen : Observations
        What its pullback saw, under the convention.
    rigid : Start
        The best rigid placement, from which to start where no other overlaps enough.
    guides : tuple of Guide
        Landmarks that have a say, under the convention.
    """

    scene: Scene
    seen: Observations
    rigid: Start
    guides: tuple[Guide, ...] = ()

    def mirrored(self) -> Subject:
        """Return the same with the images mirrored."""
        return replace(self, seen=self.seen.mirrored(), guides=tuple(each.mirrored() for each in self.guides))

    def backward(self) -> Subject:
        """Return the same with the frames in reverse order."""
        seen = observed(self.scene.case.pullback.reversed(), self.scene.settings)
        return replace(self, seen=seen, guides=tuple(each.reversed(seen.length_mm) for each in self.guides))

    def model(self, level: Level) -> PathModel:
        """Return the model of a level."""
        return level_model(self.scene.tensors, self.seen, self.scene.settings, level)

    def started(self, starts: Sequence[Start], level: Level) -> Paths:
        """Rigid starts on a first level."""
        return started(self.model(level), self.seen, starts, guides=self.guides)

    def going_on(self, found: Candidates) -> Paths:
        """Candidates on the level they are on."""
        return Paths(found.model, found.coefficients, len(self.seen.row), self.guides)

    def sharpened(self, found: Candidates) -> Paths:
        """Return the best candidate for the last stage."""
        return sharpened(found, len(self.seen.row), self.guides)

    def finer(self, found: Candidates, level: Level) -> Paths:
        """Candidates on a finer level."""
        return carried(found, self.model(level), self.seen, guides=self.guides)

    def starts(self) -> list[Start]:
        """Best distinct placements, half turns of the best, and those that guides suggest."""
        scene = self.scene
        found = best_starts(scene, self.seen, count=scene.settings.hypotheses, stretches=stretches_of(scene))
        starts = with_flips(found or [self.rigid])
        if not self.guides:
            return starts
        speeds = MANUAL_SPEEDS if scene.case.pullback.acquisition == "manual" else SPEEDS
        return starts + guided_starts(
            self.guides,
            scene.tensors,
            length_mm=float(self.seen.depth_mm.max()),
            log_scale=starts[0].log_scale,
            stretches=speeds,
        )


def searched(
    subjects: Sequence[Subject], *, tell: Progress, beside: Beside, each: Each = map
) -> list[dict[str, Candidates]]:
    """Search for each case's path, all cases in step.

    Parameters
    ----------
    subjects : sequence of Subject
        The cases.
    tell : callable
        Takes a stage's name and the share of all work that is done.
    beside : callable
        Does work at once or in another thread; what it returns gives the result.
    each : callable
        As `map`; may use threads.

    Returns
    -------
    list of dict of str to Candidates
        Per case the stages: ``rigid``, ``coarse``, ``middle``, ``mirrored``, ``fine``, ``sharp``; where
        it is doubtful, ``backward`` and ``swapped``.
    """
    tell("mirror image", 0.4)
    mirror = beside(lambda: _compared([one.mirrored() for one in subjects], each)[1])
    tell("coarse paths", 0.55)
    as_it_is = refined([one.started([one.rigid], COARSE) for one in subjects], replace(COARSE, iterations=0))
    coarse, middle = _compared(subjects, each)
    tell("fine path", 0.7)
    ahead = _finer(subjects, middle, AHEAD)
    fine = refined([one.going_on(found) for one, found in zip(subjects, ahead, strict=True)], FINE)
    scenes, guides = [one.scene for one in subjects], [one.guides for one in subjects]
    fine = with_detours(fine, scenes, guides=guides, each=each)
    sharp = refined([one.sharpened(found) for one, found in zip(subjects, fine, strict=True)], SHARP)
    mirrored = mirror()
    tell("confidence", 0.95)
    names = ("rigid", "coarse", "middle", "mirrored", "fine", "sharp")
    stages = [
        dict(zip(names, one, strict=True))
        for one in zip(as_it_is, coarse, middle, mirrored, fine, sharp, strict=True)
    ]
    doubted = [i for i, one in enumerate(stages) if doubtful(one["middle"], one["mirrored"])]
    if doubted:
        tell("reverse order", 0.97)
        backward = list(each(Subject.backward, [subjects[i] for i in doubted]))
        swapped = [one.mirrored() for one in backward]
        for name, others in (("backward", backward), ("swapped", swapped)):
            for i, found in zip(doubted, _compared(others, each)[1], strict=True):
                stages[i][name] = found
    return stages


def best_starts(
    scene: Scene,
    seen: Observations,
    *,
    count: int,
    stretches: tuple[float, ...],
    twists_rad: tuple[float, ...] = TWISTS_RAD,
) -> list[Start]:
    """Search placements by what is believed of a case; best first."""
    return find_starts(
        scene.vessel,
        seen,
        count=count,
        scale_sd=scene.settings.radius_scale_sd,
        minimum_overlap=scene.settings.minimum_overlap,
        stretches=stretches,
        twists_rad=twists_rad,
    )


def stretches_of(scene: Scene) -> tuple[float, ...]:
    """Stretches that are tried: of a hand, more than of a motor."""
    return MANUAL_STRETCHES if scene.case.pullback.acquisition == "manual" else STRETCHES


def _compared(subjects: Sequence[Subject], each: Each) -> tuple[Refined, Refined]:
    """Refine starts on the coarse and the middle level."""
    coarse = refined(list(each(lambda one: one.started(one.starts(), COARSE), subjects)), COARSE)
    return coarse, _finer(subjects, coarse, MIDDLE)


def _finer(subjects: Sequence[Subject], found: Refined, level: Level) -> Refined:
    paths = [one.finer(candidates, level) for one, candidates in zip(subjects, found, strict=True)]
    return refined(paths, level)
