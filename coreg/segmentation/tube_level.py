"""Distance from the wall of a vessel that is given by radii along its centerline."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from coreg.centerline import Centerline

FloatArray = npt.NDArray[np.float64]


def tube_level(
    line: Centerline, radius_mm: FloatArray, world_mm: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Measure how far points are from the wall of a vessel, in its cross-sections.

    Parameters
    ----------
    line : Centerline
        N points.
    radius_mm : (N, A) array
        By angle, from the moving frame's normal towards its binormal.
    world_mm : (M, 3) array
        Points.

    Returns
    -------
    level_mm : (M,) array
        Negative inside; beyond the line's ends at least the distance from the end's plane.
    arc_length_mm : (M,) array
        Of the line's nearest point.
    """
    s = line.nearest_arc_length(world_mm)
    order = np.argsort(s)
    frames = np.empty((len(s), 3, 3))
    frames[order] = line.frames_at(s[order])
    offset = world_mm - line.points_at(s)
    u, v, w = (np.einsum("mi,mi->m", offset, frames[:, :, i]) for i in range(3))
    rows, columns = radius_mm.shape
    y = np.interp(s, line.arc_length_mm, np.arange(rows))
    x = (np.arctan2(v, u) % (2.0 * np.pi)) * (columns / (2.0 * np.pi))
    row, column = np.minimum(y.astype(int), rows - 2), x.astype(int) % columns
    dy, dx, following = y - row, x - np.floor(x), (column + 1) % columns
    near = (1.0 - dx) * radius_mm[row, column] + dx * radius_mm[row, following]
    far = (1.0 - dx) * radius_mm[row + 1, column] + dx * radius_mm[row + 1, following]
    level = np.hypot(u, v) - ((1.0 - dy) * near + dy * far)
    # At the ends the nearest point is the end itself; only there is anything left along the tangent.
    low, high = line.arc_length_mm[[0, -1]]
    beyond = np.where((s <= low + 1e-6) | (s >= high - 1e-6), np.abs(w), 0.0)
    return np.where(beyond > 1e-3, np.maximum(level, beyond), level), s
