"""What a CCTA shows of a synthetic artery, as labels and lines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_dilation, gaussian_filter1d, label
from scipy.spatial import cKDTree

from coreg.centerline import Centerline
from coreg.phantom.lumen import Branch, Lumen, blended
from coreg.phantom.randomness import component_rng, smooth_field, smooth_noise
from coreg.phantom.settings import PhantomSettings
from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]

VOXEL_MM = (0.4, 0.4, 0.5)
MARGIN_MM = 3.0
AORTA_RADIUS_MM = 14.0
SMALLEST_LANDMARK_MM = 0.6
DRAWN_ON_MM = 0.4


@dataclass(frozen=True, eq=False)
class Shown:
    """What the CCTA shows.

    Attributes
    ----------
    lumen : Lumen
        With the CCTA's radii, branches and distal end, without its surface error.
    radius_scale : float
        CCTA radius over true radius.
    missing : tuple of str
        Ids of side branches that it does not show.
    aorta : bool
        Whether the label goes on into the aorta.
    """

    lumen: Lumen
    radius_scale: float
    missing: tuple[str, ...]
    aorta: bool


def shown_by_ccta(
    seed: int,
    lumen: Lumen,
    settings: PhantomSettings,
    *,
    end_mm: float,
    covered_mm: tuple[float, float],
    aorta: bool = False,
) -> Shown:
    """Decide what the CCTA shows of a lumen up to ``end_mm``, of which the pullback covers a part."""
    rng = component_rng(seed, "ccta")
    scale = float(rng.uniform(*settings.radius_scale_range))
    present = [each for each in lumen.branches if each.arc_length_mm < end_mm - 1.0]
    count = int(np.floor(settings.missing_branch_share * len(lumen.branches) + rng.uniform()))
    lost = _lost(rng, lumen, count, present, covered_mm)
    missing = tuple(each.id for i, each in enumerate(lumen.branches) if i in lost or each not in present)
    kept = []
    for i, each in enumerate(lumen.branches):
        seen_mm = rng.uniform(8.0, 15.0)
        if i in lost or each not in present:
            continue
        points = min(len(each.points_mm), round(seen_mm / 0.1))
        kept.append(Branch(each.id, each.points_mm[:points], each.radius_mm[:points], each.arc_length_mm))
    return Shown(lumen.scaled(scale, tuple(kept), end_mm=end_mm), scale, missing, aorta)


def _lost(
    rng: np.random.Generator, lumen: Lumen, count: int, present: list[Branch], covered_mm: tuple[float, float]
) -> set[int]:
    """Choose branches that the CCTA does not show; two that make good landmarks stay."""
    large = {
        i
        for i, each in enumerate(lumen.branches)
        if each in present
        and each.radius_mm[0] >= SMALLEST_LANDMARK_MM
        and covered_mm[0] < each.arc_length_mm < covered_mm[1]
    }
    lost: set[int] = set()
    for i in rng.permutation(len(lumen.branches)).tolist():
        if len(lost) < count and len(large - lost - {i}) >= min(2, len(large)):
            lost.add(i)
    return lost


def label_volume(seed: int, shown: Shown, settings: PhantomSettings) -> Volume:
    """Label the voxels inside the lumen as the CCTA shows it: uint8 on an axis-aligned LPS grid."""
    tube = _tube_points(shown)
    spheres = [] if not shown.aorta else [(aorta_centre_mm(shown.lumen), AORTA_RADIUS_MM)]
    corners = np.vstack([tube, *(centre + r * np.array([[-1.0], [1.0]]) for centre, r in spheres)])
    widest = 0.0 if shown.aorta else float(shown.lumen.radius_mm.max())
    voxel = np.array(VOXEL_MM)
    rng = component_rng(seed, "voxel grid")
    low = np.round(corners.min(axis=0) - MARGIN_MM - 0.5 * widest - voxel * rng.uniform(0.0, 1.0, 3), 2)
    shape = np.ceil((corners.max(axis=0) + MARGIN_MM + 0.5 * widest - low) / voxel).astype(int) + 1
    matrix = np.zeros((4, 4))
    matrix[[0, 1, 2], [2, 1, 0]] = voxel
    matrix[:, 3] = [*low, 1.0]
    grid = Volume(np.zeros(shape[::-1], dtype=np.uint8), matrix)
    near = _near(grid, tube, float(shown.lumen.radius_mm.max()) + 0.8, spheres)
    values = np.zeros(shape[::-1], dtype=np.uint8)
    world = grid.to_world(near.astype(np.float64))
    level = _shown_level(seed, shown, settings, world)
    values[tuple(near[level < 0.0].T)] = 1
    parts, count = label(values)
    if count > 1:
        values[parts != 1 + np.argmax(np.bincount(parts.ravel())[1:])] = 0
    return Volume(values, matrix)


def aorta_centre_mm(lumen: Lumen) -> FloatArray:
    """Centre of the ball that stands for the aorta: the vessel leaves its wall at arc length 0."""
    points, frames = lumen.axis.at(np.array([0.0]))
    return points[0] - (AORTA_RADIUS_MM - 0.5) * frames[0, :, 2]


def _shown_level(seed: int, shown: Shown, settings: PhantomSettings, world: FloatArray) -> FloatArray:
    """Level (M,) of what the CCTA shows; deep inside the aorta only its sign is right."""
    ball = np.full(len(world), np.inf)
    if shown.aorta:
        ball = np.linalg.norm(world - aorta_centre_mm(shown.lumen), axis=1) - AORTA_RADIUS_MM
    level = np.full(len(world), -1.0)
    open_ = np.flatnonzero(ball > -1.0)
    level[open_] = blended(shown.lumen.level(world[open_], capped=True), ball[open_])
    # Errors of six standard deviations do not happen, so that most voxels need none.
    near = np.flatnonzero(np.abs(level) < 6.0 * settings.surface_error_mm)
    rng = component_rng(seed, "ccta surface")
    error = smooth_field(rng, world[near], correlation_mm=settings.surface_correlation_mm)
    level[near] -= settings.surface_error_mm * error
    if settings.local_errors is not None:
        # Where blooming and the surface's error would close the lumen, a reader draws on.
        level = np.minimum(level, cKDTree(_main_points(shown)).query(world)[0] - DRAWN_ON_MM)
    return level


def _main_points(shown: Shown) -> FloatArray:
    """The main vessel's axis (M, 3), as far as it is shown."""
    s = shown.lumen.axis.arc_length_mm
    return shown.lumen.axis.points_mm[(s >= -0.2) & (s <= shown.lumen.length_mm + 0.2)]


