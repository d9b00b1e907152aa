"""Where a catheter lies in a lumen, and how it is drawn back and turned: in steps, with jumps and repeats."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from anatomy_lines import STEP_MM, Vessel
from anatomy_surface import LumenSurface, resampled, smooth_along
from scipy.interpolate import CubicSpline

FloatArray = npt.NDArray[np.float64]

CLEARANCE_MM = 0.45
NARROWEST_MM = 0.6
FROM_MOUTH_MM = 4.0
FROM_END_MM = 6.0
FASTEST = 1.15
SLACK_MM = 4.0
PATH_STEP_MM = 0.25
FRAME_STEP_MM = 0.05


@dataclass(frozen=True, eq=False)
class CatheterPath:
    """The curve that a catheter's core takes, proximal to distal.

    Attributes
    ----------
    points_mm : (N, 3) array
        Along it.
    """

    points_mm: FloatArray

    @cached_property
    def _spline(self) -> CubicSpline:
        steps = np.linalg.norm(np.diff(self.points_mm, axis=0), axis=1)
        return CubicSpline(np.concatenate([[0.0], np.cumsum(steps)]), self.points_mm)

    @property
    def length_mm(self) -> float:
        """Of the whole curve."""
        return float(self._spline.x[-1])

    @cached_property
    def _normals(self) -> tuple[FloatArray, FloatArray]:
        s = np.linspace(0.0, self.length_mm, round(self.length_mm / FRAME_STEP_MM) + 1)
        tangents = self.tangents(s)
        normals = np.empty_like(tangents)
        normal = np.eye(3)[np.argmin(np.abs(tangents[0]))]
        for i, tangent in enumerate(tangents):
            # Carried on without a turn about the tangent: only what leaves the plane is taken away.
            normal = normal - (normal @ tangent) * tangent
            normal /= np.linalg.norm(normal)
            normals[i] = normal
        return s, normals

    def nearest_mm(self, point_mm: FloatArray) -> float:
        """Place on the path nearest to a point (3,)."""
        s = np.linspace(0.0, self.length_mm, round(self.length_mm / FRAME_STEP_MM) + 1)
        return float(s[np.linalg.norm(self._spline(s) - point_mm, axis=1).argmin()])

    def tangents(self, place_mm: FloatArray) -> FloatArray:
        """Unit tangents (M, 3), distally."""
        slope = self._spline(place_mm, 1)
        return slope / np.linalg.norm(slope, axis=1, keepdims=True)

    def poses(self, place_mm: FloatArray, turn_rad: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Origin, column and row axis (M, 3) of images seen looking distally, at places and turns (M,)."""
        s, normals = self._normals
        tangent = self.tangents(place_mm)
        normal = np.column_stack([np.interp(place_mm, s, normals[:, i]) for i in range(3)])
        normal -= np.einsum("ij,ij->i", normal, tangent)[:, None] * tangent
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        binormal = np.cross(tangent, normal)
        cosine, sine = np.cos(turn_rad)[:, None], np.sin(turn_rad)[:, None]
        return self._spline(place_mm), cosine * normal + sine * binormal, cosine * binormal - sine * normal


@dataclass(frozen=True, eq=False)
class Withdrawal:
    """How a catheter moved, in acquisition order.

    Attributes
    ----------
    position_mm : (N,) array
        Nominal withdrawal.
    withdrawn_mm : (N,) array
        True one along the catheter's path; not monotone.
    turn_rad : (N,) array
        Of the image in the path's rotation-minimizing frame.
    uneven_rad : (N, 2, 2) array
        Cosine and sine parts of the first and second harmonic of what the image's angles are off by.
    """

    position_mm: FloatArray
    withdrawn_mm: FloatArray
    turn_rad: FloatArray
    uneven_rad: FloatArray

    def true_angles(self, angle_rad: FloatArray) -> FloatArray:
        """Where the image's rays (A,) look in truth, (N, A)."""
        waves = np.stack([[f(k * angle_rad) for f in (np.cos, np.sin)] for k in (1, 2)])
        return angle_rad + np.einsum("nkp,kpa->na", self.uneven_rad, waves)


