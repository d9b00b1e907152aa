"""Segmentation of pullback images whose truth is known, beside a plain path, and what real data can tell.

    python benchmarks/pullback.py                                     # all parts, on the held-out cohort
    python benchmarks/pullback.py --seeds 1500-1502 --part accuracy --level typical --out dev

Parts are accuracy, real, gating, registration and speed. Each writes its sections of ``pullback.md`` and
leaves the others' alone; all but real and speed also write a row per case to a table.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from arguments import folder, seed_range
from measuring import THREADS
from pages import each_done, write_rows, write_sections
from pullback_accuracy import accuracy_tables, case_rows, phantom_case
from pullback_gating import gating_row, gating_table
from pullback_real import contours_table, oct_table
from pullback_registration import placed_rows, placed_table
from pullback_speed import speed_table

from coreg.pullback import Modality

HERE = Path(__file__).parent
LEVELS = ("typical", "hard")
MODALITIES: tuple[Modality, ...] = ("OCT", "IVUS")
HEADINGS = (
    "Outlines, level typical",
    "Outlines, level hard",
    "Real OCT frames",
    "Real IVUS contours",
    "Gating",
    "Registration from the images of both",
    "Speed and memory",
)
MOST_HARD, MOST_GATED = 6, 10


@dataclass(frozen=True)
class Plan:
    """What to run."""

    seeds: range
    levels: tuple[str, ...]
    workers: int
    out: Path


def accuracy(plan: Plan) -> dict[str, str]:
    """Outline synthetic OCT and gated IVUS; at the hard level the first few patients."""
    sections = {}
    for level in plan.levels:
        seeds = plan.seeds if level == "typical" else plan.seeds[:MOST_HARD]
        jobs = [(seed, modality, level) for modality in MODALITIES for seed in seeds]
        results = _done(plan, phantom_case, jobs)
        write_rows(plan.out / f"pullback-{level}.csv", case_rows(results))
        sections[f"Outlines, level {level}"] = f"{_cohort(seeds)}\n\n{accuracy_tables(results)}"
    return sections


def real(_plan: Plan) -> dict[str, str]:
    """Compare with what is known of real data."""
    return {HEADINGS[2]: oct_table(), HEADINGS[3]: contours_table()}


def gating(plan: Plan) -> dict[str, str]:
    """Gate short runs of IVUS through the heartbeat."""
    seeds = plan.seeds[:MOST_GATED]
    rows = _done(plan, gating_row, [(seed,) for seed in seeds])
    write_rows(plan.out / "pullback-gating.csv", rows)
    return {HEADINGS[4]: f"{_cohort(seeds)}\n\n{gating_table(rows)}"}


def registration(plan: Plan) -> dict[str, str]:
    """Register from images on both sides: OCT of the first half of the patients, IVUS of the others."""
    half = (len(plan.seeds) + 1) // 2
    jobs = [(seed, "OCT") for seed in plan.seeds[:half]] + [(seed, "IVUS") for seed in plan.seeds[half:]]
    rows = [row for pair in _done(plan, placed_rows, jobs) for row in pair]
    write_rows(plan.out / "pullback-registration.csv", rows)
    return {HEADINGS[5]: f"{_cohort(plan.seeds)}\n\n{placed_table(rows)}"}


def speed(plan: Plan) -> dict[str, str]:
    """Time one pullback at a time, each in a process of its own."""
    return {HEADINGS[6]: speed_table(plan.seeds[0])}


PARTS = {
    "accuracy": accuracy,
    "real": real,
    "gating": gating,
    "registration": registration,
    "speed": speed,
}


def _done(plan: Plan, function: Callable, jobs: list[tuple]) -> list:
    with _one_thread_each():
        return list(each_done(plan.workers, function, jobs))


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Leave the cores to the cases: processes that start within have one thread each."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _cohort(seeds: range) -> str:
    return f"Synthetic patients, seeds {seeds[0]}-{seeds[-1]}."


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=seed_range, default="3000-3019", help="first-last")
    parser.add_argument("--level", action="append", choices=LEVELS, help="for accuracy; both by default")
    parser.add_argument("--part", default=",".join(PARTS), help="some of " + ", ".join(PARTS))
    parser.add_argument("--workers", type=int, default=2, help="processes; speed takes one at a time")
    parser.add_argument("--out", type=folder, default=HERE)
    options = parser.parse_args()
    parts = options.part.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error(f"--part: found {', '.join(sorted(unknown))}, expected some of {', '.join(PARTS)}")
    plan = Plan(options.seeds, tuple(options.level or LEVELS), options.workers, options.out)
    options.out.mkdir(parents=True, exist_ok=True)
    page, about = options.out / "pullback.md", HERE / "about-pullback.md"
    for part in parts:
        begin = time.perf_counter()
        write_sections(page, PARTS[part](plan), about=about, headings=HEADINGS)
        print(f"{part}: {time.perf_counter() - begin:.0f} s", flush=True)
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores: {page}")


if __name__ == "__main__":
    main()
