"""The heartbeat as the frames of a pullback see it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coreg.phantom.randomness import smooth_noise

FloatArray = npt.NDArray[np.float64]

RELAXATION_S = 0.05
FILLING_S = 0.15
ATRIAL_S = 0.1
WINDKESSEL_S = 0.35


@dataclass(frozen=True, eq=False)
class Heartbeat:
    """Beats from ejection to ejection, and what they do.

    Attributes
    ----------
    start_frames : (B,) array
        Where the beats begin that the run holds, in frames.
    phase : (N,) array
        Share of its beat that has passed at each frame, from 0 to 1.
    displacement : (N,) array
        Course of what moves with the heart, of unit height: out in ejection, back in rapid filling, at
        rest in diastasis, a little beyond in atrial contraction.
    pressure : (N,) array
        Course of what swells with the blood's pressure, from 0 (end of diastole) to 1.
    beat_frames : float
        Mean length of a beat.
    active_share : float
        Part of the mean beat from the begin of ejection to the end of rapid filling.
    """

    start_frames: FloatArray
    phase: FloatArray
    displacement: FloatArray
    pressure: FloatArray
    beat_frames: float
    active_share: float


def draw_heartbeat(
    rng: np.random.Generator, count: int, frame_rate_hz: float, *, rate_per_min: float, variation: float
) -> Heartbeat:
    """Draw the beats of a run.

    Parameters
    ----------
    rng : Generator
        Source.
    count : int
        Frames.
    frame_rate_hz : float
        Of the images.
    rate_per_min : float
        Mean heart rate, about.
    variation : float
        Standard deviation of the beats' length about their slow drift, relative.
    """
    mean_s = 60.0 / rate_per_min
    beats = int(np.ceil(1.5 * count / frame_rate_hz / mean_s)) + 4
    drift = 0.04 * smooth_noise(rng, (beats,), correlation=20.0)
    length_s = mean_s * np.clip(1.0 + drift + variation * rng.standard_normal(beats), 0.75, 1.25)
    start_s = np.concatenate([[0.0], np.cumsum(length_s)]) - mean_s * rng.uniform(0.0, 1.0)
    height = np.clip(1.0 + 0.06 * rng.standard_normal(beats), 0.85, 1.15)
    rebound, kick = rng.uniform(0.0, 0.1), rng.uniform(0.05, 0.15)
    time_s = np.arange(count, dtype=np.float64) / frame_rate_hz
    beat = np.clip(np.searchsorted(start_s, time_s, side="right") - 1, 0, beats - 1)
    since, left = time_s - start_s[beat], start_s[beat + 1] - time_s
    # Systole gets shorter with the beat, but much less than diastole.
    systole = 0.2 + 0.12 * length_s[beat]
    filled = systole + RELAXATION_S + FILLING_S
    out = _step(since / (0.8 * systole))
    back = _step((since - systole - RELAXATION_S) / FILLING_S)
    bounce = np.sin(np.pi * np.clip((since - filled + 0.05) / 0.15, 0.0, 1.0)) ** 2
    atrial = _step(1.0 - left / ATRIAL_S) + 1.0 - _step(since / 0.08)
    displacement = height[beat] * (out - back - rebound * bounce) - kick * atrial
    peak = 0.6 * systole
    last = np.exp(-(length_s[beat] - peak) / WINDKESSEL_S)
    rising = last + (1.0 - last) * _step(since / peak)
    pressure = np.where(since < peak, rising, np.exp(-(since - peak) / WINDKESSEL_S))
    inside = (start_s >= 0.0) & (start_s <= time_s[-1])
    active = 0.2 + 0.12 * mean_s + RELAXATION_S + FILLING_S
    return Heartbeat(
        start_s[inside] * frame_rate_hz,
        since / length_s[beat],
        displacement / np.ptp(displacement),
        (pressure - pressure.min()) / np.ptp(pressure),
        float(length_s[beat].mean() * frame_rate_hz),
        float(active / mean_s),
    )


def _step(share: FloatArray) -> FloatArray:
    """From 0 to 1, smooth, as a share goes from 0 to 1."""
    within = np.clip(share, 0.0, 1.0)
    return within**2 * (3.0 - 2.0 * within)
