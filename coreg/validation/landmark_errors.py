"""Errors of a registration at landmarks that both modalities show.

As in Kadry et al. (arXiv 2301.00060): the frame whose plane passes through the landmark picked in
the CCTA is compared with the frame in which it was annotated, and its direction from the catheter
there with the annotated angle.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from coreg.catheter_path import VirtualCatheterPath
from coreg.landmarks import Landmark

FloatArray = npt.NDArray[np.float64]
REACH_MM = 8.0
BEYOND_MM = 3.0
RAS_TO_LPS = np.array([-1.0, -1.0, 1.0])


@dataclass(frozen=True)
class LandmarkError:
    """Errors at one landmark, signed, found minus expected; NaN where not measurable.

    Attributes
    ----------
    frame_expected, frame_found : float
        Acquisition indices.
    error_frames : float
        Difference of the two.
    error_mm : float
        Difference of the withdrawals at the two frames.
    error_deg : float
        Difference of the directions about the catheter in the stored image, in (-180, 180].
    error_tangential_mm : float
        ``error_deg`` as a length at the landmark's distance from the catheter.
    error_3d_mm : float
        Distance in the world between the landmark and where the annotation is carried to.
    reason : str
        Why something could not be measured.
    """

    id: str
    kind: str
    frame_expected: float
    frame_found: float
    error_frames: float
    error_mm: float
    error_deg: float
    error_tangential_mm: float
    error_3d_mm: float
    reason: str = ""


def landmark_errors(path: VirtualCatheterPath, landmarks: Sequence[Landmark]) -> tuple[LandmarkError, ...]:
    """Measure a path against every landmark that has both halves.

    Parameters
    ----------
    path : VirtualCatheterPath
        The registration's poses.
    landmarks : sequence of Landmark
        Those with only one half are left out.

    Returns
    -------
    tuple of LandmarkError
        In the landmarks' order.
    """
    return tuple(_error(path, each) for each in landmarks if each.paired)


def unguided(errors: Sequence[LandmarkError], guides: Container[str]) -> tuple[LandmarkError, ...]:
    """Errors at landmarks that did not guide the registration; at those that did they are its residuals."""
    return tuple(each for each in errors if each.id not in guides)


class _Meeting(NamedTuple):
    """Where a path's planes meet a point."""

    frame: float
    position_mm: float
    origin_mm: FloatArray
    axes: FloatArray
    reason: str


def _error(path: VirtualCatheterPath, landmark: Landmark) -> LandmarkError:
    assert landmark.frame is not None  # noqa: S101 - `paired` says so
    assert landmark.world_mm is not None  # noqa: S101
    expected = path.rows_of(np.array([landmark.frame]))
    met = _meeting(path, landmark.world_mm)
    reason = met.reason
    known = bool(np.isfinite(expected[0]))
    if not known:
        reason = f"frame {landmark.frame:g} is not in the pullback"
    elif not reason and not np.isfinite(path.poses_at(expected)[0]).all():
        reason = f"frame {landmark.frame:g} has no pose"
    x, y = ((landmark.world_mm - met.origin_mm) @ met.axes)[:2]
    distance_mm = float(np.hypot(x, y)) if landmark.radius_mm is None else landmark.radius_mm
    turn, error_3d_mm = float("nan"), float("nan")
    if landmark.angle_rad is not None:
        turn = _wrapped(float(np.arctan2(y, x)) - landmark.angle_rad)
        ray = distance_mm * np.array([[np.cos(landmark.angle_rad), np.sin(landmark.angle_rad)]])
        error_3d_mm = float(np.linalg.norm(path.to_world(expected, ray)[0] - landmark.world_mm))
    return LandmarkError(
        landmark.id,
        landmark.kind,
        landmark.frame,
        met.frame,
        met.frame - landmark.frame if known else float("nan"),
        met.position_mm - float(path.position_at(expected)[0]),
        float(np.degrees(turn)),
        turn * distance_mm,
        error_3d_mm,
        reason,
    )


def _meeting(path: VirtualCatheterPath, point_mm: FloatArray) -> _Meeting:
    """Find the plane through a point; where there is none, say so, and whether the point is in RAS."""
    met = _met(path, point_mm)
    if met is not None:
        return met
    nowhere = f"no frame's plane passes within {REACH_MM:g} mm of its point in the CCTA"
    if _met(path, point_mm * RAS_TO_LPS) is not None:
        nowhere += " (with x and y negated one would: is it in RAS?)"
    return _Meeting(np.nan, np.nan, np.full(3, np.nan), np.full((3, 3), np.nan), nowhere)


def _met(path: VirtualCatheterPath, point_mm: FloatArray) -> _Meeting | None:
    """Find the plane through a point: the middle one of repeated passes, else one just beyond the ends."""
    crossings = path.crossings(point_mm)
    origin, axes = path.poses_at(crossings)
    local = np.einsum("mij,mi->mj", axes, point_mm - origin)
    distance = np.linalg.norm(local[:, :2], axis=1)
    if len(crossings) and distance.min() <= REACH_MM:
        # Passes of the same place by a catheter that runs to and fro are near each other; a bent
        # vessel's other limb is not.
        row = np.array([np.median(crossings[distance <= distance.min() + 1.0])])
        (origin,), (axes,) = path.poses_at(row)
        return _Meeting(float(path.frame_at(row)[0]), float(path.position_at(row)[0]), origin, axes, "")
    rows = np.flatnonzero(path.posed)
    if len(rows) >= 2:
        for end, inner in ((rows[0], rows[min(5, len(rows) - 1)]), (rows[-1], rows[max(-6, -len(rows))])):
            met = _beyond(path, point_mm, end, inner)
            if met is not None:
                return met
    return None


def _beyond(path: VirtualCatheterPath, point_mm: FloatArray, end: int, inner: int) -> _Meeting | None:
    """Continue a path straight past one of its ends to the plane through a point, if that is close."""
    (origin,), (axes,) = path.poses_at(np.array([float(end)]))
    step = origin - path.origin_mm[inner]
    speed_mm = float(step @ axes[:, 2])
    height_mm = float((point_mm - origin) @ axes[:, 2])
    if speed_mm * height_mm <= 0.0 or abs(height_mm) > BEYOND_MM:
        return None
    share = height_mm / speed_mm
    origin = origin + share * step
    if np.linalg.norm(point_mm - origin) > REACH_MM:
        return None
    return _Meeting(
        float(path.frame[end] + share * (path.frame[end] - path.frame[inner])),
        float(path.position_mm[end] + share * (path.position_mm[end] - path.position_mm[inner])),
        origin,
        axes,
        f"{abs(height_mm):.1f} mm beyond the placed frames: the path was continued straight",
    )


def _wrapped(angle_rad: float) -> float:
    return float(np.pi - (np.pi - angle_rad) % (2.0 * np.pi))
