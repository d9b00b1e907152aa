"""The picture along the vessel: four axes that share one horizontal axis, drawn in three layers.

The empty axes change with the window only, the content with the path or the cut, the cursor with every
frame; each layer is kept as pixels, so that a step of the cursor draws one line.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import FillBetweenPolyCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation, blended_transform_factory

from coreg.report.figures_along import usual_range
from coreg.report.style import along_vessel, spans
from coreg_napari.along_data import Columns, Marks, Shown
from coreg_napari.colours import CCTA_LUMEN, DOUBTFUL, FAINT, PULLBACK_LUMEN, STATE_COLOURS

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

BACKGROUND, PANEL, CONTROL, TEXT, NOTE = "#262930", "#1b1d22", "#414851", "#f0f1f2", "#9aa0aa"
SIZE = 8.0
# Inches at 100 dots each: margins, gaps, and how the rest is shared between cut, cut, areas and spread.
LEFT_IN, RIGHT_IN, TOP_IN, BOTTOM_IN, GAP_IN = 1.02, 0.12, 0.07, 0.4, 0.07
SHARES = (3.0, 3.0, 2.4, 1.2)
ROOM_ABOVE = 1.5
# How far from the right border each key ends.
KEYS_IN = (0.04, 0.46, 0.98, 1.86)
WORDS: dict[str, Any] = {"color": TEXT, "fontsize": SIZE, "parse_math": False}


class Edge(NamedTuple):
    """Both sides of one lumen in one cut."""

    low: Line2D
    high: Line2D


class MarkSet(NamedTuple):
    """Landmarks that look alike in one cut: a line through the cut each, and a diamond on it."""

    stem: Line2D
    head: Line2D


class Lower(NamedTuple):
    """What is drawn with the empty axes: notes, which keys are seen, and how far the spread's axis goes."""

    notes: tuple[str, str, str, str]
    keys: tuple[bool, bool, bool, bool]
    spread_mm: float


