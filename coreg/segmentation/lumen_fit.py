"""Lumen and outer wall from cross-sections, by fitting what a scanner would show of them.

Along each ray the model is lumen, then wall, then surroundings, each of its own brightness and
all blurred by the scanner. Where there is calcium the wall may be brighter than the blood. Radii,
wall thickness and brightness vary smoothly by angle and along the vessel; how smoothly is stated
as a prior, and all sections are solved together (Gauss-Newton on a banded system). Since the blur
is part of the model, the lumen of a small vessel is neither too wide at half of its faded
brightness nor too narrow at half of the full one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from scipy.linalg import solveh_banded
from scipy.ndimage import maximum_filter

from coreg.segmentation.bending import bending_bands
from coreg.segmentation.blurred_disc import disc_share
from coreg.segmentation.rays import RAY_STEP_MM, Rays

FloatArray = npt.NDArray[np.float64]

SMALLEST_MM = 0.25
THINNEST_MM = 0.1
# Volume over which the image's noise is one and the same.
NOISE_MM3 = 0.35
ITERATIONS = 8
SECTORS = 12
WALL_HU = 65.0
# Brightness of the wall: without calcium, with it, and within so many mm and 30 degrees of it.
WALL_SD_HU, CALCIUM_SD_HU, BESIDE_SD_HU = 18.0, 600.0, 150.0
BESIDE_MM = 1.5
LEVEL_SD = 0.1


@dataclass(frozen=True)
class Smoothness:
    """Prior of one quantity: standard deviation and length over which it changes along the vessel."""

    mean: float
    sd: float
    length_mm: float


@dataclass(frozen=True, eq=False)
class Fit:
    """State of a fit.

    Attributes
    ----------
    coefficients : (N, M) array
        Of all quantities, in the order of ``Layout``.
    blur_mm : float
        The scanner's, as used.
    noise_hu : float
        Standard deviation of what the model leaves.
    residual_hu : (N,) array
        Root-mean-square of that near the wall, by section.
    radius_sd_mm : (N,) array
        Posterior standard deviation of the mean radius.
    """

    coefficients: FloatArray
    blur_mm: float
    noise_hu: float
    residual_hu: FloatArray
    radius_sd_mm: FloatArray


class Layout:
    """Which columns of the coefficients belong to what.

    Radius, wall thickness and surroundings are Fourier series of the angle (1, cos, sin, cos 2,
    ...), the brightness of the lumen is one number a section, that of the wall is interpolated
    between ``SECTORS`` angles, since calcium has edges.
    """

    ORDERS: ClassVar[dict[str, int]] = {"radius": 4, "thickness": 3, "outside": 4, "lumen": 0}

    def __init__(self, angles_rad: FloatArray) -> None:
        self.columns: dict[str, slice] = {}
        self.basis: dict[str, FloatArray] = {}
        for name, order in self.ORDERS.items():
            waves = [np.ones_like(angles_rad)]
            for each in range(1, order + 1):
                waves += [np.cos(each * angles_rad), np.sin(each * angles_rad)]
            self.basis[name] = np.stack(waves)
        turn = np.subtract.outer(2.0 * np.pi * np.arange(SECTORS) / SECTORS, angles_rad)
        apart = np.abs(np.angle(np.exp(1j * turn))) * SECTORS / (2.0 * np.pi)
        self.basis["wall"] = np.maximum(1.0 - apart, 0.0)
        start = 0
        for name, basis in self.basis.items():
            self.columns[name] = slice(start, start + len(basis))
            start += len(basis)
        self.count = start

    def series(self, coefficients: FloatArray, name: str) -> FloatArray:
        """Values (N, A) of one quantity by angle."""
        return coefficients[:, self.columns[name]] @ self.basis[name]


def prior(layout: Layout, level_hu: float, level_sd_hu: float) -> list[Smoothness]:
    """Return what is believed of each coefficient before the image is seen."""
    series = {
        "radius": (Smoothness(1.4, 0.7, 2.5), (0.2, 0.12, 0.06, 0.04)),
        "thickness": (Smoothness(0.8, 0.25, 4.0), (0.12, 0.08, 0.05)),
        "outside": (Smoothness(0.0, 100.0, 3.0), (80.0, 50.0, 40.0, 30.0)),
    }
    beliefs = []
    for mean, waves in series.values():
        beliefs += [mean, *(Smoothness(0.0, sd, 2.5) for sd in waves for _ in range(2))]
    beliefs.append(Smoothness(level_hu, level_sd_hu, 20.0))
    return beliefs + [Smoothness(WALL_HU, WALL_SD_HU, 2.0)] * (layout.count - len(beliefs))


def fit_sections(
    rays: Rays,
    weights: FloatArray,
    start: FloatArray,
    level_hu: FloatArray,
    *,
    level_sd: float = LEVEL_SD,
    calcium: npt.NDArray[np.bool_],
    blur_mm: float,
    iterations: int = ITERATIONS,
) -> Fit:
    """Fit lumen and wall to rays.

    Parameters
    ----------
    rays : Rays
        Brightness in HU.
    weights : (N, A, K) array
        How much each sample counts, from 0 to 1.
    start : (N, M) array
        Coefficients to start from.
    level_hu : (N,) array
        Brightness that the blood is believed to have.
    level_sd : float
        How far it may be off, relative.
    calcium : (N, A) bool array
        On which rays the wall may be of any brightness.
    blur_mm : float
        Standard deviation of the scanner's blur.
    iterations : int
        Of Gauss-Newton.
    """
    layout = Layout(rays.angles_rad)
    beliefs = prior(layout, float(level_hu.mean()), level_sd * float(level_hu.mean()))
    precision = _precision(beliefs, _spread(beliefs, layout, calcium, rays.step_mm), rays.step_mm)
    mean = np.tile([each.mean for each in beliefs], (len(start), 1))
    mean[:, layout.columns["lumen"].start] = level_hu
    area = rays.rho_mm * RAY_STEP_MM * (2.0 * np.pi / len(rays.angles_rad)) * rays.step_mm / NOISE_MM3
    x, noise = start.copy(), 30.0
    for _ in range(iterations):
        residual, slopes, near = _compare(rays, layout, x, blur_mm)
        use = weights * near
        noise = _noise(residual, use * area)
        usual = 3.0 * noise + 0.1 * np.maximum(layout.series(x, "wall") - level_hu[:, None], 0.0)[..., None]
        robust = 1.0 / (1.0 + (residual / usual) ** 2) ** 2
        w = use * robust * area / noise**2
        normal, gradient = _normal_equations(layout, slopes, residual, w)
        x = x + _limited(_solved(normal, gradient, precision, x - mean), layout)
        x = _bounded(x, layout)
    residual, slopes, near = _compare(rays, layout, x, blur_mm)
    use = weights * near * area
    normal, _ = _normal_equations(layout, slopes, residual, use / noise**2)
    rms = np.sqrt((use * residual**2).sum(axis=(1, 2)) / np.maximum(use.sum(axis=(1, 2)), 1e-9))
    return Fit(x, blur_mm, noise, rms, _radius_sd(normal, precision))


def start_from(
    layout: Layout,
    *,
    radius_mm: FloatArray,
    thickness_mm: FloatArray,
    level_hu: FloatArray,
    wall_hu: FloatArray,
) -> FloatArray:
    """Coefficients (N, M) of given radii, thicknesses and wall brightness (N, A) and blood (N,)."""
    x = np.zeros((len(radius_mm), layout.count))
    for name, values in (("radius", radius_mm), ("thickness", thickness_mm)):
        basis = layout.basis[name]
        scale = np.where(np.arange(len(basis)) == 0, 1.0, 2.0)
        x[:, layout.columns[name]] = values @ basis.T * scale / values.shape[1]
    x[:, layout.columns["lumen"].start] = level_hu
    basis = layout.basis["wall"]
    x[:, layout.columns["wall"]] = wall_hu @ basis.T / basis.sum(axis=1)
    return x


def _spread(
    beliefs: list[Smoothness], layout: Layout, calcium: npt.NDArray[np.bool_], step_mm: float
) -> FloatArray:
    """Prior standard deviations (N, M)."""
    sd = np.tile([each.sd for each in beliefs], (len(calcium), 1))
    sectors = calcium @ layout.basis["wall"].T > 0.5
    size = (2 * round(BESIDE_MM / step_mm) + 1, 3)
    beside = maximum_filter(sectors.astype(np.uint8), size, mode=("nearest", "wrap")) > 0
    sd[:, layout.columns["wall"]] = np.where(
        sectors, CALCIUM_SD_HU, np.where(beside, BESIDE_SD_HU, WALL_SD_HU)
    )
    return sd


def _compare(
    rays: Rays, layout: Layout, x: FloatArray, blur_mm: float
) -> tuple[FloatArray, dict[str, FloatArray], FloatArray]:
    """Image minus model (N, A, K), the model's derivatives, and how near the wall each sample is."""
    rho = rays.rho_mm[None, None, :]
    radius = np.maximum(layout.series(x, "radius"), SMALLEST_MM)[..., None]
    outer = radius + np.maximum(layout.series(x, "thickness"), THINNEST_MM)[..., None]
    outside = layout.series(x, "outside")[..., None]
    lumen, wall = (layout.series(x, name)[..., None] for name in ("lumen", "wall"))
    inner_share, inner_slope = disc_share(rho, radius, blur_mm)
    outer_share, outer_slope = disc_share(rho, outer, blur_mm)
    model = outside + (wall - outside) * outer_share + (lumen - wall) * inner_share
    slopes = {
        "radius": (wall - outside) * outer_slope + (lumen - wall) * inner_slope,
        "thickness": (wall - outside) * outer_slope,
        "outside": 1.0 - outer_share,
        "lumen": inner_share,
        "wall": outer_share - inner_share,
    }
    near = np.clip((radius + 2.2 - rho) / 1.0, 0.0, 1.0)
    return rays.values_hu - model, slopes, near


