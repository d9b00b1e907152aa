"""Where an imaging catheter lies in an artery, and how it is drawn back and turned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d, minimum_filter1d

from coreg.phantom.curve import Curve, curve_through
from coreg.phantom.heartbeat import Heartbeat, draw_heartbeat
from coreg.phantom.lumen import Lumen
from coreg.phantom.randomness import component_rng, smooth_noise
from coreg.phantom.settings import PhantomSettings

FloatArray = npt.NDArray[np.float64]

CATHETER_RADIUS_MM = 0.45
GUIDE_SLACK_MM = 0.35


@dataclass(frozen=True, eq=False)
class Catheter:
    """The curve of the imaging catheter's core.

    Attributes
    ----------
    path : Curve
        Its own course; arc length 0 near the vessel's ostium.
    axis_mm, path_mm : (K,) arrays
        Corresponding arc lengths on the vessel's axis and on the path, rising.
    """

    path: Curve
    axis_mm: FloatArray
    path_mm: FloatArray


def lay_catheter(seed: int, lumen: Lumen) -> Catheter:
    """Lay a stiff catheter into a lumen: it cuts the bends and leans on the wall."""
    rng = component_rng(seed, "catheter")
    axis = lumen.axis
    step = axis.step_mm
    stiffness_mm = rng.uniform(6.0, 10.0)
    straight = gaussian_filter1d(axis.points_mm, stiffness_mm / step, axis=0, mode="nearest")
    offset = np.einsum("nij,ni->nj", axis.frames[:, :, :2], straight - axis.points_mm)
    offset *= rng.uniform(0.5, 1.0)
    lean = smooth_noise(rng, offset.shape, correlation=rng.uniform(14.0, 22.0) / step)
    offset += rng.uniform(0.3, 0.6) * lean
    for softness_mm in (2.0, 1.5):
        offset = _kept_inside(lumen, offset)
        offset = gaussian_filter1d(offset, softness_mm / step, axis=0, mode="nearest")
    offset *= _shrink(lumen, offset)[:, None]
    points = axis.points_mm + np.einsum("nij,nj->ni", axis.frames[:, :, :2], offset)
    zero = int(np.argmin(np.abs(axis.arc_length_mm)))
    path, along = curve_through(points, zero_at=zero)
    return Catheter(path, axis.arc_length_mm, along)


def _free_mm(lumen: Lumen, offset: FloatArray) -> FloatArray:
    """How far the core may leave the axis in its direction, shape (N,)."""
    s = lumen.axis.arc_length_mm
    free = lumen.radius_at(s, np.arctan2(offset[:, 1], offset[:, 0])) - CATHETER_RADIUS_MM
    free = np.where(
        s < 0.0, GUIDE_SLACK_MM + (free - GUIDE_SLACK_MM) * np.exp(np.minimum(s, 0.0) / 2.0), free
    )
    return np.maximum(free, 0.05)


def _kept_inside(lumen: Lumen, offset: FloatArray) -> FloatArray:
    distance = np.maximum(np.linalg.norm(offset, axis=1), 1e-9)
    x = distance / _free_mm(lumen, offset)
    return offset / (1.0 + x**6)[:, None] ** (1.0 / 6.0)


def _shrink(lumen: Lumen, offset: FloatArray) -> FloatArray:
    """Smooth factor (N,) of at most 1 that takes every offset inside."""
    distance = np.maximum(np.linalg.norm(offset, axis=1), 1e-9)
    factor = np.minimum(1.0, _free_mm(lumen, offset) / distance)
    width = round(2.0 / lumen.axis.step_mm)
    return gaussian_filter1d(minimum_filter1d(factor, 2 * width + 1), width / 3.0)


@dataclass(frozen=True, eq=False)
class Motion:
    """How the catheter moved, and other facts of the run. Arrays are in acquisition order.

    Attributes
    ----------
    position_mm : (N,) array
        Nominal withdrawal.
    place_mm : (N,) array
        True arc length on the catheter's path.
    turn_rad : (N,) array
        Of the image's column axis in the path's rotation-minimizing frame.
    swing_along_mm : (N,) array
        Part of ``place_mm`` that is cardiac swing or breathing.
    across_mm : (N, 2) array
        Cardiac shift across the lumen, along the vessel axis' normal and binormal, where there is room.
    lumen_factor : (N,) array
        Radius of the lumen over its radius at rest: in the image plane, about the vessel's axis.
    beat_start_frames : (B,) array
        Where beats begin, in frames; every frame of a gated run.
    phase : (N,) array
        Share of its beat that has passed at each frame.
    swing_mm : float
        Peak to peak amplitude of ``swing_along_mm`` over the run.
    beat_frames : float
        Mean beat (gated IVUS: breath), in frames.
    active_share : float
        Part of the beat in which the catheter moves.
    twist_deg, drift_deg, speed_error : float
        Cardiac twist, drift of rotation over the run, and constant speed error.
    """

    position_mm: FloatArray
    place_mm: FloatArray
    turn_rad: FloatArray
    swing_along_mm: FloatArray
    across_mm: FloatArray
    lumen_factor: FloatArray
    beat_start_frames: FloatArray
    phase: FloatArray
    swing_mm: float
    beat_frames: float
    active_share: float
    twist_deg: float
    drift_deg: float
    speed_error: float


@dataclass(frozen=True, eq=False)
class _Cycle:
    """What the heart and the breath do to a run; as in `Motion`, with the course of the twist."""

    moved_mm: FloatArray
    pulse: FloatArray
    across_mm: FloatArray
    lumen_factor: FloatArray
    beat_start_frames: FloatArray
    phase: FloatArray
    swing_mm: float
    beat_frames: float
    active_share: float


def draw_motion(seed: int, position_mm: FloatArray, settings: PhantomSettings) -> Motion:
    """Draw a withdrawal whose most distal frame would lie at path place 0 without swing.

    Parameters
    ----------
    seed : int
        Of the patient.
    position_mm : (N,) array
        Nominal withdrawal in acquisition order.
    settings : PhantomSettings
        Ranges.
    """
    count = len(position_mm)
    rng = component_rng(seed, "speed")
    speed_error = float(rng.uniform(-settings.speed_error, settings.speed_error))
    pitch = float(np.median(np.diff(position_mm)))
    slow = smooth_noise(rng, (count,), correlation=rng.uniform(5.0, 12.0) / pitch)
    slow *= settings.speed_variation * rng.uniform(0.6, 1.0) / np.abs(slow).max()
    steps = np.diff(position_mm, prepend=position_mm[0]) * (1.0 + speed_error + slow)
    cycle = _draw_cycle(seed, count, settings)
    turn, twist, drift = _turn(component_rng(seed, "rotation"), position_mm, cycle.pulse, settings)
    return Motion(
        position_mm=position_mm,
        place_mm=-np.cumsum(steps) + cycle.moved_mm,
        turn_rad=turn,
        swing_along_mm=cycle.moved_mm,
        across_mm=cycle.across_mm,
        lumen_factor=cycle.lumen_factor,
        beat_start_frames=cycle.beat_start_frames,
        phase=cycle.phase,
        swing_mm=cycle.swing_mm,
        beat_frames=cycle.beat_frames,
        active_share=cycle.active_share,
        twist_deg=np.degrees(twist),
        drift_deg=np.degrees(drift),
        speed_error=speed_error,
    )


def displaced_mm(
    lumen: Lumen, origin_mm: FloatArray, axis_mm: FloatArray, across_mm: FloatArray
) -> FloatArray:
    """Shift the catheter's core (N, 3) across the lumen, no farther than the wall lets it."""
    if not across_mm.any():
        return origin_mm
    points, frames = lumen.axis.at(axis_mm)
    offset = np.einsum("nij,ni->nj", frames[:, :, :2], origin_mm - points)
    wanted = offset + across_mm
    room = lumen.radius_at(axis_mm, np.arctan2(wanted[:, 1], wanted[:, 0])) - CATHETER_RADIUS_MM
    farthest = np.maximum(room, np.linalg.norm(offset, axis=1))
    share = np.minimum(1.0, farthest / np.maximum(np.linalg.norm(wanted, axis=1), 1e-9))
    return origin_mm + np.einsum("nij,nj->ni", frames[:, :, :2], share[:, None] * wanted - offset)


