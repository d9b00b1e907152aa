"""Images of synthetic pullbacks, with the truth they were made from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from coreg.landmarks import SideBranch
from coreg.phantom.ccta_settings import CctaSettings
from coreg.phantom.guide_wire import GuideWire, lay_wire
from coreg.phantom.ivus_image import CATHETER_MM, IVUS_STEP_MM, ivus_lines, ivus_look
from coreg.phantom.oct_image import OCT_STEP_MM, SHEATH_MM, oct_lines, oct_look
from coreg.phantom.outlines import first_exit
from coreg.phantom.patient import PhantomPatient
from coreg.phantom.pullback_settings import PullbackImageSettings, pullback_preset
from coreg.phantom.pullback_wall import layered_wall
from coreg.phantom.randomness import component_rng
from coreg.phantom.rotation_error import image_angle, true_angles
from coreg.phantom.scan_conversion import scan_grid
from coreg.phantom.sections import NO_BRANCH, Section, Sight, section_at
from coreg.pullback_images import PullbackImages
from coreg.pullback_vessel import BEYOND, BRIDGED, OPEN, SEEN, PullbackVessel

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Float32Array = npt.NDArray[np.float32]

WIRE_ANGLES = 60
OPEN_MM = 0.1


@dataclass(frozen=True, eq=False)
class PhantomPullback:
    """Images of a pullback and their truth, in acquisition order.

    Attributes
    ----------
    images : PullbackImages
        What a reader of the files would give.
    frame : (N,) int array
        Acquisition indices of the images; all of the run unless some were asked for.
    vessel : PullbackVessel
        Exact: lumen, wall, membrane, states, side branches and calcium, with the distortion that the
        images have. Its tables and frame numbers count as ``frame`` does.
    calcium : (N, A) bool array
        Lines that run into calcium.
    settings : PullbackImageSettings
        How the images were made.
    """

    images: PullbackImages
    frame: IntArray
    vessel: PullbackVessel
    calcium: BoolArray
    settings: PullbackImageSettings

    @property
    def lumen_mm(self) -> FloatArray:
        """Where each line first leaves the whole lumen, (N, A)."""
        return self.vessel.lumen_mm

    @property
    def wall_mm(self) -> FloatArray:
        """Where each line first leaves the main vessel, (N, A)."""
        return self.vessel.wall_mm

    @property
    def eem_mm(self) -> FloatArray:
        """Where each line passes the external elastic membrane, (N, A)."""
        if self.vessel.eem_mm is None:
            msg = "the truth has no membrane"
            raise ValueError(msg)
        return self.vessel.eem_mm


def make_pullback_images(
    patient: PhantomPatient,
    *,
    settings: PullbackImageSettings | None = None,
    size: int = 512,
    frames: Sequence[int] | None = None,
    ccta_settings: CctaSettings | None = None,
) -> PhantomPullback:
    """Make the images of a synthetic pullback; the same arguments always give the same ones.

    Parameters
    ----------
    patient : PhantomPatient
        Whose pullback is shown.
    settings : PullbackImageSettings, optional
        By default typical images of the patient's modality.
    size : int
        Rows and columns.
    frames : sequence of int, optional
        Acquisition indices to draw, rising; by default all. Each looks as it does among all others.
    ccta_settings : CctaSettings, optional
        Of the CCTA image whose plaque, calcium and stent are shown; by default a typical one.
    """
    modality = patient.settings.modality
    settings = settings or pullback_preset("typical", modality=modality)
    order = np.argsort(patient.truth.frame)
    truth = patient.truth
    origin, axes = truth.origin_mm[order], np.stack([truth.column, truth.row], axis=-1)[order]
    chosen = np.arange(len(order)) if frames is None else np.asarray(frames, dtype=np.int64)
    angles = true_angles(patient.seed, len(order), settings)
    wall = layered_wall(patient, ccta_settings or CctaSettings())
    reach = patient.field_of_view_mm
    wires = _wires(patient, origin, axes, settings)
    is_oct = modality == "OCT"
    paint: Callable[..., Float32Array]
    if is_oct:
        paint, step = partial(oct_lines, oct_look(patient.seed, reach, settings)), OCT_STEP_MM
    else:
        paint, step = partial(ivus_lines, ivus_look(patient.seed, reach, settings)), IVUS_STEP_MM
    grid = scan_grid(size, field_of_view_mm=reach, angles=settings.angles, step_mm=step)
    pixels = np.zeros((len(chosen), size, size), dtype=np.uint8)
    sections = []
    for row, i in enumerate(chosen):
        section = section_at(patient.lumen, wall, Sight(origin[i], axes[i], angles[i], reach))
        rng = component_rng(patient.seed, f"pullback frame {i}")
        lines = paint(section, rng, wire=wires[i], angle_rad=angles[i], stent=wall.stent)
        pixels[row] = grid.converted(lines)
        sections.append(section)
    images = PullbackImages(
        pixels,
        np.full(2, grid.pixel_mm),
        np.full(2, grid.centre_px),
        modality,
        reach,
        settings.catheter_type,
        frame_rate_hz=100.0 if is_oct else None,
    )
    vessel = _vessel(patient, sections, chosen, angles, wires, settings)
    calcium = np.array([np.isfinite(each.calcium_outer_mm) for each in sections])
    return PhantomPullback(images, chosen, vessel, calcium, settings)


def _wires(
    patient: PhantomPatient, origin: FloatArray, axes: FloatArray, settings: PullbackImageSettings
) -> list[GuideWire | None]:
    if component_rng(patient.seed, "wire odds").uniform() >= settings.wire_odds:
        return [None] * len(origin)
    angle = 2.0 * np.pi * np.arange(WIRE_ANGLES) / WIRE_ANGLES
    rays = np.stack([np.cos(angle), np.sin(angle)])
    direction = np.einsum("nij,ja->nai", axes, rays).reshape(-1, 3)
    zero = np.zeros(len(direction))
    reach = zero + patient.field_of_view_mm
    start = np.repeat(origin, WIRE_ANGLES, axis=0)
    wall = first_exit(patient.lumen.main_level, start, direction, start_mm=zero, limit_mm=reach)
    sheath = SHEATH_MM if patient.settings.modality == "OCT" else CATHETER_MM
    return [*lay_wire(patient.seed, wall.reshape(len(origin), -1), angle, sheath)]


def _vessel(
    patient: PhantomPatient,
    sections: list[Section],
    chosen: IntArray,
    angles: FloatArray,
    wires: list[GuideWire | None],
    settings: PullbackImageSettings,
) -> PullbackVessel:
    wall, lumen, eem = (
        np.array([getattr(each, name) for each in sections]) for name in ("wall_mm", "lumen_mm", "eem_mm")
    )
    mouth = np.array([each.mouth for each in sections])
    reach = patient.field_of_view_mm
    state = np.full(wall.shape, SEEN, dtype=np.uint8)
    state[lumen > wall + OPEN_MM] = OPEN
    state[lumen >= reach - 1e-6] = BEYOND
    hidden = np.zeros(wall.shape, dtype=bool)
    for row, i in enumerate(chosen):
        wire = wires[i]
        if wire is not None:
            hidden[row] = wire.hides(angles[i])
    state[hidden] = BRIDGED
    calcium = np.array([np.isfinite(each.calcium_outer_mm) for each in sections])
    seen = (state == SEEN) & (mouth == NO_BRANCH)
    if patient.settings.modality == "OCT":
        seen &= eem - wall < settings.beyond_eem_mm
    else:
        seen &= ~calcium
    branches = []
    for number, each in enumerate(patient.side_branches):
        rows = np.flatnonzero((mouth == number).any(axis=1))
        if each.frame is None or each.angle_rad is None or not len(rows):
            continue
        first, last = float(chosen[rows[0]]), float(chosen[rows[-1]])
        at = image_angle(angles[round(each.frame)], each.angle_rad)
        branches.append(
            SideBranch(
                each.id,
                radius_mm=each.radius_mm,
                frame=each.frame,
                first_frame=first,
                last_frame=last,
                angle_rad=at,
            )
        )
    return PullbackVessel(
        lumen,
        wall,
        eem,
        state,
        seen,
        np.ones(len(wall)),
        ("",) * len(wall),
        reach,
        tuple(branches),
    )
