"""What the lines of sight of a catheter meet in an artery and its wall."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates

from coreg.phantom.lumen import BLEND_MM, Lumen
from coreg.phantom.outlines import first_exit
from coreg.phantom.pullback_wall import LayeredWall

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

GRID_MM = 0.25
STEP_MM = 0.08
NO_BRANCH = -1


@dataclass(frozen=True, eq=False)
class Section:
    """One frame's lines of sight (A,); distances in mm from the catheter, at most the field of view.

    Attributes
    ----------
    wall_mm, lumen_mm : arrays
        Where a line first leaves the main vessel, and the whole lumen.
    eem_mm : array
        Where it passes the external elastic membrane.
    calcium_inner_mm, calcium_outer_mm : arrays
        Between which it runs in calcium; infinite where in none.
    lipid, plaque_mm : arrays
        How lipid-rich and how thick the plaque is where the line meets the wall.
    arc_length_mm, around_rad : arrays
        Where on the vessel's axis, and round it, the line meets the wall.
    mouth : int array
        Index of the side branch whose mouth the line goes through; -1 where it meets the wall.
    coordinates : (3, A, K) array
        Arc length, and place along the axis' normal and binormal, at equal steps from the catheter to
        the field of view.
    branch_level_mm : (A, K) array or None
        Level of the side branches there; None where none is near.
    field_of_view_mm : float
        How far the lines reach.
    """

    wall_mm: FloatArray
    lumen_mm: FloatArray
    eem_mm: FloatArray
    calcium_inner_mm: FloatArray
    calcium_outer_mm: FloatArray
    lipid: FloatArray
    plaque_mm: FloatArray
    arc_length_mm: FloatArray
    around_rad: FloatArray
    mouth: IntArray
    coordinates: FloatArray
    branch_level_mm: FloatArray | None
    field_of_view_mm: float


@dataclass(frozen=True, eq=False)
class Sight:
    """A frame's place in the world and its lines of sight.

    Attributes
    ----------
    origin_mm : (3,) array
        Catheter's centre.
    axes : (3, 2) array
        Column and row axis.
    angle_rad : (A,) array
        True angles of the lines.
    field_of_view_mm : float
        How far they reach.
    """

    origin_mm: FloatArray
    axes: FloatArray
    angle_rad: FloatArray
    field_of_view_mm: float

    @property
    def direction(self) -> FloatArray:
        """Unit vectors (A, 3) in the world."""
        return self.in_plane @ self.axes.T

    @property
    def in_plane(self) -> FloatArray:
        """Unit vectors (A, 2) in the image."""
        return np.column_stack([np.cos(self.angle_rad), np.sin(self.angle_rad)])

    @property
    def depth_mm(self) -> FloatArray:
        """Equal steps (K,) from the catheter to the field of view."""
        reach = self.field_of_view_mm
        return np.linspace(0.0, reach, round(reach / STEP_MM) + 1)


def swollen(section: Section, factor: float) -> Section:
    """Scale a section about the catheter, as the pulse does; its samples reach as much farther."""
    distances = ("wall_mm", "lumen_mm", "eem_mm", "calcium_inner_mm", "calcium_outer_mm", "field_of_view_mm")
    return replace(section, **{name: factor * getattr(section, name) for name in distances})


def section_at(lumen: Lumen, wall: LayeredWall, sight: Sight) -> Section:
    """Follow a frame's lines of sight through the lumen and its wall."""
    wall_mm, lumen_mm, hits = _exits(lumen, sight)
    coordinates = _coordinates(lumen, sight)
    layers = _layers(lumen, wall, sight, coordinates, (wall_mm, lumen_mm))
    s, u, v = lumen.axis.locate(hits)
    around = np.arctan2(v, u)
    return Section(
        wall_mm,
        lumen_mm,
        *layers,
        _table(lumen, wall.lipid, s, around),
        _table(lumen, wall.plaque_mm, s, around),
        s,
        around,
        _mouths(lumen, hits),
        coordinates,
        _branch_level(lumen, sight),
        sight.field_of_view_mm,
    )


