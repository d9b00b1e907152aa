"""A segmented vessel along its length: straightened views, profiles, and cross-sections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from coreg.ccta_vessel import CctaVessel
from coreg.report.style import CALCIUM, DOUBT, LANDMARK, LUMEN, WALL, WIDTH_IN, WINDOW_HU, spaced
from coreg.report.vessel_views import STEP_MM, blood_hu, cross_section, straightened
from coreg.rounding import rounded_text
from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]

ANGLES_DEG = (0, 45, 90, 135)
REACH_MM = 5.0
LEFT_IN, RIGHT_IN, TOP_IN, BOTTOM_IN, GAP_IN = 0.75, 0.15, 0.45, 0.95, 0.1
COLUMNS, MOST_REGULAR, MOST_WORST, CLOSEST_MM = 8, 31, 8, 2.0


class Pick(NamedTuple):
    """A section to show: its row in the vessel's tables, and whether for its low quality."""

    row: int
    worst: bool


def straightened_views(vessel: CctaVessel, image: Volume | None) -> Figure:
    """Draw lengthwise cuts at four angles with outlines, below one without them."""
    arc = vessel.centerline.arc_length_mm
    length = float(arc[-1] - arc[0])
    reach = max(REACH_MM, 1.15 * float(np.percentile(vessel.wall_radius_mm, 99.0)))
    scale = (WIDTH_IN - LEFT_IN - RIGHT_IN) / length
    row_in = float(np.clip(2.0 * reach * scale, 1.1, 1.7))
    views: list[tuple[int, bool]] = [(each, True) for each in ANGLES_DEG]
    if image is not None:
        views = [(ANGLES_DEG[0], False), *views]
    height = TOP_IN + len(views) * (row_in + GAP_IN) + BOTTOM_IN
    figure = Figure(figsize=(WIDTH_IN, height))
    for i, (angle, outlined) in enumerate(views):
        bottom = height - TOP_IN - (i + 1) * row_in - i * GAP_IN
        width = WIDTH_IN - LEFT_IN - RIGHT_IN
        axes = figure.add_axes((LEFT_IN / WIDTH_IN, bottom / height, width / WIDTH_IN, row_in / height))
        if image is not None:
            picture, extent = straightened(image, vessel.centerline, np.deg2rad(angle), reach_mm=reach)
            _show(axes, picture, extent)
        if outlined:
            _lengthwise_outlines(axes, vessel, np.deg2rad(angle), reach)
        axes.set(xlim=(arc[0], arc[-1]), ylim=(-reach, reach), ylabel=f"{angle}° (mm)", yticks=[-3, 0, 3])
        axes.grid(visible=False)
        axes.tick_params(labelbottom=i == len(views) - 1)
    figure.axes[-1].set_xlabel("arc length (mm); ostium on the left")
    _name_branches(figure.axes[0], vessel)
    stretch = row_in / (2.0 * reach * scale)
    if not 0.97 < stretch < 1.03:
        text = f"drawn {rounded_text(stretch, 1)} times as high as long"
        figure.text(1.0 - RIGHT_IN / WIDTH_IN, 0.1 / height, text, ha="right", fontsize=8, color="#555555")
    figure.legend(handles=_vessel_handles(vessel), loc="lower center", ncols=6)
    return figure


def _show(axes: Axes, picture: npt.NDArray[np.float32], extent: tuple[float, float, float, float]) -> None:
    axes.set_facecolor("#30343c")
    low, high = WINDOW_HU
    axes.imshow(
        picture,
        extent=extent,
        origin="lower",
        cmap="gray",
        vmin=low,
        vmax=high,
        aspect="auto",
        interpolation="bilinear",
    )


def _lengthwise_outlines(axes: Axes, vessel: CctaVessel, angle_rad: float, reach: float) -> None:
    arc = vessel.centerline.arc_length_mm
    for start, end, _ in vessel.marked_stretches:
        half = 0.5 * float(np.median(np.diff(arc)))
        axes.axvspan(start - half, end + half, color=DOUBT, alpha=0.18, linewidth=0)
        axes.plot([start - half, end + half], [0.97 * reach] * 2, color=DOUBT, linewidth=4)
    for sign, turn in ((1.0, 0.0), (-1.0, np.pi)):
        lumen, wall, calcium = (
            sign * _at_angle(vessel, table, angle_rad + turn)
            for table in (vessel.lumen_radius_mm, vessel.wall_radius_mm, vessel.calcium_mm)
        )
        where = sign * calcium > 0.0
        if not vessel.only_lumen:
            axes.plot(arc, wall, color=WALL, linewidth=0.9)
        axes.plot(arc, lumen, color=LUMEN, linewidth=1.1)
        outside = np.where(where, wall + sign * 0.25, np.nan)
        axes.plot(arc, outside, color=CALCIUM, linewidth=3.0, solid_capstyle="butt")
    axes.axhline(0.0, color="white", linewidth=0.5, linestyle=(0, (2, 4)))
    for branch in vessel.side_branches:
        if branch.arc_length_mm is not None:
            axes.axvline(branch.arc_length_mm, color=LANDMARK, linewidth=1.0, linestyle=(0, (4, 2)))


