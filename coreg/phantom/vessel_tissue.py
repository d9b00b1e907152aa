"""The artery and its vein as a CCTA shows them: blood, wall, plaque and stent at points, in HU."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from coreg.phantom.lumen import Branch, Lumen, blended
from coreg.phantom.plaque import VesselWall
from coreg.phantom.stent import Stent
from coreg.phantom.tissue import FAT_HU, branch_wall_mm
from coreg.phantom.vein import Vein
from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

WALL_HU = 70.0
SUBSAMPLES = 2
SUBSAMPLE_EDGE_MM = 0.25
BACKGROUND, LUMEN, WALL, SOFT_PLAQUE, CALCIFIED_PLAQUE, STENT = range(6)


@dataclass(frozen=True, eq=False)
class Vessel:
    """An artery as a CCTA shows it.

    Attributes
    ----------
    lumen : Lumen
        Main vessel and branches.
    wall : VesselWall
        Of the main vessel, with plaque.
    contrast_hu : (S,) array
        Of the blood, over the arc lengths of the lumen's table.
    stent : Stent or None
        In the main vessel.
    """

    lumen: Lumen
    wall: VesselWall
    contrast_hu: FloatArray
    stent: Stent | None

    def outer_level(self, world_mm: FloatArray) -> FloatArray:
        """Level (M,) of the outer wall."""
        return _levels(self, world_mm).outer


def vessel_voxels(grid: Volume, vessel: Vessel) -> IntArray:
    """Indices (M, 3) of the voxels that the artery touches."""
    lumen, wall = vessel.lumen, vessel.wall
    s = lumen.axis.arc_length_mm
    main = np.flatnonzero((s >= 0.0) & (s <= lumen.length_mm))
    rows = np.clip(np.rint(s[main] / lumen.radius_step_mm).astype(int), 0, len(wall.outer_mm) - 1)
    points, reach = [lumen.axis.points_mm[main]], [wall.outer_mm[rows].max(axis=1)]
    for each in lumen.branches:
        points.append(each.points_mm)
        reach.append(each.radius_mm + branch_wall_mm(each.radius_mm))
    return _near(grid, np.vstack(points), np.concatenate(reach) + 0.7)


def vessel_hu(grid: Volume, voxels: IntArray, around_hu: Float32Array, vessel: Vessel) -> FloatArray:
    """HU (M,) of voxels (M, 3) with the artery in them, where what is around it has HU (M,)."""
    world = _subsamples(grid, voxels)
    count = world.shape[1]
    world = world.reshape(-1, 3)
    levels = _levels(vessel, world)
    value = np.repeat(around_hu.astype(np.float64), count)
    value = _over(value, WALL_HU, levels.outer)
    value = _over(value, levels.plaque_hu, levels.plaque)
    value = _over(value, levels.calcium_hu, levels.calcium)
    if vessel.stent is not None:
        value = _over(value, vessel.stent.hu, levels.struts)
    value = _over(value, _blood_hu(vessel, levels, world), levels.lumen)
    return value.reshape(-1, count).mean(axis=1)


def vessel_labels(grid: Volume, voxels: IntArray, vessel: Vessel) -> npt.NDArray[np.uint8]:
    """What lies at the centres of voxels (M, 3), as (M,) labels."""
    levels = _levels(vessel, grid.to_world(voxels.astype(np.float64)))
    label = np.full(len(voxels), BACKGROUND, dtype=np.uint8)
    label[levels.outer < 0.0] = WALL
    label[(levels.plaque < 0.0) & (levels.outer < 0.0)] = SOFT_PLAQUE
    label[levels.calcium < 0.0] = CALCIFIED_PLAQUE
    label[levels.stent < 0.0] = STENT
    label[levels.lumen < 0.0] = LUMEN
    return label


def vein_voxels(grid: Volume, vein: Vein, vessel: Vessel) -> tuple[IntArray, FloatArray]:
    """Voxels (M, 3) that the vein touches, and its share (M,) of them; the artery displaces it."""
    voxels = _near(grid, vein.points_mm, vein.radius_mm + 0.6)
    world = _subsamples(grid, voxels).reshape(-1, 3)
    level = np.maximum(vein.level(world), -vessel.outer_level(world))
    return voxels, _share(level).reshape(len(voxels), -1).mean(axis=1)


def vein_hu(vein: Vein, vessel: Vessel) -> float:
    """HU of the vein's blood."""
    along = vessel.lumen.radius_step_mm * np.arange(len(vessel.contrast_hu))
    artery = float(np.interp(vein.arc_length_mm.mean(), along, vessel.contrast_hu))
    return FAT_HU + vein.contrast * (artery - FAT_HU)


