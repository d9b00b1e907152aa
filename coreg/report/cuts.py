"""Outlines of the CCTA lumen in the planes of pullback frames.

Independent of the distance field that the registration works with, so that the page can
contradict it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates
from skimage.measure import find_contours, points_in_poly

from coreg.catheter_path import VirtualCatheterPath
from coreg.contours import area_mm2, normalised_contour
from coreg.signed_distance import blurred_label
from coreg.surface import Surface
from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]
Outlines = tuple[FloatArray | None, ...]

REACH_MM = 7.0
STEP_MM = 0.15
SMALLEST_AREA_MM2 = 0.05


def lumen_outlines(lumen: Volume | Surface, path: VirtualCatheterPath) -> Outlines:
    """Cut the CCTA lumen by the plane of every frame.

    Parameters
    ----------
    lumen : Volume or Surface
        Label image, non-zero inside, or a mesh.
    path : VirtualCatheterPath
        Poses of N frames.

    Returns
    -------
    tuple of (M, 2) arrays or None
        One per row of the path: the outline around the catheter, else the nearest one, in image mm
        from the catheter's centre, cut off ``REACH_MM`` from it. None for a frame without a pose or
        whose plane meets no lumen.
    """
    rows = np.flatnonzero(path.posed)
    outlines: list[FloatArray | None] = [None] * len(path)
    if len(rows):
        if isinstance(lumen, Volume):  # noqa: SIM108 - one line would hide which is which
            cuts = _cut_label(lumen, path, rows)
        else:
            cuts = _cut_surface(lumen, path, rows)
        for row, loops in zip(rows, cuts, strict=True):
            outlines[row] = _around_catheter(loops)
    return tuple(outlines)


def areas_mm2(outlines: Outlines) -> FloatArray:
    """Area inside each outline, shape (N,), in mm2; NaN where there is none."""
    return np.array([np.nan if each is None else area_mm2(each) for each in outlines])


def _cut_label(
    label: Volume, path: VirtualCatheterPath, rows: npt.NDArray[np.int64]
) -> list[list[FloatArray]]:
    lattice = np.arange(-REACH_MM, REACH_MM + 0.5 * STEP_MM, STEP_MM)
    origin, column, row = path.origin_mm[rows], path.column[rows], path.row[rows]
    smooth, start = _smooth_label(label, origin)
    # An affine map of plane coordinates straight to array indices keeps this one pass over the lattice.
    to_index = label.world_to_index[:3, :3]
    corner = label.to_index(origin) - start
    along_x, along_y = column @ to_index.T, row @ to_index.T
    loops = []
    for at, u, v in zip(corner, along_x, along_y, strict=True):
        index = at + lattice[:, None, None] * v + lattice[None, :, None] * u
        values = map_coordinates(smooth, np.moveaxis(index, -1, 0), order=1, mode="constant")
        # What lies outside the window counts as outside the lumen, so every outline is closed.
        found = find_contours(np.pad(values, 1), 0.5)
        loops.append([(each[:, ::-1] - 1.0) * STEP_MM - REACH_MM for each in found])
    return loops


def _smooth_label(label: Volume, around_mm: FloatArray) -> tuple[npt.NDArray[np.float32], FloatArray]:
    """Blur the part of a label near points; return it and the index of its first voxel."""
    margin = (REACH_MM * np.sqrt(2.0)) / label.spacing_mm + 4.0
    index = label.to_index(around_mm)
    shape = np.array(label.values.shape)
    start = np.clip(np.floor(index.min(axis=0) - margin).astype(int), 0, shape - 1)
    stop = np.clip(np.ceil(index.max(axis=0) + margin).astype(int) + 1, start + 1, shape)
    inside = np.asarray(
        label.values[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] != 0, np.float32
    )
    return blurred_label(inside, label.spacing_mm), start.astype(np.float64)


def _cut_surface(
    surface: Surface, path: VirtualCatheterPath, rows: npt.NDArray[np.int64]
) -> list[list[FloatArray]]:
    origin = path.origin_mm[rows]
    low, high = origin.min(axis=0) - 2.0 * REACH_MM, origin.max(axis=0) + 2.0 * REACH_MM
    near = ((surface.points_mm >= low) & (surface.points_mm <= high)).all(axis=1)
    faces = surface.faces[near[surface.faces].any(axis=1)]
    used, compact = np.unique(faces, return_inverse=True)
    points, faces = surface.points_mm[used], compact.reshape(-1, 3)
    normal = path.plane_normal[rows]
    loops = []
    for at, u, v, n in zip(origin, path.column[rows], path.row[rows], normal, strict=True):
        offset = points - at
        segments, keys = _plane_segments(offset, faces, offset @ n, np.stack([u, v]))
        loops.append(_chains(segments, keys))
    return loops


def _plane_segments(
    offset: FloatArray, faces: npt.NDArray[np.int64], height: FloatArray, axes: FloatArray
) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """Where a plane cuts triangles: (S, 2, 2) in-plane mm and the (S, 2) cut edges' keys."""
    above = height[faces] > 0.0
    cut = faces[above.any(axis=1) & ~above.all(axis=1)]
    close = np.abs(offset[cut] @ axes.T).min(axis=1).max(axis=1) <= 2.0 * REACH_MM
    cut = cut[close]
    side = height[cut] > 0.0
    # The corner that is alone on its side: both cut edges start there.
    lone = np.where(side.sum(axis=1) == 1, np.argmax(side, axis=1), np.argmin(side, axis=1))
    rows = np.arange(len(cut))
    a = cut[rows, lone]
    ends, keys = [], []
    for turn in (1, 2):
        b = cut[rows, (lone + turn) % 3]
        share = height[a] / (height[a] - height[b])
        ends.append((offset[a] + share[:, None] * (offset[b] - offset[a])) @ axes.T)
        keys.append(np.minimum(a, b) * len(offset) + np.maximum(a, b))
    return np.stack(ends, axis=1), np.stack(keys, axis=1)


