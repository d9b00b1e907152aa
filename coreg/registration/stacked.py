"""Paths of several cases as one batch.

Each row of the batch has its own case's tensors: frames are padded with frames that count for nothing,
splines with ones that are zero everywhere and whose coefficients have a precision of 1 about 0. So every
row has the cost, the gradient and the curvature that it has alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from coreg.registration.path_model import (
    FUNCTIONS,
    Axes,
    PathModel,
    VesselTensors,
    axes_between,
    sampled_between_voxels,
)


@dataclass(frozen=True, eq=False)
class StackedVessels:
    """The vessel of each row of a batch.

    Attributes
    ----------
    table : (S, 12) tensor
        Stations of all vessels, one vessel after the other.
    begin, last : (H, 1) tensors
        Number of the first station of a row's vessel, and how many intervals follow but for the last.
    start_mm, step_mm, first_mm, last_mm : (H, 1) tensors
        As in `VesselTensors`, by row.
    distances : tuple of (1, 1, D, H, W) tensors
        Of each vessel. They differ much in size, so that one padded tensor would waste memory.
    rows : tuple of int
        How many rows each has.
    low_mm, size_mm : (H, 1, 1, 3) tensors
        As in `VesselTensors`, by row.
    """

    table: Tensor
    begin: Tensor
    last: Tensor
    start_mm: Tensor
    step_mm: Tensor
    first_mm: Tensor
    last_mm: Tensor
    distances: tuple[Tensor, ...]
    rows: tuple[int, ...]
    low_mm: Tensor
    size_mm: Tensor

    @classmethod
    def of(cls, vessels: Sequence[VesselTensors], rows: Sequence[int], owner: Tensor) -> StackedVessels:
        """Stack vessels, each with so many rows; ``owner`` (H,) is the number of each row's vessel."""
        device = owner.device
        stations = np.array([len(each.table) for each in vessels])
        begin, last = np.cumsum(stations) - stations, stations - 2

        def by_row(values: npt.ArrayLike) -> Tensor:
            return torch.as_tensor(np.asarray(values), device=device)[owner][:, None]

        return cls(
            table=torch.cat([each.table for each in vessels]),
            begin=by_row(begin),
            last=by_row(last),
            start_mm=by_row([each.start_mm for each in vessels]),
            step_mm=by_row([each.step_mm for each in vessels]),
            first_mm=by_row([each.first_mm for each in vessels]),
            last_mm=by_row([each.last_mm for each in vessels]),
            distances=tuple(each.distance for each in vessels),
            rows=tuple(rows),
            low_mm=torch.stack([each.low_mm for each in vessels])[owner][:, None, None],
            size_mm=torch.stack([each.size_mm for each in vessels])[owner][:, None, None],
        )

    def at(self, arc_length_mm: Tensor) -> Axes:
        """Point, normal, binormal and tangent (H, M, 3) at arc lengths (H, M)."""
        place = (arc_length_mm - self.start_mm) / self.step_mm
        low = torch.minimum(place.detach().floor().clamp_min(0.0).long(), self.last)
        return axes_between(self.table, self.begin + low, place - low, self.step_mm[..., None])

    def distance_at(self, world_mm: Tensor) -> Tensor:
        """Signed distance (H, M, K) at world points (H, M, K, 3), each row in its own vessel's volume."""
        grid = 2.0 * (world_mm - self.low_mm) / self.size_mm - 1.0
        parts = zip(self.distances, grid.split_with_sizes(self.rows), strict=True)
        return torch.cat([sampled_between_voxels(distance, part) for distance, part in parts])


