"""The price of bends in a sequence, as a banded matrix."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def bending_bands(weight: FloatArray) -> FloatArray:
    """Make the matrix of a weighted sum of squared second differences.

    Parameters
    ----------
    weight : (N - 2, ...) array
        Of the second difference about each inner place; further axes are further sequences.

    Returns
    -------
    bands : (3, N, ...) array
        Lower banded form, as ``scipy.linalg.solveh_banded`` takes it: row d couples places d apart.
    """
    bands = np.zeros((3, len(weight) + 2, *weight.shape[1:]))
    difference = (1.0, -2.0, 1.0)
    for offset in range(3):
        for i in range(3 - offset):
            bands[offset, i : i + len(weight)] += difference[i] * difference[i + offset] * weight
    return bands
