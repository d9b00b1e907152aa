"""One coronary artery as segmented from a CCTA image."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
import numpy.typing as npt

from coreg.centerline import Centerline
from coreg.landmarks import SideBranch

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CctaVessel:
    """A vessel's lumen, outer wall, calcium and side branches along its centerline.

    Sections lie in the planes of ``centerline.frames_at(centerline.arc_length_mm)``. The columns of
    the tables with an angle go once round, at equal steps, from the frame's normal towards its
    binormal; radii count from the centerline's point.

    Attributes
    ----------
    centerline : Centerline
        Of the target vessel, N points, ostium first, where arc length is 0. Its radius is that of a
        circle with the area of the section.
    lumen_radius_mm : (N, A) array
        Of the lumen; the mouths of side branches are closed. Read-only.
    wall_radius_mm : (N, A) array
        Estimate of the outer wall's radius, at least the lumen's. Read-only.
    calcium_mm : (N, A) array
        Thickness of calcified plaque along the ray; 0 where there is none. Read-only.
    quality : (N,) array
        Of the lumen, from 0 (do not use) to 1. Read-only.
    reason : tuple of str
        For each point why the lumen is not to be trusted there; empty where it is.
    wall_quality : (N,) array
        Of the outer wall, from 0 to 1. Read-only.
    side_branches : tuple of SideBranch
        With ostium centre, radius, direction, arc length and probability.
    branch_lines : tuple of Centerline
        The course of each side branch as far as it was followed, from the target's centerline
        outwards, with radii; same order as ``side_branches``.
    moved_mm : dict of str to float
        How far each click was moved to the vessel: ``ostium`` and ``distal``.
    notes : tuple of str
        What a person should know, in plain words.
    """

    centerline: Centerline
    lumen_radius_mm: FloatArray
    wall_radius_mm: FloatArray
    calcium_mm: FloatArray
    quality: FloatArray
    reason: tuple[str, ...]
    wall_quality: FloatArray
    side_branches: tuple[SideBranch, ...] = ()
    branch_lines: tuple[Centerline, ...] = ()
    moved_mm: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.centerline.points_mm)
        if self.centerline.radius_mm is None:
            msg = "the centerline of a segmented vessel needs a radius, got none"
            raise ValueError(msg)
        shape = np.shape(self.lumen_radius_mm)
        if len(shape) != 2 or shape[0] != count or shape[1] < 8:
            msg = f"lumen_radius_mm must have shape ({count}, A) with A >= 8, got {shape}"
            raise ValueError(msg)
        wanted = {
            **dict.fromkeys(("lumen_radius_mm", "wall_radius_mm", "calcium_mm"), shape),
            **dict.fromkeys(("quality", "wall_quality"), (count,)),
        }
        for name, expected in wanted.items():
            values = np.array(getattr(self, name), dtype=np.float64)
            if values.shape != expected or not np.isfinite(values).all():
                msg = f"{name} must be finite and of shape {expected}, got shape {values.shape}"
                raise ValueError(msg)
            values.flags.writeable = False
            object.__setattr__(self, name, values)
        if len(self.reason) != count:
            msg = f"reason must have {count} entries, got {len(self.reason)}"
            raise ValueError(msg)
        if len(self.side_branches) != len(self.branch_lines):
            msg = f"{len(self.side_branches)} side branches but {len(self.branch_lines)} branch lines"
            raise ValueError(msg)

    @property
    def marked(self) -> npt.NDArray[np.bool_]:
        """Which points, shape (N,), have a reason against their lumen."""
        return np.array([bool(each) for each in self.reason])

    @property
    def only_lumen(self) -> bool:
        """Whether wall and calcium are unknown, as where the vessel was measured in a lumen label."""
        return not (self.wall_quality.any() or self.calcium_mm.any())

    @property
    def marked_stretches(self) -> tuple[tuple[float, float, str], ...]:
        """Runs of points with one reason: arc length in mm of the first and the last, and the reason."""
        arc = self.centerline.arc_length_mm.tolist()
        stretches = []
        for reason, run in groupby(range(len(arc)), key=lambda i: self.reason[i]):
            points = list(run)
            if reason:
                stretches.append((arc[points[0]], arc[points[-1]], reason))
        return tuple(stretches)

    @property
    def volume_mm3(self) -> float:
        """Volume of the lumen between the first and the last section."""
        area_mm2 = 0.5 * (self.lumen_radius_mm**2).sum(axis=1) * (2.0 * np.pi / self.lumen_radius_mm.shape[1])
        return float(np.trapezoid(area_mm2, self.centerline.arc_length_mm))

    @property
    def angles_rad(self) -> FloatArray:
        """Angles (A,) of the tables' columns."""
        count = self.lumen_radius_mm.shape[1]
        return 2.0 * np.pi * np.arange(count) / count

    def outline_mm(self, radius_mm: FloatArray) -> FloatArray:
        """World points (N, A, 3) of a table of radii such as ``lumen_radius_mm``."""
        frames = self.centerline.frames_at(self.centerline.arc_length_mm)
        angles = self.angles_rad
        rays = np.einsum("nij,aj->nai", frames[:, :, :2], np.column_stack([np.cos(angles), np.sin(angles)]))
        return self.centerline.points_mm[:, None] + radius_mm[..., None] * rays
