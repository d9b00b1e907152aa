"""Where the lumen opens into side branches."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_dilation, gaussian_filter1d, label, percentile_filter

from coreg.segmentation.closing import closed_over, smooth_outline

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

HARMONICS = (3, 4, 5, 6, 7, 7)
BEYOND_MM = 0.12
WITHIN_MM, FEW = 0.35, 0.2
OPEN_MM, CLEARLY_OPEN_MM, SURELY_OPEN_MM = 0.08, 0.16, 0.32
NARROWEST_MM = 0.22
FARTHER = 1.25
HEARSAY, WIDE_GAP_RAD = 0.02, np.radians(34.0)
AROUND_MM, MOST_FRAMES, USUAL_PERCENT, UNUSUAL_MM, MOST_UNUSUAL = 2.5, 25, 35, 0.6, 0.4
MARGIN = 3


def closed_wall(distance: FloatArray, hidden: BoolArray, *, pitch_mm: float) -> tuple[FloatArray, BoolArray]:
    """Close outlines (N, A) behind what is hidden and over the mouths of side branches.

    Parameters
    ----------
    distance : (N, A) array
        Of the lumen's outline from the catheter, in mm.
    hidden : (N, A) bool array
        Rays that do not see it.
    pitch_mm : float
        Between frames.

    Returns
    -------
    wall : (N, A) array
        Distance of the closed outline, in mm.
    opened : (N, A) bool array
        Rays through a mouth.
    """
    frames = int(np.clip(round(AROUND_MM / max(pitch_mm, 1e-3)), 1, MOST_FRAMES))
    # A mouth may be as wide as the vessel; what the frames around show tells it from the vessel.
    usual = percentile_filter(distance, USUAL_PERCENT, size=(2 * frames + 1, 1), mode="mirror")
    unusual = distance - usual > UNUSUAL_MM
    # Where most of an outline is larger, it is the vessel that is.
    gap = hidden | (unusual & (unusual.mean(axis=1, keepdims=True) < MOST_UNUSUAL))
    beyond, within = np.zeros(distance.shape), np.zeros(distance.shape, dtype=bool)
    for harmonics in HARMONICS:
        # What lies farther out than its surroundings has no say in where the wall is.
        beyond = distance - _closed(distance, gap, frames, harmonics)
        within = beyond < -WITHIN_MM
        # Nor have a few rays that blood or the wire's edge ends early.
        within &= (within & ~hidden).mean(axis=1, keepdims=True) < FEW
        gap = hidden | (beyond > BEYOND_MM) | within
    opened = _mouths(distance, beyond, hidden)
    hidden = hidden | dilated(within, 1)
    gap = hidden | dilated(opened, MARGIN)
    wall = closed_over(distance, _closed(distance, gap, frames, HARMONICS[-1]), gap)
    farthest = np.where(gap, 0.0, distance).max(axis=1, keepdims=True)
    wall = np.where(gap & (farthest > 0.0), np.minimum(wall, FARTHER * farthest), wall)
    return np.minimum(wall, np.where(hidden, np.inf, distance)), opened


def _closed(distance: FloatArray, gap: BoolArray, frames: int, harmonics: int) -> FloatArray:
    """Fit smooth outlines (N, A); in the middle of wide gaps the frames around have a little say."""
    known = gaussian_filter1d((~gap).astype(np.float64), frames, axis=0, mode="nearest")
    around = gaussian_filter1d(np.where(gap, 0.0, distance), frames, axis=0, mode="nearest")
    guess = around / np.maximum(known, 1e-12)
    lost = ~dilated(~gap, round(WIDE_GAP_RAD / (2.0 * np.pi) * gap.shape[1]))
    weight = np.where(gap, np.where(lost & (known > 1e-6), HEARSAY, 0.0), 1.0)
    return smooth_outline(np.where(gap, guess, distance), weight, harmonics=harmonics)


def dilated(mask: BoolArray, rays: int) -> BoolArray:
    """Widen a mask (N, A) along the circle."""
    count = mask.shape[1]
    grown: BoolArray = binary_dilation(
        np.concatenate([mask] * 3, axis=1), np.ones((1, 2 * rays + 1), dtype=bool)
    )
    return grown[:, count : 2 * count]


def without_narrow(mask: BoolArray, rays: int) -> BoolArray:
    """Take from a mask (N, A) what is at most twice as many rays wide as given."""
    return mask & dilated(~dilated(~mask, rays), rays)


def runs_round(mask: BoolArray, *, neighbours: int = 1) -> tuple[IntArray, int]:
    """Number the connected parts of a mask (N, A) that is closed along its second axis.

    Parameters
    ----------
    mask : (N, A) bool array
    neighbours : int
        How many frames apart two parts may be and still be one.
    """
    bridged = mask
    if neighbours > 1:
        bridged = binary_dilation(mask, np.ones((2 * (neighbours // 2) + 1, 1), dtype=bool))
    numbers, count = label(bridged, np.ones((3, 3)))
    parent = np.arange(count + 1)
    for i in range(len(mask)):
        for j in (-1, 0, 1):
            if 0 <= i + j < len(mask) and numbers[i, -1] and numbers[i + j, 0]:
                a, b = _root(parent, numbers[i, -1]), _root(parent, numbers[i + j, 0])
                parent[max(a, b)] = min(a, b)
    roots = np.array([_root(parent, n) for n in range(count + 1)])
    kept, renumbered = np.unique(roots, return_inverse=True)
    return np.where(mask, renumbered[numbers], 0).astype(np.int64), len(kept) - 1


def _root(parent: IntArray, number: int) -> int:
    while parent[number] != number:
        number = int(parent[number])
    return number


def _mouths(distance: FloatArray, beyond: FloatArray, hidden: BoolArray) -> BoolArray:
    """Parts of the outlines that lie clearly beyond the wall and are wide enough."""
    candidate = (beyond > OPEN_MM) & ~hidden
    numbers, count = runs_round(candidate)
    opened = np.zeros(distance.shape, dtype=bool)
    ray_mm = (distance - beyond) * (2.0 * np.pi / distance.shape[1])
    for number in range(1, count + 1):
        part = numbers == number
        part &= np.where(part, beyond, 0.0).max(axis=1, keepdims=True) > CLEARLY_OPEN_MM
        widest = (part * ray_mm).sum(axis=1).max()
        if beyond[part].max(initial=0.0) > SURELY_OPEN_MM and widest > NARROWEST_MM:
            opened |= part
    return opened
