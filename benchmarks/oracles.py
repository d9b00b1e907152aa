"""What only a phantom can tell: its exact poses as functions of depth, and the best rigid start."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from coreg.catheter_path import VirtualCatheterPath
from coreg.centerline import Centerline
from coreg.registration.scene import Scene

FloatArray = npt.NDArray[np.float64]


def true_functions(scene: Scene, truth: VirtualCatheterPath) -> FloatArray:
    """Exact arc length, rotation and offsets (5, N) of all frames, as the registration counts them.

    Parameters
    ----------
    scene : Scene
        The phantom's case, prepared. Its frames are those of ``truth``.
    truth : VirtualCatheterPath
        Exact poses.

    Returns
    -------
    (5, N) array
        Arc length in mm and rotation in rad, unwrapped, along the axis of ``scene.vessel``; where the
        lumen's middle lies along normal and binormal, mm; zeros for the surface's offset.
    """
    vessel, seen = scene.vessel, scene.seen
    axis = Centerline(vessel.points_mm, None, -float(vessel.arc_length_mm[0]))
    row = -truth.row if scene.case.pullback.view == "looking-proximal" else truth.row
    arc_length = axis.nearest_arc_length(truth.origin_mm)
    frames = axis.frames_at(arc_length)
    turn = np.arctan2(
        np.einsum("ij,ij->i", truth.column, frames[..., 1]),
        np.einsum("ij,ij->i", truth.column, frames[..., 0]),
    )
    depth = truth.position_mm.max() - truth.position_mm
    centre = np.stack([np.interp(depth, seen.depth_mm, each) for each in seen.centre_mm.T], axis=1)
    middle = truth.origin_mm + centre[:, :1] * truth.column + centre[:, 1:] * row
    off = np.einsum("ij,ijk->ik", middle - axis.points_at(arc_length), frames[..., :2])
    return np.stack([arc_length, np.unwrap(turn), *off.T, np.zeros(len(depth))])


def true_rigid_functions(scene: Scene, truth: VirtualCatheterPath) -> FloatArray:
    """Best rigid placement (5, N) of all frames: lines through the exact arc length and rotation.

    Parameters
    ----------
    scene : Scene
        The phantom's case, prepared.
    truth : VirtualCatheterPath
        Exact poses.

    Returns
    -------
    (5, N) array
        Arc length and rotation of least squares, linear in depth; the rest is zero.
    """
    exact = true_functions(scene, truth)
    depth = truth.position_mm.max() - truth.position_mm
    lines = np.polyfit(depth, exact[:2].T, 1)
    rigid = np.zeros_like(exact)
    rigid[:2] = lines[0][:, None] * depth + lines[1][:, None]
    return rigid
