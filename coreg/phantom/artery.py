"""Synthetic coronary arteries: course over the heart, calibre, disease and side branches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from coreg.phantom.curve import Curve, curve_through
from coreg.phantom.heart import Heart
from coreg.phantom.lumen import Branch, Lumen
from coreg.phantom.randomness import component_rng, smooth_noise
from coreg.phantom.settings import Anatomy

FloatArray = npt.NDArray[np.float64]

PROXIMAL_MM, DISTAL_MM = 30.0, 6.0
WALK_MM = 0.1
TABLE_MM = 0.2
TABLE_ANGLES = 72
TIGHTEST_BEND_MM = 9.0
SHORTEST_CHORD = 0.5
NARROWEST_MM = 0.5
MURRAY_EXPONENT = 2.7
TAIL_MM, TAIL_SHARE = 4.0, 0.4


@dataclass(frozen=True, eq=False)
class Artery:
    """An artery on its heart.

    Attributes
    ----------
    lumen : Lumen
        As it is.
    healthy_radius_mm : (S, A) array
        The table of its lumen without stenoses.
    heart : Heart
        On which it runs.
    """

    lumen: Lumen
    healthy_radius_mm: FloatArray
    heart: Heart


def make_lumen(seed: int, *, length_mm: float, covered_mm: tuple[float, float]) -> Lumen:
    """Make the lumen of an artery, see `make_artery`."""
    return make_artery(seed, length_mm=length_mm, covered_mm=covered_mm).lumen


def make_artery(
    seed: int, *, length_mm: float, covered_mm: tuple[float, float], anatomy: Anatomy | None = None
) -> Artery:
    """Make an artery.

    Parameters
    ----------
    seed : int
        Of the patient.
    length_mm : float
        Of the main vessel, from its ostium.
    covered_mm : pair
        Arc lengths between which the pullback runs; most side branches leave there.
    anatomy : Anatomy, optional
        By default as most arteries are.
    """
    anatomy = anatomy or Anatomy()
    axis, heart = make_axis(seed, length_mm)
    rng = component_rng(seed, "side branches")
    s: FloatArray = TABLE_MM * np.arange(int(np.floor(length_mm / TABLE_MM)) + 1.0)
    places, radii = _branch_plan(rng, length_mm, covered_mm, anatomy)
    calibre, radii = _calibre(component_rng(seed, "calibre"), s, places, radii, anatomy)
    factor = _cross_sections(component_rng(seed, "cross-sections"), s, anatomy.irregularity)
    healthy = np.maximum(calibre[:, None] * factor, NARROWEST_MM)
    factor *= _stenoses(component_rng(seed, "stenoses"), s, calibre, anatomy.irregularity)
    table = np.maximum(calibre[:, None] * factor, NARROWEST_MM)
    bare = Lumen(axis, table, TABLE_MM, ())
    lumen = Lumen(axis, table, TABLE_MM, _branches(rng, bare, places, radii))
    return Artery(lumen, healthy, heart)


def make_axis(seed: int, length_mm: float) -> tuple[Curve, Heart]:
    """Draw the course of a vessel over a heart somewhere in the scanner, and that heart.

    Arc length 0 is the ostium; the curve goes on by ``PROXIMAL_MM`` and ``DISTAL_MM``.
    """
    rng = component_rng(seed, "course")
    for attempt in range(60):
        points, semi_axes = _walk(rng, length_mm, wildness=0.97**attempt)
        curve, _ = curve_through(points, zero_at=round(PROXIMAL_MM / WALK_MM))
        bend = np.linalg.norm(curve.curvature, axis=1).max()
        if bend < 1.0 / TIGHTEST_BEND_MM and not _returns(curve.points_mm):
            break
    rng = component_rng(seed, "placement")
    turn = Rotation.from_quat(rng.standard_normal(4)).as_matrix()
    shift = np.array([rng.uniform(-80, 80), rng.uniform(-260, -80), rng.uniform(900, 1900)])
    middle = curve.points_mm.mean(axis=0)
    centred = curve.points_mm - middle
    placed, _ = curve_through(centred @ turn.T + shift, zero_at=round(PROXIMAL_MM / WALK_MM))
    return placed, Heart(shift - turn @ middle, turn, semi_axes)


def _walk(rng: np.random.Generator, length_mm: float, *, wildness: float) -> tuple[FloatArray, FloatArray]:
    """Walk over an ellipsoidal heart with a heading that wanders.

    Returns points (N, 3) every 0.1 mm, and the heart's semi-axes (3,).
    """
    semi_axes = np.array([38.0, 45.0, 55.0]) * rng.uniform(0.85, 1.15, 3)
    count = round((length_mm + DISTAL_MM) / WALK_MM) + 20
    turning = wildness * smooth_noise(rng, (count,), correlation=7.0 / WALK_MM) / rng.uniform(18.0, 30.0)
    depth = 0.8 * wildness * smooth_noise(rng, (count,), correlation=12.0 / WALK_MM)
    point = semi_axes * _unit(rng.standard_normal(3))
    heading = rng.standard_normal(3)
    points, normals = np.empty((count, 3)), np.empty((count, 3))
    for i in range(count):
        normal = _unit(point / semi_axes**2)
        heading = _unit(heading - (heading @ normal) * normal)
        points[i], normals[i] = point, normal
        heading = heading + turning[i] * WALK_MM * np.cross(normal, heading)
        point = point + WALK_MM * _unit(heading)
        point = point / np.sqrt(((point / semi_axes) ** 2).sum())
    points += depth[:, None] * normals
    first = _unit(points[10] - points[0])
    before = points[0] - WALK_MM * np.arange(round(PROXIMAL_MM / WALK_MM), 0, -1)[:, None] * first
    course = gaussian_filter1d(np.vstack([before, points]), 1.5 / WALK_MM, axis=0, mode="nearest")
    return course[:-20], semi_axes


def _returns(points_mm: FloatArray) -> bool:
    """Whether a course comes near itself again, or its ends near each other."""
    some = points_mm[:: round(1.0 / WALK_MM)]
    gaps = np.linalg.norm(some[:, None] - some[None], axis=2)
    apart = np.abs(np.subtract.outer(np.arange(len(some)), np.arange(len(some)))) > 22
    return bool((gaps[apart] < 12.0).any() or gaps[0, -1] < SHORTEST_CHORD * len(some))


def _branch_plan(
    rng: np.random.Generator, length_mm: float, covered_mm: tuple[float, float], anatomy: Anatomy
) -> tuple[FloatArray, FloatArray]:
    """Arc lengths and wished radii of side branches, proximal to distal, at least 3 mm apart."""
    inside = int(rng.integers(anatomy.branch_counts[0], anatomy.branch_counts[1] + 1))
    low, high = covered_mm[0] + 2.5, covered_mm[1] - 2.5
    places = low + (high - low) * _spread(rng, inside, 3.2 / (high - low))
    gaps = ((6.0, low - 5.0), (high + 5.0, length_mm - 4.0)) if anatomy.branches_elsewhere else ()
    outside = [rng.uniform(*gap) for gap in gaps if gap[1] > gap[0]]
    places = np.sort(np.append(places, outside))
    radii = rng.uniform(0.5, 1.1, len(places))
    large = rng.permutation(np.flatnonzero((places >= low) & (places <= high)))[:3]
    radii[large] = np.maximum(radii[large], rng.uniform(0.7, 0.95, 3)[: len(large)])
    return places, radii


def _spread(rng: np.random.Generator, count: int, gap: float) -> FloatArray:
    """Sorted points of the unit interval that are at least ``gap`` apart, shape (count,)."""
    return np.sort(rng.uniform(0.0, 1.0 - gap * (count - 1), count)) + gap * np.arange(count)


def _calibre(
    rng: np.random.Generator, s: FloatArray, places: FloatArray, radii: FloatArray, anatomy: Anatomy
) -> tuple[FloatArray, FloatArray]:
    """Mean radius (S,) over arc length, with a step at each branch, and the branches' radii."""
    first, last = rng.uniform(1.6, 2.3), rng.uniform(0.9, 1.3)
    if anatomy.taper_range is not None:
        last = first * (1.0 - rng.uniform(*anatomy.taper_range))
    guess = first * (last / first) ** (places / s[-1])
    radii = np.minimum(radii, 0.8 * guess)
    drops = -np.log(1.0 - (radii / guess) ** MURRAY_EXPONENT) / MURRAY_EXPONENT
    total = np.log(first / last)
    if len(drops):
        drops *= min(1.0, 0.8 * total / drops.sum())
    log_radius = np.log(first) - (total - drops.sum()) * s / s[-1]
    for place, drop in zip(places, drops, strict=True):
        log_radius -= drop / (1.0 + np.exp(-(s - place - 0.8) / 0.6))
    wobble = 0.04 * smooth_noise(rng, s.shape, correlation=8.0 / TABLE_MM)
    ectasia = np.zeros_like(s)
    if rng.uniform() < 0.3:
        where, width = rng.uniform(0.1, 0.7) * s[-1], rng.uniform(2.5, 5.0)
        ectasia = rng.uniform(0.1, 0.3) * np.exp(-0.5 * ((s - where) / width) ** 2)
    return np.exp(log_radius + anatomy.irregularity * wobble + anatomy.irregularity * ectasia), radii


