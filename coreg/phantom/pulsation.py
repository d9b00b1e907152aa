"""A lumen that swells with the heartbeat."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from coreg.phantom.lumen import Lumen

FloatArray = npt.NDArray[np.float64]


def resting_origin_mm(
    lumen: Lumen, origin_mm: FloatArray, axes: FloatArray, axis_mm: FloatArray, lumen_factor: FloatArray
) -> FloatArray:
    """Catheter centres from which the resting lumen looks as the swollen one does from its own.

    In the image plane the lumen swells about the vessel's axis. Distances along rays from these
    centres, times the factor, are those of the swollen lumen from the catheter.

    Parameters
    ----------
    lumen : Lumen
        At rest.
    origin_mm, axes : (N, 3), (N, 3, 2) arrays
        Catheter centres and the images' column and row axes.
    axis_mm : (N,) array
        Where the frames are along the vessel's axis.
    lumen_factor : (N,) array
        Radius over the radius at rest.

    Returns
    -------
    (N, 3) array
        In world mm; the given centres where the factor is 1.
    """
    toward = lumen.axis.at(axis_mm)[0] - origin_mm
    in_plane = np.einsum("nij,nkj,nk->ni", axes, axes, toward)
    return origin_mm + (1.0 - 1.0 / lumen_factor)[:, None] * in_plane
