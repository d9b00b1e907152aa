"""Triangle meshes in world coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Surface:
    """A triangle mesh.

    Attributes
    ----------
    points_mm : (V, 3) array
        Vertices in LPS mm. Read-only.
    faces : (F, 3) int array
        Vertex indices, counter-clockwise from outside. Read-only.
    """

    points_mm: FloatArray
    faces: IntArray

    def __post_init__(self) -> None:
        points = np.array(self.points_mm, dtype=np.float64)
        faces = np.array(self.faces, dtype=np.int64)
        if points.ndim != 2 or points.shape[1] != 3 or not len(points):
            msg = f"points_mm must have shape (V, 3), got {points.shape}"
            raise ValueError(msg)
        if not np.isfinite(points).all():
            bad = int(np.flatnonzero(~np.isfinite(points).all(axis=1))[0])
            msg = f"points_mm[{bad}] is not finite: {points[bad]}"
            raise ValueError(msg)
        if faces.ndim != 2 or faces.shape[1] != 3 or not len(faces):
            msg = f"faces must have shape (F, 3) with F >= 1, got {faces.shape}"
            raise ValueError(msg)
        if faces.min() < 0 or faces.max() >= len(points):
            msg = f"faces refer to vertices {faces.min()} to {faces.max()} of {len(points)}"
            raise ValueError(msg)
        for array in (points, faces):
            array.flags.writeable = False
        object.__setattr__(self, "points_mm", points)
        object.__setattr__(self, "faces", faces)