def _chains(segments: FloatArray, keys: npt.NDArray[np.int64]) -> list[FloatArray]:
    """Join segments (S, 2, 2) that share a cut edge into polygons; an open chain is closed straight."""
    at_edge: dict[int, list[int]] = {}
    for i, pair in enumerate(keys.tolist()):
        for key in pair:
            at_edge.setdefault(key, []).append(i)
    pairs, left = keys.tolist(), set(range(len(keys)))
    # Open chains first, from their ends, so that each comes out whole.
    ends = [edges[0] for edges in at_edge.values() if len(edges) == 1]
    chains = []
    for first in [*ends, *range(len(keys))]:
        if first not in left:
            continue
        enter = next((end for end in (0, 1) if len(at_edge[pairs[first][end]]) == 1), 0)
        points, current = [segments[first, enter]], first
        while current in left:
            left.discard(current)
            points.append(segments[current, 1 - enter])
            key = pairs[current][1 - enter]
            following = next((each for each in at_edge[key] if each in left), None)
            if following is None:
                break
            enter, current = pairs[following].index(key), following
        chains.append(np.array(points))
    return chains


def _around_catheter(loops: list[FloatArray]) -> FloatArray | None:
    best, gap = None, np.inf
    for loop in loops:
        clipped = np.clip(loop, -REACH_MM, REACH_MM)
        if len(clipped) < 4 or area_mm2(clipped) < SMALLEST_AREA_MM2:
            continue
        inside = points_in_poly(np.zeros((1, 2)), clipped)[0]
        distance = -1.0 / area_mm2(clipped) if inside else float(np.linalg.norm(clipped, axis=1).min())
        # Of nested outlines around the catheter the smallest is the lumen's own wall.
        if distance < gap:
            best, gap = clipped, distance
    return None if best is None else normalised_contour(best)
