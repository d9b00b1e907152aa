"""Time, peak memory and equality of many registrations as one batch, on a CPU or a CUDA device.

    python benchmarks/batched.py --out dev
    python benchmarks/batched.py --cases 1,10,40 --device cuda --threads 8 --out dev

So many synthetic OCT patients of level typical, seeds from 0 on, are registered as one batch each, in a fresh
process. Paths are compared with those of `register` on the CPU, one case after the other. What is loaded on
first use is loaded before the clock starts. Prints a table, and writes ``batched.md``.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from arguments import folder, whole_number, whole_numbers
from measuring import THREADS, Cost, apart, measured

from coreg.case import Case
from coreg.catheter_path import VirtualCatheterPath
from coreg.phantom import make_patient
from coreg.registration import register, register_many, torch_device

CASES = (1, 5, 10, 20, 40)
HEAD = (
    "| cases | how | seconds | a case | of a processor, a case | peak memory, GB | of the device, GB "
    "| largest difference, mm | degrees |"
)


@dataclass(frozen=True)
class Run:
    """What so many cases took, as one batch or one by one, and where their frames were put.

    Processors' seconds are those of all threads, which other work on the machine does not lengthen.
    """

    count: int
    how: str
    cost: Cost
    processor_seconds: float
    device_gb: float
    paths: tuple[VirtualCatheterPath, ...]


def batched(cases: list[Case], device: str, threads: int) -> Run:
    """Register cases as one batch."""
    register_many(cases[:1], device=device)
    cuda = torch_device(device).type == "cuda"
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    begin = time.process_time()
    results, cost = measured(
        lambda: register_many(cases, device=device, threads=threads, together=len(cases))
    )
    busy = time.process_time() - begin
    device_gb = torch.cuda.max_memory_allocated() * 1e-9 if cuda else float("nan")
    return Run(len(cases), "batch", cost, busy, device_gb, _paths(results))


def one_by_one(cases: list[Case]) -> Run:
    """Register cases one after the other on the CPU."""
    register(cases[0], device="cpu")
    begin = time.process_time()
    results, cost = measured(lambda: [register(case, device="cpu") for case in cases])
    busy = time.process_time() - begin
    return Run(len(cases), "one by one, CPU", cost, busy, float("nan"), _paths(results))


def _paths(results: Sequence[object]) -> tuple[VirtualCatheterPath, ...]:
    for each in results:
        if isinstance(each, Exception):
            raise each
    return tuple(each.path for each in results)


def largest_difference(
    paths: Sequence[VirtualCatheterPath], others: Sequence[VirtualCatheterPath]
) -> tuple[float, float]:
    """Farthest distance in mm and largest angle in degrees between the same frames of paths.

    Infinite where one has a pose and the other has none.
    """
    mm, deg = 0.0, 0.0
    for one, other in zip(paths, others, strict=True):
        if (one.posed != other.posed).any():
            return float("inf"), float("inf")
        here = one.posed
        away = np.linalg.norm(one.origin_mm[here] - other.origin_mm[here], axis=1)
        # The chord, since the cosine of a small angle is 1.
        chord = np.linalg.norm(one.column[here] - other.column[here], axis=1)
        mm = max(mm, float(away.max(initial=0.0)))
        deg = max(deg, float(np.degrees(2.0 * np.arcsin(np.minimum(0.5 * chord, 1.0))).max(initial=0.0)))
    return mm, deg


def table(runs: Sequence[Run], alone: Run) -> str:
    """Write runs in Markdown, with how far their paths are from those of cases registered alone."""
    rows = [HEAD, "| --- " * 9 + "|"]
    for run in (*runs, alone):
        mm, deg = largest_difference(run.paths, alone.paths[: run.count])
        of_device = "" if np.isnan(run.device_gb) else f"{run.device_gb:.2f}"
        difference = "|" if run is alone else f"{mm:.1e} | {deg:.1e}"
        seconds, memory_gb = run.cost.seconds, run.cost.memory_gb
        rows.append(
            f"| {run.count} | {run.how} | {seconds:.1f} | {seconds / run.count:.2f} "
            f"| {run.processor_seconds / run.count:.2f} | {memory_gb:.2f} | {of_device} | {difference} |"
        )
    return "\n".join(rows)


def _device_name(device: str) -> str:
    cuda = torch_device(device).type == "cuda"
    return torch.cuda.get_device_name() if cuda else f"CPU with {os.cpu_count()} cores"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=whole_numbers(1), default=CASES, help="how many, such as 1,10,40")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--threads", type=whole_number(1), default=1, help="for what is not torch's work")
    parser.add_argument("--out", type=folder, required=True)
    options = parser.parse_args()
    os.environ.update(dict.fromkeys(THREADS, "1"))
    cases = [make_patient(seed).case for seed in range(max(options.cases))]
    alone = apart(one_by_one, cases)
    runs = []
    for count in options.cases:
        runs.append(apart(batched, cases[:count], options.device, options.threads))
        print(f"{count}: {runs[-1].cost.seconds:.1f} s", flush=True)
    made = (
        f"Python {platform.python_version()}, torch {torch.__version__}, batches on "
        f"{_device_name(options.device)}, {options.threads} thread(s) beside torch's."
    )
    text = f"{made}\n\n{table(runs, alone)}\n"
    print(text)
    options.out.mkdir(parents=True, exist_ok=True)
    Path(options.out, "batched.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
