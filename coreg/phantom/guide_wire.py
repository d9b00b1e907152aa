"""A guide wire beside the imaging catheter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from coreg.phantom.randomness import component_rng, smooth_noise

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

WIRE_RADIUS_MM = 0.18
ROOM_MM = 2.0 * WIRE_RADIUS_MM + 0.1
WANDER_RAD = 0.9
SMOOTH_FRAMES = 3.0
LOOSE_MM = 0.5
BESIDE_RAD = 0.35


@dataclass(frozen=True)
class GuideWire:
    """A wire's cross-section in one frame.

    Attributes
    ----------
    angle_rad : float
        Of its centre, among the true angles.
    distance_mm : float
        Of its centre from the catheter's.
    """

    angle_rad: float
    distance_mm: float

    @property
    def half_width_rad(self) -> float:
        """Half the angle that it hides."""
        return float(np.arcsin(min(WIRE_RADIUS_MM / self.distance_mm, 0.9)))

    def apart_rad(self, angle_rad: FloatArray) -> FloatArray:
        """Angles (A,) between lines and the wire's centre, in [-pi, pi)."""
        return _wrapped(angle_rad - self.angle_rad)

    def hides(self, angle_rad: FloatArray) -> BoolArray:
        """Which lines (A,) it stops."""
        return np.abs(self.apart_rad(angle_rad)) < self.half_width_rad

    def front_mm(self, angle_rad: FloatArray) -> FloatArray:
        """Where lines (A,) meet it; infinite where they do not."""
        apart = self.apart_rad(angle_rad)
        across = self.distance_mm * np.sin(apart)
        depth = np.sqrt(np.maximum(WIRE_RADIUS_MM**2 - across**2, 0.0))
        return np.where(self.hides(angle_rad), self.distance_mm * np.cos(apart) - depth, np.inf)


def lay_wire(seed: int, wall_mm: FloatArray, angle_rad: FloatArray, sheath_mm: float) -> list[GuideWire]:
    """Lay a wire between catheter and wall in all frames.

    Parameters
    ----------
    seed : int
        Of the patient.
    wall_mm : (N, A) array
        The main vessel's wall.
    angle_rad : (A,) array
        Angles at which that is known.
    sheath_mm : float
        The catheter's radius.
    """
    rng = component_rng(seed, "guide wire")
    count = len(wall_mm)
    wish = rng.uniform(0.0, 2.0 * np.pi) + np.pi * rng.uniform(-1.0, 1.0) * np.arange(count) / count
    wish += WANDER_RAD * smooth_noise(rng, (count,), correlation=0.15 * count)
    loose = LOOSE_MM * np.maximum(smooth_noise(rng, (count,), correlation=0.1 * count) - 0.5, 0.0)
    apart = np.abs(_wrapped(angle_rad - wish[:, None]))
    free = wall_mm > sheath_mm + ROOM_MM
    # Where there is no room at all, the wire is pressed to the widest side.
    chosen = np.argmin(np.where(free, apart, 10.0 - wall_mm), axis=1)
    turn = gaussian_filter1d(np.unwrap(angle_rad[chosen]), SMOOTH_FRAMES, mode="nearest")
    beside = np.abs(_wrapped(angle_rad - turn[:, None])) < BESIDE_RAD
    room = np.where(beside, wall_mm, np.inf).min(axis=1) - WIRE_RADIUS_MM
    touching = sheath_mm + WIRE_RADIUS_MM + 0.03
    distance = np.maximum(np.minimum(touching + loose, room), sheath_mm + 0.5 * WIRE_RADIUS_MM)
    return [GuideWire(float(a), float(b)) for a, b in zip(turn, distance, strict=True)]


def _wrapped(angle_rad: FloatArray) -> FloatArray:
    return (angle_rad + np.pi) % (2.0 * np.pi) - np.pi
