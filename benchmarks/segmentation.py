"""Segmentation of one artery in CCTA images whose truth is known, beside a plain threshold.

    python benchmarks/segmentation.py                     # all parts, on the held-out cohort
    python benchmarks/segmentation.py --seeds 0-19 --level typical --part accuracy --out dev

Parts are accuracy (also on real anatomy), robustness, registration and speed. Each writes its sections
of ``segmentation.md`` and leaves the others' alone; accuracy also writes a row per case and method to
``ccta-<level>.csv``.
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from arguments import folder, seed_range
from pages import each_done, ratio, write_rows, write_sections
from segmentation_methods import METHODS
from segmentation_registration import RegistrationRow, registration_row, registration_table
from segmentation_robustness import ShiftRow, robustness_table, shift_rows
from segmentation_scenes import Row, measured, phantom_scene, semisynthetic_scene
from segmentation_speed import speed_table

HERE = Path(__file__).parent
PARTS = ("accuracy", "robustness", "registration", "speed")
LEVELS = ("typical", "hard")
HEADINGS = (
    "Accuracy, level typical",
    "Accuracy, level hard",
    "Semi-synthetic: real anatomy, made image",
    "Robustness, level typical",
    "Registration from a segmented CCTA",
    "Speed and memory",
)


@dataclass(frozen=True)
class Plan:
    """What to run."""

    seeds: range
    levels: tuple[str, ...]
    methods: tuple[str, ...]
    workers: int
    out: Path


def accuracy(plan: Plan) -> dict[str, str]:
    """Compare the methods at each level, and on real anatomy."""
    sections = {}
    for level in plan.levels:
        jobs = [(seed, level, plan.methods) for seed in plan.seeds]
        rows = [row for some in each_done(plan.workers, _phantom_rows, jobs) for row in some]
        write_rows(plan.out / f"ccta-{level}.csv", rows)
        sections[f"Accuracy, level {level}"] = f"{_cohort(plan)}\n\n{accuracy_table(rows)}"
    sections[HEADINGS[2]] = _semisynthetic(plan)
    return sections


def _phantom_rows(seed: int, level: str, methods: tuple[str, ...]) -> list[Row]:
    scene = phantom_scene(seed, level)
    rows = [measured(str(seed), method, scene) for method in methods]
    for row in rows:
        print(
            f"{level} {seed} {row.method}: Dice {row.dice:.3f}, OV {row.overlap:.3f}, "
            f"AI {row.inside_mm:.2f} mm, radius {row.bias_mm:+.2f} mm, {row.marked:.0%} marked {row.error}",
            flush=True,
        )
    return rows


def _semisynthetic(plan: Plan) -> str:
    scene = semisynthetic_scene()
    if scene is None:
        return "The real patient's data were not at hand."
    return accuracy_table([measured("anomalous-rca", method, scene) for method in plan.methods])


def robustness(plan: Plan) -> dict[str, str]:
    """Move what a user or an image may have different, and see what the line does."""
    jobs = [(seed, "coreg") for seed in plan.seeds]
    rows: list[ShiftRow] = [row for some in each_done(plan.workers, shift_rows, jobs) for row in some]
    return {HEADINGS[3]: f"{_cohort(plan)}\n\n{robustness_table(rows)}"}


def registration(plan: Plan) -> dict[str, str]:
    """Register pullback labels to what is segmented, and to the CCTA's label."""
    rows: list[RegistrationRow] = list(
        each_done(plan.workers, registration_row, [(seed,) for seed in plan.seeds])
    )
    return {HEADINGS[4]: f"{_cohort(plan)}\n\n{registration_table(rows)}"}


def speed(plan: Plan) -> dict[str, str]:
    """Time one vessel at a time, each in a process of its own."""
    return {HEADINGS[5]: speed_table(plan.seeds[0], plan.methods)}


def _cohort(plan: Plan) -> str:
    return f"Synthetic patients, seeds {plan.seeds[0]}-{plan.seeds[-1]}."


def accuracy_table(rows: list[Row]) -> str:
    """Summarise the cases of each method in Markdown."""
    lines = [
        "| method | Dice: mean / worst | outside all arteries, ml: mean / most "
        "| radius, mm: bias / unmarked / absolute | OV: mean / worst | OF | OT "
        "| AI, mm: mean / worst | branches: recall / precision | marked: mean / most | no line |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for method in dict.fromkeys(row.method for row in rows):
        mine = [row for row in rows if row.method == method]
        lines.append(f"| {method} | {' | '.join(_cells(mine))} |")
    return "\n".join(lines)


def _cells(rows: list[Row]) -> list[str]:
    def mean(name: str, pattern: str) -> str:
        return _text(_known(rows, name), np.mean, pattern)

    def pair(name: str, pattern: str, worst: Callable) -> str:
        return f"{mean(name, pattern)} / {_text(_known(rows, name), worst, pattern)}"

    total = {
        name: sum(getattr(row, name) for row in rows) for name in ("expected", "recalled", "offered", "right")
    }
    branches = f"{ratio(total['recalled'], total['expected'])} / {ratio(total['right'], total['offered'])}"
    return [
        pair("dice", "{:.3f}", np.min),
        pair("elsewhere_ml", "{:.2f}", np.max),
        " / ".join(
            (mean("bias_mm", "{:+.3f}"), mean("unmarked_bias_mm", "{:+.3f}"), mean("absolute_mm", "{:.3f}"))
        ),
        pair("overlap", "{:.3f}", np.min),
        mean("overlap_until_error", "{:.3f}"),
        mean("overlap_relevant", "{:.3f}"),
        pair("inside_mm", "{:.3f}", np.max),
        branches if total["expected"] or total["offered"] else "-",
        pair("marked", "{:.1%}", np.max),
        f"{sum(bool(row.error) for row in rows)} of {len(rows)}",
    ]


def _known(rows: list[Row], name: str) -> np.ndarray:
    values = np.array([getattr(row, name) for row in rows])
    return values[np.isfinite(values)]


def _text(values: np.ndarray, summary: Callable, pattern: str) -> str:
    return pattern.format(summary(values)) if len(values) else "-"


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=seed_range, default="2000-2019", help="first-last")
    parser.add_argument("--level", action="append", choices=LEVELS, help="for accuracy; both by default")
    parser.add_argument("--method", action="append", choices=list(METHODS), help="all by default")
    parser.add_argument("--part", default=",".join(PARTS), help="some of " + ", ".join(PARTS))
    parser.add_argument("--workers", type=int, default=2, help="processes; speed takes one at a time")
    parser.add_argument("--out", type=folder, default=HERE)
    options = parser.parse_args()
    parts = options.part.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error(f"--part: found {', '.join(sorted(unknown))}, expected some of {', '.join(PARTS)}")
    levels, methods = tuple(options.level or LEVELS), tuple(options.method or METHODS)
    plan = Plan(options.seeds, levels, methods, options.workers, options.out)
    options.out.mkdir(parents=True, exist_ok=True)
    runs = {"accuracy": accuracy, "robustness": robustness, "registration": registration, "speed": speed}
    for part in parts:
        sections = runs[part](plan)
        page, about = options.out / "segmentation.md", HERE / "about-segmentation.md"
        write_sections(page, sections, about=about, headings=HEADINGS)
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores: {options.out / 'segmentation.md'}")


if __name__ == "__main__":
    main()
