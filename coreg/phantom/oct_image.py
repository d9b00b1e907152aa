"""How optical coherence tomography shows a section: grey values along the lines of sight."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coreg.phantom.guide_wire import GuideWire
from coreg.phantom.lines import Lines, column, lines_of
from coreg.phantom.pullback_settings import PullbackImageSettings
from coreg.phantom.randomness import component_rng
from coreg.phantom.scan_conversion import depth_count
from coreg.phantom.sections import Section
from coreg.phantom.speckle import speckle_intensity, texture
from coreg.phantom.stent import Stent

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]

OCT_STEP_MM = 0.010
SHEATH_MM = 0.45
DECADE_GREY = 50.0
SHEATH_GREY = (
    (0.0, 70.0),
    (0.05, 20.0),
    (0.20, 25.0),
    (0.235, 85.0),
    (0.255, 20.0),
    (0.29, 15.0),
    (0.305, 70.0),
    (0.32, 35.0),
    (0.42, 42.0),
    (0.44, 75.0),
    (0.455, 55.0),
    (0.475, 0.0),
)


@dataclass(frozen=True, eq=False)
class OctLook:
    """What stays the same over a pullback.

    Attributes
    ----------
    depth_mm : (R,) array
        Of the samples along a line.
    speckle : (A, 4 R) array
        Intensity of mean 1.
    fibres : (S, T, D) array
        Layers of tissue over arc length, angle round the vessel and depth.
    streaks : (S, T) array
        How much light tissue takes, over arc length and angle.
    floor : float
        Intensity of the receiver's noise.
    """

    depth_mm: Float32Array
    speckle: Float32Array
    fibres: Float32Array
    streaks: Float32Array
    floor: float


def oct_look(seed: int, field_of_view_mm: float, settings: PullbackImageSettings) -> OctLook:
    """Draw the noise and textures of a pullback."""
    rng = component_rng(seed, "oct look")
    count = depth_count(field_of_view_mm, OCT_STEP_MM)
    floor = 0.35 * 10.0 ** (rng.uniform(*settings.noise) / 10.0)
    return OctLook(
        (OCT_STEP_MM * np.arange(count)).astype(np.float32),
        speckle_intensity(rng, (settings.angles, 4 * count), (0.8, 0.8), looks=2),
        texture(rng, (40, 256, 256), (2.0, 5.0, 1.6)),
        texture(rng, (256, 256), (2.5, 4.0)),
        floor,
    )


def oct_lines(
    look: OctLook,
    section: Section,
    rng: np.random.Generator,
    *,
    wire: GuideWire | None,
    angle_rad: FloatArray,
    stent: Stent | None,
) -> Float32Array:
    """Paint a section along its lines, grey values (A, R)."""
    lines = lines_of(section, look.depth_mm)
    grey = _tissue(section, lines, look)
    intensity = 10.0 ** (grey / DECADE_GREY)
    intensity[lines.inside] = 0.0
    if wire is not None:
        _draw_wire(intensity, wire, angle_rad, look.depth_mm)
    intensity += _sheath(look.depth_mm)
    first, second = (_roll(look.speckle, rng, intensity.shape) for _ in range(2))
    intensity = intensity * first + look.floor * second
    return (DECADE_GREY / np.log(10.0)) * np.log1p(intensity)


def _tissue(section: Section, lines: Lines, look: OctLook) -> Float32Array:
    """Grey values (A, R) of the wall, as if there were nothing before it."""
    r, behind, membrane = lines.depth_mm, lines.behind_mm, lines.membrane_mm
    lipid = column(section.lipid)
    media = membrane - np.float32(0.11)
    level = np.full(behind.shape, 112.0, dtype=np.float32)
    fall = np.full(behind.shape, 55.0, dtype=np.float32)
    in_lipid = (behind > 0.12) & (r < media)
    level -= 10.0 * lipid * in_lipid
    fall += 260.0 * lipid * in_lipid
    in_media = (r > media) & (r < membrane)
    level -= 22.0 * in_media
    outside = r > membrane
    level -= 4.0 * outside
    fall += 75.0 * outside
    calcium = (r > column(section.calcium_inner_mm)) & (r < column(section.calcium_outer_mm))
    level -= 62.0 * calcium
    fall -= 35.0 * calcium
    row = int(section.arc_length_mm.mean() / 0.2)
    turn = (section.around_rad % (2.0 * np.pi)) * (256.0 / (2.0 * np.pi))
    fibres = look.fibres[row % len(look.fibres), turn.astype(int)]
    depth = np.clip((r - membrane) / OCT_STEP_MM + 128.0, 0.0, 255.0).astype(np.int32)
    level += np.take_along_axis(fibres, depth, axis=1) * np.where(outside, 9.0, 3.0).astype(np.float32)
    streak = look.streaks[row % 256, turn.astype(int)][:, None]
    fall *= np.clip(1.0 + 0.2 * streak, 0.5, 1.6)
    fall[behind < 0.0] = 0.0
    return level - np.cumsum(fall, axis=1) * np.float32(OCT_STEP_MM)


def _sheath(depth_mm: Float32Array) -> Float32Array:
    at, grey = np.array(SHEATH_GREY).T
    return (10.0 ** (np.interp(depth_mm, at, grey) / DECADE_GREY) - 1.0).astype(np.float32)


def _draw_wire(
    intensity: Float32Array, wire: GuideWire, angle_rad: FloatArray, depth_mm: Float32Array
) -> None:
    front = column(wire.front_mm(angle_rad))
    hit = np.isfinite(front[:, 0])
    behind = depth_mm - front[hit]
    thick = 0.03 + 0.09 * np.cos(0.5 * np.pi * wire.apart_rad(angle_rad)[hit] / wire.half_width_rad)[:, None]
    shown = np.exp(-((np.maximum(behind, 0.0) / thick) ** 2)) * (behind >= 0.0)
    intensity[hit] = np.where(behind < 0.0, intensity[hit], 10.0 ** (205.0 / DECADE_GREY) * shown)


def _roll(table: Float32Array, rng: np.random.Generator, shape: tuple[int, ...]) -> Float32Array:
    first = int(rng.integers(0, table.shape[1] - shape[1]))
    return np.roll(table[:, first : first + shape[1]], int(rng.integers(0, shape[0])), axis=0)
