"""Frames of any depth and colouring as grey values of eight bits, with what was drawn on them in colour."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_dilation, median_filter

from coreg.io.frame_source import FrameSource, Plane

FloatArray = npt.NDArray[np.float64]
ByteArray = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]

_SAMPLED = 24
# Of ITU-R BT.601, as in DICOM.
_RED, _GREEN, _BLUE = 0.299, 0.587, 0.114
# A picture's own tint, such as sepia, goes with its brightness; what is drawn on it does not.
_OTHER_HUE = 40.0
_SMOOTH_LEVELS = 31
_BITS_8 = 255.0
# The few brightest pixels of deeper images need not fit.
_TOP_PERCENT = 99.98


@dataclass(frozen=True, eq=False)
class Greying:
    """How the frames of one run become grey.

    Attributes
    ----------
    low, high : float
        Values that become black and white.
    tint : (2, 256) array or None
        Usual red and blue less luminance, by luminance; None for grey frames.
    """

    low: float
    high: float
    tint: FloatArray | None = None


def greying_of(source: FrameSource, inside: BoolArray) -> Greying:
    """Choose one window and one tint for all frames, from some of them.

    Parameters
    ----------
    source : FrameSource
        The frames.
    inside : (rows, columns) bool array
        Where the picture itself is.
    """
    planes = list(source.planes(source.sample(_SAMPLED)))
    if planes[0].dtype == np.uint8:
        low, high = 0.0, _BITS_8
    else:
        values = np.stack([each[inside] for each in planes])
        low, high = float(values.min()), float(np.percentile(values, _TOP_PERCENT))
        if values.dtype.kind in "iu" and low >= 0.0 and float(values.max()) <= _BITS_8:
            low, high = 0.0, _BITS_8
        high = max(high, low + 1e-6)
    plain = Greying(low, high)
    coloured = [_eight_bits(each, plain)[inside] for each in planes if each.ndim == 3]
    return Greying(low, high, _tint(np.concatenate(coloured))) if coloured else plain


def grey_frames(source: FrameSource, greying: Greying) -> Iterator[tuple[ByteArray, BoolArray | None]]:
    """Decode frame by frame.

    Yields
    ------
    grey : (rows, columns) uint8 array
        Luminance.
    drawn : (rows, columns) bool array or None
        Pixels of another hue than the picture's own.
    """
    for plane in source.planes(range(source.count)):
        if plane.ndim == 2 and plane.dtype == np.uint8:
            # Those are never windowed.
            yield plane, None
            continue
        values = _eight_bits(plane, greying)
        if values.ndim == 2:
            yield np.rint(values).astype(np.uint8), None
            continue
        luminance = _luminance(values)
        yield np.rint(luminance).astype(np.uint8), _of_other_hue(values, luminance, greying.tint)


def _eight_bits(plane: Plane, greying: Greying) -> npt.NDArray[np.float32]:
    values = plane.astype(np.float32)
    if (greying.low, greying.high) == (0.0, _BITS_8):
        return values
    scaled = (values - greying.low) * (_BITS_8 / (greying.high - greying.low))
    return np.clip(scaled, 0.0, _BITS_8)


def _luminance(colours: Plane) -> Plane:
    weights = np.array([_RED, _GREEN, _BLUE], dtype=np.float32)
    return np.clip(colours @ weights, 0.0, _BITS_8)


def _tint(colours: Plane) -> FloatArray:
    """Usual red and blue less luminance, by luminance, of colours (N, 3)."""
    luminance = _luminance(colours)
    level = np.rint(luminance).astype(int)
    tint = np.zeros((2, 256))
    order = np.argsort(level, kind="stable")
    levels, starts = np.unique(level[order], return_index=True)
    for row, channel in enumerate((0, 2)):
        chroma = (colours[:, channel] - luminance)[order]
        medians = [float(np.median(each)) for each in np.split(chroma, starts[1:])]
        counts = np.diff([*starts, len(order)])
        # Rare levels may be marks only.
        usual = counts >= max(20, 1e-5 * len(order))
        if usual.any():
            # What is drawn has one luminance; the picture's own tint is like that of its neighbours.
            smooth = median_filter(np.array(medians)[usual], _SMOOTH_LEVELS, mode="nearest")
            tint[row] = np.interp(np.arange(256), levels[usual], smooth)
    return tint


def _of_other_hue(colours: Plane, luminance: Plane, tint: FloatArray | None) -> BoolArray | None:
    if tint is None:
        return None
    level = np.rint(luminance).astype(int)
    other = np.zeros(luminance.shape, dtype=bool)
    for row, channel in enumerate((0, 2)):
        other |= np.abs(colours[..., channel] - luminance - tint[row].astype(np.float32)[level]) > _OTHER_HUE
    # Compression smears colours over the neighbours.
    return binary_dilation(other, iterations=1) if other.any() else None
