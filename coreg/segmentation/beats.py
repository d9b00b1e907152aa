"""Heartbeats in the course of a run's images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

PHASES = 48
SHORTEST_BEAT, LONGEST_BEAT = 0.65, 1.5
VARIATION = 0.12
LOCAL_BEATS, DRIFT = 10, 0.15
MOTION_SHARE = 0.1
PASSES = 4
FEWEST_BEATS = 6


@dataclass(frozen=True, eq=False)
class BeatLength:
    """The length at which a run repeats itself.

    Attributes
    ----------
    frames : float
        Length of a beat over the whole run.
    depth : float
        How much more alike frames are a beat apart than half a beat more or less, relative: 0 where
        nothing repeats.
    evidence : float
        The same, with the repetition of their motion.
    course : (N,) array
        Length of a beat about each frame.
    """

    frames: float
    depth: float
    evidence: float
    course: FloatArray


def beat_length(difference: npt.NDArray[np.float32], *, shortest: float, longest: float) -> BeatLength:
    """Find the length at which a run repeats, but not at half of it, nor at half as much again.

    Both halves are asked, so that neither two beats nor half a beat can be taken for one. Differences
    are compared by their logarithm: a side branch that passes says no more than any other place.
    Where the catheter advances far in a beat, frames a beat apart show other tissue; then the motion
    still repeats, which by itself may do so twice in a beat.

    Parameters
    ----------
    difference : (N, L) array
        Of each frame from the one so many frames later; NaN beyond the end.
    shortest, longest : float
        Lengths in frames between which to look; 1.5 times the longest must be less than ``L``.
    """
    least = 1e-3 * float(np.nanmean(difference[:, 1:]))
    level = np.log(np.maximum(difference, least).astype(np.float64))
    level = np.where(np.isfinite(level), level, np.nanmean(level, axis=0))
    usual = float(np.sqrt(shortest * longest))
    motion = standardised(np.log(motion_course(difference, max(1, round(usual / 24.0))) + least), usual)
    length = np.arange(shortest, longest + 1e-9, 0.25)
    whole = _depth(_unlikeness(level, motion), length)
    best = 1 + int(np.argmax(whole[1:-1]))
    frames = float(length[best])
    if whole[best] < max(whole[best - 1], whole[best + 1]):
        # No length within the limits stands out from its neighbours.
        return BeatLength(frames, 0.0, 0.0, np.full(len(level), frames))
    depth = float(_depth(level.mean(axis=0), length)[best])
    return BeatLength(frames, depth, float(whole[best]), _length_course(level, motion, length, frames))


def _unlikeness(level: FloatArray, motion: FloatArray) -> FloatArray:
    """Mean level (L,) by lag of a stretch, less the autocorrelation of its motion."""
    count, lags = level.shape
    power = np.abs(np.fft.rfft(motion - motion.mean(), 2 * max(count, lags))) ** 2
    products = np.fft.irfft(power)[:lags]
    return np.asarray(level.mean(axis=0) - MOTION_SHARE * products / max(float(products[0]), 1e-12))


def _depth(level: FloatArray, length: FloatArray) -> FloatArray:
    """How much lower a level (L,) by lag is at lengths (K,) than at half of them and half as much again."""
    lags = np.arange(len(level))
    half, whole, more = (np.interp(share * length, lags, level) for share in (0.5, 1.0, 1.5))
    return np.asarray(0.5 * (half + more) - whole)


def _length_course(level: FloatArray, motion: FloatArray, length: FloatArray, mean: float) -> FloatArray:
    """Length of a beat (N,) about each frame, near the mean one."""
    count, width = len(level), LOCAL_BEATS * mean
    centres = np.arange(0.5 * width, count - 0.5 * width + 1.0, 0.5 * width)
    if len(centres) < 2:
        return np.full(count, mean)
    parts = [slice(int(c - 0.5 * width), int(c + 0.5 * width)) for c in centres]
    depth = np.array([_depth(_unlikeness(level[part], motion[part]), length) for part in parts])
    belief = 0.5 * (np.log(length / mean) / DRIFT) ** 2
    found = length[np.argmax(depth / depth.max() - 0.1 * belief, axis=1)]
    return np.interp(np.arange(count), centres, gaussian_filter1d(found, 0.7, mode="nearest"))


def motion_course(difference: npt.NDArray[np.float32], half: int) -> FloatArray:
    """How much the image changes from so many frames before each frame to as many after it, shape (N,)."""
    course = difference[: -2 * half, 2 * half].astype(np.float64)
    return np.pad(course, half, mode="edge")


def standardised(course: FloatArray, length: float) -> FloatArray:
    """A course without what is slower than the heart, of unit variance, without outliers."""
    quick = course - gaussian_filter1d(course, 1.5 * length)
    scale = 1.4826 * float(np.median(np.abs(quick - np.median(quick))))
    clipped = np.clip(quick, -5.0 * scale, 5.0 * scale)
    spread = float(clipped.std())
    return clipped / spread if spread > 0.0 else np.zeros(len(course))


def track_beats(courses: FloatArray, length: FloatArray) -> IntArray:
    """Follow the heart from beat to beat.

    Parameters
    ----------
    courses : (S, N) array
        Standardised; the first is high where each beat's strongest motion is.
    length : (N,) array
        Length of a beat about each frame, in frames.

    Returns
    -------
    (B,) int array
        Frames one beat apart, all at the same point of the beat.
    """
    start = _best_chain(courses[0], length)
    for _ in range(PASSES):
        if len(start) < 3:
            break
        start = _best_chain(_likeness(courses, folded(courses, start), length), length)
    return start


def folded(courses: FloatArray, start: FloatArray | IntArray) -> FloatArray:
    """Mean course (S, PHASES) over the beats, at equal steps of the phase from 0."""
    at = start[:-1, None] + np.diff(start)[:, None] * (np.arange(PHASES) / PHASES)
    frames = np.arange(courses.shape[1])
    return np.array([np.interp(at, frames, each).mean(axis=0) for each in courses])


def repeatability(course: FloatArray, start: IntArray) -> float:
    """Mean correlation of each beat's course (N,) with the mean of all others."""
    at = start[:-1, None] + np.diff(start)[:, None] * (np.arange(PHASES) / PHASES)
    beats = np.interp(at, np.arange(len(course)), course)
    beats -= beats.mean(axis=1, keepdims=True)
    others = beats.sum(axis=0) - beats
    norm = np.linalg.norm(beats, axis=1) * np.linalg.norm(others, axis=1)
    return float(((beats * others).sum(axis=1) / np.maximum(norm, 1e-12)).mean())


