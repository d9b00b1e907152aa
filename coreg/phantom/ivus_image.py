"""How intravascular ultrasound shows a frame: grey values along the lines of sight.

Scatterers of random phase, those of tissue fixed in the vessel and those of blood new in every frame,
are weighted with the echo of what they lie in and spread by the beam, which makes the speckle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from coreg.phantom.pullback_settings import PullbackImageSettings
from coreg.phantom.randomness import component_rng
from coreg.phantom.scan_conversion import depths_mm
from coreg.phantom.sections import Section
from coreg.phantom.shot import Samples, Shot, along, column
from coreg.phantom.speckle import scatterers, texture

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
Complex64Array = npt.NDArray[np.complex64]
BoolArray = npt.NDArray[np.bool_]

IVUS_STEP_MM = 0.02
CATHETER_MM = 0.45
SLAB_MM, BLUR_CELLS = 0.15, 1.6
GREY_PER_DB, ADVENTITIA_GREY = 5.0, 192.0
MEDIA_MM = 0.12
PATCH_MM = 0.05
FRONT_MM = 0.12
GUIDE_MM = 0.15
BLOOD_TURNS = 8
SHADOW_DB, SHADOW_DB_PER_MM = -48.0, 120.0


@dataclass(frozen=True, eq=False)
class IvusLook:
    """What stays the same over a pullback.

    Attributes
    ----------
    depth_mm : (R,) array
        Of the samples along a line.
    tissue : (S, U, U) array
        Scatterers in the vessel's own coordinates: arc length, and place across. They are blurred, so
        that tissue which moves by less than a cell looks nearly the same.
    cell_mm : float
        Across the vessel.
    evened : (R,) array
        Factor on their amplitude that makes up for the blur: tissue then shows its echo as blood does.
    coarse : (S, T, D) array
        How bright tissue is over arc length, angle round the vessel and depth.
    blood : (A, 8 R) array
        Scatterers, new in every frame.
    ring_down : (A, R) array
        Intensity of the transducer's own ringing.
    axial, lateral : float
        Standard deviations of the point spread, in samples and lines.
    gain : float
        Mean intensity that the point spread leaves of scatterers of intensity 1.
    blood_db : float
        Echo of blood against that of the adventitia.
    fall_db_per_mm : float
        Attenuation in tissue that the console does not make up for.
    floor : (R,) array
        Intensity of the receiver's noise, which the console lifts with depth.
    """

    depth_mm: Float32Array
    tissue: Complex64Array
    cell_mm: float
    evened: Float32Array
    coarse: Float32Array
    blood: Complex64Array
    ring_down: Float32Array
    axial: float
    lateral: float
    gain: float
    blood_db: float
    fall_db_per_mm: float
    floor: Float32Array


@dataclass(frozen=True, eq=False)
class _Medium:
    """What sound meets along the lines: samples (A, R), written into while a frame is painted.

    ``echo_db`` is relative to the adventitia's, ``fall_db`` what is lost per mm, and ``mirror`` where a
    smooth surface echoes without speckle.
    """

    echo_db: Float32Array
    fall_db: Float32Array
    mirror: BoolArray


def ivus_look(seed: int, field_of_view_mm: float, settings: PullbackImageSettings) -> IvusLook:
    """Draw the scatterers of a pullback, and what its frequency means."""
    rng = component_rng(seed, "ivus look")
    depth_mm = depths_mm(field_of_view_mm, IVUS_STEP_MM)
    count = len(depth_mm)
    mhz = settings.frequency_mhz
    axial = (0.6 / mhz + 0.005) / IVUS_STEP_MM
    lateral = (0.012 + 0.8 / mhz) * settings.angles / (2.0 * np.pi)
    cell_mm = 0.008 + 0.34 / mhz
    noise_db = float(rng.uniform(*settings.noise_db)) - 41.0
    return IvusLook(
        depth_mm,
        scatterers(rng, (32, 256, 256), blur=(0.0, BLUR_CELLS, BLUR_CELLS)),
        cell_mm,
        _evened(BLUR_CELLS * cell_mm, depth_mm, axial, lateral, settings.angles),
        texture(rng, (32, 128, 128), (3.0, 4.0, 3.0)),
        scatterers(rng, (settings.angles, BLOOD_TURNS * count)),
        _ring_down(rng, depth_mm, settings),
        axial,
        lateral,
        _gain(axial, lateral),
        float(np.interp(mhz, (20.0, 40.0, 60.0), (-26.0, -21.0, -17.0))),
        float(np.interp(mhz, (20.0, 40.0, 60.0), (2.8, 4.0, 6.0))),
        (10.0 ** ((noise_db + 1.2 * depth_mm) / 10.0)).astype(np.float32),
    )


def ivus_lines(look: IvusLook, shot: Shot, rng: np.random.Generator) -> Float32Array:
    """Paint a frame along its lines, grey values (A, R)."""
    samples = shot.samples
    medium = _guide_wall(samples) if shot.before == "guide" else _tissue(shot.section, samples, look)
    medium.echo_db[samples.inside] = look.blood_db
    medium.fall_db[samples.inside] = 0.3 * look.fall_db_per_mm
    if not shot.before:
        struts_mm = np.where(shot.struts, shot.section.wall_mm, np.inf)
        _add_fronts(medium, struts_mm, look.depth_mm, bright_db=8.0)
        _add_fronts(medium, shot.section.calcium_inner_mm, look.depth_mm, bright_db=7.0)
    if shot.wire is not None:
        front_mm = shot.wire.front_mm(shot.angle_rad)
        _add_fronts(medium, front_mm, look.depth_mm, bright_db=9.0, again_db=-40.0)
    loss = np.cumsum(medium.fall_db, axis=1) * np.float32(IVUS_STEP_MM)
    amplitude = 10.0 ** ((medium.echo_db - loss) * np.float32(0.05))
    field = np.where(samples.inside, _shuffled(look.blood, rng), _anchored(shot.section, look))
    # A mirror echoes in phase; the beam weakens it less than scatterers.
    field[medium.mirror] = np.float32(np.sqrt(look.gain)) * (1.0 + 0.9 * field[medium.mirror])
    field *= amplitude
    real, imaginary = (_spread(each, look.axial, look.lateral) for each in (field.real, field.imag))
    noise = _shuffled(look.blood, rng)
    intensity = (real**2 + imaginary**2) * np.float32(1.0 / look.gain) + look.ring_down
    intensity += look.floor * (noise.real**2 + noise.imag**2)
    intensity[:, look.depth_mm < CATHETER_MM] = 1e-9
    grey = ADVENTITIA_GREY + np.float32(10.0 * GREY_PER_DB) * np.log10(intensity)
    return _smoothed(np.clip(grey, 0.0, 255.0))


def _tissue(section: Section, samples: Samples, look: IvusLook) -> _Medium:
    r, behind, membrane = samples.depth_mm, samples.behind_mm, samples.membrane_mm
    slabs, turns, deep = look.coarse.shape
    turn = ((section.around_rad % (2.0 * np.pi)) * (turns / (2.0 * np.pi))).astype(int)
    mottled = look.coarse[int(section.arc_length_mm.mean() / SLAB_MM) % slabs, turn]
    depth = (np.maximum(behind, 0.0) * (1.0 / PATCH_MM)).astype(np.int32) % deep
    mottled = np.take_along_axis(mottled, depth, axis=1)
    echo = -13.0 - 7.0 * column(section.lipid) + 1.5 * mottled
    echo[behind < 0.08] += 4.0
    echo[(r > membrane - MEDIA_MM) & (r <= membrane)] = -27.0
    far = np.clip((r - membrane - 0.35) / 0.6, 0.0, 1.0)
    beyond = (1.0 + 1.5 * mottled) + far * (3.0 * mottled - 13.0)
    return _Medium(
        np.where(r > membrane, beyond, echo).astype(np.float32),
        np.full_like(behind, look.fall_db_per_mm),
        np.zeros(behind.shape, dtype=bool),
    )


def _guide_wall(samples: Samples) -> _Medium:
    """A guide catheter's wall: a bright ring with nothing behind it."""
    solid = samples.behind_mm < GUIDE_MM
    return _Medium(
        np.where(solid, np.float32(5.0), np.float32(-15.0)).astype(np.float32),
        np.where(solid, np.float32(0.0), np.float32(SHADOW_DB_PER_MM)).astype(np.float32),
        np.zeros(solid.shape, dtype=bool),
    )


