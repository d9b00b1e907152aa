"""One artery from a CCTA image and two rough clicks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coreg.ccta_vessel import CctaVessel
from coreg.centerline import Centerline
from coreg.errors import InputError
from coreg.segmentation.ccta_search import SearchField, cheapest_path, search_field, snapped, tube_along
from coreg.segmentation.first_lumen import Cleared, blood_level, cleared, first_radius
from coreg.segmentation.lumen_fit import WALL_HU, Fit, Layout, fit_sections, start_from
from coreg.segmentation.rays import Rays, SmoothImage
from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]
Progress = Callable[[str, float], None]

STEP_MM = 0.5
PATH_SMOOTHING = 1.0
BLUR_MM = 0.42
BLURS_MM = (0.30, 0.38, 0.46, 0.56)
ROUNDS = 3
HEALTHY_MM = 0.8
LONGEST_SHIFT_MM = 0.6


@dataclass(frozen=True, eq=False)
class Traced:
    """A vessel as far as it was measured.

    Attributes
    ----------
    line : Centerline
        At equal steps.
    rays : Rays
        Image across it.
    cleared : Cleared
        The same without calcium.
    level_hu : (N,) array
        Brightness of the blood.
    fit : Fit
        Lumen and wall.
    """

    line: Centerline
    rays: Rays
    cleared: Cleared
    level_hu: FloatArray
    fit: Fit

    @property
    def layout(self) -> Layout:
        """How the fit's coefficients are ordered."""
        return Layout(self.rays.angles_rad)

    @property
    def radius_mm(self) -> FloatArray:
        """Lumen radius (N, A)."""
        return self.layout.series(self.fit.coefficients, "radius")


def traced(image: SmoothImage, path_mm: FloatArray, first_hu: float) -> Traced:
    """Centre a path in its vessel and measure the lumen along it."""
    line = Centerline(path_mm).resampled(spacing_mm=STEP_MM, smoothing=PATH_SMOOTHING)
    blur, radius = BLUR_MM, np.zeros(0)
    for _ in range(ROUNDS):
        rays = image.rays(line)
        level = blood_level(rays, first_hu)
        clear = cleared(rays, level, blur)
        radius = first_radius(clear.rays, clear.weights, level)
        line = _shifted(line, rays, _centre(radius))
    result = _measured(image, line, first_hu, blur, iterations=6)
    line = _shifted(result.line, result.rays, _centre(result.radius_mm))
    blur = _best_blur(result)
    return _measured(image, line, first_hu, blur, iterations=8)


def _measured(image: SmoothImage, line: Centerline, first_hu: float, blur: float, *, iterations: int) -> Traced:
    rays = image.rays(line)
    level = blood_level(rays, first_hu)
    clear = cleared(rays, level, blur)
    layout = Layout(rays.angles_rad)
    radius = first_radius(clear.rays, clear.weights, level)
    calcium = clear.calcium_mm > 0.0
    start = start_from(
        layout,
        radius_mm=radius,
        thickness_mm=np.where(calcium, clear.calcium_mm, HEALTHY_MM),
        level_hu=level,
        wall_hu=np.where(calcium, clear.calcium_hu, WALL_HU),
    )
    weights = np.ones_like(rays.values_hu)
    fit = fit_sections(
        rays, weights, start, first_hu, calcium=calcium, blur_mm=blur, iterations=iterations
    )
    return Traced(line, rays, clear, level, fit)


def _best_blur(traced_: Traced) -> float:
    """The scanner's blur: with it the model leaves least of the image."""
    rest = []
    for blur in BLURS_MM:
        fit = fit_sections(
            traced_.rays,
            np.ones_like(traced_.rays.values_hu),
            traced_.fit.coefficients,
            float(traced_.level_hu[0]),
            calcium=traced_.cleared.calcium_mm > 0.0,
            blur_mm=blur,
            iterations=3,
        )
        rest.append(float(np.median(fit.residual_hu)))
    a, b, _ = np.polyfit(BLURS_MM, rest, 2)
    best = -b / (2.0 * a) if a > 0 else BLURS_MM[int(np.argmin(rest))]
    return float(np.clip(best, BLURS_MM[0], BLURS_MM[-1]))


def _centre(radius_mm: FloatArray) -> FloatArray:
    """Centroid (N, 2) of star-shaped sections."""
    angles = 2.0 * np.pi * np.arange(radius_mm.shape[1]) / radius_mm.shape[1]
    rays = np.column_stack([np.cos(angles), np.sin(angles)])
    return 2.0 / 3.0 * radius_mm**3 @ rays / np.maximum((radius_mm**2).sum(axis=1), 1e-6)[:, None]


def _shifted(line: Centerline, rays: Rays, centre: FloatArray) -> Centerline:
    """Move a line to the middle of its sections and smooth it."""
    length = np.linalg.norm(centre, axis=1, keepdims=True)
    centre = centre * np.minimum(1.0, LONGEST_SHIFT_MM / np.maximum(length, 1e-9))
    points = line.points_mm + np.einsum("nij,nj->ni", rays.frames[:, :, :2], centre)
    ahead = np.einsum("ij,ij->i", np.diff(points, axis=0), rays.frames[:-1, :, 2])
    points = points[np.append(True, ahead > 0.1 * STEP_MM)]
    return Centerline(points).resampled(spacing_mm=STEP_MM, smoothing=0.3)