def _likeness(courses: FloatArray, template: FloatArray, length: FloatArray) -> FloatArray:
    """How well a beat that begins at each frame, shape (N,), follows the mean one."""
    whole = np.rint(length).astype(np.int64)
    total = np.zeros(courses.shape[1])
    for count in np.unique(whole):
        place = np.arange(count) * (PHASES / count)
        here = whole == count
        for course, mean in zip(courses, template, strict=True):
            kernel = np.interp(place, np.arange(PHASES + 1), np.append(mean, mean[0]))
            padded = np.pad(course, (0, count - 1))
            total[here] += np.correlate(padded, kernel - kernel.mean(), mode="valid")[here]
    spread = float(total.std())
    return total / spread if spread > 0.0 else total


def _best_chain(score: FloatArray, length: FloatArray) -> IntArray:
    """Frames (B,) about a beat apart whose scores add up to the most.

    Dynamic programming; a beat that is `VARIATION` longer or shorter than those about it costs half a
    unit.
    """
    shortest, longest = SHORTEST_BEAT * float(length.min()), LONGEST_BEAT * float(length.max())
    steps = np.arange(max(2, round(shortest)), round(longest) + 1)
    total, previous = score.copy(), np.full(len(score), -1, dtype=np.int64)
    for frame in range(int(steps[0]), len(score)):
        near = steps[steps <= frame]
        reach = total[frame - near] - 0.5 * (np.log(near / length[frame]) / VARIATION) ** 2
        best = int(np.argmax(reach))
        if frame > steps[-1] or reach[best] > 0.0:
            total[frame] += reach[best]
            previous[frame] = frame - near[best]
    last = max(0, len(score) - int(steps[-1]))
    frame = last + int(np.argmax(total[last:]))
    chain = []
    while frame >= 0:
        chain.append(frame)
        frame = int(previous[frame])
    return np.array(chain[::-1], dtype=np.int64)