def run_limits(vessel: Vessel) -> tuple[float, float]:
    """Arc lengths between which a catheter may run: in the vessel, and where there is room."""
    first, last = round(FROM_MOUTH_MM / STEP_MM), len(vessel.line_mm) - round(FROM_END_MM / STEP_MM)
    while first < last and vessel.radius_mm[first] < NARROWEST_MM:
        first += 1
    tight = np.flatnonzero(vessel.radius_mm[first:last] < NARROWEST_MM)
    return STEP_MM * first, STEP_MM * (first + tight[0] - 1 if len(tight) else last - 1)


def lay_catheter(rng: np.random.Generator, surface: LumenSurface, line_mm: FloatArray) -> CatheterPath:
    """Pull a line (N, 3) through a lumen straight until it leans on the wall, some 0.45 mm from it."""
    points = resampled(line_mm, PATH_STEP_MM)
    stiffness, rounds = rng.uniform(2.0, 4.0), int(rng.integers(6, 24))
    points = points + _lean(rng, len(points))
    for _ in range(rounds):
        points = resampled(smooth_along(points, stiffness / PATH_STEP_MM), PATH_STEP_MM)
        points = _off_the_wall(surface, points)
    for softness_mm in (1.0, 0.6):
        points = smooth_along(_off_the_wall(surface, points), softness_mm / PATH_STEP_MM)
    return CatheterPath(points)


def _lean(rng: np.random.Generator, count: int) -> FloatArray:
    lean = smooth_along(rng.standard_normal((count, 3)), 8.0 / PATH_STEP_MM)
    return rng.uniform(0.2, 0.5) * lean / lean.std()


def _off_the_wall(surface: LumenSurface, points_mm: FloatArray) -> FloatArray:
    points = points_mm.copy()
    for _ in range(4):
        short = CLEARANCE_MM + surface.signed_distance_mm(points)
        near = np.flatnonzero(short > 0.02)
        if not len(near):
            break
        points[near] += 0.8 * short[near, None] * surface.inward(points[near])
    return points


def draw_withdrawal(rng: np.random.Generator, run_mm: float, *, pitch_mm: float, beating: bool) -> Withdrawal:
    """Draw a run that neither moves nor turns steadily.

    Parameters
    ----------
    rng : Generator
        Source.
    run_mm : float
        Nominal length.
    pitch_mm : float
        Nominal distance of frames.
    beating : bool
        Whether the run goes through the heartbeat; else frames are gated and only breath moves them.
    """
    count = round(run_mm / pitch_mm) + 1
    position = np.round(pitch_mm * np.arange(count), 4)
    steps = _speeds(rng, count, pitch_mm)
    for _ in range(rng.integers(1, 4)):
        steps = _stuck(rng, steps, pitch_mm)
    for _ in range(rng.integers(0, 3)):
        steps[rng.integers(1, count)] += rng.choice([-1.0, 1.0]) * rng.uniform(0.4, 1.2)
    for _ in range(rng.integers(1, 3)):
        steps = _pushed_back(rng, steps)
    pulse = _beats(rng, count) if beating else _breaths(rng, count)
    size = np.clip(1.2 * np.exp(0.4 * rng.standard_normal()), 0.5, 3.0) if beating else rng.uniform(0.3, 1.2)
    withdrawn = np.cumsum(steps) + size * rng.choice([-1.0, 1.0]) * (pulse - pulse[0])
    return Withdrawal(position, withdrawn, _turn(rng, position, pulse), _unevenness(rng, count))


def _speeds(rng: np.random.Generator, count: int, pitch_mm: float) -> FloatArray:
    """True step before each frame: the speed is off, and changes at once every some millimetres."""
    factor, bias = np.empty(count), rng.uniform(-0.05, 0.05)
    at = 0
    while at < count:
        stretch = max(2, round(rng.uniform(4.0, 12.0) / pitch_mm))
        factor[at : at + stretch] = 1.0 + np.clip(bias + 0.05 * rng.standard_normal(), -0.12, 0.12)
        at += stretch
    steps = pitch_mm * factor
    steps[0] = 0.0
    return steps


