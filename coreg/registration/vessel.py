"""The CCTA's side of a registration: the vessel's lumen along its centerline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_opening, map_coordinates

from coreg.centerline import Centerline
from coreg.errors import InputError
from coreg.signed_distance import cropped_volume, label_surface, signed_distance
from coreg.surface import Surface
from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]

STEP_MM = 0.25
ANGLES = 72
REACH_MM = 4.5
STRETCH_MM = 3.0


@dataclass(frozen=True, eq=False)
class Vessel:
    """Lumen and moving frame along a vessel.

    Attributes
    ----------
    arc_length_mm : (S,) array
        Stations at equal steps.
    points_mm : (S, 3) array
        The axis at the stations, world mm: a smooth line through the lumen's middle.
    frames : (S, 3, 3) array
        Rotation-minimizing frames; columns are normal, binormal and tangent.
    distance : Volume
        Signed distance to the lumen's surface, mm.
    profile_mm : (S, ANGLES) array
        Lumen radius about the section's centre, by angle from the normal towards the binormal.
    centre_mm : (S, 2) array
        The section's centre along normal and binormal, from the axis.
    valid : (S,) bool array
        Where the section is that of a vessel: not of the aorta, not beyond the label.
    """

    arc_length_mm: FloatArray
    points_mm: FloatArray
    frames: FloatArray
    distance: Volume
    profile_mm: FloatArray
    centre_mm: FloatArray
    valid: npt.NDArray[np.bool_]


def lumen_surface(lumen: Volume | Surface, centerline: Centerline) -> Surface:
    """Return the lumen's surface near a centerline, from a label or a surface."""
    if isinstance(lumen, Surface):
        return lumen
    try:
        return label_surface(cropped_volume(lumen, centerline.points_mm, margin_mm=REACH_MM + 3.0))
    except ValueError as error:
        msg = f"ccta.lumen: no lumen near ccta.centerline ({error}); are both of one patient and in LPS?"
        raise InputError(msg) from error


def prepare_vessel(lumen: Volume | Surface, centerline: Centerline) -> Vessel:
    """Measure the lumen along a centerline.

    Parameters
    ----------
    lumen : Volume or Surface
        Label image or closed surface, world mm.
    centerline : Centerline
        Of the vessel to register; its arc length is kept.
    """
    distance = signed_distance(lumen_surface(lumen, centerline), _dense(centerline), reach_mm=REACH_MM)
    axis = _recentred(centerline, distance)
    s = _stations(axis)
    points, frames = axis.points_at(s), axis.frames_at(s)
    profile, centre = _sections(distance, points, frames)
    valid = _vessel_like(profile, step_mm=STEP_MM)
    return Vessel(s, points, frames, distance, profile, centre, valid)


def _stations(axis: Centerline) -> FloatArray:
    """Arc lengths (S,) at equal steps along an axis, whatever the steps of its own points."""
    first, last = float(axis.arc_length_mm[0]), float(axis.arc_length_mm[-1])
    return np.linspace(first, last, max(2, round((last - first) / STEP_MM) + 1))


def sample(volume: Volume, world_mm: FloatArray) -> FloatArray:
    """Interpolate a volume linearly at world points (..., 3)."""
    index = np.moveaxis(volume.to_index(world_mm), -1, 0)
    return map_coordinates(volume.values, index, order=1, mode="nearest", output=np.float64)


def _dense(centerline: Centerline) -> FloatArray:
    return centerline.resampled(spacing_mm=0.5).points_mm


def _recentred(centerline: Centerline, distance: Volume) -> Centerline:
    """Move a centerline to the middle of the lumen where it has one, and smooth it.

    Tools differ in how well their lines are centred; the moving frame of a smooth axis is steady.
    """
    line = centerline.resampled(spacing_mm=0.5, smoothing=1.0)
    s = np.arange(line.arc_length_mm[0], line.arc_length_mm[-1], 0.5)
    frames = line.frames_at(s)
    points = line.points_at(s)
    profile, centre = _sections(distance, points, frames)
    centre[~_vessel_like(profile, step_mm=0.5)] = 0.0
    centre = np.clip(centre, -1.0, 1.0)
    moved = points + np.einsum("sij,sj->si", frames[..., :2], centre)
    smooth = Centerline(moved).resampled(spacing_mm=STEP_MM, smoothing=4.0)
    # Keep counting arc length from the point nearest to the given ostium.
    ostium = centerline.points_at(np.array(0.0))
    start = float(smooth.nearest_arc_length(ostium))
    if centerline.arc_length_mm[0] < 0.0 or start > 0.0:
        return Centerline(smooth.points_mm, None, start)
    return smooth


def _sections(distance: Volume, points: FloatArray, frames: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Radial profiles (S, ANGLES) about the sections' centres, and the centres (S, 2)."""
    centre = np.zeros((len(points), 2))
    profile = _rays(distance, points, frames, centre)
    for _ in range(2):
        centre = centre + _middle(profile)
        profile = _rays(distance, points, frames, centre)
    return profile, centre


def _middle(profile: FloatArray) -> FloatArray:
    """Centroid (S, 2) of sections given by radii, side branches capped."""
    angles = 2.0 * np.pi * np.arange(ANGLES) / ANGLES
    capped = capped_profile(profile)
    cubes, squares = capped**3, capped**2
    total = np.maximum(squares.sum(axis=1), 1e-9)
    return (2.0 / 3.0) * np.stack([cubes @ np.cos(angles), cubes @ np.sin(angles)], axis=1) / total[:, None]


def capped_profile(profile: FloatArray, *, ratio: float = 1.4) -> FloatArray:
    """Cut radii (..., angles) at a multiple of their median: a side branch is one spike, however deep."""
    return np.minimum(profile, ratio * np.median(profile, axis=-1, keepdims=True))


def _rays(distance: Volume, points: FloatArray, frames: FloatArray, centre: FloatArray) -> FloatArray:
    """Radius of the first crossing of each ray, by sphere tracing; 0 where the centre is outside."""
    angles = 2.0 * np.pi * np.arange(ANGLES) / ANGLES
    rays = np.stack([np.cos(angles), np.sin(angles)])
    directions = np.einsum("sij,jk->ski", frames[..., :2], rays)
    start = points + np.einsum("sij,sj->si", frames[..., :2], centre)
    radius = np.zeros((len(points), ANGLES))
    for _ in range(24):
        step = -sample(distance, start[:, None] + radius[..., None] * directions)
        radius = np.clip(radius + step, 0.0, REACH_MM)
        if np.abs(step[(radius > 0.0) & (radius < REACH_MM)]).max(initial=0.0) < 0.01:
            break
    return radius


def _vessel_like(profile: FloatArray, *, step_mm: float) -> npt.NDArray[np.bool_]:
    """Which sections are those of a coronary artery, rather than of the aorta or of nothing.

    Single sections of the aorta may pass; a stretch of vessel is longer.
    """
    median = np.median(profile, axis=1)
    open_share = (profile >= REACH_MM - 1e-6).mean(axis=1)
    typical = np.median(median[(median > 0.3) & (open_share < 0.3)]) if (median > 0.3).any() else 1.0
    alike = (median > 0.3) & (median < max(2.5 * typical, 2.0)) & (open_share < 0.3)
    return np.asarray(binary_opening(alike, np.ones(round(STRETCH_MM / step_mm), dtype=bool)))
