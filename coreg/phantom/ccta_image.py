"""CCTA images of synthetic arteries: tissue, scanner blur and noise, with the truth they were made from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from scipy.spatial import cKDTree

from coreg.phantom.ccta import VOXEL_MM
from coreg.phantom.ccta_settings import CctaSettings
from coreg.phantom.lumen import Branch, Lumen, blended
from coreg.phantom.patient import PhantomPatient
from coreg.phantom.plaque import VesselWall, make_wall, narrowed
from coreg.phantom.randomness import component_rng
from coreg.phantom.tissue import FAT_HU, Blood, branch_wall_mm, draw_blood, surroundings
from coreg.phantom.vein import Vein, draw_vein
from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

FIELD_MARGIN_MM = 18.0
TAIL_MM, TAIL_SHARE = 4.0, 0.4
WALL_HU = 70.0
SUBSAMPLES = 2
SUBSAMPLE_EDGE_MM = 0.25
BACKGROUND, LUMEN, WALL, SOFT_PLAQUE, CALCIFIED_PLAQUE = range(5)


@dataclass(frozen=True, eq=False)
class PhantomCcta:
    """A CCTA image and its truth.

    Attributes
    ----------
    image : Volume
        int16 HU on an axis-aligned LPS grid.
    lumen : Lumen
        As the image shows it: all branches, and a tail in which the vessel ends.
    wall : VesselWall
        Outer wall and plaque.
    vein : Vein or None
        Beside the artery.
    blood : Blood
        Contrast of the large cavities.
    contrast_hu : (S,) array
        Of the main vessel, over the arc lengths of the lumen's table.
    labels : Volume
        uint8 on the image's grid: 0 background, 1 lumen, 2 wall, 3 soft plaque, 4 calcified plaque.
    noise_hu, psf_mm, psf_z_mm : float
        What the scanner did.
    settings : CctaSettings
        How the image was made.
    """

    image: Volume
    lumen: Lumen
    wall: VesselWall
    vein: Vein | None
    blood: Blood
    contrast_hu: FloatArray
    labels: Volume
    noise_hu: float
    psf_mm: float
    psf_z_mm: float
    settings: CctaSettings

    def facts(self) -> dict[str, str | float]:
        """How the image was made, for a table."""
        return {
            "aorta_hu": self.blood.aorta_hu,
            "left_ventricle_hu": self.blood.left_hu,
            "right_ventricle_hu": self.blood.right_hu,
            "distal_contrast_hu": float(self.contrast_hu[-1]),
            "noise_hu": self.noise_hu,
            "psf_mm": self.psf_mm,
            "psf_z_mm": self.psf_z_mm,
            "vein_gap_mm": float("nan") if self.vein is None else float(self.vein.gap_mm.min()),
            "plaques": len(self.wall.plaques),
        }


def make_ccta(patient: PhantomPatient, *, settings: CctaSettings | None = None) -> PhantomCcta:
    """Make the CCTA image of a synthetic patient; the same patient and settings give the same one.

    Parameters
    ----------
    patient : PhantomPatient
        Whose artery is shown, with the radius scale that its label has.
    settings : CctaSettings, optional
        By default a typical image.
    """
    settings = settings or CctaSettings()
    seed, heart = patient.seed, patient.artery.heart
    lumen, healthy = _shown_lumen(patient, settings)
    wall = make_wall(seed, lumen, healthy, settings)
    vein = draw_vein(seed, heart, lumen, wall, settings)
    blood = draw_blood(seed, settings)
    contrast = _contrast_along(seed, lumen, healthy, blood, settings)
    grid = _grid(seed, lumen)
    hu = surroundings(seed, grid, heart, lumen, wall, blood, settings)
    if vein is not None:
        _paint_vein(hu, grid, vein, lumen, wall, contrast)
    labels = _paint_vessel(hu, grid, lumen, wall, contrast)
    rng = component_rng(seed, "ccta scanner")
    psf, psf_z = rng.uniform(*settings.psf_mm), rng.uniform(*settings.psf_z_mm)
    noise = settings.noise_factor * rng.uniform(*settings.noise_hu)
    sigma = np.array([psf_z, psf, psf]) / grid.spacing_mm
    hu = gaussian_filter(hu, sigma, truncate=3.5)
    hu += noise * _noise(component_rng(seed, "ccta noise"), grid, rng.uniform(*settings.noise_correlation_mm))
    image = np.clip(np.rint(hu), -1024, 3071).astype(np.int16)
    return PhantomCcta(
        Volume(image, grid.index_to_world),
        lumen,
        wall,
        vein,
        blood,
        contrast,
        Volume(labels, grid.index_to_world),
        float(noise),
        float(psf),
        float(psf_z),
        settings,
    )


def _shown_lumen(patient: PhantomPatient, settings: CctaSettings) -> tuple[Lumen, FloatArray]:
    """Lumen that the image shows, with a tail, and its table without stenoses."""
    true, scale = patient.lumen, patient.shown.radius_scale
    lumen = true.scaled(scale, true.branches, end_mm=true.length_mm)
    healthy = scale * patient.artery.healthy_radius_mm
    if settings.extra_plaque is not None:
        lumen = narrowed(lumen, settings.extra_plaque)
    rows = round(TAIL_MM / lumen.radius_step_mm)
    taper = np.linspace(1.0, TAIL_SHARE, rows + 1)[1:, None]
    table = np.vstack([lumen.radius_mm, taper * lumen.radius_mm[-1]])
    healthy = np.vstack([healthy, taper * healthy[-1]])
    return Lumen(lumen.axis, table, lumen.radius_step_mm, lumen.branches), healthy


def _contrast_along(
    seed: int, lumen: Lumen, healthy_mm: FloatArray, blood: Blood, settings: CctaSettings
) -> FloatArray:
    """Contrast of the blood (S,), which falls along the vessel, most behind tight stenoses."""
    rng = component_rng(seed, "ccta contrast")
    fall = rng.uniform(*settings.contrast_fall)
    share = np.arange(len(lumen.radius_mm)) / (len(lumen.radius_mm) - 1.0)
    left = (lumen.radius_mm**2).sum(axis=1) / (healthy_mm**2).sum(axis=1)
    tightest = np.minimum.accumulate(gaussian_filter1d(left, 5.0))
    lost = 0.15 * np.clip((0.4 - tightest) / 0.4, 0.0, 1.0)
    return blood.aorta_hu * (1.0 - fall * share) * (1.0 - gaussian_filter1d(lost, 10.0))


def _grid(seed: int, lumen: Lumen) -> Volume:
    """An empty image around the artery: axis-aligned, LPS."""
    s = lumen.axis.arc_length_mm
    main = lumen.axis.points_mm[(s >= -0.2) & (s <= lumen.length_mm + 0.2)]
    tube = np.vstack([main, *(each.points_mm for each in lumen.branches)])
    voxel = np.array(VOXEL_MM)
    rng = component_rng(seed, "ccta image grid")
    low = np.round(tube.min(axis=0) - FIELD_MARGIN_MM - voxel * rng.uniform(0.0, 1.0, 3), 2)
    shape = np.ceil((tube.max(axis=0) + FIELD_MARGIN_MM - low) / voxel).astype(int) + 1
    matrix = np.zeros((4, 4))
    matrix[[0, 1, 2], [2, 1, 0]] = voxel
    matrix[:, 3] = [*low, 1.0]
    return Volume(np.zeros(shape[::-1], dtype=np.uint8), matrix)


def _near(grid: Volume, points_mm: FloatArray, reach_mm: FloatArray) -> IntArray:
    """Indices (M, 3) of the voxels within reach (K,) of points (K, 3)."""
    size = np.ceil(reach_mm.max() / grid.spacing_mm).astype(int)
    offsets = np.stack(np.meshgrid(*[np.arange(-n, n + 1) for n in size], indexing="ij"), axis=-1)
    offsets = offsets.reshape(-1, 3)
    offsets = offsets[np.linalg.norm(offsets * grid.spacing_mm, axis=1) <= reach_mm.max()]
    inside = np.zeros(grid.values.shape, dtype=bool)
    for centre in np.unique(np.rint(grid.to_index(points_mm)).astype(int), axis=0):
        index = centre + offsets
        index = index[((index >= 0) & (index < inside.shape)).all(axis=1)]
        inside[tuple(index.T)] = True
    near = np.argwhere(inside)
    distance, nearest = cKDTree(points_mm).query(grid.to_world(near.astype(np.float64)))
    return near[distance <= reach_mm[nearest]]


def _subsamples(grid: Volume, near: IntArray) -> FloatArray:
    """World points (M, 8, 3) inside voxels (M, 3)."""
    steps = (np.arange(SUBSAMPLES) + 0.5) / SUBSAMPLES - 0.5
    offsets = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    return grid.to_world(near[:, None].astype(np.float64) + offsets)


def _paint_vein(
    hu: Float32Array, grid: Volume, vein: Vein, lumen: Lumen, wall: VesselWall, contrast: FloatArray
) -> None:
    """Lay the vein into the image, off the artery and its branches."""
    near = _near(grid, vein.points_mm, vein.radius_mm + 0.6)
    world = _subsamples(grid, near).reshape(-1, 3)
    levels = _vessel_levels(lumen, wall, world)
    share = _share(np.maximum(vein.level(world), -levels.outer)).reshape(len(near), -1).mean(axis=1)
    middle = 0.5 * (vein.arc_length_mm[0] + vein.arc_length_mm[-1])
    artery = float(np.interp(middle, lumen.radius_step_mm * np.arange(len(contrast)), contrast))
    level = FAT_HU + vein.contrast * (artery - FAT_HU)
    where = tuple(near.T)
    hu[where] += share * (level - hu[where])


def _paint_vessel(
    hu: Float32Array, grid: Volume, lumen: Lumen, wall: VesselWall, contrast: FloatArray
) -> npt.NDArray[np.uint8]:
    """Lay wall, plaque and blood of the artery into the image; return their labels."""
    points, reach = [], []
    s = lumen.axis.arc_length_mm
    main = np.flatnonzero((s >= 0.0) & (s <= lumen.length_mm))
    rows = np.clip(np.rint(s[main] / lumen.radius_step_mm).astype(int), 0, len(wall.outer_mm) - 1)
    points.append(lumen.axis.points_mm[main])
    reach.append(wall.outer_mm[rows].max(axis=1))
    for each in lumen.branches:
        points.append(each.points_mm)
        reach.append(each.radius_mm + branch_wall_mm(each.radius_mm))
    near = _near(grid, np.vstack(points), np.concatenate(reach) + 0.7)
    world = _subsamples(grid, near)
    count = world.shape[1]
    levels = _vessel_levels(lumen, wall, world.reshape(-1, 3))
    blood = _blood_hu(lumen, contrast, levels, world.reshape(-1, 3))
    value = np.repeat(hu[tuple(near.T)].astype(np.float64), count)
    value = _over(value, WALL_HU, levels.outer)
    value = _over(value, levels.plaque_hu, levels.plaque)
    value = _over(value, levels.calcium_hu, levels.calcium)
    value = _over(value, blood, levels.lumen)
    hu[tuple(near.T)] = value.reshape(-1, count).mean(axis=1)
    return _labels(grid, near, lumen, wall)


def _labels(grid: Volume, near: IntArray, lumen: Lumen, wall: VesselWall) -> npt.NDArray[np.uint8]:
    """What lies at the centres of voxels."""
    levels = _vessel_levels(lumen, wall, grid.to_world(near.astype(np.float64)))
    label = np.zeros(len(near), dtype=np.uint8)
    label[levels.outer < 0.0] = WALL
    label[(levels.plaque < 0.0) & (levels.outer < 0.0)] = SOFT_PLAQUE
    label[levels.calcium < 0.0] = CALCIFIED_PLAQUE
    label[levels.lumen < 0.0] = LUMEN
    values = np.zeros(grid.values.shape, dtype=np.uint8)
    values[tuple(near.T)] = label
    return values


@dataclass(frozen=True, eq=False)
class _VesselLevels:
    """Levels (M,) at points, negative inside, HU of plaque there, and places along the vessel."""

    lumen: FloatArray
    outer: FloatArray
    plaque: FloatArray
    calcium: FloatArray
    plaque_hu: FloatArray
    calcium_hu: FloatArray
    arc_length_mm: FloatArray
    in_branch: npt.NDArray[np.bool_]


def _vessel_levels(lumen: Lumen, wall: VesselWall, world: FloatArray) -> _VesselLevels:
    s, u, v = lumen.axis.locate(world)
    rho, angle = np.hypot(u, v), np.arctan2(v, u)
    tables = (
        lumen.radius_mm,
        wall.outer_mm,
        wall.plaque_mm,
        wall.calcium_inner_mm,
        wall.calcium_outer_mm,
        wall.plaque_hu,
        wall.calcium_hu,
    )
    radius, outer, plaque, inner, calcium, plaque_hu, calcium_hu = _sampled(tables, lumen, s, angle)
    caps = np.maximum(-s, s - lumen.length_mm)
    branch = lumen.branch_level(world)
    branch_outer = _branch_outer(lumen, world, branch)
    main = np.maximum(rho - radius, caps)
    return _VesselLevels(
        lumen=blended(main, branch),
        outer=blended(np.maximum(rho - outer, caps), branch_outer),
        plaque=np.maximum(rho - plaque, caps),
        calcium=np.maximum(np.maximum(inner - rho, rho - calcium), caps),
        plaque_hu=plaque_hu,
        calcium_hu=calcium_hu,
        arc_length_mm=s,
        in_branch=branch < main,
    )


def _sampled(
    tables: tuple[FloatArray, ...], lumen: Lumen, s: FloatArray, angle: FloatArray
) -> tuple[FloatArray, ...]:
    """Tables like the lumen's own at arc lengths and angles (M,), bilinear."""
    return tuple(Lumen(lumen.axis, each, lumen.radius_step_mm, ()).radius_at(s, angle) for each in tables)


