"""The vessel and the catheter in space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree
from skimage.measure import marching_cubes

from coreg.report.figures_slabs import Dot, Stroke, legend_handles
from coreg.report.style import AFTER, DOUBT, LANDMARK, WIDTH_IN
from coreg.surface import Surface
from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
AROUND_MM, BESIDE_MM = 8.0, 9.0
TITLE_IN, LEGEND_IN = 0.35, 0.4
MOST_FACES = 40_000
WITHIN_FRAMES = 15
LABEL_POINTS = 11.0


class End(NamedTuple):
    """A named end of a line, and a point of the line further in, each (3,) in world mm."""

    point_mm: FloatArray
    within_mm: FloatArray
    name: str


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
    sure = reliable[:-1] & reliable[1:]
    strokes = [
        Stroke(centerline_mm, "white", "", 2.2),
        Stroke(centerline_mm, "#444444", "CCTA centerline", 1.0),
        Stroke(_pieces(catheter_mm, sure), AFTER, "catheter path", 2.2),
    ]
    if not reliable.all():
        strokes.append(Stroke(_pieces(catheter_mm, ~sure), DOUBT, "catheter path, not reliable", 2.2))
    dots = [Dot(point, name, "D", LANDMARK, "CCTA landmark") for name, point in landmarks]
    ends = _named_ends(posed)
    return lines_in_space(triangles_mm, posed if len(posed) > 2 else centerline_mm, strokes, dots, ends)


def _named_ends(posed_mm: FloatArray) -> list[End]:
    """Name the ends of a path (N, 3) that runs distally."""
    if not len(posed_mm):
        return []
    return [
        End(each[0], each[min(WITHIN_FRAMES, len(each) - 1)], name)
        for each, name in ((posed_mm, "proximal"), (posed_mm[::-1], "distal"))
    ]


def _pieces(points_mm: FloatArray, wanted: BoolArray) -> FloatArray:
    """Lay steps (N - 1,) of a line one after the other, NaN between them."""
    gaps = np.full((len(wanted), 3), np.nan)
    return np.stack([points_mm[:-1], points_mm[1:], gaps], axis=1)[wanted].reshape(-1, 3)


def lines_in_space(
    triangles_mm: FloatArray,
    focus_mm: FloatArray,
    strokes: Sequence[Stroke],
    dots: Sequence[Dot],
    ends: Sequence[End] = (),
) -> Figure:
    """Draw a surface, lines and points from two sides.

    Parameters
    ----------
    triangles_mm : (F, 3, 3) array
        Of the surface, world mm.
    focus_mm : (N, 3) array
        Along the vessel; the picture holds them all. What lies outside is cut off.
    strokes, dots
        Lines, which NaN may interrupt, and points.
    ends : sequence of End
        Named ends of a line.
    """
    centre = focus_mm.mean(axis=0)
    # The first axis of the vessel lies level in both pictures; they differ by a quarter turn about it.
    _, _, axes_3d = np.linalg.svd(focus_mm - centre, full_matrices=False)
    along, side = axes_3d[0], axes_3d[1]
    if along @ (focus_mm[-1] - focus_mm[0]) < 0.0:
        along = -along
    views = (("flattest view", side), ("turned by 90° about its length", np.cross(along, side)))
    bases = [np.stack([along, up, np.cross(along, up)]) for _, up in views]
    boxes = [_box(focus_mm - centre, basis) for basis in bases]
    heights = [
        float(np.clip(WIDTH_IN * box[1] / box[0], 1.2, 4.5)) for box in [high - low for low, high in boxes]
    ]
    total = sum(heights) + len(views) * TITLE_IN + LEGEND_IN
    figure = Figure(figsize=(WIDTH_IN, total))
    top = total
    for (title, _), basis, box, height in zip(views, bases, boxes, heights, strict=True):
        top -= TITLE_IN + height
        axes = figure.add_axes((0.0, top / total, 1.0, height / total))
        _surface(axes, (triangles_mm - centre) @ basis.T)
        _lines(axes, basis, centre, strokes, dots, ends)
        _frame(axes, basis, height, *box)
        axes.set_title(title, x=0.01)
    handles = legend_handles([each for each in strokes if each.name], dots)
    figure.legend(handles=handles, loc="lower center", ncols=7)
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


def _surface(axes: Axes, seen: FloatArray) -> None:
    """Draw triangles (F, 3, 3) whose third coordinate points at the viewer."""
    if not len(seen):
        return
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


def _lines(
    axes: Axes,
    basis: FloatArray,
    centre: FloatArray,
    strokes: Sequence[Stroke],
    dots: Sequence[Dot],
    ends: Sequence[End],
) -> None:
    for stroke in strokes:
        line = (stroke.points_mm - centre) @ basis.T
        axes.plot(line[:, 0], line[:, 1], color=stroke.colour, linewidth=stroke.width)
    for end in ends:
        _name_beside(axes, basis, centre, end)
    for dot in dots:
        x, y = (basis @ (dot.point_mm - centre))[:2]
        axes.plot(x, y, dot.marker, color=dot.colour, markeredgecolor="black", markersize=6)
        axes.annotate(dot.text, (x, y), (5, 6), textcoords="offset points", fontsize=8)


def _name_beside(axes: Axes, basis: FloatArray, centre: FloatArray, end: End) -> None:
    """Write a line's end beside it, across the line's direction and away from the picture's middle."""
    at = (basis @ (end.point_mm - centre))[:2]
    along = at - (basis @ (end.within_mm - centre))[:2]
    size = float(np.hypot(*along))
    across = np.array([-along[1], along[0]]) / size if size > 0.0 else np.array([0.0, -1.0])
    across *= -1.0 if across @ at < 0.0 else 1.0
    side = "center" if abs(across[0]) < 0.3 else "left" if across[0] > 0.0 else "right"
    height = "center" if abs(across[1]) < 0.3 else "bottom" if across[1] > 0.0 else "top"
    axes.annotate(
        end.name,
        (float(at[0]), float(at[1])),
        (LABEL_POINTS * across[0], LABEL_POINTS * across[1]),
        textcoords="offset points",
        fontsize=8,
        ha=side,
        va=height,
        color=AFTER,
        path_effects=[patheffects.withStroke(linewidth=2.5, foreground="white")],
        zorder=5,
    )


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
