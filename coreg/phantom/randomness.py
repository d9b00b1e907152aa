"""Random functions that are smooth, from seeds that do not disturb each other."""

from __future__ import annotations

from zlib import crc32

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

FloatArray = npt.NDArray[np.float64]


def component_rng(seed: int, component: str) -> np.random.Generator:
    """Make the generator of one component of a patient.

    Each component has its own stream, so that a change in one leaves the others as they were.
    """
    return np.random.default_rng(np.random.SeedSequence([seed, crc32(component.encode())]))


def smooth_noise(
    rng: np.random.Generator, shape: tuple[int, ...], *, correlation: float, axis: int = 0
) -> FloatArray:
    """Draw stationary noise of unit variance, smooth along one axis.

    Parameters
    ----------
    rng : Generator
        Source.
    shape : tuple of int
        Of the result.
    correlation : float
        Steps over which the autocorrelation falls to 1/e.
    axis : int
        Along which it is smooth.
    """
    sigma = max(correlation / 2.0, 1e-3)
    margin = int(np.ceil(4.0 * sigma)) + 1
    padded = list(shape)
    padded[axis] += 2 * margin
    impulse = np.zeros(8 * margin + 1)
    impulse[4 * margin] = 1.0
    gain = np.sqrt((gaussian_filter1d(impulse, sigma) ** 2).sum())
    filtered = gaussian_filter1d(rng.standard_normal(padded), sigma, axis=axis) / gain
    return np.take(filtered, np.arange(margin, margin + shape[axis]), axis=axis)


def smooth_field(
    rng: np.random.Generator, points_mm: FloatArray, *, correlation_mm: float, waves: int = 200
) -> FloatArray:
    """Sample a stationary random field of unit variance at points (M, 3), shape (M,).

    A sum of plane waves with random directions and phases (random Fourier features); its
    autocorrelation falls to 1/e at ``correlation_mm``.
    """
    wave_vectors = rng.standard_normal((waves, 3)) * (np.sqrt(2.0) / correlation_mm)
    phases = rng.uniform(0.0, 2.0 * np.pi, waves)
    total = np.zeros(len(points_mm))
    for start in range(0, waves, 20):
        part = slice(start, start + 20)
        total += np.cos(points_mm @ wave_vectors[part].T + phases[part]).sum(axis=1)
    return total * np.sqrt(2.0 / waves)