class AlongPicture:
    """Draws what is shown along a pullback.

    Parameters
    ----------
    position_mm : (N,) array
        Withdrawal at each row; falls along the array.
    columns : Columns
        Where the columns of cuts lie.
    reach_mm : float
        How far from the catheter the cuts go.
    pullback_area_mm2 : (N,) array
        Sets how far the axis of areas goes, which then stays.
    modality : str
        Of the pullback, in words.
    """

    def __init__(
        self,
        position_mm: FloatArray,
        columns: Columns,
        reach_mm: float,
        pullback_area_mm2: FloatArray,
        modality: str,
    ) -> None:
        self._position_mm, self._modality = position_mm, modality
        self.figure = Figure(dpi=100, facecolor=BACKGROUND)
        self.axes: list[Axes] = [self.figure.add_axes((0.1, 0.1, 0.8, 0.2), label=str(i)) for i in range(4)]
        self.pullback_axes, self.ccta_axes, self.area_axes, self.spread_axes = self.axes
        names = (f"{modality} cut\n(mm)", "CCTA cut\n(mm)", "lumen area\n(mm²)", "±1, ±2 SD\n(mm)")
        for axes, name in zip(self.axes, names, strict=True):
            self._dress(axes, name)
        self._limit(reach_mm, pullback_area_mm2)
        extent = (columns.first_mm, columns.last_mm, -reach_mm, reach_mm)
        self.pullback_image = self._image(self.pullback_axes, extent)
        self.ccta_image = self._image(self.ccta_axes, extent)
        self._shade = [self._bars(axes, facecolor=DOUBTFUL, alpha=0.2) for axes in self.axes[2:]]
        self._hatch = [
            self._bars(axes, facecolor="none", edgecolor="#5c626d", hatch="////") for axes in self.axes[1:]
        ]
        self._add_edges()
        self._add_profiles()
        self._add_marks()
        self._add_words()
        self._lower: Lower | None = None
        self.cursor = Line2D([position_mm[0]] * 2, [0.0, 1.0], color="white", linewidth=1.0, animated=True)
        self.figure.add_artist(self.cursor)

    # What does not change with the session.

    def _dress(self, axes: Axes, name: str) -> None:
        axes.set_facecolor(PANEL)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(NOTE)
        axes.grid(visible=False)
        axes.tick_params(colors=TEXT, labelsize=SIZE, length=3, pad=2, labelbottom=axes is self.spread_axes)
        along_vessel(axes, self._position_mm, label=False)
        beside = blended_transform_factory(self.figure.dpi_scale_trans, axes.transAxes)
        axes.text(0.08, 0.5, name, transform=beside, color=TEXT, fontsize=SIZE, va="center", parse_math=False)

    def _limit(self, reach_mm: float, pullback_area_mm2: FloatArray) -> None:
        for axes in (self.pullback_axes, self.ccta_axes):
            tick = max(1.0, np.floor(0.7 * reach_mm))
            axes.set(ylim=(-reach_mm, reach_mm), yticks=[-tick, 0.0, tick])
        top = usual_range(pullback_area_mm2, least=(0.0, 4.0), kept=0.98)[1]
        self.area_axes.set_ylim(0.0, ROOM_ABOVE * top)
        self.area_axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
        self.spread_axes.set_xlabel(
            "withdrawn (mm); proximal on the left, distal on the right",
            color=TEXT,
            fontsize=SIZE,
            labelpad=2,
        )

    def place(self, width_in: float, height_in: float) -> None:
        """Fit the axes into a figure of a size in inches."""
        room = max(height_in - TOP_IN - BOTTOM_IN - 3.0 * GAP_IN, 0.4)
        width = max(width_in - LEFT_IN - RIGHT_IN, 0.4)
        top = height_in - TOP_IN
        for axes, share in zip(self.axes, SHARES, strict=True):
            height = room * share / sum(SHARES)
            axes.set_position(
                (LEFT_IN / width_in, (top - height) / height_in, width / width_in, height / height_in)
            )
            top -= height + GAP_IN
        upper, lower = self.axes[0].get_position().y1, self.axes[-1].get_position().y0
        self.cursor.set_ydata([lower, upper])
        self.cursor.set_transform(blended_transform_factory(self.axes[0].transData, self.figure.transFigure))

    # Artists, empty at first.

    def _image(self, axes: Axes, extent: tuple[float, float, float, float]) -> AxesImage:
        blank = np.zeros((1, 1, 4), np.uint8)
        limits = axes.get_xlim(), axes.get_ylim()
        image = axes.imshow(
            blank, extent=extent, origin="lower", aspect="auto", interpolation="nearest", animated=True
        )
        axes.set(xlim=limits[0], ylim=limits[1])
        return image

    def _bars(self, axes: Axes, **style: Any) -> PolyCollection:
        bars = PolyCollection([], transform=axes.get_xaxis_transform(), linewidth=0.0, animated=True, **style)
        axes.add_collection(bars, autolim=False)
        return bars

    def _line(self, axes: Axes, **style: Any) -> Line2D:
        line = Line2D([], [], animated=True, **style)
        axes.add_line(line)
        return line

    def _add_edges(self) -> None:
        """Own outlines are whole lines, the other modality's broken ones."""
        own, other = {"linewidth": 1.3}, {"linewidth": 1.2, "linestyle": (0, (4, 2))}

        def edge(axes: Axes, colour: str, style: dict[str, Any]) -> Edge:
            return Edge(*(self._line(axes, color=colour, **style) for _ in range(2)))

        self.pullback_edge = edge(self.pullback_axes, PULLBACK_LUMEN, own)
        self.ccta_in_pullback = edge(self.pullback_axes, CCTA_LUMEN, other)
        self.ccta_edge = edge(self.ccta_axes, CCTA_LUMEN, own)
        self.pullback_in_ccta = edge(self.ccta_axes, PULLBACK_LUMEN, other)

    def _add_profiles(self) -> None:
        self.ccta_area = self._line(self.area_axes, color=CCTA_LUMEN, linewidth=1.3)
        self.pullback_area = self._line(self.area_axes, color=PULLBACK_LUMEN, linewidth=1.5)
        nothing = np.zeros(len(self._position_mm))
        self._bands = []
        for factor, alpha in ((2.0, 0.3), (1.0, 0.5)):
            band = FillBetweenPolyCollection(
                "x",
                self._position_mm,
                nothing,
                nothing,
                color=FAINT,
                alpha=alpha,
                linewidth=0.0,
                animated=True,
            )
            self.spread_axes.add_collection(band, autolim=False)
            self._bands.append((factor, band))
        self._zero = self.spread_axes.axhline(0.0, color=TEXT, linewidth=0.8, animated=True)

    def _add_marks(self) -> None:
        """Rejected ones faint, the selected one strong."""
        usual, faint = {"alpha": 0.95, "size": 5.0, "width": 0.8}, {"alpha": 0.45, "size": 4.0, "width": 0.6}
        looks: dict[str, dict[str, Any]] = {
            state: {"color": colour} | (faint if state == "rejected" else usual)
            for state, colour in STATE_COLOURS.items()
        }
        looks["selected"] = {"color": "white", "alpha": 1.0, "size": 8.0, "width": 1.4}
        self.marks: dict[str, tuple[MarkSet, MarkSet]] = {}
        for name, look in looks.items():
            self.marks[name] = (
                self._mark_set(self.pullback_axes, **look),
                self._mark_set(self.ccta_axes, **look),
            )
        self._selected_names = [
            axes.text(0.0, 0.97, "", transform=axes.transAxes, va="top", animated=True, **WORDS)
            for axes in self.axes[:2]
        ]

    def _mark_set(self, axes: Axes, *, color: Any, alpha: float, size: float, width: float) -> MarkSet:
        over = {"transform": axes.get_xaxis_transform(), "color": color, "alpha": alpha}
        stem = self._line(axes, linewidth=width, linestyle=(0, (2, 2)), **over)
        head = self._line(
            axes,
            linestyle="",
            marker="D",
            markersize=size,
            markeredgecolor="black",
            markeredgewidth=0.8,
            **over,
        )
        return MarkSet(stem, head)

    def _add_words(self) -> None:
        """Words stand on the empty axes, since each takes a millisecond to draw."""
        self._notes = [
            axes.text(0.5, 0.1, "", transform=axes.transAxes, ha="center", **WORDS | {"color": NOTE})
            for axes in self.axes
        ]
        keys = (("CCTA", CCTA_LUMEN), (self._modality, PULLBACK_LUMEN), ("not reliable", DOUBTFUL))
        self._keys = [self._key(i, *each) for i, each in enumerate((*keys, ("//// no pose", NOTE)))]

    def _key(self, place: int, text: str, colour: str) -> Text:
        """Write right to left in the upper right corner of the areas."""
        shift = ScaledTranslation(-KEYS_IN[place], -0.03, self.figure.dpi_scale_trans)
        look = WORDS | {"color": colour, "ha": "right", "va": "top"}
        return self.area_axes.text(1.0, 1.0, text, transform=self.area_axes.transAxes + shift, **look)

    # What changes.

    def show(self, shown: Shown, *, blinded: bool, notes: tuple[str, str, str, str]) -> bool:
        """Take new content; tell whether the empty axes have to be drawn anew for it.

        Parameters
        ----------
        shown : Shown
            What there is to see.
        blinded : bool
            Whether neither modality may show what the other one says of it.
        notes : four texts
            For each axis what is missing; empty for nothing.
        """
        position = self._position_mm
        for image, cut in ((self.pullback_image, shown.pullback_cut), (self.ccta_image, shown.ccta_cut)):
            image.set_data(np.zeros((1, 1, 4), np.uint8) if cut is None else cut)
        _set_edge(self.pullback_edge, position, shown.pullback_edge_mm)
        carried = np.where(shown.posed[:, None], shown.pullback_edge_mm, np.nan)
        _set_edge(self.pullback_in_ccta, position, carried)
        for edge in (self.ccta_edge, self.ccta_in_pullback):
            _set_edge(edge, position, shown.ccta_edge_mm)
        self.pullback_area.set_data(position, shown.pullback_area_mm2)
        self.ccta_area.set_data(position, shown.ccta_area_mm2)
        for factor, band in self._bands:
            band.set_data(position, -factor * shown.sd_mm, factor * shown.sd_mm)
        self._flag(shown, blinded=blinded)
        guests = (*self.ccta_in_pullback, *self.pullback_in_ccta, self.ccta_area)
        for artist in guests:
            artist.set_visible(not blinded and shown.placed)
        for _, band in self._bands:
            band.set_visible(not blinded)
        wide = usual_range(2.0 * shown.sd_mm, least=(0.0, 0.1), kept=0.98)[1]
        doubt, away = shown.posed & ~shown.reliable, ~shown.posed
        lower = Lower(
            notes,
            (not blinded and shown.placed, True, bool(doubt.any()) and not blinded, bool(away.any())),
            float(np.ceil(2.0 * wide)) / 2.0,
        )
        anew, self._lower = lower != self._lower, lower
        if anew:
            self._write(lower)
        return anew

    @property
    def notes(self) -> tuple[str, ...]:
        """What each axis says is missing."""
        return tuple(word.get_text() for word in self._notes)

    def _write(self, lower: Lower) -> None:
        for word, text in zip(self._notes, lower.notes, strict=True):
            word.set_text(text)
        for word, seen in zip(self._keys, lower.keys, strict=True):
            word.set_visible(seen)
        top = lower.spread_mm
        self.spread_axes.set(ylim=(-1.15 * top, 1.15 * top), yticks=[-top, top])

    def _flag(self, shown: Shown, *, blinded: bool) -> None:
        doubt, away = shown.posed & ~shown.reliable & (not blinded), ~shown.posed
        for bars in self._shade:
            bars.set_verts(_boxes(doubt, self._position_mm))
        for bars in self._hatch:
            bars.set_verts(_boxes(away, self._position_mm))

    def mark(self, marks: Marks, selected: str) -> None:
        """Take the landmarks, and the id of the one to emphasise."""
        looks = np.array(
            ["selected" if each.landmark.id == selected else each.state for each in marks.landmarks],
            dtype=str,
        )
        for name, sets in self.marks.items():
            for each, position_mm in zip(sets, (marks.pullback_mm, marks.ccta_mm), strict=True):
                at = position_mm[looks == name]
                at = at[np.isfinite(at)]
                each.stem.set_data(np.repeat(at, 3), np.tile([0.0, 1.0, np.nan], len(at)))
                each.head.set_data(at, np.full(len(at), 0.9))
        for word, at in zip(self._selected_names, (marks.pullback_mm, marks.ccta_mm), strict=True):
            place = at[looks == "selected"]
            known = len(place) > 0 and bool(np.isfinite(place[0]))
            word.set_text(selected if known else "")
            if known:
                self._set_beside(word, float(place[0]))

    def _set_beside(self, word: Text, position_mm: float) -> None:
        """Write right of a place, or left of it near the right border."""
        first, last = self.pullback_axes.get_xlim()
        share = (position_mm - first) / (last - first)
        word.set(x=share + (0.011 if share < 0.9 else -0.011), y=0.97, ha="left" if share < 0.9 else "right")

    def move_cursor(self, position_mm: float) -> None:
        """Put the cursor at a position in mm."""
        self.cursor.set_xdata([position_mm] * 2)

    def content(self) -> Iterator[tuple[Axes, Artist]]:
        """All that lies between the empty axes and the cursor, from back to front."""
        lines = [*self.pullback_edge, *self.ccta_in_pullback, *self.ccta_edge, *self.pullback_in_ccta]
        heads = [each for sets in self.marks.values() for pair in sets for each in pair]
        for artist in (
            self.pullback_image,
            self.ccta_image,
            *self._shade,
            *self._hatch,
            *(band for _, band in self._bands),
            self._zero,
            *lines,
            self.ccta_area,
            self.pullback_area,
            *heads,
            *self._selected_names,
        ):
            yield cast("Axes", artist.axes), artist


def _set_edge(edge: Edge, position_mm: FloatArray, edge_mm: FloatArray) -> None:
    edge.low.set_data(position_mm, edge_mm[:, 0])
    edge.high.set_data(position_mm, edge_mm[:, 1])


def _boxes(flags: BoolArray, position_mm: FloatArray) -> list[FloatArray]:
    """Corners of a box over the whole height for each run of flagged rows."""
    return [np.array([[a, 0.0], [b, 0.0], [b, 1.0], [a, 1.0]]) for a, b in spans(flags, position_mm)]
