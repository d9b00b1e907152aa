"""A placement moved by hand: along the vessel, about the lumen's middle, stretched or mirrored.

A pose is taken apart into a place along the vessel and what it looks like from the vessel's moving
frame there. Moved along the vessel, that look is kept, so that images follow its bends.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from coreg.catheter_path import BEFORE_VESSEL, BEYOND_VESSEL, VirtualCatheterPath
from coreg.centerline import Centerline
from coreg.contours import centroid_mm
from coreg.pullback import Pullback

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

MOVED_IN = "moved into the vessel by hand"
# As the registration's own axis: the moving frame of a line with a voxel grid's steps is unsteady.
SPACING_MM, SMOOTHING = 0.25, 4.0


@dataclass(frozen=True)
class Adjustment:
    """How a placement is moved by hand.

    Attributes
    ----------
    shift_mm : float
        Along the vessel, positive distally.
    turn_rad : float
        About each lumen's middle in the image's own plane, in the sense in which ``rotation_rad`` grows,
        whatever the view.
    stretch : float
        Factor on distances along the vessel from the middle of the placed frames.
    mirrored : bool
        Whether each image is reflected about its lumen's middle, the row axis negated.
    """

    shift_mm: float = 0.0
    turn_rad: float = 0.0
    stretch: float = 1.0
    mirrored: bool = False

    def __post_init__(self) -> None:
        if not np.isfinite([self.shift_mm, self.turn_rad]).all():
            msg = f"shift_mm and turn_rad must be finite, got {self.shift_mm} and {self.turn_rad}"
            raise ValueError(msg)
        if not (np.isfinite(self.stretch) and self.stretch > 0.0):
            msg = f"stretch must be positive, got {self.stretch}"
            raise ValueError(msg)

    @property
    def is_none(self) -> bool:
        """Whether it leaves everything as it is."""
        return self == Adjustment()


class Poses(NamedTuple):
    """Catheter centres in world mm and image axes, each (N, 3), and places along the line (N,)."""

    origin_mm: FloatArray
    column: FloatArray
    row: FloatArray
    place_mm: FloatArray


@dataclass(frozen=True, eq=False)
class LocalPoses:
    """A path taken apart, ready to be moved many times.

    Attributes
    ----------
    path : VirtualCatheterPath
        As it was.
    line : Centerline
        A smooth line along which images move.
    centerline : Centerline
        The vessel's, along which results are counted.
    place_mm : (N,) array
        Arc length of each catheter along the smooth line; frames without a pose continue it.
    middle_mm : (N, 3) array
        Middle of each lumen in the moving frame at that place.
    axes : (N, 3, 2) array
        Column and row axes there.
    centre_mm : (N, 2) array
        Middle of each lumen in the image.
    sense : (N,) array
        1 where column x row points distally, -1 where it points proximally.
    """

    path: VirtualCatheterPath
    line: Centerline
    centerline: Centerline
    place_mm: FloatArray
    middle_mm: FloatArray
    axes: FloatArray
    centre_mm: FloatArray
    sense: FloatArray

    @classmethod
    def of(cls, path: VirtualCatheterPath, centerline: Centerline, centre_mm: FloatArray) -> LocalPoses:
        """Take a path apart; arguments are those of `adjusted`.

        Raises
        ------
        ValueError
            If no frame has a pose, or ``centre_mm`` has another shape than (N, 2).
        """
        rows = np.flatnonzero(path.posed)
        if not len(rows):
            msg = "path has no frame with a pose; there is nothing to move"
            raise ValueError(msg)
        centre = _filled(path, centre_mm)
        line = centerline.resampled(spacing_mm=SPACING_MM, smoothing=SMOOTHING)
        place = _place_mm(line, path.origin_mm[rows])
        frames = line.frames_at(place)
        axes = np.stack([path.column[rows], path.row[rows]], axis=-1)
        middle = path.origin_mm[rows] + np.einsum("nij,nj->ni", axes, centre[rows])
        local_middle = np.einsum("nji,nj->ni", frames, middle - line.points_at(place))
        local_axes = frames.transpose(0, 2, 1) @ axes
        like = _nearest(rows, len(path))
        sense = np.where(np.cross(local_axes[..., 0], local_axes[..., 1])[:, 2] < 0.0, -1.0, 1.0)
        return cls(
            path,
            line,
            centerline,
            _continued(path, rows, like, place),
            local_middle[like],
            local_axes[like],
            centre,
            sense[like],
        )

    def moved(self, adjustment: Adjustment, rows: npt.NDArray[np.integer] | slice = slice(None)) -> Poses:
        """Poses of some rows after an adjustment, whether they lie on the line or beyond its ends."""
        place = self._moved_place(adjustment)[rows]
        frames = self.line.frames_at(place)
        axes = frames @ self._turned_axes(adjustment)[rows]
        middle = self.line.points_at(place) + np.einsum("nij,nj->ni", frames, self.middle_mm[rows])
        origin = middle - np.einsum("nij,nj->ni", axes, self.centre_mm[rows])
        return Poses(origin, axes[..., 0], axes[..., 1], place)

    def adjusted(self, adjustment: Adjustment) -> VirtualCatheterPath:
        """Return the path after an adjustment, see `adjusted`."""
        if adjustment.is_none:
            return self.path
        poses = self.moved(adjustment)
        first, last = self.line.arc_length_mm[[0, -1]]
        before, beyond = poses.place_mm < first, poses.place_mm > last
        posed = ~(before | beyond)
        arc_length = self.centerline.nearest_arc_length(poses.origin_mm)
        frames = self.centerline.frames_at(arc_length)
        along = np.einsum("ij,ijk->ik", poses.column, frames[..., :2])
        kept = posed & self.path.posed

        def shown(values: FloatArray) -> FloatArray:
            return np.where(posed if values.ndim == 1 else posed[:, None], values, np.nan)

        return replace(
            self.path,
            arc_length_mm=shown(arc_length),
            rotation_rad=shown(np.arctan2(along[:, 1], along[:, 0])),
            origin_mm=shown(poses.origin_mm),
            column=shown(poses.column),
            row=shown(poses.row),
            reliable=kept & self.path.reliable,
            reason=tuple(map(_reason, self.path.reason, before, beyond, self.path.posed)),
            # How far a hand is off, no cost tells.
            arc_length_sd_mm=np.full(len(self.path), np.nan),
            rotation_sd_rad=np.full(len(self.path), np.nan),
        )

    def _moved_place(self, adjustment: Adjustment) -> FloatArray:
        placed = self.place_mm[self.path.posed]
        middle = 0.5 * (placed.min() + placed.max())
        return middle + adjustment.stretch * (self.place_mm - middle) + adjustment.shift_mm

    def _turned_axes(self, adjustment: Adjustment) -> FloatArray:
        column, row = self.axes[..., 0], self.axes[..., 1]
        # Mirrored, column x row points the other way.
        sense = -self.sense if adjustment.mirrored else self.sense
        row = -row if adjustment.mirrored else row
        cosine = np.cos(adjustment.turn_rad)
        sine = (sense * np.sin(adjustment.turn_rad))[:, None]
        return np.stack([cosine * column + sine * row, cosine * row - sine * column], axis=-1)


def adjusted(
    path: VirtualCatheterPath, centerline: Centerline, centre_mm: FloatArray, adjustment: Adjustment
) -> VirtualCatheterPath:
    """Move a path by hand.

    Parameters
    ----------
    path : VirtualCatheterPath
        The placement.
    centerline : Centerline
        Of the vessel, along which the result's arc length and rotation are counted.
    centre_mm : (N, 2) array
        Middle of the lumen in the image by row of the path, mm from the catheter, as `lumen_centres`
        gives it; rows of NaN are interpolated.
    adjustment : Adjustment
        What to do. None at all returns the path itself.

    Returns
    -------
    VirtualCatheterPath
        Frames that had no pose are continued from the nearest ones that have, so that they can come
        into the vessel; what lies beyond the line's ends has no pose, with the reason. Whether a frame
        is reliable stays; standard deviations are not known any more.

    Raises
    ------
    ValueError
        If no frame has a pose, or ``centre_mm`` has another shape than (N, 2).
    """
    return LocalPoses.of(path, centerline, centre_mm).adjusted(adjustment)


def lumen_centres(path: VirtualCatheterPath, pullback: Pullback) -> FloatArray:
    """Centroid of each row's lumen in the stored image, shape (N, 2), in mm; NaN without a contour."""
    centres = np.full((len(path), 2), np.nan)
    for i, frame in enumerate(path.frame.tolist()):
        if frame in pullback.lumen:
            centres[i] = centroid_mm(pullback.lumen[frame])
    return centres


