"""Take a side branch out of both lumens, so that it cannot help to place itself.

Both walls are unrolled: radius by place along the vessel and by angle. A mouth is where radii bulge
over what the wall has before and after it at the same angle. There the wall is closed: contours run
along it, and in the CCTA what lies beyond it is no longer lumen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_dilation, label, median_filter
from scipy.spatial import cKDTree

from coreg.contours import radial_profiles
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


def _closed_pullback(pullback: Pullback, seen: Observations, guide: Guide) -> Pullback:
    near = np.flatnonzero(np.abs(seen.depth_mm - guide.depth_mm) <= WALL_MM + MOUTH_MM)
    if len(near) < 2:
        return pullback
    flip = np.array([1.0, -1.0]) if pullback.view == "looking-proximal" else np.ones(2)
    frames = pullback.frame[seen.row[near]].tolist()
    centres = seen.centre_mm[near]
    profile = radial_profiles([pullback.lumen[frame] * flip for frame in frames], centres, ANGLES)
    angle = _about(guide)
    wall = closed_wall(seen.depth_mm[near], profile, at_mm=guide.depth_mm, angle_rad=angle)
    lumen = dict(pullback.lumen)
    for i, row in enumerate(wall.rows(seen.depth_mm[near])):
        if row >= 0 and wall.mouth[row].any():
            radius = np.where(wall.mouth[row], np.minimum(profile[i], wall.radius_mm[row]), profile[i])
            lumen[frames[i]] = _contour(radius, centres[i]) * flip
    return replace(pullback, lumen=lumen)


def _about(guide: Guide) -> float | None:
    """Direction of a guide about the lumen's middle instead of the catheter."""
    if not np.isfinite(guide.angle_rad):
        return None
    x, y = guide.wall_mm * np.array([np.cos(guide.angle_rad), np.sin(guide.angle_rad)]) - guide.centre_mm
    return float(np.arctan2(y, x))


def _contour(radius_mm: FloatArray, centre_mm: FloatArray) -> FloatArray:
    angles = 2.0 * np.pi * np.arange(ANGLES) / ANGLES
    return centre_mm + radius_mm[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])


def _closed_vessel(vessel: Vessel, world_mm: FloatArray) -> Vessel:
    s = vessel.arc_length_mm
    near = int(np.linalg.norm(vessel.points_mm - world_mm, axis=1).argmin())
    x, y = _in_section(vessel, np.array([near]), world_mm[None])[0]
    valid = np.flatnonzero(vessel.valid)
    wall = closed_wall(
        s[valid], vessel.profile_mm[valid], at_mm=float(s[near]), angle_rad=float(np.arctan2(y, x))
    )
    if not wall.mouth.any():
        return vessel
    profile = vessel.profile_mm.copy()
    rows = wall.rows(s)
    shut = (rows >= 0) & vessel.valid
    profile[shut] = np.where(wall.mouth[rows[shut]], wall.radius_mm[rows[shut]], profile[shut])
    return replace(vessel, profile_mm=profile, distance=_closed_distance(vessel, wall))


def _closed_distance(vessel: Vessel, wall: Wall) -> Volume:
    """Put what lies beyond the closed wall, in the directions of the mouth, outside the lumen."""
    values = np.array(vessel.distance.values)
    rows = wall.rows(vessel.arc_length_mm)
    stations = np.flatnonzero((rows >= 0) & wall.mouth[rows].any(axis=1))
    box, world = _voxels_near(vessel.distance, vessel.points_mm[stations], reach_mm=6.0)
    distance, nearest = cKDTree(vessel.points_mm).query(world, distance_upper_bound=6.0)
    inside = np.isfinite(distance)
    inside[inside] &= np.isin(nearest[inside], stations)
    station = nearest[inside]
    x, y = _in_section(vessel, station, world[inside]).T
    place = np.rint(np.arctan2(y, x) * ANGLES / (2.0 * np.pi)).astype(np.int64) % ANGLES
    in_mouth = wall.mouth[rows[station], place]
    beyond = np.hypot(x, y) - wall.radius_mm[rows[station], place]
    part = values[box].reshape(-1)
    at = np.flatnonzero(inside)[in_mouth]
    part[at] = np.maximum(part[at], beyond[in_mouth])
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
    """Points (V, 3) along normal and binormal of a station each, from its section's middle, (V, 2)."""
    off = world_mm - vessel.points_mm[station]
    return np.einsum("vi,vij->vj", off, vessel.frames[station][..., :2]) - vessel.centre_mm[station]
