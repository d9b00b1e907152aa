"""Where an imaging catheter lies in an artery, and how it is drawn back and turned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d, minimum_filter1d

from coreg.phantom.curve import Curve, curve_through
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
    swing_mm : float
        Its peak to peak amplitude over the run.
    beat_frames : float
        Mean beat (OCT) or breath (IVUS), in frames.
    active_share : float
        Part of the beat in which the catheter moves.
    twist_deg, drift_deg, speed_error : float
        Cardiac twist, drift of rotation over the run, and constant speed error.
    """

    position_mm: FloatArray
    place_mm: FloatArray
    turn_rad: FloatArray
    swing_along_mm: FloatArray
    swing_mm: float
    beat_frames: float
    active_share: float
    twist_deg: float
    drift_deg: float
    speed_error: float


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
    rng = component_rng(seed, "swing")
    if settings.modality == "OCT":
        beat = float(rng.uniform(55.0, 100.0))
        share = float(rng.uniform(0.28, 0.36))
        pulse = _beats(rng, count, beat, share)
        swing = settings.swing_median_mm * np.exp(settings.swing_log_sd * rng.standard_normal())
        swing = float(np.clip(swing, *settings.swing_range_mm))
        moved = swing * rng.choice([-1.0, 1.0]) * pulse
    else:
        beat, share = float(rng.uniform(4.2, 7.5)), 1.0
        swing = float(rng.uniform(*settings.breathing_range_mm))
        moved = swing * _breaths(rng, count, beat)
        pulse = np.zeros(count)
    turn, twist, drift = _turn(component_rng(seed, "rotation"), position_mm, pulse, settings)
    place = -np.cumsum(steps) + moved
    return Motion(
        position_mm, place, turn, moved, swing, beat, share, np.degrees(twist), np.degrees(drift), speed_error
    )


def _beats(rng: np.random.Generator, count: int, beat: float, share: float) -> FloatArray:
    """Displacement (N,) of unit height, peak to peak: out and back within a share of each beat."""
    beats = int(np.ceil(count / beat * 1.3)) + 3
    lengths = beat * np.clip(1.0 + 0.05 * rng.standard_normal(beats), 0.85, 1.15)
    starts = np.concatenate([[0.0], np.cumsum(lengths)]) - beat * rng.uniform(0.0, 1.0)
    heights = np.clip(1.0 + 0.06 * rng.standard_normal(beats), 0.85, 1.15)
    skew, rebound = rng.uniform(0.65, 1.35), rng.uniform(0.0, 0.2)
    time = np.arange(count, dtype=np.float64)
    which = np.clip(np.searchsorted(starts, time, side="right") - 1, 0, beats - 1)
    phase = np.clip((time - starts[which]) / (lengths[which] * share), 0.0, 1.0)
    main = np.sin(np.pi * np.clip(phase / 0.8, 0.0, 1.0) ** skew) ** 2
    back = np.sin(np.pi * np.clip((phase - 0.55) / 0.45, 0.0, 1.0)) ** 2
    return _of_unit_height(heights[which] * (main - rebound * back))


def _breaths(rng: np.random.Generator, count: int, beats_a_breath: float) -> FloatArray:
    """Displacement (N,) of unit height, peak to peak, at gated frames."""
    rate = np.exp(0.12 * smooth_noise(rng, (count,), correlation=6.0)) / beats_a_breath
    phase = 2.0 * np.pi * (np.cumsum(rate) + rng.uniform())
    depth = np.clip(1.0 + 0.2 * smooth_noise(rng, (count,), correlation=8.0), 0.5, 1.3)
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
