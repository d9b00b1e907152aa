"""One phase of the heart in a pullback that ran through all of them, without an ECG."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from coreg.pullback_images import PullbackImages
from coreg.pullback_vessel import Gating
from coreg.segmentation.beats import (
    FEWEST_BEATS,
    PHASES,
    beat_length,
    folded,
    motion_course,
    repeatability,
    standardised,
    track_beats,
)
from coreg.segmentation.frame_change import coarse_frames, differences

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Phase = Literal["diastole", "systole"]
Progress = Callable[[str, float], None]

SLOWEST_PER_MIN, FASTEST_PER_MIN = 40.0, 180.0
# Where nothing says how many frames a second there are, a beat has so many.
SHORTEST_FRAMES, LONGEST_FRAMES = 7.0, 90.0
# Half of the times over which motion is measured, as shares of a beat.
SPANS = (1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0, 1.0 / 4.0)
# What runs without a heartbeat do not reach.
LEAST_DEPTH, LEAST_EVIDENCE, LEAST_REPEATABILITY = 0.005, 0.045, 0.4
# Of two pauses the longer is taken unless the other is steadier by more than this share of their difference.
LONGER = 0.3


@dataclass(frozen=True)
class Pause:
    """A part of the beat in which the image is at rest, between two motions.

    Attributes
    ----------
    phase : float
        Where it is steadiest.
    unrest : float
        Motion there, from 0 to 1 of the beat's whole range.
    length : float
        From the middle of one motion to the middle of the other, as a share of the beat.
    area : float
        Mean standardised area of the lumen around it, in standard errors; 0 where it is not known.
    """

    phase: float
    unrest: float
    length: float
    area: float


def find_gating(
    images: PullbackImages,
    *,
    area_mm2: FloatArray | None = None,
    phase: Literal["auto", "diastole", "systole"] = "auto",
    progress: Progress | None = None,
) -> tuple[Gating | None, str]:
    """Find one frame per heartbeat, all of the phase in which the image is steadiest.

    A run that repeats after a certain time, and less so after half of it and half as much again, shows
    a heartbeat. Its beats are followed by the course of the image's motion, which is strong in ejection
    and in rapid filling: dynamic programming over the frames, with the mean beat as a template. The
    steadiest phase, and what the heart then does, are read off the mean beat: the longer pause between
    the two motions is diastasis, and the lumen is larger in systole.

    Parameters
    ----------
    images : PullbackImages
        N frames of an ungated run. The frame rate narrows the search to `SLOWEST_PER_MIN` to
        `FASTEST_PER_MIN`; without one beats of `SHORTEST_FRAMES` to `LONGEST_FRAMES` are looked for.
    area_mm2 : (N,) array, optional
        Of the lumen in each frame, where it is known.
    phase : str
        ``diastole`` or ``systole`` takes the pause that is probably it; ``auto`` the steadier one, or
        the longer where both are as steady.
    progress : callable, optional
        Takes a stage's name and the share that is done.

    Returns
    -------
    gating : Gating or None
        None where there is no heartbeat, or too few beats.
    note : str
        What was found, or why nothing was, in plain words.

    Raises
    ------
    ValueError
        If the area is not one finite number for each frame.

    Notes
    -----
    After Zhu et al. (2003), O'Malley et al. (2008), who gate by the dissimilarity of all frames, and
    Gatta et al. (2010), who take the frames of least motion; De Winter et al. (2004) gate for the same
    end. The template and the beat's length, which no half or double of it can be taken for, are our own.
    """
    tell = progress or _silent
    count = len(images)
    if area_mm2 is not None and not (area_mm2.shape == (count,) and np.isfinite(area_mm2).all()):
        msg = f"area_mm2 must be finite and of shape ({count},), got shape {area_mm2.shape}"
        raise ValueError(msg)
    shortest, longest = _limits(images.frame_rate_hz)
    longest = min(longest, count / FEWEST_BEATS)
    if longest < shortest + 1.0:
        return None, f"No heartbeat was looked for: {count} frames hold fewer than {FEWEST_BEATS} beats."
    tell("gating: frames", 0.0)
    frames = coarse_frames(images, progress=lambda share: tell("gating: frames", 0.9 * share))
    difference = differences(frames, int(np.ceil(1.5 * longest)))
    if not np.nanmax(difference) > 0.0:
        return None, "No heartbeat was found: all frames are the same."
    tell("gating: beats", 0.9)
    beat = beat_length(difference, shortest=shortest, longest=longest)
    motions = [motion_course(difference, max(1, round(share * beat.frames))) for share in SPANS]
    courses = _courses(motions, area_mm2, beat.frames)
    start = track_beats(courses, beat.course)
    if len(start) < FEWEST_BEATS:
        return None, f"No heartbeat was found: only {len(start)} beats of a length could be followed."
    repeats = np.mean([repeatability(each, start) for each in courses[: len(SPANS)]])
    repeating = beat.depth >= LEAST_DEPTH and beat.evidence >= LEAST_EVIDENCE
    if not repeating or repeats < LEAST_REPEATABILITY:
        return None, "No heartbeat was found: no length of time after which the frames look alike again."
    gating = _gated(start, motions[0], courses, phase)
    tell("gating: beats", 1.0)
    return gating, _note(gating, images.frame_rate_hz)


def _silent(_stage: str, _share: float) -> None:
    """Tell nobody."""


def _limits(frame_rate_hz: float | None) -> tuple[float, float]:
    """Lengths in frames that a beat may have."""
    if frame_rate_hz is None:
        return SHORTEST_FRAMES, LONGEST_FRAMES
    shortest = max(60.0 * frame_rate_hz / FASTEST_PER_MIN, 4.0)
    return shortest, 60.0 * frame_rate_hz / SLOWEST_PER_MIN


def _courses(motions: list[FloatArray], area_mm2: FloatArray | None, beat: float) -> FloatArray:
    """Standardised motions and, where it is known, area, (S, N)."""
    given = motions if area_mm2 is None else [*motions, area_mm2]
    return np.array([standardised(np.log(np.maximum(each, 1e-3 * each.mean())), beat) for each in given])


def _gated(
    start: IntArray, motion: FloatArray, courses: FloatArray, phase: Literal["auto", "diastole", "systole"]
) -> Gating:
    pauses = find_pauses(folded(motion[None], start)[0], _area_course(courses[len(SPANS) :], start))
    diastolic = diastole_probability(pauses)
    order = np.argsort(diastolic, kind="stable")
    if phase == "auto":
        chosen = min(range(len(pauses)), key=lambda i: pauses[i].unrest - LONGER * pauses[i].length)
    else:
        chosen = int(order[-1] if phase == "diastole" else order[0])
    probability = diastolic[chosen]
    frame = _frames_at(start, pauses[chosen].phase, len(motion))
    return Gating(
        frame,
        float(np.diff(start).mean()),
        "systole" if probability < 0.5 or (probability == 0.5 and phase == "systole") else "diastole",
        float(max(probability, 1.0 - probability)),
        courses[0],
    )


def _area_course(area: FloatArray, start: IntArray) -> FloatArray:
    """Mean area (PHASES,) over the beat, in standard errors of the mean, of standardised ones (0 or 1, N)."""
    return folded(area, start)[0] * np.sqrt(len(start)) if len(area) else np.zeros(PHASES)


def find_pauses(motion: FloatArray, area: FloatArray) -> tuple[Pause, ...]:
    """Find the two pauses between the two strongest motions of a beat; one where there is one motion.

    Parameters
    ----------
    motion, area : (PHASES,) arrays
        Over a mean beat.
    """
    smooth = gaussian_filter1d(motion, 0.03 * PHASES, mode="wrap")
    calm = gaussian_filter1d(motion, 0.06 * PHASES, mode="wrap")
    low, high = float(smooth.min()), float(smooth.max())
    peaks = np.flatnonzero((smooth >= np.roll(smooth, 1)) & (smooth > np.roll(smooth, -1)))
    peaks = peaks[np.argsort(-smooth[peaks])]
    first = int(peaks[0])
    second = [int(p) for p in peaks[1:] if _apart(p, first) > 0.15 and _parted(smooth, first, int(p))]
    pairs = [(first, first + PHASES)]
    if second:
        a, b = sorted((first, second[0]))
        pairs = [(a, b), (b, a + PHASES)]
    pauses = []
    for a, b in pairs:
        inside = np.arange(a, b + 1) % PHASES
        at = int(inside[np.argmin(calm[inside])])
        near = np.arange(at - 2, at + 3) % PHASES
        unrest = (float(calm[at]) - low) / max(high - low, 1e-12)
        pauses.append(Pause(at / PHASES, unrest, (b - a) / PHASES, float(area[near].mean())))
    return tuple(pauses)


def _apart(a: int, b: int) -> float:
    """Distance of two phases round the beat."""
    steps = abs(a - b) % PHASES
    return min(steps, PHASES - steps) / PHASES


def _parted(motion: FloatArray, a: int, b: int) -> bool:
    """Whether the motion falls well below the lower of two peaks on both ways between them."""
    low, high = sorted((a, b))
    ways = np.arange(low, high + 1), np.arange(high, low + PHASES + 1) % PHASES
    lower = min(motion[a], motion[b]) - motion.min()
    return all(motion[way].min() - motion.min() < 0.7 * lower for way in ways)


def diastole_probability(pauses: tuple[Pause, ...]) -> FloatArray:
    """How probably each pause is diastasis; 0.5 where nothing tells.

    Between ejection and filling there is a third of a second at any heart rate; what is left of the
    beat is diastasis. Then the lumen is smaller.
    """
    if len(pauses) < 2:
        return np.array([0.5])
    a, b = pauses
    evidence = 4.0 * np.log(a.length / b.length) + np.clip(0.5 * (b.area - a.area), -2.0, 2.0)
    probability = 0.03 + 0.94 / (1.0 + np.exp(-evidence))
    return np.array([probability, 1.0 - probability])


def _frames_at(start: IntArray, phase: float, count: int) -> IntArray:
    """Frames (G,) at a phase of each beat, also of those that the run's ends cut."""
    length = np.diff(start)
    edges = np.concatenate([[start[0] - length.mean()], start, [start[-1] + length.mean()]])
    at = np.rint(edges[:-1] + phase * np.diff(edges)).astype(np.int64)
    return np.unique(at[(at >= 0) & (at < count)])


def _note(gating: Gating, frame_rate_hz: float | None) -> str:
    rate = "" if frame_rate_hz is None else f" ({60.0 * frame_rate_hz / gating.beat_frames:.0f} a minute)"
    which = f"probably in {gating.phase} ({gating.probability:.0%})"
    if gating.probability < 0.6:
        which = "in a phase that the images do not tell"
    return (
        f"Gated by the images: {len(gating.frame)} beats of {gating.beat_frames:.1f} frames{rate}, one frame "
        f"each, {which}."
    )
