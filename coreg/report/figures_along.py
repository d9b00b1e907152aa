"""Figures whose horizontal axis runs along the vessel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from coreg.report.style import (
    AFTER,
    BAND,
    BEFORE,
    DOUBT,
    LANDMARK,
    PULLBACK,
    WIDTH_IN,
    along_vessel,
    cell_edges,
    frame_ticks,
    spaced,
    spans,
    through_neighbours,
)

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

TYPICAL_SWING_MM, LARGEST_SWING_MM = (0.7, 2.3), 5.5


class Frames(NamedTuple):
    """What all figures along the vessel share: frames (N,) with their positions in mm.

    Axes fit the frames ``in_vessel``: the aorta would make all others flat.
    """

    frame: IntArray
    position_mm: FloatArray
    reliable: BoolArray
    in_vessel: BoolArray


class Profile(NamedTuple):
    """Radius (N, K) in mm by frame and angle, and area (N,) in mm2; NaN where nothing was cut."""

    radius_mm: FloatArray
    area_mm2: FloatArray


class Mark(NamedTuple):
    """A landmark: position along the pullback in mm and angle in degrees, where annotated and where found."""

    id: str
    annotated: tuple[float, float]
    found: tuple[float, float]


class Course(NamedTuple):
    """Place and rotation of the frames (N,), with their standard deviations; NaN where they have none."""

    arc_length_mm: FloatArray
    rotation_deg: FloatArray
    arc_length_sd_mm: FloatArray
    rotation_sd_deg: FloatArray


def shade_doubt(axes: Axes, frames: Frames) -> None:
    """Shade the frames that are not reliable."""
    for start, stop in spans(~frames.reliable, frames.position_mm):
        axes.axvspan(start, stop, color=DOUBT, alpha=0.16, linewidth=0)


def _marks(axes: Axes, marks: Sequence[Mark]) -> None:
    for mark in marks:
        axes.axvline(mark.annotated[0], color=LANDMARK, linewidth=0.9, linestyle=(0, (4, 2)))


def lengthwise(
    frames: Frames, pullback: Profile, before: Profile, after: Profile, marks: Sequence[Mark]
) -> Figure:
    """Draw areas and two lengthwise cuts, rigid on the left and final on the right."""
    figure = Figure(figsize=(WIDTH_IN, 8.4))
    spaced(figure, top=0.85, between=0.25, beside=0.3)
    axes = figure.subplots(3, 2, sharex=True, sharey="row", gridspec_kw={"height_ratios": [1.25, 1, 1]})
    inside = frames.in_vessel
    areas = np.concatenate([pullback.area_mm2[inside], after.area_mm2[inside]])
    top = usual_range(areas, least=(0.0, 1.0), kept=0.98)[1] * 1.35
    quarter = pullback.radius_mm.shape[1] // 4
    reach = usual_range(pullback.radius_mm[inside], least=(0.0, 0.5), kept=0.99)[1] * 1.35
    sides = (("before: rigid placement", BEFORE, before), ("after: non-rigid path", AFTER, after))
    for column, (title, colour, ccta) in enumerate(sides):
        area, *cuts = axes[:, column]
        for each in axes[:, column]:
            shade_doubt(each, frames)
            _marks(each, marks)
        position = frames.position_mm
        through_neighbours(area, position, pullback.area_mm2, color=PULLBACK, label="pullback lumen")
        name = "CCTA lumen in the frame's plane"
        through_neighbours(area, position, ccta.area_mm2, color=colour, label=name)
        area.set(title=title, ylim=(0.0, top))
        area.legend(loc="upper right", ncols=2)
        frame_ticks(area, frames.position_mm, frames.frame)
        for each, first in zip(cuts, (0, quarter), strict=True):
            for profile, shade in ((pullback, PULLBACK), (ccta, colour)):
                through_neighbours(each, position, profile.radius_mm[:, first], color=shade)
                through_neighbours(each, position, -profile.radius_mm[:, first + 2 * quarter], color=shade)
            each.axhline(0.0, color="black", linewidth=0.6)
            each.set_ylim(-reach, reach)
        along_vessel(cuts[-1], frames.position_mm)
    for each, text in zip(
        axes[:, 0], ("area (mm²)", "cut at 0° and 180° (mm)", "cut at 90° and -90° (mm)"), strict=True
    ):
        each.set_ylabel(text)
    return figure


def unrolled_maps(
    frames: Frames, pullback: Profile, before: Profile, after: Profile, marks: Sequence[Mark]
) -> Figure:
    """Draw lumen radius by angle and frame: pullback between the CCTA before and after."""
    figure = Figure(figsize=(WIDTH_IN, 8.6))
    spaced(figure, top=0.85, between=0.42, right=1.1)
    axes = figure.subplots(3, 1, sharex=True, sharey=True)
    count = pullback.radius_mm.shape[1]
    # From -180 to 180 degrees, so that the middle of the map is the image's right-hand side.
    shift = count // 2
    angle_edges = np.linspace(-180.0, 180.0, count + 1) - 180.0 / count
    edges = cell_edges(frames.position_mm)
    finite = pullback.radius_mm[np.isfinite(pullback.radius_mm)]
    low, high = np.percentile(finite, [2.0, 98.0]) if finite.size else (0.0, 1.0)
    panels = (
        ("CCTA before (rigid placement)", before),
        ("pullback", pullback),
        ("CCTA after (non-rigid path)", after),
    )
    for each, (title, profile) in zip(axes, panels, strict=True):
        picture = np.roll(profile.radius_mm, shift, axis=1).T
        mesh = each.pcolormesh(
            edges, angle_edges, picture, cmap="cividis", vmin=low, vmax=high, rasterized=True
        )
        each.set_facecolor("#f0f0f0")
        each.grid(visible=False)
        each.set(title=title, ylabel="angle (degrees)", ylim=(180.0, -180.0), yticks=[-180, -90, 0, 90, 180])
        for mark in marks:
            x, y = mark.annotated if profile is pullback else mark.found
            shape = "o" if profile is pullback else "s"
            if profile is not before and np.isfinite([x, y]).all():
                each.plot(
                    x,
                    y,
                    shape,
                    markersize=11,
                    markerfacecolor="none",
                    markeredgecolor="white",
                    markeredgewidth=3,
                )
                each.plot(
                    x,
                    y,
                    shape,
                    markersize=11,
                    markerfacecolor="none",
                    markeredgecolor="black",
                    markeredgewidth=1.2,
                )
                each.annotate(
                    mark.id,
                    (x, y),
                    (9, 7),
                    textcoords="offset points",
                    fontsize=8,
                    color="white",
                    bbox={"boxstyle": "round,pad=0.15", "facecolor": "black", "alpha": 0.55, "linewidth": 0},
                    annotation_clip=True,
                )
    along_vessel(axes[-1], frames.position_mm)
    frame_ticks(axes[0], frames.position_mm, frames.frame)
    bar = figure.add_axes((1.0 - 0.95 / WIDTH_IN, 0.07, 0.2 / WIDTH_IN, 0.82))
    figure.colorbar(mesh, cax=bar, label="lumen radius about the pullback lumen's centre (mm)")
    return figure


def motion(frames: Frames, course: Course, rigid_course: Course) -> Figure:
    """Draw arc length, its deviation and speed, rotation and twist against what catheters can do."""
    arc_length_mm, rigid_arc_length_mm = course.arc_length_mm, rigid_course.arc_length_mm
    figure = Figure(figsize=(WIDTH_IN, 9.6))
    spaced(figure, top=0.85, between=0.5, beside=0.95)
    axes = figure.subplot_mosaic(
        [["arc", "turn"], ["swing", "turn"], ["speed", "twist"]], sharex=True, height_ratios=[1.2, 1, 1]
    )
    position = frames.position_mm
    for each in axes.values():
        shade_doubt(each, frames)
    axes["arc"].plot(position, rigid_arc_length_mm, color=BEFORE, label="rigid")
    axes["arc"].plot(position, arc_length_mm, color=AFTER, label="final")
    axes["arc"].set(title="Where each frame lies", ylabel="arc length (mm)")
    axes["arc"].legend(loc="lower right")
    swing = arc_length_mm - rigid_arc_length_mm
    swing = swing - np.nanmedian(swing) if np.isfinite(swing).any() else swing
    axes["swing"].axhspan(-LARGEST_SWING_MM / 2, LARGEST_SWING_MM / 2, color=BAND)
    axes["swing"].axhspan(-TYPICAL_SWING_MM[1] / 2, TYPICAL_SWING_MM[1] / 2, color="#cfdcea")
    _spread(axes["swing"], position, swing, course.arc_length_sd_mm)
    axes["swing"].plot(position, swing, color=AFTER)
    ends = np.stack([swing, swing - 2.0 * course.arc_length_sd_mm, swing + 2.0 * course.arc_length_sd_mm])
    least = (-0.55 * LARGEST_SWING_MM, 0.55 * LARGEST_SWING_MM)
    axes["swing"].set_ylim(usual_range(ends[:, frames.in_vessel], least=least, kept=0.99))
    axes["swing"].set(title="Longitudinal motion against the rigid placement", ylabel="deviation (mm)")
    speed = windowed_slope(-position, arc_length_mm, window_mm=1.0)
    axes["speed"].axhspan(0.65, 1.35, color=BAND)
    axes["speed"].axhline(1.0, color=BEFORE, linewidth=0.8)
    axes["speed"].axhline(0.0, color="black", linewidth=0.8)
    axes["speed"].plot(position, speed, color=AFTER)
    axes["speed"].set(title="Vessel per pullback length (1: no strain, below 0: backwards)", ylabel="mm / mm")
    _draw_within(axes["speed"], speed, (-0.5, 2.5), (-3.0, 5.0))
    found, rigid = unwrapped_deg(course.rotation_deg), unwrapped_deg(rigid_course.rotation_deg)
    axes["turn"].plot(position, rigid, color=BEFORE, label="rigid")
    gap = np.nanmedian(found - rigid) if np.isfinite(found - rigid).any() else 0.0
    found = found - 360.0 * np.round(gap / 360.0)
    _spread(axes["turn"], position, found, course.rotation_sd_deg)
    axes["turn"].plot(position, found, color=AFTER, label="final")
    axes["turn"].set(title="Rotation in the vessel's rotation-minimizing frame", ylabel="rotation (degrees)")
    axes["turn"].legend(loc="best")
    twist = windowed_slope(-position, found, window_mm=1.0)
    axes["twist"].axhspan(-10.0, 10.0, color=BAND)
    axes["twist"].axhline(0.0, color="black", linewidth=0.8)
    axes["twist"].plot(position, twist, color=AFTER)
    axes["twist"].set(title="Twist", ylabel="degrees per mm")
    _draw_within(axes["twist"], twist, (-15.0, 15.0), (-60.0, 60.0))
    for name in ("speed", "twist"):
        along_vessel(axes[name], position)
    for name in ("arc", "turn"):
        frame_ticks(axes[name], position, frames.frame)
    return figure


def _spread(axes: Axes, position: FloatArray, values: FloatArray, sd: FloatArray) -> None:
    """Band of two standard deviations about values (N,)."""
    axes.fill_between(position, values - 2.0 * sd, values + 2.0 * sd, color=AFTER, alpha=0.25, linewidth=0.0)


def _draw_within(
    axes: Axes, values: FloatArray, least: tuple[float, float], most: tuple[float, float]
) -> None:
    """Show all values if they fit in ``most``, and never less than ``least``."""
    finite = values[np.isfinite(values)]
    low = min([least[0], *finite]) if finite.size else least[0]
    high = max([least[1], *finite]) if finite.size else least[1]
    axes.set_ylim(max(low, most[0]), min(high, most[1]))


def confidence(frames: Frames, residual_mm: FloatArray, excluded: BoolArray) -> Figure:
    """Draw the distance between the two lumens at each frame and which frames are trusted."""
    figure = Figure(figsize=(WIDTH_IN, 3.4))
    spaced(figure)
    axes = figure.subplots()
    shade_doubt(axes, frames)
    top = 1.25 * usual_range(residual_mm[frames.in_vessel], least=(0.0, 0.25), kept=0.99)[1]
    # Where frames that take part lie apart, a line shows none of them.
    apart = len(residual_mm) < 60 or np.isfinite(residual_mm).mean() < 0.9
    axes.plot(frames.position_mm, residual_mm, color=PULLBACK, marker="." if apart else "")
    if excluded.any():
        where = frames.position_mm[excluded]
        axes.plot(
            where,
            np.full(len(where), 0.97 * top),
            "|",
            color="black",
            markersize=8,
            label="takes no part",
        )
        axes.legend(loc="upper right")
    axes.set(ylabel="distance of the lumens (mm)", ylim=(0.0, top))
    along_vessel(axes, frames.position_mm)
    frame_ticks(axes, frames.position_mm, frames.frame)
    return figure


def true_errors(frames: Frames, error_mm: FloatArray, error_deg: FloatArray) -> Figure:
    """Draw the errors of every frame against the exact truth, signed, found minus true."""
    figure = Figure(figsize=(WIDTH_IN, 5.0))
    spaced(figure, between=0.25)
    axes = figure.subplots(2, 1, sharex=True)
    for each, values, label in zip(
        axes, (error_mm, error_deg), ("along the vessel (mm)", "rotation (degrees)"), strict=True
    ):
        shade_doubt(each, frames)
        each.axhline(0.0, color="black", linewidth=0.8)
        each.plot(frames.position_mm, values, color=AFTER)
        low, high = usual_range(values[frames.in_vessel], least=(-0.1, 0.1), kept=0.99)
        each.set(ylabel=label, ylim=(low - 0.1 * (high - low), high + 0.1 * (high - low)))
    along_vessel(axes[1], frames.position_mm)
    frame_ticks(axes[0], frames.position_mm, frames.frame)
    return figure


def usual_range(values: FloatArray, *, least: tuple[float, float], kept: float) -> tuple[float, float]:
    """Range that holds a share of the finite values, and never less than ``least``.

    Half of the others may lie below, half above.
    """
    finite = values[np.isfinite(values)]
    if not finite.size:
        return least
    low, high = np.quantile(finite, [0.5 - 0.5 * kept, 0.5 + 0.5 * kept])
    return min(least[0], float(low)), max(least[1], float(high))


def windowed_slope(x: FloatArray, y: FloatArray, *, window_mm: float) -> FloatArray:
    """Slope of y over x (N,) by least squares over a window about each point; NaN where it is empty.

    A difference of neighbours would show noise only; frames may lie arbitrarily close.
    """
    good = np.isfinite(x) & np.isfinite(y)
    slope = np.full(len(x), np.nan)
    xs, ys = x[good], y[good]
    for i in np.flatnonzero(good):
        half = 0.5 * window_mm
        near = np.abs(xs - x[i]) <= half + 1e-9
        while near.sum() < 3 and half < 8.0 * window_mm:
            half *= 2.0
            near = np.abs(xs - x[i]) <= half + 1e-9
        u = xs[near] - xs[near].mean()
        if u @ u > 1e-9:
            slope[i] = u @ (ys[near] - ys[near].mean()) / (u @ u)
    return slope


def unwrapped_deg(angle_deg: FloatArray) -> FloatArray:
    """Take the jumps of full turns out of angles (N,), over gaps of NaN too."""
    result = np.array(angle_deg, dtype=np.float64)
    good = np.isfinite(result)
    result[good] = np.unwrap(result[good], period=360.0)
    return result
