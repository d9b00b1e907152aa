"""What consoles burn into frames: texts, scales, cut planes, measurements; found, to be blacked.

The catheter's own rings stand still as well, but lie all around its centre; they are left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import (
    binary_closing,
    binary_dilation,
    binary_erosion,
    binary_propagation,
    find_objects,
    grey_opening,
    label,
    uniform_filter,
)

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
# A mark hardly changes; tissue that is bright in nearly all frames does, by more than this share of what
# it stands out. Marks that stand out by as many greys as the second number may change as much.
_SWAY, _SHINING, _MOSTLY = 0.4, 120.0, 0.5
_AMONG_PX = 5
_FEWEST_EVEN, _EVEN = 20, 0.25
# Gaps within and between letters are this large, against all that is hidden.
_LETTERS = 1.15
# No border stands out like this from the darkest tenth of the frames.
_STRIKING, _STRONG, _FAR_OUTSTANDING = 100.0, 75.0, 3.0
# Consoles that draw without soft edges take few greys.
_PEN_GREYS, _OTHER_GREYS, _FEWEST_ALIKE = 3, 0.05, 4
_BRIGHTEST_TISSUE = 225.0
_DRAWN, _BRIGHTER = 200.0, 20.0
# The rest may be wires and struts.
_TISSUE_PERCENT = 99.5
# A mark stands out this much more than most of the picture.
_OUTSTANDING, _MOST_PERCENT = 6.0, 90.0
# Share of a ring about the catheter that changes where frames show anything.
_CHANGING = 0.25
_FEWEST_CHANGING = 3
# The catheter's rings are not equally bright all around.
_MOST_OF_RING_PERCENT = 70.0
_TOUCHING = np.ones((3, 3), dtype=bool)
_EDGE_PX = 2
# What is drawn on one frame, in pixels, and how much more that is than around it.
_SMALLEST_DRAWING_PX, _MORE, _AROUND = 50, 4.0, 5
# Two pixels beside most of a drawing it is this much darker; beside bright tissue and wires it is not.
_FALL, _BESIDE_PX, _SHARP_SHARE = 90, 2, 0.5
# Most frames have no drawing; what they have is coarse speckle.
_MOST_FRAMES_PERCENT = 80.0


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
    low, high = _levels(sample, (10.0, 90.0))
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
        The marks and their soft edges, where they have any.
    """
    sample = _sampled(pixels)
    # What is bright in nearly all frames: tissue is dark there in some.
    floor, middle, top = (each.astype(np.float64) for each in _levels(sample, (10.0, 50.0, 90.0)))
    thin = floor - grey_opening(floor, footprint=_disc(_thickest_px(floor.shape)))
    off_ring = floor - _ring_level(floor, from_catheter_mm, inside)
    contrast = np.minimum(thin, off_ring)
    usual = float(np.percentile(thin[inside], _MOST_PERCENT))
    least = float(np.clip(_OUTSTANDING * usual, _FAINTEST_MARK, _FAINTEST_STEADY))
    bright = (contrast > least) & inside
    change = top - floor
    calm = _calm(contrast, change, bright) | (contrast > max(_STRIKING, _FAR_OUTSTANDING * usual))
    if len(sample) >= _FEWEST_EVEN:
        # Where a moving wall shines through, the dark half of the frames is even.
        calm |= middle - floor <= np.maximum(_STEADY, _EVEN * thin)
    # The border of a lumen that stays in place is calm at some pixels, a mark at most of them.
    seeds = bright & calm & (_share(calm & bright, bright) >= _MOSTLY)
    # The rest of a line of text, over gaps between letters.
    strong = inside & (thin > max(_STRONG, _FAR_OUTSTANDING * usual))
    gaps = binary_dilation(strong, _TOUCHING, iterations=_thickest_px(floor.shape))
    seeds |= binary_propagation(seeds, _TOUCHING, mask=gaps | seeds) & strong
    # Thick letters: tissue is never that steady.
    steady = (top - floor <= _STEADY) & (off_ring > _FAINTEST_STEADY) & inside
    # Letters that tissue shines through are close to calm ones.
    near = binary_dilation(seeds, _TOUCHING, iterations=_thickest_px(floor.shape))
    fainter = (contrast > max(_FAINT_EDGE, least / 2.0)) & inside
    edges = fainter & (near | _calm(contrast, change, fainter))
    marks = binary_propagation(seeds | (bright & near), _TOUCHING, mask=edges | seeds) | steady
    return _whole(marks, edges, floor, middle == floor) & inside


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
    pen = _pen(pixels, inside)
    counts = np.zeros(len(pixels), np.int64)
    for i, each in enumerate(pixels):
        counts[i] = np.count_nonzero(_strokes(each, pen, inside, pen.least_px))
        progress("looking for drawings", (i + 1) / len(pixels))
    usual = float(np.percentile(counts, _MOST_FRAMES_PERCENT))
    return {
        i: _drawn_on(pixels[i], pen, inside)
        for i in np.flatnonzero(counts).tolist()
        if counts[i] >= _MORE * max(usual, _around(counts, i)) + pen.least_px
    }


