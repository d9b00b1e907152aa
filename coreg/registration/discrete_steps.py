"""Even steps along pullback, vessel and rotation, as the discrete methods take them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from coreg.registration.cheapest_course import Moves
from coreg.registration.global_start import Start
from coreg.registration.placement import frame_depth_mm, rigid_functions
from coreg.registration.scene import Scene

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

FASTEST_TURN_RAD_PER_MM = 0.6


def even_depths_mm(scene: Scene, step_mm: float) -> FloatArray:
    """Depths (M,) at equal steps over all frames with a say."""
    first, last = scene.seen.depth_mm[[0, -1]]
    return np.asarray(first + step_mm * np.arange(int((last - first) / step_mm) + 1))


def even_places_mm(scene: Scene, step_mm: float) -> FloatArray:
    """Arc lengths (S,) at equal steps over the vessel."""
    first, last = scene.vessel.arc_length_mm[[0, -1]]
    return np.asarray(first + step_mm * np.arange(int((last - first) / step_mm) + 1))


def columns_at(at: FloatArray, known: FloatArray, values: FloatArray) -> FloatArray:
    """Interpolate every column of values (M, A) at places (N,): (N, A)."""
    return np.stack([np.interp(at, known, column) for column in values.T], axis=1)


def place_moves(start: Start, *, frame_mm: float, place_mm: float, fastest: float, price: float) -> Moves:
    """Steps off the start's line that keep a catheter's speed between nothing and the fastest."""
    ratio = frame_mm / place_mm
    by = np.arange(np.ceil(-start.stretch * ratio), np.floor((fastest - start.stretch) * ratio) + 1)
    return Moves.quadratic(by, usual=0.0, weight=price * place_mm**2 / frame_mm)


def turn_moves(start: Start, *, frame_mm: float, turns: int, price: float) -> Moves:
    """Steps of rotation about the start's twist."""
    step = 2.0 * np.pi / turns
    most = max(1, int(np.ceil(FASTEST_TURN_RAD_PER_MM * frame_mm / step)))
    usual = start.twist_rad_per_mm * frame_mm / step
    return Moves.quadratic(np.arange(-most, most + 1), usual=usual, weight=price * step**2 / frame_mm)


def blurred(values: FloatArray, steps: float) -> FloatArray:
    """Average values (M, ...) along the first axis with Gaussian weights so many steps wide."""
    return np.asarray(gaussian_filter1d(values, steps, axis=0, mode="nearest"))


def smooth_rotation(
    start: Start, depth_mm: FloatArray, turn: IntArray, turns: int, steps: float
) -> FloatArray:
    """Rotation (M,) in rad of a course of turns (M,), averaged over so many steps.

    What is averaged is the departure from the start's twist: the ends of a slope would be bent.
    """
    twist = start.twist_rad_per_mm * depth_mm
    return twist + blurred(np.unwrap(2.0 * np.pi * turn / turns) - twist, steps)


def functions_of_course(
    scene: Scene, start: Start, depth_mm: FloatArray, arc_length_mm: FloatArray, rotation_rad: FloatArray
) -> FloatArray:
    """Functions (5, N) of all frames from a course at depths (M,); beyond its ends it follows the start."""
    frame = frame_depth_mm(scene)
    functions = rigid_functions(start, scene.seen, frame)
    off = np.stack([arc_length_mm, rotation_rad]) - rigid_functions(start, scene.seen, depth_mm)[:2]
    functions[:2] += np.stack([np.interp(frame, depth_mm, each) for each in off])
    return functions
