"""CCTA images in which everything is where it was put.

Tissues are painted over each other by their signed distance (negative inside) on a grid finer
than the voxels, their edges softened to its steps, and blurred as a scanner would.
"""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from coreg.volume import Volume

BLOOD_HU, WALL_HU, FAT_HU, MUSCLE_HU = 400.0, 65.0, -80.0, 100.0
WALL_MM, BLUR_MM = 0.8, 0.42
FINER = 2
BEYOND_MM = 1.0


def curve(*corners, step_mm=0.05):
    """Points along a polyline through corners, close enough to measure distances to."""
    pieces = []
    for start, end in pairwise(corners):
        start, end = np.array(start, dtype=float), np.array(end, dtype=float)
        share = np.linspace(0.0, 1.0, max(2, int(np.linalg.norm(end - start) / step_mm)))
        pieces.append(start + share[:, None] * (end - start))
    return np.vstack(pieces)


def bow(length_mm=28.0, radius_mm=40.0):
    """Points along an arc of a circle from the origin, first upwards along z, bending towards x."""
    angle = np.linspace(0.0, length_mm / radius_mm, round(length_mm / 0.05))
    return radius_mm * np.column_stack([1.0 - np.cos(angle), 0.0 * angle, np.sin(angle)])


def tube(points, radius_mm):
    """Signed distance from a tube along points (P, 3); its radius is one number or one per point."""
    tree, radius = cKDTree(points), np.append(np.broadcast_to(radius_mm, len(points)), 0.0)
    reach_mm = radius.max() + BEYOND_MM
    low, high = points.min(axis=0) - reach_mm, points.max(axis=0) + reach_mm

    def level(world):
        found = np.full(len(world), np.inf)
        near = np.flatnonzero(((world > low) & (world < high)).all(axis=1))
        distance, nearest = tree.query(world[near], distance_upper_bound=reach_mm)
        found[near] = distance - radius[nearest]
        return found

    return level


def ellipse(half_axes_mm, centre_mm=(0.0, 0.0)):
    """Distance, exact near the wall, from an elliptic tube along z with half axes along x and y."""
    squares = np.array(half_axes_mm) ** 2

    def level(world):
        offset = world[:, :2] - centre_mm
        form = np.sqrt((offset**2 / squares).sum(axis=1))
        slope = np.sqrt((offset**2 / squares**2).sum(axis=1)) / np.maximum(form, 1e-9)
        return (form - 1.0) / np.maximum(slope, 1e-9)

    return level


def ball(centre_mm, radius_mm):
    """Signed distance from a ball."""
    return lambda world: np.linalg.norm(world - centre_mm, axis=1) - radius_mm


def half_space(point_mm, outward):
    """Signed distance from the plane through a point; ``outward`` is a unit vector."""
    return lambda world: (world - point_mm) @ np.array(outward)


