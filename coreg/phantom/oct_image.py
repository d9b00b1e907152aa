"""How optical coherence tomography shows a frame: grey values along the lines of sight.

Light comes back from tissue with a strength that its kind gives, weakened by all that lies before it.
Both are counted in the grey values of the logarithmic display, in which a decade of intensity is
`DECADE_GREY`, so that attenuation is a slope.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coreg.phantom.guide_wire import GuideWire
from coreg.phantom.pullback_settings import PullbackImageSettings
from coreg.phantom.randomness import component_rng
from coreg.phantom.scan_conversion import depths_mm
from coreg.phantom.sections import Section
from coreg.phantom.shot import Samples, Shot, column
from coreg.phantom.speckle import speckle_intensity, texture

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]

OCT_STEP_MM = 0.010
SHEATH_MM = 0.45
DECADE_GREY = 50.0
WALL_GREY, WALL_FALL = 124.0, 75.0
MEDIA_MM = 0.11
FIBRE_SLAB_MM = 0.2
STRUT_MM = 0.04
# Reflections of the catheter's own parts: lens, inner and outer side of the sheath.
SHEATH_GREY = (
    (0.0, 75.0),
    (0.04, 20.0),
    (0.20, 25.0),
    (0.235, 90.0),
    (0.255, 20.0),
    (0.29, 15.0),
    (0.305, 72.0),
    (0.32, 36.0),
    (0.42, 44.0),
    (0.44, 78.0),
    (0.455, 50.0),
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
    sheath : (A, R) array
        Intensity of the catheter's own reflections.
    floor : float
        Intensity of the receiver's noise.
    """

    depth_mm: Float32Array
    speckle: Float32Array
    fibres: Float32Array
    streaks: Float32Array
    sheath: Float32Array
    floor: float


def oct_look(seed: int, field_of_view_mm: float, settings: PullbackImageSettings) -> OctLook:
    """Draw the noise and textures of a pullback."""
    rng = component_rng(seed, "oct look")
    depth_mm = depths_mm(field_of_view_mm, OCT_STEP_MM)
    count = len(depth_mm)
    return OctLook(
        depth_mm,
        speckle_intensity(rng, (settings.angles, 4 * count), (0.8, 0.8), looks=2),
        texture(rng, (40, 256, 256), (2.0, 3.0, 2.0)),
        texture(rng, (128, 256), (2.5, 4.0)),
        _sheath(rng, depth_mm, settings.angles),
        0.35 * 10.0 ** (float(rng.uniform(*settings.noise_db)) / 10.0),
    )


def oct_lines(look: OctLook, shot: Shot, rng: np.random.Generator) -> Float32Array:
    """Paint a frame along its lines, grey values (A, R)."""
    samples = shot.samples
    grey = _guide_wall(samples) if shot.before == "guide" else _tissue(shot.section, samples, look)
    grey[samples.inside] = -np.inf
    if shot.struts.any():
        _add_struts(grey, shot)
    if shot.blood_fall is not None:
        grey = _behind_blood(grey, shot.blood_fall)
    if shot.wire is not None:
        _add_wire(grey, shot.wire, shot.angle_rad, look.depth_mm)
    intensity = 10.0 ** (grey / np.float32(DECADE_GREY)) + look.sheath
    first, second = (_shuffled(look.speckle, rng, intensity.shape[1]) for _ in range(2))
    intensity = intensity * first + np.float32(look.floor) * second
    return np.log1p(intensity) * np.float32(DECADE_GREY / np.log(10.0))