def _add_fronts(
    medium: _Medium,
    front_mm: FloatArray,
    depth_mm: Float32Array,
    *,
    bright_db: float,
    again_db: float = -22.0,
) -> None:
    """Put hard surfaces where lines meet them, shadows behind, and their echoes at twice the distance."""
    lines = np.flatnonzero(np.isfinite(front_mm))
    if not len(lines):
        return
    front = column(front_mm[lines])
    behind = depth_mm - front
    surface, shadow = (behind >= 0.0) & (behind < FRONT_MM), behind >= FRONT_MM
    echo = np.where(shadow, np.float32(SHADOW_DB), medium.echo_db[lines])
    echo[surface] = bright_db
    echo[np.abs(behind - front) < 0.5 * FRONT_MM] = bright_db + again_db
    medium.echo_db[lines] = echo
    medium.fall_db[lines] = np.where(shadow, np.float32(0.0), medium.fall_db[lines])
    medium.mirror[lines] = surface | (medium.mirror[lines] & ~shadow)


def _anchored(section: Section, look: IvusLook) -> Complex64Array:
    """Scatterers (A, R) that stay where they are in the tissue."""
    s, u, v = (along(each, section, look.depth_mm) for each in section.coordinates)
    cells = np.float32(1.0 / look.cell_mm)
    slabs, wide, _ = look.tissue.shape
    cell = (np.floor(u * cells).astype(np.int32) % wide) * wide
    cell += np.floor(v * cells).astype(np.int32) % wide
    place = s * (1.0 / SLAB_MM)
    slab = np.floor(place).astype(np.int32)
    share = (place - slab).astype(np.float32)
    flat, size = look.tissue.reshape(-1), wide * wide
    low, high = flat[(slab % slabs) * size + cell], flat[((slab + 1) % slabs) * size + cell]
    # Mixed so that the mean intensity stays 1 between slabs.
    return ((1.0 - share) * low + share * high) * (look.evened / np.sqrt((1.0 - share) ** 2 + share**2))


