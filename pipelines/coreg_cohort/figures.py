"""Figures of a cohort's errors, for the page and for a paper."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from coreg.report.methods import method_colour, short_title
from coreg.report.style import BEFORE, DOUBT, PULLBACK, WIDTH_IN, cumulative_steps, logarithmic
from coreg.report.tables import DASH, number, percent
from coreg.validation import agreement, cluster_means
from coreg_cohort.comparison import MEASURES, Measure, Trust, title_of
from coreg_cohort.measured_case import Cohort, pooled

FloatArray = npt.NDArray[np.float64]

# What is along the vessel in mm and in frames has the same shape: figures show mm and degrees.
SHOWN = tuple(each for each in MEASURES if each.sd)
# More dots than these are drawn as pixels: as vectors they would make a file that no program opens fast.
MOST_DOTS = 2000
# From so many patients on single lines cannot be followed.
CROWD = 60
# Nobody reads errors below these; zero has no place on a logarithmic axis.
LEAST = {"error_mm": 0.01, "error_deg": 0.1}


def _sheet(height_in: float) -> Figure:
    # What is drawn as pixels must be sharp in print, too.
    return Figure(figsize=(WIDTH_IN, height_in), dpi=200)


def paired(cohort: Cohort) -> Figure | None:
    """Draw each patient's mean absolute error by each method, joined; None without two methods."""
    names = cohort.methods
    if len(names) < 2:
        return None
    figure = _sheet(5.4)
    axes = figure.subplots(1, len(SHOWN))
    for each, measure in zip(axes, SHOWN, strict=True):
        means = _patient_means(cohort, names, measure)
        _paired_panel(each, means, names, measure)
    figure.tight_layout(w_pad=3.0)
    return figure


def _patient_means(cohort: Cohort, names: Sequence[str], measure: Measure) -> FloatArray:
    """Mean absolute errors (patients, methods); NaN where a patient has none."""
    patients = sorted({each.patient for each in cohort.cases})
    means = np.full((len(patients), len(names)), np.nan)
    for j, name in enumerate(names):
        values, whose = pooled(cohort.cases, name, measure.column)
        found, mean = cluster_means(np.abs(values), whose)
        means[np.searchsorted(patients, found), j] = mean
    return means[np.isfinite(means).any(axis=1)]


def _paired_panel(axes: Axes, means: FloatArray, names: Sequence[str], measure: Measure) -> None:
    shown = np.maximum(means, LEAST[measure.column])
    places = np.arange(len(names))
    many = means.size > MOST_DOTS
    # Side by side, so that dots of equal height do not hide each other; many patients are a cloud.
    width, faint = (0.12, 1.0) if len(means) <= CROWD else (0.4, CROWD / len(means))
    aside = width * (np.random.default_rng(0).random(len(means)) - 0.5)
    axes.plot(
        places[:, None] + aside,
        shown.T,
        color="#bbbbbb",
        linewidth=0.7,
        alpha=max(faint, 0.15),
        zorder=1,
        rasterized=many,
    )
    for j, name in enumerate(names):
        if not np.isfinite(means[:, j]).any():
            continue
        style: dict[str, Any] = {"color": method_colour(name), "markersize": 5.0, "markeredgewidth": 0.0}
        style["alpha"] = max(0.75 * faint, 0.3)
        axes.plot(j + aside, shown[:, j], "o", zorder=2, rasterized=many, **style)
        middle = float(np.nanmedian(shown[:, j]))
        axes.plot([j - 0.3, j + 0.3], [middle, middle], color="black", linewidth=2.0, zorder=3)
    logarithmic(axes, "y")
    axes.set_ylim(*_limits(shown, LEAST[measure.column] / 1.2))
    medians = (_median_text(column, measure) for column in means.T)
    labels = [f"{short_title(name)}\n{text}" for name, text in zip(names, medians, strict=True)]
    axes.set_xticks(places, labels, fontsize=9)
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.grid(visible=False, axis="x")
    axes.set_title(f"Each patient: {measure.title}")
    axes.set_ylabel(f"mean absolute error of a patient ({measure.unit})")


def _median_text(means: FloatArray, measure: Measure) -> str:
    known = means[np.isfinite(means)]
    unit = "°" if measure.unit == "degrees" else f" {measure.unit}"
    return number(float(np.median(known)), measure.digits) + unit if len(known) else DASH


