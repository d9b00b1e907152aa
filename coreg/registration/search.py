"""From many starts to the path of least cost, coarse to fine.

The cost of a rigid placement does not tell the right one; the cost after refinement does. So many
distinct starts are refined together, cheaply first, each with its 180-degree flip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from coreg.registration.global_start import DISTINCT_MM, DISTINCT_RAD, Start
from coreg.registration.guides import Guide, GuideTerm
from coreg.registration.motion_prior import spline_basis
from coreg.registration.observations import Observations
from coreg.registration.path_model import FUNCTIONS, PathModel, VesselTensors
from coreg.registration.refine import refine
from coreg.settings import RegistrationSettings

FloatArray = npt.NDArray[np.float64]

FLIPPED = 8


@dataclass(frozen=True)
class Level:
    """How fine a stage of the search is.

    Attributes
    ----------
    name : str
        In progress and reports.
    knot_spacing_mm : float
        Of the splines, along the pullback.
    frames, points : int
        About how many frames, and points on each contour.
    width_mm : float
        Where the loss saturates.
    iterations : int
        Of Gauss-Newton.
    keep : int
        Distinct hypotheses that go on.
    slack : float
        How many times farther than at the end guides may be off: coarse paths cannot follow the catheter.
    """

    name: str
    knot_spacing_mm: float
    frames: int
    points: int
    width_mm: float
    iterations: int
    keep: int
    slack: float = 1.0


COARSE = Level("coarse", 4.0, 100, 24, 0.8, 6, 8, slack=3.0)
MIDDLE = Level("middle", 2.0, 150, 24, 0.5, 8, 6, slack=1.5)
FINE = Level("fine", 1.0, 400, 48, 0.5, 15, 2)
# A few fine steps tell which of many are worth the rest.
AHEAD = replace(FINE, name="ahead", iterations=4)


@dataclass(frozen=True, eq=False)
class Candidates:
    """Refined hypotheses, best first.

    Attributes
    ----------
    model : PathModel
        The level they are on.
    coefficients : (H, P) tensor
        Of the splines.
    cost : (H,) array
        Negative log posterior per frame with a say.
    guides : GuideTerm or None
        What landmarks added to it.
    """

    model: PathModel
    coefficients: Tensor
    cost: FloatArray
    guides: GuideTerm | None = None

    def functions_at(self, depth_mm: FloatArray) -> FloatArray:
        """Functions (H, 5, N) of depths (N,)."""
        values = self.coefficients[:, :-1].reshape(len(self.coefficients), FUNCTIONS, -1).cpu().numpy()
        return values @ spline_basis(depth_mm, self.model.knots_mm).T

    @property
    def log_scale(self) -> FloatArray:
        """Relative radius scale, CCTA over pullback, shape (H,)."""
        return self.coefficients[:, -1].cpu().numpy()


def with_flips(starts: list[Start]) -> list[Start]:
    """Add the half turn of the best starts where the list does not hold it already."""
    extra = []
    for start in starts[:FLIPPED]:
        turned = start.rotation_rad + np.pi
        known = any(
            abs(other.arc_length_mm - start.arc_length_mm) < DISTINCT_MM
            and abs(wrapped(other.rotation_rad - turned)) < DISTINCT_RAD
            for other in starts
        )
        if not known:
            extra.append(replace(start, rotation_rad=float(turned)))
    return starts + extra


def from_starts(
    vessel: VesselTensors,
    seen: Observations,
    settings: RegistrationSettings,
    starts: list[Start],
    level: Level,
    *,
    guides: Sequence[Guide] = (),
) -> Candidates:
    """Refine rigid starts on a first level."""
    model = _model(vessel, seen, settings, level)
    length = float(seen.depth_mm.max())
    table = np.stack([coefficients_of_start(model, start, length) for start in starts])
    coefficients = torch.as_tensor(table, dtype=torch.float64, device=vessel.table.device)
    return refined_on(model, coefficients, seen, level, guides)


def on_level(
    candidates: Candidates,
    vessel: VesselTensors,
    seen: Observations,
    settings: RegistrationSettings,
    level: Level,
    *,
    guides: Sequence[Guide] = (),
) -> Candidates:
    """Refine candidates on a finer level."""
    model = _model(vessel, seen, settings, level)
    carried = carried_over(candidates.coefficients, candidates.model, model)
    return refined_on(model, carried, seen, level, guides)


def coefficients_of_start(model: PathModel, start: Start, length_mm: float) -> FloatArray:
    """Spline coefficients (P,) of a rigid placement: straight lines have straight coefficients."""
    knots = model.knots_mm
    arc_length = start.arc_length_mm + start.stretch * knots
    rotation = start.rotation_rad + start.twist_rad_per_mm * (knots - 0.5 * length_mm)
    return np.concatenate([arc_length, rotation, np.zeros((FUNCTIONS - 2) * len(knots)), [start.log_scale]])


def carried_over(coefficients: Tensor, coarse: PathModel, fine: PathModel) -> Tensor:
    """Coefficients of the same functions on another model's knots."""
    dense = np.linspace(fine.knots_mm[1], fine.knots_mm[-2], 4 * len(fine.knots_mm))
    to_values = spline_basis(dense, coarse.knots_mm)
    from_values = np.linalg.pinv(spline_basis(dense, fine.knots_mm))
    change = torch.as_tensor(from_values @ to_values, dtype=coefficients.dtype, device=coefficients.device)
    batch = len(coefficients)
    functions = coefficients[:, :-1].reshape(batch, FUNCTIONS, -1) @ change.T
    return torch.cat([functions.reshape(batch, -1), coefficients[:, -1:]], dim=1)


def wrapped(angle_rad: npt.ArrayLike) -> FloatArray:
    """Angle in (-pi, pi]."""
    return np.asarray(np.pi - (np.pi - np.asarray(angle_rad)) % (2.0 * np.pi))


def _model(
    vessel: VesselTensors, seen: Observations, settings: RegistrationSettings, level: Level
) -> PathModel:
    return PathModel.build(
        vessel,
        seen,
        settings,
        knot_spacing_mm=level.knot_spacing_mm,
        frames=level.frames,
        points=level.points,
    )


def refined_on(
    model: PathModel,
    coefficients: Tensor,
    seen: Observations,
    level: Level,
    guides: Sequence[Guide],
    *,
    tolerance: float = 0.005,
) -> Candidates:
    """Refine coefficients (H, P) of a level's model, and keep the best distinct ones."""
    term = GuideTerm.build(model, guides, slack=level.slack) if guides else None
    coefficients, cost = refine(
        model,
        coefficients,
        width_mm=level.width_mm,
        iterations=level.iterations,
        tolerance=tolerance,
        guides=term,
    )
    order = torch.argsort(cost)
    coefficients, costs = coefficients[order], cost[order].cpu().numpy() / len(seen.row)
    chosen = _distinct(model, coefficients, level.keep)
    kept = coefficients[torch.as_tensor(chosen, device=coefficients.device)]
    return Candidates(model, kept, costs[chosen], term)


def _distinct(model: PathModel, coefficients: Tensor, keep: int) -> list[int]:
    """Indices of the best hypotheses that did not run into a better one."""
    functions = model.functions(coefficients).cpu().numpy()
    chosen: list[int] = []
    for i in range(len(functions)):
        same = any(
            np.abs(functions[i, 0] - functions[j, 0]).mean() < 0.5 * DISTINCT_MM
            and np.abs(wrapped(functions[i, 1] - functions[j, 1])).mean() < DISTINCT_RAD
            for j in chosen
        )
        if not same:
            chosen.append(i)
        if len(chosen) == keep:
            break
    return chosen
