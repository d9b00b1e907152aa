"""How intravascular ultrasound shows a section: grey values along the lines of sight."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from coreg.phantom.guide_wire import GuideWire
from coreg.phantom.lines import Lines, along, column, lines_of
from coreg.phantom.pullback_settings import PullbackImageSettings
from coreg.phantom.randomness import component_rng
from coreg.phantom.scan_conversion import depth_count
from coreg.phantom.sections import Section
from coreg.phantom.speckle import scatterers
from coreg.phantom.stent import Stent

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
Complex64Array = npt.NDArray[np.complex64]

IVUS_STEP_MM = 0.02
CATHETER_MM = 0.45
CELL_MM, SLAB_MM = 0.04, 0.12
RANGE_DB = 48.0


@dataclass(frozen=True, eq=False)
class IvusLook:
    """What stays the same over a pullback.

    Attributes
    ----------
    depth_mm : (R,) array
        Of the samples along a line.
    tissue : (S, U, U) array
        Scatterers in the vessel's own coordinates: arc length, and place across.
    blood : (A, 8 R) array
        Scatterers, new in every frame.
    axial, lateral : float
        Standard deviations of the point spread, in samples and lines.
    blood_db : float
        Echo of blood against that of the adventitia.
    fall_db_per_mm : float
        Attenuation in tissue that the console does not make up for.
    floor : float
        Intensity of the receiver's noise.
    """

    depth_mm: Float32Array
    tissue: Complex64Array
    blood: Complex64Array
    axial: float
    lateral: float
    blood_db: float
    fall_db_per_mm: float
    floor: float


def ivus_look(seed: int, field_of_view_mm: float, settings: PullbackImageSettings) -> IvusLook:
    """Draw the scatterers of a pullback, and what its frequency means."""
    rng = component_rng(seed, "ivus look")
    count = depth_count(field_of_view_mm, IVUS_STEP_MM)
    mhz = settings.frequency_mhz
    return IvusLook(
        (IVUS_STEP_MM * np.arange(count)).astype(np.float32),
        scatterers(rng, (64, 192, 192)),
        scatterers(rng, (settings.angles, 8 * count)),
        axial=(0.9 / mhz + 0.008) / IVUS_STEP_MM,
        lateral=(0.02 + 0.9 / mhz) * settings.angles / (2.0 * np.pi),
        blood_db=float(np.interp(mhz, (20.0, 40.0, 60.0), (-27.0, -19.0, -13.0))),
        fall_db_per_mm=float(np.interp(mhz, (20.0, 40.0, 60.0), (2.0, 3.5, 5.5))),
        floor=10.0 ** ((rng.uniform(*settings.noise) - 44.0) / 10.0),
    )


def ivus_lines(
    look: IvusLook,
    section: Section,
    rng: np.random.Generator,
    *,
    wire: GuideWire | None,
    angle_rad: FloatArray,
    stent: Stent | None,
) -> Float32Array:
    """Paint a section along its lines, grey values (A, R)."""
    lines = lines_of(section, look.depth_mm)
    echo_db, fall_db = _tissue(section, lines, look)
    if wire is not None:
        front = column(wire.front_mm(angle_rad))
        on = (look.depth_mm > front) & (look.depth_mm < front + 0.1)
        echo_db[on] = 12.0
        fall_db[look.depth_mm > front + 0.1] = 200.0
    loss = np.cumsum(fall_db, axis=1) * np.float32(IVUS_STEP_MM)
    amplitude = 10.0 ** ((echo_db - loss) / 20.0)
    field = np.where(lines.inside, _blood(look, rng, amplitude.shape), _anchored(section, look))
    field = field * amplitude
    real, imaginary = (_spread(each, look) for each in (field.real, field.imag))
    intensity = (real**2 + imaginary**2) / _gain(look) + look.floor
    intensity[:, look.depth_mm < CATHETER_MM] = 0.0
    grey = 235.0 + (255.0 / RANGE_DB) * 10.0 * np.log10(np.maximum(intensity, 1e-9))
    return np.clip(grey, 0.0, 255.0)


def _tissue(section: Section, lines: Lines, look: IvusLook) -> tuple[Float32Array, Float32Array]:
    """Echo in decibel and its fall per mm (A, R)."""
    r, behind, membrane = lines.depth_mm, lines.behind_mm, lines.membrane_mm
    echo = np.full(behind.shape, -9.0, dtype=np.float32)
    fall = np.full(behind.shape, look.fall_db_per_mm, dtype=np.float32)
    echo -= 6.0 * column(section.lipid) * (behind > 0.1)
    echo[(r > membrane - 0.12) & (r < membrane)] = -24.0
    outside = r > membrane
    echo[outside] = -1.0
    echo -= 5.0 * np.clip((r - membrane - 0.4) / 0.5, 0.0, 1.0)
    inner = column(section.calcium_inner_mm)
    echo[(r > inner) & (r < inner + 0.15)] = 8.0
    fall[r > inner + 0.1] = 150.0
    echo[lines.inside] = look.blood_db
    fall[lines.inside] = 0.3 * look.fall_db_per_mm
    return echo, fall


def _anchored(section: Section, look: IvusLook) -> Complex64Array:
    """Scatterers (A, R) that stay where they are in the tissue."""
    s, u, v = (along(each, section, look.depth_mm) for each in section.coordinates)
    slabs, wide, _ = look.tissue.shape
    cell = (np.floor(u / CELL_MM).astype(np.int32) % wide) * wide
    cell += np.floor(v / CELL_MM).astype(np.int32) % wide
    place = s / SLAB_MM
    slab = np.floor(place).astype(np.int32)
    share = place - slab
    flat = look.tissue.reshape(-1)
    size = wide * wide
    low, high = flat[(slab % slabs) * size + cell], flat[((slab + 1) % slabs) * size + cell]
    # Mixed so that the mean intensity stays 1 between slabs.
    return ((1.0 - share) * low + share * high) / np.sqrt((1.0 - share) ** 2 + share**2)


def _blood(look: IvusLook, rng: np.random.Generator, shape: tuple[int, ...]) -> Complex64Array:
    first = int(rng.integers(0, look.blood.shape[1] - shape[1]))
    return look.blood[:, first : first + shape[1]]


def _spread(field: Float32Array, look: IvusLook) -> Float32Array:
    wide = gaussian_filter1d(field, look.lateral, axis=0, mode="wrap", truncate=3.0)
    return gaussian_filter1d(wide, look.axial, axis=1, mode="nearest", truncate=3.0)


def _gain(look: IvusLook) -> float:
    """Mean intensity that the point spread leaves of scatterers of intensity 1."""
    impulse = np.zeros((129, 129), dtype=np.float32)
    impulse[64, 64] = 1.0
    return float((_spread(impulse, look) ** 2).sum())