def _cross_sections(rng: np.random.Generator, s: FloatArray, irregularity: float) -> FloatArray:
    """Relative radius (S, A): ellipses and higher harmonics that change and turn along the vessel."""
    angle = 2.0 * np.pi * np.arange(TABLE_ANGLES) / TABLE_ANGLES
    factor = np.ones((len(s), TABLE_ANGLES))
    for order, sd, correlation_mm in ((2, 0.055, 8.0), (3, 0.03, 6.0), (4, 0.015, 5.0), (5, 0.01, 4.0)):
        wave = smooth_noise(rng, (len(s), 2), correlation=correlation_mm / TABLE_MM)
        factor += (
            irregularity * sd * (wave[:, :1] * np.cos(order * angle) + wave[:, 1:] * np.sin(order * angle))
        )
    return np.clip(factor, 0.75, 1.25)


def _stenoses(
    rng: np.random.Generator, s: FloatArray, calibre: FloatArray, irregularity: float
) -> FloatArray:
    """Relative radius (S, A) left by one to three plaques, most of them on one side."""
    angle = 2.0 * np.pi * np.arange(TABLE_ANGLES) / TABLE_ANGLES
    factor = np.ones((len(s), TABLE_ANGLES))
    for where in s[-1] * (0.08 + 0.8 * _spread(rng, int(rng.integers(1, 4)), 0.15)):
        depth = irregularity * rng.uniform(0.2, 0.6)
        depth = min(depth, 1.0 - 0.7 / float(np.interp(where, s, calibre)))
        side, lopsided = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(0.0, 1.0)
        lopsided = min(lopsided, max(0.0, 0.62 / depth - 1.0))
        half = rng.uniform(2.0, 6.0)
        skew = rng.uniform(0.6, 1.6)
        reach = np.where(s < where, half, half * skew)
        along = np.exp(-(np.abs((s - where) / reach) ** 2.5))
        around = 1.0 + lopsided * np.cos(angle - side)
        factor *= 1.0 - depth * along[:, None] * around
    return factor


