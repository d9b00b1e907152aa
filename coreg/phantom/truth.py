"""Exact poses and landmarks of a synthetic patient."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from coreg.catheter_path import VirtualCatheterPath
from coreg.centerline import Centerline
from coreg.landmarks import Landmark
from coreg.phantom.lumen import Branch, Lumen
from coreg.phantom.outlines import first_exit
from coreg.pullback import View

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

SEEN_MM = 6.0


def image_axes(frames: FloatArray, turn_rad: FloatArray, view: View) -> FloatArray:
    """Column and row axes (N, 3, 2) of images that are turned in moving frames (N, 3, 3)."""
    normal, binormal = frames[:, :, 0], frames[:, :, 1]
    cosine, sine = np.cos(turn_rad)[:, None], np.sin(turn_rad)[:, None]
    column = cosine * normal + sine * binormal
    row = cosine * binormal - sine * normal
    return np.stack([column, row if view == "looking-distal" else -row], axis=-1)


def poses_along(
    centerline: Centerline, frame: IntArray, position_mm: FloatArray, origin_mm: FloatArray, axes: FloatArray
) -> VirtualCatheterPath:
    """Make a path of exact poses; arrays run proximal to distal, arc length is the centerline's."""
    arc_length_mm = centerline.nearest_arc_length(origin_mm)
    order = np.argsort(arc_length_mm)
    moving = np.empty((len(frame), 3, 3))
    moving[order] = centerline.frames_at(arc_length_mm[order])
    column = axes[:, :, 0]
    rotation = np.arctan2(
        np.einsum("ni,ni->n", column, moving[:, :, 1]), np.einsum("ni,ni->n", column, moving[:, :, 0])
    )
    return VirtualCatheterPath(
        frame,
        position_mm,
        arc_length_mm,
        rotation,
        origin_mm,
        column,
        axes[:, :, 1],
        np.ones(len(frame), dtype=bool),
        ("",) * len(frame),
    )


def ostium_mm(lumen: Lumen, branch: Branch) -> FloatArray:
    """Where a branch's axis passes through the main vessel's wall, (3,)."""
    chord = branch.points_mm[30] - branch.points_mm[0]
    direction = (chord / np.linalg.norm(chord))[None]
    zero = np.zeros(1)
    distance = first_exit(
        lumen.main_level, branch.points_mm[:1], direction, start_mm=zero, limit_mm=zero + 8.0
    )
    return branch.points_mm[0] + distance[0] * direction[0]


def branch_landmark(path: VirtualCatheterPath, branch: Branch, ostium: FloatArray) -> Landmark | None:
    """Where the pullback shows an ostium; None where no frame does.

    Where the catheter passed several times, the middle pass counts.
    """
    crossings = path.crossings(ostium)
    if not len(crossings):
        return None
    origin, axes = path.poses_at(crossings)
    local = np.einsum("mij,mi->mj", axes, ostium - origin)
    distance = np.linalg.norm(local[:, :2], axis=1)
    passes = crossings[(distance <= distance.min() + 1.0) & (distance <= SEEN_MM)]
    if not len(passes):
        return None
    middle = np.array([np.median(passes)])
    origin, axes = path.poses_at(middle)
    x, y = ((ostium - origin[0]) @ axes[0])[:2]
    return Landmark(
        branch.id,
        "branch",
        float(path.frame_at(middle)[0]),
        float(np.arctan2(y, x)),
        ostium,
        float(np.hypot(x, y)),
    )
