"""Take a side branch out of both lumens, so that it cannot help to place itself.

Both walls are unrolled: radius by place along the vessel and by angle. A mouth is where radii bulge
over what the wall has before and after it at the same angle. There the wall is closed: contours run
along it, and in the CCTA what lies beyond it is no longer lumen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_dilation, label, median_filter
from scipy.spatial import cKDTree

from coreg.contours import centroid_mm, radial_profiles
from coreg.landmarks import Landmark
from coreg.pullback import Pullback
from coreg.registration.guides import Guide
from coreg.registration.observations import Observations
from coreg.registration.path_model import VesselTensors
from coreg.registration.scene import Scene, observed
from coreg.registration.vessel import ANGLES, Vessel
from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

STEP_MM = 0.25
# The wall is looked for over this length; a mouth is at most about half as long.
WALL_MM = 9.0
MOUTH_MM = 3.5
MOUTH_RAD = np.radians(80.0)
BULGE_MM = 0.15
NEAR_MM = 1.5
MARGIN_MM = 0.3
# Where nothing bulges.
USUAL_MOUTH_MM = 1.0
# Beyond this from the axis the CCTA's distance is left as it is.
REACH_MM = 6.0
ROUNDS = 4


@dataclass(frozen=True, eq=False)
class Wall:
    """A wall, unrolled.

    Attributes
    ----------
    first_mm : float
        Place of the first row; rows follow each other by `STEP_MM`.
    radius_mm : (N, ANGLES) array
        With the mouth closed.
    mouth : (N, ANGLES) bool array
        Where it was closed.
    """

    first_mm: float
    radius_mm: FloatArray
    mouth: BoolArray

    def rows(self, place_mm: FloatArray) -> npt.NDArray[np.int64]:
        """Nearest rows of places; -1 beyond both ends."""
        row = np.rint((place_mm - self.first_mm) / STEP_MM).astype(np.int64)
        return np.where((row >= 0) & (row < len(self.radius_mm)), row, -1)


def without_branch(scene: Scene, landmark: Landmark, guide: Guide) -> Scene:
    """Return a scene whose lumens do not show a branch.

    Parameters
    ----------
    scene : Scene
        As prepared.
    landmark : Landmark
        The centre of the branch's mouth in both modalities.
    guide : Guide
        The same in the terms of the pullback.
    """
    pullback = _closed_pullback(scene.case.pullback, scene.seen, guide)
    vessel = _closed_vessel(scene.vessel, np.asarray(landmark.world_mm))
    return replace(
        scene,
        case=replace(scene.case, pullback=pullback),
        vessel=vessel,
        tensors=VesselTensors.on(vessel, scene.device),
        seen=observed(pullback, scene.settings),
    )


def closed_wall(
    place_mm: FloatArray, profile_mm: FloatArray, *, at_mm: float, angle_rad: float | None
) -> Wall:
    """Close a mouth in a wall.

    Parameters
    ----------
    place_mm : (N,) array
        Places of sections along the vessel, rising.
    profile_mm : (N, ANGLES) array
        Radii by angle about the sections' middles.
    at_mm : float
        Place of the mouth's centre.
    angle_rad : float or None
        Its direction; None for that of the largest bulge there.

    Returns
    -------
    Wall
        Of some millimetres around the mouth.
    """
    half = 0.5 * WALL_MM + MOUTH_MM
    first, last = max(place_mm[0], at_mm - half), min(place_mm[-1], at_mm + half)
    places = np.arange(first, max(last, first) + 1e-9, STEP_MM)
    radius = np.stack([np.interp(places, place_mm, each) for each in profile_mm.T], axis=1)
    wall = median_filter(radius, size=(2 * round(0.5 * WALL_MM / STEP_MM) + 1, 1), mode="nearest")
    bulge = radius - wall
    along = np.abs(places - at_mm)
    if angle_rad is None:
        near = np.where(along[:, None] <= NEAR_MM, bulge, -np.inf)
        angle_rad = 2.0 * np.pi * int(near.max(axis=0).argmax()) / ANGLES
    turn = np.angle(np.exp(1j * (2.0 * np.pi * np.arange(ANGLES) / ANGLES - angle_rad)))
    around = np.abs(turn) * np.median(wall)
    away = np.hypot(along[:, None], around[None, :])
    room = (along[:, None] <= MOUTH_MM) & (np.abs(turn)[None, :] <= MOUTH_RAD)
    mouth = _grown((bulge > BULGE_MM) & room, away, int(np.abs(turn).argmin()))
    mouth &= room
    return Wall(float(first), np.where(mouth, np.minimum(radius, wall), radius), mouth)


def _grown(bulging: BoolArray, away_mm: FloatArray, middle: int) -> BoolArray:
    """Patches of a bulge that come near a mouth's centre, with a margin; a disc where there are none."""
    # Rolled, so that no patch is cut where angles begin.
    shift = ANGLES // 2 - middle
    patches, _ = label(np.roll(bulging, shift, axis=1))
    patches = np.roll(patches, -shift, axis=1)
    touching = np.unique(patches[(away_mm <= NEAR_MM) & (patches > 0)])
    if not len(touching):
        return away_mm <= USUAL_MOUTH_MM
    mouth = np.roll(np.isin(patches, touching), shift, axis=1)
    return np.roll(binary_dilation(mouth, iterations=max(1, round(MARGIN_MM / STEP_MM))), -shift, axis=1)