def _ring_down(
    rng: np.random.Generator, depth_mm: Float32Array, settings: PullbackImageSettings
) -> Float32Array:
    """Intensity (A, R) of bright rings round the catheter; a solid-state console subtracts most of it."""
    start_db, length_mm = (-26.0, 0.06) if settings.catheter_type == "solid-state" else (-4.0, 0.05)
    rings = 4.0 * np.cos(2.0 * np.pi * (depth_mm - CATHETER_MM) / 0.09)
    uneven = 2.5 * texture(rng, (settings.angles, len(depth_mm)), (settings.angles / 25.0, 1.5))
    level = start_db + rings + uneven - (depth_mm - CATHETER_MM) * (4.34 / length_mm)
    return (10.0 ** (level / 10.0)).astype(np.float32)


def _spread(field: Float32Array, axial: float, lateral: float) -> Float32Array:
    wide = gaussian_filter1d(field, lateral, axis=0, mode="wrap", truncate=2.5)
    return gaussian_filter1d(wide, axial, axis=1, mode="nearest", truncate=2.5)


def _evened(
    blur_mm: float, depth_mm: Float32Array, axial: float, lateral: float, angles: int
) -> Float32Array:
    """Amplitude factor (R,) by which the beam makes blurred scatterers as bright as sharp ones.

    Of Gaussian-correlated values a Gaussian mean keeps the variance blur / hypot(blur, beam) along an
    axis, of independent ones 1 / (2 sqrt(pi) beam); both widths in samples.
    """

    def kept(blur: FloatArray, beam: float) -> FloatArray:
        return np.maximum(blur / np.hypot(blur, beam) * (2.0 * np.sqrt(np.pi) * beam), 1.0)

    along = kept(np.array(blur_mm / IVUS_STEP_MM), axial)
    line_mm = np.maximum(depth_mm, CATHETER_MM) * (2.0 * np.pi / angles)
    return (1.0 / np.sqrt(along * kept(blur_mm / line_mm, lateral))).astype(np.float32)


def _gain(axial: float, lateral: float) -> float:
    impulse = np.zeros((129, 129), dtype=np.float32)
    impulse[64, 64] = 1.0
    return float((_spread(impulse, axial, lateral) ** 2).sum())


def _smoothed(grey: Float32Array) -> Float32Array:
    """Mix each sample with its neighbours, as consoles do."""
    mixed = 0.5 * grey + 0.25 * (np.roll(grey, 1, axis=0) + np.roll(grey, -1, axis=0))
    mixed[:, 1:-1] = 0.5 * mixed[:, 1:-1] + 0.25 * (mixed[:, 2:] + mixed[:, :-2])
    return mixed


def _shuffled(table: Complex64Array, rng: np.random.Generator) -> Complex64Array:
    """Take fresh values (A, R) out of a table (A, 8 R)."""
    count = table.shape[1] // BLOOD_TURNS
    first = int(rng.integers(0, table.shape[1] - count))
    return np.roll(table[:, first : first + count], int(rng.integers(0, len(table))), axis=0)