def _filled(path: VirtualCatheterPath, centre_mm: FloatArray) -> FloatArray:
    """Lumen centres (N, 2), interpolated by rows where they are not known; the catheter's if none is."""
    centre = np.array(centre_mm, dtype=np.float64)
    if centre.shape != (len(path), 2):
        msg = f"centre_mm must have shape ({len(path)}, 2), got {centre.shape}"
        raise ValueError(msg)
    known = np.flatnonzero(np.isfinite(centre).all(axis=1))
    if not len(known):
        return np.zeros_like(centre)
    every = np.arange(len(path))
    return np.stack([np.interp(every, known, each) for each in centre[known].T], axis=1)


def _place_mm(line: Centerline, points_mm: FloatArray) -> FloatArray:
    """Arc length (M,) of points (M, 3) along a line; it goes straight on beyond its ends."""
    place = line.nearest_arc_length(points_mm)
    ahead = np.einsum("ij,ij->i", points_mm - line.points_at(place), line.tangents_at(place))
    at_end = (place <= line.arc_length_mm[0]) | (place >= line.arc_length_mm[-1])
    return np.asarray(np.where(at_end, place + ahead, place))


def _nearest(rows: npt.NDArray[np.intp], count: int) -> npt.NDArray[np.intp]:
    """For each of ``count`` rows the number of the nearest of some sorted rows (M,)."""
    return np.asarray(np.abs(np.arange(count)[:, None] - rows).argmin(axis=1))


def _continued(
    path: VirtualCatheterPath, rows: npt.NDArray[np.intp], like: npt.NDArray[np.intp], place_mm: FloatArray
) -> FloatArray:
    """Places (N,) of all frames: those known (M,), and a straight pullback on from the nearest."""
    depth = path.position_mm.max() - path.position_mm
    known = depth[rows]
    speed = float(np.polyfit(known, place_mm, 1)[0]) if np.ptp(known) > 0.0 else 1.0
    return np.asarray(place_mm[like] + speed * (depth - known[like]))


def _reason(reason: str, before: bool, beyond: bool, had_pose: bool) -> str:
    if before or beyond:
        return BEFORE_VESSEL if before else BEYOND_VESSEL
    return reason if had_pose and reason not in (BEFORE_VESSEL, BEYOND_VESSEL) else MOVED_IN
