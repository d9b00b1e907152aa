"""How far the lumen is to be trusted in each frame of a pullback, with the reason where it is not."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import median_filter

from coreg.pullback_vessel import BEYOND, SEEN
from coreg.segmentation.outlines import Outlines

FloatArray = npt.NDArray[np.float64]

USABLE = 0.5
HAZY_SHARE = 0.1
CLEAR_SHARE = 0.75
SEEN_SHARE, BEYOND_SHARE = 0.45, 0.3
AROUND_MM, FEWEST_FRAMES, MOST_FRAMES, UNLIKE = 1.0, 2, 25, 0.1
PIVOT = 2


def frame_quality(outlines: Outlines, *, pitch_mm: float) -> tuple[FloatArray, tuple[str, ...]]:
    """Judge the outline of every frame.

    Parameters
    ----------
    outlines : Outlines
        Of N frames in acquisition order.
    pitch_mm : float
        Between frames.

    Returns
    -------
    quality : (N,) array
        From 0 (do not use) to 1; below `USABLE` there is a reason.
    reason : tuple of str
        Why not to trust it; empty where it may be.
    """
    seen = outlines.state == SEEN
    clear = (outlines.evidence * seen).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    # How much evidence a border gives depends on the scanner.
    clear /= max(float(np.median(clear)), 1e-6)
    shown, beyond = seen.mean(axis=1), (outlines.state == BEYOND).mean(axis=1)
    rules: tuple[tuple[str, FloatArray], ...] = (
        ("blood in the lumen", np.where(outlines.haze > HAZY_SHARE, _lack(clear, CLEAR_SHARE), 0.0)),
        ("no clear border of the lumen", _lack(clear, CLEAR_SHARE)),
        (
            "most of the wall is not within the field of view",
            np.where(beyond > BEYOND_SHARE, _lack(shown, SEEN_SHARE), 0.0),
        ),
        ("most of the wall is not seen", _lack(shown, SEEN_SHARE)),
        ("an outline unlike those of its neighbours", _difference(outlines.wall_mm, pitch_mm) / UNLIKE),
    )
    reasons = [""] * len(clear)
    quality = np.ones(len(clear))
    for text, doubt in rules:
        # Doubts above 1 break the rule; the quality is one half there.
        quality = np.minimum(quality, 1.0 / (1.0 + doubt**3))
        for n in np.flatnonzero(doubt > 1.0):
            reasons[n] = reasons[n] or text
    return quality, tuple(reasons)


def _lack(share: FloatArray, least: float) -> FloatArray:
    """How much is missing (N,) of what should be there, as a part of what may be missing."""
    return np.maximum(1.0 - share, 0.0) / (1.0 - least)


def _difference(wall_mm: FloatArray, pitch_mm: float) -> FloatArray:
    """Share of the area (N,) in which an outline differs from the median of those around."""
    frames = int(np.clip(round(AROUND_MM / max(pitch_mm, 1e-3)), FEWEST_FRAMES, MOST_FRAMES))
    usual = median_filter(_continued(wall_mm, frames), size=(2 * frames + 1, 1))[frames:-frames]
    common = np.minimum(wall_mm, usual) ** 2
    difference: FloatArray = 1.0 - 2.0 * common.sum(axis=1) / (wall_mm**2 + usual**2).sum(axis=1)
    return difference


def _continued(wall_mm: FloatArray, frames: int) -> FloatArray:
    """Continue outlines (N, A) beyond both ends of the run with the taper that they have there."""
    index = np.arange(-frames, len(wall_mm) + frames)
    last = len(wall_mm) - 1
    half = min(PIVOT, last // 2)
    start, end = np.median(wall_mm[: 2 * half + 1], axis=0), np.median(wall_mm[last - 2 * half :], axis=0)
    inside = wall_mm[np.clip(index, 0, last)]
    # Turned about a median near the end, so that a frame there does not vouch for itself.
    before = 2.0 * start - wall_mm[np.clip(2 * half - index, 0, last)]
    after = 2.0 * end - wall_mm[np.clip(2 * (last - half) - index, 0, last)]
    return np.where((index < 0)[:, None], before, np.where((index > last)[:, None], after, inside))