def _calm(contrast: FloatArray, spread: FloatArray, bright: BoolArray) -> BoolArray:
    """Tell bright pixels that change little for how much they stand out.

    The border of a lumen that stays in place changes as much as it stands out, since its speckle does
    not stay. What tissue shines through changes as well, but stands out more than any border.
    """
    among = uniform_filter(bright.astype(np.float64), _AMONG_PX)
    out, change = (uniform_filter(np.where(bright, each, 0.0), _AMONG_PX) for each in (contrast, spread))
    per_pixel = out / np.maximum(among, 0.5 / _AMONG_PX**2)
    return change <= out * np.maximum(_SWAY, per_pixel / _SHINING)


def _share(some: BoolArray, of: BoolArray) -> FloatArray:
    """Share of the pixels around each that are some of these."""
    size = _thickest_px(of.shape)
    counts = uniform_filter(of.astype(np.float64), size)
    return uniform_filter(some.astype(np.float64), size) / np.maximum(counts, 0.5 / size**2)


def _whole(marks: BoolArray, edges: BoolArray, floor: FloatArray, constant: BoolArray) -> BoolArray:
    """Marks with their soft edges; those drawn without are as wide as their greys."""
    close = _thickest_px(marks.shape) // 2
    words, _ = label(binary_dilation(marks, _TOUCHING, iterations=close), _TOUCHING)
    soft, sharp, greys = np.zeros_like(marks), np.zeros_like(marks), np.zeros(256, dtype=bool)
    for number, box in enumerate(find_objects(words), start=1):
        word = marks[box] & (words[box] == number)
        pens = _pen_greys(floor[box][word], constant[box][word])
        if len(pens):
            sharp[box] |= word & np.isin(floor[box], pens)
            greys[pens] = True
        else:
            soft[box] |= word
    alike = constant & greys[floor.astype(int)]
    sharp = binary_propagation(sharp, _TOUCHING, mask=alike | sharp)
    # Letters that are even inside have soft edges all the same.
    sharp |= binary_dilation(sharp, _disc(2 * _EDGE_PX + 1)) & edges
    return _unreadable(binary_dilation(soft, _disc(2 * _EDGE_PX + 1)) | sharp)


