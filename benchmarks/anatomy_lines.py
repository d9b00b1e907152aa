"""Lines through the coronary arteries of a closed surface of aorta and coronaries."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyvista as pv
from anatomy_surface import LumenSurface, empty_grid, resampled, smooth_along
from scipy.ndimage import binary_dilation, distance_transform_edt, label
from scipy.spatial import cKDTree
from skimage.graph import MCP_Geometric

from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

STEP_MM = 0.5
VOXEL_MM = 0.5
AORTA_RADIUS_MM = 5.0
SHORTEST_BRANCH_MM = 10.0
MOST_LINES = 8


@dataclass(frozen=True, eq=False)
class Vessel:
    """One line through a vessel, proximal to distal.

    Attributes
    ----------
    name : str
        In tables.
    line_mm : (N, 3) array
        Every 0.5 mm, from the mouth in the aorta's wall.
    radius_mm : (N,) array
        Of the largest ball inside the lumen around each point.
    """

    name: str
    line_mm: FloatArray
    radius_mm: FloatArray

    @property
    def length_mm(self) -> float:
        """From the mouth to the end."""
        return STEP_MM * (len(self.line_mm) - 1)


def coronary_vessels(folder: Path) -> tuple[LumenSurface, list[Vessel]]:
    """Read a surface and its right coronary's lines, and find those of the left coronary.

    Parameters
    ----------
    folder : Path
        Holds ``ccta_surface.stl`` and ``rca_centerline.vtp``.
    """
    surface = LumenSurface(pv.read(folder / "ccta_surface.stl").triangulate().clean())
    given = pv.read(folder / "rca_centerline.vtp")
    lines = [np.asarray(given.get_cell(i).points, dtype=np.float64) for i in range(given.n_cells)]
    box = surface.mesh.bounds
    grid = empty_grid(np.array(box[::2]) - 1.0, np.array(box[1::2]) + 1.0, (VOXEL_MM,) * 3)
    inside = surface.inside(grid)
    depth_mm = distance_transform_edt(inside, sampling=VOXEL_MM)
    aorta = distance_transform_edt(depth_mm < AORTA_RADIUS_MM, sampling=VOXEL_MM) <= AORTA_RADIUS_MM + 1.0
    vessels = [
        _vessel(f"right-{i}", _beyond(line, grid, aorta), surface) for i, line in enumerate(lines, start=1)
    ]
    parts, count = label(inside & ~aorta)
    right = set(np.unique(parts[_voxels(grid, np.vstack([each.line_mm for each in vessels]))]).tolist())
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    left = max((i for i in range(1, count + 1) if i not in right), key=lambda i: sizes[i])
    found = tree_lines(grid, parts == left, depth_mm, aorta)
    vessels += [_vessel(f"left-{i}", line, surface) for i, line in enumerate(found, start=1)]
    return surface, vessels


def tree_lines(grid: Volume, part: BoolArray, depth_mm: FloatArray, aorta: BoolArray) -> list[FloatArray]:
    """Lines (N, 3) in world mm from the aorta to the far ends of one coronary tree.

    The ends are the voxels farthest from the aorta that no line passes yet; paths to them are those of least
    cost, which runs low where the lumen is deep.
    """
    box = tuple(slice(int(each.min()), int(each.max()) + 1) for each in np.nonzero(part))
    offset = np.array([each.start for each in box])
    part, depth_mm, aorta = part[box], depth_mm[box], aorta[box]
    starts = np.argwhere(part & binary_dilation(aorta, iterations=2))
    reach, _ = MCP_Geometric(np.where(part, 1.0, -1.0)).find_costs(starts)
    distance_mm = np.where(part, VOXEL_MM * reach, -np.inf)
    central = MCP_Geometric(np.where(part, 1.0 / (depth_mm + 0.1) ** 3, -1.0))
    central.find_costs(starts)
    left = np.isfinite(distance_mm)
    lines: list[FloatArray] = []
    voxels = np.argwhere(left)
    while len(lines) < MOST_LINES and left.any():
        end = np.unravel_index(np.argmax(np.where(left, distance_mm, -np.inf)), left.shape)
        path = np.array(central.traceback(end))
        near, _ = cKDTree(path).query(voxels)
        passed = voxels[VOXEL_MM * near <= 1.5 * depth_mm[tuple(path.T)].max() + 0.5]
        known = left[tuple(path.T)]
        if VOXEL_MM * known.sum() >= SHORTEST_BRANCH_MM:
            lines.append(grid.to_world((path + offset).astype(np.float64)))
        left[tuple(passed.T)] = False
        left[end] = False
    return lines


def _voxels(grid: Volume, points_mm: FloatArray) -> tuple[npt.NDArray[np.int64], ...]:
    return tuple(np.rint(grid.to_index(points_mm)).astype(int).T)


def _beyond(line_mm: FloatArray, grid: Volume, aorta: BoolArray) -> FloatArray:
    """Part of a line from where it leaves the aorta for good."""
    within = np.flatnonzero(aorta[_voxels(grid, line_mm)])
    return line_mm[within[-1] + 1 if len(within) else 0 :]


def _vessel(name: str, line_mm: FloatArray, surface: LumenSurface) -> Vessel:
    fine = resampled(line_mm, 0.25)
    line = resampled(smooth_along(fine, 1.0 / 0.25), STEP_MM)
    return Vessel(name, line, -surface.signed_distance_mm(line))