@dataclass(frozen=True, eq=False)
class _Sections:
    """Sections along a vessel with a mouth closed.

    Attributes
    ----------
    centre_mm : (N, 2) array
        Their middles.
    radius_mm : (N, ANGLES) array
        By angle about the middle.
    mouth : (N, ANGLES) bool array
        Where they were closed.
    """

    centre_mm: FloatArray
    radius_mm: FloatArray
    mouth: BoolArray


def _closed_sections(
    place_mm: FloatArray,
    contours: Sequence[FloatArray],
    centre_mm: FloatArray,
    *,
    at_mm: float,
    toward_mm: FloatArray | None,
) -> _Sections:
    """Close a mouth in contours (N of (K, 2)); their middles are drawn towards it at first, then less."""
    centre = centre_mm.copy()
    for _ in range(ROUNDS):
        profile = radial_profiles(contours, centre, ANGLES)
        middle = np.array([np.interp(at_mm, place_mm, each) for each in centre.T])
        angle = None if toward_mm is None else float(np.arctan2(*(toward_mm - middle)[::-1]))
        wall = closed_wall(place_mm, profile, at_mm=at_mm, angle_rad=angle)
        rows = wall.rows(place_mm)
        mouth = wall.mouth[rows] & (rows >= 0)[:, None]
        radius = np.where(mouth, np.minimum(profile, wall.radius_mm[rows]), profile)
        found = _Sections(centre.copy(), radius, mouth)
        for k in np.flatnonzero(mouth.any(axis=1)):
            centre[k] = centroid_mm(_contour(radius[k], centre[k]))
    return found


def _closed_pullback(pullback: Pullback, seen: Observations, guide: Guide) -> Pullback:
    near = np.flatnonzero(np.abs(seen.depth_mm - guide.depth_mm) <= WALL_MM + MOUTH_MM)
    if len(near) < 2:
        return pullback
    flip = np.array([1.0, -1.0]) if pullback.view == "looking-proximal" else np.ones(2)
    frames = pullback.frame[seen.row[near]].tolist()
    toward = guide.wall_mm * np.array([np.cos(guide.angle_rad), np.sin(guide.angle_rad)])
    sections = _closed_sections(
        seen.depth_mm[near],
        [pullback.lumen[frame] * flip for frame in frames],
        seen.centre_mm[near],
        at_mm=guide.depth_mm,
        toward_mm=toward if np.isfinite(guide.angle_rad) else None,
    )
    lumen = dict(pullback.lumen)
    for k in np.flatnonzero(sections.mouth.any(axis=1)):
        lumen[frames[k]] = _contour(sections.radius_mm[k], sections.centre_mm[k]) * flip
    return replace(pullback, lumen=lumen)


