"""What a CT scanner does to tissue: blur, noise, motion during the scan, slabs that do not fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, shift
from scipy.spatial import cKDTree

from coreg.phantom.ccta_settings import CctaSettings
from coreg.phantom.lumen import Lumen
from coreg.phantom.randomness import component_rng
from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
Int16Array = npt.NDArray[np.int16]

SLICES_AT_ONCE = 32
TRUNCATE = 3.5
MOVING_MM, STILL_MM = 5.0, 10.0


@dataclass(frozen=True)
class VesselMotion:
    """A stretch of the artery that moved during the scan, to both sides of where it truly is.

    Attributes
    ----------
    first_mm, last_mm : float
        Arc lengths.
    direction : triple
        Unit vector in the world.
    travel_mm : float
        From one end of the movement to the other.
    """

    first_mm: float
    last_mm: float
    direction: tuple[float, float, float]
    travel_mm: float


@dataclass(frozen=True)
class SlabStep:
    """Slices from ``first_slice`` on, shown ``shift_mm`` (x, y) from where they truly are."""

    first_slice: int
    shift_mm: tuple[float, float]


@dataclass(frozen=True)
class Scan:
    """How an image was taken.

    Attributes
    ----------
    psf_mm, psf_z_mm : float
        Standard deviation of the blur, in the plane and along z.
    noise_hu : float
        Standard deviation of the noise.
    noise_correlation_mm : float
        Standard deviation of its kernel.
    motion : VesselMotion or None
        During the scan.
    slabs : tuple of SlabStep
        Empty where the image is one.
    """

    psf_mm: float
    psf_z_mm: float
    noise_hu: float
    noise_correlation_mm: float
    motion: VesselMotion | None
    slabs: tuple[SlabStep, ...]


def draw_scan(seed: int, grid: Volume, lumen: Lumen, settings: CctaSettings) -> Scan:
    """Draw how the image is taken."""
    rng = component_rng(seed, "ccta scanner")
    return Scan(
        psf_mm=float(rng.uniform(*settings.psf_mm)),
        psf_z_mm=float(rng.uniform(*settings.psf_z_mm)),
        noise_hu=float(settings.noise_factor * rng.uniform(*settings.noise_hu)),
        noise_correlation_mm=float(rng.uniform(*settings.noise_correlation_mm)),
        motion=_draw_motion(seed, lumen, settings),
        slabs=_draw_slabs(seed, len(grid.values), settings),
    )


def _draw_motion(seed: int, lumen: Lumen, settings: CctaSettings) -> VesselMotion | None:
    rng = component_rng(seed, "ccta motion")
    if rng.uniform() >= settings.motion_odds:
        return None
    first, length = rng.uniform(0.15, 0.6) * lumen.length_mm, rng.uniform(15.0, 25.0)
    direction = rng.standard_normal(3) * [1.0, 1.0, 0.3]
    x, y, z = (direction / np.linalg.norm(direction)).tolist()
    return VesselMotion(first, first + length, (x, y, z), rng.uniform(*settings.motion_mm))


def _draw_slabs(seed: int, slices: int, settings: CctaSettings) -> tuple[SlabStep, ...]:
    rng = component_rng(seed, "ccta slabs")
    if rng.uniform() >= settings.slab_odds:
        return ()
    count = int(rng.integers(2, 5))
    edges = np.rint(slices * (np.arange(1, count) + rng.uniform(-0.2, 0.2, count - 1)) / count).astype(int)
    angle, size = rng.uniform(0.0, 2.0 * np.pi, count - 1), rng.uniform(*settings.slab_step_mm, count - 1)
    steps = np.cumsum(size[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1), axis=0)
    shifts = np.vstack([np.zeros(2), steps])
    # Nowhere farther from the truth than need be.
    shifts -= 0.5 * (shifts.min(axis=0) + shifts.max(axis=0))
    starts = [0, *edges.tolist()]
    return tuple(SlabStep(a, (float(x), float(y))) for a, (x, y) in zip(starts, shifts, strict=True))


def moving_part(
    hu: Float32Array, grid: Volume, lumen: Lumen, motion: VesselMotion
) -> tuple[tuple[slice, ...], Float32Array]:
    """Average a stretch of the artery over its movement: the box of voxels concerned, and their HU."""
    points, _ = lumen.axis.at(np.arange(motion.first_mm, motion.last_mm, 0.5))
    reach = STILL_MM + motion.travel_mm
    index = grid.to_index(np.array([points.min(axis=0) - reach, points.max(axis=0) + reach]))
    low = np.maximum(np.floor(index.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(index.max(axis=0)).astype(int) + 1, grid.values.shape)
    box = tuple(slice(a, b) for a, b in zip(low.tolist(), high.tolist(), strict=True))
    still = hu[box]
    step = np.array(motion.direction)[::-1] * motion.travel_mm / grid.spacing_mm
    places = np.linspace(-0.5, 0.5, 5)
    blurred = np.mean([shift(still, each * step, order=1, mode="nearest") for each in places], axis=0)
    voxels = np.indices(still.shape).reshape(3, -1).T + low
    distance = cKDTree(points).query(grid.to_world(voxels.astype(np.float64)))[0].reshape(still.shape)
    share = np.clip((STILL_MM - distance) / (STILL_MM - MOVING_MM), 0.0, 1.0)
    return box, still + share * (blurred - still)


def scanned(seed: int, hu: Float32Array, spacing_mm: FloatArray, scan: Scan) -> Int16Array:
    """Blur tissue (slices, rows, columns), move its slabs apart and add noise: int16 HU."""
    sigma = np.array([scan.psf_z_mm, scan.psf_mm, scan.psf_mm]) / spacing_mm
    halo = int(np.ceil(TRUNCATE * sigma[0])) + 1
    image = np.empty(hu.shape, dtype=np.int16)
    for first in range(0, len(hu), SLICES_AT_ONCE):
        last = min(first + SLICES_AT_ONCE, len(hu))
        low, high = max(first - halo, 0), min(last + halo, len(hu))
        part = gaussian_filter(hu[low:high], sigma, truncate=TRUNCATE)[first - low : last - low]
        part = _apart(part, first, spacing_mm, scan.slabs)
        part += scan.noise_hu * _noise(seed, first, part.shape, scan.noise_correlation_mm / spacing_mm)
        image[first:last] = np.clip(np.rint(part), -1024, 3071)
    return image


def _apart(
    part: Float32Array, first: int, spacing_mm: FloatArray, slabs: tuple[SlabStep, ...]
) -> Float32Array:
    """Move the slices of each slab; ``first`` is the number of the part's first slice."""
    moved = part.copy()
    edges = [*(each.first_slice for each in slabs[1:]), first + len(part)]
    for slab, end in zip(slabs, edges, strict=False):
        rows = slice(max(slab.first_slice - first, 0), max(end - first, 0))
        if rows.stop > rows.start and rows.start < len(part):
            pixels = np.array(slab.shift_mm)[::-1] / spacing_mm[1:]
            moved[rows] = shift(part[rows], [0.0, *pixels], order=1, mode="nearest")
    return moved


def _noise(seed: int, first: int, shape: tuple[int, ...], sigma: FloatArray) -> Float32Array:
    """Grainy noise of unit standard deviation; each slice has its own source, so that parts fit."""
    halo = int(np.ceil(TRUNCATE * sigma[0])) + 1
    rows = np.arange(first, first + shape[0] + 2 * halo).tolist()
    white = np.stack(
        [
            component_rng(seed, f"ccta noise {row}").standard_normal(shape[1:], dtype=np.float32)
            for row in rows
        ]
    )
    grain = gaussian_filter(white, sigma, truncate=TRUNCATE, mode=("reflect", "wrap", "wrap"))[halo:-halo]
    impulse = np.zeros((17, 17, 17))
    impulse[8, 8, 8] = 1.0
    gain = np.sqrt((gaussian_filter(impulse, sigma, truncate=TRUNCATE) ** 2).sum())
    return grain / np.float32(gain)
