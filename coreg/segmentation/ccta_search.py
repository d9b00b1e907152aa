"""Ways through contrast-filled tubes of a CCTA image, from click to click.

A step of a path costs the inverse square of how much its place looks like the middle of a bright
tube, relative to the brightness at the ostium. Chambers, the aorta and veins look less so than
the artery; a short cut through tissue costs hundreds of times the same length of vessel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, map_coordinates
from skimage.graph import MCP_Geometric

from coreg.errors import InputError
from coreg.segmentation.tubeness import tubeness
from coreg.signed_distance import cropped_volume
from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

GRID_MM = 0.6
# A whole tree is searched on a coarser grid, for speed.
TREE_GRID_MM = 0.8
AROUND_MM = 30.0
REACH_MM = 4.0
# Blood without contrast has some 40 HU, muscle 100; below 150 an artery is not opacified.
TISSUE_HU = 60.0
FAINTEST_HU = 150.0
DENSEST_BLOOD_HU = 800.0
LEAST_FILLED = 0.7
# Relative to the tube at the ostium: what still counts as a tube, and the price of no tube at all.
FAINTEST_TUBE = 0.12
FLOOR = 0.05


@dataclass(frozen=True, eq=False)
class SearchField:
    """What paths are searched on.

    Attributes
    ----------
    grid : Volume
        The image's part around the clicks on a grid of equal steps, float32 HU.
    tube : (S, R, C) float32 array
        Contrast of the tube that a voxel is in the middle of, over that expected of the artery.
    radius_mm : (S, R, C) float32 array
        That tube's radius; 0 where there is none.
    level_hu : float
        Brightness of the blood at the ostium.
    """

    grid: Volume
    tube: npt.NDArray[np.float32]
    radius_mm: npt.NDArray[np.float32]
    level_hu: float

    def nearest_voxel(self, world_mm: FloatArray) -> tuple[int, ...]:
        """Array index of the voxel nearest to a world point, which is clipped to the grid."""
        index = np.rint(self.grid.to_index(world_mm)).astype(int)
        return tuple(np.clip(index, 0, np.array(self.tube.shape) - 1).tolist())


def search_field(
    image: Volume,
    clicks_mm: FloatArray,
    *,
    around_mm: float = AROUND_MM,
    grid_mm: float = GRID_MM,
    level_hu: float | None = None,
) -> SearchField:
    """Prepare the part of an image around clicks (M, 3) for a search; the first click is the ostium.

    The brightness of the blood is measured there unless it is known (``level_hu``).

    Raises
    ------
    InputError
        If there is no contrast-filled blood at the first click.
    """
    part = cropped_volume(image, clicks_mm, margin_mm=around_mm)
    level = level_at(image, clicks_mm[0]) if level_hu is None else level_hu
    if level < FAINTEST_HU:
        raise InputError(_no_contrast("ccta.ostium", clicks_mm[0], level))
    grid = _even_grid(part, grid_mm)
    values = np.clip(np.asarray(grid.values), TISSUE_HU, 1.15 * level)
    bright = values > TISSUE_HU + FAINTEST_TUBE * (level - TISSUE_HU)
    contrast, radius = tubeness(values, grid_mm, bright)
    tube = np.zeros(values.shape, dtype=np.float32)
    tube[bright] = np.minimum(contrast / (level - TISSUE_HU), 1.0)
    radii = np.zeros(values.shape, dtype=np.float32)
    radii[bright] = radius
    return SearchField(grid, tube, radii, level)


def level_at(image: Volume, click_mm: FloatArray) -> float:
    """Brightness in HU of the blood near a click: of the brighter half within reach, calcium left out."""
    values = _values_near(image, click_mm, REACH_MM)
    values = values[(values > TISSUE_HU) & (values < DENSEST_BLOOD_HU)]
    if len(values) < 8:
        return -1000.0
    usual, high = float(np.median(values[values >= np.median(values)])), float(np.percentile(values, 95.0))
    # Away from the aorta a thin artery fills less than a tenth of the ball.
    return usual if usual >= LEAST_FILLED * high else high


def _values_near(image: Volume, click_mm: FloatArray, reach_mm: float) -> FloatArray:
    try:
        part = cropped_volume(image, click_mm[None], margin_mm=reach_mm)
    except ValueError:
        return np.zeros(0)
    values = gaussian_filter(np.asarray(part.values, dtype=np.float32), 0.4 / part.spacing_mm)
    index = np.argwhere(np.ones(values.shape, dtype=bool))
    near = np.linalg.norm(part.to_world(index.astype(np.float64)) - click_mm, axis=1) <= reach_mm
    return values.reshape(-1)[near].astype(np.float64)


def snapped(field: SearchField, click_mm: FloatArray, name: str) -> tuple[int, ...]:
    """Return the voxel that a click means: in the middle of a tube, not far away.

    Raises
    ------
    InputError
        If there is no bright tube within reach.
    """
    steps = int(np.ceil(REACH_MM / field.grid.spacing_mm.min()))
    centre = np.rint(field.grid.to_index(click_mm)).astype(int)
    low = np.clip(centre - steps, 0, field.tube.shape)
    high = np.clip(centre + steps + 1, 0, field.tube.shape)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    tube = field.tube[box]
    found = np.argwhere(tube > 2.0 * FAINTEST_TUBE)
    if len(found):
        gap = np.linalg.norm(field.grid.to_world(found + low) - click_mm, axis=1)
        score = np.sqrt(tube[tuple(found.T)]) - 0.6 * (gap / REACH_MM) ** 2
        if gap.min() <= REACH_MM:
            return tuple((found[np.argmax(np.where(gap <= REACH_MM, score, -np.inf))] + low).tolist())
    raise InputError(_no_contrast(name, click_mm, level_at(field.grid, click_mm)))


def _no_contrast(name: str, click_mm: FloatArray, level_hu: float) -> str:
    where = "(" + ", ".join(f"{each:.1f}" for each in click_mm) + ")"
    if level_hu < -200.0:
        found = "air, fat or nothing of the image"
    elif level_hu < FAINTEST_HU:
        found = f"tissue of {level_hu:.0f} HU"
    else:
        found = f"blood of {level_hu:.0f} HU that is no vessel"
    return (
        f"{name}: found {found} within {REACH_MM:g} mm of {where}, expected a contrast-filled artery "
        f"(a tube above {FAINTEST_HU:.0f} HU); is the point in LPS mm, and of this image?"
    )


def cheapest_path(field: SearchField, start: tuple[int, ...], end: tuple[int, ...]) -> FloatArray:
    """Voxel centres (N, 3) of the cheapest way between two voxels, in world mm."""
    search = MCP_Geometric(step_cost(field))
    search.find_costs([start], [end])
    return field.grid.to_world(np.array(search.traceback(end), dtype=np.float64))


def step_cost(field: SearchField) -> FloatArray:
    """Cost per voxel step, 1 in a perfect tube."""
    return ((1.0 + FLOOR**2) / (field.tube.astype(np.float64) ** 2 + FLOOR**2)).astype(np.float64)


def tube_along(field: SearchField, points_mm: FloatArray) -> FloatArray:
    """Tube contrast relative to the artery's at the ostium, at world points (M, 3), shape (M,)."""
    index = field.grid.to_index(points_mm).T
    return np.asarray(map_coordinates(field.tube, index, order=1, mode="nearest"), dtype=np.float64)