def _contour(radius_mm: FloatArray, centre_mm: FloatArray) -> FloatArray:
    angles = 2.0 * np.pi * np.arange(ANGLES) / ANGLES
    return centre_mm + radius_mm[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])


def _closed_vessel(vessel: Vessel, world_mm: FloatArray) -> Vessel:
    s = vessel.arc_length_mm
    at = int(np.linalg.norm(vessel.points_mm - world_mm, axis=1).argmin())
    near = np.flatnonzero(vessel.valid & (np.abs(s - s[at]) <= WALL_MM + MOUTH_MM))
    if len(near) < 2:
        return vessel
    centre = vessel.centre_mm[near]
    sections = _closed_sections(
        s[near],
        [_contour(*each) for each in zip(vessel.profile_mm[near], centre, strict=True)],
        centre,
        at_mm=float(s[at]),
        toward_mm=_in_section(vessel, np.array([at]), world_mm[None])[0],
    )
    shut = sections.mouth.any(axis=1)
    profile, middle = vessel.profile_mm.copy(), vessel.centre_mm.copy()
    profile[near[shut]], middle[near[shut]] = sections.radius_mm[shut], sections.centre_mm[shut]
    distance = _closed_distance(vessel, near, sections)
    return replace(vessel, profile_mm=profile, centre_mm=middle, distance=distance)


def _closed_distance(vessel: Vessel, stations: npt.NDArray[np.int64], sections: _Sections) -> Volume:
    """Put what lies beyond the closed wall, in the directions of the mouth, outside the lumen."""
    box, world = _voxels_near(vessel.distance, vessel.points_mm[stations], reach_mm=REACH_MM)
    section_of = np.full(len(vessel.points_mm), -1)
    section_of[stations] = np.arange(len(stations))
    distance, nearest = cKDTree(vessel.points_mm).query(world, distance_upper_bound=REACH_MM)
    voxel = np.flatnonzero(np.isfinite(distance))
    voxel = voxel[section_of[nearest[voxel]] >= 0]
    section = section_of[nearest[voxel]]
    off = _in_section(vessel, nearest[voxel], world[voxel]) - sections.centre_mm[section]
    turn = np.rint(np.arctan2(off[:, 1], off[:, 0]) * ANGLES / (2.0 * np.pi)).astype(np.int64) % ANGLES
    beyond = np.linalg.norm(off, axis=1) - sections.radius_mm[section, turn]
    values = np.array(vessel.distance.values)
    part = values[box].reshape(-1)
    in_mouth = sections.mouth[section, turn]
    part[voxel[in_mouth]] = np.maximum(part[voxel[in_mouth]], beyond[in_mouth])
    values[box] = part.reshape(values[box].shape)
    return Volume(values, vessel.distance.index_to_world)


def _voxels_near(
    volume: Volume, points_mm: FloatArray, *, reach_mm: float
) -> tuple[tuple[slice, ...], FloatArray]:
    """Box of a volume around points, and the world coordinates (V, 3) of its voxels."""
    corners = np.concatenate([points_mm - reach_mm, points_mm + reach_mm])
    index = volume.to_index(corners)
    low = np.clip(np.floor(index.min(axis=0)).astype(int), 0, volume.values.shape)
    high = np.clip(np.ceil(index.max(axis=0)).astype(int) + 1, 0, volume.values.shape)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    grid = np.stack(
        np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high, strict=True)), indexing="ij"), -1
    )
    return box, volume.to_world(grid.reshape(-1, 3).astype(np.float64))


def _in_section(vessel: Vessel, station: npt.NDArray[np.int64], world_mm: FloatArray) -> FloatArray:
    """Points (V, 3) along normal and binormal of a station each, from the axis, (V, 2)."""
    off = world_mm - vessel.points_mm[station]
    return np.einsum("vi,vij->vj", off, vessel.frames[station][..., :2])