def _draw_cycle(seed: int, count: int, settings: PhantomSettings) -> _Cycle:
    rng = component_rng(seed, "swing")
    if settings.modality == "OCT":
        return _oct_cycle(rng, count, settings)
    if settings.ivus_acquisition == "gated":
        return _gated_cycle(rng, count, settings)
    return _ungated_cycle(seed, rng, count, settings)


def _oct_cycle(rng: np.random.Generator, count: int, settings: PhantomSettings) -> _Cycle:
    beat = float(rng.uniform(55.0, 100.0))
    share = float(rng.uniform(0.28, 0.36))
    pulse, starts, phase = _beats(rng, count, beat, share)
    swing = _drawn_swing_mm(rng, settings)
    moved = swing * rng.choice([-1.0, 1.0]) * pulse
    return _Cycle(moved, pulse, np.zeros((count, 2)), np.ones(count), starts, phase, swing, beat, share)


def _gated_cycle(rng: np.random.Generator, count: int, settings: PhantomSettings) -> _Cycle:
    breath = float(rng.uniform(4.2, 7.5))
    swing = float(rng.uniform(*settings.breathing_range_mm))
    moved = swing * _breaths(rng, count, breath)
    still, starts = np.zeros(count), np.arange(count, dtype=np.float64)
    return _Cycle(moved, still, np.zeros((count, 2)), np.ones(count), starts, still, swing, breath, 1.0)


