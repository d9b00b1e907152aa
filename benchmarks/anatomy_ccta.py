"""What a CCTA shows of a vessel: a voxel label with an error of its surface, and a line with an error."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from anatomy_lines import STEP_MM, Vessel
from anatomy_surface import LumenSurface, empty_grid, smooth_along
from scipy.ndimage import binary_dilation, binary_erosion, gaussian_filter, label
from scipy.spatial import cKDTree

from coreg.centerline import Centerline
from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]

VOXEL_MM = (0.4, 0.4, 0.5)
MARGIN_MM = 6.0
CORRELATION_MM = 3.0
WIDEST_MM = 2.5
BAND_MM = 1.2


def shown_label(
    rng: np.random.Generator,
    surface: LumenSurface,
    vessel: Vessel,
    tree: list[Vessel],
    *,
    radius_scale: float,
    error_mm: float,
) -> Volume:
    """Label the voxels inside a surface around a vessel, moved outwards by scale and error.

    Parameters
    ----------
    rng : Generator
        Source.
    surface : LumenSurface
        True lumen.
    vessel, tree
        Which part is shown, and how wide it is there.
    radius_scale : float
        Shown over true radius of the inscribed balls.
    error_mm : float
        Standard deviation of the surface error, which has a correlation length of 3 mm.
    """
    low = vessel.line_mm.min(axis=0) - MARGIN_MM - rng.uniform(0.0, 1.0, 3) * VOXEL_MM
    grid = empty_grid(np.round(low, 3), vessel.line_mm.max(axis=0) + MARGIN_MM, VOXEL_MM)
    inside = surface.inside(grid)
    steps = round(BAND_MM / min(VOXEL_MM))
    band = binary_dilation(inside, iterations=steps) & ~binary_erosion(inside, iterations=steps)
    # Only where a vessel is near does the surface move; the rest of the aorta stays as it is.
    voxels = np.argwhere(band)
    world = grid.to_world(voxels.astype(np.float64))
    points = np.vstack([each.line_mm for each in tree])
    radius = np.concatenate([each.radius_mm for each in tree])
    distance, nearest = cKDTree(points).query(world, distance_upper_bound=2.0 * WIDEST_MM + BAND_MM)
    near = np.isfinite(distance)
    voxels, world, wide = voxels[near], world[near], np.minimum(radius[nearest[near]], WIDEST_MM)
    # An autocorrelation of exp(-(d / length)^2) is that of white noise under half the variance.
    spacing = np.array(VOXEL_MM)[::-1]
    noise = gaussian_filter(rng.standard_normal(inside.shape), 0.5 * CORRELATION_MM / spacing)
    noise /= noise.std()
    moved_mm = (radius_scale - 1.0) * wide + error_mm * noise[tuple(voxels.T)]
    values = inside.copy()
    values[tuple(voxels.T)] = surface.signed_distance_mm(world) < moved_mm
    parts, _ = label(values)
    middle = np.rint(grid.to_index(vessel.line_mm[len(vessel.line_mm) // 2][None])).astype(int)[0]
    return Volume((parts == parts[tuple(middle)]).astype(np.uint8), grid.index_to_world)


def drawn_line(
    rng: np.random.Generator, vessel: Vessel, *, error_mm: float
) -> tuple[Centerline, FloatArray, FloatArray]:
    """A vessel's line with an error of 5 mm correlation, and rough clicks at its ends."""
    error = smooth_along(rng.standard_normal(vessel.line_mm.shape), 2.5 / STEP_MM)
    error *= error_mm / max(float(error.std()), 1e-12)
    points = vessel.line_mm + error
    radius = np.maximum(vessel.radius_mm, 0.2)
    clicks = [end + rng.uniform(-0.8, 0.8, 3) for end in (points[0], points[-1])]
    return Centerline(np.round(points, 4), np.round(radius, 4)), clicks[0], clicks[1]