def bland_altman(cohort: Cohort) -> Figure | None:
    """Draw found minus expected frame over their mean, by method, with the limits of agreement."""
    drawn = []
    for name in cohort.methods:
        found, expected = (
            pooled(cohort.cases, name, column)[0] for column in ("frame_found", "frame_expected")
        )
        if np.isfinite(found - expected).sum() > 1:
            drawn.append((name, found, expected))
    if not drawn:
        return None
    columns = min(len(drawn), 3)
    rows = -(-len(drawn) // columns)
    figure = _sheet(0.5 + 4.2 * rows)
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for each, (name, found, expected) in zip(axes.flat, drawn, strict=False):
        _agreement_panel(each, name, found, expected)
    for each in axes.flat[len(drawn) :]:
        each.set_axis_off()
    for each in axes[:, 0]:
        each.set_ylabel("found minus expected (frames)")
    for each in axes.flat[max(0, len(drawn) - columns) : len(drawn)]:
        each.set_xlabel("mean of found and expected frame")
        each.tick_params(labelbottom=True)
    axes[0, 0].margins(y=0.15)
    figure.tight_layout(w_pad=2.0)
    return figure


def _agreement_panel(axes: Axes, name: str, found: FloatArray, expected: FloatArray) -> None:
    limits = agreement(found, expected)
    middle = 0.5 * (found + expected)
    axes.plot(
        middle,
        found - expected,
        "o",
        color=method_colour(name),
        markersize=4.5,
        alpha=0.6,
        markeredgewidth=0.0,
        rasterized=len(found) > MOST_DOTS,
    )
    axes.axhline(0.0, color="#999999", linewidth=0.8)
    axes.axhspan(limits.lower, limits.upper, color=method_colour(name), alpha=0.08, linewidth=0.0)
    lines = ((limits.lower, "--"), (limits.mean_difference, "-"), (limits.upper, "--"))
    for value, style in lines:
        axes.axhline(value, color="black", linewidth=1.2, linestyle=style)
    low, mean, high = (number(value, 1, signed=True) for value, _ in lines)
    axes.set_title(f"{title_of(name)}\n", fontsize=10)
    _below_title(axes, f"mean {mean}; limits {low} to {high}; {limits.count} landmarks")


def _below_title(axes: Axes, text: str) -> None:
    # Panels keep their width, whatever is said of them.
    axes.text(0.0, 1.02, text, transform=axes.transAxes, fontsize=9).set_in_layout(False)


def cumulative(cohort: Cohort) -> Figure | None:
    """Draw the share of landmarks at or below each error, by method; None where nothing was measured."""
    names = cohort.methods
    if not names:
        return None
    figure = _sheet(5.0)
    axes = figure.subplots(1, len(SHOWN), sharey=True)
    for each, measure in zip(axes, SHOWN, strict=True):
        values = {name: np.abs(pooled(cohort.cases, name, measure.column)[0]) for name in names}
        limits = _limits(np.concatenate(list(values.values())), LEAST[measure.column])
        for name, sizes in values.items():
            style: dict[str, Any] = {
                "color": method_colour(name),
                "linewidth": 2.4 if name == cohort.method else 1.6,
            }
            each.plot(*cumulative_steps(sizes, limits), drawstyle="steps-post", label=title_of(name), **style)
        each.set(xlim=limits, ylim=(0.0, 1.02))
        each.set_title(f"All landmarks: {measure.title}")
        each.set_xlabel(f"absolute error ({measure.unit})")
        logarithmic(each, "x")
        each.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes[0].set_ylabel("share of landmarks at or below")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=min(len(labels), 3))
    lines = -(-len(labels) // 3)
    figure.tight_layout(rect=(0.0, (0.1 + 0.25 * lines) / 5.0, 1.0, 1.0), w_pad=2.0)
    return figure


def _limits(values: FloatArray, least: float) -> tuple[float, float]:
    """Ends of a logarithmic axis that shows all values from a least one on, and a number or two."""
    known = values[np.isfinite(values) & (values > 0.0)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (least, 10.0 * least)
    low = max(low / 1.2, least)
    return low, max(1.2 * high, 5.0 * low)


def confidence(cohort: Cohort, trusts: Sequence[Trust]) -> Figure | None:
    """Draw absolute error over stated standard deviation; None where none is stated."""
    if not trusts:
        return None
    figure = _sheet(5.4)
    axes = figure.subplots(1, len(trusts), squeeze=False)[0]
    for each, trust in zip(axes, trusts, strict=True):
        _confidence_panel(each, cohort, trust)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=len(labels))
    figure.tight_layout(rect=(0.0, 0.07, 1.0, 1.0), w_pad=2.0)
    return figure


def _confidence_panel(axes: Axes, cohort: Cohort, trust: Trust) -> None:
    measure = trust.measure
    error, _ = pooled(cohort.cases, cohort.method, measure.column)
    sd, _ = pooled(cohort.cases, cohort.method, measure.sd)
    known = np.isfinite(error) & np.isfinite(sd)
    size, sd = np.abs(error[known]), sd[known]
    top = 1.1 * max(float(sd.max()), 1e-6)
    line = np.array([0.0, top])
    axes.fill_between(line, line, color=PULLBACK, alpha=0.16, linewidth=0.0, label="within 1 SD")
    axes.fill_between(line, line, 2.0 * line, color=DOUBT, alpha=0.16, linewidth=0.0, label="within 2 SD")
    # One landmark that is far off would press all others onto the axis.
    upper = max(2.2 * top, min(1.1 * float(size.max()), 4.0 * top))
    above = size > upper
    dots: dict[str, Any] = {"color": BEFORE, "linestyle": "", "alpha": 0.65, "markeredgewidth": 0.0}
    many = len(size) > MOST_DOTS
    axes.plot(sd[~above], size[~above], marker="o", markersize=4.5, label="landmark", rasterized=many, **dots)
    if above.any():
        axes.plot(sd[above], np.full(above.sum(), 0.985 * upper), marker="^", markersize=6.0, **dots)
        worst = f"{above.sum()} above, up to {number(float(size.max()), measure.digits)}"
        axes.text(0.02, 0.93, f"\N{BLACK UP-POINTING TRIANGLE} {worst}", transform=axes.transAxes, fontsize=9)
    axes.set(xlim=(0.0, top), ylim=(0.0, upper))
    axes.set_xlabel(f"stated standard deviation ({measure.unit})")
    axes.set_ylabel(f"absolute error ({measure.unit})")
    shares = (percent(each.estimate) for each in (trust.within_1, trust.within_2))
    text = "within 1 SD: {} (if right: 68%); within 2 SD: {} (95%)".format(*shares)
    axes.set_title(f"Each landmark: {measure.title}\n")
    _below_title(axes, text)
