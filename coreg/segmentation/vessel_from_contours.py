"""The vessel of a pullback whose contours somebody drew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from skimage.measure import points_in_poly

from coreg.contours import radial_profile
from coreg.errors import InputError
from coreg.landmarks import SideBranch
from coreg.pullback import Pullback
from coreg.pullback_measures import areas_mm2
from coreg.pullback_vessel import NO_CONTOUR, OUTSIDE, SEEN, UNDRAWN, PullbackVessel
from coreg.stretches import counted

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

ANGLES = 256


def vessel_from_contours(pullback: Pullback, *, side_branches: tuple[SideBranch, ...] = ()) -> PullbackVessel:
    """Measure the contours of a pullback along rays from the catheter.

    Parameters
    ----------
    pullback : Pullback
        With a lumen in some frames at least.
    side_branches : tuple of SideBranch
        As read.

    Returns
    -------
    PullbackVessel
        Only the pullback's own frames are there. Those without a contour have quality 0 and a reason;
        their rows lie between their neighbours along the pullback, for pictures. Frames that came with
        a mark keep it. Of calcium and openings nothing is known.

    Raises
    ------
    InputError
        If the catheter lies outside of all contours.
    """
    count = int(pullback.frame.max()) + 1
    there, position_mm = np.zeros(count, dtype=bool), np.zeros(count)
    there[pullback.frame], position_mm[pullback.frame] = True, pullback.position_mm
    lumen, known = _along_rays(pullback.lumen, count)
    if not known.any():
        msg = "found the catheter outside of all lumen contours, expected it inside of them"
        raise InputError(msg)
    wall = _between(lumen, known, there & ~known, position_mm)
    quality = np.array([pullback.quality.get(i, 1.0) for i in range(count)])
    eem, eem_known = _along_rays(pullback.eem, count)
    walled = bool(eem_known.any())
    inside = known & eem_known & (areas_mm2(eem) < areas_mm2(wall))
    if walled:
        eem = np.maximum(_between(eem, eem_known, there & ~eem_known, position_mm), wall)
    return PullbackVessel(
        wall,
        wall,
        eem if walled else None,
        np.where(known[:, None], SEEN, UNDRAWN) * np.ones_like(wall, dtype=np.uint8),
        np.repeat(eem_known[:, None], ANGLES, axis=1) if walled else None,
        np.where(known, quality, 0.0),
        tuple(_reason(pullback, i, known=bool(known[i])) if there[i] else "" for i in range(count)),
        max(pullback.field_of_view_mm or 0.0, float(wall.max()), float(eem.max()) if walled else 0.0),
        side_branches=side_branches,
        notes=(
            *pullback.notes,
            *_undrawn_note(int((there & ~known).sum()), len(pullback)),
            *_inside_note(int(inside.sum()), int((known & eem_known).sum())),
        ),
        from_contours=True,
        absent=tuple(np.flatnonzero(~there).tolist()),
    )


def with_all_frames(pullback: Pullback, count: int) -> Pullback:
    """Give a pullback rows for frames 0 to ``count`` - 1; positions that it lacks are interpolated."""
    frame = np.arange(count)
    order = np.argsort(pullback.frame)
    position_mm = np.interp(frame, pullback.frame[order], pullback.position_mm[order])
    return replace(pullback, frame=frame, position_mm=position_mm)


def _along_rays(contours: Mapping[int, FloatArray], count: int) -> tuple[FloatArray, BoolArray]:
    """Distances (N, ANGLES) along rays, and for which frames (N,) they are known."""
    distance, known = np.zeros((count, ANGLES)), np.zeros(count, dtype=bool)
    for frame, contour in contours.items():
        if points_in_poly(np.zeros((1, 2)), contour)[0]:
            distance[frame] = radial_profile(contour, np.zeros(2), ANGLES)
            known[frame] = True
    return distance, known


def _reason(pullback: Pullback, frame: int, *, known: bool) -> str:
    """Why the lumen of a frame is not to be trusted; empty where it is."""
    if known:
        return pullback.marked.get(frame, "")
    return OUTSIDE if frame in pullback.lumen else NO_CONTOUR


def _undrawn_note(undrawn: int, frames: int) -> tuple[str, ...]:
    """Say that there are frames which nobody outlined."""
    return (f"{frames - undrawn} of {frames} frames have a contour; nothing is made up for the others",) * (
        undrawn > 0
    )


def _inside_note(inside: int, both: int) -> tuple[str, ...]:
    """Say that there are frames whose membrane is smaller than the lumen, as where it opens into a branch."""
    text = f"the membrane is drawn smaller than the lumen in {counted(inside, 'frame')}"
    question = "; are lumen and eem swapped?" if inside > 0.5 * both else ""
    return (f"{text}, and taken as large as it there{question}",) * (inside > 0)


def _between(
    distance_mm: FloatArray, known: BoolArray, wanted: BoolArray, position_mm: FloatArray
) -> FloatArray:
    """Fill the wanted frames from the nearest known ones along the pullback."""
    rows = np.flatnonzero(known)[np.argsort(position_mm[known], kind="stable")]
    filled = distance_mm.copy()
    for angle in range(ANGLES):
        filled[wanted, angle] = np.interp(position_mm[wanted], position_mm[rows], distance_mm[rows, angle])
    return filled
