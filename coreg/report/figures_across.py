"""Pairs of cross-sections: what the pullback shows and what the CCTA has in the same plane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from coreg.report.style import AFTER, BEFORE, LANDMARK, PULLBACK, WIDTH_IN, landmark_handle

FloatArray = npt.NDArray[np.float64]
COLUMNS = 5
GAP_IN, TITLE_IN, LEGEND_IN = 0.12, 0.42, 0.4
ROW_IN = WIDTH_IN / COLUMNS - GAP_IN + TITLE_IN


class Section(NamedTuple):
    """One frame to draw, all in image mm from the catheter's centre.

    Attributes
    ----------
    title : str
        Frame and why it is shown.
    pullback, before, after : (M, 2) arrays or None
        Lumen outlines: annotated, CCTA at the rigid and at the final pose.
    annotated_rad : float or None
        Direction in which a landmark was annotated here.
    landmark_mm : (2,) array or None
        Where the CCTA's landmark falls in this frame's plane.
    """

    title: str
    pullback: FloatArray | None
    before: FloatArray | None
    after: FloatArray | None
    annotated_rad: float | None = None
    landmark_mm: FloatArray | None = None


def cross_sections(sections: Sequence[Section]) -> Figure:
    """Draw frames as seen on the console, all at one scale, centred on the pullback's lumen."""
    rows = max(1, -(-len(sections) // COLUMNS))
    height = ROW_IN * rows + LEGEND_IN
    figure = Figure(figsize=(WIDTH_IN, height))
    axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    # Square panels of one size under two lines of title each.
    side = WIDTH_IN / COLUMNS - GAP_IN
    for i, each in enumerate(axes):
        row, column = divmod(i, COLUMNS)
        left, top = column * (side + GAP_IN) + GAP_IN / 2, height - row * ROW_IN - TITLE_IN
        each.set_position((left / WIDTH_IN, (top - side) / height, side / WIDTH_IN, side / height))
    middles = [_middle(section) for section in sections]
    reach = [
        float(np.abs(section.pullback - middle).max())
        for section, middle in zip(sections, middles, strict=True)
        if section.pullback is not None
    ]
    # One side branch that is cut lengthwise must not make every panel small.
    half = 1.2 * float(min(max(reach), 1.6 * np.median(reach))) if reach else 2.5
    for each, section, middle in zip(axes, sections, middles, strict=False):
        _draw(each, section, middle, half)
    for each in axes[len(sections) :]:
        each.set_visible(False)
    figure.legend(handles=_legend(sections), loc="lower center", ncols=6)
    return figure


def _middle(section: Section) -> FloatArray:
    """Return the middle of the lumen's box: a catheter at the wall would waste half of the panel."""
    outline = section.pullback if section.pullback is not None else section.after
    if outline is None:
        return np.zeros(2)
    return np.asarray(0.5 * (outline.min(axis=0) + outline.max(axis=0)))


def _draw(axes: Axes, section: Section, middle: FloatArray, half: float) -> None:
    for outline, colour, width in (
        (section.before, BEFORE, 1.1),
        (section.after, AFTER, 1.8),
        (section.pullback, PULLBACK, 1.8),
    ):
        if outline is not None:
            (line,) = axes.plot(*np.vstack([outline, outline[:1]]).T, color=colour, linewidth=width)
            if colour == BEFORE:
                line.set_linestyle((0, (4, 2)))
    axes.plot(0.0, 0.0, "+", color="black", markersize=8, markeredgewidth=1.2)
    if section.annotated_rad is not None:
        direction = np.array([np.cos(section.annotated_rad), np.sin(section.annotated_rad)])
        axes.plot(*np.outer(direction, [0.25, 3.0 * half]), color=LANDMARK, linewidth=1.6)
    if section.landmark_mm is not None and np.isfinite(section.landmark_mm).all():
        shown = np.clip(section.landmark_mm, middle - 0.95 * half, middle + 0.95 * half)
        axes.plot(*shown, "D", color=LANDMARK, markeredgecolor="black", markersize=6)
    x, y = middle + half * np.array([0.95, 0.93])
    axes.plot([x - 1.0, x], [y, y], color="black", linewidth=2.5, solid_capstyle="butt")
    axes.annotate("1 mm", (x - 0.5, y), (0, 4), textcoords="offset points", ha="center", fontsize=8)
    # Rows grow downwards, as on the screen.
    axes.set(xlim=(middle[0] - half, middle[0] + half), ylim=(middle[1] + half, middle[1] - half))
    axes.set(xticks=[], yticks=[])
    axes.set_title(section.title, fontsize=9, fontweight="normal", loc="center")
    axes.spines[["top", "right"]].set_visible(True)
    for spine in axes.spines.values():
        spine.set_color("#bbbbbb")


def _legend(sections: Sequence[Section]) -> list[Line2D]:
    handles = [
        Line2D([], [], color=PULLBACK, label="pullback lumen"),
        Line2D([], [], color=AFTER, label="CCTA lumen, final"),
        Line2D([], [], color=BEFORE, linestyle=(0, (4, 2)), label="CCTA lumen, rigid"),
        Line2D([], [], color="black", marker="+", linestyle="", label="catheter"),
    ]
    if any(each.annotated_rad is not None for each in sections):
        handles.append(Line2D([], [], color=LANDMARK, label="annotated direction"))
    if any(each.landmark_mm is not None for each in sections):
        handles.append(landmark_handle())
    return handles
