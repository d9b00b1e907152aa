"""A segmented vessel as a label on an image's grid and as a surface."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from coreg.ccta_vessel import CctaVessel
from coreg.segmentation.tube_level import tube_level
from coreg.signed_distance import voxels_near, zero_surface
from coreg.surface import Surface
from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]

SURFACE_MM = 0.3
BESIDE_MM = 0.9


def lumen_level(vessel: CctaVessel, world_mm: FloatArray, *, branches: bool) -> FloatArray:
    """How far points (M, 3) are from the lumen's wall in its cross-sections, negative inside, (M,) in mm.

    Parameters
    ----------
    vessel : CctaVessel
        As segmented.
    world_mm : (M, 3) array
        Points.
    branches : bool
        Whether side branches belong to the lumen, as far as they were followed.
    """
    level, _ = tube_level(vessel.centerline, vessel.lumen_radius_mm, world_mm)
    if not branches:
        return level
    for line in vessel.branch_lines:
        radius = np.zeros(len(line.points_mm)) if line.radius_mm is None else line.radius_mm
        low, high = line.points_mm.min(axis=0), line.points_mm.max(axis=0)
        margin = radius.max() + BESIDE_MM
        near = np.flatnonzero(((world_mm > low - margin) & (world_mm < high + margin)).all(axis=1))
        if len(near):
            own, _ = tube_level(line, np.repeat(radius[:, None], 8, axis=1), world_mm[near])
            level[near] = np.minimum(level[near], own)
    return level


def wall_level(vessel: CctaVessel, world_mm: FloatArray) -> FloatArray:
    """How far points (M, 3) are from the target's outer wall, negative inside, (M,) in mm."""
    return tube_level(vessel.centerline, vessel.wall_radius_mm, world_mm)[0]


def lumen_label(vessel: CctaVessel, grid: Volume, *, branches: bool) -> Volume:
    """Label (uint8, 1 inside) the voxels of a grid whose centres lie in the lumen."""
    return _label(vessel, grid, lambda world: lumen_level(vessel, world, branches=branches))


def wall_label(vessel: CctaVessel, grid: Volume) -> Volume:
    """Label (uint8, 1 inside) the voxels of a grid whose centres lie within the target's outer wall."""
    return _label(vessel, grid, lambda world: wall_level(vessel, world))


def lumen_surface(vessel: CctaVessel, *, branches: bool = True) -> Surface:
    """Return the lumen's closed surface, to a fraction of a voxel."""
    around, reach = _reach(vessel)
    low, high = around.min(axis=0) - reach, around.max(axis=0) + reach
    shape = np.ceil((high - low) / SURFACE_MM).astype(int)[::-1] + 1
    matrix = np.zeros((4, 4))
    matrix[[0, 1, 2], [2, 1, 0]] = SURFACE_MM
    matrix[:, 3] = [*low, 1.0]
    grid = Volume(np.zeros(shape, dtype=np.uint8), matrix)
    near = voxels_near(grid, around, reach)
    level = np.full(shape, BESIDE_MM, dtype=np.float32)
    found = lumen_level(vessel, grid.to_world(near.astype(np.float64)), branches=branches)
    level[tuple(near.T)] = np.clip(found, -BESIDE_MM, BESIDE_MM)
    return zero_surface(Volume(np.pad(level, 1, constant_values=BESIDE_MM), _padded(grid)))


def _padded(grid: Volume) -> FloatArray:
    matrix = grid.index_to_world.copy()
    matrix[:3, 3] = grid.to_world(np.full(3, -1.0))
    return matrix


def _reach(vessel: CctaVessel) -> tuple[FloatArray, float]:
    """Points along all lines, and how far from them anything of the vessel may lie."""
    lines = (vessel.centerline, *vessel.branch_lines)
    return np.concatenate([each.points_mm for each in lines]), float(vessel.wall_radius_mm.max()) + BESIDE_MM


def _label(vessel: CctaVessel, grid: Volume, level_of: Callable[[FloatArray], FloatArray]) -> Volume:
    around, reach = _reach(vessel)
    near = voxels_near(grid, around, reach)
    values = np.zeros(grid.values.shape, dtype=np.uint8)
    if len(near):
        inside = level_of(grid.to_world(near.astype(np.float64))) < 0.0
        values[tuple(near[inside].T)] = 1
    return Volume(values, grid.index_to_world)
