"""What is exactly known of the images of a synthetic pullback."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import label

from coreg.landmarks import SideBranch
from coreg.phantom.patient import PhantomPatient
from coreg.phantom.pullback_settings import PullbackImageSettings
from coreg.phantom.rotation_error import image_angle
from coreg.phantom.shot import PAST_WALL_MM, Before, Shot
from coreg.pullback_vessel import BEYOND, BLOOD, BRIDGED, OPEN, SEEN, CalciumArc, PullbackVessel

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

BLOOD_GREY = 45.0
BAD_SHARE = 0.4
SMALLEST_ARC_RAD = np.radians(8.0)
IN_BLOOD = "residual blood"
REASONS: dict[Before, str] = {"": "", "guide": "in the guide catheter", "aorta": "in the aorta"}


@dataclass(frozen=True, eq=False)
class FrameTruth:
    """The truth of one frame along its lines of sight (A,).

    Attributes
    ----------
    wall_mm, lumen_mm, eem_mm : arrays
        As in `Section`.
    mouth : int array
        Likewise.
    hard : bool array
        Lines that meet calcium.
    state : uint8 array
        As in `PullbackVessel`.
    angle_rad : array
        True angles.
    reason : str
        Why the frame is of no use; empty where it is.
    """

    wall_mm: FloatArray
    lumen_mm: FloatArray
    eem_mm: FloatArray
    mouth: IntArray
    hard: BoolArray
    state: npt.NDArray[np.uint8]
    angle_rad: FloatArray
    reason: str


def frame_truth(shot: Shot, *, catheter_mm: float) -> FrameTruth:
    """Tell what is true of a frame, within ``catheter_mm`` of whose centre nothing is seen."""
    section = shot.section
    wall, reach = section.wall_mm, section.field_of_view_mm
    state = np.full(wall.shape, SEEN, dtype=np.uint8)
    state[section.lumen_mm > wall + PAST_WALL_MM] = OPEN
    if shot.blood_fall is not None:
        lost = shot.blood_fall.sum(axis=1) * float(shot.samples.depth_mm[1])
        state[lost > BLOOD_GREY] = BLOOD
    state[wall >= reach] = BEYOND
    state[wall < catheter_mm] = BRIDGED
    if shot.wire is not None:
        state[shot.wire.hides(shot.angle_rad)] = BRIDGED
    hard = section.calcium_inner_mm < reach
    reason = REASONS[shot.before]
    if not reason and (state == BLOOD).mean() > BAD_SHARE:
        reason = IN_BLOOD
    return FrameTruth(
        wall, section.lumen_mm, section.eem_mm, section.mouth, hard, state, shot.angle_rad, reason
    )


def true_vessel(
    patient: PhantomPatient,
    truths: Sequence[FrameTruth],
    frame: IntArray,
    settings: PullbackImageSettings,
) -> PullbackVessel:
    """Gather the truth of frames that are drawn.

    Parameters
    ----------
    patient : PhantomPatient
        Whose pullback it is.
    truths : sequence of FrameTruth
        Of the frames.
    frame : (M,) int array
        Their acquisition indices.
    settings : PullbackImageSettings
        How the images were made.
    """
    wall, lumen, eem, hard, state = (
        np.array([getattr(each, name) for each in truths])
        for name in ("wall_mm", "lumen_mm", "eem_mm", "hard", "state")
    )
    reason = tuple(each.reason for each in truths)
    clear = np.array([not each for each in reason])
    seen = (state == SEEN) & (eem < patient.field_of_view_mm) & clear[:, None]
    seen &= ~hard if patient.settings.modality == "IVUS" else eem - wall < settings.oct_depth_mm
    return PullbackVessel(
        lumen,
        wall,
        eem,
        state,
        seen,
        clear.astype(np.float64),
        reason,
        patient.field_of_view_mm,
        _branches(patient, truths, frame),
        _arcs(hard, frame),
    )


def _branches(
    patient: PhantomPatient, truths: Sequence[FrameTruth], frame: IntArray
) -> tuple[SideBranch, ...]:
    """Side branches whose mouth is seen in the frames."""
    numbers = {each.id: i for i, each in enumerate(patient.lumen.branches)}
    mouths = np.array([each.mouth for each in truths])
    found = []
    for each in patient.side_branches:
        rows = np.flatnonzero((mouths == numbers[each.id]).any(axis=1))
        if each.frame is None or each.angle_rad is None or not len(rows):
            continue
        nearest = int(np.argmin(np.abs(frame - each.frame)))
        found.append(
            SideBranch(
                each.id,
                radius_mm=each.radius_mm,
                frame=each.frame,
                first_frame=float(frame[rows[0]]),
                last_frame=float(frame[rows[-1]]),
                angle_rad=image_angle(truths[nearest].angle_rad, each.angle_rad),
            )
        )
    return tuple(found)


def _arcs(hard: BoolArray, frame: IntArray) -> tuple[CalciumArc, ...]:
    """Runs of frames and angles with calcium, distal to proximal."""
    count = hard.shape[1]
    runs, number = label(hard)
    for low, high in zip(runs[:, 0], runs[:, -1], strict=True):
        if low and high and low != high:
            runs[runs == high] = low
    arcs: list[CalciumArc] = []
    for run in range(1, number + 1):
        inside = runs == run
        widths = inside.sum(axis=1)
        widest = int(np.argmax(widths))
        extent = 2.0 * np.pi * widths[widest] / count
        if extent < SMALLEST_ARC_RAD:
            continue
        turn = 2.0 * np.pi * np.flatnonzero(inside[widest]) / count
        middle = float(np.angle(np.exp(1j * turn).sum()))
        rows = np.flatnonzero(widths)
        first, last = int(frame[rows[0]]), int(frame[rows[-1]])
        arcs.append(CalciumArc(f"C{len(arcs) + 1}", first, last, middle, float(extent)))
    return tuple(arcs)