def _coordinates(lumen: Lumen, sight: Sight) -> FloatArray:
    """Arc length, and place along the axis' normal and binormal, along the lines, (3, A, K).

    They are smooth over an image, so that a coarse square grid tells them to some micrometres.
    """
    half = sight.field_of_view_mm
    ticks = np.linspace(-half, half, round(2.0 * half / GRID_MM) + 1)
    x, y = np.meshgrid(ticks, ticks)
    world = sight.origin_mm + x[..., None] * sight.axes[:, 0] + y[..., None] * sight.axes[:, 1]
    grid = np.stack(lumen.axis.locate(world.reshape(-1, 3))).reshape(3, *x.shape)
    index = (sight.depth_mm[:, None] * sight.in_plane[:, None] / half + 1.0) * 0.5 * (len(ticks) - 1.0)
    where = [index[..., 1], index[..., 0]]
    return np.stack([map_coordinates(each, where, order=1, mode="nearest") for each in grid])


def _exits(lumen: Lumen, sight: Sight) -> tuple[FloatArray, FloatArray, FloatArray]:
    direction = sight.direction
    origin = np.tile(sight.origin_mm, (len(direction), 1))
    zero = np.zeros(len(direction))
    limit = zero + sight.field_of_view_mm
    main = first_exit(lumen.main_level, origin, direction, start_mm=zero, limit_mm=limit)
    hits = origin + main[:, None] * direction
    whole = main.copy()
    near = np.flatnonzero(lumen.branch_level(hits) < BLEND_MM)
    if len(near):
        whole[near] = first_exit(
            lumen.level, origin[near], direction[near], start_mm=main[near], limit_mm=limit[near]
        )
    return main, whole, hits


def _layers(
    lumen: Lumen,
    wall: LayeredWall,
    sight: Sight,
    coordinates: FloatArray,
    exits_mm: tuple[FloatArray, FloatArray],
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Where lines pass the membrane, enter calcium and leave it, each (A,); no calcium closes a mouth."""
    r = sight.depth_mm
    s, u, v = coordinates
    rho, angle = np.hypot(u, v), np.arctan2(v, u)

    def height(table: FloatArray) -> FloatArray:
        return rho - _table(lumen, table, s.ravel(), angle.ravel()).reshape(rho.shape)

    wall_mm, lumen_mm = exits_mm
    eem = np.clip(_crossing(r, height(wall.eem_mm)), wall_mm, r[-1])
    above, below = height(wall.calcium_inner_mm), height(wall.calcium_outer_mm)
    first, last = np.maximum(_crossing(r, above), lumen_mm), _crossing(r, below)
    hard = ((above > 0.0) & (below < 0.0)).any(axis=1) & (first < last)
    return eem, np.where(hard, first, np.inf), np.where(hard, last, np.inf)


def _crossing(r: FloatArray, level: FloatArray) -> FloatArray:
    """Where levels (A, K) first rise above zero, (A,); the last distance where they do not."""
    above = level > 0.0
    found = above.any(axis=1)
    k = np.maximum(np.argmax(above, axis=1), 1)
    lines = np.arange(len(level))
    low, high = level[lines, k - 1], level[lines, k]
    share = np.clip(-low / np.where(high > low, high - low, 1.0), 0.0, 1.0)
    return np.where(found, r[k - 1] + share * (r[k] - r[k - 1]), r[-1])


def _table(lumen: Lumen, table: FloatArray, s: FloatArray, angle: FloatArray) -> FloatArray:
    return Lumen(lumen.axis, table, lumen.radius_step_mm, ()).radius_at(s, angle)


def _mouths(lumen: Lumen, hits: FloatArray) -> IntArray:
    """Index (A,) of the side branch in which lines meet the main vessel's wall."""
    mouth = np.full(len(hits), NO_BRANCH)
    if not lumen.branches:
        return mouth
    inside = np.flatnonzero(lumen.branch_level(hits) < 0.0)
    mouth[inside] = lumen.nearest_branch(hits[inside])
    return mouth


def _branch_level(lumen: Lumen, sight: Sight) -> FloatArray | None:
    steps = sight.depth_mm[:, None] * sight.in_plane[:, None]
    world = sight.origin_mm + steps @ sight.axes.T
    level = lumen.branch_level(world.reshape(-1, 3)).reshape(world.shape[:2])
    if not (level < BLEND_MM).any():
        return None
    return np.minimum(level, sight.field_of_view_mm)