@dataclass(frozen=True, eq=False)
class Stack:
    """Several models as one, and where each case's coefficients lie in a row.

    Attributes
    ----------
    model : PathModel
        Of all rows.
    rows : tuple of int
        How many each case has.
    slots : tuple of (P,) tensors
        Of each case: the place of its coefficients in a row of the batch.
    """

    model: PathModel
    rows: tuple[int, ...]
    slots: tuple[Tensor, ...]

    @classmethod
    def of(cls, models: Sequence[PathModel], rows: Sequence[int]) -> Stack:
        """Stack models that look at the same number of points in a frame.

        Parameters
        ----------
        models : sequence of PathModel
            One of each case.
        rows : sequence of int
            How many paths each case has.

        Raises
        ------
        ValueError
            If they look at different numbers of points, or one has rows of several cases already.
        """
        points = {each.points.shape[-2] for each in models}
        if len(points) > 1:
            msg = f"models look at {sorted(points)} points a frame; only models of one level can be stacked"
            raise ValueError(msg)
        vessels = [_own_vessel(each) for each in models]
        device = models[0].basis.device
        owner = torch.as_tensor(np.repeat(np.arange(len(models)), rows), device=device)
        longest = max(models, key=lambda each: len(each.knots_mm))
        knots = len(longest.knots_mm)
        slots = [torch.as_tensor(_slot(len(each.knots_mm), knots), device=device) for each in models]
        prior = [
            _padded_prior(each, slot, len(longest.mean)) for each, slot in zip(models, slots, strict=True)
        ]
        patch_mm = torch.tensor([[each.patch_mm] for each in models], dtype=torch.float64, device=device)
        model = PathModel(
            StackedVessels.of(vessels, rows, owner),
            longest.knots_mm,
            _by_row([each.basis for each in models], owner),
            _by_row([each.slope for each in models], owner),
            _by_row([each.points for each in models], owner),
            _by_row([each.seen for each in models], owner),
            _by_row([each.centre for each in models], owner),
            _by_row([each.radius for each in models], owner),
            _by_row([each.patches for each in models], owner),
            torch.stack([precision for precision, _ in prior])[owner],
            torch.stack([mean for _, mean in prior])[owner],
            patch_mm[owner],
            models[0].null_mm,  # of the level, so that of all
            owner,
        )
        return cls(model, tuple(rows), tuple(slots))

    def joined(self, coefficients: Sequence[Tensor]) -> Tensor:
        """Coefficients (H, P) of the batch from those of each case, (H_c, P_c)."""
        whole = torch.zeros_like(self.model.mean)
        for part, slot, own in zip(whole.split_with_sizes(self.rows), self.slots, coefficients, strict=True):
            part[:, slot] = own
        return whole

    def parted(self, coefficients: Tensor) -> list[Tensor]:
        """Coefficients (H_c, P_c) of each case from those of the batch, (H, P)."""
        parts = zip(coefficients.split_with_sizes(self.rows), self.slots, strict=True)
        return [part[:, slot] for part, slot in parts]


def _own_vessel(model: PathModel) -> VesselTensors:
    if not isinstance(model.vessel, VesselTensors):
        msg = "a model whose rows are of several cases cannot be stacked again"
        raise ValueError(msg)
    return model.vessel


def _slot(own: int, knots: int) -> npt.NDArray[np.int64]:
    """Place (P,) of the coefficients of so many own knots among those of more knots."""
    functions = np.arange(FUNCTIONS)[:, None] * knots + np.arange(own)
    return np.append(functions.ravel(), FUNCTIONS * knots)


def _padded_prior(model: PathModel, slot: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Precision (P, P) and mean (P,) with a unit precision about 0 where a case has no coefficient."""
    precision = torch.eye(size, dtype=model.precision.dtype, device=model.precision.device)
    precision[slot[:, None], slot] = model.precision
    mean = model.mean.new_zeros(size)
    mean[slot] = model.mean
    return precision, mean


def _by_row(tensors: Sequence[Tensor], owner: Tensor) -> Tensor:
    """Tensors of cases, padded with zeros to one shape, one for each row."""
    shape = [max(sizes) for sizes in zip(*(each.shape for each in tensors), strict=True)]
    padded = tensors[0].new_zeros((len(tensors), *shape))
    for room, own in zip(padded, tensors, strict=True):
        room[tuple(slice(size) for size in own.shape)] = own
    return padded[owner]
