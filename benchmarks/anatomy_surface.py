"""What can be asked of a closed surface: how deep points lie, where rays leave it, which voxels it holds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyvista as pv
from scipy.ndimage import gaussian_filter1d
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonCore import mutable, vtkDoubleArray
from vtkmodules.vtkCommonDataModel import vtkStaticCellLocator
from vtkmodules.vtkFiltersCore import vtkImplicitPolyDataDistance

from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class LumenSurface:
    """A closed triangle surface, LPS mm.

    Attributes
    ----------
    mesh : PolyData
        Triangles.
    """

    mesh: pv.PolyData

    @cached_property
    def _distance(self) -> vtkImplicitPolyDataDistance:
        distance = vtkImplicitPolyDataDistance()
        distance.SetInput(self.mesh)
        return distance

    @cached_property
    def _locator(self) -> vtkStaticCellLocator:
        locator = vtkStaticCellLocator()
        locator.SetDataSet(self.mesh)
        locator.BuildLocator()
        return locator

    def signed_distance_mm(self, points_mm: FloatArray) -> FloatArray:
        """Distance (M,) of points (M, 3) from the surface, negative inside."""
        values = vtkDoubleArray()
        self._distance.FunctionValue(numpy_to_vtk(np.ascontiguousarray(points_mm), deep=1), values)
        return vtk_to_numpy(values).copy()

    def inward(self, points_mm: FloatArray, *, step_mm: float = 0.05) -> FloatArray:
        """Unit vectors (M, 3) along which points move away from the nearest wall, into the lumen."""
        steps = step_mm * np.vstack([np.eye(3), -np.eye(3)])
        around = (points_mm[:, None] + steps).reshape(-1, 3)
        distance = self.signed_distance_mm(around).reshape(-1, 2, 3)
        slope = distance[:, 1] - distance[:, 0]
        return slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-12)

    def first_hit_mm(self, origin_mm: FloatArray, direction: FloatArray, *, limit_mm: float) -> FloatArray:
        """Distance (M,) at which rays from points (M, 3) first meet the surface; else the limit."""
        far = origin_mm + limit_mm * direction
        share, hit, parametric, part = mutable(0.0), [0.0] * 3, [0.0] * 3, mutable(0)
        reached = np.full(len(origin_mm), limit_mm)
        for i, (start, end) in enumerate(zip(origin_mm.tolist(), far.tolist(), strict=True)):
            if self._locator.IntersectWithLine(start, end, 1e-6, share, hit, parametric, part):
                reached[i] = limit_mm * float(share)
        return reached

    def inside(self, grid: Volume) -> BoolArray:
        """Which voxel centres of an axis-aligned grid lie inside."""
        first = grid.to_world(np.zeros((1, 3)))[0]
        shape = grid.values.shape
        image = pv.ImageData(
            dimensions=shape[::-1], spacing=tuple(grid.spacing_mm[::-1]), origin=tuple(first)
        )
        mask = self.mesh.voxelize_binary_mask(reference_volume=image)
        return np.asarray(mask.point_data["mask"]).reshape(shape) > 0


def empty_grid(low_mm: FloatArray, high_mm: FloatArray, spacing_mm: tuple[float, float, float]) -> Volume:
    """Axis-aligned LPS grid over a box; spacing along x, y and z."""
    spacing = np.array(spacing_mm)
    shape = np.ceil((high_mm - low_mm) / spacing).astype(int) + 1
    matrix = np.zeros((4, 4))
    matrix[[0, 1, 2], [2, 1, 0]] = spacing
    matrix[:, 3] = [*low_mm, 1.0]
    return Volume(np.zeros(shape[::-1], dtype=np.uint8), matrix)


def smooth_along(values: FloatArray, sigma: float) -> FloatArray:
    """Blur rows (N, K) along the first axis, straight on at the ends."""
    pad = min(int(4.0 * sigma) + 1, len(values) - 1)
    before, after = 2.0 * values[0] - values[pad:0:-1], 2.0 * values[-1] - values[-2 : -pad - 2 : -1]
    return gaussian_filter1d(np.concatenate([before, values, after]), sigma, axis=0)[pad:-pad]


def resampled(points_mm: FloatArray, step_mm: float) -> FloatArray:
    """Points (M, 3) at equal steps along a polyline (N, 3)."""
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points_mm, axis=0), axis=1))])
    s = np.linspace(0.0, along[-1], max(2, round(along[-1] / step_mm) + 1))
    return np.column_stack([np.interp(s, along, points_mm[:, i]) for i in range(3)])
