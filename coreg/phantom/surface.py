"""The true lumen of a synthetic artery as a triangle mesh."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt
from skimage.measure import marching_cubes

from coreg.phantom.lumen import Lumen
from coreg.signed_distance import outward
from coreg.surface import Surface


def lumen_surface(lumen: Lumen, *, spacing_mm: float = 0.3) -> Surface:
    """Triangulate the zero level of a lumen, closed at the vessel's ends, faces outward."""
    s = lumen.axis.arc_length_mm
    main = lumen.axis.points_mm[(s >= -0.2) & (s <= lumen.length_mm + 0.2)]
    tube = np.vstack([main, *(each.points_mm for each in lumen.branches)])
    reach = float(lumen.radius_mm.max()) + 4.0 * spacing_mm
    low = tube.min(axis=0) - reach
    shape = np.ceil((tube.max(axis=0) + reach - low) / spacing_mm).astype(int) + 1
    away = np.ones(shape, dtype=bool)
    away[tuple(np.rint((tube - low) / spacing_mm).astype(int).T)] = False
    near = np.argwhere(distance_transform_edt(away, sampling=spacing_mm) <= reach)
    level = np.full(shape, 2.0 * spacing_mm)
    level[tuple(near.T)] = lumen.level(low + spacing_mm * near, capped=True)
    vertices, faces, _, _ = marching_cubes(np.minimum(level, 2.0 * spacing_mm), 0.0)
    return outward(Surface(low + spacing_mm * vertices.astype(np.float64), faces.astype(np.int64)))