def _tube_points(shown: Shown) -> FloatArray:
    return np.vstack([_main_points(shown), *(each.points_mm for each in shown.lumen.branches)])


def _near(
    grid: Volume, tube: FloatArray, reach_mm: float, spheres: list[tuple[FloatArray, float]]
) -> npt.NDArray[np.int64]:
    """Array indices (M, 3) of voxels that may lie inside."""
    mask = np.zeros(grid.values.shape, dtype=bool)
    index = np.rint(grid.to_index(tube)).astype(int)
    index = index[((index >= 0) & (index < mask.shape)).all(axis=1)]
    mask[tuple(index.T)] = True
    steps = np.ceil(reach_mm / grid.spacing_mm).astype(int)
    for axis, reach in enumerate(steps):
        line = np.ones([2 * reach + 1 if each == axis else 1 for each in range(3)], dtype=bool)
        mask = binary_dilation(mask, line)
    for centre, radius in spheres:
        start = np.maximum(np.floor(grid.to_index(centre) - radius / grid.spacing_mm).astype(int) - 1, 0)
        stop = np.ceil(grid.to_index(centre) + radius / grid.spacing_mm).astype(int) + 2
        mask[start[0] : stop[0], start[1] : stop[1], start[2] : stop[2]] = True
    return np.argwhere(mask)


