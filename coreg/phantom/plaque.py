"""The wall of a synthetic artery, and the plaque between it and the lumen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from coreg.phantom.ccta_settings import CctaSettings, ExtraPlaque, PlaqueKind
from coreg.phantom.lumen import Lumen
from coreg.phantom.randomness import component_rng

FloatArray = npt.NDArray[np.float64]

LEAST_PLAQUE_MM = 0.25
EXTRA_HALF_LENGTH_MM = 4.0
NO_PLAQUE_MM = -0.5
KINDS: tuple[PlaqueKind, PlaqueKind, PlaqueKind] = ("soft", "calcified", "mixed")


@dataclass(frozen=True)
class Plaque:
    """Where there is plaque.

    Attributes
    ----------
    kind : str
        What it is made of.
    first_mm, last_mm : float
        Arc lengths on the main vessel's axis.
    angle_rad : float
        Of its thickest part, from the axis' normal towards its binormal.
    thickness_mm : float
        Largest.
    area_share : float
        Largest part of the healthy lumen's area that it takes; 0 where it lies in the wall.
    """

    kind: PlaqueKind
    first_mm: float
    last_mm: float
    angle_rad: float
    thickness_mm: float
    area_share: float


@dataclass(frozen=True, eq=False)
class VesselWall:
    """Wall and plaque as tables (S, A) over the arc lengths and angles of the lumen's own table.

    Attributes
    ----------
    outer_mm : array
        Radius of the outer wall.
    plaque_mm : array
        Radius to which plaque reaches from the lumen; below the lumen's where there is none.
    plaque_hu : array
        Of its soft parts.
    calcium_inner_mm, calcium_outer_mm : arrays
        Radii between which it is calcified; outer below inner where it is not.
    calcium_hu : array
        Of those parts.
    normal_mm : (S,) array
        Thickness of the healthy wall.
    plaques : tuple of Plaque
        Proximal to distal.
    """

    outer_mm: FloatArray
    plaque_mm: FloatArray
    plaque_hu: FloatArray
    calcium_inner_mm: FloatArray
    calcium_outer_mm: FloatArray
    calcium_hu: FloatArray
    normal_mm: FloatArray
    plaques: tuple[Plaque, ...]


def narrowed(lumen: Lumen, extra: ExtraPlaque) -> Lumen:
    """Return the lumen with a plaque grown into it from one side."""
    s = lumen.radius_step_mm * np.arange(len(lumen.radius_mm))
    angle = _angles(lumen.radius_mm.shape[1])
    along = np.exp(-(np.abs((s - extra.arc_length_mm) / EXTRA_HALF_LENGTH_MM) ** 4))
    row = int(np.argmin(np.abs(s - extra.arc_length_mm)))
    around = 0.5 * (1.0 + np.cos(angle))
    # The depth that leaves the wanted area, by bisection: the area falls with it.
    low, high = 0.0, 0.9
    for _ in range(40):
        depth = 0.5 * (low + high)
        left = lumen.radius_mm[row] * (1.0 - depth * np.maximum(around, 0.1))
        share = 1.0 - (left**2).sum() / (lumen.radius_mm[row] ** 2).sum()
        low, high = (depth, high) if share < extra.share else (low, depth)
    table = lumen.radius_mm * (1.0 - depth * along[:, None] * np.maximum(around, 0.1))
    return Lumen(lumen.axis, table, lumen.radius_step_mm, lumen.branches)


def make_wall(seed: int, lumen: Lumen, healthy_mm: FloatArray, settings: CctaSettings) -> VesselWall:
    """Grow wall and plaque around a lumen.

    Parameters
    ----------
    seed : int
        Of the patient.
    lumen : Lumen
        As the image shows it.
    healthy_mm : (S, A) array
        The table of its radii without stenoses.
    settings : CctaSettings
        What plaque there is.
    """
    rng = component_rng(seed, "ccta plaque")
    rows, columns = lumen.radius_mm.shape
    share = np.arange(rows) / (rows - 1.0)
    normal = settings.wall_mm[1] + (settings.wall_mm[0] - settings.wall_mm[1]) * share
    excess = gaussian_filter(
        np.maximum(healthy_mm - lumen.radius_mm, 0.0), (2.0, 1.0), mode=("nearest", "wrap")
    )
    excess *= 1.0 + settings.remodelling
    calcium = np.full((rows, columns), NO_PLAQUE_MM)
    plaques = []
    for zone in _zones(excess.max(axis=1) > LEAST_PLAQUE_MM):
        kind = _kind(rng, zone, lumen, settings)
        calcium[zone] = _calcium(rng, excess[zone], kind)
        plaques.append(_stenosis(kind, zone, lumen, healthy_mm, excess[zone]))
    for _ in range(rng.integers(settings.spots[0], settings.spots[1] + 1)):
        spot, thick = _spot(rng, lumen)
        calcium = np.maximum(calcium, thick)
        plaques.append(spot)
    texture = gaussian_filter(rng.standard_normal((rows, columns)), (5.0, 3.0), mode=("nearest", "wrap"))
    texture /= texture.std()
    thickness = np.where(excess > LEAST_PLAQUE_MM, excess + 0.3 * normal[:, None], NO_PLAQUE_MM)
    inner = lumen.radius_mm + 0.1 + 0.1 * excess
    outer = lumen.radius_mm + normal[:, None] + excess
    return VesselWall(
        np.maximum(outer, np.where(calcium > 0.0, inner + calcium + 0.3, 0.0)),
        lumen.radius_mm + thickness,
        np.clip(70.0 + 35.0 * texture, 20.0, 150.0),
        inner,
        inner + calcium,
        np.clip(rng.uniform(*settings.calcium_hu) * (1.0 + 0.15 * texture), *settings.calcium_hu),
        normal,
        tuple(sorted(plaques, key=lambda each: each.first_mm)),
    )


def _kind(rng: np.random.Generator, zone: slice, lumen: Lumen, settings: CctaSettings) -> PlaqueKind:
    """Draw what the plaque of a stenosis is made of."""
    odds = np.array(settings.plaque_odds) / np.sum(settings.plaque_odds)
    kind = KINDS[rng.choice(3, p=odds)]
    extra = settings.extra_plaque
    if extra is not None and zone.start <= extra.arc_length_mm / lumen.radius_step_mm < zone.stop:
        kind = extra.kind
    return kind


def _calcium(rng: np.random.Generator, excess: FloatArray, kind: PlaqueKind) -> FloatArray:
    """Thickness of calcium in a stenosis, a table like that of the plaque itself."""
    if kind == "soft":
        return np.full(excess.shape, NO_PLAQUE_MM)
    patches = gaussian_filter(rng.standard_normal(excess.shape), (6.0, 5.0), mode=("nearest", "wrap"))
    level = np.quantile(patches, 0.3 if kind == "calcified" else 0.65)
    hard = (patches > level) & (excess > 0.35 * excess.max())
    thick = np.where(hard, 0.75 * excess, NO_PLAQUE_MM)
    smooth: FloatArray = gaussian_filter(thick, 0.7, mode=("nearest", "wrap"))
    return smooth


def _stenosis(
    kind: PlaqueKind, zone: slice, lumen: Lumen, healthy_mm: FloatArray, excess: FloatArray
) -> Plaque:
    area = 1.0 - (lumen.radius_mm[zone] ** 2).sum(axis=1) / (healthy_mm[zone] ** 2).sum(axis=1)
    row, column = np.unravel_index(np.argmax(excess), excess.shape)
    return Plaque(
        kind,
        zone.start * lumen.radius_step_mm,
        (zone.stop - 1) * lumen.radius_step_mm,
        float(_angles(excess.shape[1])[column]),
        float(excess[row, column]),
        float(area.max()),
    )


def _spot(rng: np.random.Generator, lumen: Lumen) -> tuple[Plaque, FloatArray]:
    """Put a calcification into the wall, where it narrows nothing; its thickness as a table."""
    rows, columns = lumen.radius_mm.shape
    length, width = rng.uniform(1.0, 6.0), np.radians(rng.uniform(30.0, 120.0))
    thickness, angle = rng.uniform(0.4, 1.2), rng.uniform(0.0, 2.0 * np.pi)
    middle = rng.uniform(5.0, lumen.length_mm - 8.0)
    s = lumen.radius_step_mm * np.arange(rows)
    apart = (_angles(columns) - angle + np.pi) % (2.0 * np.pi) - np.pi
    along = np.sqrt(np.clip(1.0 - (2.0 * (s - middle) / length) ** 2, 0.0, None))
    around = np.sqrt(np.clip(1.0 - (2.0 * apart / width) ** 2, 0.0, None))
    thick = thickness * along[:, None] * around
    spot = Plaque("calcified", middle - 0.5 * length, middle + 0.5 * length, angle, thickness, 0.0)
    return spot, np.where(thick > 0.1, thick, NO_PLAQUE_MM)


def _zones(diseased: npt.NDArray[np.bool_]) -> list[slice]:
    """Runs of rows that are True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], diseased.astype(int), [0]])))
    return [slice(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _angles(count: int) -> FloatArray:
    return 2.0 * np.pi * np.arange(count) / count
