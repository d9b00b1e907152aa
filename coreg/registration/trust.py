"""How far a registration is to be trusted, frame by frame and as a whole, in plain words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from coreg.pullback import Pullback
from coreg.registration.observations import Observations
from coreg.registration.path_model import FUNCTIONS
from coreg.registration.refine import posterior_covariance
from coreg.registration.search import Candidates, Level
from coreg.registration.motion_prior import spline_basis
from coreg.result import Verdict

FloatArray = npt.NDArray[np.float64]

MISFIT_MM = 0.6
ROUND_RAD = np.radians(15.0)
VAGUE_MM = 1.5
FAR_MM = 3.0


@dataclass(frozen=True, eq=False)
class FrameEvidence:
    """What is known of each row of the pullback.

    Attributes
    ----------
    arc_length_mm : (N,) array
        Found.
    arc_length_sd_mm, rotation_sd_rad : (N,) arrays
        By Laplace's approximation: a scale for what is vague, not a calibrated interval.
    residual_mm : (N,) array
        Root-mean-square distance between the lumens; NaN where there is no contour.
    """

    arc_length_mm: FloatArray
    arc_length_sd_mm: FloatArray
    rotation_sd_rad: FloatArray
    residual_mm: FloatArray


@dataclass(frozen=True)
class Whole:
    """What a verdict looks at.

    Attributes
    ----------
    margin : float
        Cost of the runner-up over the winner's, minus 1.
    mirror_margin : float
        Cost of the best mirrored placement over the winner's, minus 1.
    median_residual_mm : float
        Over the frames with a say.
    inside_share : float
        Of the frames with a say, those within the vessel.
    trusted_share : float
        Of the frames with a say within the vessel, those found reliable.
    turned_share : float
        Of the same, those whose rotation the lumen determines.
    stretch : float
        Vessel mm per pullback mm, over the whole.
    twist_deg_per_mm : float
        Of the image against the vessel, over the whole.
    radius_scale : float
        CCTA over pullback.
    """

    margin: float
    mirror_margin: float
    median_residual_mm: float
    inside_share: float
    trusted_share: float
    turned_share: float
    stretch: float
    twist_deg_per_mm: float
    radius_scale: float


def frame_sd(candidates: Candidates, depth_mm: FloatArray, level: Level) -> tuple[FloatArray, FloatArray]:
    """Standard deviations (N,) of the winner's arc length in mm and rotation in rad, at depths (N,)."""
    model = candidates.model
    covariance = posterior_covariance(model, candidates.coefficients[:1], width_mm=level.width_mm)[0]
    knots = len(model.knots_mm)
    blocks = covariance[:-1, :-1].reshape(FUNCTIONS, knots, FUNCTIONS, knots)
    basis = torch.as_tensor(spline_basis(depth_mm, model.knots_mm), dtype=blocks.dtype, device=blocks.device)
    arc_length, rotation = (
        torch.einsum("nj,jk,nk->n", basis, blocks[i, :, i], basis).clamp_min(0.0).sqrt().cpu().numpy()
        for i in (0, 1)
    )
    return arc_length, rotation


def frame_reasons(
    pullback: Pullback, seen: Observations, evidence: FrameEvidence, *, first_mm: float, last_mm: float
) -> tuple[npt.NDArray[np.bool_], tuple[str, ...]]:
    """Say which frames have a pose and why a frame is not reliable.

    Parameters
    ----------
    pullback : Pullback
        All frames.
    seen : Observations
        Those with a say.
    evidence : FrameEvidence
        Per frame.
    first_mm, last_mm : float
        Arc lengths between which the CCTA shows the vessel.

    Returns
    -------
    posed : (N,) bool array
        False for frames beyond the CCTA's vessel.
    reason : tuple of str
        Empty for reliable frames.
    """
    s = evidence.arc_length_mm
    has_say = np.isin(np.arange(len(pullback)), seen.row)
    depth = pullback.position_mm.max() - pullback.position_mm
    gap = np.abs(depth[:, None] - seen.depth_mm[None, :]).min(axis=1)
    posed = (s > first_mm - FAR_MM) & (s < last_mm + FAR_MM)
    reasons = []
    for i, frame in enumerate(pullback.frame.tolist()):
        if s[i] < first_mm:
            reasons.append("before the vessel: aorta or guide catheter")
        elif s[i] > last_mm:
            reasons.append("beyond the distal end of the CCTA's vessel")
        elif frame in pullback.excluded:
            reasons.append(f"excluded: {pullback.excluded[frame]}; interpolated")
        elif not has_say[i]:
            far = f", {gap[i]:.1f} mm from the nearest" if gap[i] > 2.0 else ""
            reasons.append(f"no contour{far}; interpolated")
        elif evidence.residual_mm[i] > MISFIT_MM:
            reasons.append(f"the lumens differ by {evidence.residual_mm[i]:.1f} mm")
        elif evidence.arc_length_sd_mm[i] > VAGUE_MM:
            reasons.append("the place along the vessel is not determined: the lumen hardly changes here")
        elif evidence.rotation_sd_rad[i] > ROUND_RAD:
            reasons.append("the rotation is not determined: the lumen is round here")
        else:
            reasons.append("")
    return posed, tuple(reasons)


def judge(whole: Whole) -> tuple[Verdict, tuple[str, ...]]:
    """Give a verdict by stated rules, with the reasons."""
    failed = []
    if whole.median_residual_mm > MISFIT_MM:
        failed.append(
            f"The lumens do not match: they differ by {whole.median_residual_mm:.2f} mm in the median frame."
        )
    if whole.trusted_share < 0.2:
        failed.append(f"Only {whole.trusted_share:.0%} of the frames in the vessel are reliable.")
    if failed:
        return "failed", tuple(failed)
    review = []
    if whole.mirror_margin < 0.0:
        review.append(
            "The mirror image fits better than the view that the case states: check pullback.view, or whether "
            "the images were flipped on export."
        )
    elif whole.mirror_margin < 0.1:
        review.append(
            f"The mirror image fits nearly as well ({whole.mirror_margin:+.0%} in cost): the lumen does not confirm "
            "the viewing direction."
        )
    if whole.margin < 0.1:
        review.append(f"Another placement fits nearly as well ({whole.margin:+.0%} in cost).")
    if whole.median_residual_mm > 0.35:
        review.append(f"The lumens differ by {whole.median_residual_mm:.2f} mm in the median frame.")
    if whole.inside_share < 0.7:
        review.append(f"Only {whole.inside_share:.0%} of the outlined frames lie in the CCTA's vessel.")
    if whole.trusted_share < 0.7:
        review.append(f"Only {whole.trusted_share:.0%} of the frames in the vessel are reliable.")
    if whole.turned_share < 0.7:
        review.append(
            f"The rotation is determined in only {whole.turned_share:.0%} of the frames: the lumen is round elsewhere."
        )
    if not 0.8 < whole.stretch < 1.25:
        review.append(
            f"The pullback would have been stretched by {whole.stretch:.2f}: check the frame spacing."
        )
    if abs(whole.twist_deg_per_mm) > 4.0:
        review.append(
            f"The image would turn by {whole.twist_deg_per_mm:.1f} degrees per mm, more than catheters do."
        )
    if not 0.8 < whole.radius_scale < 1.25:
        review.append(
            f"CCTA radii are {whole.radius_scale:.2f} times those of the pullback: check the pixel spacing."
        )
    return ("review", tuple(review)) if review else ("good", ())
