"""How much each place of an image looks like the middle of a bright tube.

Optimally oriented flux (Law and Chung, ECCV 2008): the gradient that flows inwards through a small
sphere, by direction. In the middle of a bright tube it is large in the two directions across. At
the face of a large chamber only one direction has it, inside a chamber none, and the wall of a
neighbour on one side does not add to that of the other, so that chambers and veins that touch
the vessel disturb it less than they do second derivatives.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.fft import irfftn, next_fast_len, rfftn

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

RADII_MM = (0.7, 1.0, 1.4, 2.0, 2.8)
_PAIRS = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))


def tubeness(
    values: npt.NDArray[np.float32],
    spacing_mm: float,
    where: BoolArray,
    *,
    radii_mm: tuple[float, ...] = RADII_MM,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Measure the contrast of tubes that voxels are in the middle of.

    Parameters
    ----------
    values : (S, R, C) float32 array
        On a grid of equal steps along all axes.
    spacing_mm : float
        Of that grid.
    where : (S, R, C) bool array
        For which voxels an answer is wanted; M of them.
    radii_mm : tuple of float
        Of the tubes to look for.

    Returns
    -------
    contrast : (M,) array
        Brightness of the tube above its surroundings, in the units of ``values``; 0 where there is
        no bright tube. Tubes of two or three steps across answer up to a third too much.
    radius_mm : (M,) array
        The radius that answered most.
    """
    shape = tuple(next_fast_len(n + 2 * _margin(radii_mm, spacing_mm), real=True) for n in values.shape)
    spectrum, wave = _spectrum(values, shape, spacing_mm)
    best = np.zeros(int(where.sum()), dtype=np.float32)
    best_radius = np.full(best.shape, radii_mm[0], dtype=np.float32)
    for radius in radii_mm:
        strength = _strength(spectrum, wave, radius, spacing_mm, shape, where)
        strength /= np.float32(_unit_response(radius, spacing_mm))
        better = strength > best
        best[better], best_radius[better] = strength[better], radius
    return best, best_radius


def _margin(radii_mm: tuple[float, ...], spacing_mm: float) -> int:
    return int(np.ceil((max(radii_mm) + 3.0 * spacing_mm) / spacing_mm))


def _spectrum(
    values: npt.NDArray[np.float32], shape: tuple[int, ...], spacing_mm: float
) -> tuple[npt.NDArray[np.complex64], list[npt.NDArray[np.float32]]]:
    """Fourier transform of the image, its border carried on, and wave numbers in radians per mm."""
    pads = [(0, n - m) for n, m in zip(shape, values.shape, strict=True)]
    spectrum = rfftn(np.pad(values, pads, mode="symmetric"), workers=-1)
    wave = [2.0 * np.pi * np.fft.fftfreq(n, spacing_mm).astype(np.float32) for n in shape[:2]]
    wave.append(2.0 * np.pi * np.fft.rfftfreq(shape[2], spacing_mm).astype(np.float32))
    return spectrum.astype(np.complex64, copy=False), list(np.ix_(*wave))


def _strength(
    spectrum: npt.NDArray[np.complex64],
    wave: list[npt.NDArray[np.float32]],
    radius_mm: float,
    spacing_mm: float,
    shape: tuple[int, ...],
    where: BoolArray,
) -> npt.NDArray[np.float32]:
    """Geometric mean of the inward flux in the two directions across, (M,); 0 unless both are inward."""
    square = wave[0] ** 2 + wave[1] ** 2 + wave[2] ** 2
    square[0, 0, 0] = 1.0
    turn = np.sqrt(square) * np.float32(radius_mm)
    # Averages over the sphere, so that radii can be compared.
    gain = np.exp(-0.5 * square * np.float32(spacing_mm) ** 2) / square / np.float32(radius_mm)
    kernel = spectrum * (gain * (np.cos(turn) - np.sin(turn) / turn))
    crop = tuple(slice(0, n) for n in where.shape)
    flux = [irfftn(kernel * (wave[i] * wave[j]), shape, workers=-1)[crop][where] for i, j in _PAIRS]
    low, middle = _two_lowest(*flux)
    return np.sqrt(np.maximum(-middle, 0.0) * np.maximum(-low, 0.0)).astype(np.float32)


def _two_lowest(*elements: npt.NDArray[np.float32]) -> tuple[FloatArray, FloatArray]:
    """Return the two lowest eigenvalues (M,) of symmetric matrices, by their characteristic cubic."""
    a, b, c, d, e, f = (each.astype(np.float64) for each in elements)
    mean = (a + b + c) / 3.0
    a, b, c = a - mean, b - mean, c - mean
    size = np.sqrt(np.maximum((a * a + b * b + c * c + 2.0 * (d * d + e * e + f * f)) / 6.0, 1e-30))
    det = a * (b * c - f * f) - d * (d * c - f * e) + e * (d * f - b * e)
    angle = np.arccos(np.clip(0.5 * det / size**3, -1.0, 1.0)) / 3.0
    highest = mean + 2.0 * size * np.cos(angle)
    lowest = mean + 2.0 * size * np.cos(angle + 2.0 * np.pi / 3.0)
    return lowest, 3.0 * mean - highest - lowest


@lru_cache(maxsize=64)
def _unit_response(radius_mm: float, spacing_mm: float) -> float:
    """Response in the middle of a straight tube of contrast 1."""
    half = int(np.ceil(2.5 * radius_mm / spacing_mm)) + 4
    at = spacing_mm * np.arange(-half, half + 1)
    distance = np.hypot(at[:, None], at[None, :])
    edge = np.clip(0.5 - (distance - radius_mm) / spacing_mm, 0.0, 1.0).astype(np.float32)
    tube = np.repeat(edge[None], 2 * half + 1, axis=0)
    where = np.zeros(tube.shape, dtype=bool)
    where[half, half, half] = True
    spectrum, wave = _spectrum(tube, tube.shape, spacing_mm)
    return float(_strength(spectrum, wave, radius_mm, spacing_mm, tube.shape, where)[0])
