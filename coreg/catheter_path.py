"""The virtual catheter path: a pose in the world for each frame of a pullback."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


class PullbackPoints(NamedTuple):
    """World points seen from the pullback.

    Attributes
    ----------
    row : (M,) array
        Fractional index into the path's arrays; NaN where no frame's plane meets the point.
    xy_mm : (M, 2) array
        In the image plane, mm from the catheter's centre.
    alternatives : (M,) int array
        How many other places of the path meet the point too.
    """

    row: FloatArray
    xy_mm: FloatArray
    alternatives: IntArray


# Reasons of frames that do not lie in the vessel.
BEFORE_VESSEL = "before the vessel: aorta or guide catheter"
BEYOND_VESSEL = "beyond the distal end of the CCTA's vessel"
# How near to a plane a point lies in it, and how often a place is improved at most.
EXACT_MM, MOST_STEPS = 1e-9, 60


@dataclass(frozen=True, eq=False)
class VirtualCatheterPath:
    """Poses that take pullback image mm to world mm, proximal to distal.

    A point (x, y) of frame ``i`` lies at ``origin_mm[i] + x column[i] + y row[i]``. Between two
    neighbours along the vessel the origin moves straight and the axes turn about one axis.

    Attributes
    ----------
    frame : (N,) int array
        Acquisition index of each row of the arrays.
    position_mm : (N,) array
        Withdrawal at each frame; falls along the array.
    arc_length_mm : (N,) array
        Of the centerline point nearest to the catheter; NaN for frames without a pose.
    rotation_rad : (N,) array
        Angle of the column axis in the centerline's rotation-minimizing frame.
    origin_mm, column, row : (N, 3) arrays
        Catheter centre in LPS mm and the unit image axes; NaN for frames without a pose.
    reliable : (N,) bool array
        Whether the frame was measured rather than interpolated, and found trustworthy.
    reason : tuple of str
        Why a frame has no pose or is not reliable; empty otherwise.
    arc_length_sd_mm, rotation_sd_rad : (N,) arrays, optional
        Standard deviations of place and rotation; NaN where they are not known, as by default.
    """

    frame: IntArray
    position_mm: FloatArray
    arc_length_mm: FloatArray
    rotation_rad: FloatArray
    origin_mm: FloatArray
    column: FloatArray
    row: FloatArray
    reliable: npt.NDArray[np.bool_]
    reason: tuple[str, ...]
    arc_length_sd_mm: FloatArray = field(default_factory=lambda: np.empty(0))
    rotation_sd_rad: FloatArray = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        count = len(self.frame)
        for name in ("arc_length_sd_mm", "rotation_sd_rad"):
            if not len(getattr(self, name)):
                object.__setattr__(self, name, np.full(count, np.nan))
        shapes = {
            "frame": (count,),
            "position_mm": (count,),
            "arc_length_mm": (count,),
            "rotation_rad": (count,),
            "origin_mm": (count, 3),
            "column": (count, 3),
            "row": (count, 3),
            "reliable": (count,),
            "arc_length_sd_mm": (count,),
            "rotation_sd_rad": (count,),
        }
        for name, shape in shapes.items():
            array = np.array(getattr(self, name))
            if array.shape != shape:
                msg = f"{name} must have shape {shape}, got {array.shape}"
                raise ValueError(msg)
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        if len(self.reason) != count:
            msg = f"reason must have {count} entries, got {len(self.reason)}"
            raise ValueError(msg)
        axes = np.stack([self.column, self.row], axis=1)[self.posed]
        gram = axes @ axes.transpose(0, 2, 1)
        if len(gram) and not np.allclose(gram, np.eye(2), atol=1e-6):
            bad = int(np.argmax(np.abs(gram - np.eye(2)).max(axis=(1, 2))))
            name = self.frame[np.flatnonzero(self.posed)[bad]]
            msg = f"column and row of frame {name} must be orthonormal, got products {gram[bad].tolist()}"
            raise ValueError(msg)

    def __len__(self) -> int:
        """Count the frames, with and without a pose."""
        return len(self.frame)

    @cached_property
    def posed(self) -> npt.NDArray[np.bool_]:
        """Which frames have a pose, shape (N,)."""
        return np.asarray(np.isfinite(self.origin_mm).all(axis=1))

    @property
    def plane_normal(self) -> FloatArray:
        """``column x row`` of each frame, shape (N, 3): distal for looking-distal images."""
        return np.cross(self.column, self.row)

    @cached_property
    def _rows(self) -> IntArray:
        return np.flatnonzero(self.posed)

    @cached_property
    def _turns(self) -> tuple[FloatArray, FloatArray]:
        """Rotation matrices of posed frames and rotation vectors to the next one."""
        matrices = np.stack([self.column, self.row, self.plane_normal], axis=-1)[self._rows]
        turns = Rotation.from_matrix(matrices[:-1].transpose(0, 2, 1) @ matrices[1:]).as_rotvec()
        return matrices, turns

    def poses_at(self, row: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Interpolate poses.

        Parameters
        ----------
        row : (M,) array
            Fractional index into the arrays, between posed frames that are neighbours.

        Returns
        -------
        origin_mm : (M, 3) array
            Catheter centres in world mm; NaN where ``row`` is outside the posed frames.
        axes : (M, 3, 3) array
            Columns are the image's column axis, its row axis and their cross product.
        """
        row = np.asarray(row, dtype=np.float64)
        origin = np.full((*row.shape, 3), np.nan)
        axes = np.full((*row.shape, 3, 3), np.nan)
        if not len(self._rows):
            return origin, axes
        inside = (row >= self._rows[0]) & (row <= self._rows[-1])
        at = np.interp(row[inside], self._rows, np.arange(len(self._rows)))
        low = np.clip(np.floor(at).astype(np.int64), 0, max(0, len(self._rows) - 2))
        share = at - low
        matrices, turns = self._turns
        start = self.origin_mm[self._rows[low]]
        if len(self._rows) == 1:
            origin[inside], axes[inside] = start, matrices[low]
            return origin, axes
        origin[inside] = start + share[:, None] * (self.origin_mm[self._rows[low + 1]] - start)
        axes[inside] = matrices[low] @ Rotation.from_rotvec(share[:, None] * turns[low]).as_matrix()
        return origin, axes

    def to_world(self, row: FloatArray, xy_mm: FloatArray) -> FloatArray:
        """Take image points of fractional rows (M,) and in-plane mm (M, 2) to world mm (M, 3)."""
        origin, axes = self.poses_at(np.asarray(row))
        return origin + np.einsum("...ij,...j->...i", axes[..., :2], np.asarray(xy_mm, dtype=np.float64))

    def to_pullback(self, world_mm: FloatArray, *, reach_mm: float = 10.0) -> PullbackPoints:
        """Find the frames whose plane passes through world points; the inverse of ``to_world``.

        Parameters
        ----------
        world_mm : (M, 3) array
            LPS mm.
        reach_mm : float
            Farthest in-plane distance from the catheter that counts; where a vessel bends, planes
            meet points that no frame shows.

        Returns
        -------
        PullbackPoints
            Of several crossings the one nearest to the catheter.
        """
        world_mm = np.atleast_2d(np.asarray(world_mm, dtype=np.float64))
        count = len(world_mm)
        row, xy = np.full(count, np.nan), np.full((count, 2), np.nan)
        alternatives = np.zeros(count, dtype=np.int64)
        for i, point in enumerate(world_mm):
            crossings = self.crossings(point)
            origin, axes = self.poses_at(crossings)
            local = np.einsum("mij,mi->mj", axes, point - origin)[:, :2]
            distance = np.linalg.norm(local, axis=1)
            near = np.flatnonzero(distance <= reach_mm)
            if len(near):
                best = near[np.argmin(distance[near])]
                row[i], xy[i] = crossings[best], local[best]
                alternatives[i] = len(near) - 1
        return PullbackPoints(row, xy, alternatives)

    def crossings(self, point_mm: FloatArray) -> FloatArray:
        """Fractional rows (K,) at which the frame plane passes through a world point (3,), in order."""
        if not len(self._rows):
            return np.empty(0)

        def height(row: FloatArray) -> FloatArray:
            origin, axes = self.poses_at(row)
            return np.einsum("mi,mi->m", point_mm - origin, axes[..., 2])

        at = height(self._rows.astype(np.float64))
        exact = self._rows[at == 0.0].astype(np.float64)
        low = np.flatnonzero(at[:-1] * at[1:] < 0.0)
        a, b = self._rows[low].astype(np.float64), self._rows[low + 1].astype(np.float64)
        return np.sort(np.concatenate([exact, _zeros_between(height, a, b, at[low], at[low + 1])]))

    def frame_at(self, row: FloatArray) -> FloatArray:
        """Acquisition index at fractional rows (M,), linear between neighbours along the vessel."""
        return np.interp(row, np.arange(len(self)), self.frame, left=np.nan, right=np.nan)

    def position_at(self, row: FloatArray) -> FloatArray:
        """Withdrawal in mm at fractional rows (M,)."""
        return np.interp(row, np.arange(len(self)), self.position_mm, left=np.nan, right=np.nan)

    def rows_of(self, frame: FloatArray) -> FloatArray:
        """Fractional rows (M,) of acquisition indices (M,) that may be fractional; NaN outside.

        A fraction is looked up between the two neighbours along the vessel that enclose it most
        closely.
        """
        return fractional_rows(self.frame, frame)


