"""A vessel measured along a line: centred, with lumen and wall fitted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coreg.centerline import Centerline
from coreg.segmentation.first_lumen import Cleared, blood_level, cleared, first_radius
from coreg.segmentation.lumen_fit import LEVEL_SD, WALL_HU, Fit, Layout, fit_sections, start_from
from coreg.segmentation.rays import Rays, SmoothImage

FloatArray = npt.NDArray[np.float64]

STEP_MM = 0.5
PATH_SMOOTHING_MM3 = 1.0
LINE_SMOOTHING_MM3 = 0.3
BLUR_MM = 0.42
BLURS_MM = (0.30, 0.38, 0.46, 0.56)
ROUNDS = 3
LONGEST_SHIFT_MM = 0.6
HEALTHY_WALL_MM = 0.8
BRANCH_LEVEL_SD = 0.06


@dataclass(frozen=True, eq=False)
class Traced:
    """A vessel as far as it was measured.

    Attributes
    ----------
    rays : Rays
        The image across the vessel's line, N sections.
    cleared : Cleared
        The same without calcium.
    level_hu : (N,) array
        Brightness of the blood.
    fit : Fit
        Lumen and wall.
    """

    rays: Rays
    cleared: Cleared
    level_hu: FloatArray
    fit: Fit

    @property
    def line(self) -> Centerline:
        """The line on which the rays start."""
        return self.rays.line

    @property
    def radius_mm(self) -> FloatArray:
        """Lumen radius (N, A)."""
        return self.series("radius")

    def series(self, name: str) -> FloatArray:
        """Values (N, A) of one quantity of the fit, by angle."""
        return Layout(self.rays.angles_rad).series(self.fit.coefficients, name)


def roughly_centred(image: SmoothImage, path_mm: FloatArray, first_hu: float) -> Centerline:
    """Move a path of voxels to the middle of its vessel.

    Parameters
    ----------
    image : SmoothImage
        HU near the path.
    path_mm : (M, 3) array
        World mm, proximal to distal.
    first_hu : float
        Brightness of the blood at the ostium.
    """
    line = Centerline(path_mm).resampled(spacing_mm=STEP_MM, smoothing=PATH_SMOOTHING_MM3)
    for _ in range(ROUNDS):
        rays = image.rays(line)
        level = blood_level(rays, first_hu)
        clear = cleared(rays, level, BLUR_MM)
        radius = first_radius(clear.rays, clear.weights, level)
        line = shifted(rays, section_centres(radius))
    return line


def traced(image: SmoothImage, line: Centerline, first_hu: float) -> Traced:
    """Measure a vessel along a line that is roughly in its middle; finds the scanner's blur as well."""
    first = measured(image, line, first_hu, BLUR_MM, iterations=6)
    line = shifted(first.rays, section_centres(first.radius_mm))
    return measured(image, line, first_hu, _best_blur(first), iterations=6)


def measured(
    image: SmoothImage,
    line: Centerline,
    first_hu: float,
    blur_mm: float,
    *,
    hidden: FloatArray | None = None,
    branch: bool = False,
    iterations: int = 8,
) -> Traced:
    """Fit lumen and wall to the sections of a line.

    Parameters
    ----------
    image : SmoothImage
        HU.
    line : Centerline
        At equal steps.
    first_hu : float
        Brightness of the blood at the ostium.
    blur_mm : float
        Of the scanner.
    hidden : (M, 4) array, optional
        Balls (world x, y, z and radius in mm) whose insides do not count: mouths of side branches.
    branch : bool
        Whether the line is that of a short branch, whose blood is as bright as it was where it left.
    iterations : int
        Of the fit.
    """
    rays = image.rays(line)
    level = np.full(len(line.points_mm), first_hu) if branch else blood_level(rays, first_hu)
    clear = cleared(rays, level, blur_mm)
    open_ = np.ones_like(rays.values_hu) if hidden is None else 1.0 - rays.within(hidden)
    radius = first_radius(clear.rays, clear.weights * open_, level)
    calcium = clear.calcium_mm > 0.0
    start = start_from(
        Layout(rays.angles_rad),
        radius_mm=radius,
        thickness_mm=np.where(calcium, clear.calcium_mm, HEALTHY_WALL_MM),
        level_hu=level,
        wall_hu=np.where(calcium, clear.calcium_hu, WALL_HU),
    )
    fit = fit_sections(
        rays,
        open_,
        start,
        level,
        level_sd=BRANCH_LEVEL_SD if branch else LEVEL_SD,
        calcium=calcium,
        blur_mm=blur_mm,
        iterations=iterations,
    )
    return Traced(rays, clear, level, fit)


def _best_blur(vessel: Traced) -> float:
    """The scanner's blur: with it the model leaves least of the image."""
    rest = []
    for blur in BLURS_MM:
        fit = fit_sections(
            vessel.rays,
            np.ones_like(vessel.rays.values_hu),
            vessel.fit.coefficients,
            vessel.level_hu,
            calcium=vessel.cleared.calcium_mm > 0.0,
            blur_mm=blur,
            iterations=3,
        )
        rest.append(float(np.median(fit.residual_hu)))
    curve, slope, _ = np.polyfit(BLURS_MM, rest, 2)
    best = -slope / (2.0 * curve) if curve > 0.0 else BLURS_MM[int(np.argmin(rest))]
    return float(np.clip(best, BLURS_MM[0], BLURS_MM[-1]))


def section_centres(radius_mm: FloatArray) -> FloatArray:
    """Centres of area (N, 2) of sections given by radii (N, A), along normal and binormal."""
    angles = 2.0 * np.pi * np.arange(radius_mm.shape[1]) / radius_mm.shape[1]
    rays = np.column_stack([np.cos(angles), np.sin(angles)])
    return 2.0 / 3.0 * radius_mm**3 @ rays / np.maximum((radius_mm**2).sum(axis=1), 1e-6)[:, None]


def shifted(rays: Rays, centre_mm: FloatArray) -> Centerline:
    """Move a line by (N, 2) mm along normal and binormal, and smooth it."""
    length = np.linalg.norm(centre_mm, axis=1, keepdims=True)
    centre_mm = centre_mm * np.minimum(1.0, LONGEST_SHIFT_MM / np.maximum(length, 1e-9))
    points = rays.line.points_mm + np.einsum("nij,nj->ni", rays.frames[:, :, :2], centre_mm)
    ahead = np.einsum("ij,ij->i", np.diff(points, axis=0), rays.frames[:-1, :, 2])
    points = points[np.append(True, ahead > 0.1 * STEP_MM)]
    return Centerline(points).resampled(spacing_mm=STEP_MM, smoothing=LINE_SMOOTHING_MM3)