def _unreadable(marks: BoolArray) -> BoolArray:
    """Fill the gaps in and between letters, whose black shapes could be read; lines have none."""
    wide = _thickest_px(marks.shape)
    whole = marks.copy()
    words, _ = label(binary_dilation(marks, _TOUCHING, iterations=wide // 2), _TOUCHING)
    for number, box in enumerate(find_objects(words), start=1):
        word = np.pad(marks[box] & (words[box] == number), wide)
        filled = binary_closing(word, _disc(2 * wide + 1))
        if np.count_nonzero(filled) > _LETTERS * np.count_nonzero(word):
            whole[box] |= filled[wide:-wide, wide:-wide]
    return whole


def _pen_greys(drawn: FloatArray, constant: BoolArray) -> npt.NDArray[np.int64]:
    """Greys of what was drawn without soft edges; none where it has some."""
    greys, counts = np.unique(drawn[constant].astype(np.int64), return_counts=True)
    common = np.argsort(counts)[-_PEN_GREYS:]
    common = common[counts[common] > 1]
    some = max(_FEWEST_ALIKE, (1.0 - _OTHER_GREYS) * counts.sum(), len(drawn) / 2.0)
    return greys[common] if counts[common].sum() >= some else greys[:0]


def _sampled(pixels: ByteArray) -> ByteArray:
    chosen = np.linspace(0, len(pixels) - 1, min(_SAMPLED, len(pixels))).round().astype(int)
    return pixels[np.unique(chosen)]


def _levels(sample: ByteArray, percents: tuple[float, ...]) -> list[ByteArray]:
    """Percentiles (rows, columns) over frames (N, rows, columns), each the nearest value there is."""
    # A stable sort of bytes is a radix sort, several times faster than a partition.
    ranked = np.sort(np.ascontiguousarray(np.moveaxis(sample, 0, -1)), axis=-1, kind="stable")
    ranks = np.percentile(np.arange(len(sample)), percents, method="nearest")
    return [ranked[..., rank] for rank in ranks]


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


@dataclass(frozen=True)
class _Pen:
    """How drawings on single frames differ from tissue.

    Attributes
    ----------
    level : float
        Grey level above which hardly any tissue lies.
    dimmest : float
        How much the dim parts of a drawing stand out.
    least_px : int
        Size of the smallest drawing.
    letter_px : int
        Size of a letter, next to larger ones.
    """

    level: float
    dimmest: float
    least_px: int
    letter_px: int


def _pen(pixels: ByteArray, inside: BoolArray) -> _Pen:
    brightest = [float(np.percentile(each[inside], _TISSUE_PERCENT)) for each in _sampled(pixels)]
    usual = float(np.percentile(brightest, 75.0))
    if usual > _BRIGHTEST_TISSUE:
        # Where tissue is as bright as drawings, only large ones can be told from it.
        level = _BRIGHTEST_TISSUE + _BRIGHTER
        return _Pen(level, level / 2.0, 4 * _SMALLEST_DRAWING_PX, _SMALLEST_DRAWING_PX)
    level = max(_DRAWN, usual + _BRIGHTER)
    return _Pen(level, level / 5.0, _SMALLEST_DRAWING_PX, 2)


def _strokes(image: ByteArray, pen: _Pen, inside: BoolArray, least_px: int) -> BoolArray:
    """Keep bright pixels that hang together in long, thin, sharp pieces: no speckles, struts or wires."""
    bright = (image >= pen.level) & inside
    if np.count_nonzero(bright) < least_px:
        return np.zeros_like(bright)
    sharp = _sharp(image, bright, inside)
    if np.count_nonzero(sharp) < _SHARP_SHARE * least_px:
        return np.zeros_like(bright)
    core = binary_erosion(bright | ~inside, iterations=_thickest_px(bright.shape) // 2) & bright
    thick = binary_dilation(core, _disc(_thickest_px(bright.shape) + 2)) if core.any() else core
    pieces, count = label(bright & ~thick, _TOUCHING)
    sizes = np.bincount(pieces.ravel())
    sharp_px = np.bincount(pieces[sharp], minlength=count + 1)
    kept = (sizes >= least_px) & (sharp_px >= _SHARP_SHARE * sizes)
    kept[0] = False
    return kept[pieces]


def _sharp(image: ByteArray, bright: BoolArray, inside: BoolArray) -> BoolArray:
    """Keep bright pixels that have a much darker one close by."""
    rows, columns = np.nonzero(bright)
    darker = image[rows, columns].astype(np.int16) - _FALL
    found = np.zeros(len(rows), dtype=bool)
    for down, right in ((0, _BESIDE_PX), (_BESIDE_PX, 0), (0, -_BESIDE_PX), (-_BESIDE_PX, 0)):
        row = np.clip(rows + down, 0, image.shape[0] - 1)
        column = np.clip(columns + right, 0, image.shape[1] - 1)
        found |= (image[row, column] <= darker) & inside[row, column]
    sharp = np.zeros_like(bright)
    sharp[rows, columns] = found
    return sharp


def _around(counts: npt.NDArray[np.int64], i: int) -> float:
    """Usual count on one side of a frame, whichever is more: a stent begins at some frame."""
    sides = [counts[max(0, i - _AROUND) : i], counts[i + 1 : i + 1 + _AROUND]]
    return max(float(np.median(each)) for each in sides if len(each))


def _drawn_on(image: ByteArray, pen: _Pen, inside: BoolArray) -> BoolArray:
    """Lines, letters and dots of a frame with their dimmer parts, also across what is hidden."""
    disc = _disc(_thickest_px(image.shape))
    around = grey_opening(image, footprint=disc).astype(np.int16)
    # Speckle of bright tissue stands out as well, but by no more than its brightness.
    thin = image - 2 * around
    drawn = _strokes(image, pen, inside, pen.letter_px)
    # A letter may be dimmer than the next one.
    drawn |= binary_dilation(drawn, disc) & (thin > pen.level / 3.0)
    drawn = binary_propagation(drawn, _TOUCHING, mask=(thin > pen.dimmest) | drawn | ~inside) & inside
    return binary_dilation(drawn, _disc(2 * _EDGE_PX + 1)) & inside