def _zeros_between(
    height: Callable[[FloatArray], FloatArray],
    a: FloatArray,
    b: FloatArray,
    at_a: FloatArray,
    at_b: FloatArray,
) -> FloatArray:
    """Zeros (K,) of a function between places (K,) where its signs differ: false position, halved ends.

    The Illinois method: Dowell and Jarratt, BIT 11 (1971) 168-174.
    """
    for _ in range(MOST_STEPS if len(a) else 0):
        place = (a * at_b - b * at_a) / (at_b - at_a)
        value = height(place)
        other_side = value * at_b < 0.0
        a, at_a = np.where(other_side, b, a), np.where(other_side, at_b, 0.5 * at_a)
        b, at_b = place, value
        if (np.abs(at_b) < EXACT_MM).all():
            break
        # A zero that is met exactly stays where it is.
        at_a = np.where(at_b == 0.0, 1.0, at_a)
    return b


def fractional_rows(frames: IntArray, wanted: FloatArray) -> FloatArray:
    """Fractional rows (M,) of acquisition indices (M,) in an array of frames (N,) along the vessel.

    NaN where no two neighbours of the array enclose an index.
    """
    wanted = np.asarray(wanted, dtype=np.float64)
    low = np.minimum(frames[:-1], frames[1:])
    width = np.abs(np.diff(frames))
    rows = np.full(wanted.shape, np.nan)
    for i, value in enumerate(wanted.ravel()):
        whole = np.flatnonzero(frames == value)
        pairs = np.flatnonzero((low < value) & (value < low + width))
        if len(whole):
            rows.flat[i] = whole[0]
        elif len(pairs):
            pair = pairs[np.argmin(width[pairs])]
            rows.flat[i] = pair + (value - frames[pair]) / (frames[pair + 1] - frames[pair])
    return rows
