"""What surrounds a synthetic artery: chambers, aorta, myocardium, fat and lung, in HU."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from coreg.phantom.ccta import AORTA_RADIUS_MM, aorta_centre_mm
from coreg.phantom.ccta_settings import CctaSettings
from coreg.phantom.heart import Heart
from coreg.phantom.lumen import Lumen
from coreg.phantom.plaque import VesselWall
from coreg.phantom.randomness import component_rng, smooth_field
from coreg.phantom.vein import Vein
from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]

COARSE = 4
SLAB = 32
SEPTUM_MM = 14.0
OSTIUM_REACH_MM = 6.0
EDGE_MM = 0.4
FIELD_WAVES = 40
LUNG_HU, FAT_HU, MUSCLE_HU, PERICARDIUM_HU, AORTIC_WALL_HU = -850.0, -95.0, 110.0, 30.0, 60.0


@dataclass(frozen=True)
class Blood:
    """Contrast of large cavities in HU: aorta, left and right ventricle, auricle."""

    aorta_hu: float
    left_hu: float
    right_hu: float
    auricle_hu: float


def draw_blood(seed: int, settings: CctaSettings) -> Blood:
    """Draw how much contrast the cavities hold."""
    rng = component_rng(seed, "ccta blood")
    aorta = rng.uniform(*settings.contrast_hu)
    return Blood(
        aorta,
        aorta * rng.uniform(*settings.ventricle_contrast),
        rng.uniform(*settings.right_contrast_hu),
        aorta * rng.uniform(0.85, 1.0),
    )


@dataclass(frozen=True, eq=False)
class Scene:
    """What lies where: the heart, the artery as shown, its wall and its vein."""

    heart: Heart
    lumen: Lumen
    wall: VesselWall
    vein: Vein | None


def surroundings(seed: int, grid: Volume, scene: Scene, blood: Blood, settings: CctaSettings) -> Float32Array:
    """Everything but the artery and its vein: HU on a grid, partial volumes at edges."""
    image = np.empty(grid.values.shape, dtype=np.float32)
    for first in range(0, len(image), SLAB):
        matrix = grid.index_to_world.copy()
        matrix[:3, 3] += first * matrix[:3, 0]
        part = Volume(grid.values[first : first + SLAB], matrix)
        image[first : first + SLAB] = _slab(seed, part, scene, blood, settings)
    return image


def _slab(seed: int, grid: Volume, scene: Scene, blood: Blood, settings: CctaSettings) -> Float32Array:
    """Some slices; fields and levels are functions of place, so that slabs fit together."""
    shape = grid.values.shape
    world, coarse_shape = _coarse_points(grid)
    levels = _body_levels(seed, world, scene.heart) | _heart_levels(seed, world, scene, settings)
    texture = smooth_field(component_rng(seed, "ccta texture"), world, correlation_mm=6.0, waves=FIELD_WAVES)

    def fine(values: FloatArray) -> Float32Array:
        return _upsampled(values.reshape(coarse_shape), shape)

    image = fine(LUNG_HU + 25.0 * texture)
    soft = fine(6.0 * texture)
    for name, hu, shift in _layers(blood):
        if (levels[name] + shift).min() > EDGE_MM:
            continue
        share = np.clip(0.5 - (fine(levels[name]) + shift) / EDGE_MM, 0.0, 1.0)
        image += share * (hu + (soft if hu < 200.0 else 0.0) - image)
    return image


def _layers(blood: Blood) -> tuple[tuple[str, float, float], ...]:
    """Level, HU and shift of the level in mm, each over those before it."""
    return (
        ("belly", 60.0, 0.0),
        ("chest", 50.0, 0.0),
        ("chest", FAT_HU, 12.0),
        ("ribs", 450.0, 0.0),
        ("spine", 250.0, 0.0),
        ("descending", blood.aorta_hu, 0.0),
        ("air", -1000.0, 0.0),
        ("sac", PERICARDIUM_HU, -1.0),
        ("sac", FAT_HU, 0.0),
        ("muscle", MUSCLE_HU, 0.0),
        ("right", blood.right_hu, 0.0),
        ("auricle", PERICARDIUM_HU, -1.2),
        ("auricle", blood.auricle_hu, 0.0),
        ("aorta", AORTIC_WALL_HU, -1.5),
        ("left", blood.left_hu, 0.0),
        ("aorta", blood.aorta_hu, 0.0),
    )


def _coarse_points(grid: Volume) -> tuple[FloatArray, tuple[int, ...]]:
    counts = tuple(-(-n // COARSE) + 1 for n in grid.values.shape)
    index = np.stack(np.meshgrid(*[COARSE * np.arange(float(n)) for n in counts], indexing="ij"), axis=-1)
    return grid.to_world(index.reshape(-1, 3)), counts


def _upsampled(coarse: FloatArray, shape: tuple[int, ...]) -> Float32Array:
    """Interpolate linearly from every fourth voxel to all."""
    values = coarse.astype(np.float32)
    share = (np.arange(COARSE, dtype=np.float32) / COARSE).reshape(1, COARSE)
    for axis, count in enumerate(shape):
        values = np.moveaxis(values, axis, -1)
        low, high = values[..., :-1, None], values[..., 1:, None]
        values = (low + share * (high - low)).reshape(*values.shape[:-1], -1)[..., :count]
        values = np.moveaxis(values, -1, axis)
    return np.ascontiguousarray(values)


def _heart_levels(
    seed: int, world: FloatArray, scene: Scene, settings: CctaSettings
) -> dict[str, FloatArray]:
    """Level functions (M,) of the heart's parts, negative inside, near mm at their edges."""
    rng = component_rng(seed, "ccta anatomy")
    heart, lumen = scene.heart, scene.lumen

    def field(correlation_mm: float) -> FloatArray:
        return smooth_field(rng, world, correlation_mm=correlation_mm, waves=FIELD_WAVES)

    height = heart.height_mm(world)
    gap, along = _gap_to_vessel(world, lumen, scene.wall)
    sac = height - np.maximum(5.5 + 2.0 * field(22.0), 3.6)
    muscle = height + np.maximum(3.0 + 1.2 * field(18.0), 0.8)
    toward = _toward_right(rng, world, heart, lumen)
    septum = SEPTUM_MM / (1.0 + np.exp(-toward / 0.06))
    left = muscle + 9.0 + septum + 0.9 * field(7.0)
    depth = muscle + 3.8 + 0.6 * field(7.0)
    right = np.maximum.reduce([depth, -(depth + 11.5), -35.0 * toward])
    clear = settings.chamber_gap_mm - gap
    aorta = _aorta_level(rng, world, heart, lumen)
    aorta = np.where(along < OSTIUM_REACH_MM, aorta, np.maximum(aorta, clear))
    auricle = _auricle_level(rng, world, scene, settings) - 0.8 * field(5.0)
    auricle = np.maximum.reduce([auricle, settings.auricle_gap_mm - gap, 2.0 - aorta])
    covered = [sac, aorta - 4.0, auricle - 2.5, gap - 2.5]
    if scene.vein is not None:
        covered.append(scene.vein.level(world) - 2.0)
    return {
        "sac": np.minimum.reduce(covered),
        "muscle": np.minimum(muscle, _bridge_level(seed, world, scene, settings)),
        "left": np.maximum(left, clear),
        "right": np.maximum(right, clear),
        "aorta": aorta,
        "auricle": auricle,
    }


