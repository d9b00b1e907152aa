"""A segmented pullback along its positions: lengthwise cuts, areas, what is seen by angle, heartbeat."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from coreg.fusion import lengthwise_cut
from coreg.pullback_measures import areas_mm2, measures_of, plaque_burdens
from coreg.pullback_vessel import BEYOND, BLOOD, BRIDGED, OPEN, SEEN, UNDRAWN, PullbackVessel
from coreg.report.figures_along import shade_doubt
from coreg.report.pullback_views import (
    SegmentedRun,
    columns_of,
    named_branches,
    white_level,
    whole_reach_mm,
)
from coreg.report.style import (
    CALCIUM,
    DOUBT,
    LANDMARK,
    PULLBACK,
    TREE_COLOURS,
    WALL,
    WIDTH_IN,
    along_vessel,
    frame_ticks,
    spans,
    through_neighbours,
)
from coreg.rounding import rounded_text

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

STATES = {
    SEEN: ("#e3ebf3", "wall seen"),
    BRIDGED: ("#8b95a3", "bridged: wire, shadow"),
    OPEN: (LANDMARK, "opening of a side branch"),
    BLOOD: ("#a3260b", "behind blood"),
    BEYOND: ("#1d2433", "not within the field of view"),
    UNDRAWN: ("#ffffff", "no contour"),
}
LEFT_IN, RIGHT_IN, TOP_IN, BOTTOM_IN = 0.75, 0.15, 0.5, 0.95
GAP_IN, BETWEEN_IN, LINE_IN, LEGEND_LINE_IN = 0.12, 0.2, 0.25, 0.2
PANEL_IN = WIDTH_IN - LEFT_IN - RIGHT_IN
CUT_IN, MAP_IN, BEATS_IN = 2.2, 3.1, 1.2
MOST_BEAT_ROWS, FRAMES_PER_ROW = 4, 450
MOST_REASONS, REASON_CHARACTERS, NAME_HEIGHTS = 6, 52, 3
QUALITY_COLUMNS, OTHER = 3, "#8b95a3"


def cuts(run: SegmentedRun) -> Figure:
    """Draw lengthwise cuts through the catheter at 0 and 90 degrees, first one without outlines."""
    views = [(0, True), (90, True)]
    if run.images is not None:
        views = [(0, False), *views]
    height = TOP_IN + len(views) * CUT_IN + (len(views) - 1) * GAP_IN + BOTTOM_IN
    figure = Figure(figsize=(WIDTH_IN, height))
    reach, frames, columns = whole_reach_mm(run), run.frames, columns_of(run)
    white = 255.0 if run.images is None else white_level(run.images)
    for i, (angle, outlined) in enumerate(views):
        bottom = height - TOP_IN - (i + 1) * CUT_IN - i * GAP_IN
        axes = figure.add_axes(_place(bottom, CUT_IN, height))
        if run.images is not None:
            picture = lengthwise_cut(run.images, columns.frame, np.deg2rad(angle), reach_mm=reach)
            axes.set_facecolor("#30343c")
            extent = (columns.first_mm, columns.last_mm, -reach, reach)
            axes.imshow(
                picture, extent=extent, origin="lower", cmap="gray", vmin=0, vmax=white, aspect="auto"
            )
        if outlined:
            _cut_outlines(axes, run, angle, reach)
        along_vessel(axes, frames.position_mm, label=i == len(views) - 1)
        ticks = np.arange(-np.floor(reach), reach + 0.1, max(1.0, np.floor(reach / 2.0)))
        axes.set(ylim=(-reach, reach), ylabel=f"{angle}° up (mm)", yticks=ticks)
        axes.grid(visible=False)
        axes.tick_params(labelbottom=i == len(views) - 1)
    frame_ticks(figure.axes[0], frames.position_mm, frames.frame)
    figure.legend(handles=_handles(run), loc="lower center", ncols=6)
    return figure


def _cut_outlines(axes: Axes, run: SegmentedRun, angle_deg: int, reach: float) -> None:
    vessel, frames = run.vessel, run.frames
    shade_doubt(axes, frames)
    for start, stop in spans(~frames.reliable, frames.position_mm):
        axes.plot([start, stop], [0.97 * reach] * 2, color=DOUBT, linewidth=4, solid_capstyle="butt")
    edge = "white" if run.images is not None else None
    for sign, turn in ((1.0, 0), (-1.0, 180)):
        if vessel.eem_mm is not None:
            membrane = sign * _at_angle(vessel.eem_mm, angle_deg + turn)
            _along(axes, run, membrane, vessel.membraned, color=WALL, linewidth=1.1)
        lumen = sign * _at_angle(vessel.wall_mm, angle_deg + turn)
        effects = [] if edge is None else [patheffects.withStroke(linewidth=2.4, foreground=edge, alpha=0.7)]
        _along(axes, run, lumen, vessel.outlined, color=PULLBACK, linewidth=1.2, path_effects=effects)
    axes.axhline(0.0, color="#F0E442" if edge else "black", linewidth=0.6, linestyle=(0, (2, 4)))
    _branch_lines(axes, run)


def _along(axes: Axes, run: SegmentedRun, values: FloatArray, known: BoolArray, **style: Any) -> None:
    """Draw values (N,) by frame where they are known."""
    shown = np.where(known, values, np.nan)[run.frames.frame]
    through_neighbours(axes, run.frames.position_mm, shown, **style)


def _at_angle(table: FloatArray, angle_deg: float) -> FloatArray:
    """Values (N,) of a table (N, A) at one angle, interpolated between its columns."""
    count = table.shape[1]
    column = (angle_deg / 360.0 * count) % count
    low, share = int(column), column - int(column)
    values: FloatArray = (1.0 - share) * table[:, low] + share * table[:, (low + 1) % count]
    return values


def _branch_lines(axes: Axes, run: SegmentedRun) -> None:
    for _, frame, _ in named_branches(run.vessel):
        axes.axvline(run.position_at(frame), color=LANDMARK, linewidth=1.0, linestyle=(0, (4, 2)))


def _name_branches(axes: Axes, run: SegmentedRun) -> None:
    """Write ids inside the upper border, at several heights where they would touch."""
    last, height = np.inf, 0
    right = min(axes.get_xlim())
    low, top = axes.get_ylim()
    apart = 0.025 * abs(float(np.ptp(axes.get_xlim())))
    for branch, frame, _ in sorted(named_branches(run.vessel), key=lambda each: -run.position_at(each[1])):
        at = run.position_at(frame)
        height = (height + 1) % NAME_HEIGHTS if last - at < apart else 0
        last = at
        inwards = at - right < apart
        axes.annotate(
            branch.id,
            (at, top - (0.01 + 0.055 * height) * (top - low)),
            (-3 if inwards else 3, 0),
            textcoords="offset points",
            ha="right" if inwards else "left",
            va="top",
            fontsize=8,
            color=LANDMARK,
            fontweight="bold",
        )


def _handles(run: SegmentedRun) -> list[Line2D | Patch]:
    handles: list[Line2D | Patch] = [Line2D([], [], color=PULLBACK, label=_lumen_name(run.vessel))]
    if run.vessel.eem_mm is not None:
        handles.append(Line2D([], [], color=WALL, label="membrane (EEM)"))
    if run.vessel.marked.any():
        handles.append(Patch(color=DOUBT, alpha=0.5, label="lumen not to be trusted"))
    if run.vessel.side_branches:
        handles.append(
            Line2D([], [], color=LANDMARK, linestyle=(0, (4, 2)), label="side branch of the pullback")
        )
    return handles


def _lumen_name(vessel: PullbackVessel) -> str:
    return "lumen, as drawn" if vessel.from_contours else "lumen, mouths closed"


def profiles(run: SegmentedRun) -> Figure:
    """Draw areas, plaque burden where a membrane is known, and the quality with its reasons."""
    vessel, frames = run.vessel, run.frames
    panels_in = [2.9, 1.6, 1.6] if vessel.eem_mm is not None else [2.9, 1.6]
    doubts = _doubts(run)
    lines = _legend_lines([each.name for each in doubts])
    height = TOP_IN + sum(panels_in) + BETWEEN_IN * (len(panels_in) - 1) + BOTTOM_IN + lines * LEGEND_LINE_IN
    figure = Figure(figsize=(WIDTH_IN, height))
    panels, top = [], height - TOP_IN
    for panel_in in panels_in:
        panels.append(figure.add_axes(_place(top - panel_in, panel_in, height)))
        top -= panel_in + BETWEEN_IN
    area, *burden, quality = panels
    for each in (area, *burden):
        shade_doubt(each, frames)
        along_vessel(each, frames.position_mm, label=False)
        each.tick_params(labelbottom=False)
    _areas(area, run)
    for each in burden:
        _burden(each, run)
    figure.legend(handles=_quality(quality, run, doubts), loc="lower center", ncols=QUALITY_COLUMNS)
    frame_ticks(area, frames.position_mm, frames.frame)
    along_vessel(quality, frames.position_mm)
    return figure


def _place(bottom_in: float, panel_in: float, height_in: float) -> tuple[float, float, float, float]:
    """Where a panel of the full width lies, as shares of a figure."""
    return LEFT_IN / WIDTH_IN, bottom_in / height_in, PANEL_IN / WIDTH_IN, panel_in / height_in


def _areas(axes: Axes, run: SegmentedRun) -> None:
    vessel, frames = run.vessel, run.frames
    lumen = areas_mm2(vessel.wall_mm)
    outer = lumen if vessel.eem_mm is None else areas_mm2(vessel.eem_mm)
    if vessel.eem_mm is not None:
        _line(axes, run, outer, vessel.membraned, WALL, "inside the membrane (EEM)")
    _line(axes, run, lumen, vessel.outlined, PULLBACK, _lumen_name(vessel))
    smallest = measures_of(vessel).smallest_frame
    if smallest is not None:
        at = run.position_at(smallest)
        name = f"smallest: {rounded_text(lumen[smallest])} mm², frame {smallest}"
        axes.plot(at, lumen[smallest], "v", color="black", markersize=7, linestyle="", label=name)
    axes.set(ylabel="area (mm²)", ylim=(0.0, 1.5 * float(np.percentile(outer[frames.frame], 99.5))))
    _branch_lines(axes, run)
    _name_branches(axes, run)
    # Below the names of the side branches.
    axes.legend(
        loc="upper right",
        bbox_to_anchor=(1.0, 0.85),
        ncols=4,
        frameon=True,
        edgecolor="none",
        framealpha=0.85,
    )


def _line(
    axes: Axes, run: SegmentedRun, values: FloatArray, known: BoolArray, colour: str, name: str
) -> None:
    """Draw a value (N,) per frame that is known; of a gated pullback in bold what its phase shows."""
    if run.vessel.gating is None:
        _along(axes, run, values, known, color=colour, label=name)
        return
    _along(axes, run, values, known, color=colour, linewidth=0.6, alpha=0.45)
    position, shown = run.frames.position_mm, np.where(known, values, np.nan)[run.frames.frame]
    gated = np.isin(run.frames.frame, run.vessel.gating.frame)
    axes.plot(
        position[gated], shown[gated], color=colour, marker=".", markersize=4, label=f"{name}, gated frames"
    )


def _burden(axes: Axes, run: SegmentedRun) -> None:
    _line(axes, run, 100.0 * plaque_burdens(run.vessel), run.vessel.outlined, CALCIUM, "plaque burden")
    axes.set(ylabel="plaque burden (%)", ylim=(0.0, 100.0))
    _branch_lines(axes, run)


class Doubted(NamedTuple):
    """Frames (N,) that are marked for one reason, with its colour and its name in the legend."""

    flags: BoolArray
    colour: str
    name: str


def _doubts(run: SegmentedRun) -> list[Doubted]:
    """Group marked frames by reason, the most frequent first; rare ones share a group."""
    reason = np.array([run.vessel.reason[each] for each in run.frames.frame.tolist()])
    reasons, counts = np.unique(reason[reason != ""], return_counts=True)
    ranked = reasons[np.argsort(-counts, kind="stable")].tolist()
    # One more has a colour of its own still, rather than a group.
    most = MOST_REASONS if len(ranked) <= MOST_REASONS else MOST_REASONS - 1
    groups = [([each], colour, each) for each, colour in zip(ranked[:most], TREE_COLOURS, strict=False)]
    if ranked[most:]:
        groups.append((ranked[most:], OTHER, f"{len(ranked) - most} other reasons, see the table above"))
    found = []
    for members, colour, name in groups:
        flags = np.isin(reason, members)
        text = textwrap.fill(f"{name} ({flags.sum()})", REASON_CHARACTERS)
        found.append(Doubted(flags, colour, text))
    return found


def _legend_lines(names: Sequence[str]) -> int:
    """Lines of the quality's legend, whose columns are filled from above."""
    lines = [1, *(name.count("\n") + 1 for name in names)]
    rows = -(-len(lines) // QUALITY_COLUMNS)
    return max(sum(lines[first : first + rows]) for first in range(0, len(lines), rows))


def _quality(axes: Axes, run: SegmentedRun, doubts: Sequence[Doubted]) -> list[Line2D | Patch]:
    """Draw the quality with a strip of reasons below; return entries of a legend."""
    frames = run.frames
    handles: list[Line2D | Patch] = [Line2D([], [], color=PULLBACK, label="quality of the lumen")]
    for flags, colour, name in doubts:
        for start, stop in spans(flags, frames.position_mm):
            axes.axvspan(start, stop, ymin=0.0, ymax=0.12, color=colour, linewidth=0)
            axes.axvspan(start, stop, ymin=0.12, color=colour, alpha=0.16, linewidth=0)
        handles.append(Patch(color=colour, label=name))
    _along(axes, run, run.vessel.quality, run.vessel.outlined, color=PULLBACK, linewidth=1.2)
    axes.set(ylabel="quality (0 to 1)", ylim=(0.0, 1.05))
    return handles


def unrolled(run: SegmentedRun) -> Figure:
    """Draw by angle and place how the lumen is known, with side branches and calcium."""
    vessel, frames, columns = run.vessel, run.frames, columns_of(run)
    height = TOP_IN + MAP_IN + BOTTOM_IN
    figure = Figure(figsize=(WIDTH_IN, height))
    axes = figure.add_axes(_place(BOTTOM_IN, MAP_IN, height))
    count = vessel.state.shape[1]
    # From -180 to 180 degrees, so that the middle of the map is the image's right-hand side.
    picture = np.roll(vessel.state, count // 2, axis=1)[columns.frame].T
    half = 180.0 / count
    axes.imshow(
        picture,
        extent=(columns.first_mm, columns.last_mm, 180.0 - half, -180.0 - half),
        cmap=ListedColormap([STATES[each][0] for each in sorted(STATES)]),
        vmin=-0.5,
        vmax=len(STATES) - 0.5,
        aspect="auto",
        interpolation="nearest",
    )
    axes.grid(visible=False)
    along_vessel(axes, frames.position_mm)
    for arc in vessel.calcium:
        _calcium_box(axes, run, arc.first_frame, arc.last_frame, arc.angle_rad, arc.extent_rad)
    for branch, frame, angle in named_branches(vessel):
        _circle(axes, run.position_at(frame), float(np.degrees(angle)), branch.id)
    axes.set(ylabel="angle (degrees)", ylim=(180.0, -180.0), yticks=[-180, -90, 0, 90, 180])
    frame_ticks(axes, frames.position_mm, frames.frame)
    figure.legend(handles=_map_handles(vessel), loc="lower center", ncols=7)
    return figure


def _calcium_box(
    axes: Axes, run: SegmentedRun, first: int, last: int, angle_rad: float, extent_rad: float
) -> None:
    """Frame a sector, in two parts where it crosses the border of the map."""
    left, right = run.position_at(first - 0.5), run.position_at(last + 0.5)
    if left == right:
        right = left + 0.5 * run.pullback.frame_spacing_mm
    middle, half = float(np.degrees(angle_rad)), 0.5 * min(360.0, float(np.degrees(extent_rad)))
    for turn in (-360.0, 0.0, 360.0):
        low, high = max(-180.0, middle - half + turn), min(180.0, middle + half + turn)
        if low < high:
            box = Rectangle(
                (left, low), right - left, high - low, fill=False, edgecolor=CALCIUM, linewidth=2.2
            )
            box.set_hatch("///")
            axes.add_patch(box)


def _circle(axes: Axes, x: float, y: float, name: str) -> None:
    y = (y + 180.0) % 360.0 - 180.0
    for colour, width in (("white", 3.0), ("black", 1.2)):
        axes.plot(
            x, y, "o", markersize=11, markerfacecolor="none", markeredgecolor=colour, markeredgewidth=width
        )
    shade = {"boxstyle": "round,pad=0.15", "facecolor": "black", "alpha": 0.55, "linewidth": 0}
    below, inwards = y < -150.0, x - min(axes.get_xlim()) < 0.03 * abs(float(np.ptp(axes.get_xlim())))
    axes.annotate(
        name,
        (x, y),
        (-9 if inwards else 9, -15 if below else 7),
        textcoords="offset points",
        ha="right" if inwards else "left",
        fontsize=8,
        color="white",
        bbox=shade,
        annotation_clip=True,
    )


def _map_handles(vessel: PullbackVessel) -> list[Line2D | Patch]:
    handles: list[Line2D | Patch] = [
        Patch(facecolor=colour, edgecolor="#999999", linewidth=0.5, label=name)
        for state, (colour, name) in STATES.items()
        if (vessel.state[vessel.frame] == state).any()
    ]
    if vessel.calcium:
        handles.append(
            Patch(facecolor="none", edgecolor=CALCIUM, linewidth=2.0, hatch="///", label="calcium")
        )
    if named_branches(vessel):
        handles.append(
            Line2D(
                [],
                [],
                marker="o",
                markerfacecolor="none",
                color="black",
                linestyle="",
                label="side branch of the pullback",
            )
        )
    return handles


def heartbeat(run: SegmentedRun) -> Figure:
    """Draw the course of the heartbeat over the frames, in rows, with the frame taken from each beat."""
    gating = run.vessel.gating
    if gating is None:
        msg = "a pullback without gating has no heartbeat to draw"
        raise ValueError(msg)
    count = len(gating.signal)
    rows = int(np.clip(-(-count // FRAMES_PER_ROW), 1, MOST_BEAT_ROWS))
    height = GAP_IN + rows * (BEATS_IN + LINE_IN) + BOTTOM_IN - LINE_IN
    figure = Figure(figsize=(WIDTH_IN, height))
    low, high = float(gating.signal.min()), float(gating.signal.max())
    margin = 0.08 * (high - low) or 1.0
    borders = np.linspace(-0.5, count - 0.5, rows + 1)
    for i in range(rows):
        bottom = height - GAP_IN - BEATS_IN - i * (BEATS_IN + LINE_IN)
        axes = figure.add_axes(_place(bottom, BEATS_IN, height))
        axes.plot(np.arange(count), gating.signal, color="#444444", linewidth=0.9)
        axes.plot(gating.frame, gating.signal[gating.frame], "o", color=PULLBACK, markersize=4.5)
        axes.set(xlim=(borders[i], borders[i + 1]), ylim=(low - margin, high + margin), yticks=[])
    figure.axes[-1].set_xlabel("frame (acquisition order)")
    handles = [
        Line2D([], [], color="#444444", label="heartbeat as found in images and areas"),
        Line2D([], [], color=PULLBACK, marker="o", linestyle="", label=f"frame of a beat: {gating.phase}"),
    ]
    figure.legend(handles=handles, loc="lower center", ncols=2)
    return figure