def _stuck(rng: np.random.Generator, steps: FloatArray, pitch_mm: float) -> FloatArray:
    """Hold the catheter for a while; what it has lost it makes good within two frames."""
    hold = max(2, round(rng.uniform(0.5, 1.5) / pitch_mm))
    start = int(rng.integers(1, len(steps) - hold - 2))
    slipped = steps.copy()
    lost = steps[start : start + hold].sum()
    slipped[start : start + hold] = 0.0
    slipped[start + hold : start + hold + 2] += 0.5 * lost
    return slipped


def _pushed_back(rng: np.random.Generator, steps: FloatArray) -> FloatArray:
    """Let the catheter run back for two to five frames, so that a stretch is seen again."""
    frames = int(rng.integers(2, 6))
    start = int(rng.integers(1, len(steps) - frames))
    pushed = steps.copy()
    pushed[start : start + frames] -= rng.uniform(0.6, 2.0) / frames + steps[start : start + frames]
    return pushed


def _beats(rng: np.random.Generator, count: int) -> FloatArray:
    """To and fro (N,), 0 to 1: out at once, held, back half as fast, then still."""
    beat = rng.uniform(55.0, 100.0)
    corners_at, heights = [-beat * rng.uniform(0.0, 1.0)], [0.0]
    while corners_at[-1] < count:
        length, height = beat * rng.uniform(0.85, 1.15), rng.uniform(0.8, 1.0)
        for share, value in zip((0.06, 0.10, 0.12, 0.62), (height, 0.9 * height, 0.0, 0.0), strict=True):
            corners_at.append(corners_at[-1] + share * length)
            heights.append(value)
        corners_at.append(corners_at[-1] + 0.1 * length)
        heights.append(0.0)
    return np.interp(np.arange(count), corners_at, heights)


def _breaths(rng: np.random.Generator, count: int) -> FloatArray:
    """Saw teeth (N,), 0 to 1, of some 4 to 8 frames."""
    corners_at, heights = [-rng.uniform(0.0, 4.0)], [0.0]
    while corners_at[-1] < count:
        length = rng.uniform(4.0, 8.0)
        corners_at += [corners_at[-1] + 0.4 * length, corners_at[-1] + length]
        heights += [float(rng.uniform(0.7, 1.0)), 0.0]
    return np.interp(np.arange(count), corners_at, heights)


def _turn(rng: np.random.Generator, position_mm: FloatArray, pulse: FloatArray) -> FloatArray:
    """Drift at a rate that changes, jumps that fade or stay, twist with the heart, and jitter."""
    count, run = len(position_mm), position_mm / position_mm[-1]
    corners = np.linspace(0.0, 1.0, 6)
    rates = rng.uniform(0.3, 1.7, 5)
    drift = np.interp(run, corners, np.concatenate([[0.0], np.cumsum(rates / rates.sum())]))
    turn = rng.choice([-1.0, 1.0]) * rng.uniform(30.0, 100.0) * drift
    for _ in range(rng.integers(1, 4)):
        at, size = (
            rng.uniform(0.05, 0.95) * position_mm[-1],
            rng.choice([-1.0, 1.0]) * rng.uniform(10.0, 35.0),
        )
        stays, fade_mm = rng.uniform(0.0, 1.0), rng.uniform(2.0, 8.0)
        since = np.maximum(position_mm - at, 0.0)
        turn += np.where(position_mm >= at, size * (stays + (1.0 - stays) * np.exp(-since / fade_mm)), 0.0)
    turn += rng.choice([-1.0, 1.0]) * rng.uniform(2.0, 8.0) * pulse + 1.5 * rng.standard_normal(count)
    return np.radians(rng.uniform(-180.0, 180.0) + turn)


def _unevenness(rng: np.random.Generator, count: int) -> FloatArray:
    """Non-uniform rotation within frames: some degrees, wandering from frame to frame."""
    size = np.radians([rng.uniform(1.5, 4.0), rng.uniform(0.7, 2.0)])
    wander = smooth_along(rng.standard_normal((count, 4)), 12.0)
    return size[None, :, None] * (wander / wander.std(axis=0)).reshape(count, 2, 2)
