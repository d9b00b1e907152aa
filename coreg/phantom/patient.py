"""A synthetic patient: a case as a user would have it, and the truth behind it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coreg.case import Case
from coreg.catheter_path import VirtualCatheterPath
from coreg.centerline import Centerline, VesselTree
from coreg.landmarks import Landmark, SideBranch
from coreg.phantom.artery import Artery, make_artery
from coreg.phantom.catheter import Catheter, Motion, displaced_mm, draw_motion, lay_catheter
from coreg.phantom.ccta import (
    SMALLEST_LANDMARK_MM,
    Shown,
    drawn_centerline,
    label_volume,
    shown_by_ccta,
    true_centerline,
)
from coreg.phantom.label_errors import Blooming, bloomed, draw_blooming
from coreg.phantom.lumen import Lumen
from coreg.phantom.randomness import component_rng
from coreg.phantom.reader import read_outlines
from coreg.phantom.settings import MOST_FRAMES, PhantomSettings
from coreg.phantom.truth import branch_landmark, image_axes, ostium_mm, poses_along
from coreg.pullback import Pullback

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

USUAL_TRAVEL_MM = 56.0


@dataclass(frozen=True, eq=False)
class PhantomPatient:
    """A synthetic patient.

    Attributes
    ----------
    case : Case
        What a user would have.
    truth : VirtualCatheterPath
        Exact poses of all frames; arc length and rotation along the case's centerline (the true
        one where the case has none).
    landmarks : tuple of Landmark
        Exact, the same as the case's.
    centerline : Centerline
        True centres of the main vessel, arc length 0 at its ostium.
    side_branches : tuple of SideBranch
        All true ones.
    artery : Artery
        True lumen, the one without disease, and the heart.
    shown : Shown
        What the CCTA shows: radius scale, missing branches.
    blooming : Blooming
        Where its label errs beside calcium and in a stent.
    catheter : Catheter
        Where the catheter lay.
    motion : Motion
        How it moved.
    settings : PhantomSettings
        How the patient was made.
    seed : int
        Likewise.
    ending : str
        Where the pullback ends: vessel, guide or aorta.
    field_of_view_mm : float
        Beyond which the pullback shows nothing; contours on disk do not tell it, nor does the case.
    clockwise : bool
        Whether the reader drew from +row towards +column; contours in memory are normalised.
    """

    case: Case
    truth: VirtualCatheterPath
    landmarks: tuple[Landmark, ...]
    centerline: Centerline
    side_branches: tuple[SideBranch, ...]
    artery: Artery
    shown: Shown
    blooming: Blooming
    catheter: Catheter
    motion: Motion
    settings: PhantomSettings
    seed: int
    ending: str
    field_of_view_mm: float
    clockwise: bool

    @property
    def lumen(self) -> Lumen:
        """True lumen."""
        return self.artery.lumen

    def facts(self) -> dict[str, str | float]:
        """How the patient was made, for a table."""
        return {
            "seed": self.seed,
            "radius_scale": self.shown.radius_scale,
            "missing_branches": " ".join(self.shown.missing),
            "ending": self.ending,
            "swing_mm": self.motion.swing_mm,
            "beat_frames": self.motion.beat_frames,
            "active_share": self.motion.active_share,
            "twist_deg": self.motion.twist_deg,
            "drift_deg": self.motion.drift_deg,
            "speed_error": self.motion.speed_error,
            "field_of_view_mm": self.field_of_view_mm,
            "label_end_mm": self.shown.lumen.length_mm,
            "label_calcium_mm": self.blooming.calcium_length_mm,
            "label_stent_mm": self.blooming.stent_text,
        }


@dataclass(frozen=True, eq=False)
class _Plan:
    length_mm: float
    start_mm: float
    end_mm: float
    label_end_mm: float
    position_mm: FloatArray
    ending: str


def make_patient(seed: int, *, settings: PhantomSettings | None = None) -> PhantomPatient:
    """Make a synthetic patient; the same seed and settings always give the same one.

    Parameters
    ----------
    seed : int
        At least 0.
    settings : PhantomSettings, optional
        By default a typical OCT patient.

    Raises
    ------
    ValueError
        If the seed is negative.
    """
    if seed < 0:
        msg = f"seed must be at least 0, got {seed}"
        raise ValueError(msg)
    settings = settings or PhantomSettings()
    plan = _plan(seed, settings)
    # Side branches are laid out for a run of usual length, of which a short one sees its part.
    covered = (max(min(plan.end_mm, plan.start_mm - USUAL_TRAVEL_MM), 0.0), plan.start_mm)
    artery = make_artery(seed, length_mm=plan.length_mm, covered_mm=covered, anatomy=settings.anatomy)
    lumen = artery.lumen
    catheter = lay_catheter(seed, lumen)
    motion = draw_motion(seed, plan.position_mm, settings)
    place = motion.place_mm + _start_place(plan, catheter, motion)
    shown = shown_by_ccta(
        seed, lumen, settings, end_mm=plan.label_end_mm, covered_mm=covered, aorta=plan.ending != "vessel"
    )
    blooming = draw_blooming(seed, artery, shown, settings.local_errors)
    line, ostium_click, distal_click = drawn_centerline(seed, shown, settings)
    centerline = true_centerline(lumen)
    vessel = VesselTree((line if settings.centerline_known else centerline,)).vessel(
        ostium_click, distal_click
    )

    order = np.arange(len(plan.position_mm))[::-1]
    axis_mm = np.interp(place, catheter.path_mm, catheter.axis_mm)
    origin, frames = catheter.path.at(place[order])
    origin = displaced_mm(lumen, origin, axis_mm[order], motion.across_mm[order])
    axes = image_axes(frames, motion.turn_rad[order], settings.view)
    truth = poses_along(vessel, order, plan.position_mm[order], origin, axes)
    read = read_outlines(
        seed,
        lumen,
        origin[::-1],
        axes[::-1],
        axis_mm,
        motion.lumen_factor,
        settings,
        ending=plan.ending,
        pitch_mm=_pitch(plan.position_mm),
    )
    pullback = Pullback(
        np.arange(len(plan.position_mm)),
        plan.position_mm,
        read.contours,
        view=settings.view,
        modality=settings.modality,
        acquisition="motorized" if settings.modality == "OCT" else settings.ivus_acquisition,
    )
    branches, landmarks = _branch_truth(lumen, shown, truth)
    name = f"phantom-{seed}"
    case = Case(
        name,
        label_volume(seed, bloomed(shown, blooming), settings),
        pullback,
        VesselTree((line,)) if settings.centerline_known else None,
        ostium_click,
        distal_click,
        landmarks,
        patient=name,
        vessel="LAD",
    )
    clockwise = bool(component_rng(seed, "winding").uniform() < 0.5)
    return PhantomPatient(
        case=case,
        truth=truth,
        landmarks=landmarks,
        centerline=centerline,
        side_branches=branches,
        artery=artery,
        shown=shown,
        blooming=blooming,
        catheter=catheter,
        motion=motion,
        settings=settings,
        seed=seed,
        ending=plan.ending,
        field_of_view_mm=read.field_of_view_mm,
        clockwise=clockwise,
    )


def _pitch(position_mm: FloatArray) -> float:
    return float(np.median(np.diff(position_mm)))


def _plan(seed: int, settings: PhantomSettings) -> _Plan:
    """Lay out where the pullback runs in the vessel."""
    rng = component_rng(seed, "plan")
    length = rng.uniform(70.0, 110.0)
    run = rng.uniform(*settings.run_range_mm)
    offset = rng.uniform(4.0, 25.0)
    odds = rng.uniform(size=2)
    beyond_mm, cut_mm = rng.uniform(3.0, 8.0), rng.uniform(3.0, 10.0)
    position = _positions_mm(component_rng(seed, f"positions {settings.modality}"), run, settings)
    run = float(position[-1]) if len(position) == MOST_FRAMES else run
    travel = 1.08 * run
    length = max(length, offset + travel + 7.0)
    start = length - offset
    guide, aorta = settings.ending_odds
    ending = "guide" if odds[0] < guide else "aorta" if odds[0] < guide + aorta else "vessel"
    end = start - travel
    if ending != "vessel":
        end = -beyond_mm
        start = min(end + run, length - 4.0)
    label_end = start - cut_mm if odds[1] < settings.truncated_odds else length
    return _Plan(length, start, end, label_end, position, ending)


def _positions_mm(rng: np.random.Generator, run: float, settings: PhantomSettings) -> FloatArray:
    """Nominal withdrawal (N,) at the frames of a run of some length in mm."""
    if settings.modality == "OCT":
        return np.asarray(np.round(0.2 * np.arange(round(run / 0.2) + 1.0), 3))
    if settings.ivus_acquisition == "motorized":
        pitch = float(rng.choice(settings.ivus_speeds_mm_s)) / settings.ivus_frame_rate_hz
        return np.asarray(np.round(pitch * np.arange(min(round(run / pitch) + 1, MOST_FRAMES)), 4))
    pitch = rng.uniform(0.4, 0.6)
    steps = pitch * np.clip(1.0 + 0.05 * rng.standard_normal(round(run / pitch)), 0.8, 1.2)
    return np.round(np.concatenate([[0.0], np.cumsum(steps) * (run / steps.sum())]), 3)


def _start_place(plan: _Plan, catheter: Catheter, motion: Motion) -> float:
    """Path place of the most distal frame."""
    if plan.ending == "vessel":
        return float(np.interp(plan.start_mm, catheter.axis_mm, catheter.path_mm))
    # Where the pullback ends is what was planned; its start follows from the true travel.
    end = np.interp(plan.end_mm, catheter.axis_mm, catheter.path_mm)
    return float(end - motion.place_mm[-1])


def _branch_truth(
    lumen: Lumen, shown: Shown, truth: VirtualCatheterPath
) -> tuple[tuple[SideBranch, ...], tuple[Landmark, ...]]:
    branches, landmarks = [], []
    for each in lumen.branches:
        ostium = ostium_mm(lumen, each)
        landmark = branch_landmark(truth, each, ostium)
        frame, angle = (None, None) if landmark is None else (landmark.frame, landmark.angle_rad)
        radius = float(each.radius_mm[0])
        branches.append(SideBranch(each.id, ostium, each.arc_length_mm, radius, frame=frame, angle_rad=angle))
        if landmark is not None and radius >= SMALLEST_LANDMARK_MM and each.id not in shown.missing:
            landmarks.append(landmark)
    return tuple(branches), tuple(landmarks)
