"""Where a method put the frames of a pullback, before it is judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coreg.registration.global_start import Start
from coreg.registration.observations import Observations
from coreg.registration.path_model import FUNCTIONS
from coreg.registration.scene import Scene

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Placement:
    """Functions of all frames, and what they cost.

    Attributes
    ----------
    functions : (5, N) array
        Arc length in mm, rotation in rad, where the lumen's middle lies along normal and binormal in
        mm, and the surface's offset in mm, of every frame.
    log_scale : float
        Logarithm of CCTA radius over pullback radius.
    cost : float
        By the method's own measure; costs of two methods do not compare.
    """

    functions: FloatArray
    log_scale: float
    cost: float


def rigid_functions(start: Start, seen: Observations, depth_mm: FloatArray) -> FloatArray:
    """Functions (5, N) of a rigid placement at depths (N,)."""
    arc_length = start.arc_length_mm + start.stretch * depth_mm
    turn = start.twist_rad_per_mm * (depth_mm - 0.5 * seen.depth_mm.max())
    return axial_functions(arc_length, start.rotation_rad + turn)


def frame_depth_mm(scene: Scene) -> FloatArray:
    """Depth (N,) of all frames: the distance from the most proximal one."""
    position = scene.case.pullback.position_mm
    return position.max() - position


def axial_functions(arc_length_mm: FloatArray, rotation_rad: FloatArray) -> FloatArray:
    """Functions (5, N) of frames whose lumen's middle lies on the vessel's axis."""
    functions = np.zeros((FUNCTIONS, len(arc_length_mm)))
    functions[0], functions[1] = arc_length_mm, rotation_rad
    return functions
