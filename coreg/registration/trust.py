"""How far a registration is to be trusted, frame by frame and as a whole, in plain words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coreg.catheter_path import BEFORE_VESSEL, BEYOND_VESSEL
from coreg.pullback import Pullback
from coreg.registration.motion_prior import spline_basis
from coreg.registration.observations import Observations
from coreg.registration.refine import posterior_covariance
from coreg.registration.search import Candidates, Level
from coreg.registration.vessel import ANGLES, Vessel, capped_profile
from coreg.result import Verdict

FloatArray = npt.NDArray[np.float64]

MISFIT_MM = 0.6
DIFFERENT_MM = 0.4
# Lead in cost over other placements. Lumens that fit less well need more: so fit another patient's.
CLEAR, CLEARER, ALIKE_MM = 0.1, 0.2, 0.18
ROUND_RAD = np.radians(25.0)
NEAR_MM = 4.0
SHAPE_SD_MM = 0.15
SHAPE_HARMONICS = 8
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
        Scales for what is vague, not calibrated intervals; NaN where there is no contour.
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
    backward_margin, swapped_margin : float
        The same of the frames in reverse order, and of a centerline that runs the wrong way; infinite
        where there was no reason to try.
    differing_share : float
        Of the frames with a say within the vessel, those whose lumens are `DIFFERENT_MM` apart or more.
    runner_up : str
        How the second placement differs from the winner.
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
    backward_margin: float = float("inf")
    swapped_margin: float = float("inf")
    differing_share: float = 0.0
    runner_up: str = ""


def place_and_turn_sd(candidates: Candidates, depth_mm: FloatArray, level: Level) -> FloatArray:
    """Standard deviations (2, N) of the winner's arc length (mm) and rotation (rad) at depths (N,).

    By Laplace's approximation: the inverse curvature of the cost at its minimum, landmarks that guide
    included. It knows nothing of other minima.
    """
    model = candidates.model
    posterior = posterior_covariance(
        model, candidates.coefficients[:1], width_mm=level.width_mm, guides=candidates.guides
    )
    covariance = posterior[0].cpu().numpy()
    basis, knots = spline_basis(depth_mm, model.knots_mm), len(model.knots_mm)
    blocks = [covariance[k * knots : (k + 1) * knots, k * knots : (k + 1) * knots] for k in (0, 1)]
    return np.sqrt(np.maximum([np.einsum("nj,jk,nk->n", basis, each, basis) for each in blocks], 0.0))


def sd_of_no_knowledge(*, first_mm: float, last_mm: float) -> FloatArray:
    """Standard deviations (2,) of a place anywhere between two, in mm, and of any rotation, in rad.

    Those of even spreads: a place in the vessel and an angle can be no less known.
    """
    return np.array([last_mm - first_mm, 2.0 * np.pi]) / np.sqrt(12.0)


def shape_rotation_sd(vessel: Vessel, seen: Observations, functions: FloatArray) -> FloatArray:
    """How far the lumens themselves leave the rotation open, in rad, shape (M,), for the frames with a say.

    The information on an angle is the slope of the radius over that angle, squared: here the product of
    both modalities' slopes, since only shape that both show can be matched. It is summed over the
    frames within `NEAR_MM`. A belief in steady rotation carries over round stretches, but is no
    measurement there.

    Parameters
    ----------
    vessel : Vessel
        CCTA side.
    seen : Observations
        Pullback side.
    functions : (5, M) array
        Arc length, rotation and so on of those frames.
    """
    step = float(vessel.arc_length_mm[1] - vessel.arc_length_mm[0])
    place = np.rint((functions[0] - vessel.arc_length_mm[0]) / step).astype(int)
    theirs = _slope(vessel.profile_mm[np.clip(place, 0, len(vessel.arc_length_mm) - 1)])
    turn = np.rint(functions[1] * ANGLES / (2.0 * np.pi)).astype(int)
    angle = (np.arange(ANGLES) + turn[:, None]) % ANGLES
    shared = (_slope(seen.profile_mm) * np.take_along_axis(theirs, angle, axis=1)).mean(axis=1)
    information = shared * seen.patches / SHAPE_SD_MM**2
    near = np.abs(seen.depth_mm[:, None] - seen.depth_mm[None, :]) <= NEAR_MM
    return 1.0 / np.sqrt(np.maximum(near @ information, 0.1))


def _slope(profile_mm: FloatArray) -> FloatArray:
    """Derivative (M, ANGLES) of radii by angle, of their low harmonics only."""
    spectrum = np.fft.rfft(capped_profile(profile_mm, ratio=1.6), axis=1)
    order = np.arange(spectrum.shape[1])
    return np.fft.irfft(np.where(order <= SHAPE_HARMONICS, 1j * order * spectrum, 0.0), n=ANGLES, axis=1)


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
            reasons.append(BEFORE_VESSEL)
        elif s[i] > last_mm:
            reasons.append(BEYOND_VESSEL)
        elif frame in pullback.excluded:
            reasons.append(f"excluded: {pullback.excluded[frame]}; {_between(depth[i], seen)}")
        elif not has_say[i]:
            far = f", {gap[i]:.1f} mm from the nearest" if gap[i] > 2.0 else ""
            reasons.append(f"no contour{far}; {_between(depth[i], seen)}")
        elif evidence.residual_mm[i] > MISFIT_MM:
            reasons.append(f"the lumens differ by {evidence.residual_mm[i]:.1f} mm")
        elif evidence.arc_length_sd_mm[i] > VAGUE_MM:
            reasons.append("the place along the vessel is not determined: the lumen hardly changes here")
        elif evidence.rotation_sd_rad[i] > ROUND_RAD:
            reasons.append("the rotation is not determined: the lumen is round here")
        else:
            reasons.append("")
    return posed, tuple(reasons)


def _between(depth_mm: float, seen: Observations) -> str:
    """How a frame without a say got its pose."""
    within = seen.depth_mm.min() <= depth_mm <= seen.depth_mm.max()
    return "interpolated" if within else "extrapolated along the usual pullback"


def judge(whole: Whole) -> tuple[Verdict, tuple[str, ...]]:
    """Give a verdict by stated rules, with the reasons."""
    if whole.inside_share == 0.0:
        return "failed", ("None of the outlined frames lies in the CCTA's vessel.",)
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
    alike = whole.median_residual_mm <= ALIKE_MM
    clear = CLEAR if alike else CLEARER
    unlike = "" if alike else f", in lumens {whole.median_residual_mm:.2f} mm apart"
    otherwise = min(whole.mirror_margin, whole.backward_margin, whole.swapped_margin)
    if otherwise < 0.0 and otherwise == whole.backward_margin:
        review.append("The frames fit better in reverse order: check pullback.first_frame and the positions.")
    elif otherwise < 0.0 and otherwise == whole.swapped_margin:
        review.append(
            "The pullback fits better with the vessel the other way round: check that the centerline runs "
            "from ostium to distal end, and that ccta.ostium and ccta.distal are not swapped."
        )
    elif whole.mirror_margin < 0.0:
        review.append(
            "The mirror image fits better than the view that the case states: check pullback.view, and "
            "whether the images were flipped on export."
        )
    elif whole.mirror_margin < clear:
        review.append(
            f"The mirror image fits nearly as well ({whole.mirror_margin:+.0%} in cost{unlike}): the lumen "
            "does not confirm the viewing direction."
        )
    if whole.margin < clear:
        which = f": {whole.runner_up}" if whole.runner_up else ""
        review.append(f"Another placement fits nearly as well ({whole.margin:+.0%} in cost{unlike}){which}.")
    if whole.median_residual_mm > 0.35:
        review.append(f"The lumens differ by {whole.median_residual_mm:.2f} mm in the median frame.")
    elif whole.differing_share > 0.1:
        review.append(
            f"In {whole.differing_share:.0%} of the frames the lumens are {DIFFERENT_MM:g} mm apart or more."
        )
    if whole.inside_share < 0.7:
        review.append(f"Only {whole.inside_share:.0%} of the outlined frames lie in the CCTA's vessel.")
    if whole.trusted_share < 0.7:
        review.append(f"Only {whole.trusted_share:.0%} of the frames in the vessel are reliable.")
    if whole.turned_share < 0.7:
        review.append(
            f"The lumen determines the rotation in only {whole.turned_share:.0%} of the frames; it is round "
            "elsewhere."
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
