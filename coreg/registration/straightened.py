"""Signed distances of both lumens on one straight grid: depth by the image plane about the lumen's middle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from coreg.registration.placement import frame_depth_mm
from coreg.registration.scene import Scene
from coreg.registration.vessel import sample

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class StraightGrid:
    """Voxels at equal steps.

    Attributes
    ----------
    depth_mm : (Z,) array
        Depths of the planes.
    across_mm : (W,) array
        Columns, and rows, from the lumen's middle.
    """

    depth_mm: FloatArray
    across_mm: FloatArray

    @property
    def shape(self) -> tuple[int, int, int]:
        """Planes, rows, columns."""
        return len(self.depth_mm), len(self.across_mm), len(self.across_mm)

    @property
    def plane_mm(self) -> FloatArray:
        """Column and row coordinates (W * W, 2) of a plane's voxels, row by row."""
        row, column = np.meshgrid(self.across_mm, self.across_mm, indexing="ij")
        return np.column_stack([column.ravel(), row.ravel()])


def extended(at: FloatArray, depth_mm: FloatArray, values: FloatArray) -> FloatArray:
    """Interpolate values (N,) of depths (N,), rising; straight on beyond the ends."""
    slope = (values[-1] - values[0]) / (depth_mm[-1] - depth_mm[0])
    beyond = at - np.clip(at, depth_mm[0], depth_mm[-1])
    return np.asarray(np.interp(at, depth_mm, values) + slope * beyond)


def lumen_points_mm(scene: Scene, log_scale: float) -> FloatArray:
    """Lumen points (M, K, 2) from the lumen's middle, in the CCTA's size."""
    return np.asarray((scene.seen.points_mm - scene.seen.centre_mm[:, None]) * np.exp(log_scale))


def vessel_distance_mm(scene: Scene, functions: FloatArray, grid: StraightGrid) -> FloatArray:
    """Signed distance (Z, W, W) to the CCTA's lumen along a path.

    Parameters
    ----------
    scene : Scene
        What is registered.
    functions : (5, N) array
        The path, at all frames. Frames are taken to lie across the vessel.
    grid : StraightGrid
        Where to sample.
    """
    depth = frame_depth_mm(scene)
    arc_length, turn, u, v = (extended(grid.depth_mm, depth, each)[:, None] for each in functions[:4])
    place = torch.as_tensor(arc_length[:, 0], device=scene.device)
    point, normal, binormal, _ = (each.cpu().numpy() for each in scene.tensors.at(place))
    column = np.cos(turn) * normal + np.sin(turn) * binormal
    row = np.cos(turn) * binormal - np.sin(turn) * normal
    x, y = grid.plane_mm.T[:, None, :, None]
    world = (point + u * normal + v * binormal)[:, None] + x * column[:, None] + y * row[:, None]
    return sample(scene.vessel.distance, world).reshape(grid.shape)


def pullback_distance_mm(scene: Scene, log_scale: float, grid: StraightGrid) -> FloatArray:
    """Signed distance (Z, W, W) to the pullback's lumen within its images, stacked straight."""
    plane, known = grid.plane_mm, scene.seen.depth_mm
    stack = np.stack([contour_distance_mm(each, plane) for each in lumen_points_mm(scene, log_scale)])
    place = np.interp(grid.depth_mm, known, np.arange(len(known)))
    low = np.minimum(place.astype(int), len(known) - 2)
    share = (place - low)[:, None]
    return np.asarray((1.0 - share) * stack[low] + share * stack[low + 1]).reshape(grid.shape)


def contour_distance_mm(contour: FloatArray, points: FloatArray) -> FloatArray:
    """Signed distance (P,) of points (P, 2) to a closed polygon (K, 2), negative inside."""
    edge = np.roll(contour, -1, axis=0) - contour
    away = points[:, None] - contour
    square = np.maximum((edge**2).sum(axis=1), 1e-12)
    along = np.clip((away * edge).sum(axis=2) / square, 0.0, 1.0)
    distance = np.linalg.norm(away - along[..., None] * edge, axis=2).min(axis=1)
    # A ray towards +x crosses the polygon an odd number of times from inside.
    spans = (away[..., 1] >= 0.0) != (away[..., 1] >= edge[:, 1])
    left = (edge[:, 0] * away[..., 1] - edge[:, 1] * away[..., 0]) * np.sign(edge[:, 1]) > 0.0
    inside = (spans & left).sum(axis=1) % 2 == 1
    return np.where(inside, -distance, distance)
