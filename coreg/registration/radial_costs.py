"""How little the walls of two lumens agree at every turn of one against the other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from coreg.registration.vessel import capped_profile

FloatArray = npt.NDArray[np.float64]

HARMONICS = 12
SMALLEST_MM = 0.2
CAP = 1.5


def log_profiles(profile_mm: FloatArray) -> FloatArray:
    """Logarithm (M, A) of lumen radii (M, A), side branches capped."""
    return np.log(np.maximum(capped_profile(profile_mm, ratio=CAP), SMALLEST_MM))


def log_size(profile_mm: FloatArray) -> FloatArray:
    """Half the logarithm (M,) of a lumen's area, but for a constant: that of a mean radius."""
    capped = np.maximum(capped_profile(profile_mm, ratio=CAP), SMALLEST_MM)
    return 0.5 * np.log((capped**2).mean(axis=1))


def turn_costs(mine: FloatArray, theirs: FloatArray, count: int) -> FloatArray:
    """Mean square difference of profiles at equal steps of rotation, by their Fourier series.

    Parameters
    ----------
    mine, theirs : (..., A) arrays
        Profiles by angle; leading axes broadcast.
    count : int
        Rotations tried; more than A interpolate between angles.

    Returns
    -------
    (..., count) array
        Entry k compares ``theirs`` at an angle further on by k of ``count`` steps with ``mine``.
    """
    angles = mine.shape[-1]
    product = np.conj(np.fft.rfft(mine)[..., :HARMONICS]) * np.fft.rfft(theirs)[..., :HARMONICS]
    common = np.fft.irfft(product, n=count) * (count / angles**2)
    power = (mine**2).mean(axis=-1) + (theirs**2).mean(axis=-1)
    return np.asarray(np.maximum(power[..., None] - 2.0 * common, 0.0))