def _bridge_level(seed: int, world: FloatArray, scene: Scene, settings: CctaSettings) -> FloatArray:
    """Muscle that grows over a part of the artery; infinite where there is none."""
    rng = component_rng(seed, "ccta bridge")
    if rng.uniform() >= settings.bridge_odds:
        return np.full(len(world), np.inf)
    length = rng.uniform(10.0, 20.0)
    first = rng.uniform(0.3, 0.6) * scene.lumen.length_mm
    points, _ = scene.lumen.axis.at(np.arange(first, first + length, 0.5))
    rows = slice(*np.rint(np.array([first, first + length]) / scene.lumen.radius_step_mm).astype(int))
    thick = float(scene.wall.outer_mm[rows].max()) + rng.uniform(0.6, 1.5)
    return cKDTree(points).query(world)[0] - thick


def _gap_to_vessel(world: FloatArray, lumen: Lumen, wall: VesselWall) -> tuple[FloatArray, FloatArray]:
    """Distance (M,) to the outer wall, and arc length (M,) on the main vessel (inf at branches)."""
    s = lumen.axis.arc_length_mm
    main = np.flatnonzero((s >= 0.0) & (s <= lumen.length_mm + 1.0))[::2]
    rows = np.clip(np.rint(s[main] / lumen.radius_step_mm).astype(int), 0, len(wall.outer_mm) - 1)
    distance, nearest = cKDTree(lumen.axis.points_mm[main]).query(world)
    gap, along = distance - wall.outer_mm[rows].max(axis=1)[nearest], s[main][nearest]
    if lumen.branches:
        points = np.vstack([each.points_mm for each in lumen.branches])
        radii = np.concatenate([each.radius_mm for each in lumen.branches])
        distance, nearest = cKDTree(points).query(world)
        branch_gap = distance - (radii + branch_wall_mm(radii))[nearest]
        along = np.where(branch_gap < gap, np.inf, along)
        gap = np.minimum(gap, branch_gap)
    return gap, along


