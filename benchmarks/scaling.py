"""Time and peak memory of the registration against frames, side branches, and cases one after the other.

    python benchmarks/scaling.py --out dev
    python benchmarks/scaling.py --frames 100,400,1600 --cases 1,4 --out dev --format png

Frames: one synthetic IVUS pullback through the heartbeat, of which evenly spaced frames are kept, so that
the anatomy is the same. Side branches: so many of those that both modalities show are given in the case.
Cases: so many OCT patients one after the other in one process. The least time of three runs counts. Prints
tables, and writes ``scaling.md`` and a figure.
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import matplotlib as mpl
import numpy as np
from arguments import folder, whole_number, whole_numbers
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from measuring import THREADS, Cost, apart, measured

from coreg.case import Case
from coreg.errors import CoregError
from coreg.landmarks import SideBranch
from coreg.phantom import make_patient, preset
from coreg.pullback import Pullback
from coreg.registration import register
from coreg.registration.scene import FEWEST_FRAMES
from coreg.report.style import AFTER, BEFORE, PULLBACK, look

FRAMES = (100, 200, 400, 800, 1600, 3000)
CASES = (1, 2, 4, 8)
RUNS = 3


@dataclass(frozen=True)
class Point:
    """What one size took, in seconds and GB."""

    size: int
    cost: Cost


def by_frames(seed: int, counts: Sequence[int]) -> list[Point]:
    """Register one pullback, thinned to so many frames."""
    settings = replace(preset("typical", modality="IVUS"), ivus_acquisition="motorized")
    case = make_patient(seed, settings=settings).case
    most = len(case.pullback)
    sizes = sorted({min(count, most) for count in counts})
    return [_point(size, [replace(case, pullback=thinned(case.pullback, size))]) for size in sizes]


def thinned(pullback: Pullback, count: int) -> Pullback:
    """Keep ``count`` evenly spaced frames of a pullback, the first and the last among them."""
    kept = np.rint(np.linspace(0, len(pullback) - 1, count)).astype(int)
    frame = pullback.frame[kept]
    lumen = {int(f): pullback.lumen[int(f)] for f in frame if int(f) in pullback.lumen}
    eem = {int(f): pullback.eem[int(f)] for f in frame if int(f) in pullback.eem}
    return replace(pullback, frame=frame, position_mm=pullback.position_mm[kept], lumen=lumen, eem=eem)


def by_branches(seed: int) -> list[Point]:
    """Register one case with none to all of its side branches given in both modalities."""
    case = make_patient(seed).case
    most = len(case.landmarks)
    return [_point(count, [with_branches(case, count)]) for count in range(most + 1)]


def with_branches(case: Case, count: int) -> Case:
    """Give a case the first side branches that both modalities show."""
    marks = case.landmarks[:count]
    ccta = tuple(SideBranch(each.id, world_mm=each.world_mm, radius_mm=1.0) for each in marks)
    pullback = tuple(SideBranch(each.id, frame=each.frame, angle_rad=each.angle_rad) for each in marks)
    return replace(case, ccta_side_branches=ccta, pullback_side_branches=pullback)


def by_cases(seed: int, counts: Sequence[int]) -> list[Point]:
    """Register so many patients one after the other in one process."""
    cases = [make_patient(seed + i).case for i in range(max(counts))]
    return [_point(count, cases[:count]) for count in counts]


def _point(size: int, cases: list[Case]) -> Point:
    # Whatever else the machine does can only add time, so the least of several runs counts.
    point = Point(size, min((apart(_registered, cases) for _ in range(RUNS)), key=lambda cost: cost.seconds))
    print(f"{size}: {point.cost.seconds:.2f} s, {point.cost.memory_gb:.2f} GB", flush=True)
    return point


def _registered(cases: list[Case]) -> Cost:
    # What is loaded on first use is loaded before the clock starts.
    with suppress(CoregError):
        register(cases[0], method="rigid")
    return measured(lambda: [register(case) for case in cases])[1]


def slope(points: Sequence[Point]) -> float:
    """Exponent p of a law ``seconds = c size^p`` fitted to the upper half of the sizes above 0."""
    some = [each for each in points if each.size > 0]
    some = some[max(min(len(some) // 2, len(some) - 2), 0) :]
    if len(some) < 2:
        return float("nan")
    size, seconds = np.log([each.size for each in some]), np.log([each.cost.seconds for each in some])
    return float(np.polyfit(size, seconds, 1)[0])


def table(name: str, points: Sequence[Point]) -> str:
    """Write points in Markdown."""
    lines = [f"| {name} | seconds | peak memory, GB |", "| --- | --- | --- |"]
    lines += [f"| {each.size} | {each.cost.seconds:.2f} | {each.cost.memory_gb:.2f} |" for each in points]
    return "\n".join(lines)


def scaling_figure(series: dict[str, list[Point]]) -> Figure:
    """Draw seconds and memory over size, both logarithmic; sizes of 0 are left out."""
    figure, axes = plt.subplots(1, len(series), figsize=(4.4 * len(series), 4.2), squeeze=False)
    for (name, points), left in zip(series.items(), axes[0], strict=True):
        size = np.array([each.size for each in points])
        seconds = np.array([each.cost.seconds for each in points])
        memory = np.array([each.cost.memory_gb for each in points])
        some = size > 0
        left.plot(size[some], seconds[some], "o-", color=PULLBACK, label="seconds")
        left.plot(size[some], memory[some], "s-", color=AFTER, label="peak memory, GB")
        linear = seconds[some][-1] * size[some] / size[some][-1]
        left.plot(size[some], linear, ":", color=BEFORE, label="in proportion")
        left.set(xscale="log", yscale="log", xlabel=name)
        left.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        left.yaxis.set_major_formatter("{x:g}")
        left.set_xticks(size[some], [str(each) for each in size[some]])
        for axis in (left.xaxis, left.yaxis):
            axis.set_minor_formatter(NullFormatter())
    axes[0, 0].set_ylabel("seconds; GB")
    axes[0, 0].legend(loc="best")
    figure.tight_layout()
    return figure


def main() -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=whole_number(0), default=0)
    parser.add_argument(
        "--frames", type=whole_numbers(FEWEST_FRAMES), default=FRAMES, help="how many, such as 100,400,1600"
    )
    parser.add_argument("--cases", type=whole_numbers(1), default=CASES, help="how many, such as 1,4")
    parser.add_argument("--out", type=folder, required=True)
    parser.add_argument("--format", default="svg", choices=["svg", "png"])
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    os.environ.update(dict.fromkeys(THREADS, "1"))
    mpl.use("agg")
    series = {
        "frames": by_frames(options.seed, options.frames),
        "side branches": by_branches(options.seed),
        "cases": by_cases(options.seed, options.cases),
    }
    made = f"Seed {options.seed}, Python {platform.python_version()}, CPU with {os.cpu_count()} cores."
    grows = f"Seconds grow as frames to the power of {slope(series['frames']):.2f} in the upper half."
    text = "\n\n".join([made, *(table(name, points) for name, points in series.items()), grows])
    print(text)
    (options.out / "scaling.md").write_text(text + "\n", encoding="utf-8")
    with look():
        metadata = {"Date": None, "Creator": None} if options.format == "svg" else None
        scaling_figure(series).savefig(options.out / f"scaling.{options.format}", metadata=metadata, dpi=110)


if __name__ == "__main__":
    main()
