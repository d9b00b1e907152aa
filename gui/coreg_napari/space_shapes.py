"""Triangle meshes of what is shown in space, in world mm. Knows no screen."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from coreg.centerline import Centerline
from coreg.registration.vessel import lumen_surface
from coreg.signed_distance import label_surface
from coreg.surface import Surface
from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

AROUND_MM = 8.0
MOST_FACES = 50_000
# Of a tube's ring, and of a disc's rim.
SIDES, RIM = 8, 72
TILT_RAD = np.radians(30.0)


def vessel_surface(lumen: Volume | Surface, centerline: Centerline | None) -> Surface | None:
    """Return a lumen's surface near a vessel, of few enough faces to be drawn at once.

    Parameters
    ----------
    lumen : Volume or Surface
        Label image or surface, world mm.
    centerline : Centerline or None
        Of the vessel; all of the lumen is taken where it is not known.

    Returns
    -------
    Surface or None
        None where no lumen is near the vessel.
    """
    if centerline is None:
        surface = lumen if isinstance(lumen, Surface) else label_surface(lumen)
        return coarsened(surface)
    near = faces_near(lumen_surface(lumen, centerline), centerline.points_mm)
    return None if near is None else coarsened(near)


def faces_near(surface: Surface, points_mm: FloatArray, *, reach_mm: float = AROUND_MM) -> Surface | None:
    """Keep the faces near points (M, 3): whole, the aorta would hide the coronary artery."""
    distance, _ = cKDTree(points_mm).query(surface.points_mm, distance_upper_bound=reach_mm)
    return _with_faces(surface.points_mm, surface.faces[np.isfinite(distance)[surface.faces].all(axis=1)])


def coarsened(surface: Surface, *, most_faces: int = MOST_FACES) -> Surface:
    """Join vertices that are near each other, as far as needed to have few enough faces."""
    size_mm = 0.1
    coarse: Surface | None = surface
    while coarse is not None and len(coarse.faces) > most_faces:
        size_mm *= 1.3
        coarse = _joined(surface, size_mm)
    return surface if coarse is None else coarse


def _joined(surface: Surface, size_mm: float) -> Surface | None:
    """Replace all vertices in a cell of a grid by their mean; faces that collapse are dropped."""
    cells = np.floor(surface.points_mm / size_mm).astype(np.int64)
    _, cell, count = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    points = np.stack([np.bincount(cell, surface.points_mm[:, i]) for i in range(3)], axis=1)
    faces = cell[surface.faces]
    a, b, c = faces.T
    return _with_faces(points / count[:, None], faces[(a != b) & (b != c) & (c != a)])


def _with_faces(points_mm: FloatArray, faces: IntArray) -> Surface | None:
    if not len(faces):
        return None
    used, renamed = np.unique(faces, return_inverse=True)
    return Surface(points_mm[used], renamed.reshape(faces.shape))


def tube(
    points_mm: FloatArray, first: FloatArray, second: FloatArray, *, radius_mm: float, joined: BoolArray
) -> tuple[FloatArray, IntArray]:
    """Lay a tube along points.

    Parameters
    ----------
    points_mm : (N, 3) array
        NaN where there is no point.
    first, second : (N, 3) arrays
        Unit vectors that span the ring at each point.
    radius_mm : float
        Of the tube.
    joined : (N - 1,) or (N,) bool array
        Which points go on to the next one; the N-th entry closes the line.

    Returns
    -------
    vertices_mm : (SIDES * N, 3) array
        Ring by ring; those of missing points stand at the first point that is there.
    faces : (F, 3) int array
        None at missing points.
    """
    count = len(points_mm)
    known = np.asarray(np.isfinite(points_mm).all(axis=1))
    following = (np.arange(len(joined)) + 1) % count
    joined = joined & known[: len(joined)] & known[following]
    angles = 2.0 * np.pi * np.arange(SIDES) / SIDES
    rays = np.cos(angles)[:, None] * first[:, None] + np.sin(angles)[:, None] * second[:, None]
    rings = points_mm[:, None] + radius_mm * rays
    rings[~known] = points_mm[known][0] if known.any() else 0.0
    at, side = np.meshgrid(np.flatnonzero(joined), np.arange(SIDES), indexing="ij")
    on, turned = following[at], (side + 1) % SIDES
    a, b, c, d = (SIDES * ring + place for ring in (at, on) for place in (side, turned))
    faces = np.concatenate([np.stack([a, b, c], -1), np.stack([b, d, c], -1)]).reshape(-1, 3)
    return rings.reshape(-1, 3), faces


def rods(start_mm: FloatArray, end_mm: FloatArray, *, radius_mm: float) -> tuple[FloatArray, IntArray]:
    """Lay a straight rod between each of points (M, 3) and its partner."""
    along = end_mm - start_mm
    along = along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    # Any direction across will do; the world axis that the rod runs along least gives a safe one.
    aside = np.eye(3)[np.abs(along).argmin(axis=1)]
    first = np.cross(along, aside)
    first = first / np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-9)
    second = np.cross(along, first)
    points = np.stack([start_mm, end_mm], axis=1).reshape(-1, 3)
    joined = np.arange(len(points)) % 2 == 0
    first, second = np.repeat(first, 2, axis=0), np.repeat(second, 2, axis=0)
    return tube(points, first, second, radius_mm=radius_mm, joined=joined)


def disc(radius_mm: float) -> tuple[FloatArray, IntArray]:
    """Return in-plane points (RIM + 1, 2) of a disc about the catheter, the middle first, and faces."""
    angles = 2.0 * np.pi * np.arange(RIM) / RIM
    rim = radius_mm * np.column_stack([np.cos(angles), np.sin(angles)])
    i = np.arange(RIM)
    faces = np.column_stack([np.zeros(RIM, dtype=np.int64), 1 + i, 1 + (i + 1) % RIM])
    return np.vstack([np.zeros((1, 2)), rim]), faces


def overview(points_mm: FloatArray) -> FloatArray:
    """Return a direction (3,) to look in at a vessel's points (M, 3), proximal to distal.

    Across the vessel, so that it spreads most, but tilted to look along it: planes across the vessel
    would be lines otherwise. Of the two sides from the one nearer to the patient's front, and distally, as
    the images look.
    """
    _, _, axes = np.linalg.svd(points_mm - points_mm.mean(axis=0), full_matrices=False)
    along, across = axes[0], axes[2]
    along = along if along @ (points_mm[-1] - points_mm[0]) >= 0.0 else -along
    across = across if across[1] >= 0.0 else -across
    into: FloatArray = np.cos(TILT_RAD) * across + np.sin(TILT_RAD) * along
    return into
