"""What happens in all frames of a pullback beside the vessel itself, and what each frame sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from coreg.phantom.ccta_settings import CctaSettings
from coreg.phantom.guide_wire import GuideWire, lay_wire
from coreg.phantom.lumen import Lumen
from coreg.phantom.outlines import first_exit
from coreg.phantom.patient import PhantomPatient
from coreg.phantom.pullback_settings import PullbackImageSettings
from coreg.phantom.pullback_wall import LayeredWall, layered_wall
from coreg.phantom.pulsation import resting_origin_mm
from coreg.phantom.randomness import component_rng
from coreg.phantom.residual_blood import Blood, draw_blood_clouds
from coreg.phantom.rotation_error import true_angles
from coreg.phantom.sections import NO_BRANCH, Section, Sight, section_at, swollen
from coreg.phantom.shot import Before, Samples, Shot, column, sampled

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]

WIRE_ANGLES = 60
GUIDE_RADIUS_MM, GUIDE_LEAN_MM = (0.9, 1.0), (0.1, 0.4)
STRUT_HALF_MM = 0.07


@dataclass(frozen=True, eq=False)
class Run:
    """A pullback before its frames are drawn. Arrays are in acquisition order.

    Attributes
    ----------
    seed : int
        Of the patient.
    lumen, wall : Lumen, LayeredWall
        Of the vessel, at rest.
    origin_mm, axes : (N, 3), (N, 3, 2) arrays
        Catheter centres from which the resting vessel looks as it does, and image axes.
    lumen_factor : (N,) array
        Radius over the radius at rest.
    angle_rad : (N, A) array
        True angles of the lines of sight.
    before : sequence of str
        Where the catheter has left the vessel, see `Shot`.
    wires : sequence of GuideWire or None
        Beside the catheter.
    blood : Blood or None
        In the lumen (OCT).
    field_of_view_mm, catheter_mm : float
        Between them there is something to see.
    """

    seed: int
    lumen: Lumen
    wall: LayeredWall
    origin_mm: FloatArray
    axes: FloatArray
    lumen_factor: FloatArray
    angle_rad: FloatArray
    before: Sequence[Before]
    wires: Sequence[GuideWire | None]
    blood: Blood | None
    field_of_view_mm: float
    catheter_mm: float

    def __len__(self) -> int:
        """Count the frames."""
        return len(self.origin_mm)

    def shot(self, frame: int, depth_mm: Float32Array) -> Shot:
        """Take one frame, sampled at depths (R,)."""
        factor, angle = float(self.lumen_factor[frame]), self.angle_rad[frame]
        reach = self.field_of_view_mm
        sight = Sight(self.origin_mm[frame], self.axes[frame], angle, reach / factor)
        section = swollen(section_at(self.lumen, self.wall, sight), factor)
        before = self.before[frame]
        if before:
            outline = self._guide_mm(frame) if before == "guide" else np.full(len(angle), reach)
            section = _left(section, outline)
        samples = sampled(section, depth_mm)
        struts = np.zeros(len(angle), dtype=bool) if before else self._struts(section)
        return Shot(section, samples, angle, self.wires[frame], struts, self._blood(frame, samples), before)

    def _guide_mm(self, frame: int) -> FloatArray:
        """Inner wall (A,) of a guide catheter round a core that leans on it."""
        rng = component_rng(self.seed, "guide catheter")
        radius, lean = rng.uniform(*GUIDE_RADIUS_MM), rng.uniform(*GUIDE_LEAN_MM)
        toward = rng.uniform(0.0, 2.0 * np.pi) + 0.01 * frame
        apart = self.angle_rad[frame] - toward
        outline: FloatArray = lean * np.cos(apart) + np.sqrt(radius**2 - (lean * np.sin(apart)) ** 2)
        return outline

    def _struts(self, section: Section) -> npt.NDArray[np.bool_]:
        """Which lines meet a strut: rings of zigzags on the wall, thinner than in a CCTA."""
        if self.wall.stent is None:
            return np.zeros(len(section.wall_mm), dtype=bool)
        ring = self.wall.stent.ring_mm(section.arc_length_mm, section.around_rad)
        inside = self.wall.stent.covers(section.arc_length_mm)
        return inside & (np.abs(ring) < STRUT_HALF_MM) & (section.wall_mm < section.field_of_view_mm)

    def _blood(self, frame: int, samples: Samples) -> Float32Array | None:
        if self.blood is None or not self.blood.amount[frame] > 0.0:
            return None
        rng = component_rng(self.seed, f"blood {frame}")
        x, y = (column(part(self.angle_rad[frame])) * samples.depth_mm for part in (np.cos, np.sin))
        fall = self.blood.fall(rng, float(self.blood.amount[frame]), x, y)
        fall[~samples.inside | (samples.depth_mm < self.catheter_mm)] = 0.0
        return fall


def make_run(
    patient: PhantomPatient,
    settings: PullbackImageSettings,
    ccta_settings: CctaSettings,
    *,
    catheter_mm: float,
) -> Run:
    """Draw what a pullback's frames have in common."""
    seed, lumen, factor = patient.seed, patient.lumen, patient.motion.lumen_factor
    order = np.argsort(patient.truth.frame)
    axes = np.stack([patient.truth.column, patient.truth.row], axis=-1)[order]
    origin = patient.truth.origin_mm[order]
    axis_mm = lumen.axis.locate(origin)[0]
    resting = resting_origin_mm(lumen, origin, axes, axis_mm, factor)
    outside: Before = "" if patient.ending == "vessel" else "guide" if patient.ending == "guide" else "aorta"
    is_oct = patient.settings.modality == "OCT"
    return Run(
        seed,
        lumen,
        layered_wall(patient, ccta_settings),
        resting,
        axes,
        factor,
        true_angles(seed, len(order), settings),
        [outside if place < 0.0 else "" for place in axis_mm],
        _wires(patient, resting, axes, settings, catheter_mm),
        draw_blood_clouds(seed, len(order), settings) if is_oct else None,
        patient.field_of_view_mm,
        catheter_mm,
    )


def _left(section: Section, outline_mm: FloatArray) -> Section:
    """Put another wall in the place of the vessel's."""
    none = np.full(len(outline_mm), np.inf)
    return replace(
        section,
        wall_mm=outline_mm,
        lumen_mm=outline_mm,
        eem_mm=outline_mm,
        calcium_inner_mm=none,
        calcium_outer_mm=none,
        mouth=np.full(len(outline_mm), NO_BRANCH),
        branch_level_mm=None,
    )


def _wires(
    patient: PhantomPatient,
    origin_mm: FloatArray,
    axes: FloatArray,
    settings: PullbackImageSettings,
    catheter_mm: float,
) -> Sequence[GuideWire | None]:
    count = len(origin_mm)
    if component_rng(patient.seed, "wire odds").uniform() >= settings.wire_odds:
        return [None] * count
    angle = 2.0 * np.pi * np.arange(WIRE_ANGLES) / WIRE_ANGLES
    rays = np.stack([np.cos(angle), np.sin(angle)])
    direction = np.einsum("nij,ja->nai", axes, rays).reshape(-1, 3)
    zero = np.zeros(len(direction))
    start = np.repeat(origin_mm, WIRE_ANGLES, axis=0)
    limit = zero + patient.field_of_view_mm
    wall = first_exit(patient.lumen.main_level, start, direction, start_mm=zero, limit_mm=limit)
    return lay_wire(patient.seed, wall.reshape(count, WIRE_ANGLES), angle, catheter_mm)
