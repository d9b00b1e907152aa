"""Errors at landmarks that had no part in what they are measured on.

A landmark that guided a registration measures its own residual there, and a branch that both lumens
show is matched by its shape. So each is left out in turn: as a guide, and as a branch of both lumens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from coreg.catheter_path import VirtualCatheterPath
from coreg.landmarks import Landmark
from coreg.registration.branch_removal import without_branch
from coreg.registration.guides import Guide, guides_of
from coreg.registration.outcome import unjudged_path
from coreg.registration.resolve import Solved, one_torch_thread
from coreg.registration.search import FINE, MIDDLE, SHARP, on_level, refined, sharpened
from coreg.validation import LandmarkError, landmark_errors


def left_out_errors(
    solved: Solved,
    landmarks: Sequence[Landmark],
    *,
    guides: Sequence[Landmark] = (),
    progress: Callable[[float], None] | None = None,
) -> tuple[LandmarkError, ...]:
    """Measure every landmark on a path that was found without it.

    Parameters
    ----------
    solved : Solved
        By the nonrigid method.
    landmarks : sequence of Landmark
        To measure; those with only one half are left out.
    guides : sequence of Landmark
        Those that guide; each but the one that is measured.
    progress : callable, optional
        Takes the share that is done.

    Returns
    -------
    tuple of LandmarkError
        In the landmarks' order.

    Raises
    ------
    ValueError
        If the method leaves no state to start from.
    """
    if "middle" not in solved.stages:
        msg = f"method {solved.registration.settings['method']!r} leaves no paths to start from; use nonrigid"
        raise ValueError(msg)
    paired = [each for each in landmarks if each.paired]
    errors: list[LandmarkError] = []
    with one_torch_thread():
        for i, each in enumerate(paired):
            if progress is not None:
                progress(i / len(paired))
            others = [one for one in guides if one.id != each.id]
            errors += landmark_errors(path_without(solved, each, guides=others), [each])
    return tuple(errors)


def path_without(solved: Solved, landmark: Landmark, *, guides: Sequence[Landmark]) -> VirtualCatheterPath:
    """Find the path by both lumens without a branch, from all placements that were compared.

    Landmarks that are no branches leave the lumens as they are.
    """
    scene = solved.scene
    own = guides_of([landmark], scene.case.pullback, scene.seen)
    if own and landmark.kind == "branch":
        scene = without_branch(scene, landmark, own[0])
    others = _as_before(guides, solved)
    middle = on_level(
        solved.stages["middle"], scene.tensors, scene.seen, scene.settings, MIDDLE, guides=others
    )
    best = replace(middle, coefficients=middle.coefficients[:1], cost=middle.cost[:1])
    fine = on_level(best, scene.tensors, scene.seen, scene.settings, FINE, guides=others)
    (sharp,) = refined([sharpened(fine, len(scene.seen.row), others)], SHARP)
    position = scene.case.pullback.position_mm
    return unjudged_path(scene, sharp.functions_at(np.asarray(position.max() - position))[0])


def _as_before(guides: Sequence[Landmark], solved: Solved) -> tuple[Guide, ...]:
    """Guides on the pullback as it was, whatever was taken out of it since."""
    return guides_of(guides, solved.scene.case.pullback, solved.scene.seen)
