"""The pullback's side of a registration: lumen points per frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.ndimage import median_filter

from coreg.contours import centroid_mm, radial_profiles, resampled_contour
from coreg.pullback import Pullback
from coreg.registration.vessel import ANGLES, capped_profile

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

EDGE_MM = 0.05


@dataclass(frozen=True, eq=False)
class Observations:
    """What the frames with a say have seen.

    In-plane coordinates are those of a viewer who looks distally: for images that look
    proximally, y is negated.

    Attributes
    ----------
    row : (M,) int array
        Row of the pullback's arrays.
    depth_mm : (M,) array
        Distance from the most proximal frame of all, grows distally.
    length_mm : float
        Depth of the most distal frame of all.
    points_mm : (M, K, 2) array
        Lumen points at equal steps along the contour, mm from the catheter.
    seen : (M, K) array
        1 where a point is on the wall, 0 where the lumen left the field of view: the wall is there or
        farther out.
    centre_mm : (M, 2) array
        Middle of the lumen without its side branches, smooth along the pullback.
    profile_mm : (M, ANGLES) array
        Lumen radius by angle about the frame's own centre.
    patches : (M,) array
        Area of the wall that a frame stands for, over the area that errs as one, times the frame's
        quality.
    """

    row: IntArray
    depth_mm: FloatArray
    length_mm: float
    points_mm: FloatArray
    seen: FloatArray
    centre_mm: FloatArray
    profile_mm: FloatArray
    patches: FloatArray

    @property
    def radius_mm(self) -> FloatArray:
        """Median radius of each frame, shape (M,), in mm."""
        return np.median(self.profile_mm, axis=1)

    def mirrored(self) -> Observations:
        """What would have been seen from the other side: y negated."""
        flip = np.array([1.0, -1.0])
        angle = -np.arange(ANGLES) % ANGLES
        return replace(
            self,
            points_mm=self.points_mm * flip,
            centre_mm=self.centre_mm * flip,
            profile_mm=self.profile_mm[:, angle],
        )


def observe(pullback: Pullback, *, points: int, correlation_mm2: float) -> Observations:
    """Gather the contours of the frames that may drive a registration.

    Parameters
    ----------
    pullback : Pullback
        Frames with a contour that are not excluded and have any quality are taken.
    points : int
        Points along each contour.
    correlation_mm2 : float
        Area of wall over which errors are one and the same.
    """
    has_say = [int(f) in pullback.lumen and int(f) not in pullback.excluded for f in pullback.frame]
    quality = np.array([pullback.quality.get(int(f), 1.0) for f in pullback.frame])
    row = np.flatnonzero(has_say & (quality > 0.0))
    contours = [pullback.lumen[int(pullback.frame[i])] for i in row]
    if pullback.view == "looking-proximal":
        contours = [(c * np.array([1.0, -1.0]))[::-1] for c in contours]
    centres = _middles(contours)
    profile = radial_profiles(contours, centres, ANGLES)
    depth = pullback.position_mm.max() - pullback.position_mm[row]
    sampled = np.array([resampled_contour(c, points) for c in contours]).reshape(-1, points, 2)
    around = 2.0 * np.pi * np.median(profile, axis=1) if len(row) else np.empty(0)
    seen = (np.linalg.norm(sampled, axis=2) < field_of_view_mm(pullback) - EDGE_MM).astype(np.float64)
    return Observations(
        row,
        depth,
        float(np.ptp(pullback.position_mm)),
        sampled,
        seen,
        _smooth(depth, centres),
        profile,
        quality[row] * around * _share_mm(depth) / correlation_mm2,
    )


def field_of_view_mm(pullback: Pullback) -> float:
    """Distance from the catheter beyond which contours only follow the edge of the image.

    Where the pullback does not say, it is read off the contours: an edge shows as many frames whose
    farthest points all lie at one and the same distance.
    """
    if pullback.field_of_view_mm is not None:
        return pullback.field_of_view_mm
    farthest = np.array([np.linalg.norm(c, axis=1).max() for c in pullback.lumen.values()])
    at_edge = farthest > farthest.max(initial=0.0) - EDGE_MM
    return float(farthest.max()) if at_edge.sum() >= max(5, 0.05 * len(farthest)) else np.inf


def _middles(contours: Sequence[FloatArray]) -> FloatArray:
    """Centroids (M, 2) of contours whose side branches are cut off."""
    centres = np.array([centroid_mm(c) for c in contours]).reshape(-1, 2)
    angles = 2.0 * np.pi * np.arange(ANGLES) / ANGLES
    rays = np.column_stack([np.cos(angles), np.sin(angles)])
    inside = np.ones(len(centres), dtype=bool)
    for _ in range(4):
        profile = radial_profiles(contours, centres, ANGLES)
        inside &= (profile > 0.0).all(axis=1)
        outline = capped_profile(profile[inside])[..., None] * rays
        centres[inside] += np.array([centroid_mm(each) for each in outline]).reshape(-1, 2)
    return centres


def _smooth(depth: FloatArray, values: FloatArray, *, sigma_mm: float = 0.5) -> FloatArray:
    """Median, then Gaussian average (M, 2) of values along the pullback."""
    if len(depth) < 5:
        return values
    steady = np.stack([median_filter(v, size=5, mode="nearest") for v in values.T], axis=1)
    sigma = max(sigma_mm, 0.25 * float(np.median(np.diff(depth))))
    weights = np.exp(-0.5 * ((depth[:, None] - depth[None, :]) / sigma) ** 2)
    return weights @ steady / weights.sum(axis=1, keepdims=True)


def _share_mm(depth: FloatArray) -> FloatArray:
    """Length of pullback that each frame stands for; a gap counts for no more than 1 mm."""
    if len(depth) < 2:
        return np.full(len(depth), 1.0)
    gaps = np.minimum(np.diff(depth), 1.0)
    return 0.5 * (np.concatenate([[gaps[0]], gaps]) + np.concatenate([gaps, [gaps[-1]]]))
