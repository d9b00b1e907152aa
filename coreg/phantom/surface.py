"""The true lumen and outer wall of a synthetic artery as triangle meshes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt
from skimage.measure import marching_cubes

from coreg.phantom.lumen import Lumen
from coreg.phantom.vessel_tissue import Vessel
from coreg.signed_distance import outward
from coreg.surface import Surface

FloatArray = npt.NDArray[np.float64]


def lumen_surface(lumen: Lumen, *, spacing_mm: float = 0.3) -> Surface:
    """Triangulate the zero level of a lumen, closed at the vessel's ends, faces outward."""

    def level(world_mm: FloatArray) -> FloatArray:
        return lumen.level(world_mm, capped=True)

    return _triangulated(level, lumen, float(lumen.radius_mm.max()), spacing_mm)


def wall_surface(vessel: Vessel, *, spacing_mm: float = 0.3) -> Surface:
    """Triangulate the outer wall of an artery, closed at its ends, faces outward."""
    return _triangulated(vessel.outer_level, vessel.lumen, float(vessel.wall.outer_mm.max()), spacing_mm)


def _triangulated(
    level_at: Callable[[FloatArray], FloatArray], lumen: Lumen, widest_mm: float, spacing_mm: float
) -> Surface:
    """Triangulate the zero of a level function of world points (M, 3) around a lumen."""
    s = lumen.axis.arc_length_mm
    main = lumen.axis.points_mm[(s >= -0.2) & (s <= lumen.length_mm + 0.2)]
    tube = np.vstack([main, *(each.points_mm for each in lumen.branches)])
    reach = widest_mm + 4.0 * spacing_mm
    low = tube.min(axis=0) - reach
    shape = np.ceil((tube.max(axis=0) + reach - low) / spacing_mm).astype(int) + 1
    away = np.ones(shape, dtype=bool)
    away[tuple(np.rint((tube - low) / spacing_mm).astype(int).T)] = False
    near = np.argwhere(distance_transform_edt(away, sampling=spacing_mm) <= reach)
    level = np.full(shape, 2.0 * spacing_mm)
    level[tuple(near.T)] = level_at(low + spacing_mm * near)
    vertices, faces, _, _ = marching_cubes(np.minimum(level, 2.0 * spacing_mm), 0.0)
    return outward(Surface(low + spacing_mm * vertices.astype(np.float64), faces.astype(np.int64)))
