"""Figures of a comparison, from its tables.

    python benchmarks/compare_figures.py FOLDER --out docs/figures        # SVG
    python benchmarks/compare_figures.py FOLDER --out dev --format png

FOLDER is what ``compare.py`` wrote.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import matplotlib as mpl
import numpy as np
from compare_methods import METHODS, OURS
from compare_page import Groups, by_title, of_all
from compare_paired import COMPARED, compared
from compare_results import CaseResult, read_results
from compare_tables import SEED, SPREADS, Source, coverage, pooled
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import erf

from coreg.report.methods import COLOURS as METHOD_COLOURS
from coreg.report.style import BEFORE, PULLBACK, WALL, cumulative_steps, logarithmic, look
from coreg.validation import mean_interval

COLOURS = {**METHOD_COLOURS, "true-rigid": BEFORE, "true-poses": "#000000"}
OTHER = WALL
ROWS = (
    ("error_mm", "mm", (0.01, 10.0)),
    ("error_deg", "degrees", (0.1, 180.0)),
)
MAIN = ("methods", "oracles")
TIMES = np.linspace(0.0, 3.0, 13)


@dataclass(frozen=True)
class Line:
    """How a method is drawn: the same in all figures."""

    color: str
    linestyle: Literal["-", "--"]
    linewidth: float

    @property
    def dot(self) -> dict[str, str]:
        """Colours of its dots: hollow for what knows the truth."""
        face = "white" if self.linestyle == "--" else self.color
        return {"color": self.color, "markerfacecolor": face}


def line_of(title: str) -> Line:
    """Ours is thick; a method has one colour, dashed where it knows the truth."""
    name = next(name for name, method in METHODS.items() if method.title == title)
    colour = COLOURS.get(name.removeprefix("true-start-"), OTHER)
    dashed = METHODS[name].group == "oracles"
    return Line(colour, "--" if dashed else "-", 2.4 if name == OURS else 1.5)


def errors_figure(groups: Groups, heading: str) -> Figure:
    """Cumulative errors at landmarks and of all frames, and the means of cases, method beside method."""
    figure, axes = plt.subplots(2, 3, figsize=(13.0, 7.6), width_ratios=(1.0, 1.0, 1.0))
    for (column, unit, limits), row in zip(ROWS, axes, strict=True):
        _cumulative(row[0], groups, "landmarks", column, limits)
        _cumulative(row[1], groups, "frames", column, limits)
        for each, what in zip(row[:2], ("landmark", "frame"), strict=True):
            each.set(xlim=limits, ylim=(0.0, 1.0), xlabel=f"absolute error, {unit}")
            each.set_ylabel(f"share of {what}s at or below")
            logarithmic(each, "x", subs=(1.0,))
        _paired_means(row[2], groups, column)
        row[2].set_ylabel(f"mean at landmarks, {unit}")
        logarithmic(row[2], "y")
    for each, title in zip(axes[0], ("Landmarks", "All frames", "Case by case"), strict=True):
        each.set_title(title)
    _headed(figure, heading)
    _legend_below(figure, axes[0, 0])
    return figure


def _cumulative(axes: Axes, groups: Groups, source: Source, column: str, limits: tuple[float, float]) -> None:
    """Draw the share of a method's errors at or below each size, from one limit to the other."""
    for title, results in groups.items():
        values = np.abs(pooled(results, source, column)[0])
        steps = cumulative_steps(values, limits)
        axes.plot(*steps, drawstyle="steps-post", label=title, **vars(line_of(title)))


def _paired_means(axes: Axes, groups: Groups, column: str) -> None:
    """A dot per case and method; a thin line joins the dots of one case."""
    titles = list(groups)
    at = ("error_mm", "error_deg").index(column)
    cases = list(dict.fromkeys(each.case for results in groups.values() for each in results))
    means = np.full((len(cases), len(titles)), np.nan)
    for j, results in enumerate(groups.values()):
        for each in results:
            means[cases.index(each.case), j] = each.means[at]
    axes.plot(np.arange(len(titles)), means.T, color="#bbbbbb", linewidth=0.6, zorder=1)
    for j, title in enumerate(titles):
        dot = line_of(title).dot
        axes.plot(np.full(len(cases), j), means[:, j], "o", markersize=3.5, zorder=2, **dot)
    axes.set_xticks(np.arange(len(titles)), [""] * len(titles))
    axes.set_xlim(-0.4, len(titles) - 0.6)
    axes.grid(visible=False, axis="x")


def levels_figure(results: Sequence[CaseResult]) -> Figure:
    """Mean landmark errors with their intervals, level by level."""
    modalities = list(dict.fromkeys(each.modality for each in results))
    levels = list(dict.fromkeys(each.level for each in results))
    titles = list(by_title(results, MAIN))
    figure, axes = plt.subplots(2, len(modalities), figsize=(6.5 * len(modalities), 7.6), squeeze=False)
    for i, modality in enumerate(modalities):
        for (column, unit, _), each in zip(ROWS, axes[:, i], strict=True):
            for k, title in enumerate(titles):
                mine = [r for r in results if r.modality == modality and METHODS[r.method].title == title]
                shift = 0.6 * ((k + 0.5) / len(titles) - 0.5)
                _levels_of(each, mine, levels, column, title, line_of(title), shift)
            each.set_ylabel(f"mean at landmarks, {unit}")
            logarithmic(each, "y")
            each.set_xticks(np.arange(len(levels)), levels)
            each.set_xlim(-0.5, len(levels) - 0.5)
            each.grid(visible=False, axis="x")
        axes[0, i].set_title(modality)
    _legend_below(figure, axes[0, 0])
    return figure


