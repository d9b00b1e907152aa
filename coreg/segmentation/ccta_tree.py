"""All arteries that begin at one ostium."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.ndimage import label as components_of
from scipy.spatial import cKDTree
from skimage.graph import MCP_Geometric

from coreg.centerline import Centerline, VesselTree
from coreg.segmentation.ccta_search import FLOOR, TREE_GRID_MM, SearchField, search_field, snapped
from coreg.segmentation.first_lumen import blood_level, clear_run
from coreg.segmentation.rays import SmoothImage
from coreg.segmentation.traced import roughly_centred
from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Progress = Callable[[str, float], None]

AROUND_MM = 110.0
DIMMEST_TUBE = 0.3
SHORTEST_MM = 8.0
MOST_LINES = 16
BESIDE_MM = 3.0


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
    """Ways (N, 3) in world mm from the ostium to the tree's ends, longest first.

    Each is the cheapest way to the voxel that is farthest from all the ways before.
    """
    tubes, _ = components_of(field.tube > DIMMEST_TUBE, np.ones((3, 3, 3)))
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
    for _ in range(4 * MOST_LINES):
        if not free.any() or len(paths) == MOST_LINES:
            break
        far = np.where(free, price, -np.inf)
        way = np.array(search.traceback(index[int(np.argmax(far))]), dtype=np.float64)
        points = field.grid.to_world(way)
        new = points[cKDTree(known).query(points)[0] > BESIDE_MM]
        length = float(np.linalg.norm(np.diff(new, axis=0), axis=1).sum()) if len(new) > 1 else 0.0
        if length >= SHORTEST_MM:
            paths.append(points)
        known = np.concatenate([known, points])
        free &= cKDTree(points).query(world)[0] > BESIDE_MM
    return paths
