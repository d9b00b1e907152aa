"""Frames of a pullback with what was found in them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from coreg.pullback_images import PullbackImages
from coreg.pullback_measures import areas_mm2
from coreg.pullback_vessel import OPEN, SEEN, PullbackVessel
from coreg.report.pullback_views import FramePick, SegmentedRun, shown_reach_mm, white_level
from coreg.report.style import DOUBT, LANDMARK, PULLBACK, WALL, WIDTH_IN
from coreg.rounding import rounded_text

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

COLUMNS = 5
GAP_IN, ABOVE_IN, TITLE_LINE_IN, LEGEND_IN = 0.12, 0.2, 0.14, 0.45
TITLE_CHARACTERS = 36
DASHES = (0, (1.6, 1.2))


def frame_gallery(run: SegmentedRun, picks: Sequence[FramePick]) -> Figure:
    """Draw frames as seen on the console, all at one scale, centred on the catheter."""
    titles = [frame_title(run.vessel, pick) for pick in picks]
    side = WIDTH_IN / COLUMNS - GAP_IN
    # A row is as high as its longest title needs.
    above = [
        ABOVE_IN + TITLE_LINE_IN * max(title.count("\n") + 1 for title in titles[first : first + COLUMNS])
        for first in range(0, len(picks), COLUMNS)
    ]
    height = sum(above) + len(above) * side + LEGEND_IN
    figure = Figure(figsize=(WIDTH_IN, height))
    reach = shown_reach_mm(run.vessel)
    white = 255.0 if run.images is None else white_level(run.images)
    for i, pick in enumerate(picks):
        row, column = divmod(i, COLUMNS)
        left, top = column * (side + GAP_IN) + GAP_IN / 2, height - row * side - sum(above[: row + 1])
        place = (left / WIDTH_IN, (top - side) / height, side / WIDTH_IN, side / height)
        axes = figure.add_axes(place)
        _draw(axes, run, pick, reach, white)
        axes.set_title(titles[i], fontsize=8.5, fontweight="normal", loc="center", pad=4)
    figure.legend(handles=_handles(run), loc="lower center", ncols=7)
    return figure


def _draw(axes: Axes, run: SegmentedRun, pick: FramePick, reach: float, white: float) -> None:
    vessel, dark = run.vessel, run.images is not None
    axes.set_facecolor("black" if dark else "white")
    if run.images is not None:
        _show(axes, run.images, pick.frame, reach, white)
    draw_outlines(axes, vessel, pick.frame, dark=dark)
    ink = "white" if dark else "black"
    axes.plot(0.0, 0.0, "+", color="#F0E442" if dark else "black", markersize=8, markeredgewidth=1.2)
    x, y = 0.95 * reach, 0.93 * reach
    edge = [patheffects.withStroke(linewidth=2.0, foreground="black")] if dark else []
    style: dict[str, Any] = {"color": ink, "path_effects": edge}
    axes.plot([x - 1.0, x], [y, y], linewidth=2.5, solid_capstyle="butt", **style)
    axes.annotate("1 mm", (x - 0.5, y), (0, 4), textcoords="offset points", ha="center", fontsize=8, **style)
    # Rows grow downwards, as on the screen.
    axes.set(xlim=(-reach, reach), ylim=(reach, -reach), xticks=[], yticks=[])
    axes.grid(visible=False)
    marked = bool(vessel.reason[pick.frame])
    for spine in axes.spines.values():
        spine.set(visible=True, color=DOUBT if marked else "#bbbbbb", linewidth=3.0 if marked else 1.0)


def frame_title(vessel: PullbackVessel, pick: FramePick) -> str:
    """Say which frame it is and why it is shown, its numbers, and all of the reason against it."""
    area = areas_mm2(vessel.wall_mm[[pick.frame]])[0]
    lumen = f"lumen {rounded_text(area)} mm²" if vessel.outlined[pick.frame] else "no lumen"
    texts = (
        f"frame {pick.frame}: {pick.why}",
        f"quality {rounded_text(vessel.quality[pick.frame])}, {lumen}",
        vessel.reason[pick.frame],
    )
    return "\n".join(line for text in texts for line in textwrap.wrap(text, TITLE_CHARACTERS))


def _show(axes: Axes, images: PullbackImages, frame: int, reach: float, white: float) -> None:
    """Show no more of an image than the panel holds: large frames would only make a large page."""
    spacing, centre, shape = images.pixel_spacing_mm, images.catheter_px, images.pixels.shape[1:]
    first = np.maximum(np.floor(centre - reach / spacing).astype(int), 0)
    last = np.minimum(np.ceil(centre + reach / spacing).astype(int) + 1, shape[::-1])
    if (last <= first).any():
        return
    part = images.pixels[frame, first[1] : last[1], first[0] : last[0]]
    (left, top), (right, bottom) = (first - 0.5 - centre) * spacing, (last - 0.5 - centre) * spacing
    axes.imshow(
        part,
        extent=(left, right, bottom, top),
        cmap="gray",
        vmin=0,
        vmax=white,
        aspect="auto",
        interpolation="bilinear",
    )


def draw_outlines(axes: Axes, vessel: PullbackVessel, frame: int, *, dark: bool) -> None:
    """Draw lumen, mouths of side branches and membrane of a frame, in mm about the catheter."""
    if not vessel.outlined[frame]:
        return
    state = vessel.state[frame]
    lumen, wall = (_points(vessel, table, frame) for table in (vessel.lumen_mm, vessel.wall_mm))
    if vessel.eem_mm is not None and vessel.eem_seen is not None and vessel.membraned[frame]:
        eem, seen = _points(vessel, vessel.eem_mm, frame), vessel.eem_seen[frame]
        around = "black" if dark else None
        _stroke(axes, eem, seen, WALL, "-", around=around, width=1.5)
        _stroke(axes, eem, ~seen, WALL, DASHES, around=around, width=1.5)
    # Dark blue on black needs a light edge; the membrane gets a dark one, so that the two differ.
    around, open_ = "white" if dark else None, state == OPEN
    _stroke(axes, wall, open_, PULLBACK, DASHES, around=around)
    _stroke(axes, lumen, open_, LANDMARK, "-", around=around, width=2.0)
    _stroke(axes, lumen, state == SEEN, PULLBACK, "-", around=around)
    _stroke(axes, lumen, ~open_ & (state != SEEN), PULLBACK, DASHES, around=around)


def _points(vessel: PullbackVessel, table: FloatArray, frame: int) -> FloatArray:
    """Outline (A + 1, 2) of one frame, closed."""
    return vessel.outline_mm(np.append(table[frame], table[frame, 0])[None, :-1])[0][
        np.append(np.arange(table.shape[1]), 0)
    ]


def _stroke(
    axes: Axes,
    points: FloatArray,
    where: BoolArray,
    colour: str,
    style: str | tuple[int, tuple[float, float]],
    *,
    around: str | None,
    width: float = 1.8,
) -> None:
    """Draw the pieces of a closed outline between neighbours of which either has a state."""
    if not where.any():
        return
    flags = np.append(where, where[0])
    near = flags | np.append(flags[1:], False)
    # A piece reaches to the next ray, so that pieces of two kinds meet.
    near |= np.append([False], flags[:-1])
    effects = (
        []
        if around is None
        else [patheffects.withStroke(linewidth=width + 1.2, foreground=around, alpha=0.6)]
    )
    axes.plot(
        *np.where(near[:, None], points, np.nan).T,
        color=colour,
        linewidth=width,
        linestyle=style,
        path_effects=effects,
        solid_capstyle="butt",
    )


def _handles(run: SegmentedRun) -> list[Line2D]:
    vessel = run.vessel
    handles = [Line2D([], [], color=PULLBACK, label="lumen")]
    if (vessel.state[vessel.outlined] != SEEN).any():
        handles.append(Line2D([], [], color=PULLBACK, linestyle=DASHES, label="lumen, not seen: bridged"))
    if (vessel.state == OPEN).any():
        handles.append(Line2D([], [], color=LANDMARK, linewidth=2.0, label="opening of a side branch"))
    if vessel.eem_mm is not None:
        handles.append(Line2D([], [], color=WALL, label="membrane (EEM)"))
    if vessel.eem_seen is not None and not vessel.eem_seen[vessel.membraned].all():
        handles.append(Line2D([], [], color=WALL, linestyle=DASHES, label="membrane, not seen"))
    handles.append(
        Line2D(
            [],
            [],
            color="black" if run.images is None else "#b8a800",
            marker="+",
            markeredgewidth=1.5,
            linestyle="",
            label="catheter",
        )
    )
    return handles