def _levels_of(
    axes: Axes,
    results: Sequence[CaseResult],
    levels: Sequence[str],
    column: str,
    title: str,
    line: Line,
    shift: float,
) -> None:
    found = []
    for level in levels:
        values, patients = pooled([r for r in results if r.level == level], "landmarks", column)
        found.append(mean_interval(np.abs(values), patients, seed=SEED))
    mean, low, high = np.array([(each.estimate, each.low, each.high) for each in found]).T
    bars = np.nan_to_num(np.abs(np.stack([mean - low, high - mean])))
    axes.errorbar(np.arange(len(levels)) + shift, mean, bars, fmt="o", label=title, markersize=5, **line.dot)


def ablation_figure(groups: Groups, heading: str) -> Figure:
    """How much larger errors get with one thing changed: paired differences with their intervals."""
    ours = METHODS[OURS].title
    comparisons = compared(groups, ours)
    titles = [title for title in groups if title != ours]
    figure, axes = plt.subplots(1, len(COMPARED), figsize=(13.0, 1.6 + 0.36 * len(titles)), sharey=True)
    for measure, each in zip(COMPARED, axes, strict=True):
        found = [c.paired.difference for c in comparisons if c.measure == measure]
        values = np.array([(f.estimate, f.low, f.high) for f in found])
        bars = np.nan_to_num(np.abs(np.stack([values[:, 0] - values[:, 1], values[:, 2] - values[:, 0]])))
        each.axvline(0.0, color=BEFORE, linewidth=1.0)
        each.errorbar(values[:, 0], np.arange(len(titles)), xerr=bars, fmt="o", color=PULLBACK, markersize=5)
        what, unit = measure.title.split(", ")
        each.set_title(what.capitalize())
        each.set_xlabel(f"error more by, {unit}")
        each.locator_params(axis="x", nbins=5)
    axes[0].set_yticks(np.arange(len(titles)), titles)
    axes[0].invert_yaxis()
    _headed(figure, heading)
    figure.tight_layout()
    return figure


def confidence_figure(groups: Groups, heading: str) -> Figure | None:
    """Share of frames within so many stated standard deviations; None if no method states any."""
    stating = {t: r for t, r in groups.items() if np.isfinite(pooled(r, "frames", SPREADS[0][1])[0]).any()}
    if not stating:
        return None
    figure, axes = plt.subplots(1, 2, figsize=(11.0, 5.0))
    for (error, sd, what), each in zip(SPREADS, axes, strict=True):
        for title, results in stating.items():
            share = [coverage(results, error, sd, float(k)).estimate for k in TIMES]
            each.plot(TIMES, share, label=title, **vars(line_of(title)))
        each.plot(TIMES, _gaussian_share(TIMES), color="black", linestyle=":", label="if right and Gaussian")
        each.set(
            xlabel="standard deviations", ylabel="share of frames within", ylim=(0.0, 1.0), xlim=(0.0, 3.0)
        )
        each.set_title(what.split(",")[0].capitalize())
    _headed(figure, heading)
    _legend_below(figure, axes[0])
    return figure


def _gaussian_share(times: np.ndarray) -> np.ndarray:
    return np.asarray(erf(times / np.sqrt(2.0)))


def _headed(figure: Figure, heading: str) -> None:
    figure.suptitle(heading, x=0.012, ha="left", fontweight="bold", fontsize=13.0)


def _legend_below(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    width, height = figure.get_size_inches()
    columns = min(max(1, int(width / 3.2)), len(labels))
    rows = -(-len(labels) // columns)
    figure.legend(handles, labels, loc="lower center", ncols=columns)
    figure.tight_layout(rect=(0.0, (0.15 + 0.22 * rows) / height, 1.0, 1.0))


def figures(results: Sequence[CaseResult]) -> dict[str, Callable[[], Figure | None]]:
    """All figures that results give, by file name."""
    found: dict[str, Callable[[], Figure | None]] = {}
    cohorts = dict.fromkeys((each.level, each.modality) for each in results)
    for level, modality in cohorts:
        mine = [each for each in results if (each.level, each.modality) == (level, modality)]
        name, heading = f"{level}-{modality}", f"{modality}, level {level}"
        main, ablation = of_all(by_title(mine, MAIN)), of_all(by_title(mine, ("ablation",)))
        found[f"errors-{name}"] = lambda main=main, heading=heading: errors_figure(main, heading)
        found[f"confidence-{name}"] = lambda main=main, heading=heading: confidence_figure(main, heading)
        if len(ablation) > 1:
            found[f"ablation-{name}"] = lambda some=ablation, heading=heading: ablation_figure(some, heading)
    if len({level for level, _ in cohorts}) > 1:
        found["levels"] = lambda: levels_figure(results)
    return found


def main() -> None:
    """Draw all figures of a comparison."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--format", default="svg", choices=["svg", "png"])
    options = parser.parse_args()
    mpl.use("agg")
    options.out.mkdir(parents=True, exist_ok=True)
    with look():
        for name, draw in figures(read_results(options.folder)).items():
            figure = draw()
            if figure is not None:
                path = options.out / f"{name}.{options.format}"
                metadata = {"Date": None, "Creator": None} if options.format == "svg" else None
                figure.savefig(path, metadata=metadata, dpi=110)
                plt.close(figure)
                print(path)


if __name__ == "__main__":
    main()
