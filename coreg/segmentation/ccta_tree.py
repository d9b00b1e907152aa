"""All arteries that begin at one ostium."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import distance_transform_edt, map_coordinates
from scipy.ndimage import label as components_of
from scipy.spatial import cKDTree
from skimage.graph import MCP_Geometric

from coreg.centerline import Centerline, VesselTree
from coreg.segmentation.ccta_search import FLOOR, TISSUE_HU, TREE_GRID_MM, SearchField, search_field, snapped
from coreg.segmentation.first_lumen import blood_level, clear_run
from coreg.segmentation.rays import SmoothImage
from coreg.segmentation.traced import roughly_centred
from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
Progress = Callable[[str, float], None]

AROUND_MM = 110.0
DIMMEST_TUBE = 0.3
SHORTEST_MM = 8.0
MOST_LINES = 16
BESIDE_MM = 3.0
WIDEST_MM, BORDER_MM, FREE_MM = 3.6, 1.6, 6.0
WINDOW_MM, LARGEST_DROP = 4.0, 0.58


def ccta_tree(image: Volume, ostium_mm: FloatArray, *, progress: Progress | None = None) -> VesselTree:
    """Find the arteries that can be followed from an ostium.

    Parameters
    ----------
    image : Volume
        HU.
    ostium_mm : (3,) array
        World mm near the mouth of the left or right coronary artery.
    progress : callable, optional
        Takes a stage's name and the share of all work that is done.

    Returns
    -------
    VesselTree
        A line from the ostium to each end, with radius, the longest first. Where a pullback may
        lie in another branch than believed, these are the candidates.

    Raises
    ------
    InputError
        If there is no contrast-filled artery at the click.
    """
    tell = progress or _silent
    tell("CCTA: bright tubes", 0.0)
    field = search_field(image, np.asarray(ostium_mm)[None], around_mm=AROUND_MM, grid_mm=TREE_GRID_MM)
    tell("CCTA: tree", 0.7)
    paths = _paths(field, snapped(field, np.asarray(ostium_mm), "ccta.ostium"))
    lines = []
    for i, path in enumerate(paths):
        tell("CCTA: lines", 0.8 + 0.2 * i / len(paths))
        smooth = SmoothImage(image, path)
        line = roughly_centred(smooth, path, field.level_hu)
        rays = smooth.rays(line)
        run = clear_run(rays, blood_level(rays, field.level_hu))
        lines.append(Centerline(line.points_mm, np.median(run, axis=1)))
    return VesselTree(tuple(sorted(lines, key=lambda each: -float(np.ptp(each.arc_length_mm)))))


def _silent(stage: str, share: float) -> None:
    """Tell nobody."""


def _paths(field: SearchField, start: tuple[int, ...]) -> list[FloatArray]:
    """Ways (N, 3) in world mm from the ostium to the tree's ends.

    Each is the cheapest way to the voxel that is farthest from all the ways before.
    """
    chambers = _chambers(field)
    allowed = (field.tube > DIMMEST_TUBE) & (~chambers | _around(field, start))
    tubes, _ = components_of(allowed, np.ones((3, 3, 3)))
    index = np.argwhere(tubes == tubes[start])
    cost = np.full(tubes.shape, np.inf)
    cost[tuple(index.T)] = 1.0 / (field.tube[tuple(index.T)].astype(np.float64) ** 2 + FLOOR**2)
    search = MCP_Geometric(cost)
    total, _ = search.find_costs([start])
    world = field.grid.to_world(index.astype(np.float64))
    price = total[tuple(index.T)]
    free = np.isfinite(price)
    paths: list[FloatArray] = []
    known = field.grid.to_world(np.array([start], dtype=np.float64))
    while free.any() and len(paths) < MOST_LINES:
        way = np.array(search.traceback(index[int(np.argmax(np.where(free, price, -np.inf)))]))
        points = field.grid.to_world(way.astype(np.float64))
        free &= cKDTree(points).query(world)[0] > BESIDE_MM
        kept = points[: _artery_until(field, points)]
        apart = cKDTree(known).query(kept)[0] > BESIDE_MM
        new = kept[apart & ~chambers[tuple(way[: len(kept)].T)]]
        if _length(new) >= SHORTEST_MM:
            paths.append(kept)
            known = np.concatenate([known, kept])
    return _distinct(paths)


def _distinct(paths: list[FloatArray]) -> list[FloatArray]:
    """Leave out ways that another one contains, which is so where a vein was cut off."""
    kept: list[FloatArray] = []
    for path in sorted(paths, key=_length, reverse=True):
        if kept:
            apart = cKDTree(np.concatenate(kept)).query(path)[0] > BESIDE_MM
            if _length(path[apart]) < SHORTEST_MM:
                continue
        kept.append(path)
    return kept


def _length(points_mm: FloatArray) -> float:
    return float(np.linalg.norm(np.diff(points_mm, axis=0), axis=1).sum()) if len(points_mm) > 1 else 0.0


def _chambers(field: SearchField) -> BoolArray:
    """Voxels of blood too wide for an artery, and of its border."""
    step = field.grid.spacing_mm
    blood = np.asarray(field.grid.values) > 0.5 * (field.level_hu + TISSUE_HU)
    core = distance_transform_edt(blood, step) > WIDEST_MM
    if not core.any():
        return core
    return np.asarray(distance_transform_edt(~core, step) < WIDEST_MM + BORDER_MM)


def _around(field: SearchField, start: tuple[int, ...]) -> BoolArray:
    near = np.zeros(field.tube.shape, dtype=bool)
    steps = np.ceil(FREE_MM / field.grid.spacing_mm).astype(int)
    near[tuple(slice(max(i - n, 0), i + n + 1) for i, n in zip(start, steps, strict=True))] = True
    return near


def _artery_until(field: SearchField, points_mm: FloatArray) -> int:
    """How many points of a way go by before the blood's contrast drops at once: there a vein begins."""
    index = field.grid.to_index(points_mm).T
    contrast = map_coordinates(np.asarray(field.grid.values), index, order=1) - TISSUE_HU
    window = round(WINDOW_MM / float(field.grid.spacing_mm.min()))
    if len(contrast) < 2 * window + 2:
        return len(points_mm)
    runs = np.median(sliding_window_view(contrast, window), axis=1)
    drops = np.flatnonzero(runs[window + 2 :] < LARGEST_DROP * runs[: -window - 2])
    return int(drops[0]) + window if len(drops) else len(points_mm)