def crescent(points, inner_mm, outer_mm, towards):
    """Distance, exact near its faces, from the half of a thick tube's wall that lies towards a direction."""
    inner, outer = tube(points, inner_mm), tube(points, outer_mm)
    ahead = (points[-1] - points[0]) / np.linalg.norm(points[-1] - points[0])
    middle = points[len(points) // 2]
    planes = [
        half_space(middle, -np.array(towards)),
        half_space(points[0], -ahead),
        half_space(points[-1], ahead),
    ]

    def level(world):
        return np.maximum.reduce([outer(world), -inner(world), *(each(world) for each in planes)])

    return level


def artery(points, radius_mm, *, hu=BLOOD_HU, wall_mm=WALL_MM):
    """Wall and blood of a vessel, to be painted in this order."""
    outer = tube(points, np.asarray(radius_mm) + wall_mm)
    return [(outer, WALL_HU)], [(tube(points, radius_mm), hu)]


def scan(
    parts, low, high, *, spacing_mm=(0.5, 0.5, 0.5), turn=None, blur_mm=BLUR_MM, noise_hu=15.0, back_hu=FAT_HU
):
    """Image of parts (signed distance, HU), painted in order, in the box between two corners.

    ``turn`` (3, 3) turns the voxel grid about the box's middle, so that the tissues lie obliquely in it.
    """
    fine = np.array(spacing_mm) / FINER
    low, high = np.array(low, dtype=float), np.array(high, dtype=float)
    shape = FINER * np.ceil((high - low)[::-1] / np.array(spacing_mm)).astype(int)
    matrix = np.eye(4)
    matrix[:3, :3] = np.eye(3)[:, ::-1] * fine
    matrix[:3, 3] = low
    if turn is not None:
        middle = 0.5 * (low + high)
        about = np.eye(4)
        about[:3, :3], about[:3, 3] = turn, middle - turn @ middle
        matrix = about @ matrix
    grid = Volume(np.zeros(shape, dtype=np.uint8), matrix)
    world = grid.to_world(np.indices(shape, dtype=np.float32).reshape(3, -1).T)
    hu = np.full(len(world), back_hu, dtype=np.float32)
    for level, tissue_hu in parts:
        share = np.clip(0.5 - level(world) / fine.mean(), 0.0, 1.0)
        hu += (share * (tissue_hu - hu)).astype(np.float32)
    hu = gaussian_filter(hu.reshape(shape), blur_mm / fine)[::FINER, ::FINER, ::FINER]
    matrix[:3, :3] *= FINER
    grain = gaussian_filter(
        np.random.default_rng(1).normal(size=hu.shape).astype(np.float32), 0.3 / np.array(spacing_mm)
    )
    return Volume(hu + noise_hu * grain / grain.std(), matrix)


def turned(*columns):
    """Return a rotation matrix near the given columns."""
    rotation = np.linalg.qr(np.array(columns, dtype=float).T)[0]
    return rotation * np.sign(np.linalg.det(rotation))


AORTA_MM, AORTA_RADIUS_MM = (0.0, 0.0, -8.0), 9.0
AORTA = [(ball(AORTA_MM, AORTA_RADIUS_MM), BLOOD_HU)]
# Around a bow of 28 mm and its aorta.
LOW, HIGH = (-9.0, -8.0, -14.0), (17.0, 12.0, 33.0)
RADIUS_MM, BRANCH_MM = 1.4, 0.8


def leaving(points, at, degrees):
    """Direction towards +y that makes an angle with the line at one of its points."""
    ahead = (points[at + 1] - points[at - 1]) / np.linalg.norm(points[at + 1] - points[at - 1])
    return np.cos(np.radians(degrees)) * ahead + np.sin(np.radians(degrees)) * np.array([0.0, 1.0, 0.0])


@pytest.fixture(scope="session")
def vessel():
    """An artery from the aorta, bent, without branches; its axis and its image."""
    points = bow()
    wall, blood = artery(points, RADIUS_MM)
    image = scan([*wall, *blood, *AORTA], LOW, HIGH)
    # The axis leaves the ball of the aorta 1 mm from where it starts.
    return SimpleNamespace(
        points=points, image=image, radius_mm=RADIUS_MM, mouth_mm=np.array([0.0, 0.0, 1.0])
    )


@pytest.fixture(scope="session")
def branched():
    """The same artery with branches at right angles and obliquely; name, place and direction of each."""
    points, walls, bloods, truth = bow(), [], [], []
    for at, degrees, side in ((200, 90.0, 1.0), (300, 45.0, -1.0)):
        direction = leaving(points, at, degrees) * [1.0, side, 1.0]
        wall, blood = artery(curve(points[at], points[at] + 9.0 * direction), BRANCH_MM)
        walls, bloods = walls + wall, bloods + blood
        ostium = points[at] + RADIUS_MM / np.sin(np.radians(degrees)) * direction
        truth.append(SimpleNamespace(ostium_mm=ostium, direction=direction, axis_mm=points[at]))
    wall, blood = artery(points, RADIUS_MM)
    image = scan([*wall, *walls, *blood, *bloods, *AORTA], (LOW[0], -13.0, LOW[2]), HIGH)
    return SimpleNamespace(
        points=points, image=image, radius_mm=RADIUS_MM, branches=truth, branch_radius_mm=BRANCH_MM
    )


@pytest.fixture(scope="session")
def scenes():
    """Everything to draw an image with."""
    return SimpleNamespace(
        curve=curve,
        bow=bow,
        tube=tube,
        ellipse=ellipse,
        ball=ball,
        half_space=half_space,
        crescent=crescent,
        artery=artery,
        aorta=AORTA,
        aorta_mm=np.array(AORTA_MM),
        aorta_radius_mm=AORTA_RADIUS_MM,
        around_bow=(LOW, HIGH),
        scan=scan,
        turned=turned,
        blood_hu=BLOOD_HU,
        wall_hu=WALL_HU,
        fat_hu=FAT_HU,
        muscle_hu=MUSCLE_HU,
        wall_mm=WALL_MM,
        blur_mm=BLUR_MM,
    )


RAY_RAD = 2.0 * np.pi * np.arange(256) / 256
POLAR_STEP_MM, POLAR_SAMPLES = 0.025, 150
SHEATH_MM = 0.45


def circle_mm(radius_mm, centre_mm=(0.0, 0.0)):
    """Distances (A,) along rays from a catheter at the origin to a circle around it."""
    along = np.cos(RAY_RAD) * centre_mm[0] + np.sin(RAY_RAD) * centre_mm[1]
    aside = np.cos(RAY_RAD) * centre_mm[1] - np.sin(RAY_RAD) * centre_mm[0]
    return along + np.sqrt(radius_mm**2 - aside**2)


def rays_near(middle_rad, width_rad):
    """Rays (A,) within half a width of an angle."""
    return np.abs((RAY_RAD - middle_rad + np.pi) % (2.0 * np.pi) - np.pi) <= 0.5 * width_rad


def with_tunnels(wall_mm, pitch_mm, *, frame, angle_rad, radius_mm, depth_mm=2.0):
    """Distances (N, A) out of a lumen with a straight round branch at right angles to the catheter."""
    across_mm = pitch_mm * (np.arange(len(wall_mm)) - frame)[:, None]
    half_mm = np.sqrt(np.maximum(radius_mm**2 - across_mm**2, 0.0))
    apart = (RAY_RAD - angle_rad + np.pi) % (2.0 * np.pi) - np.pi
    reach_mm = half_mm / np.maximum(np.abs(np.sin(apart)), 1e-6)
    reach_mm = np.minimum(reach_mm, depth_mm / np.maximum(np.cos(apart), 0.5))
    return np.where(np.abs(apart) < 0.5 * np.pi, np.maximum(wall_mm, reach_mm), wall_mm)


def oct_frames(lumen_mm, *, wire=None, seed=0):
    """Grey values (N, A, R) of a wall whose light falls exponentially behind an outline (N, A).

    ``wire`` is the angle, width and distance of a guide wire.
    """
    r = (np.arange(POLAR_SAMPLES) + 0.5) * POLAR_STEP_MM
    behind = r - lumen_mm[..., None]
    values = 8.0 + np.where(behind >= 0.0, 130.0 * np.exp(-behind / 0.8), 0.0)
    if wire is not None:
        middle, width, distance_mm = wire
        past = r - distance_mm
        values[:, rays_near(middle, width)] = np.where(np.abs(past) < 0.04, 220.0, 8.0)
    values[..., r < SHEATH_MM] = 40.0
    values[..., (r > SHEATH_MM - 0.06) & (r < SHEATH_MM)] = 110.0
    return grained(values, 0.12, seed)


def ivus_frames(lumen_mm, eem_mm, *, calcium=None, seed=0):
    """Grey values (N, A, R) of blood, plaque, dark media and bright adventitia with speckle.

    ``calcium`` (A,) are rays with a bright front under a cap of plaque, and a shadow behind it.
    """
    r = (np.arange(POLAR_SAMPLES) + 0.5) * POLAR_STEP_MM
    past_lumen, past_eem = r - lumen_mm[..., None], r - eem_mm[..., None]
    values = np.where(past_lumen >= 0.0, 120.0, 60.0)
    values[(past_eem > -0.13) & (past_eem < 0.0)] = 45.0
    values[past_eem >= 0.0] = 190.0
    if calcium is not None:
        hard = np.where(past_lumen < 0.35, 245.0, 8.0)
        values = np.where(calcium[:, None] & (past_lumen >= 0.2), hard, values)
    values[..., r < SHEATH_MM] = 0.0
    return grained(values, 0.15, seed)


def grained(values, share, seed):
    """Values with speckle in proportion to them."""
    noise = np.random.default_rng(seed).standard_normal(values.shape).astype(np.float32)
    noise = gaussian_filter(noise, 1.0, axes=(-2, -1))
    return np.clip(values * (1.0 + share * noise / noise.std()), 0.0, 255.0).astype(np.float32)


@pytest.fixture(scope="session")
def rays():
    """Everything to draw frames along rays from the catheter."""
    return SimpleNamespace(
        angle_rad=RAY_RAD,
        step_mm=POLAR_STEP_MM,
        reach_mm=POLAR_STEP_MM * POLAR_SAMPLES,
        sheath_mm=SHEATH_MM,
        circle_mm=circle_mm,
        near=rays_near,
        with_tunnels=with_tunnels,
        oct_frames=oct_frames,
        ivus_frames=ivus_frames,
        grained=grained,
    )
