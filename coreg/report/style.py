"""One look for all figures, and figures as text that a page can hold."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

FloatArray = npt.NDArray[np.float64]

# Okabe and Ito's palette: told apart with every kind of colour vision.
PULLBACK, AFTER, BEFORE = "#0072B2", "#D55E00", "#6b6b6b"
LANDMARK, DOUBT, BAND = "#009E73", "#E69F00", "#e8eef4"
LUMEN, WALL, CALCIUM = "#D55E00", "#56B4E9", "#CC79A7"
TREE_COLOURS = ("#D55E00", "#56B4E9", "#009E73", "#F0E442", "#CC79A7", "#E69F00")
WIDTH_IN = 13.0
# Contrast, calcium and fat all show: from -250 to 650 HU.
WINDOW_HU = (-250.0, 650.0)

_RC = {
    "font.family": "DejaVu Sans",
    "font.size": 10.0,
    "axes.titlesize": 11.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 9.0,
    "lines.linewidth": 1.5,
    "figure.facecolor": "white",
    # The same registration gives the same page.
    "svg.hashsalt": "coreg",
    # An id is text, not mathematics.
    "text.parse_math": False,
    "path.simplify": True,
}


@contextmanager
def look() -> Iterator[None]:
    """Draw in the page's style, whatever the user's own settings are."""
    with (
        mpl.rc_context(),
        mpl.rc_context(dict(mpl.rcParamsDefault) | {"backend": mpl.rcParams["backend"]} | _RC),
    ):
        yield


def spaced(
    figure: Figure, *, top: float = 0.55, right: float = 0.15, between: float = 0.0, beside: float = 0.0
) -> None:
    """Set margins and the gaps between and beside panels, in inches; those left and below are fixed.

    Automatic layouts draw every figure twice, which would take a third of the page's time.
    """
    width, height = figure.get_size_inches()
    left, bottom = 0.75, 0.55
    # matplotlib wants gaps as shares of a panel; figures have at most three rows and two columns.
    panel_height, panel_width = (height - top - bottom - 2 * between) / 3, (width - left - right - beside) / 2
    figure.subplots_adjust(
        left=left / width,
        right=1.0 - right / width,
        bottom=bottom / height,
        top=1.0 - top / height,
        hspace=between / panel_height,
        wspace=beside / panel_width,
    )


def svg_uri(figure: Figure) -> str:
    """Write a figure as an SVG data URI: sharp in print, for lines."""
    return as_svg_uri(svg_bytes(figure))


def svg_bytes(figure: Figure) -> bytes:
    """Write a figure as SVG; the same one gives the same bytes."""
    buffer = BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def pdf_bytes(figure: Figure) -> bytes:
    """Write a figure as PDF with its fonts as text that can be edited; the same one gives the same bytes."""
    buffer = BytesIO()
    with mpl.rc_context({"pdf.fonttype": 42}):
        nothing = dict.fromkeys(("CreationDate", "Creator", "Producer"))
        figure.savefig(buffer, format="pdf", metadata=nothing)
    return buffer.getvalue()


def as_svg_uri(svg: bytes) -> str:
    """Make an SVG a data URI."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode("ascii")


def png_uri(figure: Figure, *, dpi: int = 110) -> str:
    """Write a figure as a PNG data URI: small, for maps and surfaces."""
    buffer = BytesIO()
    # Half of the time of the default compression, for less than a tenth more bytes.
    figure.savefig(
        buffer, format="png", dpi=dpi, metadata={"Software": None}, pil_kwargs={"compress_level": 3}
    )
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def along_vessel(axes: Axes, position_mm: FloatArray, *, label: bool = True) -> None:
    """Make the horizontal axis run proximal (left) to distal (right) over the withdrawn distance."""
    low, high = float(position_mm.min()), float(position_mm.max())
    margin = 0.005 * (high - low) or 0.5
    axes.set_xlim(high + margin, low - margin)
    if label:
        axes.set_xlabel("withdrawn (mm); proximal on the left, distal on the right")


def through_neighbours(axes: Axes, position_mm: FloatArray, values: FloatArray, **style: Any) -> None:
    """Draw a line through the values (N,) that are not NaN; one without a neighbour gets a dot."""
    gap = np.concatenate([[True], np.isnan(values), [True]])
    alone = ~gap[1:-1] & gap[:-2] & gap[2:]
    dots = {"marker": ".", "markersize": 5, "markevery": alone.tolist()} if alone.any() else {}
    axes.plot(position_mm, values, **dots, **style)


def frame_ticks(axes: Axes, position_mm: FloatArray, frame: npt.NDArray[np.int64]) -> None:
    """Name frames (acquisition index) along the top."""
    top = axes.secondary_xaxis("top")
    wanted = np.linspace(position_mm.max(), position_mm.min(), min(11, len(frame)))
    rows = np.unique([int(np.argmin(np.abs(position_mm - each))) for each in wanted])
    top.set_xticks(position_mm[rows], [str(each) for each in frame[rows]])
    top.tick_params(length=2, labelsize=8, colors="#555555", pad=1)
    top.set_xlabel("frame (acquisition order)", fontsize=8, color="#555555", labelpad=3)


def spans(flags: npt.NDArray[np.bool_], position_mm: FloatArray) -> list[tuple[float, float]]:
    """Ranges of position (from, to) in mm that runs of flagged rows cover, half a step beyond each."""
    edges = cell_edges(position_mm)
    padded = np.concatenate([[False], flags, [False]])
    changes = np.flatnonzero(padded[1:] != padded[:-1])
    return [(float(edges[a]), float(edges[b])) for a, b in zip(changes[::2], changes[1::2], strict=True)]


def cell_edges(position_mm: FloatArray) -> FloatArray:
    """Borders (N + 1,) half-way between neighbouring positions (N,)."""
    if len(position_mm) == 1:
        return position_mm[0] + np.array([0.5, -0.5])
    middle = 0.5 * (position_mm[1:] + position_mm[:-1])
    first, last = 1.5 * position_mm[0] - 0.5 * position_mm[1], 1.5 * position_mm[-1] - 0.5 * position_mm[-2]
    return np.concatenate([[first], middle, [last]])


def landmark_handle() -> Line2D:
    """Return the legend entry of a landmark picked in the CCTA."""
    return Line2D(
        [], [], color=LANDMARK, marker="D", markeredgecolor="black", linestyle="", label="CCTA landmark"
    )


def logarithmic(axes: Axes, which: Literal["x", "y"], *, subs: tuple[float, ...] = (1.0, 2.0, 5.0)) -> None:
    """Make an axis logarithmic, with plain numbers at 1, 2 and 5 of each decade."""
    axes.set(**{f"{which}scale": "log"})
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def cumulative_steps(
    values: FloatArray, limits: tuple[float, float], *, most: int = 400
) -> tuple[FloatArray, FloatArray]:
    """Corners of the share of finite values (N,) at or below each size, from one limit to the other.

    Finer steps than ``most``, which no figure shows, would make a heavy file. Both arrays have one shape,
    to be drawn as ``steps-post``.

    >>> cumulative_steps(np.array([3.0, 1.0]), (0.0, 5.0))
    (array([0., 1., 3., 5.]), array([0. , 0.5, 1. , 1. ]))
    """
    ranked = np.sort(values[np.isfinite(values)])
    shown = np.unique(np.linspace(0, len(ranked), min(len(ranked), most) + 1).astype(int))
    share = shown / max(len(ranked), 1)
    reached = ranked[np.minimum(shown[1:], len(ranked)) - 1]
    return np.concatenate([[limits[0]], reached, [limits[1]]]), np.append(share, share[-1])