def section_centres(lumen: Lumen, arc_length_mm: FloatArray) -> FloatArray:
    """Centres of area (M, 3) of the main vessel's cross-sections, in world mm."""
    count = lumen.radius_mm.shape[1]
    angle = 2.0 * np.pi * np.arange(count) / count
    points, frames = lumen.axis.at(arc_length_mm)
    radius = lumen.radius_at(np.repeat(arc_length_mm, count), np.tile(angle, len(arc_length_mm)))
    radius = radius.reshape(len(arc_length_mm), count)
    area = 0.5 * (radius**2).sum(axis=1)
    u = (radius**3 * np.cos(angle)).sum(axis=1) / 3.0 / area
    v = (radius**3 * np.sin(angle)).sum(axis=1) / 3.0 / area
    return points + u[:, None] * frames[:, :, 0] + v[:, None] * frames[:, :, 1]


def section_radius_mm(lumen: Lumen, arc_length_mm: FloatArray) -> FloatArray:
    """Radius (M,) of circles with the area of the main vessel's cross-sections."""
    root_mean_square = np.sqrt((lumen.radius_mm**2).mean(axis=1))
    return np.interp(arc_length_mm, lumen.radius_step_mm * np.arange(len(root_mean_square)), root_mean_square)


def true_centerline(lumen: Lumen) -> Centerline:
    """Centres of area along the main vessel, every 0.5 mm, arc length 0 at its ostium."""
    s = np.arange(0.0, lumen.length_mm, 0.5)
    return Centerline(_smoothed_centres(lumen, s), section_radius_mm(lumen, s))


def _smoothed_centres(lumen: Lumen, arc_length_mm: FloatArray) -> FloatArray:
    fine = np.linspace(0.0, lumen.length_mm, round(lumen.length_mm / 0.1) + 1)
    axis_points, _ = lumen.axis.at(fine)
    shift = gaussian_filter1d(section_centres(lumen, fine) - axis_points, 10.0, axis=0, mode="nearest")
    points, _ = lumen.axis.at(arc_length_mm)
    return points + np.column_stack([np.interp(arc_length_mm, fine, shift[:, i]) for i in range(3)])


def drawn_centerline(
    seed: int, shown: Shown, settings: PhantomSettings
) -> tuple[Centerline, FloatArray, FloatArray]:
    """Centerline as a tool finds it in the CCTA's label, and rough clicks at its ends.

    Returns
    -------
    centerline : Centerline
        Every 0.5 mm, with radius, from up to 3 mm past the ostium.
    ostium_mm, distal_mm : (3,) arrays
        Within 1.5 mm of its ends.
    """
    rng = component_rng(seed, "centerline")
    lumen = shown.lumen
    first, last = rng.uniform(0.0, 3.0), lumen.length_mm - rng.uniform(0.3, 2.0)
    s = np.arange(first, last, 0.5)
    _, frames = lumen.axis.at(s)
    sd_mm = rng.uniform(*settings.centerline_error_mm)
    error = sd_mm * smooth_noise(rng, (len(s), 2), correlation=5.0 / 0.5)
    points = _smoothed_centres(lumen, s) + np.einsum("nij,nj->ni", frames[:, :, :2], error)
    radius = section_radius_mm(lumen, s) * (1.0 + 0.03 * smooth_noise(rng, s.shape, correlation=6.0))
    line = Centerline(np.round(points, 4), np.round(radius, 4))
    clicks = []
    for end in (points[0], points[-1]):
        direction = rng.standard_normal(3)
        clicks.append(np.round(end + rng.uniform(0.2, 1.4) * direction / np.linalg.norm(direction), 2))
    return line, clicks[0], clicks[1]
