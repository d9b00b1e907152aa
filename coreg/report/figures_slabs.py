"""The patient's own anatomy around a path, so that a wrong path is seen at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from coreg.report.style import WIDTH_IN, WINDOW_HU
from coreg.report.vessel_views import Slab, followed_slab
from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]

VIEWS = (
    ("axial, from below", 2),
    ("coronal, from the front", 1),
    ("sagittal, from the left", 0),
)
TITLE_IN, LEGEND_IN, GAP_IN = 0.3, 0.45, 0.1
HIGHEST_IN = 4.8
ENDS = ((("right", "left"), 0), (("front", "back"), 1), (("feet", "head"), 2))


class Stroke(NamedTuple):
    """A line to draw: world points (N, 3), which NaN may interrupt, colour, and name in the legend."""

    points_mm: FloatArray
    colour: str
    name: str
    width: float = 1.5


class Dot(NamedTuple):
    """A point to draw: world point (3,), text beside it, marker, colour, and name in the legend."""

    point_mm: FloatArray
    text: str
    marker: str
    colour: str
    name: str


def slabs(image: Volume, strokes: Sequence[Stroke], dots: Sequence[Dot]) -> Figure:
    """Draw slabs that follow the lines' depth, from three sides, with and without the lines."""
    points = np.concatenate([each.points_mm for each in strokes])
    points = points[np.isfinite(points).all(axis=1)]
    views = [followed_slab(image, points, axis) for _, axis in VIEWS]
    sizes = [(view.extent_mm[1] - view.extent_mm[0], view.extent_mm[3] - view.extent_mm[2]) for view in views]
    widest, highest = sum(width for width, _ in sizes), max(high for _, high in sizes)
    scale = min((WIDTH_IN - 2 * GAP_IN) / widest, HIGHEST_IN / highest)
    panel_in = highest * scale
    height = 2 * (panel_in + TITLE_IN) + LEGEND_IN
    figure = Figure(figsize=(WIDTH_IN, height))
    for row, drawn in enumerate((False, True)):
        left = 0.5 * (WIDTH_IN - 2 * GAP_IN - widest * scale)
        for (title, _), view, (wide, high) in zip(VIEWS, views, sizes, strict=True):
            top = height - row * (panel_in + TITLE_IN) - TITLE_IN
            place = (left, top - high * scale, wide * scale, high * scale)
            axes = figure.add_axes(
                (place[0] / WIDTH_IN, place[1] / height, place[2] / WIDTH_IN, place[3] / height)
            )
            _draw(axes, view, strokes if drawn else (), dots if drawn else ())
            if not drawn:
                axes.set_title(title, fontsize=9.5)
            left += wide * scale + GAP_IN
    figure.legend(handles=legend_handles(strokes, dots), loc="lower center", ncols=7)
    return figure


def _draw(axes: Axes, view: Slab, strokes: Sequence[Stroke], dots: Sequence[Dot]) -> None:
    left, right, low, high = view.extent_mm
    axes.set_facecolor("#30343c")
    axes.imshow(
        view.picture,
        extent=view.extent_mm,
        origin="lower",
        cmap="gray",
        vmin=WINDOW_HU[0],
        vmax=WINDOW_HU[1],
        aspect="auto",
        interpolation="bilinear",
    )
    seen = [view.across, view.up]
    for stroke in strokes:
        axes.plot(*stroke.points_mm[:, seen].T, color=stroke.colour, linewidth=stroke.width)
    for dot in dots:
        x, y = dot.point_mm[seen]
        axes.plot(
            x, y, dot.marker, color=dot.colour, markersize=7, markeredgecolor="black", markeredgewidth=0.8
        )
        if dot.text:
            axes.annotate(
                dot.text,
                (x, y),
                (6, 5),
                textcoords="offset points",
                fontsize=8,
                color="white",
                bbox={"boxstyle": "round,pad=0.15", "facecolor": "black", "alpha": 0.55, "linewidth": 0},
            )
    # Up on the page is the front in the axial view, as radiologists have it, and the head in the others.
    axes.set(xlim=(left, right), ylim=(high, low) if view.up == 1 else (low, high), xticks=[], yticks=[])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    _compass(axes, view)


def _compass(axes: Axes, view: Slab) -> None:
    words = {axis: names for names, axis in ENDS}
    bottom, top = words[view.up][::-1] if view.up == 1 else words[view.up]
    for text, place, ha, va in (
        (words[view.across][0], (0.01, 0.5), "left", "center"),
        (words[view.across][1], (0.99, 0.5), "right", "center"),
        (bottom, (0.5, 0.01), "center", "bottom"),
        (top, (0.5, 0.99), "center", "top"),
    ):
        shade = {"boxstyle": "round,pad=0.1", "facecolor": "black", "alpha": 0.45, "linewidth": 0}
        axes.text(
            *place, text, ha=ha, va=va, color="#ffe08a", fontsize=8, bbox=shade, transform=axes.transAxes
        )
    left, _, low, high = view.extent_mm
    y = high - 3.0 if view.up == 1 else low + 3.0
    axes.plot([left + 3.0, left + 13.0], [y, y], color="white", linewidth=2.5, solid_capstyle="butt")
    axes.annotate(
        "10 mm", (left + 8.0, y), (0, 4), textcoords="offset points", ha="center", fontsize=8, color="white"
    )


def legend_handles(strokes: Sequence[Stroke], dots: Sequence[Dot]) -> list[Line2D]:
    """Return an entry for each name."""
    handles: dict[str, Line2D] = {}
    for stroke in strokes:
        handles[stroke.name] = Line2D([], [], color=stroke.colour, linewidth=2.0, label=stroke.name)
    for dot in dots:
        handles[dot.name] = Line2D(
            [],
            [],
            color=dot.colour,
            marker=dot.marker,
            markeredgecolor="black",
            linestyle="",
            label=dot.name,
        )
    return list(handles.values())
