"""Closed contours in the plane of a pullback image.

Points are (x, y) in mm from the catheter's centre, x along image columns to the right, y along
image rows downwards. Winding is normalised to growing ``angle`` (from +x towards +y).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline

FloatArray = npt.NDArray[np.float64]

EPSILON = 1e-9


def signed_area_mm2(contour: FloatArray) -> float:
    """Area inside a closed polygon (M, 2), positive where it winds from +x towards +y."""
    x, y = contour.T
    return 0.5 * float(x @ np.roll(y, -1) - y @ np.roll(x, -1))


def normalised_contour(contour: FloatArray) -> FloatArray:
    """Wind a contour (M, 2) from +x towards +y and drop repeated points.

    Raises
    ------
    ValueError
        If fewer than three distinct points are left, one is not finite, or the area is zero.
    """
    points = np.array(contour, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2:
        msg = f"a contour must have shape (M, 2), got {points.shape}"
        raise ValueError(msg)
    if not np.isfinite(points).all():
        bad = int(np.flatnonzero(~np.isfinite(points).all(axis=1))[0])
        msg = f"contour point {bad} is not finite: {points[bad]}"
        raise ValueError(msg)
    distinct = np.linalg.norm(points - np.roll(points, 1, axis=0), axis=1) > 1e-9
    points = points[distinct]
    if len(points) < 3:
        msg = f"a contour needs three distinct points, got {len(points)}"
        raise ValueError(msg)
    area_mm2 = signed_area_mm2(points)
    if abs(area_mm2) < 1e-9:
        msg = f"a contour must enclose an area, got {area_mm2} mm2 from {len(points)} points"
        raise ValueError(msg)
    points = points if area_mm2 > 0.0 else points[::-1].copy()
    points.flags.writeable = False
    return points


def spline_outline(knots: FloatArray, count: int) -> FloatArray:
    """Join knots (M, 2) by a closed cubic spline and take ``count`` points of it, shape (count, 2).

    The spline's parameter is the distance along the knots' polygon, as in the tools that let a person
    set knots. The first knot may come again as the last. Three knots or more are needed.

    Raises
    ------
    ValueError
        If fewer than three distinct knots are left, one is not finite, or the area is zero.

    Examples
    --------
    >>> square = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> round(area_mm2(spline_outline(square, 400)), 2)
    3.05
    """
    distinct = normalised_contour(knots)
    closed = np.vstack([distinct, distinct[:1]])
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    spline = CubicSpline(along, closed, bc_type="periodic")
    return normalised_contour(spline(np.arange(count) * (along[-1] / count)))


def area_mm2(contour: FloatArray) -> float:
    """Area inside a closed polygon (M, 2), in mm2."""
    return abs(signed_area_mm2(contour))


def centroid_mm(contour: FloatArray) -> FloatArray:
    """Centre of the area inside a closed polygon (M, 2), shape (2,), in mm."""
    following = np.roll(contour, -1, axis=0)
    cross = contour[:, 0] * following[:, 1] - contour[:, 1] * following[:, 0]
    return (contour + following).T @ cross / (3.0 * cross.sum())


def resampled_contour(contour: FloatArray, count: int) -> FloatArray:
    """Place ``count`` points at equal steps along a closed polygon (M, 2), shape (count, 2).

    The first point is the one at the smallest angle about the centroid, so that the result does
    not depend on where the input starts.
    """
    centre = centroid_mm(contour)
    angles = np.arctan2(*(contour - centre).T[::-1])
    rolled = np.roll(contour, -int(np.argmin(np.abs(angles))), axis=0)
    closed = np.vstack([rolled, rolled[:1]])
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    wanted = np.arange(count) * (along[-1] / count)
    return np.column_stack([np.interp(wanted, along, closed[:, axis]) for axis in (0, 1)])


def radial_profile(contour: FloatArray, centre: FloatArray, count: int) -> FloatArray:
    """Distance from a centre to the farthest crossing of each of ``count`` rays, shape (count,), in mm.

    Ray ``k`` points at ``2 pi k / count`` from +x towards +y. The centre must lie inside the
    polygon (M, 2); a ray that meets no edge, which happens only for a centre outside, gives 0.
    """
    return radial_profiles([contour], centre[None], count)[0]


def radial_profiles(contours: Sequence[FloatArray], centres: FloatArray, count: int) -> FloatArray:
    """Radial profiles (N, count) of N contours about their centres (N, 2), see `radial_profile`.

    Each edge is met only with the rays between its ends.
    """
    sizes = np.array([len(each) for each in contours], dtype=np.int64)
    profile = np.zeros((len(contours), count))
    if not len(contours):
        return profile
    of = np.repeat(np.arange(len(contours)), sizes)
    start = np.concatenate(contours) - centres[of]
    following = np.arange(1, len(start) + 1)
    following[np.cumsum(sizes) - 1] = np.cumsum(sizes) - sizes
    edge = start[following] - start
    angle = np.arctan2(start[:, 1], start[:, 0])
    sweep = angle[following] - angle
    sweep -= 2.0 * np.pi * np.rint(sweep / (2.0 * np.pi))
    step = 2.0 * np.pi / count
    low = np.minimum(angle, angle + sweep) / step
    first = np.ceil(low - EPSILON).astype(np.int64)
    rays = np.floor(low + np.abs(sweep) / step + EPSILON).astype(np.int64) - first + 1
    which = np.repeat(np.arange(len(start)), rays)
    ray = first[which] + np.arange(len(which)) - np.repeat(np.cumsum(rays) - rays, rays)
    x, y = np.cos(step * ray), np.sin(step * ray)
    # Solve start + t edge = r direction.
    det = x * edge[which, 1] - y * edge[which, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        r = (start[which, 0] * edge[which, 1] - start[which, 1] * edge[which, 0]) / det
    np.maximum.at(profile, (of[which], ray % count), np.where(np.isfinite(r), r, 0.0))
    return profile
