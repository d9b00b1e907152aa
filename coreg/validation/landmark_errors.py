"""Errors of a registration at landmarks that both modalities show.

As in Kadry et al. (arXiv 2301.00060): the frame whose plane passes through the landmark picked in
the CCTA is compared with the frame in which it was annotated, and its direction from the catheter
there with the annotated angle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coreg.catheter_path import VirtualCatheterPath
from coreg.landmarks import Landmark

FloatArray = npt.NDArray[np.float64]
REACH_MM = 8.0


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


def _error(path: VirtualCatheterPath, landmark: Landmark) -> LandmarkError:
    assert landmark.frame is not None  # noqa: S101 - `paired` says so
    assert landmark.world_mm is not None  # noqa: S101
    expected = float(path.rows_of(np.array([landmark.frame]))[0])
    found, reason = _row_through(path, landmark.world_mm)
    if not reason and not np.isfinite(path.poses_at(np.array([expected]))[0]).all():
        reason = f"frame {landmark.frame:g} has no pose"
    origin, axes = path.poses_at(np.array([found]))
    x, y = ((landmark.world_mm - origin[0]) @ axes[0])[:2]
    frames = path.frame_at(np.array([expected, found]))
    positions = path.position_at(np.array([expected, found]))
    distance_mm = float(np.hypot(x, y)) if landmark.radius_mm is None else landmark.radius_mm
    turn, error_3d_mm = float("nan"), float("nan")
    if landmark.angle_rad is not None:
        turn = _wrapped(float(np.arctan2(y, x)) - landmark.angle_rad)
        ray = distance_mm * np.array([[np.cos(landmark.angle_rad), np.sin(landmark.angle_rad)]])
        carried = path.to_world(np.array([expected]), ray)[0]
        error_3d_mm = float(np.linalg.norm(carried - landmark.world_mm))
    return LandmarkError(
        landmark.id,
        landmark.kind,
        landmark.frame,
        float(frames[1]),
        float(frames[1] - landmark.frame),
        float(positions[1] - positions[0]),
        float(np.degrees(turn)),
        turn * distance_mm,
        error_3d_mm,
        reason,
    )


def _row_through(path: VirtualCatheterPath, point_mm: FloatArray) -> tuple[float, str]:
    """Fractional row whose plane passes through a point: the middle one of repeated passes."""
    crossings = path.crossings(point_mm)
    origin, axes = path.poses_at(crossings)
    local = np.einsum("mij,mi->mj", axes, point_mm - origin)
    distance = np.linalg.norm(local[:, :2], axis=1)
    if not len(crossings) or distance.min() > REACH_MM:
        return float("nan"), f"no frame's plane passes within {REACH_MM:g} mm of it"
    # Passes of the same place by a catheter that runs to and fro are near each other; a bent
    # vessel's other limb is not.
    passes = crossings[distance <= distance.min() + 1.0]
    return float(np.median(passes)), ""


def _wrapped(angle_rad: float) -> float:
    return float(np.pi - (np.pi - angle_rad) % (2.0 * np.pi))
