"""Scalar images on a regular grid in world coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxel values and where they lie.

    Attributes
    ----------
    values : (slices, rows, columns) array
        One value per voxel, in array order. Read-only.
    index_to_world : (4, 4) array
        Takes homogeneous array indices ``(slice, row, column, 1)`` of voxel centres to
        LPS world mm. Read-only.
    """

    values: npt.NDArray[np.generic]
    index_to_world: FloatArray

    def __post_init__(self) -> None:
        values = np.asarray(self.values).view()
        if values.ndim != 3 or 0 in values.shape:
            msg = f"values must have shape (slices, rows, columns) without empty axes, got {values.shape}"
            raise ValueError(msg)
        matrix = np.array(self.index_to_world, dtype=np.float64)
        if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
            msg = f"index_to_world must be a finite (4, 4) matrix, got {matrix.tolist()}"
            raise ValueError(msg)
        if abs(np.linalg.det(matrix[:3, :3])) < 1e-12:
            msg = f"index_to_world must be invertible, got {matrix.tolist()}"
            raise ValueError(msg)
        values.flags.writeable = False
        matrix.flags.writeable = False
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "index_to_world", matrix)

    @cached_property
    def world_to_index(self) -> FloatArray:
        """Inverse of ``index_to_world``, shape (4, 4)."""
        inverse: FloatArray = np.linalg.inv(self.index_to_world).astype(np.float64)
        inverse.flags.writeable = False
        return inverse

    @property
    def spacing_mm(self) -> FloatArray:
        """Voxel size along (slice, row, column), shape (3,), in mm."""
        return np.linalg.norm(self.index_to_world[:3, :3], axis=0)

    def to_world(self, index: FloatArray) -> FloatArray:
        """Take array indices (..., 3) as (slice, row, column) to world mm (..., 3)."""
        return index @ self.index_to_world[:3, :3].T + self.index_to_world[:3, 3]

    def to_index(self, world_mm: FloatArray) -> FloatArray:
        """Take world mm (..., 3) to array indices (..., 3) as (slice, row, column)."""
        return world_mm @ self.world_to_index[:3, :3].T + self.world_to_index[:3, 3]