def _at_angle(vessel: CctaVessel, table: FloatArray, angle_rad: float) -> FloatArray:
    """Values (N,) of a table (N, A) at one angle, interpolated between its columns."""
    count = table.shape[1]
    column = (angle_rad / (2.0 * np.pi) * count) % count
    low = int(column) % count
    share = column - int(column)
    return (1.0 - share) * table[:, low] + share * table[:, (low + 1) % count]


def _name_branches(axes: Axes, vessel: CctaVessel) -> None:
    top = axes.get_ylim()[1]
    for branch in vessel.side_branches:
        if branch.arc_length_mm is not None:
            axes.annotate(
                branch.id,
                (branch.arc_length_mm, top),
                (0, 3),
                textcoords="offset points",
                ha="center",
                fontsize=8,
                color=LANDMARK,
                fontweight="bold",
                annotation_clip=False,
            )


def _vessel_handles(vessel: CctaVessel) -> list[Line2D | Patch]:
    handles: list[Line2D | Patch] = [*_outline_handles(vessel)]
    if vessel.marked.any():
        handles.append(Patch(color=DOUBT, alpha=0.5, label="lumen not to be trusted"))
    if vessel.side_branches:
        handles.append(Line2D([], [], color=LANDMARK, linestyle=(0, (4, 2)), label="side branch of the CCTA"))
    return handles


def _outlines(vessel: CctaVessel) -> list[tuple[FloatArray, str, str]]:
    """Tables of radii to draw, with colour and name of their area; the lumen last, on top."""
    lumen = (vessel.lumen_radius_mm, LUMEN, "lumen")
    return [lumen] if vessel.only_lumen else [(vessel.wall_radius_mm, WALL, "inside the outer wall"), lumen]


def _outline_handles(vessel: CctaVessel) -> list[Line2D]:
    handles = [Line2D([], [], color=LUMEN, label="lumen")]
    if not vessel.only_lumen:
        handles.append(Line2D([], [], color=WALL, label="outer wall"))
    if (vessel.calcium_mm > 0.0).any():
        handles.append(Line2D([], [], color=CALCIUM, linewidth=3.0, label="calcium"))
    return handles


def vessel_profiles(vessel: CctaVessel, image: Volume | None) -> Figure:
    """Draw areas, calcium by angle, and quality with the brightness of the blood, along the vessel.

    Of a vessel of which only the lumen is known there is no calcium to draw.
    """
    arc = vessel.centerline.arc_length_mm
    heights = [1.5, 1.0] if vessel.only_lumen else [1.5, 1.0, 1.0]
    figure = Figure(figsize=(WIDTH_IN, 0.9 + 1.9 * sum(heights)))
    spaced(figure, top=0.45, between=0.35, right=0.95)
    area, *calcium, quality = figure.subplots(
        len(heights), 1, sharex=True, gridspec_kw={"height_ratios": heights}
    )
    for start, end, _ in vessel.marked_stretches:
        half = 0.5 * float(np.median(np.diff(arc)))
        for each in (area, quality):
            each.axvspan(start - half, end + half, color=DOUBT, alpha=0.18, linewidth=0)
    step = 2.0 * np.pi / vessel.lumen_radius_mm.shape[1]
    for table, colour, name in _outlines(vessel):
        area.plot(arc, 0.5 * step * (table**2).sum(axis=1), color=colour, label=name)
    area.set(ylabel="area (mm²)", ylim=(0.0, None), xlim=(arc[0], arc[-1]))
    for branch in vessel.side_branches:
        if branch.arc_length_mm is not None:
            area.axvline(branch.arc_length_mm, color=LANDMARK, linewidth=1.0, linestyle=(0, (4, 2)))
    _name_branches(area, vessel)
    area.legend(loc="upper right", ncols=2, frameon=True, edgecolor="none")
    for axes in calcium:
        _calcium_map(figure, axes, vessel)
    quality.plot(arc, vessel.quality, color=LUMEN, label="quality of the lumen")
    if not vessel.only_lumen:
        quality.plot(arc, vessel.wall_quality, color=WALL, label="of the outer wall")
    quality.set(ylabel="quality (0 to 1)", ylim=(0.0, 1.05), xlabel="arc length (mm); ostium on the left")
    handles = quality.get_lines()
    if image is not None and vessel.centerline.radius_mm is not None:
        beside = quality.twinx()
        hu = blood_hu(image, vessel.centerline, vessel.centerline.radius_mm)
        handles += beside.plot(arc, hu, color="#444444", linewidth=1.0, label="middle of the lumen (HU)")
        beside.set_ylabel("HU")
        beside.grid(visible=False)
        beside.spines["right"].set_visible(True)
    quality.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.0, 0.97), ncols=3)
    return figure


