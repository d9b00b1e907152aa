"""The heart under a synthetic artery: where it lies, its chambers and what surrounds it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Heart:
    """An ellipsoid over which the artery runs.

    Attributes
    ----------
    centre_mm : (3,) array
        In world mm.
    axes : (3, 3) array
        Columns are its axes in the world, a rotation.
    semi_axes_mm : (3,) array
        Half its size along them.
    """

    centre_mm: FloatArray
    axes: FloatArray
    semi_axes_mm: FloatArray

    def to_heart(self, world_mm: FloatArray) -> FloatArray:
        """Take world points (M, 3) to the heart's own axes, mm from its centre."""
        return (world_mm - self.centre_mm) @ self.axes

    def height_mm(self, world_mm: FloatArray) -> FloatArray:
        """Height (M,) above the ellipsoid, negative inside; exact to first order near it."""
        scaled = self.to_heart(world_mm) / self.semi_axes_mm
        size = np.maximum(np.linalg.norm(scaled, axis=-1), 1e-9)
        slope = np.linalg.norm(scaled / self.semi_axes_mm, axis=-1) / size
        return (size - 1.0) / np.maximum(slope, 1e-9)

    def outward(self, world_mm: FloatArray) -> FloatArray:
        """Unit normals (M, 3), away from the heart, at world points."""
        normal = (self.to_heart(world_mm) / self.semi_axes_mm**2) @ self.axes.T
        return normal / np.linalg.norm(normal, axis=-1, keepdims=True)