def _tissue(section: Section, samples: Samples, look: OctLook) -> Float32Array:
    """Grey values (A, R) of the wall, as if nothing lay before it."""
    r, behind, membrane = samples.depth_mm, samples.behind_mm, samples.membrane_mm
    slab = int(section.arc_length_mm.mean() / FIBRE_SLAB_MM)
    turn = ((section.around_rad % (2.0 * np.pi)) * (256.0 / (2.0 * np.pi))).astype(int)
    streak = look.streaks[slab % len(look.streaks), turn][:, None]
    level = np.full(behind.shape, WALL_GREY, dtype=np.float32)
    # Out of focus, the far wall is darker.
    level -= np.clip(9.0 * (column(section.lumen_mm) - 1.2), 0.0, 25.0) - 4.0 * streak
    fall = np.full(behind.shape, WALL_FALL, dtype=np.float32)
    outside = r > membrane
    level[(r > membrane - MEDIA_MM) & ~outside] -= 20.0
    fall += 55.0 * outside
    pool = np.clip((behind - (0.12 + 0.04 * streak)) / 0.15, 0.0, 1.0) * column(section.lipid)
    pool *= r < membrane - 0.5 * MEDIA_MM
    level -= 8.0 * pool
    fall += 240.0 * pool
    calcium = (r > column(section.calcium_inner_mm)) & (r < column(section.calcium_outer_mm))
    level[calcium] -= 62.0
    fall[calcium] = 25.0
    fibres = look.fibres[slab % len(look.fibres), turn]
    depth = np.clip((r - membrane) * (1.0 / OCT_STEP_MM) + 128.0, 0.0, 255.0).astype(np.int32)
    grain = np.where(outside | calcium, np.float32(8.0), np.float32(3.0))
    level += np.take_along_axis(fibres, depth, axis=1) * grain
    fall *= np.clip(1.0 + 0.25 * streak, 0.5, 1.7)
    fall[samples.inside] = 0.0
    return level - np.cumsum(fall, axis=1) * np.float32(OCT_STEP_MM)


def _guide_wall(samples: Samples) -> Float32Array:
    """Grey values (A, R) of a guide catheter's wall, which little light passes."""
    behind = samples.behind_mm
    level = np.where(behind < 0.05, np.float32(150.0), np.float32(95.0))
    return level - np.float32(450.0) * np.maximum(behind, 0.0)


def _add_struts(grey: Float32Array, shot: Shot) -> None:
    """Put bright struts on the wall, and darkness behind them."""
    lines = np.flatnonzero(shot.struts)
    behind = (np.arange(grey.shape[1]) * OCT_STEP_MM)[None] - shot.section.wall_mm[lines, None]
    part = grey[lines]
    part[behind > STRUT_MM] -= 110.0
    part[np.abs(behind) <= STRUT_MM] = 180.0
    grey[lines] = part


def _behind_blood(grey: Float32Array, fall: Float32Array) -> Float32Array:
    """Show clouds that take so much light per mm (A, R), and what is behind them darker."""
    own = np.where(fall > 0.0, 50.0 * np.log10(1.0 + 0.3 * fall), -np.inf).astype(np.float32)
    return np.maximum(grey, own) - np.cumsum(fall, axis=1) * np.float32(OCT_STEP_MM)


def _sheath(rng: np.random.Generator, depth_mm: Float32Array, angles: int) -> Float32Array:
    at, grey = np.array(SHEATH_GREY).T
    uneven = texture(rng, (angles,), (angles / 40.0,))[:, None]
    ring = np.interp(depth_mm, at, grey).astype(np.float32) * (1.0 + 0.12 * uneven)
    return (10.0 ** (ring / DECADE_GREY) - 1.0).astype(np.float32)


def _add_wire(grey: Float32Array, wire: GuideWire, angle_rad: FloatArray, depth_mm: Float32Array) -> None:
    """Put a bright crescent where a wire is, and its shadow, whose edges are not sharp."""
    aside = np.abs(wire.apart_rad(angle_rad)) / wire.half_width_rad
    hit = np.flatnonzero(aside < 1.12)
    front = wire.front_mm(angle_rad)[hit]
    front = np.where(np.isfinite(front), front, wire.distance_mm)[:, None]
    behind = depth_mm - front.astype(np.float32)
    full = np.clip((1.12 - aside[hit]) / 0.24, 0.0, 1.0)[:, None].astype(np.float32)
    part = grey[hit]
    part -= np.where(behind > 0.0, 200.0 * full, np.float32(0.0))
    thick = 0.018 + 0.028 * np.sqrt(np.clip(1.0 - aside[hit] ** 2, 0.0, 1.0))[:, None].astype(np.float32)
    bright = 212.0 - 38.0 * aside[hit, None] ** 2 - 90.0 * np.maximum(behind / thick - 1.0, 0.0)
    shown = (behind >= 0.0) & (aside[hit, None] < 1.0) & (behind < 3.5 * thick)
    grey[hit] = np.where(shown, np.maximum(part, bright.astype(np.float32)), part)


def _shuffled(table: Float32Array, rng: np.random.Generator, count: int) -> Float32Array:
    first = int(rng.integers(0, table.shape[1] - count))
    return np.roll(table[:, first : first + count], int(rng.integers(0, len(table))), axis=0)