def _calcium_map(figure: Figure, axes: Axes, vessel: CctaVessel) -> None:
    arc, count = vessel.centerline.arc_length_mm, vessel.calcium_mm.shape[1]
    # From -180 to 180 degrees, as everywhere on the page.
    picture = np.roll(vessel.calcium_mm, count // 2, axis=1).T
    edges = np.linspace(-180.0, 180.0, count + 1) - 180.0 / count
    middle = 0.5 * (arc[1:] + arc[:-1])
    along = np.concatenate([[arc[0]], middle, [arc[-1]]])
    mesh = axes.pcolormesh(
        along, edges, picture, cmap="RdPu", vmin=0.0, vmax=max(1.0, picture.max()), rasterized=True
    )
    axes.grid(visible=False)
    axes.set(ylabel="angle (degrees)", ylim=(180.0, -180.0), yticks=[-180, -90, 0, 90, 180])
    place = axes.get_position()
    bar = figure.add_axes((place.x1 + 0.01, place.y0, 0.01, place.height))
    figure.colorbar(mesh, cax=bar, label="calcium (mm)")


def picked_sections(vessel: CctaVessel) -> list[Pick]:
    """Choose sections every few mm, and between them those of the lowest quality."""
    arc = vessel.centerline.arc_length_mm
    length = float(arc[-1] - arc[0])
    step = max(CLOSEST_MM, length / MOST_REGULAR)
    wanted = np.arange(arc[0], arc[-1] + 0.5 * step, step)
    picks = {int(np.argmin(np.abs(arc - each))): False for each in wanted}
    worst: list[int] = []
    for row in np.argsort(vessel.quality, kind="stable").tolist():
        if len(worst) == MOST_WORST or not (vessel.marked[row] or vessel.quality[row] < 0.5):
            break
        if all(abs(arc[row] - arc[other]) >= 0.5 * CLOSEST_MM for other in worst):
            worst.append(row)
    picks |= dict.fromkeys(worst, True)
    return [Pick(row, picks[row]) for row in sorted(picks)]


def section_gallery(vessel: CctaVessel, image: Volume | None, picks: Sequence[Pick]) -> Figure:
    """Draw cross-sections seen looking distally, with outlines, place and quality."""
    rows = max(1, -(-len(picks) // COLUMNS))
    title, gap, legend = 0.26, 0.08, 0.4
    side = WIDTH_IN / COLUMNS - gap
    height = rows * (side + title + gap) + legend
    figure = Figure(figsize=(WIDTH_IN, height))
    shown = [pick.row for pick in picks]
    reach = float(np.clip(1.2 * np.max(vessel.wall_radius_mm[shown], initial=0.0), 3.0, 7.0))
    for i, pick in enumerate(picks):
        row, column = divmod(i, COLUMNS)
        left, top = gap / 2 + column * (side + gap), height - row * (side + title + gap) - title
        place = (left / WIDTH_IN, (top - side) / height, side / WIDTH_IN, side / height)
        _section(figure.add_axes(place), vessel, image, pick, reach)
    figure.legend(handles=_outline_handles(vessel), loc="lower center", ncols=6)
    return figure


def _section(axes: Axes, vessel: CctaVessel, image: Volume | None, pick: Pick, reach: float) -> None:
    line, row = vessel.centerline, pick.row
    place = float(line.arc_length_mm[row])
    if image is not None:
        half = 0.5 * STEP_MM
        extent = (-reach - half, reach + half, -reach - half, reach + half)
        _show(axes, cross_section(image, line, place, reach_mm=reach), extent)
    angles = np.append(vessel.angles_rad, 0.0)
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    for table, colour, _ in _outlines(vessel):
        axes.plot(*(np.append(table[row], table[row, 0])[:, None] * circle).T, color=colour, linewidth=1.0)
    calcium = np.append(vessel.calcium_mm[row], vessel.calcium_mm[row, 0]) > 0.0
    outside = np.append(vessel.wall_radius_mm[row], vessel.wall_radius_mm[row, 0]) + 0.2
    axes.plot(*np.where(calcium[:, None], outside[:, None] * circle, np.nan).T, color=CALCIUM, linewidth=2.5)
    # The binormal points downwards, so that the view is that of looking distally.
    axes.set(xlim=(-reach, reach), ylim=(reach, -reach), xticks=[], yticks=[])
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set(visible=True, color=DOUBT if vessel.marked[row] else "#bbbbbb", linewidth=2.5)
    axes.set_title(
        f"{rounded_text(place, 1)} mm, quality {rounded_text(vessel.quality[row])}",
        fontsize=8.5,
        fontweight="bold" if pick.worst else "normal",
        loc="center",
        pad=3,
    )
