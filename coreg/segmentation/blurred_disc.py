"""What a scanner's blur makes of a round cross-section."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates
from scipy.special import ive

FloatArray = npt.NDArray[np.float64]

_STEP = 0.05
_LARGEST = 24.0


def disc_share(
    distance_mm: FloatArray, radius_mm: FloatArray, blur_mm: float
) -> tuple[FloatArray, FloatArray]:
    """Share of a disc's brightness that is left at a distance from its centre after a blur.

    A two-dimensional Gaussian around the point, integrated over the disc; for a straight tube the
    same holds in space. Small discs fade in their middle: a threshold half way between inside and
    outside makes them too large, and too small where it is taken from their faded middle.

    Parameters
    ----------
    distance_mm, radius_mm : arrays
        Broadcast against each other.
    blur_mm : float
        Standard deviation of the blur.

    Returns
    -------
    share : array
        From 0 to 1.
    slope : array
        Its derivative by the radius, per mm.
    """
    u = np.minimum(distance_mm / blur_mm, _LARGEST) / _STEP
    v = np.minimum(radius_mm / blur_mm, _LARGEST) / _STEP
    at = np.stack(np.broadcast_arrays(u, v))
    share, slope = _tables()
    return (
        map_coordinates(share, at, order=1, prefilter=False),
        map_coordinates(slope, at, order=1, prefilter=False) / blur_mm,
    )


@lru_cache(maxsize=1)
def _tables() -> tuple[FloatArray, FloatArray]:
    """Share and slope over distance (rows) and radius (columns), both in units of the blur."""
    fine = 4
    at = np.arange(0.0, _LARGEST + _STEP / 2.0, _STEP)
    radius = np.arange(0.0, _LARGEST + _STEP / (2.0 * fine), _STEP / fine)
    u, v = at[:, None], radius[None, :]
    slope = v * ive(0, u * v) * np.exp(-0.5 * (u - v) ** 2)
    steps = 0.5 * (slope[:, 1:] + slope[:, :-1]) * (_STEP / fine)
    share = np.concatenate([np.zeros((len(at), 1)), np.cumsum(steps, axis=1)], axis=1)
    return np.minimum(share[:, ::fine], 1.0), slope[:, ::fine].copy()