def _near(grid: Volume, points_mm: FloatArray, reach_mm: FloatArray) -> IntArray:
    """Indices (M, 3) of the voxels within reach (K,) of points (K, 3)."""
    size = np.ceil(reach_mm.max() / grid.spacing_mm).astype(int)
    offsets = np.stack(np.meshgrid(*[np.arange(-n, n + 1) for n in size], indexing="ij"), axis=-1)
    offsets = offsets.reshape(-1, 3)
    offsets = offsets[np.linalg.norm(offsets * grid.spacing_mm, axis=1) <= reach_mm.max()]
    inside = np.zeros(grid.values.shape, dtype=bool)
    for centre in np.unique(np.rint(grid.to_index(points_mm)).astype(int), axis=0):
        index = centre + offsets
        index = index[((index >= 0) & (index < inside.shape)).all(axis=1)]
        inside[tuple(index.T)] = True
    near = np.argwhere(inside)
    distance, nearest = cKDTree(points_mm).query(grid.to_world(near.astype(np.float64)))
    return near[distance <= reach_mm[nearest]]


def _subsamples(grid: Volume, voxels: IntArray) -> FloatArray:
    """World points (M, 8, 3) inside voxels (M, 3)."""
    steps = (np.arange(SUBSAMPLES) + 0.5) / SUBSAMPLES - 0.5
    offsets = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    return grid.to_world(voxels[:, None].astype(np.float64) + offsets)


@dataclass(frozen=True, eq=False)
class _Levels:
    """Levels (M,) at points, negative inside, HU of plaque there, and places along the vessel."""

    lumen: FloatArray
    outer: FloatArray
    plaque: FloatArray
    calcium: FloatArray
    stent: FloatArray
    struts: FloatArray
    plaque_hu: FloatArray
    calcium_hu: FloatArray
    arc_length_mm: FloatArray
    in_branch: npt.NDArray[np.bool_]


def _levels(vessel: Vessel, world: FloatArray) -> _Levels:
    lumen, wall = vessel.lumen, vessel.wall
    s, u, v = lumen.axis.locate(world)
    rho, angle = np.hypot(u, v), np.arctan2(v, u)

    def at(table: FloatArray) -> FloatArray:
        return Lumen(lumen.axis, table, lumen.radius_step_mm, ()).radius_at(s, angle)

    caps = np.maximum(-s, s - lumen.length_mm)
    above = rho - lumen.radius_at(s, angle)
    main = np.maximum(above, caps)
    branch = lumen.branch_level(world)
    stent = struts = np.full(len(world), np.inf)
    if vessel.stent is not None:
        stent = vessel.stent.cylinder(s, above)
        struts = vessel.stent.struts(s, angle, stent)
    calcium = np.maximum(at(wall.calcium_inner_mm) - rho, rho - at(wall.calcium_outer_mm))
    return _Levels(
        lumen=blended(main, branch),
        outer=blended(np.maximum(rho - at(wall.outer_mm), caps), _branch_outer(lumen, world, branch)),
        plaque=np.maximum(rho - at(wall.plaque_mm), caps),
        calcium=np.maximum(calcium, caps),
        stent=stent,
        struts=struts,
        plaque_hu=at(wall.plaque_hu),
        calcium_hu=at(wall.calcium_hu),
        arc_length_mm=s,
        in_branch=branch < main,
    )


def _branch_outer(lumen: Lumen, world: FloatArray, branch: FloatArray) -> FloatArray:
    """Level (M,) of the outer wall of side branches."""
    outer = branch.copy()
    seen = np.flatnonzero(np.isfinite(branch))
    if len(seen):
        points = np.vstack([each.points_mm for each in lumen.branches])
        radius = np.concatenate([each.radius_mm for each in lumen.branches])
        outer[seen] -= branch_wall_mm(radius[cKDTree(points).query(world[seen])[1]])
    return outer


def _blood_hu(vessel: Vessel, levels: _Levels, world: FloatArray) -> FloatArray:
    """Contrast (M,) of the blood; a branch starts with the main vessel's and falls likewise."""
    lumen = vessel.lumen
    place = levels.arc_length_mm.copy()
    inside = np.flatnonzero(levels.in_branch)
    if len(inside):
        points = np.vstack([each.points_mm for each in lumen.branches])
        branch_place = np.concatenate([_places(each) for each in lumen.branches])
        place[inside] = branch_place[cKDTree(points).query(world[inside])[1]]
    along = lumen.radius_step_mm * np.arange(len(vessel.contrast_hu))
    return np.interp(place, along, vessel.contrast_hu)


def _places(branch: Branch) -> FloatArray:
    """Arc length (K,) on the main vessel whose contrast a branch's points have."""
    steps = np.linalg.norm(np.diff(branch.points_mm, axis=0), axis=1)
    return branch.arc_length_mm + np.concatenate([[0.0], np.cumsum(steps)])


def _share(level: FloatArray) -> FloatArray:
    return np.clip(0.5 - level / SUBSAMPLE_EDGE_MM, 0.0, 1.0)


def _over(value: FloatArray, hu: FloatArray | float, level: FloatArray) -> FloatArray:
    return value + _share(level) * (hu - value)
