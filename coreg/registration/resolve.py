"""A registration with the state from which it can be solved again, such as after a landmark was moved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch

from coreg.landmarks import Landmark
from coreg.registration.conflicts import with_conflicts
from coreg.registration.global_start import Start
from coreg.registration.guides import Guide, GuideTerm, guides_of
from coreg.registration.outcome import nonrigid_outcome
from coreg.registration.scene import Scene
from coreg.registration.search import (
    COARSE,
    FINE,
    MIDDLE,
    SHARP,
    Candidates,
    carried_over,
    refined,
    refined_on,
    sharpened,
)
from coreg.result import Registration, Verdict

LEVELS = {"rigid": COARSE, "coarse": COARSE}
APPROACH = replace(FINE, name="approach", iterations=3, slack=3.0)
# In cost of the whole pullback: less would not show.
ENOUGH = 0.05


@dataclass(frozen=True, eq=False)
class Solved:
    """A registration and what it was found from.

    Attributes
    ----------
    registration : Registration
        The result.
    scene : Scene
        What was registered.
    rigid : Start
        The best rigid placement by the lumens.
    stages : mapping of str to Candidates
        Of the search; empty where the method has none.
    doubt : str
        Why a person must look, however well it fits; empty where the search compared placements.
    """

    registration: Registration
    scene: Scene
    rigid: Start
    stages: Mapping[str, Candidates]
    doubt: str = ""


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Let torch use one CPU thread for a while.

    The kernels are small, so that more are slower; and with two, its batched solver crashed in MKL.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def finished(
    scene: Scene,
    rigid: Start,
    stages: Mapping[str, Candidates],
    landmarks: Sequence[Landmark],
    *,
    doubt: str = "",
) -> Solved:
    """Judge what a search found, and the landmarks that guided it."""
    registration = nonrigid_outcome(scene, rigid, dict(stages))
    if doubt:
        registration = _for_review(registration, doubt)
    if landmarks:
        guides = guides_of(landmarks, scene.case.pullback, scene.seen)
        used = {"guides": [each.id for each in guides], "locked": [each.id for each in guides if each.locked]}
        registration = replace(registration, settings={**registration.settings, **used})
        registration = with_conflicts(registration, landmarks, guides)
    return Solved(registration, scene, rigid, stages, doubt)


def _for_review(registration: Registration, doubt: str) -> Registration:
    """The same for review at best; there is no margin where not all was compared."""
    verdict: Verdict = "failed" if registration.verdict == "failed" else "review"
    return replace(registration, verdict=verdict, reasons=(doubt, *registration.reasons), margin=float("nan"))


def resolve(solved: Solved, landmarks: Sequence[Landmark]) -> Solved:
    """Solve a registration again with other guides, from the paths that it found.

    Only the fine level is refined again: from the path that was found, and from the placement that is
    now the best of those that were compared.

    Parameters
    ----------
    solved : Solved
        By the nonrigid method.
    landmarks : sequence of Landmark
        All that are to guide now; none for the lumens alone.

    Raises
    ------
    ValueError
        If the method leaves no state to start from.
    """
    if "fine" not in solved.stages:
        msg = f"a registration by the method {solved.registration.settings['method']} cannot be solved again"
        raise ValueError(msg)
    with one_torch_thread():
        return _resolved(solved, landmarks)


def _resolved(solved: Solved, landmarks: Sequence[Landmark]) -> Solved:
    scene, before = solved.scene, solved.stages
    guides = guides_of(landmarks, scene.case.pullback, scene.seen)
    variants = variants_of(guides, scene.seen.length_mm)
    stages = {
        name: _rescored(each, variants.get(name, guides), name, len(scene.seen.row))
        for name, each in before.items()
        if name not in ("fine", "sharp")
    }
    fine, middle = before["fine"], stages["middle"]
    # The second start undoes what the first was led to by guides that were there before.
    best = carried_over(middle.coefficients[:1], middle.model, fine.model)
    starts = torch.cat([fine.coefficients[:1], best])
    if guides:
        # A guide that was moved by millimetres would have no say at once.
        starts = refined_on(fine.model, starts, scene.seen, APPROACH, guides).coefficients
    stages["fine"] = refined_on(fine.model, starts, scene.seen, FINE, guides, tolerance=ENOUGH)
    stages["sharp"] = refined([sharpened(stages["fine"], len(scene.seen.row), guides)], SHARP)[0]
    return finished(scene, solved.rigid, stages, landmarks, doubt=solved.doubt)


def variants_of(guides: Sequence[Guide], length_mm: float) -> dict[str, tuple[Guide, ...]]:
    """Guides as the pullback under another convention would have them, by the stage's name."""
    backward = tuple(each.reversed(length_mm) for each in guides)
    return {
        "mirrored": tuple(each.mirrored() for each in guides),
        "backward": backward,
        "swapped": tuple(each.mirrored() for each in backward),
    }


def _rescored(stage: Candidates, guides: Sequence[Guide], name: str, frames: int) -> Candidates:
    """Compare candidates, as they are, by their lumens and other guides."""
    level = LEVELS.get(name, MIDDLE)
    term = GuideTerm.build(stage.model, guides, slack=level.slack) if guides else None
    cost = stage.cost + (_guide_cost(term, stage) - _guide_cost(stage.guides, stage)) / frames
    order = np.argsort(cost, kind="stable")
    return Candidates(stage.model, stage.coefficients[torch.as_tensor(order)], cost[order], term)


def _guide_cost(term: GuideTerm | None, stage: Candidates) -> np.ndarray:
    if term is None:
        return np.zeros(len(stage.cost))
    return term.cost(stage.coefficients).detach().cpu().numpy()
