"""Lumen outlines as a reader draws them in a pullback."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from coreg.phantom.lumen import Lumen

FloatArray = npt.NDArray[np.float64]

SHORTEST_STEP_MM = 0.03


def first_exit(
    level: Callable[[FloatArray], FloatArray],
    origin_mm: FloatArray,
    direction: FloatArray,
    *,
    start_mm: FloatArray,
    limit_mm: FloatArray,
) -> FloatArray:
    """March along rays to where they first leave a space.

    Parameters
    ----------
    level : function
        Of world points (M, 3): negative inside, at most little steeper than 1.
    origin_mm, direction : (M, 3) arrays
        Of the rays; unit directions.
    start_mm, limit_mm : (M,) arrays
        Where to begin along the ray, and where to stop.

    Returns
    -------
    (M,) array
        Distance along each ray; the limit where it stays inside.
    """
    inside, outside = start_mm.copy(), np.full(len(start_mm), np.nan)
    value_in, value_out = np.full(len(start_mm), -1.0), np.full(len(start_mm), 1.0)
    going = np.arange(len(start_mm))
    at = start_mm.copy()
    while len(going):
        value = level(origin_mm[going] + at[going, None] * direction[going])
        left = value > 0.0
        outside[going[left]], value_out[going[left]] = at[going[left]], value[left]
        going, value = going[~left], value[~left]
        inside[going], value_in[going] = at[going], value
        over = at[going] >= limit_mm[going]
        going, value = going[~over], value[~over]
        at[going] = np.minimum(at[going] + np.maximum(-0.75 * value, SHORTEST_STEP_MM), limit_mm[going])
    hit = np.flatnonzero(np.isfinite(outside) & (outside > inside))
    for _ in range(4):
        share = np.clip(-value_in[hit] / (value_out[hit] - value_in[hit]), 0.02, 0.98)
        middle = inside[hit] + share * (outside[hit] - inside[hit])
        value = level(origin_mm[hit] + middle[:, None] * direction[hit])
        beyond = value > 0.0
        outside[hit[beyond]], value_out[hit[beyond]] = middle[beyond], value[beyond]
        inside[hit[~beyond]], value_in[hit[~beyond]] = middle[~beyond], value[~beyond]
    share = np.clip(-value_in[hit] / (value_out[hit] - value_in[hit]), 0.0, 1.0)
    result = np.where(np.isfinite(outside), outside, limit_mm)
    result[hit] = inside[hit] + share * (outside[hit] - inside[hit])
    return result


def outline_radii(
    lumen: Lumen,
    origin_mm: FloatArray,
    axes: FloatArray,
    angle_rad: FloatArray,
    *,
    bulge_mm: float,
    reach_mm: float,
) -> FloatArray:
    """Distances at which rays in image planes meet the lumen's outline.

    Parameters
    ----------
    lumen : Lumen
        What is seen; sections go on beyond its ends.
    origin_mm, axes : (N, 3), (N, 3, 2) arrays
        Catheter centres and the images' column and row axes.
    angle_rad : (A,) array
        Of the rays, from column to row.
    bulge_mm : float
        How far past the main vessel's wall the outline goes into a side branch.
    reach_mm : float
        Field of view.

    Returns
    -------
    (N, A) array
        In mm from the catheter.
    """
    rays = np.stack([np.cos(angle_rad), np.sin(angle_rad)])
    direction = np.einsum("nij,ja->nai", axes, rays).reshape(-1, 3)
    origin = np.repeat(origin_mm, len(angle_rad), axis=0)
    zero = np.zeros(len(origin))
    main = first_exit(lumen.main_level, origin, direction, start_mm=zero, limit_mm=zero + reach_mm)
    radii = main.copy()
    if lumen.branches:
        wall = origin + main[:, None] * direction
        open_ = np.flatnonzero(lumen.branch_level(wall) < 0.2)
        far = np.minimum(main[open_] + bulge_mm, reach_mm)
        radii[open_] = first_exit(
            lumen.level,
            origin[open_],
            direction[open_],
            start_mm=main[open_],
            limit_mm=np.maximum(far, main[open_]),
        )
    shape = (len(origin_mm), len(angle_rad))
    # A reader rounds the corners of a branch's mouth; the wall itself is left as it is.
    extra = gaussian_filter1d((radii - main).reshape(shape), 0.9, axis=1, mode="wrap")
    return np.minimum(main.reshape(shape) + extra, reach_mm)
