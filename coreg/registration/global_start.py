"""Where a pullback may lie along a vessel, and how it may be turned: all of it, at once.

Radial profiles (lumen radius by angle about the section's centre) of every frame are compared with
those of every station of the vessel, for every rotation by a product of their Fourier series over
the angle. Frames are pooled into short segments, whose costs are then added along straight lines in
(shift, stretch, rotation, twist).

Radii are compared by their logarithm and the mean difference of a hypothesis is taken out, at a
price: an artery tapers, so a CCTA that reads small would otherwise look like a place further distal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coreg.registration.observations import Observations
from coreg.registration.vessel import ANGLES, Vessel, capped_profile

FloatArray = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]

SEGMENT_MM = 3.0
HARMONICS = 12
STRETCHES = (0.88, 0.92, 0.96, 1.0, 1.04, 1.08, 1.12)
MANUAL_STRETCHES = tuple(float(each) for each in np.round(np.geomspace(0.6, 1.6, 15), 3))
TWISTS_RAD = tuple(float(each) for each in np.radians(np.arange(-150.0, 151.0, 25.0)))
DISTINCT_MM = 3.0
DISTINCT_RAD = 0.35


@dataclass(frozen=True)
class Start:
    """A rigid placement.

    Attributes
    ----------
    arc_length_mm : float
        Of the most proximal frame.
    stretch : float
        Vessel mm per pullback mm.
    rotation_rad : float
        Of the image in the vessel's moving frame at the middle of the pullback.
    twist_rad_per_mm : float
        Change of the rotation per mm of pullback, distally.
    log_scale : float
        Logarithm of CCTA radius over pullback radius.
    cost : float
        Mean square difference of the log radii, and the price of ``log_scale``.
    """

    arc_length_mm: float
    stretch: float
    rotation_rad: float
    twist_rad_per_mm: float
    log_scale: float
    cost: float


@dataclass(frozen=True, eq=False)
class _Segments:
    """Sums over the frames of each segment, at every station: number, difference, square."""

    depth_mm: FloatArray
    count: FloatArray
    difference: FloatArray
    square: FloatArray


def find_starts(
    vessel: Vessel,
    seen: Observations,
    *,
    count: int,
    scale_sd: float,
    minimum_overlap: float,
    stretches: tuple[float, ...] = STRETCHES,
    twists_rad: tuple[float, ...] = TWISTS_RAD,
) -> list[Start]:
    """Search all placements.

    Parameters
    ----------
    vessel : Vessel
        CCTA side.
    seen : Observations
        Pullback side.
    count : int
        How many to return, best first.
    scale_sd : float
        Standard deviation of the log radius scale.
    minimum_overlap : float
        Share of the frames that must fall on valid stations.
    stretches : tuple of float
        Vessel mm per pullback mm that are tried.
    twists_rad : tuple of float
        Turns of the image from the proximal to the distal end that are tried.

    Returns
    -------
    list of Start
        Empty where no placement overlaps enough.
    """
    step = float(vessel.arc_length_mm[1] - vessel.arc_length_mm[0])
    mine = _log_profiles(seen.profile_mm)
    theirs = _log_profiles(vessel.profile_mm)
    reach = seen.depth_mm.max() * max(stretches)
    pad = int(np.ceil(reach / step))
    theirs = np.pad(theirs, ((pad, pad), (0, 0)))
    valid = np.pad(vessel.valid, pad).astype(np.float64)
    spectrum_theirs = np.fft.rfft(theirs, axis=1)[:, :HARMONICS]
    spectrum_mine = np.fft.rfft(mine, axis=1)[:, :HARMONICS]

    null = float(mine.var() + theirs[valid > 0].var()) * 0.7
    best = _Best.nowhere(len(theirs))
    for stretch in stretches:
        segments = _segments(
            seen.depth_mm, mine, spectrum_mine, theirs, spectrum_theirs, valid, stretch, step
        )
        price, scale = _prices(segments, len(mine), null, scale_sd, minimum_overlap)
        possible = np.flatnonzero(np.isfinite(price))
        if not len(possible):
            continue
        rows = slice(possible[0], possible[-1] + 1)
        # Rolled by any number of angles, a segment is a window of itself laid out twice.
        twice = np.tile(segments.square[:, rows].astype(np.float32), (1, 1, 2))
        for twist_rad in twists_rad:
            twist = twist_rad / max(seen.depth_mm.max(), 1e-6)
            turns = np.rint(twist * (segments.depth_mm - 0.5 * seen.depth_mm.max()) * ANGLES / (2.0 * np.pi))
            square = np.zeros((*twice.shape[1:2], ANGLES), dtype=np.float32)
            for part, turn in zip(twice, turns.astype(int) % ANGLES, strict=True):
                square += part[:, turn : turn + ANGLES]
            cost = square / (null * len(mine)) + price[rows, None]
            best.improve(rows, cost.astype(np.float32), (stretch, twist, scale))
    return _distinct(vessel, seen, best, step, pad, count)


@dataclass(frozen=True, eq=False)
class _Best:
    """Least cost (S, A) of any stretch and twist at stations and turns, and which of `ways` has it."""

    cost: npt.NDArray[np.float32]
    which: npt.NDArray[np.int32]
    ways: list[tuple[float, float, FloatArray]]

    @classmethod
    def nowhere(cls, stations: int) -> _Best:
        cost = np.full((stations, ANGLES), np.inf, dtype=np.float32)
        return cls(cost, np.zeros(cost.shape, dtype=np.int32), [])

    def improve(
        self, rows: slice, cost: npt.NDArray[np.float32], way: tuple[float, float, FloatArray]
    ) -> None:
        """Take a way's costs where they are less; it has a stretch, a twist, and a log scale (S,)."""
        better = cost < self.cost[rows]
        np.copyto(self.cost[rows], cost, where=better)
        np.copyto(self.which[rows], len(self.ways), where=better)
        self.ways.append(way)


