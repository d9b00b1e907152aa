"""Densely sampled space curves with rotation-minimizing frames."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline
from scipy.spatial import cKDTree

from coreg.moving_frame import rotation_minimizing_frames

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Curve:
    """A curve at equal steps, proximal to distal.

    Attributes
    ----------
    points_mm : (N, 3) array
        World mm.
    frames : (N, 3, 3) array
        Columns normal, binormal, tangent.
    step_mm : float
        Arc length between points.
    first_mm : float
        Arc length at the first point.
    """

    points_mm: FloatArray
    frames: FloatArray
    step_mm: float
    first_mm: float

    @property
    def last_mm(self) -> float:
        """Arc length at the last point."""
        return self.first_mm + self.step_mm * (len(self.points_mm) - 1)

    @property
    def arc_length_mm(self) -> FloatArray:
        """Arc length at the points, shape (N,)."""
        along: FloatArray = self.first_mm + self.step_mm * np.arange(float(len(self.points_mm)))
        return along

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self.points_mm)

    @cached_property
    def curvature(self) -> FloatArray:
        """Curvature vectors at the points, shape (N, 3), in 1/mm."""
        return np.gradient(self.frames[:, :, 2], self.step_mm, axis=0)

    def at(self, arc_length_mm: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Points (M, 3) and frames (M, 3, 3) at arc lengths (M,), which are clipped to the curve."""
        where = (np.asarray(arc_length_mm, dtype=np.float64) - self.first_mm) / self.step_mm
        where = np.clip(where, 0.0, len(self.points_mm) - 1.0)
        low = np.minimum(where.astype(np.int64), len(self.points_mm) - 2)
        share = (where - low)[:, None]
        points = (1.0 - share) * self.points_mm[low] + share * self.points_mm[low + 1]
        share = share[:, :, None]
        frames = (1.0 - share) * self.frames[low] + share * self.frames[low + 1]
        tangent = _unit(frames[:, :, 2])
        normal = frames[:, :, 0]
        normal = _unit(normal - np.einsum("ij,ij->i", normal, tangent)[:, None] * tangent)
        return points, np.stack([normal, np.cross(tangent, normal), tangent], axis=-1)

    def locate(self, world_mm: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Arc length, and place along normal and binormal, of world points (M, 3); each (M,)."""
        nearest = self._tree.query(world_mm)[1]
        offset = world_mm - self.points_mm[nearest]
        # One Newton step on the foot-point condition.
        slope = 1.0 - np.einsum("ij,ij->i", offset, self.curvature[nearest])
        step = np.einsum("ij,ij->i", offset, self.frames[nearest, :, 2]) / np.maximum(slope, 0.3)
        s = self.first_mm + self.step_mm * nearest + np.clip(step, -self.step_mm, self.step_mm)
        at_end = ((nearest == 0) & (step < 0.0)) | ((nearest == len(self.points_mm) - 1) & (step > 0.0))
        s = np.where(at_end, self.first_mm + self.step_mm * nearest + step, s)
        points, frames = self.at(s)
        offset = world_mm - points
        return (
            s,
            np.einsum("ij,ij->i", offset, frames[:, :, 0]),
            np.einsum("ij,ij->i", offset, frames[:, :, 1]),
        )


def curve_through(
    points_mm: FloatArray, *, zero_at: int = 0, step_mm: float = 0.1
) -> tuple[Curve, FloatArray]:
    """Make a curve through dense points (N, 3).

    Parameters
    ----------
    points_mm : (N, 3) array
        Proximal to distal, at most a millimetre apart.
    zero_at : int
        Index of the point with arc length 0.
    step_mm : float
        Between the curve's samples.

    Returns
    -------
    curve : Curve
        Sampled at equal steps.
    arc_length_mm : (N,) array
        Arc length on it of the given points.
    """
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points_mm, axis=0), axis=1))])
    spline = CubicSpline(along, points_mm)
    count = int(np.floor(along[-1] / step_mm)) + 1
    at = step_mm * np.arange(count)
    points, tangents = spline(at), _unit(spline(at, 1))
    axis = np.eye(3)[np.argmin(np.abs(tangents[0]))]
    frames = rotation_minimizing_frames(points, tangents, axis)
    return Curve(points, frames, step_mm, -float(along[zero_at])), along - along[zero_at]


def _unit(vectors: FloatArray) -> FloatArray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