def _noise(residual: FloatArray, weight: FloatArray) -> float:
    some = weight > 0.2 * weight.max()
    return float(np.clip(1.4826 * np.median(np.abs(residual[some])), 8.0, 60.0)) if some.any() else 30.0


def _normal_equations(
    layout: Layout, slopes: dict[str, FloatArray], residual: FloatArray, w: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Blocks (N, M, M) and right sides (N, M) of the data."""
    names = list(slopes)
    normal = np.zeros((len(residual), layout.count, layout.count))
    gradient = np.zeros((len(residual), layout.count))
    weighted = {name: w * slopes[name] for name in names}
    for i, a in enumerate(names):
        first = layout.columns[a]
        along = np.einsum("nak,nak->na", weighted[a], residual)
        gradient[:, first] = along @ layout.basis[a].T
        for b in names[i:]:
            second = layout.columns[b]
            along = np.einsum("nak,nak->na", weighted[a], np.broadcast_to(slopes[b], w.shape))
            block = np.einsum("na,pa,qa->npq", along, layout.basis[a], layout.basis[b], optimize=True)
            normal[:, first, second] = block
            normal[:, second, first] = np.swapaxes(block, 1, 2)
    return normal, gradient


def _precision(beliefs: list[Smoothness], sd: FloatArray, step_mm: float) -> FloatArray:
    """Inverse covariance of each coefficient along the vessel, banded: shape (3, N, M).

    Row d couples sections that are d apart. The spectrum falls with the fourth power of the wave
    number beyond 1 / length.
    """
    length = np.array([each.length_mm for each in beliefs])
    weight = step_mm / (2.0 * np.sqrt(2.0) * length * sd**2)
    bands = np.zeros((3, *sd.shape))
    if len(sd) >= 3:
        stiff = np.minimum(np.minimum(weight[:-2], weight[1:-1]), weight[2:])
        bands = bending_bands((length / step_mm) ** 4 * stiff)
    bands[0] += weight
    return bands


def _banded(normal: FloatArray, precision: FloatArray) -> FloatArray:
    """Lower banded form, as scipy's solver takes it, of data blocks plus prior."""
    count, size, _ = normal.shape
    bands = np.zeros((2 * size + 1, count * size))
    for row in range(size):
        for column in range(row + 1):
            bands[row - column, column::size] = normal[:, row, column]
    for offset in range(3):
        for m in range(size):
            bands[offset * size, m::size] += precision[offset, :, m]
    return bands


def _solved(
    normal: FloatArray, gradient: FloatArray, precision: FloatArray, from_mean: FloatArray
) -> FloatArray:
    """One Gauss-Newton step (N, M)."""
    pull = precision[0] * from_mean
    for offset in (1, 2):
        if len(from_mean) > offset:
            pull[:-offset] += precision[offset, :-offset] * from_mean[offset:]
            pull[offset:] += precision[offset, :-offset] * from_mean[:-offset]
    step = solveh_banded(_banded(normal, precision), (gradient - pull).reshape(-1), lower=True)
    return step.reshape(gradient.shape)


def _radius_sd(normal: FloatArray, precision: FloatArray) -> FloatArray:
    """Posterior standard deviation (N,) of the first coefficient."""
    count, size, _ = normal.shape
    unit = np.zeros((count * size, count))
    unit[np.arange(count) * size, np.arange(count)] = 1.0
    inverse = solveh_banded(_banded(normal, precision), unit, lower=True)
    return np.sqrt(inverse[np.arange(count) * size, np.arange(count)])


def _limited(step: FloatArray, layout: Layout) -> FloatArray:
    """Keep radii from moving so far that the model is no longer near a line."""
    step = step.copy()
    for name, most in (("radius", 0.3), ("thickness", 0.3)):
        columns = layout.columns[name]
        step[:, columns] = np.clip(step[:, columns], -most, most)
    return step


def _bounded(x: FloatArray, layout: Layout) -> FloatArray:
    x = x.copy()
    x[:, 0] = np.maximum(x[:, 0], SMALLEST_MM)
    thickness = layout.columns["thickness"].start
    x[:, thickness] = np.maximum(x[:, thickness], THINNEST_MM)
    return x
