"""What kind of patient to make."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from coreg.phantom.ccta_settings import CctaSettings, ccta_preset
from coreg.pullback import Modality, View

Level = Literal["clean", "typical", "smooth", "hard"]
IvusAcquisition = Literal["gated", "motorized"]

MOST_FRAMES = 3000


@dataclass(frozen=True, kw_only=True)
class Anatomy:
    """Ranges from which an artery is drawn. Pairs are lowest and highest value.

    Attributes
    ----------
    branch_counts : pair
        Of side branches where the pullback runs.
    branches_elsewhere : bool
        Whether one more leaves before and one beyond that.
    taper_range : pair, optional
        Part of the radius that is lost from the ostium to the end; by default radii are drawn at
        both ends, which loses some 20 to 60 %.
    irregularity : float
        Factor on how far sections depart from circles, the calibre from its trend, and on the
        depth of stenoses.
    """

    branch_counts: tuple[int, int] = (4, 7)
    branches_elsewhere: bool = True
    taper_range: tuple[float, float] | None = None
    irregularity: float = 1.0


@dataclass(frozen=True, kw_only=True)
class LocalErrors:
    """What calcium and stents do to the CCTA's lumen label beside them.

    Attributes
    ----------
    disease : CctaSettings
        From which the patient's plaque and stent are drawn, as for an image.
    calcium_mm, stent_mm : pairs
        By how much blooming takes the label's wall inwards beside calcium, more beside thick
        deposits, and within a stent.
    unreadable_odds : float
        Odds that nothing can be seen within a stent, where the label is a round tube then.
    """

    disease: CctaSettings
    calcium_mm: tuple[float, float] = (0.2, 0.5)
    stent_mm: tuple[float, float] = (0.2, 0.4)
    unreadable_odds: float = 0.3


@dataclass(frozen=True, kw_only=True)
class PhantomSettings:
    """Ranges from which a patient's facts are drawn. Pairs are lowest and highest value.

    Attributes
    ----------
    modality : str
        OCT (motor pullback) or IVUS.
    ivus_acquisition : str
        ``gated``: a frame a beat, no swing, breathing. ``motorized``: through the heartbeat, at one of
        ``ivus_speeds_mm_s`` and ``ivus_frame_rate_hz``, at most `MOST_FRAMES`.
    anatomy : Anatomy
        What arteries there are.
    view : str
        From which side the images show the vessel.
    centerline_known : bool
        Whether the case has a centerline beside its two clicks.
    run_range_mm : pair
        Nominal length of the pullback.
    ivus_speeds_mm_s : tuple of float
        Of motorized IVUS; one is drawn.
    ivus_frame_rate_hz : float
        Of motorized IVUS.
    heart_rate_range_per_min, beat_variation_range : pairs
        Of motorized IVUS; the latter is the standard deviation of a beat's length, relative.
    pulsation_range, wobble_range_mm : pairs
        Of motorized IVUS: how much the lumen's area grows within the beat, relative, and how far the
        catheter moves across the lumen, peak to peak.
    speed_error, speed_variation : float
        Largest constant error of the withdrawal's speed, and largest slow variation, relative.
    swing_median_mm, swing_log_sd, swing_range_mm
        Cardiac swing of the catheter along the vessel, peak to peak (lognormal, clipped).
    breathing_range_mm : pair
        Peak to peak displacement by breathing (IVUS).
    drift_range_deg, slow_rotation_deg, cardiac_twist_range_deg
        Rotation about the catheter path: size of its drift over the run (of either sense), standard
        deviation of its slow part, and peak within the beat.
    radius_scale_range : pair
        CCTA radius over true radius.
    surface_error_mm, surface_correlation_mm : float
        Standard deviation and correlation length of the CCTA label's surface error.
    local_errors : LocalErrors, optional
        Of the label beside calcium and stents; by default there are none.
    centerline_error_mm : pair
        Standard deviation of the centerline's error, per transverse axis.
    missing_branch_share : float
        Of side branches that the CCTA does not show.
    reader_noise_mm, missing_contour_share, bulge_range_mm
        The reader of the pullback: error of contours, frames without one, and how far past the
        wall the outline goes into a side branch.
    ending_odds : pair
        Odds that the pullback ends in the guide catheter, and in the aorta.
    truncated_odds, bad_stretch_odds, small_view_odds : float
        Odds of a CCTA label that ends before the pullback's distal end, of wrong contours in a
        tenth of the frames, and of a field of view that the lumen leaves.
    """

    modality: Modality = "OCT"
    ivus_acquisition: IvusAcquisition = "gated"
    anatomy: Anatomy = Anatomy()
    view: View = "looking-distal"
    centerline_known: bool = True
    run_range_mm: tuple[float, float] = (52.0, 73.8)
    ivus_speeds_mm_s: tuple[float, ...] = (0.5, 1.0)
    ivus_frame_rate_hz: float = 30.0
    heart_rate_range_per_min: tuple[float, float] = (50.0, 100.0)
    beat_variation_range: tuple[float, float] = (0.05, 0.08)
    pulsation_range: tuple[float, float] = (0.05, 0.12)
    wobble_range_mm: tuple[float, float] = (0.1, 0.4)
    speed_error: float = 0.06
    speed_variation: float = 0.05
    swing_median_mm: float = 1.3
    swing_log_sd: float = 0.45
    swing_range_mm: tuple[float, float] = (0.5, 3.0)
    breathing_range_mm: tuple[float, float] = (0.2, 1.2)
    drift_range_deg: tuple[float, float] = (40.0, 100.0)
    slow_rotation_deg: float = 12.0
    cardiac_twist_range_deg: tuple[float, float] = (2.0, 8.0)
    radius_scale_range: tuple[float, float] = (0.9, 1.1)
    surface_error_mm: float = 0.12
    surface_correlation_mm: float = 3.0
    local_errors: LocalErrors | None = None
    centerline_error_mm: tuple[float, float] = (0.15, 0.20)
    missing_branch_share: float = 0.2
    reader_noise_mm: tuple[float, float] = (0.03, 0.05)
    missing_contour_share: tuple[float, float] = (0.02, 0.04)
    bulge_range_mm: tuple[float, float] = (0.5, 1.5)
    ending_odds: tuple[float, float] = (0.0, 0.0)
    truncated_odds: float = 0.0
    bad_stretch_odds: float = 0.0
    small_view_odds: float = 0.0


def preset(level: Level, *, modality: Modality = "OCT") -> PhantomSettings:
    """Return the settings of a level of difficulty.

    Parameters
    ----------
    level : str
        ``clean``: no errors and no swing, only anatomy, speed and rotation. ``typical``: as real
        cases are. ``smooth``: the same of arteries with little to hold on to: one or two side
        branches, hardly a taper, nearly round sections. ``hard``: also what goes wrong in some real
        cases: twice the motion, a third of the side branches missing, a tenth of the frames with
        wrong contours, and a label that errs beside calcium and stents.
    modality : str
        OCT or IVUS.

    Examples
    --------
    >>> preset("clean").surface_error_mm
    0.0
    """
    typical = PhantomSettings(modality=modality)
    if level == "typical":
        return typical
    if level == "clean":
        return replace(
            typical,
            speed_variation=0.0,
            swing_range_mm=(0.0, 0.0),
            breathing_range_mm=(0.0, 0.0),
            pulsation_range=(0.0, 0.0),
            wobble_range_mm=(0.0, 0.0),
            cardiac_twist_range_deg=(0.0, 0.0),
            slow_rotation_deg=0.0,
            drift_range_deg=(0.0, 40.0),
            radius_scale_range=(1.0, 1.0),
            surface_error_mm=0.0,
            centerline_error_mm=(0.0, 0.0),
            missing_branch_share=0.0,
            reader_noise_mm=(0.0, 0.0),
            missing_contour_share=(0.0, 0.0),
        )
    if level == "smooth":
        anatomy = Anatomy(
            branch_counts=(1, 2), branches_elsewhere=False, taper_range=(0.02, 0.06), irregularity=0.4
        )
        return replace(typical, anatomy=anatomy)
    if level == "hard":
        return replace(
            typical,
            speed_variation=0.1,
            swing_median_mm=2.6,
            swing_range_mm=(1.0, 6.0),
            breathing_range_mm=(0.4, 2.4),
            wobble_range_mm=(0.2, 0.8),
            slow_rotation_deg=24.0,
            cardiac_twist_range_deg=(4.0, 16.0),
            radius_scale_range=(0.85, 1.1),
            missing_branch_share=1.0 / 3.0,
            local_errors=LocalErrors(disease=ccta_preset("hard")),
            ending_odds=(0.3, 0.15),
            truncated_odds=0.3,
            bad_stretch_odds=1.0,
            small_view_odds=0.3,
        )
    msg = f"level must be clean, typical, smooth or hard, got {level!r}"
    raise ValueError(msg)
