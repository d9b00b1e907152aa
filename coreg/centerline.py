"""Vessel centerlines in world coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline, make_smoothing_spline
from scipy.spatial import cKDTree

from coreg.moving_frame import rotation_minimizing_frames

FloatArray = npt.NDArray[np.float64]

STEP_MM = 0.25


@dataclass(frozen=True, eq=False)
class Centerline:
    """Polyline through one vessel, proximal to distal.

    Attributes
    ----------
    points_mm : (N, 3) array
        Points in LPS world coordinates, proximal to distal. Read-only.
    radius_mm : (N,) array or None
        Lumen radius at the points where it is known. Read-only.
    ostium_mm : float
        Distance along the line from its first point to the ostium: where arc length is 0.
    """

    points_mm: FloatArray
    radius_mm: FloatArray | None = None
    ostium_mm: float = 0.0

    def __post_init__(self) -> None:
        points_mm = np.array(self.points_mm, dtype=np.float64)
        if points_mm.ndim != 2 or points_mm.shape[1] != 3 or len(points_mm) < 2:
            msg = f"points_mm must have shape (N, 3) with N >= 2, got {points_mm.shape}"
            raise ValueError(msg)
        if not np.isfinite(points_mm).all():
            bad = int(np.flatnonzero(~np.isfinite(points_mm).all(axis=1))[0])
            msg = f"points_mm[{bad}] is not finite: {points_mm[bad]}"
            raise ValueError(msg)
        steps_mm = np.linalg.norm(np.diff(points_mm, axis=0), axis=1)
        if not (steps_mm > 0.0).all():
            first = int(np.argmin(steps_mm))
            msg = f"points_mm[{first}] and points_mm[{first + 1}] coincide: {points_mm[first]}"
            raise ValueError(msg)
        points_mm.flags.writeable = False
        object.__setattr__(self, "points_mm", points_mm)
        if self.radius_mm is not None:
            radius_mm = np.array(self.radius_mm, dtype=np.float64)
            if radius_mm.shape != (len(points_mm),):
                msg = f"radius_mm must have shape ({len(points_mm)},), got {radius_mm.shape}"
                raise ValueError(msg)
            radius_mm.flags.writeable = False
            object.__setattr__(self, "radius_mm", radius_mm)

    @cached_property
    def arc_length_mm(self) -> FloatArray:
        """Distance along the vessel from the ostium, shape (N,), in mm; negative before it."""
        steps_mm = np.linalg.norm(np.diff(self.points_mm, axis=0), axis=1)
        arc_length_mm = np.concatenate([[0.0], np.cumsum(steps_mm)]) - self.ostium_mm
        arc_length_mm.flags.writeable = False
        return arc_length_mm

    @cached_property
    def _spline(self) -> CubicSpline:
        return CubicSpline(self.arc_length_mm, self.points_mm)

    def points_at(self, arc_length_mm: FloatArray) -> FloatArray:
        """Points at arc lengths (...), shape (..., 3), in world mm; straight on beyond the ends."""
        s = np.asarray(arc_length_mm, dtype=np.float64)
        inside = np.clip(s, self.arc_length_mm[0], self.arc_length_mm[-1])
        return self._spline(inside) + (s - inside)[..., None] * self.tangents_at(inside)

    def tangents_at(self, arc_length_mm: FloatArray) -> FloatArray:
        """Unit tangents at arc lengths (...), shape (..., 3), pointing distally."""
        s = np.clip(arc_length_mm, self.arc_length_mm[0], self.arc_length_mm[-1])
        tangents = self._spline(s, 1)
        return tangents / np.linalg.norm(tangents, axis=-1, keepdims=True)

    def frames_at(self, arc_length_mm: FloatArray) -> FloatArray:
        """Rotation-minimizing frames at arc lengths (M,), shape (M, 3, 3).

        Columns are normal, binormal and tangent. The normal at arc length 0 is world +x
        (+y where the tangent is within 26 degrees of x) made perpendicular to the tangent.
        """
        s = np.asarray(arc_length_mm, dtype=np.float64)
        tangents = self.tangents_at(s)
        normals = np.stack([np.interp(s, *column) for column in self._normals], axis=-1)
        normals -= np.einsum("ij,ij->i", normals, tangents)[:, None] * tangents
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        return np.stack([normals, np.cross(tangents, normals), tangents], axis=-1)

    @cached_property
    def _normals(self) -> list[tuple[FloatArray, FloatArray]]:
        first, last = self.arc_length_mm[[0, -1]]
        start = float(np.clip(0.0, first, last))
        branches = []
        for end in (first, last):
            count = max(2, int(np.ceil(abs(end - start) / (0.2 * STEP_MM))) + 1)
            s = np.linspace(start, end, count) if end != start else np.array([start])
            branches.append((s, self._carried_normals(s)))
        (s_back, n_back), (s_on, n_on) = branches
        s = np.concatenate([s_back[:0:-1], s_on])
        normals = np.concatenate([n_back[:0:-1], n_on])
        return [(s, normals[:, axis]) for axis in range(3)]

    def _carried_normals(self, s: FloatArray) -> FloatArray:
        tangents = self.tangents_at(s)
        axis = np.array([1.0, 0.0, 0.0]) if abs(tangents[0, 0]) <= 0.9 else np.array([0.0, 1.0, 0.0])
        return rotation_minimizing_frames(self.points_at(s), tangents, axis)[:, :, 0]

    def nearest_arc_length(self, world_mm: FloatArray) -> FloatArray:
        """Arc length of the centerline point nearest to world points (..., 3), shape (...), in mm."""
        world_mm = np.asarray(world_mm, dtype=np.float64)
        flat = world_mm.reshape(-1, 3)
        first, last = self.arc_length_mm[[0, -1]]
        fine = np.linspace(first, last, max(2, int(np.ceil((last - first) / STEP_MM)) + 1))
        s = fine[cKDTree(self.points_at(fine)).query(flat)[1]]
        for _ in range(8):
            # Newton on the foot-point condition; the curvature term keeps it quadratic in bends.
            offset = self.points_at(s) - flat
            velocity, acceleration = self._spline(s, 1), self._spline(s, 2)
            slope = np.einsum("ij,ij->i", velocity, velocity) + np.einsum("ij,ij->i", offset, acceleration)
            step = np.einsum("ij,ij->i", offset, velocity) / np.maximum(slope, 0.2)
            s = np.clip(s - np.clip(step, -STEP_MM, STEP_MM), first, last)
        return s.reshape(world_mm.shape[:-1])

    def resampled(self, *, spacing_mm: float = STEP_MM, smoothing: float = 0.0) -> Centerline:
        """Return the same vessel at equal steps.

        Parameters
        ----------
        spacing_mm : float
            Wanted distance between points, in mm.
        smoothing : float
            Penalty of a cubic smoothing spline along the line, in mm^3; 0 interpolates. Steps of a
            voxel grid are gone at about 1, bends of coronary arteries stay.
        """
        first, last = self.arc_length_mm[[0, -1]]
        s = np.linspace(first, last, max(2, round((last - first) / spacing_mm) + 1))
        if smoothing > 0.0 and len(self.points_mm) >= 5:
            points = make_smoothing_spline(self.arc_length_mm, self.points_mm, lam=smoothing)(s)
        else:
            points = self.points_at(s)
        radius = None if self.radius_mm is None else np.interp(s, self.arc_length_mm, self.radius_mm)
        line = Centerline(points, radius)
        ostium = float(line.nearest_arc_length(self.points_at(np.array(0.0)))) if self.ostium_mm else 0.0
        return Centerline(points, radius, ostium)


@dataclass(frozen=True, eq=False)
class VesselTree:
    """Centerlines that may share their trunk, as tools such as VMTK write them.

    Attributes
    ----------
    lines : tuple of Centerline
        Each from the inlet to one outlet.
    """

    lines: tuple[Centerline, ...]

    def __post_init__(self) -> None:
        if not self.lines:
            msg = "a vessel tree needs at least one line, got none"
            raise ValueError(msg)

    def vessel(self, ostium: FloatArray | None = None, distal: FloatArray | None = None) -> Centerline:
        """Return the line of one vessel, its arc length counted from the ostium.

        Parameters
        ----------
        ostium : (3,) array, optional
            World mm near the vessel's mouth. Arc length 0 is the point of the line nearest to
            it; without it, the line's first point.
        distal : (3,) array, optional
            World mm near the vessel's far end. Of several lines the one nearest to it is taken
            (of equals within 0.1 mm the longest) and cut there.
        """
        if distal is None:
            line = max(self.lines, key=lambda each: each.arc_length_mm[-1] - each.arc_length_mm[0])
        else:
            feet = [each.points_at(each.nearest_arc_length(distal)) for each in self.lines]
            gaps = np.array([np.linalg.norm(foot - distal) for foot in feet])
            close = [self.lines[i] for i in np.flatnonzero(gaps <= gaps.min() + 0.1)]
            line = max(close, key=lambda each: each.arc_length_mm[-1] - each.arc_length_mm[0])
        if ostium is not None and distal is not None:
            line = _pointing_distally(line, ostium, distal)
        if distal is not None:
            line = _cut_distally(line, float(line.nearest_arc_length(distal)))
        start = 0.0 if ostium is None else float(line.nearest_arc_length(ostium) - line.arc_length_mm[0])
        return Centerline(line.points_mm, line.radius_mm, start)


def _pointing_distally(line: Centerline, ostium: FloatArray, distal: FloatArray) -> Centerline:
    if line.nearest_arc_length(ostium) <= line.nearest_arc_length(distal):
        return line
    radius = None if line.radius_mm is None else line.radius_mm[::-1]
    return Centerline(line.points_mm[::-1], radius)


def _cut_distally(line: Centerline, end_mm: float) -> Centerline:
    keep = line.arc_length_mm < end_mm - 1e-6
    if keep.sum() < 1:
        return line
    points = np.vstack([line.points_mm[keep], line.points_at(np.array(end_mm))])
    radius = None
    if line.radius_mm is not None:
        radius = np.append(line.radius_mm[keep], np.interp(end_mm, line.arc_length_mm, line.radius_mm))
    return Centerline(points, radius)
