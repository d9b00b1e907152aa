"""The space inside a synthetic artery: a tube of varying cross-section and its side branches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from coreg.phantom.curve import Curve

FloatArray = npt.NDArray[np.float64]

BLEND_MM = 0.4
FAR_MM = 3.0


@dataclass(frozen=True, eq=False)
class Branch:
    """A side branch, a round tube that starts on the main axis.

    Attributes
    ----------
    id : str
        Name in files.
    points_mm : (K, 3) array
        Its axis at equal steps, from the main vessel's axis outwards.
    radius_mm : (K,) array
        At the points.
    arc_length_mm : float
        Of its first point, on the main axis.
    """

    id: str
    points_mm: FloatArray
    radius_mm: FloatArray
    arc_length_mm: float


@dataclass(frozen=True, eq=False)
class Lumen:
    """Main vessel and side branches as a level function, negative inside, near mm close by.

    Attributes
    ----------
    axis : Curve
        Of the main vessel; goes on beyond its ends.
    radius_mm : (S, A) array
        Radius of the main vessel over arc length (from 0, every ``radius_step_mm``) and angle
        from the axis' normal towards its binormal (from 0, equal steps, round the circle).
    radius_step_mm : float
        Step of the first axis of the table.
    branches : tuple of Branch
        May be empty.
    """

    axis: Curve
    radius_mm: FloatArray
    radius_step_mm: float
    branches: tuple[Branch, ...]

    @property
    def length_mm(self) -> float:
        """Of the main vessel."""
        return self.radius_step_mm * (len(self.radius_mm) - 1)

    def radius_at(self, arc_length_mm: FloatArray, angle_rad: FloatArray) -> FloatArray:
        """Radius (M,) of the main vessel at arc lengths and angles (M,), bilinear."""
        rows, columns = self.radius_mm.shape
        y = np.clip(np.asarray(arc_length_mm) / self.radius_step_mm, 0.0, rows - 1.0)
        x = (np.asarray(angle_rad) % (2.0 * np.pi)) * (columns / (2.0 * np.pi))
        row = np.minimum(y.astype(np.int64), rows - 2)
        column = x.astype(np.int64) % columns
        following = (column + 1) % columns
        dy, dx = y - row, x - np.floor(x)
        near = (1.0 - dx) * self.radius_mm[row, column] + dx * self.radius_mm[row, following]
        far = (1.0 - dx) * self.radius_mm[row + 1, column] + dx * self.radius_mm[row + 1, following]
        return (1.0 - dy) * near + dy * far

    def main_level(self, world_mm: FloatArray, *, capped: bool = False) -> FloatArray:
        """Level (M,) of the main vessel alone; without caps the end sections go on for ever."""
        s, u, v = self.axis.locate(world_mm)
        level = np.hypot(u, v) - self.radius_at(s, np.arctan2(v, u))
        return np.maximum(level, np.maximum(-s, s - self.length_mm)) if capped else level

    @cached_property
    def _branch_table(self) -> tuple[cKDTree, FloatArray, FloatArray, FloatArray, FloatArray]:
        points = np.concatenate([each.points_mm for each in self.branches])
        radius = np.concatenate([each.radius_mm for each in self.branches])
        tangents = np.concatenate([np.gradient(each.points_mm, axis=0) for each in self.branches])
        steps = np.linalg.norm(tangents, axis=1)
        slopes = np.concatenate([np.gradient(each.radius_mm) for each in self.branches]) / steps
        return cKDTree(points), points, tangents / steps[:, None], radius, slopes

    def branch_level(self, world_mm: FloatArray) -> FloatArray:
        """Level (M,) of the side branches; infinite farther than ``FAR_MM`` from their axes."""
        level = np.full(len(world_mm), np.inf)
        if not self.branches:
            return level
        tree, points, tangents, radius, slopes = self._branch_table
        distance, nearest = tree.query(world_mm, distance_upper_bound=FAR_MM)
        seen = np.flatnonzero(np.isfinite(distance))
        nearest = nearest[seen]
        offset = world_mm[seen] - points[nearest]
        along = np.clip(np.einsum("ij,ij->i", offset, tangents[nearest]), -0.1, 0.1)
        rest = np.linalg.norm(offset - along[:, None] * tangents[nearest], axis=1)
        level[seen] = rest - radius[nearest] - along * slopes[nearest]
        return level

    def nearest_branch(self, world_mm: FloatArray) -> npt.NDArray[np.int64]:
        """Index (M,) of the side branch whose axis is nearest to points (M, 3)."""
        owner = np.repeat(np.arange(len(self.branches)), [len(each.points_mm) for each in self.branches])
        return owner[self._branch_table[0].query(world_mm)[1]]

    def level(self, world_mm: FloatArray, *, capped: bool = False) -> FloatArray:
        """Level (M,) of the whole lumen, with rounded carinas."""
        return blended(self.main_level(world_mm, capped=capped), self.branch_level(world_mm))

    def scaled(self, factor: float, branches: tuple[Branch, ...], *, end_mm: float) -> Lumen:
        """Return the lumen as another modality sees it: other radii, fewer branches, a nearer end."""
        rows = int(np.floor(end_mm / self.radius_step_mm)) + 1
        thinner = tuple(
            Branch(each.id, each.points_mm, factor * each.radius_mm, each.arc_length_mm) for each in branches
        )
        return Lumen(self.axis, factor * self.radius_mm[:rows], self.radius_step_mm, thinner)


def blended(a: FloatArray, b: FloatArray) -> FloatArray:
    """Unite two levels (M,) with a fillet of ``BLEND_MM``."""
    near = np.maximum(BLEND_MM - np.abs(np.where(np.isfinite(b), a - b, BLEND_MM)), 0.0)
    return np.minimum(a, b) - near**2 / (4.0 * BLEND_MM)