def _prices(
    segments: _Segments, total: int, null: float, scale_sd: float, minimum_overlap: float
) -> tuple[FloatArray, FloatArray]:
    """What stations (S,) cost whatever the rotation, and the log scale (S,) that fits best there."""
    counted = segments.count.sum(axis=0)
    difference = segments.difference.sum(axis=0)
    # The scale that fits best under its prior, in closed form.
    weight = 1.0 / (counted / null + 1.0 / scale_sd**2)
    scale = difference / null * weight
    price = (1.0 - counted / total) - scale**2 / weight / total
    return np.where(counted < minimum_overlap * total, np.inf, price), scale


def _log_profiles(profile_mm: FloatArray) -> FloatArray:
    return np.log(np.maximum(capped_profile(profile_mm, ratio=1.6), 0.2))


def _segments(
    depth_mm: FloatArray,
    mine: FloatArray,
    spectrum_mine: ComplexArray,
    theirs: FloatArray,
    spectrum_theirs: ComplexArray,
    valid: FloatArray,
    stretch: float,
    step: float,
) -> _Segments:
    """Compare each segment's frames with every station they can start from."""
    stations = len(theirs)
    segment = np.floor(depth_mm / SEGMENT_MM).astype(int)
    labels = np.unique(segment)
    shift = np.rint(stretch * depth_mm / step).astype(int)
    power_mine, power_theirs = (mine**2).mean(axis=1), (theirs**2).mean(axis=1)
    mean_mine, mean_theirs = mine.mean(axis=1), theirs.mean(axis=1)
    count = np.zeros((len(labels), stations))
    difference = np.zeros_like(count)
    square = np.zeros((len(labels), stations, ANGLES))
    for k, label in enumerate(labels):
        spectrum = np.zeros((stations, spectrum_mine.shape[1]), dtype=np.complex128)
        constant = np.zeros(stations)
        for i in np.flatnonzero(segment == label):
            here = slice(shift[i], stations)
            there = slice(0, stations - shift[i])
            spectrum[there] += np.conj(spectrum_mine[i]) * spectrum_theirs[here] * valid[here, None]
            constant[there] += valid[here] * (power_mine[i] + power_theirs[here])
            count[k, there] += valid[here]
            difference[k, there] += valid[here] * (mean_theirs[here] - mean_mine[i])
        correlation = np.fft.irfft(_padded(spectrum), n=ANGLES, axis=1) / ANGLES
        square[k] = constant[:, None] - 2.0 * correlation
    depths = np.array([depth_mm[segment == label].mean() for label in labels])
    return _Segments(depths, count, difference, square)


def _padded(spectrum: ComplexArray) -> ComplexArray:
    return np.pad(spectrum, ((0, 0), (0, ANGLES // 2 + 1 - spectrum.shape[1])))


def _distinct(
    vessel: Vessel, seen: Observations, found: _Best, step: float, pad: int, count: int
) -> list[Start]:
    """Take the best placement, strike out its neighbours, and so on."""
    best = found.cost.copy()
    middle = 0.5 * max(seen.depth_mm.max(), 1e-6)
    stations = np.arange(len(best)) * step
    angles = 2.0 * np.pi * np.arange(ANGLES) / ANGLES
    starts: list[Start] = []
    while len(starts) < count and np.isfinite(best.min()):
        j, a = np.unravel_index(int(best.argmin()), best.shape)
        stretch, twist, scale = found.ways[found.which[j, a]]
        starts.append(
            Start(
                float(vessel.arc_length_mm[0] + (j - pad) * step),
                stretch,
                float(angles[a]),
                float(twist),
                float(scale[j]),
                float(best[j, a]),
            )
        )
        # Starts are compared at the middle of the pullback, where shift and stretch part.
        centres = stations + stretch * middle
        near = np.abs(centres - centres[j]) < DISTINCT_MM
        turn = np.abs((angles - angles[a] + np.pi) % (2.0 * np.pi) - np.pi) < DISTINCT_RAD
        best[np.ix_(near, turn)] = np.inf
    return starts
