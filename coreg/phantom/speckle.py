"""Tables of noise that is correlated like speckle and like the fibres of tissue."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

Float32Array = npt.NDArray[np.float32]
Complex64Array = npt.NDArray[np.complex64]


def speckle_intensity(
    rng: np.random.Generator, shape: tuple[int, int], sigma: tuple[float, float], *, looks: int
) -> Float32Array:
    """Make a periodic table of speckle intensity with mean 1.

    Parameters
    ----------
    rng : Generator
        Source.
    shape : pair of int
        Of the table.
    sigma : pair
        Standard deviations of the point spread, in samples.
    looks : int
        How many independent pictures are averaged; the variance of the intensity is its inverse.
    """
    total = np.zeros(shape)
    for _ in range(2 * looks):
        total += gaussian_filter(rng.standard_normal(shape), sigma, mode="wrap") ** 2
    return (total / total.mean()).astype(np.float32)


def texture(rng: np.random.Generator, shape: tuple[int, ...], sigma: tuple[float, ...]) -> Float32Array:
    """Make a periodic table of unit variance that is smooth over ``sigma`` samples."""
    noise = gaussian_filter(rng.standard_normal(shape), sigma, mode="wrap")
    return (noise / noise.std()).astype(np.float32)


def scatterers(
    rng: np.random.Generator, shape: tuple[int, ...], *, blur: tuple[float, ...] | None = None
) -> Complex64Array:
    """Make a periodic table of scatterers with random phase and mean intensity 1, blurred over cells."""
    pair = rng.standard_normal((2, *shape), dtype=np.float32)
    if blur is not None:
        pair = np.stack([gaussian_filter(each, blur, mode="wrap", truncate=3.0) for each in pair])
    pair *= np.float32(np.sqrt(0.5) / pair.std())
    return (pair[0] + 1j * pair[1]).astype(np.complex64)
