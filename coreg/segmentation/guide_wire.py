"""The guide wire's shadow, followed from frame to frame."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_dilation, uniform_filter1d

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

WIDTH_RAD = np.radians(18.0)
FASTEST = 24
PRICE = 0.01
LIT = 0.3
WIDE_RAD, WIDE_PRICE, AWAY_PRICE, SAME_MM = np.radians(100.0), 0.6, 0.3, 0.35
WIDEST_RAD = np.radians(35.0)
HOLES = 2


def wire_shadow(
    likeness: Float32Array, away_mm: FloatArray, dark: BoolArray, *, sure: float, blur: int = 2
) -> BoolArray:
    """Find the rays (N, A) that the guide wire hides.

    Parameters
    ----------
    likeness : (N, A) array
        How much a ray looks like wire and shadow.
    away_mm : (N, A) array
        How far from the catheter the wire would be.
    dark : (N, A) bool array
        Rays without wall.
    sure : float
        How much a place must look like wire, rather than its surroundings, to be one.
    blur : int
        Rays by which the wire's image is wider than its shadow.
    """
    # Calcium is farther out than a wire, which mostly lies beside the catheter.
    course, strength = _course(likeness - AWAY_PRICE * away_mm)
    shadow = np.zeros(dark.shape, dtype=bool)
    near = np.arange(-2, 3)
    for i in np.flatnonzero(strength > sure):
        middle = int(course[i])
        lit = likeness[i] > LIT
        wire = np.median(away_mm[i, (middle + near) % dark.shape[1]])
        # Calcium and struts beside it are farther out.
        own = np.where(lit, np.abs(away_mm[i] - wire) <= SAME_MM, dark[i])
        shadow[i] = _sector(own, middle)
    grown: BoolArray = binary_dilation(np.concatenate([shadow] * 3, axis=1), np.ones((1, 2 * blur + 1)))
    return grown[:, dark.shape[1] : 2 * dark.shape[1]]


def _course(likeness: FloatArray) -> tuple[IntArray, FloatArray]:
    """Ray of the wire in each frame (N,), the best slow course, and how much it looks like one (N,)."""
    count, angles = likeness.shape
    width = max(3, round(WIDTH_RAD / (2.0 * np.pi) * angles))
    lit = np.maximum(likeness, 0.0)
    score = uniform_filter1d(likeness, width, axis=1, mode="wrap")
    # Calcium is wider than a wire.
    score -= WIDE_PRICE * uniform_filter1d(lit, round(WIDE_RAD / (2.0 * np.pi) * angles), axis=1, mode="wrap")
    moves = np.arange(-FASTEST, FASTEST + 1)
    total, came_from = score[0], np.zeros((count, angles), dtype=np.int64)
    for i in range(1, count):
        options = np.stack([np.roll(total, move) - PRICE * abs(move) for move in moves])
        came_from[i] = moves[options.argmax(axis=0)]
        total = score[i] + options.max(axis=0)
    course = np.empty(count, dtype=np.int64)
    course[-1] = total.argmax()
    for i in range(count - 1, 0, -1):
        course[i - 1] = (course[i] - came_from[i, course[i]]) % angles
    return course, score[np.arange(count), course]


def _sector(dark: BoolArray, middle: int) -> BoolArray:
    """The dark rays (A,) around one, over small holes."""
    sector = np.zeros(len(dark), dtype=bool)
    most = round(WIDEST_RAD / (2.0 * np.pi) * len(dark))
    for sense in (1, -1):
        holes = 0
        for k in range(most):
            ray = (middle + sense * k) % len(dark)
            holes = 0 if dark[ray] else holes + 1
            if holes > HOLES:
                break
            sector[ray] = dark[ray]
    return sector
