"""Paired landmarks as guides: where the frame of each should lie, and how it should be turned.

Residuals are those by which a registration is measured at landmarks (`coreg.validation`): how far the
CCTA's point lies off the plane of the annotated frame, and its direction about the catheter there
against the annotated angle. Both are in units of what a reader and the CCTA may be off, under a loss
that no single pair can raise without bound (Geman and McClure 1985), so that a wrong pair loses its
say. Locked guides have a square loss and hardly any room.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from coreg.catheter_path import fractional_rows
from coreg.landmarks import Landmark
from coreg.pullback import Pullback
from coreg.registration.motion_prior import spline_basis
from coreg.registration.observations import Observations
from coreg.registration.path_model import FUNCTIONS, PathModel, across, leaning_poses, slope_operator

FloatArray = npt.NDArray[np.float64]

# How far a reader's point in the CCTA, frame and angle are usually off.
CCTA_SD_MM = 0.3
FRAME_SD_MM = 0.3
TURN_SD_RAD = np.radians(5.0)
LOCKED_SD_MM = 0.05
LOCKED_SD_RAD = np.radians(0.5)
# In standard deviations; half its square is what a residual can cost at most: the log odds of a pair
# that fits to one that is wrong in 20 and then lies anywhere along some 60 mm of vessel.
BOUND = 3.5
NEAREST_WALL_MM = 0.5


@dataclass(frozen=True, eq=False)
class Guide:
    """A paired landmark, in the terms of a pullback seen looking distally.

    Attributes
    ----------
    id : str
        Of the landmark.
    depth_mm : float
        Of the annotated frame, which may lie between two.
    world_mm : (3,) array
        In the CCTA, LPS.
    centre_mm : (2,) array
        Middle of the lumen at that depth, mm from the catheter.
    angle_rad : float
        About the catheter; NaN where only the frame was annotated.
    wall_mm : float
        Distance of the point from the catheter, as annotated or as far as the wall.
    place_sd_mm, turn_sd_rad : float
        How far the pair may be off.
    locked : bool
        Whether the result has to meet it.
    """

    id: str
    depth_mm: float
    world_mm: FloatArray
    centre_mm: FloatArray
    angle_rad: float
    wall_mm: float
    place_sd_mm: float
    turn_sd_rad: float
    locked: bool

    def mirrored(self) -> Guide:
        """Return it as the mirror image of the pullback would have it."""
        return replace(self, centre_mm=self.centre_mm * np.array([1.0, -1.0]), angle_rad=-self.angle_rad)

    def reversed(self, length_mm: float) -> Guide:
        """Return it as the pullback from its other end would have it."""
        return replace(self, depth_mm=length_mm - self.depth_mm)


def guides_of(landmarks: Sequence[Landmark], pullback: Pullback, seen: Observations) -> tuple[Guide, ...]:
    """Make guides of the landmarks that have both halves and a frame in the pullback.

    Parameters
    ----------
    landmarks : sequence of Landmark
        As read.
    pullback : Pullback
        Whose frames they name.
    seen : Observations
        Its lumens.
    """
    paired = [each for each in landmarks if each.paired]
    rows = fractional_rows(pullback.frame, np.array([each.frame for each in paired], dtype=np.float64))
    return tuple(
        _guide(each, float(row), pullback, seen)
        for each, row in zip(paired, rows, strict=True)
        if np.isfinite(row)
    )


def _guide(landmark: Landmark, row: float, pullback: Pullback, seen: Observations) -> Guide:
    position = np.interp(row, np.arange(len(pullback)), pullback.position_mm)
    depth = float(pullback.position_mm.max() - position)
    centre = np.array([np.interp(depth, seen.depth_mm, each) for each in seen.centre_mm.T])
    angle = np.nan if landmark.angle_rad is None else landmark.angle_rad
    angle = -angle if pullback.view == "looking-proximal" else angle
    radius = float(np.interp(depth, seen.depth_mm, seen.radius_mm))
    wall = _wall_mm(centre, angle, radius) if landmark.radius_mm is None else landmark.radius_mm
    wall = max(wall, NEAREST_WALL_MM)
    frame_sd = FRAME_SD_MM if landmark.sd_frames is None else landmark.sd_frames * _pitch_mm(pullback, row)
    turn_sd = TURN_SD_RAD if landmark.sd_rad is None else landmark.sd_rad
    return Guide(
        landmark.id,
        depth,
        np.asarray(landmark.world_mm, dtype=np.float64),
        centre,
        float(angle),
        wall,
        float(np.hypot(frame_sd, CCTA_SD_MM)),
        float(np.hypot(turn_sd, CCTA_SD_MM / wall)),
        landmark.locked,
    )


def _wall_mm(centre_mm: FloatArray, angle_rad: float, radius_mm: float) -> float:
    """Distance of a round wall from the catheter in a direction; the radius where there is none."""
    if not np.isfinite(angle_rad):
        return radius_mm
    ray = np.array([np.cos(angle_rad), np.sin(angle_rad)])
    beside = ray[0] * centre_mm[1] - ray[1] * centre_mm[0]
    return float(centre_mm @ ray + np.sqrt(max(radius_mm**2 - beside**2, 0.0)))


def _pitch_mm(pullback: Pullback, row: float) -> float:
    """Withdrawal per acquired frame around a fractional row."""
    low = max(0, int(np.floor(row)) - 1)
    high = min(len(pullback) - 1, int(np.ceil(row)) + 1)
    frames = abs(int(pullback.frame[high] - pullback.frame[low]))
    return float(abs(pullback.position_mm[high] - pullback.position_mm[low]) / max(frames, 1))


@dataclass(frozen=True, eq=False)
class GuideTerm:
    """What guides add to the cost of a path model's paths.

    Attributes
    ----------
    model : PathModel
        The level.
    basis : (G, J) tensor
        The model's splines at the guides' depths.
    slope : (G, M) tensor
        Takes values at the model's frames to their derivative by depth at the guides.
    centre, world : (G, 2), (G, 3) tensors
        Lumen centres in the image, and points in the CCTA, mm.
    angle : (G,) tensor
        Directions in rad; 0 where there is none.
    sd, tightness, counts : (G, 2) tensors
        Of place (mm) and direction (rad): standard deviation, how far it is bounded (0 for not at
        all), and whether it was annotated.
    """

    model: PathModel
    basis: Tensor
    slope: Tensor
    centre: Tensor
    world: Tensor
    angle: Tensor
    sd: Tensor
    tightness: Tensor
    counts: Tensor

    @classmethod
    def build(cls, model: PathModel, guides: Sequence[Guide], *, slack: float) -> GuideTerm:
        """Let guides have a say on a level, with ``slack`` times their standard deviations."""
        depth = np.array([each.depth_mm for each in guides])
        angle = np.array([each.angle_rad for each in guides])
        locked = np.array([each.locked for each in guides])
        usual = np.array([(each.place_sd_mm, each.turn_sd_rad) for each in guides]) * slack
        sd = np.where(locked[:, None], (LOCKED_SD_MM, LOCKED_SD_RAD), usual)
        tightness = np.repeat(~locked[:, None] / BOUND**2, 2, axis=1)
        counts = np.stack([np.ones(len(depth)), np.isfinite(angle)], axis=1)
        # Straight lines have straight coefficients: this is the depth of the model's own frames.
        frames = model.basis.cpu().numpy() @ model.knots_mm

        def tensor(array: npt.ArrayLike) -> Tensor:
            return torch.as_tensor(np.array(array), dtype=torch.float64, device=model.basis.device)

        return cls(
            model,
            tensor(spline_basis(depth, model.knots_mm)),
            tensor(slope_operator(frames, at_mm=depth)),
            tensor([each.centre_mm for each in guides]),
            tensor([each.world_mm for each in guides]),
            tensor(np.nan_to_num(angle)),
            tensor(sd),
            tensor(tightness),
            tensor(counts),
        )

    def residuals(self, coefficients: Tensor) -> Tensor:
        """How far guides are off (H, G, 2), in standard deviations: place, then direction."""
        return self._residuals_of(self._inputs(coefficients))

    def cost(self, coefficients: Tensor) -> Tensor:
        """Negative log likelihood (H,) of the guides but for a constant."""
        return self._cost_of(self.residuals(coefficients))

    def linearised(self, coefficients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Cost (H,), its gradient (H, P) and Gauss-Newton's curvature (H, P, P)."""
        inputs = self._inputs(coefficients.detach()).requires_grad_(True)
        with torch.enable_grad():
            residuals = self._residuals_of(inputs)
            by_input = [
                torch.autograd.grad(residuals[..., k].sum(), inputs, retain_graph=k == 0)[0] for k in (0, 1)
            ]
        residuals = residuals.detach()
        jacobian = torch.stack(by_input, dim=2) @ self._input_jacobian(coefficients.detach())
        weight = 1.0 / (1.0 + self.tightness * residuals**2) ** 2
        gradient = torch.einsum("hgrp,hgr->hp", jacobian, weight * residuals)
        scaled = (weight.sqrt()[..., None] * jacobian).flatten(1, 2)
        return self._cost_of(residuals), gradient, scaled.mT @ scaled

    def _inputs(self, coefficients: Tensor) -> Tensor:
        """What the poses of guides' frames depend on, (H, G, 6).

        Arc length, rotation, the lumen's offsets along normal and binormal, and how the catheter leans.
        """
        own = coefficients[:, :-1].reshape(len(coefficients), FUNCTIONS, -1) @ self.basis.T
        _, rotation, *along, _ = self.model.functions(coefficients).unbind(dim=1)
        u, v = across((along[0], along[1]), (torch.cos(rotation), torch.sin(rotation)), self.model.centre)
        return torch.stack([*own[:, :4].unbind(dim=1), u @ self.slope.T, v @ self.slope.T], dim=-1)

    def _input_jacobian(self, coefficients: Tensor) -> Tensor:
        """Change (H, G, 6, P) of the inputs with the coefficients."""
        (count, knots), batch = self.basis.shape, len(coefficients)
        change = coefficients.new_zeros((batch, count, 6, FUNCTIONS + 1, knots))
        for k in range(4):
            change[:, :, k, k] = self.basis
        rotation = self.model.functions(coefficients)[:, 1]
        cosine, sine = torch.cos(rotation), torch.sin(rotation)
        x, y = self.model.centre.T
        for k, turning in ((0, sine * x + cosine * y), (1, sine * y - cosine * x)):
            change[:, :, 4 + k, 1] = (self.slope * turning[:, None]) @ self.model.basis
            change[:, :, 4 + k, 2 + k] = self.slope @ self.model.basis
        # The radius scale is the only coefficient beside the splines'.
        return change.flatten(3)[..., : FUNCTIONS * knots + 1]

    def _residuals_of(self, inputs: Tensor) -> Tensor:
        arc_length, rotation, along_normal, along_binormal, *slope = inputs.unbind(dim=-1)
        facing = torch.cos(rotation), torch.sin(rotation)
        off = across((along_normal, along_binormal), facing, self.centre)
        origin, column, row = leaning_poses(
            self.model.vessel.at(arc_length), facing, off, (slope[0], slope[1])
        )
        away = self.world - origin
        x, y = (away * column).sum(dim=-1), (away * row).sum(dim=-1)
        ahead = (away * torch.linalg.cross(column, row)).sum(dim=-1)
        turn = torch.remainder(torch.atan2(y, x) - self.angle + torch.pi, 2.0 * torch.pi) - torch.pi
        return torch.stack([ahead, turn], dim=-1) * self.counts / self.sd

    def _cost_of(self, residuals: Tensor) -> Tensor:
        square = residuals**2
        return (0.5 * square / (1.0 + self.tightness * square)).sum(dim=(1, 2))