def branch_wall_mm(radius_mm: FloatArray) -> FloatArray:
    """Thickness of a side branch's wall."""
    return np.clip(0.5 * radius_mm, 0.3, 0.6)


def _toward_right(rng: np.random.Generator, world: FloatArray, heart: Heart, lumen: Lumen) -> FloatArray:
    """How far (M,) points are on the right ventricle's side of the heart, on whose edge the artery runs."""
    points, _ = lumen.axis.at(np.array([0.2, 0.5, 0.8]) * lumen.length_mm)
    scaled = heart.to_heart(points) / heart.semi_axes_mm
    across = np.cross(scaled[1], scaled[2] - scaled[0])
    side = rng.choice([-1.0, 1.0]) * across / np.linalg.norm(across)
    scaled = heart.to_heart(world) / heart.semi_axes_mm
    along = scaled @ side / np.maximum(np.linalg.norm(scaled, axis=1), 1e-9)
    toward: FloatArray = along - rng.uniform(0.1, 0.3)
    return toward


def _aorta_level(rng: np.random.Generator, world: FloatArray, heart: Heart, lumen: Lumen) -> FloatArray:
    """A ball at whose wall the artery leaves, and a tube through it out of the heart."""
    centre = aorta_centre_mm(lumen)
    _, frames = lumen.axis.at(np.array([0.0]))
    tangent = frames[0, :, 2]
    outward = heart.outward(centre[None])[0]
    outward = outward - (outward @ tangent) * tangent
    up = 0.92 * outward / np.linalg.norm(outward) - rng.uniform(0.2, 0.45) * tangent
    up /= np.linalg.norm(up)
    offset = world - centre
    ball = np.linalg.norm(offset, axis=1) - AORTA_RADIUS_MM
    rise = offset @ up
    tube = np.linalg.norm(offset - rise[:, None] * up, axis=1) - (AORTA_RADIUS_MM - 1.5)
    return np.minimum(ball, np.maximum(tube, np.maximum(-18.0 - rise, rise - 70.0)))


def _auricle_level(
    rng: np.random.Generator, world: FloatArray, scene: Scene, settings: CctaSettings
) -> FloatArray:
    """A pouch of blood on one side of the proximal artery."""
    s = np.array([rng.uniform(12.0, 35.0)])
    point, frames = scene.lumen.axis.at(s)
    outward = scene.heart.outward(point)[0]
    across = rng.choice([-1.0, 1.0]) * np.cross(outward, frames[0, :, 2])
    direction = 0.85 * across / np.linalg.norm(across) + 0.5 * outward
    direction /= np.linalg.norm(direction)
    radius = rng.uniform(7.0, 10.0)
    row = round(float(s[0]) / scene.lumen.radius_step_mm)
    distance = scene.wall.outer_mm[row].max() + settings.auricle_gap_mm + radius - 0.6
    return np.linalg.norm(world - point[0] - distance * direction, axis=1) - radius


def _body_levels(seed: int, world: FloatArray, heart: Heart) -> dict[str, FloatArray]:
    """Level functions (M,) of the rest of the chest: x to the left, y to the back, z upwards."""
    rng = component_rng(seed, "ccta chest")
    x, y, z = (world - heart.centre_mm + [25.0, -30.0, rng.uniform(55.0, 70.0)]).T
    inner = (np.hypot(x / 150.0, y / 100.0) - 1.0) * 100.0
    slats = np.abs((z + 0.4 * y) % 26.0 - 13.0) - 5.0
    spine = np.hypot(x - 5.0, y - 85.0)
    return {
        "belly": z - 10.0 + 0.15 * np.hypot(x, y),
        "chest": -inner,
        "ribs": np.maximum(slats, np.abs(inner - 7.0) - 3.5),
        "spine": spine - 20.0,
        "descending": np.hypot(x - 30.0, y - 62.0) - 11.0,
        "air": 26.0 - inner,
    }
