"""Signed distance to a vessel's lumen, to a fraction of a voxel.

A distance map of a voxel label is wrong by up to half a voxel and, once smoothed, makes small
arteries smaller. Here the label's surface is found on a blurred copy whose blur keeps the
curvature term (a fourth-order kernel), and distances are taken to that surface.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree
from skimage.measure import marching_cubes

from coreg.surface import Surface
from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]


def cropped_volume(volume: Volume, points_mm: FloatArray, *, margin_mm: float) -> Volume:
    """Cut a volume to the voxels within a margin of the box around world points (M, 3).

    Raises
    ------
    ValueError
        If nothing of the volume is left.
    """
    low, high = points_mm.min(axis=0) - margin_mm, points_mm.max(axis=0) + margin_mm
    corners = np.stack(np.meshgrid(*zip(low, high, strict=True)), axis=-1).reshape(-1, 3)
    index = volume.to_index(corners)
    start = np.maximum(np.floor(index.min(axis=0)).astype(int), 0)
    stop = np.minimum(np.ceil(index.max(axis=0)).astype(int) + 1, volume.values.shape)
    if (start >= stop).any():
        msg = f"the volume has no voxel within {margin_mm} mm of {points_mm[0]}"
        raise ValueError(msg)
    matrix = volume.index_to_world.copy()
    matrix[:3, 3] = volume.to_world(start.astype(np.float64))
    values = volume.values[start[0] : stop[0], start[1] : stop[1], start[2] : stop[2]]
    return Volume(values, matrix)


def label_surface(label: Volume, *, blur_mm: float | None = None) -> Surface:
    """Find the smooth surface of a label image.

    Parameters
    ----------
    label : Volume
        Non-zero inside the lumen.
    blur_mm : float, optional
        Standard deviation of the blur that takes the voxels' steps away; by default 0.8 voxels.
        Less leaves steps, more shrinks arteries of a millimetre.

    Raises
    ------
    ValueError
        If the label is empty.
    """
    inside = np.pad(np.asarray(label.values != 0, dtype=np.float32), 4)
    if not inside.any():
        msg = "the label is empty"
        raise ValueError(msg)
    blurred = blurred_label(inside, label.spacing_mm, blur_mm=blur_mm)
    matrix = label.index_to_world.copy()
    matrix[:3, 3] = label.to_world(np.full(3, -4.0))
    return zero_surface(Volume(0.5 - blurred, matrix))


def blurred_label(
    inside: npt.NDArray[np.float32], spacing_mm: FloatArray, *, blur_mm: float | None = None
) -> npt.NDArray[np.float32]:
    """Take the voxels' steps out of a label, its surface staying where a half is reached.

    Parameters
    ----------
    inside : (slices, rows, columns) float32 array
        1 inside, 0 outside.
    spacing_mm : (3,) array
        Voxel size along the axes.
    blur_mm : float, optional
        As in `label_surface`.
    """
    if blur_mm is None:
        blur_mm = 0.8 * float(np.prod(spacing_mm)) ** (1.0 / 3.0)
    sigma = blur_mm / spacing_mm
    blurred = gaussian_filter(inside, sigma)
    # Blurring moves a surface by half its curvature times sigma squared; this takes it back.
    scale = 0.5 * blur_mm**2 / spacing_mm**2
    for axis in range(3):
        order = [2 if each == axis else 0 for each in range(3)]
        blurred = blurred - scale[axis] * gaussian_filter(inside, sigma, order=order)
    return blurred


def zero_surface(level: Volume) -> Surface:
    """Find the surface on which a function is zero that is negative inside and positive at the border.

    Raises
    ------
    ValueError
        If the function has no zero.
    """
    index, faces, _, _ = marching_cubes(np.array(level.values), 0.0, gradient_direction="descent")
    if np.linalg.det(level.index_to_world[:3, :3]) > 0:
        faces = faces[:, ::-1]
    return outward(Surface(level.to_world(index.astype(np.float64)), faces.astype(np.int64)))


def outward(surface: Surface) -> Surface:
    """Turn the faces so that the volume they enclose is positive."""
    a, b, c = (surface.points_mm[surface.faces[:, i]] - surface.points_mm[0] for i in range(3))
    volume_mm3 = np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6.0
    return surface if volume_mm3 >= 0.0 else Surface(surface.points_mm, surface.faces[:, ::-1])


def surface_samples(surface: Surface, *, spacing_mm: float) -> tuple[FloatArray, FloatArray]:
    """Spread points over a surface.

    Returns
    -------
    points_mm : (M, 3) array
        No point of the surface is farther than about ``spacing_mm`` from one of them.
    normals : (M, 3) array
        Smooth unit normals at the points, outward.
    """
    points, faces = surface.points_mm, surface.faces
    corners = points[faces]
    face_normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(points)
    for corner in range(3):
        np.add.at(normals, faces[:, corner], face_normals)
    normals = _unit(normals)
    corner_normals = normals[faces]
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    parts = np.ceil(longest / (2.5 * spacing_mm)).astype(int)
    used = np.unique(faces)
    out_points, out_normals = [points[used]], [normals[used]]
    for count in np.unique(parts[parts > 1]):
        which = parts == count
        lattice = [[i, j, count - i - j] for i in range(count + 1) for j in range(count + 1 - i)]
        weights = np.array([each for each in lattice if max(each) < count], dtype=np.float64) / count
        out_points.append(np.einsum("wk,fkd->fwd", weights, corners[which]).reshape(-1, 3))
        out_normals.append(np.einsum("wk,fkd->fwd", weights, corner_normals[which]).reshape(-1, 3))
    return np.concatenate(out_points), _unit(np.concatenate(out_normals))


def signed_distance(
    surface: Surface,
    around_mm: FloatArray,
    *,
    reach_mm: float = 4.5,
    spacing_mm: float = 0.3,
    limit_mm: float = 2.0,
) -> Volume:
    """Sample the signed distance to a surface in a tube around points.

    Parameters
    ----------
    surface : Surface
        Faces counter-clockwise from outside.
    around_mm : (M, 3) array
        Points along the vessel, at most a millimetre apart, in world mm.
    reach_mm : float
        Radius of the tube; beyond it the value is ``limit_mm``.
    spacing_mm : float
        Voxel size of the result, whose axes are those of the world.
    limit_mm : float
        Distances are cut off at plus and minus this.

    Returns
    -------
    Volume
        float32 distances in mm, negative inside.
    """
    low = around_mm.min(axis=0) - reach_mm
    shape = np.ceil((around_mm.max(axis=0) + reach_mm - low) / spacing_mm).astype(int)[::-1] + 1
    matrix = np.zeros((4, 4))
    matrix[[0, 1, 2], [2, 1, 0]] = spacing_mm
    matrix[:, 3] = [*low, 1.0]
    grid = Volume(np.full(shape, limit_mm, dtype=np.float32), matrix)
    values = np.full(shape, limit_mm, dtype=np.float32)

    near = voxels_near(grid, around_mm, reach_mm)
    world = grid.to_world(near.astype(np.float64))
    box_low, box_high = low - limit_mm, around_mm.max(axis=0) + reach_mm + limit_mm
    keep = ((surface.points_mm >= box_low) & (surface.points_mm <= box_high)).all(axis=1)
    faces = surface.faces[keep[surface.faces].any(axis=1)]
    if not len(faces):
        return Volume(values, matrix)
    samples, normals = surface_samples(Surface(surface.points_mm, faces), spacing_mm=spacing_mm)
    distance, nearest = cKDTree(samples).query(world, distance_upper_bound=limit_mm)
    far = np.flatnonzero(~np.isfinite(distance))
    # Beyond the limit only the sign is wanted, and a few samples tell it.
    coarse = cKDTree(samples[::8])
    distance[far] = limit_mm
    nearest[far] = 8 * coarse.query(world[far])[1]
    height = np.einsum("ij,ij->i", world - samples[nearest], normals[nearest])
    # Close by the surface is flat between the samples; far away the samples are dense enough.
    exact = np.where(distance < 3.0 * spacing_mm, height, np.copysign(distance, height))
    values[tuple(near.T)] = np.clip(exact, -limit_mm, limit_mm)
    return Volume(values, matrix)


def voxels_near(grid: Volume, around_mm: FloatArray, reach_mm: float) -> npt.NDArray[np.int64]:
    """Array indices (M, 3) of a grid's voxels within reach of any of some world points."""
    size = np.ceil(reach_mm / grid.spacing_mm).astype(int)
    offsets = np.stack(np.meshgrid(*[np.arange(-n, n + 1) for n in size], indexing="ij"), axis=-1).reshape(
        -1, 3
    )
    ball = offsets[np.linalg.norm(offsets * grid.spacing_mm, axis=1) <= reach_mm]
    # Room for the ball around every voxel that it can reach the grid from, so that flat indices add up.
    shape = np.array(grid.values.shape)
    inside = np.zeros(shape + 4 * size, dtype=bool)
    centres = np.unique(np.rint(grid.to_index(around_mm)).astype(int), axis=0) + 2 * size
    centres = centres[((centres >= size) & (centres < shape + 3 * size)).all(axis=1)]
    step = np.array([inside.shape[1] * inside.shape[2], inside.shape[2], 1])
    flat, ball_flat = inside.reshape(-1), ball @ step
    for centre in centres @ step:
        flat[centre + ball_flat] = True
    return np.argwhere(inside[tuple(slice(2 * n, 2 * n + m) for n, m in zip(size, shape, strict=True))])


def _unit(vectors: FloatArray) -> FloatArray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
