"""The vessel and the catheter in space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree
from skimage.measure import marching_cubes

from coreg.report.style import AFTER, DOUBT, LANDMARK, WIDTH_IN, landmark_handle
from coreg.surface import Surface
from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
AROUND_MM, BESIDE_MM = 8.0, 9.0
TITLE_IN, LEGEND_IN = 0.35, 0.4
MOST_FACES = 40_000


def triangles_near(lumen: Volume | Surface, points_mm: FloatArray) -> FloatArray:
    """Triangles (F, 3, 3) of a lumen's surface near points along the vessel, in world mm, for pictures.

    Only near ones: whole, the aorta would hide the coronary artery.
    """
    low, high = points_mm.min(axis=0) - AROUND_MM, points_mm.max(axis=0) + AROUND_MM
    if isinstance(lumen, Surface):
        corners = lumen.points_mm[lumen.faces]
    else:
        box = np.array(
            [[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])]
        )
        index = lumen.to_index(box)
        shape = np.array(lumen.values.shape)
        start = np.clip(np.floor(index.min(axis=0)).astype(int), 0, shape - 1)
        stop = np.clip(np.ceil(index.max(axis=0)).astype(int) + 1, start + 1, shape)
        part = lumen.values[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] != 0
        if not part.any():
            return np.empty((0, 3, 3))
        smooth = gaussian_filter(np.pad(part, 2).astype(np.float32), 0.7)
        vertices, faces, _, _ = marching_cubes(smooth, 0.5)
        if len(faces) > MOST_FACES:
            vertices, faces, _, _ = marching_cubes(smooth, 0.5, step_size=2)
        corners = lumen.to_world(vertices.astype(np.float64) - 2.0 + start)[faces]
    middle = corners.mean(axis=1)
    corners = corners[np.isfinite(cKDTree(points_mm).query(middle, distance_upper_bound=AROUND_MM)[0])]
    return corners[:: max(1, -(-len(corners) // MOST_FACES))]


def vessel_in_space(
    triangles_mm: FloatArray,
    centerline_mm: FloatArray,
    catheter_mm: FloatArray,
    reliable: BoolArray,
    landmarks: Sequence[tuple[str, FloatArray]],
) -> Figure:
    """Draw the lumen's surface, the centerline, the catheter and landmarks from two sides.

    Parameters
    ----------
    triangles_mm : (F, 3, 3) array
        The CCTA lumen.
    centerline_mm, catheter_mm : (N, 3) and (M, 3) arrays
        World mm; NaN where a frame has no pose.
    reliable : (M,) bool array
        Of the catheter's points.
    landmarks : sequence of (id, (3,) array)
        In the CCTA.
    """
    posed = catheter_mm[np.isfinite(catheter_mm).all(axis=1)]
    focus = posed if len(posed) > 2 else centerline_mm
    centre = focus.mean(axis=0)
    # The first axis of the vessel lies level in both pictures; they differ by a quarter turn about it.
    _, _, axes_3d = np.linalg.svd(focus - centre, full_matrices=False)
    along, side = axes_3d[0], axes_3d[1]
    if along @ (focus[-1] - focus[0]) < 0.0:
        along = -along
    views = (("flattest view", side), ("turned by 90° about its length", np.cross(along, side)))
    bases = [np.stack([along, up, np.cross(along, up)]) for _, up in views]
    boxes = [_box(focus - centre, basis) for basis in bases]
    heights = [
        float(np.clip(WIDTH_IN * box[1] / box[0], 1.2, 4.5)) for box in [high - low for low, high in boxes]
    ]
    total = sum(heights) + len(views) * TITLE_IN + LEGEND_IN
    figure = Figure(figsize=(WIDTH_IN, total))
    top = total
    for (title, _), basis, box, height in zip(views, bases, boxes, heights, strict=True):
        top -= TITLE_IN + height
        axes = figure.add_axes((0.0, top / total, 1.0, height / total))
        _draw(axes, basis, centre, triangles_mm, centerline_mm, catheter_mm, reliable, landmarks)
        _frame(axes, basis, height, *box)
        axes.set_title(title, x=0.01)
    figure.legend(handles=_legend(bool(landmarks), not reliable.all()), loc="lower center", ncols=5)
    return figure


def _box(points_mm: FloatArray, basis: FloatArray) -> tuple[FloatArray, FloatArray]:
    seen = (points_mm @ basis.T)[:, :2]
    return seen.min(axis=0) - BESIDE_MM, seen.max(axis=0) + BESIDE_MM


def _frame(axes: Axes, basis: FloatArray, height_in: float, low: FloatArray, high: FloatArray) -> None:
    size_in = np.array([WIDTH_IN, height_in])
    half = 0.5 * size_in * ((high - low) / size_in).max()
    low, high = 0.5 * (low + high) - half, 0.5 * (low + high) + half
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.grid(visible=False)
    _compass_and_scale(axes, basis, (float(high[0]), float(low[1])))


def _draw(
    axes: Axes,
    basis: FloatArray,
    centre: FloatArray,
    triangles_mm: FloatArray,
    centerline_mm: FloatArray,
    catheter_mm: FloatArray,
    reliable: BoolArray,
    landmarks: Sequence[tuple[str, FloatArray]],
) -> None:
    if len(triangles_mm):
        seen = (triangles_mm - centre) @ basis.T
        normal = np.cross(seen[:, 1] - seen[:, 0], seen[:, 2] - seen[:, 0])
        facing = np.abs(normal[:, 2]) / np.maximum(np.linalg.norm(normal, axis=1), 1e-12)
        order = np.argsort(seen[:, :, 2].mean(axis=1))
        grey = 0.62 + 0.33 * facing[order]
        # Arrays are taken as fast as lists of polygons and colours are slow.
        colours: Any = np.stack([grey, grey, grey, np.ones_like(grey)], axis=1)
        corners: Any = seen[order, :, :2]
        faces = PolyCollection(corners, linewidths=0)
        faces.set_facecolor(colours)
        faces.set_antialiased(False)
        axes.add_collection(faces)
    line = (centerline_mm - centre) @ basis.T  # what lies outside the picture is cut off
    axes.plot(line[:, 0], line[:, 1], color="white", linewidth=2.2)
    axes.plot(line[:, 0], line[:, 1], color="#444444", linewidth=1.0)
    path = ((catheter_mm - centre) @ basis.T)[:, :2]
    pieces = np.stack([path[:-1], path[1:]], axis=1)
    whole = np.isfinite(pieces).all(axis=(1, 2))
    sure = reliable[:-1] & reliable[1:]
    path_colours = np.where(sure, AFTER, DOUBT)[whole]
    axes.add_collection(LineCollection(list(pieces[whole]), colors=list(path_colours), linewidths=2.2))
    ends = path[np.isfinite(path).all(axis=1)]
    if len(ends):
        for (x, y), text in ((ends[0], "proximal"), (ends[-1], "distal")):
            axes.annotate(
                text, (x, y), (0, -16), textcoords="offset points", fontsize=8, ha="center", color=AFTER
            )
    for name, point in landmarks:
        x, y = (basis @ (point - centre))[:2]
        axes.plot(x, y, "D", color=LANDMARK, markeredgecolor="black", markersize=6)
        axes.annotate(name, (x, y), (5, 6), textcoords="offset points", fontsize=8)


def _compass_and_scale(axes: Axes, basis: FloatArray, corner: tuple[float, float]) -> None:
    """Show where left, posterior and superior point, and 10 mm."""
    for letter, direction in zip("LPS", np.eye(3), strict=True):
        x, y = (basis @ direction)[:2] * 22.0
        if np.hypot(x, y) > 5.0:
            axes.annotate(
                letter,
                xy=(0.03, 0.2),
                xycoords="axes fraction",
                xytext=(x, y),
                textcoords="offset points",
                ha="center",
                va="center",
                fontsize=9,
                fontweight="bold",
                arrowprops={"arrowstyle": "<-", "color": "#555555", "shrinkA": 0, "shrinkB": 0},
            )
    x, y = corner[0] - 2.0, corner[1] + 1.5
    axes.plot([x - 10.0, x], [y, y], color="black", linewidth=2.5, solid_capstyle="butt")
    axes.annotate("10 mm", (x - 5.0, y), (0, 4), textcoords="offset points", ha="center", fontsize=8)


def _legend(with_landmarks: bool, with_doubt: bool) -> list[Line2D]:
    handles = [
        Line2D([], [], color="#444444", linewidth=1.0, label="CCTA centerline"),
        Line2D([], [], color=AFTER, linewidth=2.2, label="catheter path"),
    ]
    if with_doubt:
        handles.append(Line2D([], [], color=DOUBT, linewidth=2.2, label="catheter path, not reliable"))
    if with_landmarks:
        handles.append(landmark_handle())
    return handles
