"""Damped Gauss-Newton on a batch of paths.

Gradients are exact, by automatic differentiation through the whole path; curvature is that of
Gauss-Newton with the saturated loss's own weights, assembled frame by frame. Each hypothesis has its
own damping and takes a step only if its cost falls. Rows of a batch may be of several cases: each
case stops for itself, so that it takes the steps that it would take alone.
"""

from __future__ import annotations

import torch
from torch import Tensor

from coreg.registration.guides import GuideTerm
from coreg.registration.path_model import FUNCTIONS, PathModel


def refine(
    model: PathModel,
    coefficients: Tensor,
    *,
    width_mm: float,
    iterations: int,
    tolerance: float = 0.005,
    guides: GuideTerm | None = None,
) -> tuple[Tensor, Tensor]:
    """Lower the cost of every path of a batch.

    Parameters
    ----------
    model : PathModel
        The level of detail.
    coefficients : (H, P) tensor
        Where to start.
    width_mm : float
        Distance at which the loss saturates.
    iterations : int
        At most so many steps.
    tolerance : float
        A case stops when none of its costs falls by more than this.
    guides : GuideTerm, optional
        What landmarks add to the cost.

    Returns
    -------
    coefficients : (H, P) tensor
        Lower or equal in cost.
    cost : (H,) tensor
        At the end.
    """
    damping = torch.full((len(coefficients),), 1e-3, dtype=torch.float64, device=coefficients.device)
    done = torch.zeros_like(damping, dtype=torch.bool)
    cost, gradient, curvature = _linearised(model, coefficients, width_mm, guides)
    for _ in range(iterations):
        diagonal = torch.diagonal(curvature, dim1=1, dim2=2)
        damped = curvature + torch.diag_embed(damping[:, None] * diagonal)
        # Unchecked, so that nothing waits for the device: a step that is no number lowers no cost.
        step = torch.linalg.solve_ex(damped, gradient[..., None])[0][..., 0]
        trial = coefficients - step
        # One pass gives the trial's cost and, if it is taken, the next linearisation.
        trial_cost, trial_gradient, trial_curvature = _linearised(model, trial, width_mm, guides)
        better = (trial_cost < cost) & ~done
        fall = torch.where(better, cost - trial_cost, torch.zeros_like(cost))
        coefficients = torch.where(better[:, None], trial, coefficients)
        gradient = torch.where(better[:, None], trial_gradient, gradient)
        curvature = torch.where(better[:, None, None], trial_curvature, curvature)
        cost = torch.where(better, trial_cost, cost)
        damping = torch.where(better, (damping * 0.2).clamp_min(1e-6), (damping * 8.0).clamp_max(1e6))
        done = done | _with_all_others((fall < tolerance) & (better | (damping > 1e3)), model.owner)
        if bool(done.all()):
            break
    return coefficients, cost


def _with_all_others(settled: Tensor, owner: Tensor | None) -> Tensor:
    """Whether a row and all others of its case are settled, (H,)."""
    if owner is None:
        return settled.all().expand_as(settled)
    waiting = torch.zeros_like(owner).index_add(0, owner, (~settled).to(owner.dtype))
    return (waiting == 0)[owner]


def posterior_covariance(
    model: PathModel, coefficients: Tensor, *, width_mm: float, guides: GuideTerm | None = None
) -> Tensor:
    """Inverse curvature (H, P, P) at a minimum: Laplace's approximation."""
    return torch.linalg.inv(_linearised(model, coefficients, width_mm, guides)[2])


def _weights(model: PathModel, functions: Tensor, residuals: Tensor, width_mm: float) -> Tensor:
    """Gauss-Newton weight (H, M, K) of each residual under the saturated loss."""
    weight = torch.exp(-0.5 * (residuals / width_mm) ** 2).to(torch.float64)
    weight = weight * (model.seen | (residuals > 0.0))
    counts = model.gate(functions[:, 0]) * model.patches / model.patch_mm**2
    return weight * counts[..., None] / residuals.shape[-1]


def _linearised(
    model: PathModel, coefficients: Tensor, width_mm: float, guides: GuideTerm | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Cost (H,), its gradient (H, P) and Gauss-Newton's curvature (H, P, P)."""
    variable = coefficients.detach().requires_grad_(True)
    with torch.enable_grad():
        functions = model.functions(variable)
        residuals, origin, column, row = model.residuals(variable, functions)
        misfit = model.misfit(residuals, width_mm)
        cost = model.cost_of(variable, functions, misfit)
        (gradient,) = torch.autograd.grad(cost.sum(), variable)
    with torch.no_grad():
        weight = _weights(model, functions, residuals, width_mm)
    jacobian = _frame_jacobian(model, functions.detach(), origin.detach(), column.detach(), row.detach())
    blocks = torch.einsum("hmka,hmk,hmkb->habm", jacobian, weight, jacobian)
    data = cost.detach(), gradient.detach(), _assembled(model, blocks) + model.precision
    if guides is None:
        return data
    own = guides.linearised(coefficients)
    return data[0] + own[0], data[1] + own[1], data[2] + own[2]


def _frame_jacobian(
    model: PathModel, functions: Tensor, origin: Tensor, column: Tensor, row: Tensor
) -> Tensor:
    """Change (H, M, K, 6) of residuals with each frame's own five numbers and the radius scale."""
    x, y = model.points[..., :1], model.points[..., 1:]
    world = origin[:, :, None] + x * column[:, :, None] + y * row[:, :, None]
    world = world.requires_grad_(True)
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(model.vessel.distance_at(world).sum(), world)
    _, normal, binormal, tangent = model.vessel.at(functions[:, 0])
    cx, cy = model.centre[..., None, :1], model.centre[..., None, 1:]
    turning = (x - cx) * row[:, :, None] - (y - cy) * column[:, :, None]
    parts = [
        torch.einsum("hmkc,hmc->hmk", slope, tangent),
        (slope * turning).sum(dim=-1),
        torch.einsum("hmkc,hmc->hmk", slope, normal),
        torch.einsum("hmkc,hmc->hmk", slope, binormal),
        torch.ones_like(slope[..., 0]),
        model.radius[..., None].expand(slope.shape[:-1]),
    ]
    return torch.stack(parts, dim=-1)


def _assembled(model: PathModel, blocks: Tensor) -> Tensor:
    """Curvature (H, P, P) by coefficient from curvature (H, 6, 6, M) by frame."""
    batch, knots = len(blocks), model.basis.shape[-1]
    inner = FUNCTIONS * knots
    first, second, products = model.overlaps
    full = blocks.new_zeros((batch, inner + 1, inner + 1))
    core = blocks.new_zeros((batch, FUNCTIONS, knots, FUNCTIONS, knots))
    pairs = blocks[:, :FUNCTIONS, :FUNCTIONS].reshape(batch, FUNCTIONS**2, -1) @ products
    core[:, :, first, :, second] = pairs.permute(2, 0, 1).reshape(-1, batch, FUNCTIONS, FUNCTIONS)
    full[:, :inner, :inner] = core.reshape(batch, inner, inner)
    edge = (blocks[:, :FUNCTIONS, FUNCTIONS] @ model.basis).reshape(batch, inner)
    full[:, :inner, -1] = edge
    full[:, -1, :inner] = edge
    full[:, -1, -1] = blocks[:, FUNCTIONS, FUNCTIONS].sum(dim=-1)
    return full