def _branches(
    rng: np.random.Generator, bare: Lumen, places: FloatArray, radii: FloatArray
) -> tuple[Branch, ...]:
    """Grow side branches that keep clear of the main vessel and of each other."""
    grown: list[Branch] = []
    main = bare.axis.points_mm[bare.axis.arc_length_mm > -2.0]
    for number, (place, radius) in enumerate(zip(places, radii, strict=True), start=1):
        narrowest = bare.radius_mm[np.abs(TABLE_MM * np.arange(len(bare.radius_mm)) - place) < 1.2].min()
        radius = min(radius, 0.85 * narrowest)
        tries = [_grow(rng, bare, float(place), float(radius), f"B{number}") for _ in range(25)]
        room = [_room(each, main, grown) for each in tries]
        good = next((i for i, gap in enumerate(room) if gap > 0.8), int(np.argmax(room)))
        if room[good] > 0.2:
            grown.append(tries[good])
    return tuple(grown)


def _grow(rng: np.random.Generator, bare: Lumen, place: float, radius: float, name: str) -> Branch:
    origin, frames = bare.axis.at(np.array([place]))
    normal, binormal, tangent = frames[0].T
    around, leaving = rng.uniform(0.0, 2.0 * np.pi), np.radians(rng.uniform(35.0, 80.0))
    sideways = np.cos(around) * normal + np.sin(around) * binormal
    direction = np.cos(leaving) * tangent + np.sin(leaving) * sideways
    turn = rng.standard_normal(3) / rng.uniform(20.0, 60.0)
    length = rng.uniform(11.0, 20.0)
    along: FloatArray = 0.1 * np.arange(int(length / 0.1) + 1.0)
    points = np.empty((len(along), 3))
    points[0] = origin[0]
    for i in range(1, len(along)):
        # Straight through the wall, bent further on.
        bend = min(1.0, max(0.0, (along[i] - 3.0) / 3.0))
        direction = _unit(direction + 0.1 * bend * turn)
        points[i] = points[i - 1] + 0.1 * direction
    return Branch(name, points, radius * (1.0 - 0.3 * along / length), place)


def _room(branch: Branch, main: FloatArray, others: list[Branch]) -> float:
    """Smallest gap between a branch's wall and other walls, past its own mouth, in mm."""
    outer = branch.points_mm[50::5]
    radius = branch.radius_mm[50::5]
    gap = float((np.linalg.norm(outer[:, None] - main[None, ::5], axis=2).min(axis=1) - radius).min()) - 2.0
    for other in others:
        mine, theirs = branch.points_mm[25::3], other.points_mm[25::3]
        distance = np.linalg.norm(mine[:, None] - theirs[None], axis=2)
        walls = branch.radius_mm[25::3, None] + other.radius_mm[None, 25::3]
        gap = min(gap, float((distance - walls).min()))
    return gap


def tailed(lumen: Lumen, healthy_mm: FloatArray) -> tuple[Lumen, FloatArray]:
    """Lumen that narrows beyond its end, as an image shows it, and likewise its table without stenoses."""
    rows = round(TAIL_MM / lumen.radius_step_mm)
    taper = np.linspace(1.0, TAIL_SHARE, rows + 1)[1:, None]
    table = np.vstack([lumen.radius_mm, taper * lumen.radius_mm[-1]])
    healthy = np.vstack([healthy_mm, taper * healthy_mm[-1]])
    return Lumen(lumen.axis, table, lumen.radius_step_mm, lumen.branches), healthy


def _unit(vector: FloatArray) -> FloatArray:
    return vector / np.linalg.norm(vector)
