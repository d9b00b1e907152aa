"""What consoles burn into frames: texts, scales, cut planes, measurements; found, to be blacked.

The catheter's own rings stand still as well, but lie all around its centre; they are left.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_dilation, binary_propagation, grey_opening

FloatArray = npt.NDArray[np.float64]
ByteArray = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]
Progress = Callable[[str, float], None]

_SAMPLED = 64
# Grey levels.
_CHANGE = 3.0
_STEADY = 6.0
_FAINTEST_MARK, _FAINT_EDGE = 25.0, 12.0
_FAINTEST_STEADY = 40.0
_BRIGHTEST_TISSUE = 225.0
_DRAWN = 200.0
# A mark stands out this much more than nearly all of the picture.
_OUTSTANDING, _NEARLY_ALL_PERCENT = 3.0, 98.0
# Share of a ring about the catheter that changes where frames show anything.
_CHANGING = 0.25
_FEWEST_CHANGING = 3
# The catheter's rings are not equally bright all around.
_MOST_OF_RING_PERCENT = 70.0
_TOUCHING = np.ones((3, 3), dtype=bool)
_EDGE_PX = 2
# What is drawn on one frame, in pixels, and how much more that is than around it.
_SMALLEST_DRAWING_PX, _MORE, _AROUND = 25, 3.0, 5


def distance_mm(shape: tuple[int, int], catheter_px: FloatArray, pixel_spacing_mm: FloatArray) -> FloatArray:
    """Distance of each pixel (rows, columns) from the catheter's centre."""
    x = (np.arange(shape[1]) - catheter_px[0]) * pixel_spacing_mm[0]
    y = (np.arange(shape[0]) - catheter_px[1]) * pixel_spacing_mm[1]
    return np.hypot(x[None, :], y[:, None])


def seen_radius_mm(pixels: ByteArray, from_catheter_mm: FloatArray, most_mm: float, step_mm: float) -> float:
    """Find how far from the catheter frames show anything.

    Parameters
    ----------
    pixels : (N, rows, columns) uint8 array
        The frames.
    from_catheter_mm : (rows, columns) array
        Distance of each pixel from the catheter's centre.
    most_mm : float
        Where the picture ends.
    step_mm : float
        Size of a pixel.

    Returns
    -------
    float
        The outermost ring, in mm, of which a fair part changes from frame to frame; ``most_mm`` if
        there is no such ring.
    """
    sample = _sampled(pixels)
    if len(sample) < _FEWEST_CHANGING:
        return most_mm
    low, high = np.percentile(sample, [10.0, 90.0], axis=0, method="nearest")
    changing = (high.astype(np.int16) - low > _CHANGE).ravel()
    ring = np.minimum(from_catheter_mm / step_mm, 1e6).astype(int).ravel()
    counts = np.bincount(ring)
    share = np.bincount(ring, weights=changing) / np.maximum(counts, 1)
    seen = np.flatnonzero(share[: int(most_mm / step_mm) + 1] > _CHANGING)
    return min(most_mm, float(seen[-1] + 1) * step_mm) if len(seen) else most_mm


def steady_marks(pixels: ByteArray, from_catheter_mm: FloatArray, inside: BoolArray) -> BoolArray:
    """Find what is drawn on the same pixels of nearly all frames.

    Parameters
    ----------
    pixels : (N, rows, columns) uint8 array
        The frames.
    from_catheter_mm : (rows, columns) array
        Distance of each pixel from the catheter's centre.
    inside : (rows, columns) bool array
        Where frames show anything.

    Returns
    -------
    (rows, columns) bool array
        The marks and their soft edges.
    """
    sample = _sampled(pixels)
    # What is bright in nearly all frames: tissue is dark there in some.
    floor, top = np.percentile(sample, [10.0, 90.0], axis=0, method="nearest").astype(np.float64)
    thin = floor - grey_opening(floor, footprint=_disc(_thickest_px(floor.shape)))
    off_ring = floor - _ring_level(floor, from_catheter_mm, inside)
    usual = float(np.percentile(thin[inside], _NEARLY_ALL_PERCENT))
    least = max(_FAINTEST_MARK, _OUTSTANDING * usual)
    seeds = (np.minimum(thin, off_ring) > least) & inside
    # Thick letters: tissue is never that steady.
    steady = (top - floor <= _STEADY) & (off_ring > max(_FAINTEST_STEADY, least)) & inside
    edges = (np.minimum(thin, off_ring) > max(_FAINT_EDGE, least / 2.0)) & inside
    marks = binary_propagation(seeds, _TOUCHING, mask=edges | seeds) | steady
    return binary_dilation(marks, _disc(2 * _EDGE_PX + 1)) & inside


