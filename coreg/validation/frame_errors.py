"""Errors of every frame of a registration against exact poses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coreg.catheter_path import VirtualCatheterPath

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class FrameErrors:
    """Errors of the frames that have a pose in both paths, found minus true.

    Attributes
    ----------
    frame : (M,) int array
        Acquisition indices.
    error_mm : (M,) array
        Along the true catheter's tangent, positive distally.
    error_frames : (M,) array
        ``error_mm`` in median frame spacings.
    error_deg : (M,) array
        Turn of the image about the true plane normal, in (-180, 180].
    error_3d_mm : (M,) array
        Distance of the catheter centres.
    reliable : (M,) bool array
        What the found path says of its frames.
    """

    frame: IntArray
    error_mm: FloatArray
    error_frames: FloatArray
    error_deg: FloatArray
    error_3d_mm: FloatArray
    reliable: npt.NDArray[np.bool_]


def frame_errors(path: VirtualCatheterPath, truth: VirtualCatheterPath) -> FrameErrors:
    """Compare the poses of two paths of the same pullback, frame by frame.

    Parameters
    ----------
    path : VirtualCatheterPath
        Found.
    truth : VirtualCatheterPath
        Exact.

    Raises
    ------
    ValueError
        If the paths have no posed frame in common.
    """
    frame, mine, theirs = np.intersect1d(
        path.frame[path.posed], truth.frame[truth.posed], return_indices=True
    )
    if not len(frame):
        msg = "the two paths have no posed frame in common"
        raise ValueError(msg)
    a, b = np.flatnonzero(path.posed)[mine], np.flatnonzero(truth.posed)[theirs]
    offset = path.origin_mm[a] - truth.origin_mm[b]
    normal = truth.plane_normal[b]
    along = np.einsum("ij,ij->i", offset, normal)
    # The plane normal points distally or proximally with the view; frames run proximal to distal.
    chord = np.gradient(truth.origin_mm[truth.posed], axis=0)[theirs] if truth.posed.sum() > 1 else normal
    forward = np.sign(np.median(np.einsum("ij,ij->i", chord, normal)))
    turn = np.arctan2(
        np.einsum("ij,ij->i", path.column[a], truth.row[b]),
        np.einsum("ij,ij->i", path.column[a], truth.column[b]),
    )
    spacing_mm = float(np.median(np.abs(np.diff(truth.position_mm)))) if len(truth) > 1 else np.nan
    along = along * forward
    return FrameErrors(
        frame,
        along,
        along / spacing_mm,
        np.degrees(turn),
        np.linalg.norm(offset, axis=1),
        path.reliable[a],
    )
