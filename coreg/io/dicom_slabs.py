"""Steps between the slabs of a step-and-shoot CT, where the heart or the patient moved in between."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import median_filter, percentile_filter

from coreg.volume import FloatArray

# Pixels are averaged 2 x 2 against noise; a block of 16 x 16 of these is judged on its own.
POOL, BLOCK = 2, 16
NEIGHBOURS = 10
AIR_HU = -950.0
# Neighbouring slices differ by this much more than those around them, in this part of the body.
LEAST_RATIO, LEAST_DEVIATIONS, LEAST_PART = 1.5, 6.0, 0.12
FEWEST_BLOCKS = 8


def slab_steps(values: npt.NDArray[np.int16]) -> tuple[int, ...]:
    """Find neighbouring slices that do not continue each other.

    Blocks of the image are compared with the same blocks of the next slice, without their mean (contrast
    may differ between slabs). A step is where many blocks differ by far more than they do between the slices
    before and after. Noise changes all differences alike, and an edge of anatomy only a few blocks.

    Parameters
    ----------
    values : (slices, rows, columns) int16 array
        In HU, evenly spaced.

    Returns
    -------
    tuple of int
        Indices of the slices after which there is a step.
    """
    if min(values.shape[1:]) < POOL * BLOCK or len(values) < NEIGHBOURS:
        return ()
    difference, body = _differences(values)
    window = (2 * NEIGHBOURS + 1, 1)
    usual = median_filter(difference, size=window, mode="nearest")
    deviation = 1.4826 * median_filter(np.abs(difference - usual), size=window, mode="nearest")
    # In slices interpolated from others every few differences are larger; a step is beyond these too.
    large = percentile_filter(difference, 85, size=window, mode="nearest")
    odd = (difference > LEAST_RATIO * large) & (difference > usual + LEAST_DEVIATIONS * deviation) & body
    steps = np.flatnonzero(odd.sum(axis=1) >= np.maximum(LEAST_PART * body.sum(axis=1), FEWEST_BLOCKS))
    # Slabs are some 20 slices or more; steps everywhere are something else.
    return tuple(int(each) for each in steps) if len(steps) <= len(values) // NEIGHBOURS else ()


def _differences(values: npt.NDArray[np.int16]) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Mean absolute difference of each block from that in the next slice, and whether it is in the body.

    Both have shape (slices - 1, blocks).
    """
    differences, body = [], []
    last = _blocks(values[0])
    for each in values[1:]:
        here = _blocks(each)
        change = here - last
        change -= change.mean(axis=1, keepdims=True)
        differences.append(np.abs(change).mean(axis=1))
        body.append((here.mean(axis=1) > AIR_HU) & (last.mean(axis=1) > AIR_HU))
        last = here
    return np.array(differences, dtype=np.float64), np.array(body)


def _blocks(plane: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
    """Cut a slice into blocks of averaged pixels, shape (blocks, pixels), without the rest at its edges."""
    size = POOL * BLOCK
    rows, columns = plane.shape[0] // size, plane.shape[1] // size
    parts = plane[: rows * size, : columns * size].reshape(rows, BLOCK, POOL, columns, BLOCK, POOL)
    pooled: npt.NDArray[np.float32] = parts.mean(axis=(2, 5), dtype=np.float32)
    return pooled.transpose(0, 2, 1, 3).reshape(rows * columns, BLOCK * BLOCK)
