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
from coreg.pullback_vessel import BRIDGED, SEEN, PullbackVessel

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

ANGLES = 256
NO_CONTOUR = "no contour in this frame"
OUTSIDE = "the catheter lies outside this contour"


def vessel_from_contours(pullback: Pullback, *, side_branches: tuple[SideBranch, ...] = ()) -> PullbackVessel:
    """Measure the contours of a pullback along rays from the catheter.

    Parameters
    ----------
    pullback : Pullback
        With a lumen in some frames at least, and rows for all frames from 0 on, as `with_all_frames`
        gives them.
    side_branches : tuple of SideBranch
        As read.

    Returns
    -------
    PullbackVessel
        Frames without a contour are interpolated along the pullback, with quality 0 and a reason. Of
        calcium and openings nothing is known.

    Raises
    ------
    InputError
        If the catheter lies outside of all contours.
    """
    order = np.argsort(pullback.frame)
    position_mm = pullback.position_mm[order]
    lumen, known = _along_rays(pullback.lumen, len(pullback))
    if not known.any():
        msg = "found the catheter outside of all lumen contours, expected it inside of them"
        raise InputError(msg)
    wall = _between(lumen, known, position_mm)
    reason = tuple(
        "" if known[i] else OUTSIDE if i in pullback.lumen else NO_CONTOUR for i in range(len(pullback))
    )
    eem, eem_known = _along_rays(pullback.eem, len(pullback))
    walled = bool(eem_known.any())
    if walled:
        eem = np.maximum(_between(eem, eem_known, position_mm), wall)
    return PullbackVessel(
        wall,
        wall,
        eem if walled else None,
        np.where(known[:, None], SEEN, BRIDGED) * np.ones_like(wall, dtype=np.uint8),
        np.repeat(eem_known[:, None], ANGLES, axis=1) if walled else None,
        known.astype(np.float64),
        reason,
        max(pullback.field_of_view_mm or 0.0, float(wall.max()), float(eem.max()) if walled else 0.0),
        side_branches=side_branches,
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


def _between(distance_mm: FloatArray, known: BoolArray, position_mm: FloatArray) -> FloatArray:
    """Fill frames that are not known from the nearest along the pullback."""
    rows = np.flatnonzero(known)[np.argsort(position_mm[known], kind="stable")]
    filled = distance_mm.copy()
    for angle in range(ANGLES):
        filled[~known, angle] = np.interp(position_mm[~known], position_mm[rows], distance_mm[rows, angle])
    return filled