def _ungated_cycle(seed: int, rng: np.random.Generator, count: int, settings: PhantomSettings) -> _Cycle:
    heart = draw_heartbeat(
        component_rng(seed, "heartbeat"),
        count,
        settings.ivus_frame_rate_hz,
        rate_per_min=rng.uniform(*settings.heart_rate_range_per_min),
        variation=rng.uniform(*settings.beat_variation_range),
    )
    swing = _drawn_swing_mm(rng, settings) * rng.choice([-1.0, 1.0])
    breathing = float(rng.uniform(*settings.breathing_range_mm))
    breath = settings.ivus_frame_rate_hz * rng.uniform(3.0, 5.0)
    moved = swing * heart.displacement
    moved += breathing * _breaths(rng, count, breath, beat_frames=heart.beat_frames)
    growth = rng.uniform(*settings.pulsation_range)
    return _Cycle(
        moved,
        heart.displacement,
        _wobble(component_rng(seed, "wobble"), heart, settings),
        np.sqrt(1.0 + growth * heart.pressure),
        heart.start_frames,
        heart.phase,
        float(np.ptp(moved)),
        heart.beat_frames,
        heart.active_share,
    )


def _drawn_swing_mm(rng: np.random.Generator, settings: PhantomSettings) -> float:
    swing = settings.swing_median_mm * np.exp(settings.swing_log_sd * rng.standard_normal())
    return float(np.clip(swing, *settings.swing_range_mm))


def _wobble(rng: np.random.Generator, heart: Heartbeat, settings: PhantomSettings) -> FloatArray:
    """Shift (N, 2) across the lumen: with the heart, in a direction that turns slowly, at rest 0."""
    count = len(heart.phase)
    size = rng.uniform(*settings.wobble_range_mm)
    turning = 0.6 * smooth_noise(rng, (count,), correlation=15.0 * heart.beat_frames)
    toward = rng.uniform(0.0, 2.0 * np.pi) + turning
    aside = rng.uniform(-0.4, 0.4) * np.gradient(heart.displacement) * heart.beat_frames / 5.0
    along = heart.displacement
    cosine, sine = np.cos(toward), np.sin(toward)
    return size * np.stack([along * cosine - aside * sine, along * sine + aside * cosine], axis=1)


def _beats(
    rng: np.random.Generator, count: int, beat: float, share: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Displacement (N,) of unit height: out and back within a share of each beat; starts (B,), phase (N,)."""
    beats = int(np.ceil(count / beat * 1.3)) + 3
    lengths = beat * np.clip(1.0 + 0.05 * rng.standard_normal(beats), 0.85, 1.15)
    starts = np.concatenate([[0.0], np.cumsum(lengths)]) - beat * rng.uniform(0.0, 1.0)
    heights = np.clip(1.0 + 0.06 * rng.standard_normal(beats), 0.85, 1.15)
    skew, rebound = rng.uniform(0.65, 1.35), rng.uniform(0.0, 0.2)
    time = np.arange(count, dtype=np.float64)
    which = np.clip(np.searchsorted(starts, time, side="right") - 1, 0, beats - 1)
    phase = (time - starts[which]) / lengths[which]
    active = np.clip((time - starts[which]) / (lengths[which] * share), 0.0, 1.0)
    main = np.sin(np.pi * np.clip(active / 0.8, 0.0, 1.0) ** skew) ** 2
    back = np.sin(np.pi * np.clip((active - 0.55) / 0.45, 0.0, 1.0)) ** 2
    inside = (starts >= 0.0) & (starts < count)
    return _of_unit_height(heights[which] * (main - rebound * back)), starts[inside], phase


def _breaths(
    rng: np.random.Generator, count: int, breath_frames: float, *, beat_frames: float = 1.0
) -> FloatArray:
    """Displacement (N,) of unit height, peak to peak."""
    rate = np.exp(0.12 * smooth_noise(rng, (count,), correlation=6.0 * beat_frames)) / breath_frames
    phase = 2.0 * np.pi * (np.cumsum(rate) + rng.uniform())
    depth = np.clip(1.0 + 0.2 * smooth_noise(rng, (count,), correlation=8.0 * beat_frames), 0.5, 1.3)
    return _of_unit_height(depth * np.sin(phase + 0.4 * np.sin(phase)))


def _of_unit_height(displacement: FloatArray) -> FloatArray:
    return displacement / np.ptp(displacement)


def _turn(
    rng: np.random.Generator, position_mm: FloatArray, pulse: FloatArray, settings: PhantomSettings
) -> tuple[FloatArray, float, float]:
    run = position_mm / position_mm[-1]
    pitch = float(np.median(np.diff(position_mm)))
    drift = float(rng.choice([-1.0, 1.0]) * np.radians(rng.uniform(*settings.drift_range_deg)))
    slow = smooth_noise(rng, run.shape, correlation=rng.uniform(8.0, 16.0) / pitch)
    slow *= np.radians(settings.slow_rotation_deg) / slow.std()
    twist = float(np.radians(rng.uniform(*settings.cardiac_twist_range_deg)))
    sense = rng.choice([-1.0, 1.0])
    start = rng.uniform(0.0, 2.0 * np.pi)
    return start + drift * run + slow + sense * twist * pulse, twist, drift
