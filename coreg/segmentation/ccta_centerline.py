"""The centerline of one vessel from a CCTA lumen label and two clicks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates
from scipy.ndimage import label as components_of
from scipy.spatial import cKDTree
from skimage.graph import MCP_Geometric

from coreg.centerline import Centerline
from coreg.errors import InputError
from coreg.signed_distance import cropped_volume
from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

FARTHEST_CLICK_MM = 5.0
WIDEST_MM = 3.0
MARGIN_MM = 25.0


def centerline_from_label(label: Volume, ostium_mm: FloatArray, distal_mm: FloatArray) -> Centerline:
    """Find the line through the middle of the lumen between two clicks.

    The path of least cost through the label, where cost grows away from the middle, is moved to the
    middle of its cross-sections and smoothed.

    Parameters
    ----------
    label : Volume
        Non-zero inside the lumen; branches and the aorta may belong to it.
    ostium_mm, distal_mm : (3,) arrays
        World mm, at most 5 mm from the label.

    Returns
    -------
    Centerline
        From ostium to distal point, with radii; arc length 0 is at the ostium.

    Raises
    ------
    InputError
        If the label is empty, a click is far from it, or it does not connect the two.
    """
    clicks = np.array([ostium_mm, distal_mm], dtype=np.float64)
    inside_all = np.asarray(label.values != 0)
    if not inside_all.any():
        msg = "ccta.lumen: the label is empty, expected the vessel's lumen"
        raise InputError(msg)
    start_all, end_all = _nearest_voxels(label, inside_all, clicks)
    _check_connected(label, inside_all, start_all, end_all)
    crop, offset = _cropped(label, clicks)
    inside = np.asarray(crop.values != 0)
    start, end = start_all - offset, end_all - offset
    connected, _ = components_of(inside, np.ones((3, 3, 3)))
    if connected[tuple(start)] != connected[tuple(end)]:
        # The vessel leaves the box around the clicks: look everywhere.
        crop, inside, start, end = label, inside_all, start_all, end_all

    depth = distance_transform_edt(inside, sampling=crop.spacing_mm)
    # Wider than any coronary artery all is alike, so that a path need not visit the aorta's middle.
    middle = np.minimum(depth, WIDEST_MM)
    cost = np.where(inside, 1.0 / (0.05 + middle) ** 2, np.inf)
    search = MCP_Geometric(cost, sampling=tuple(crop.spacing_mm))
    search.find_costs([tuple(start)], [tuple(end)])
    path = np.array(search.traceback(tuple(end)), dtype=np.float64)
    points = _along(crop.to_world(path))
    smooth_depth = gaussian_filter(np.where(inside, depth, 0.0), 0.7)
    points = _recentred(crop, smooth_depth, points)
    line = Centerline(points).resampled(smoothing=0.5)
    index = np.moveaxis(crop.to_index(line.points_mm), -1, 0)
    radius = map_coordinates(depth, index, order=1, mode="nearest") - 0.5 * float(crop.spacing_mm.min())
    return Centerline(line.points_mm, np.maximum(radius, 0.1), float(line.nearest_arc_length(clicks[0])))


def _nearest_voxels(
    label: Volume, inside: npt.NDArray[np.bool_], clicks: FloatArray
) -> tuple[IntArray, IntArray]:
    index = np.argwhere(inside)
    gaps, nearest = cKDTree(label.to_world(index.astype(np.float64))).query(clicks)
    for name, click, gap in zip(("ostium", "distal"), clicks, gaps, strict=True):
        if gap > FARTHEST_CLICK_MM:
            msg = (
                f"ccta.{name}: {np.round(click, 1).tolist()} is {gap:.1f} mm from the lumen label, "
                f"expected at most {FARTHEST_CLICK_MM:g} mm; is it in LPS mm?"
            )
            raise InputError(msg)
    return index[nearest[0]], index[nearest[1]]


def _check_connected(label: Volume, inside: npt.NDArray[np.bool_], start: IntArray, end: IntArray) -> None:
    parts, _ = components_of(inside, np.ones((3, 3, 3)))
    first, second = parts[tuple(start)], parts[tuple(end)]
    if first == second:
        return
    voxel_mm3 = float(abs(np.linalg.det(label.index_to_world[:3, :3])))
    near = label.to_world(np.argwhere(parts == first).astype(np.float64))
    far = label.to_world(np.argwhere(parts == second).astype(np.float64))
    gap = float(cKDTree(near).query(far)[0].min())
    msg = (
        "ccta.lumen: the label does not connect ccta.ostium and ccta.distal: they lie in separate parts of "
        f"{len(near) * voxel_mm3:.0f} and {len(far) * voxel_mm3:.0f} mm3 with a gap of {gap:.1f} mm, "
        "expected one part"
    )
    raise InputError(msg)


def _cropped(label: Volume, clicks: FloatArray) -> tuple[Volume, IntArray]:
    crop = cropped_volume(label, clicks, margin_mm=MARGIN_MM)
    return crop, np.rint(label.to_index(crop.index_to_world[:3, 3])).astype(np.int64)


def _along(points: FloatArray, *, step_mm: float = 0.5) -> FloatArray:
    """Points at equal steps along a voxel path."""
    keep = np.concatenate([[True], np.linalg.norm(np.diff(points, axis=0), axis=1) > 1e-9])
    points = points[keep]
    if len(points) < 2:
        msg = "ccta.ostium and ccta.distal: both lie at one voxel of the lumen label, expected a vessel between"
        raise InputError(msg)
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    wanted = np.linspace(0.0, along[-1], max(5, int(along[-1] / step_mm) + 1))
    return np.stack([np.interp(wanted, along, each) for each in points.T], axis=1)


def _recentred(volume: Volume, depth: FloatArray, points: FloatArray) -> FloatArray:
    """Move points across the line to where the distance from the wall, nearby, is centred."""
    offsets = np.linspace(-1.5, 1.5, 13)
    u, v = (each.ravel() for each in np.meshgrid(offsets, offsets))
    near = np.hypot(u, v) <= 1.5
    u, v = u[near], v[near]
    for _ in range(3):
        line = Centerline(points).resampled(spacing_mm=0.5, smoothing=1.0)
        frames = line.frames_at(line.arc_length_mm)
        across = u[:, None] * frames[:, None, :, 0] + v[:, None] * frames[:, None, :, 1]
        world = line.points_mm[:, None] + across
        index = np.moveaxis(volume.to_index(world), -1, 0)
        weight = map_coordinates(depth, index, order=1, mode="constant") ** 2 + 1e-9
        shift = np.einsum("nk,nki->ni", weight, across) / weight.sum(axis=1, keepdims=True)
        points = line.points_mm + shift
    return points