def single_marks(pixels: ByteArray, inside: BoolArray, progress: Progress) -> dict[int, BoolArray]:
    """Find what is drawn on single frames: bright, thin, and far more of it than on the frames around.

    Parameters
    ----------
    pixels : (N, rows, columns) uint8 array
        The frames.
    inside : (rows, columns) bool array
        Where frames show anything but marks of all frames.
    progress : callable
        Told the stage and the fraction done.

    Returns
    -------
    dict of int to (rows, columns) bool array
        The marks and their soft edges, by acquisition index.
    """
    level = _drawn_level(pixels, inside)
    counts = np.array([np.count_nonzero(each[inside] >= level) for each in pixels])
    marks = {}
    for i in np.flatnonzero(counts >= _SMALLEST_DRAWING_PX).tolist():
        progress("looking for drawings", i / len(pixels))
        if counts[i] >= _MORE * _around(counts, i) + _SMALLEST_DRAWING_PX:
            drawn = _thin_and_bright(pixels[i], level, ~inside) & inside
            if np.count_nonzero(drawn) >= _SMALLEST_DRAWING_PX:
                marks[i] = binary_dilation(drawn, _disc(2 * _EDGE_PX + 1)) & inside
    return marks


def _sampled(pixels: ByteArray) -> ByteArray:
    chosen = np.linspace(0, len(pixels) - 1, min(_SAMPLED, len(pixels))).round().astype(int)
    return pixels[np.unique(chosen)]


def _thickest_px(shape: tuple[int, ...]) -> int:
    """Width that lines and letters stay below."""
    return max(9, min(shape) // 40 | 1)


def _disc(size: int) -> BoolArray:
    across = np.arange(size) - size // 2
    return np.hypot(across[None, :], across[:, None]) <= size / 2.0


def _ring_level(floor: FloatArray, from_catheter_mm: FloatArray, inside: BoolArray) -> FloatArray:
    """Value that most of the ring about the catheter keeps below, at each pixel's distance from it."""
    step_mm = float(np.median(np.abs(np.diff(from_catheter_mm[0]))))
    ring = np.where(inside, (from_catheter_mm / step_mm).round().astype(int), -1)
    order = np.argsort(ring, axis=None, kind="stable")
    rings, starts = np.unique(ring.ravel()[order], return_index=True)
    pieces = np.split(floor.ravel()[order], starts[1:])
    levels = np.array([np.percentile(each, _MOST_OF_RING_PERCENT) for each in pieces])
    return levels[np.searchsorted(rings, ring)]


def _drawn_level(pixels: ByteArray, inside: BoolArray) -> float:
    """Grey level above which hardly anything lies on most frames."""
    brightest = [float(np.percentile(each[inside], 99.9)) for each in _sampled(pixels)]
    return max(_DRAWN, min(_BRIGHTEST_TISSUE, float(np.percentile(brightest, 75.0))) + 20.0)


def _around(counts: npt.NDArray[np.int64], i: int) -> float:
    """Usual count on one side of a frame, whichever is more: a stent begins at some frame."""
    sides = [counts[max(0, i - _AROUND) : i], counts[i + 1 : i + 1 + _AROUND]]
    return max(float(np.median(each)) for each in sides if len(each))


def _thin_and_bright(image: ByteArray, level: float, hidden: BoolArray) -> BoolArray:
    """Lines, letters and dots of a frame with their dimmer parts, also across what is hidden."""
    thin = image.astype(np.int16) - grey_opening(image, footprint=_disc(_thickest_px(image.shape)))
    seeds = (image >= level) & (thin > level / 2.0)
    return binary_propagation(seeds, _TOUCHING, mask=(thin > level / 5.0) | seeds | hidden)
