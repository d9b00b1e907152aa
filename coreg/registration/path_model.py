"""The differentiable virtual catheter path, in torch.

For a batch of hypotheses, functions of withdrawal depth (splines) give the pose of every frame: how
far along the vessel, turned by how much, how far off across it. The catheter itself then is a curve
in the world and the frames lie across *it*, not across the vessel: they are tilted with the curve's
tangent. Lumen points carried into the world by those poses should lie on the CCTA's lumen surface.

After Kadry et al. (arXiv 2301.00060), with distances sampled at lumen points only, a Gaussian process
prior in place of penalties, and the poses parametrised about the lumen's middle, where rotation and
offset do not compete.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from coreg.registration.motion_prior import motion_precision, spline_basis, spline_knots
from coreg.registration.observations import Observations
from coreg.registration.vessel import Vessel
from coreg.settings import MotionPrior, RegistrationSettings

FloatArray = npt.NDArray[np.float64]

TILT_MM = 1.5
EDGE_MM = 0.4
NULL_MM = 0.16
FUNCTIONS = 5

Pair = tuple[Tensor, Tensor]
Axes = tuple[Tensor, Tensor, Tensor, Tensor]


class VesselField(Protocol):
    """What paths need of a vessel, or of the vessel of each row of a batch."""

    @property
    def first_mm(self) -> float | Tensor:
        """Arc length from which the vessel can be compared; (H, 1) where rows differ."""

    @property
    def last_mm(self) -> float | Tensor:
        """Arc length up to which it can."""

    def at(self, arc_length_mm: Tensor) -> Axes:
        """Point, normal, binormal and tangent (H, M, 3) at arc lengths (H, M)."""

    def distance_at(self, world_mm: Tensor) -> Tensor:
        """Signed distance (H, M, K) in mm at world points (H, M, K, 3)."""


@dataclass(frozen=True, eq=False)
class VesselTensors:
    """A vessel on a device.

    Attributes
    ----------
    start_mm, step_mm : float
        Arc length of the first station, and between stations.
    table : (S, 12) tensor
        Per station: point, normal, binormal, tangent.
    distance : (1, 1, D, H, W) tensor
        Signed distance in mm, float32.
    low_mm, size_mm : (3,) tensors
        World of the grid's first voxel, and extent of the grid between voxel centres.
    first_mm, last_mm : float
        Arc lengths between which the vessel can be compared.
    """

    start_mm: float
    step_mm: float
    table: Tensor
    distance: Tensor
    low_mm: Tensor
    size_mm: Tensor
    first_mm: float
    last_mm: float

    @classmethod
    def on(cls, vessel: Vessel, device: torch.device) -> VesselTensors:
        """Copy a vessel to a device."""
        triad = vessel.frames.transpose(0, 2, 1).reshape(-1, 9)
        table = np.concatenate([vessel.points_mm, triad], axis=1)
        values = np.array(vessel.distance.values, dtype=np.float32)
        shape = np.array(values.shape[::-1])
        step = float(vessel.arc_length_mm[1] - vessel.arc_length_mm[0])
        valid = np.flatnonzero(vessel.valid)
        return cls(
            float(vessel.arc_length_mm[0]),
            step,
            torch.as_tensor(table, dtype=torch.float64, device=device),
            torch.as_tensor(values, device=device)[None, None],
            torch.as_tensor(vessel.distance.index_to_world[:3, 3].copy(), dtype=torch.float64, device=device),
            torch.as_tensor(
                (shape - 1) * vessel.distance.spacing_mm[::-1], dtype=torch.float64, device=device
            ),
            float(vessel.arc_length_mm[valid[0]]),
            float(vessel.arc_length_mm[valid[-1]]),
        )

    def at(self, arc_length_mm: Tensor) -> Axes:
        """Point, normal, binormal and tangent (..., 3) at arc lengths (...); straight on beyond the ends."""
        place = (arc_length_mm - self.start_mm) / self.step_mm
        low = place.detach().floor().clamp(0, len(self.table) - 2).long()
        return axes_between(self.table, low, place - low, self.step_mm)

    def distance_at(self, world_mm: Tensor) -> Tensor:
        """Signed distance (...) at world points (..., 3), linear between voxels."""
        grid = 2.0 * (world_mm - self.low_mm) / self.size_mm - 1.0
        return sampled_between_voxels(self.distance, grid)


def sampled_between_voxels(volume: Tensor, grid: Tensor) -> Tensor:
    """Values (...) of a volume (1, 1, D, H, W), linear between voxels, at places (..., 3) from -1 to 1."""
    flat = grid.to(torch.float32).reshape(1, 1, 1, -1, 3)
    out = torch.nn.functional.grid_sample(volume, flat, align_corners=True, padding_mode="border")
    return out.reshape(grid.shape[:-1])


def axes_between(table: Tensor, low: Tensor, place: Tensor, step_mm: float | Tensor) -> Axes:
    """Axes (..., 3) between a table's row (...) and the next; ``place`` (...) runs from 0 to 1 there.

    Below 0 and above 1 the axis goes straight on.
    """
    share = place[..., None]
    inner = share.clamp(0.0, 1.0)
    a, b = table[low], table[low + 1]
    mixed = a + inner * (b - a)
    point = mixed[..., :3] + (share - inner) * step_mm * mixed[..., 9:]
    return point, mixed[..., 3:6], mixed[..., 6:9], mixed[..., 9:]


@dataclass(frozen=True, eq=False)
class PathModel:
    """Everything fixed while the coefficients of a batch of paths are sought.

    Coefficients are (H, 5 J + 1): arc length, rotation, two offsets and the surface's at J knots, then
    the relative radius scale. All rows are of one case; where they are of several
    (`coreg.registration.stacked`), the tensors have a leading dimension H.

    Attributes
    ----------
    vessel : VesselField
        CCTA side.
    knots_mm : (J,) array
        Of the splines, in depth.
    basis : (M, J) tensor
        Splines at the frames.
    slope : (M, M) tensor
        Takes values at the frames to their derivative by depth.
    points, seen : (M, K, 2) and (M, K) tensors
        Lumen points in mm, and whether they are on the wall.
    centre, radius, patches : (M, 2), (M,) and (M,) tensors
        Of the lumens: middle and radius in mm, and how much evidence a frame is.
    precision, mean : (P, P) and (P,) tensors
        Of the coefficients, before the lumens are compared.
    patch_mm : float or (H, 1) tensor
        How far the two surfaces may differ.
    null_mm : float
        A frame that is nowhere in the vessel costs as much as walls so far apart.
    owner : (H,) tensor, optional
        Number of each row's case, from 0, where rows are of several.
    """

    vessel: VesselField
    knots_mm: FloatArray
    basis: Tensor
    slope: Tensor
    points: Tensor
    seen: Tensor
    centre: Tensor
    radius: Tensor
    patches: Tensor
    precision: Tensor
    mean: Tensor
    patch_mm: float | Tensor
    null_mm: float = NULL_MM
    owner: Tensor | None = None

    @classmethod
    def build(
        cls,
        vessel: VesselTensors,
        seen: Observations,
        settings: RegistrationSettings,
        *,
        knot_spacing_mm: float,
        frames: int,
        points: int,
    ) -> PathModel:
        """Set up a level of detail: knots, about so many frames, so many points a frame."""
        device = vessel.table.device
        every = max(1, len(seen.row) // frames)
        rows = np.arange(0, len(seen.row), every)
        skip = max(1, seen.points_mm.shape[1] // points)
        depth = seen.depth_mm[rows]
        # Frames before the first and after the last with a say have a pose too: that of the prior.
        knots = spline_knots(np.array([0.0, seen.length_mm]), knot_spacing_mm)
        motion = settings.motion or MotionPrior()
        precision = _block_diagonal(
            motion_precision(knots, motion, settings.surface), settings.radius_scale_sd
        )
        mean = np.concatenate([knots, np.zeros((FUNCTIONS - 1) * len(knots) + 1)])

        def tensor(array: FloatArray) -> Tensor:
            return torch.as_tensor(np.array(array), dtype=torch.float64, device=device)

        return cls(
            vessel,
            knots,
            tensor(spline_basis(depth, knots)),
            tensor(slope_operator(depth)),
            tensor(seen.points_mm[rows, ::skip]),
            tensor(seen.seen[rows, ::skip]) > 0.0,
            tensor(seen.centre_mm[rows]),
            tensor(seen.radius_mm[rows]),
            tensor(seen.patches[rows] * len(seen.row) / len(rows)),
            tensor(precision),
            tensor(mean),
            settings.surface.patch_mm,
        )

    def functions(self, coefficients: Tensor) -> Tensor:
        """Arc length, rotation, two offsets and the surface's offset (H, 5, M) of the frames."""
        batch = len(coefficients)
        return coefficients[:, :-1].reshape(batch, FUNCTIONS, -1) @ self.basis.mT

    def poses(self, functions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Catheter centres, column and row axes, each (H, M, 3), from functions (H, 5, M)."""
        return poses(self.vessel, functions, self.centre, self.slope)

    def residuals(self, coefficients: Tensor, functions: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Distances (H, M, K) in mm of lumen points from the CCTA's lumen surface, and the poses."""
        origin, column, row = self.poses(functions)
        world = origin[:, :, None] + self.points[..., :1] * column[:, :, None]
        world = world + self.points[..., 1:] * row[:, :, None]
        away = self.vessel.distance_at(world)
        scale = coefficients[:, -1][:, None, None] * self.radius[..., None]
        away = away + scale + functions[:, 4, :, None]
        # At the edge of the field of view the wall is there or farther out.
        return torch.where(self.seen, away, away.clamp_min(0.0)), origin, column, row

    def gate(self, arc_length_mm: Tensor) -> Tensor:
        """1 within the comparable vessel, 0 beyond it, smooth over EDGE_MM."""
        into = (arc_length_mm - self.vessel.first_mm) / EDGE_MM
        out = (self.vessel.last_mm - arc_length_mm) / EDGE_MM
        return torch.sigmoid(into) * torch.sigmoid(out)

    def misfit(self, residuals: Tensor, width_mm: float) -> Tensor:
        """Mean saturated square (H, M) of a frame's residuals, in units of the surface's variance."""
        saturated = 1.0 - torch.exp(-0.5 * (residuals / width_mm) ** 2)
        return (width_mm / self.patch_mm) ** 2 * saturated.mean(dim=-1)

    @cached_property
    def overlaps(self) -> tuple[Tensor, Tensor, Tensor]:
        """Pairs of knots (Q,) and (Q,) whose splines overlap, and the splines' products (M, Q)."""
        knots = np.arange(self.basis.shape[-1])
        # Cubic splines four or more knots apart do not overlap.
        near = np.nonzero(np.abs(knots[:, None] - knots) <= 3)
        first, second = (torch.as_tensor(each, device=self.basis.device) for each in near)
        return first, second, self.basis[..., first] * self.basis[..., second]

    @property
    def null(self) -> float | Tensor:
        """Misfit of a frame that is nowhere in the vessel: as bad as walls `null_mm` apart."""
        return 0.5 * (self.null_mm / self.patch_mm) ** 2

    def cost(self, coefficients: Tensor, width_mm: float) -> Tensor:
        """Negative log posterior (H,) but for a constant."""
        functions = self.functions(coefficients)
        residuals, *_ = self.residuals(coefficients, functions)
        return self.cost_of(coefficients, functions, self.misfit(residuals, width_mm))

    def cost_of(self, coefficients: Tensor, functions: Tensor, misfit: Tensor) -> Tensor:
        """Cost (H,) of coefficients whose functions (H, 5, M) and misfit (H, M) are known."""
        gate = self.gate(functions[:, 0])
        data = ((gate * misfit + (1.0 - gate) * self.null) * self.patches).sum(dim=1)
        off = coefficients - self.mean
        return data + 0.5 * ((off[:, None] @ self.precision)[:, 0] * off).sum(dim=1)


def poses(
    vessel: VesselField, functions: Tensor, centre: Tensor, slope: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Poses of frames that lie across the catheter's own curve.

    Parameters
    ----------
    vessel : VesselField
        Axis and moving frame.
    functions : (H, 5, M) tensor
        Arc length (mm), rotation (rad), the lumen centre's offset along normal and binormal (mm); the
        rest has no say.
    centre : (M, 2) tensor
        Lumen centre in the image, mm from the catheter; (H, M, 2) where rows differ.
    slope : (M, M) tensor
        Takes values at the frames to their derivative by depth.

    Returns
    -------
    origin_mm, column, row : (H, M, 3) tensors
        In world mm; column and row are orthonormal and column x row points distally.
    """
    arc_length, rotation, along_normal, along_binormal = functions[:, :4].unbind(dim=1)
    axes, facing = vessel.at(arc_length), (torch.cos(rotation), torch.sin(rotation))
    u, v = across((along_normal, along_binormal), facing, centre)
    along_u, along_v = (torch.stack([u, v], dim=1) @ slope.mT).unbind(dim=1)
    return leaning_poses(axes, facing, (u, v), (along_u, along_v))


def across(along: Pair, facing: Pair, centre: Tensor) -> Pair:
    """Where the catheter lies along normal and binormal, each (H, M).

    Parameters
    ----------
    along : two (H, M) tensors
        Offset of the lumen's centre along normal and binormal, mm.
    facing : two (H, M) tensors
        Cosine and sine of the rotation.
    centre : (M, 2) tensor
        Lumen centre in the image, mm from the catheter.
    """
    cosine, sine = facing
    u = along[0] - (cosine * centre[..., 0] - sine * centre[..., 1])
    v = along[1] - (sine * centre[..., 0] + cosine * centre[..., 1])
    return u, v


def leaning_poses(axes: Axes, facing: Pair, off: Pair, slope: Pair) -> tuple[Tensor, Tensor, Tensor]:
    """Poses, as `poses` gives them, of a catheter off the axis that leans against it.

    Parameters
    ----------
    axes : four (H, M, 3) tensors
        Point, normal, binormal and tangent of the vessel.
    facing, off, slope : two (H, M) tensors each
        Cosine and sine of the rotation; where the catheter lies along normal and binormal, in mm; its
        slopes there by depth.
    """
    (point, normal, binormal, tangent), (cosine, sine) = axes, facing
    origin = point + off[0][..., None] * normal + off[1][..., None] * binormal
    # The offset's slope leans the catheter against the axis; a slope in depth is one in arc length
    # but for the stretch, which is near 1.
    lean = slope[0][..., None] * normal + slope[1][..., None] * binormal
    direction = torch.nn.functional.normalize(tangent + lean, dim=-1)
    column = cosine[..., None] * normal + sine[..., None] * binormal
    column = _turned(column, tangent, direction)
    column = torch.nn.functional.normalize(
        column - (column * direction).sum(-1, keepdim=True) * direction, dim=-1
    )
    return origin, column, torch.linalg.cross(direction, column)


def _turned(vectors: Tensor, before: Tensor, after: Tensor) -> Tensor:
    """Apply the smallest rotation that takes one direction to another."""
    axis = torch.linalg.cross(before, after)
    once = torch.linalg.cross(axis, vectors)
    twice = torch.linalg.cross(axis, once)
    return vectors + once + twice / (1.0 + (before * after).sum(-1, keepdim=True))


def slope_operator(
    depth_mm: FloatArray, *, at_mm: FloatArray | None = None, sigma_mm: float = TILT_MM
) -> FloatArray:
    """Matrix (A, M) of the slope of the straight line fitted around each place, Gaussian-weighted.

    Parameters
    ----------
    depth_mm : (M,) array
        Where values are known.
    at_mm : (A,) array, optional
        Where slopes are wanted; by default at the same depths.
    sigma_mm : float
        Of the weights; wider where depths are farther apart.
    """
    places = depth_mm if at_mm is None else at_mm
    count = len(depth_mm)
    if count < 2 or np.ptp(depth_mm) == 0.0:
        return np.zeros((len(places), count))
    sigma = max(sigma_mm, 1.5 * float(np.ptp(depth_mm)) / (count - 1))
    gap = depth_mm[None, :] - places[:, None]
    weight = np.exp(-0.5 * (gap / sigma) ** 2)
    weight /= weight.sum(axis=1, keepdims=True)
    centred = gap - (weight * gap).sum(axis=1, keepdims=True)
    return weight * centred / (weight * centred**2).sum(axis=1, keepdims=True)


def _block_diagonal(precision: FloatArray, scale_sd: float) -> FloatArray:
    knots = precision.shape[1]
    full = np.zeros((FUNCTIONS * knots + 1,) * 2)
    for k in range(FUNCTIONS):
        full[k * knots : (k + 1) * knots, k * knots : (k + 1) * knots] = precision[k]
    full[-1, -1] = 1.0 / scale_sd**2
    return full
