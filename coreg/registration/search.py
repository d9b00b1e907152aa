"""From many starts to the path of least cost, coarse to fine.

The cost of a rigid placement does not tell the right one; the cost after refinement does. So many
distinct starts are refined together, cheaply first, each with its 180-degree flip. Those of several
cases can be refined as one batch.
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
from coreg.registration.stacked import Stack
from coreg.settings import RegistrationSettings

FloatArray = npt.NDArray[np.float64]

FLIPPED = 8
TOLERANCE = 0.005


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
# Last, the walls are believed more: where the place is known to a millimetre, they cannot mislead by more.
SHARP = replace(FINE, name="sharp", width_mm=0.25, iterations=8, keep=1)
SHARP_TRUST = 3.0
# Nowhere costs less then, so that the vessel's ends draw frames in no more than before.
SHARP_NULL_MM = 0.1


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


@dataclass(frozen=True, eq=False)
class Paths:
    """Paths of one case that are to be refined.

    Attributes
    ----------
    model : PathModel
        The level they are on.
    coefficients : (H, P) tensor
        Where they start.
    frames : int
        How many frames have a say.
    guides : sequence of Guide
        Landmarks that have a say too.
    """

    model: PathModel
    coefficients: Tensor
    frames: int
    guides: Sequence[Guide] = ()


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
    model = level_model(vessel, seen, settings, level)
    return refined([started(model, seen, starts, guides=guides)], level)[0]


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
    model = level_model(vessel, seen, settings, level)
    return refined([carried(candidates, model, seen, guides=guides)], level)[0]


def refined_on(
    model: PathModel,
    coefficients: Tensor,
    seen: Observations,
    level: Level,
    guides: Sequence[Guide],
    *,
    tolerance: float = TOLERANCE,
) -> Candidates:
    """Refine coefficients (H, P) of a level's model, and keep the best distinct ones."""
    return refined([Paths(model, coefficients, len(seen.row), guides)], level, tolerance=tolerance)[0]


def started(
    model: PathModel, seen: Observations, starts: Sequence[Start], *, guides: Sequence[Guide] = ()
) -> Paths:
    """Rigid starts as paths of a model."""
    length = float(seen.depth_mm.max())
    table = np.stack([coefficients_of_start(model, start, length) for start in starts])
    coefficients = torch.as_tensor(table, dtype=torch.float64, device=model.basis.device)
    return Paths(model, coefficients, len(seen.row), guides)


def carried(
    candidates: Candidates, model: PathModel, seen: Observations, *, guides: Sequence[Guide] = ()
) -> Paths:
    """Candidates as paths of another level's model."""
    coefficients = carried_over(candidates.coefficients, candidates.model, model)
    return Paths(model, coefficients, len(seen.row), guides)


def refined(paths: Sequence[Paths], level: Level, *, tolerance: float = TOLERANCE) -> list[Candidates]:
    """Refine the paths of several cases on a level, and keep each case's best distinct ones.

    Parameters
    ----------
    paths : sequence of Paths
        Of each case, all on that level. They are refined as one batch, unless landmarks guide any.
    level : Level
        How far.
    tolerance : float
        A case stops when none of its costs falls by more than this.
    """
    if len(paths) < 2 or any(each.guides for each in paths):
        return [_refined_alone(each, level, tolerance) for each in paths]
    stack = Stack.of([each.model for each in paths], [len(each.coefficients) for each in paths])
    coefficients, cost = refine(
        stack.model,
        stack.joined([each.coefficients for each in paths]),
        width_mm=level.width_mm,
        iterations=level.iterations,
        tolerance=tolerance,
    )
    parts = zip(paths, stack.parted(coefficients), cost.split_with_sizes(stack.rows), strict=True)
    return [_kept(each, own, own_cost, level) for each, own, own_cost in parts]


def _refined_alone(paths: Paths, level: Level, tolerance: float) -> Candidates:
    term = GuideTerm.build(paths.model, paths.guides, slack=level.slack) if paths.guides else None
    coefficients, cost = refine(
        paths.model,
        paths.coefficients,
        width_mm=level.width_mm,
        iterations=level.iterations,
        tolerance=tolerance,
        guides=term,
    )
    return _kept(paths, coefficients, cost, level, term)


def _kept(
    paths: Paths, coefficients: Tensor, cost: Tensor, level: Level, term: GuideTerm | None = None
) -> Candidates:
    """Keep the best distinct ones of refined coefficients (H, P) with costs (H,)."""
    order = torch.argsort(cost)
    coefficients, costs = coefficients[order], cost[order].cpu().numpy() / paths.frames
    chosen = _distinct(paths.model, coefficients, level.keep)
    kept = coefficients[torch.as_tensor(chosen, device=coefficients.device)]
    return Candidates(paths.model, kept, costs[chosen], term)


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


def sharpened(found: Candidates, frames: int, guides: Sequence[Guide] = ()) -> Paths:
    """Best path of the fine level, on a model that believes the walls `SHARP_TRUST` times as much."""
    model = replace(found.model, patches=SHARP_TRUST * found.model.patches, null_mm=SHARP_NULL_MM)
    return Paths(model, found.coefficients[:1], frames, guides)


def level_model(
    vessel: VesselTensors, seen: Observations, settings: RegistrationSettings, level: Level
) -> PathModel:
    """Return the model of a level."""
    return PathModel.build(
        vessel,
        seen,
        settings,
        knot_spacing_mm=level.knot_spacing_mm,
        frames=level.frames,
        points=level.points,
    )


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