def _even_grid(part: Volume, grid_mm: float) -> Volume:
    """Resample to equal steps along the image's own axes, float32."""
    spacing = part.spacing_mm
    smooth = gaussian_filter(np.asarray(part.values, dtype=np.float32), 0.3 * grid_mm / spacing, truncate=3.0)
    shape = np.maximum(np.floor((np.array(part.values.shape) - 1) * spacing / grid_mm).astype(int), 1) + 1
    at = [np.arange(n) * (grid_mm / step) for n, step in zip(shape, spacing, strict=True)]
    values = _resampled(smooth, at)
    matrix = part.index_to_world.copy()
    matrix[:3, :3] *= grid_mm / spacing
    return Volume(values, matrix)


def _resampled(values: npt.NDArray[np.float32], at: list[FloatArray]) -> npt.NDArray[np.float32]:
    """Interpolate linearly at fractional indices per axis."""
    for axis, where in enumerate(at):
        low = np.minimum(where.astype(int), max(values.shape[axis] - 2, 0))
        share = (where - low).astype(np.float32)
        share = share.reshape([-1 if each == axis else 1 for each in range(3)])
        high = np.minimum(low + 1, values.shape[axis] - 1)
        values = np.take(values, low, axis) * (1.0 - share) + np.take(values, high, axis) * share
    return values
