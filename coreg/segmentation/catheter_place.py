"""Where the catheter shows itself in the frames of a pullback."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.signal import fftconvolve

from coreg.pullback import Modality

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]

# In a short run of OCT a wall may stay in place.
FEWEST_FRAMES = {"IVUS": 20, "OCT": 60}
CATHETER_MM, SURROUNDED_MM, AROUND_MM, CELL_MM = 0.55, 0.85, 3.2, 0.05
# Rings are brighter than what lies around the catheter, in all frames; a wall may be in most.
RING_GREY, RING_PERCENT, RING_AROUND_MM = 25.0, 3.0, (0.6, 1.5)
# The disc of an ultrasound catheter is black in all; so is what lies outside of the picture.
BLACK, BLACK_PERCENT, BORDER_MM = 2.0, 95.0, 0.3
LEAST_SHARE, CLEARLY_MORE = 0.25, 1.5


def catheter_offset_mm(
    values: Float32Array, step_mm: float, *, modality: Modality, field_of_view_mm: float
) -> FloatArray | None:
    """Look for the catheter's rings (OCT), or for the disc that it leaves black (IVUS).

    Parameters
    ----------
    values : (N, A, R) array
        Grey values of some frames of a run along rays.
    step_mm : float
        Between the samples of a ray.
    modality : str
        OCT or IVUS.
    field_of_view_mm : float
        Largest distance that the images show.

    Returns
    -------
    (2,) array or None
        Along columns and rows, in mm from where the rays start, of the disc of a catheter's size that
        looks most like one. None where the rays' start looks nearly as much like it, where no place stands
        out, or there are too few frames to tell.
    """
    if len(values) < FEWEST_FRAMES[modality]:
        return None
    r = (np.arange(values.shape[2]) + 0.5) * step_mm
    angle = 2.0 * np.pi * np.arange(values.shape[1]) / values.shape[1]
    if modality == "OCT":
        low = np.percentile(values, RING_PERCENT, axis=0)
        around = (r > RING_AROUND_MM[0]) & (r < RING_AROUND_MM[1])
        like = low > np.median(low[:, around]) + RING_GREY
    else:
        like = np.percentile(values, BLACK_PERCENT, axis=0) < BLACK
        like &= r < field_of_view_mm - BORDER_MM
    x, y = (r * each[:, None] for each in (np.cos(angle), np.sin(angle)))
    cells = round(2.0 * AROUND_MM / CELL_MM)
    edges = np.linspace(-AROUND_MM, AROUND_MM, cells + 1)
    area, alike = (
        np.histogram2d(y.ravel(), x.ravel(), (edges, edges), weights=(weight * r).ravel())[0]
        for weight in (np.ones(like.shape), like.astype(np.float64))
    )
    alike /= np.maximum(area, 1e-9)
    disc, wide = (_disc(each) for each in (CATHETER_MM, SURROUNDED_MM))
    inside = fftconvolve(alike, disc / disc.sum(), mode="same")
    outside = fftconvolve(alike, wide, mode="same") - inside * disc.sum()
    # A wall that stays in place goes on; a catheter ends.
    share = inside - outside / (wide.sum() - disc.sum())
    if share.max() < max(LEAST_SHARE, CLEARLY_MORE * share[cells // 2, cells // 2]):
        return None
    row, column = np.unravel_index(int(share.argmax()), share.shape)
    middle = 0.5 * (edges[:-1] + edges[1:])
    return np.array([middle[column], middle[row]])


def _disc(radius_mm: float) -> FloatArray:
    """Cells (K, K) of a filled circle."""
    reach = round(radius_mm / CELL_MM)
    filled: FloatArray = (np.hypot(*np.mgrid[-reach : reach + 1, -reach : reach + 1]) <= reach).astype(float)
    return filled