def _branch_outer(lumen: Lumen, world: FloatArray, branch: FloatArray) -> FloatArray:
    """Level (M,) of the outer wall of side branches."""
    outer = branch.copy()
    seen = np.flatnonzero(np.isfinite(branch))
    if len(seen):
        points = np.vstack([each.points_mm for each in lumen.branches])
        radius = np.concatenate([each.radius_mm for each in lumen.branches])
        outer[seen] -= branch_wall_mm(radius[cKDTree(points).query(world[seen])[1]])
    return outer


def _blood_hu(lumen: Lumen, contrast: FloatArray, levels: _VesselLevels, world: FloatArray) -> FloatArray:
    """Contrast (M,) of the blood at points; a branch starts with the main vessel's and falls likewise."""
    along = lumen.radius_step_mm * np.arange(len(contrast))
    place = levels.arc_length_mm.copy()
    inside = np.flatnonzero(levels.in_branch)
    if len(inside):
        points = np.vstack([each.points_mm for each in lumen.branches])
        branch_place = np.concatenate([_places(each) for each in lumen.branches])
        place[inside] = branch_place[cKDTree(points).query(world[inside])[1]]
    return np.interp(place, along, contrast)


def _places(branch: Branch) -> FloatArray:
    """Arc length (K,) on the main vessel whose contrast a branch's points have."""
    steps = np.linalg.norm(np.diff(branch.points_mm, axis=0), axis=1)
    return branch.arc_length_mm + np.concatenate([[0.0], np.cumsum(steps)])


def _share(level: FloatArray) -> FloatArray:
    return np.clip(0.5 - level / SUBSAMPLE_EDGE_MM, 0.0, 1.0)


def _over(value: FloatArray, hu: FloatArray | float, level: FloatArray) -> FloatArray:
    return value + _share(level) * (hu - value)


def _noise(rng: np.random.Generator, grid: Volume, correlation_mm: float) -> Float32Array:
    """Grainy noise of unit standard deviation."""
    sigma = correlation_mm / grid.spacing_mm
    noise = gaussian_filter(rng.standard_normal(grid.values.shape, dtype=np.float32), sigma, truncate=3.5)
    impulse = np.zeros((15, 15, 15))
    impulse[7, 7, 7] = 1.0
    return noise / np.float32(np.sqrt((gaussian_filter(impulse, sigma, truncate=3.5) ** 2).sum()))
