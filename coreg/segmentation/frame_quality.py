"""How far the lumen is to be trusted in each frame of a pullback, with the reason where it is not."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import median_filter

from coreg.pullback_vessel import BEYOND, BLOOD, BRIDGED, OPEN, SEEN
from coreg.segmentation.outlines import Outlines

FloatArray = npt.NDArray[np.float64]

USABLE = 0.5
SEEN_SHARE = 0.45
BLOODY_SHARE = 0.35
CLEAR = 0.35
JUMP = 0.3


def frame_quality(outlines: Outlines) -> tuple[FloatArray, tuple[str, ...]]:
    """Judge the outline of every frame.

    Returns
    -------
    quality : (N,) array
        From 0 (do not use) to 1; below `USABLE` there is a reason.
    reason : tuple of str
        Why not to trust it; empty where it may be.
    """
    state = outlines.state
    own = state != OPEN
    count = np.maximum(own.sum(axis=1), 1)
    seen = ((state == SEEN) & own).sum(axis=1) / count
    blood = (state == BLOOD).sum(axis=1) / count
    beyond = (state == BEYOND).sum(axis=1) / count
    bridged = (state == BRIDGED).sum(axis=1) / count
    clear = (outlines.evidence * (state == SEEN)).sum(axis=1) / np.maximum((state == SEEN).sum(axis=1), 1)
    jump = _jump(outlines.wall_mm)
    quality = np.clip((seen + 0.4 * bridged + 0.3 * blood) / 0.85, 0.0, 1.0)
    quality *= np.clip(clear / 0.7, 0.0, 1.0) * np.clip(1.3 - jump, 0.2, 1.0)
    reasons = []
    for i in range(len(quality)):
        reason = ""
        if blood[i] > BLOODY_SHARE:
            reason = "blood in the lumen"
        elif beyond[i] > 1.0 - SEEN_SHARE:
            reason = "most of the wall is not within the field of view"
        elif seen[i] < SEEN_SHARE:
            reason = "most of the wall is not seen"
        elif clear[i] < CLEAR:
            reason = "no clear border of the lumen"
        elif jump[i] > JUMP:
            reason = "an outline unlike those of its neighbours"
        reasons.append(reason)
        quality[i] = min(quality[i], USABLE - 0.1) if reason else max(quality[i], USABLE)
    return quality, tuple(reasons)


def _jump(wall_mm: FloatArray) -> FloatArray:
    """Relative change of the area (N,) against the frames around."""
    area = (wall_mm**2).sum(axis=1)
    usual = median_filter(area, size=min(9, len(area)), mode="nearest")
    change: FloatArray = np.abs(np.sqrt(area / usual) - 1.0)
    return change
