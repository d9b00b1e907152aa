"""How well the pullback's lumens meet the CCTA's surface, whatever placed them: by search or by hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from coreg.catheter_path import VirtualCatheterPath
from coreg.centerline import Centerline
from coreg.registration.by_hand import Adjustment, LocalPoses
from coreg.registration.scene import Scene
from coreg.registration.vessel import sample
from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

# How far it looks to either side, unless told otherwise.
NEARBY_MM, NEARBY_RAD = 3.0, 0.25 * np.pi
# Coarse and fine: steps of shift and turn, about so many frames, so many points on each contour.
STEPS_MM, STEPS_RAD = (0.5, 0.1), (np.radians(7.5), np.radians(1.5))
FRAMES, POINTS = (60, 120), (12, 24)
# A frame differs by no more than this, since what does not match at all tells nothing of where it belongs.
MOST_MM = 1.0
# A frame outside of the vessel counts as a noticeable misfit: leaving is no way out, nor coming in a gain.
OUTSIDE_MM = 0.35


class Nearby(NamedTuple):
    """An adjustment, the mean distance of the lumens under it in mm, and whether a better one may lie beyond.

    ``at_edge`` says that the adjustment is as far off as was looked at.
    """

    adjustment: Adjustment
    overall_mm: float
    at_edge: bool = False


@dataclass(frozen=True, eq=False)
class Likeness:
    """Lumen points of a pullback and the surface that they should lie on.

    Attributes
    ----------
    count : int
        N, rows of the pullback.
    row : (M,) int array
        Those with a say.
    points_mm : (M, K, 2) array
        Their lumen points in the stored image, mm from the catheter.
    on_wall : (M, K) bool array
        False where the lumen left the field of view: the wall is there or farther out.
    radius_mm : (M,) array
        Median lumen radius.
    distance : Volume
        Signed distance to the CCTA's lumen surface, mm.
    first_mm, last_mm : float
        Arc lengths between which the vessel can be compared.
    """

    count: int
    row: IntArray
    points_mm: FloatArray
    on_wall: BoolArray
    radius_mm: FloatArray
    distance: Volume
    first_mm: float
    last_mm: float

    @classmethod
    def of(cls, scene: Scene) -> Likeness:
        """Take from a scene what a comparison needs."""
        seen, pullback = scene.seen, scene.case.pullback
        # Observations are those of a viewer who looks distally.
        stored = np.array([1.0, -1.0 if pullback.view == "looking-proximal" else 1.0])
        return cls(
            len(pullback),
            seen.row,
            seen.points_mm * stored,
            seen.seen > 0.0,
            seen.radius_mm,
            scene.vessel.distance,
            scene.tensors.first_mm,
            scene.tensors.last_mm,
        )

    def residual_mm(self, path: VirtualCatheterPath, *, radius_scale: float) -> FloatArray:
        """Root-mean-square distance (N,) of each frame's lumen points from the CCTA's surface, in mm.

        Parameters
        ----------
        path : VirtualCatheterPath
            Poses of the pullback's frames.
        radius_scale : float
            CCTA radius over pullback radius.

        Returns
        -------
        (N,) array
            NaN where nothing was outlined, or the frame has no say or no pose.

        Raises
        ------
        ValueError
            If the path has another number of frames.
        """
        if len(path) != self.count:
            msg = f"path has {len(path)} frames, but the pullback has {self.count}"
            raise ValueError(msg)
        log_scale = float(np.log(radius_scale))
        return self.residual_of(path.origin_mm, path.column, path.row, log_scale=log_scale)

    def residual_of(
        self, origin_mm: FloatArray, column: FloatArray, row: FloatArray, *, log_scale: float
    ) -> FloatArray:
        """Return the same for poses, each (N, 3), and the logarithm of the radius scale."""
        residual = np.full(self.count, np.nan)
        rows = self.row
        residual[rows] = self._rms_mm(origin_mm[rows], column[rows], row[rows], log_scale)
        return residual

    def overall_mm(self, path: VirtualCatheterPath, *, radius_scale: float) -> float:
        """Mean over the frames of what `residual_mm` gives; NaN where it gives nothing."""
        residual = self.residual_mm(path, radius_scale=radius_scale)
        known = residual[np.isfinite(residual)]
        return float(known.mean()) if len(known) else float("nan")

    def thinned(self, *, frames: int, points: int) -> Likeness:
        """Return about so many frames, and points on each contour, at equal steps."""
        which = slice(None, None, max(1, round(len(self.row) / frames)))
        every = slice(None, None, max(1, self.points_mm.shape[1] // points))
        return replace(
            self,
            row=self.row[which],
            points_mm=self.points_mm[which, every],
            on_wall=self.on_wall[which, every],
            radius_mm=self.radius_mm[which],
        )

    def badness_mm(self, local: LocalPoses, adjustment: Adjustment, *, log_scale: float) -> float:
        """Mean difference of the lumens in mm that can be compared between adjustments.

        Every frame with a say counts, wherever it comes to lie: in the vessel for at most `MOST_MM`,
        outside for `OUTSIDE_MM`.
        """
        poses = local.moved(adjustment, self.row)
        away = self._rms_mm(poses.origin_mm, poses.column, poses.row, log_scale)
        inside = (poses.place_mm >= self.first_mm) & (poses.place_mm <= self.last_mm)
        return float(np.where(inside, np.minimum(away, MOST_MM), OUTSIDE_MM).mean())

    def _rms_mm(
        self, origin: FloatArray, column: FloatArray, row: FloatArray, log_scale: float
    ) -> FloatArray:
        """Root-mean-square distance (M,) of the frames with a say, from their poses (M, 3)."""
        x, y = self.points_mm[..., :1], self.points_mm[..., 1:]
        world = origin[:, None] + x * column[:, None] + y * row[:, None]
        away = sample(self.distance, world) + log_scale * self.radius_mm[:, None]
        return np.sqrt((np.where(self.on_wall, away, np.maximum(away, 0.0)) ** 2).mean(axis=1))


def best_nearby(
    likeness: Likeness,
    path: VirtualCatheterPath,
    centerline: Centerline,
    centre_mm: FloatArray,
    adjustment: Adjustment,
    *,
    radius_scale: float,
    shift_mm: float = NEARBY_MM,
    turn_rad: float = NEARBY_RAD,
) -> Nearby:
    """Find the shift and turn near an adjustment under which the lumens are most alike.

    A grid of shifts and turns is looked at on some of the frames and points, then a finer one about its
    best on more. Stretch and mirror stay.

    Parameters
    ----------
    likeness : Likeness
        What is compared.
    path, centerline, centre_mm
        What is moved, as in `adjusted`.
    adjustment : Adjustment
        Around which to look.
    radius_scale : float
        CCTA radius over pullback radius.
    shift_mm, turn_rad : float
        How far to either side.

    Returns
    -------
    Nearby
        Never worse than the adjustment given, by the finer comparison.

    Raises
    ------
    ValueError
        If no frame has a pose, or there is no way to go to either side.
    """
    if not (shift_mm > 0.0 and turn_rad > 0.0):
        msg = f"shift_mm and turn_rad must be positive, got {shift_mm} and {turn_rad}"
        raise ValueError(msg)
    local, log_scale = LocalPoses.of(path, centerline, centre_mm), float(np.log(radius_scale))
    best = adjustment
    spans = (shift_mm, turn_rad), (STEPS_MM[0], STEPS_RAD[0])
    for level, (shifts, turns) in enumerate(spans):
        some = likeness.thinned(frames=FRAMES[level], points=POINTS[level])
        grid = _around(best, _steps(shifts, STEPS_MM[level]), _steps(turns, STEPS_RAD[level]))
        near = [each for each in grid if _within(each, adjustment, shift_mm, turn_rad)]
        best = min(
            [best, adjustment, *near], key=lambda each: some.badness_mm(local, each, log_scale=log_scale)
        )
    moved = local.adjusted(best)
    # Half a step of the finer grid short of it.
    at_edge = not _within(best, adjustment, shift_mm - 0.5 * STEPS_MM[1], turn_rad - 0.5 * STEPS_RAD[1])
    return Nearby(best, likeness.overall_mm(moved, radius_scale=radius_scale), at_edge)


def _steps(span: float, step: float) -> FloatArray:
    """Equal steps from -span to span, none longer than ``step``."""
    return np.linspace(-span, span, 2 * int(np.ceil(span / step - 1e-9)) + 1)


def _within(one: Adjustment, other: Adjustment, shift_mm: float, turn_rad: float) -> bool:
    far = abs(one.shift_mm - other.shift_mm) / shift_mm, abs(one.turn_rad - other.turn_rad) / turn_rad
    return max(far) <= 1.0 + 1e-9


def _around(middle: Adjustment, shifts: FloatArray, turns: FloatArray) -> Iterable[Adjustment]:
    return (
        replace(middle, shift_mm=middle.shift_mm + float(shift), turn_rad=middle.turn_rad + float(turn))
        for shift in shifts
        for turn in turns
    )
