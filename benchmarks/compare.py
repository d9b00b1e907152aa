"""Methods compared on cases whose truth is known: the same cases, one after the other, on one machine.

    python benchmarks/compare.py --seeds 0-3 --modality OCT --methods methods,oracles --out dev
    python benchmarks/compare.py --cases FOLDER --methods rigid --out dev   # what `coreg phantom` wrote
    python benchmarks/compare.py --seeds none --out dev                     # the page anew from its tables
    python benchmarks/compare.py --seeds none --real --out dev              # the real patient

Writes a row per case and method to ``cases.csv``, one per landmark to ``landmarks.csv``, one per frame to
``frames.csv.gz``, and the page ``README.md``. What the tables of ``--out`` hold already is not run again:
a run that was stopped goes on, and levels and methods can be added. An empty folder gives a run at one time.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, get_args

import torch
from arguments import folder, seed_range
from compare_cases import Subject, case_folders, phantoms, written
from compare_methods import METHODS, chosen
from compare_page import page
from compare_real import HEADING, real_table
from compare_results import CaseResult, append_results, read_results
from compare_run import run_apart
from measuring import THREADS

from coreg.errors import CoregError
from coreg.phantom.settings import Level
from coreg.pullback import Modality

HERE = Path(__file__).parent
PAGE, REAL, ABOUT = "README.md", "real.md", "about.md"


def main() -> None:
    """Run the comparison and write its page."""
    options = _options()
    os.environ.update(dict.fromkeys(THREADS, "1"))
    options.out.mkdir(parents=True, exist_ok=True)
    done = {each.key for each in options.results if not each.bug}
    for subject in _subjects(options):
        results = list(_new(subject, options.methods, done))
        append_results(options.out, results)
        for each in results:
            print(_line(each), flush=True)
    if options.real:
        (options.out / REAL).write_text(real_table(options.methods) + "\n", encoding="utf-8")
    write_page(options.out)
    print(options.out / PAGE)


def write_page(folder: Path) -> None:
    """Write the page of a folder's tables."""
    parts = [page(read_results(folder), about=(HERE / ABOUT).read_text(encoding="utf-8"), made=_made())]
    if (folder / REAL).exists():
        parts.append(f"## {HEADING}\n\n{(folder / REAL).read_text(encoding='utf-8')}")
    (folder / PAGE).write_text("\n".join(parts), encoding="utf-8")


def _new(subject: Subject, methods: Iterable[str], done: set[tuple[str, ...]]) -> Iterator[CaseResult]:
    """Run the methods on a case that its tables do not hold yet."""
    for method in methods:
        if (subject.case.id, subject.patient, subject.level, subject.modality, method) not in done:
            yield run_apart(subject, method)


def _subjects(options: argparse.Namespace) -> Iterator[Subject]:
    if options.cases:
        return written(options.cases)
    return chain.from_iterable(
        phantoms(level, modality, options.seeds) for level in options.level for modality in options.modality
    )


def _line(result: CaseResult) -> str:
    mm, deg = result.means[:2]
    found = result.error or f"{mm:.2f} mm, {deg:.1f} degrees, {result.verdict}, {result.seconds:.1f} s"
    return f"{result.level} {result.modality} {result.case} {METHODS[result.method].title}: {found}"


def _made() -> str:
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {os.cpu_count()} cores"
    return f"Made with Python {platform.python_version()}, torch {torch.__version__}, on {device}."


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    levels, modalities = get_args(Level), get_args(Modality)
    parser.add_argument("--level", default="typical", help=f"some of {', '.join(levels)}")
    parser.add_argument("--seeds", type=_seeds, default="4000-4039", help="first-last, or none")
    parser.add_argument("--modality", default="OCT,IVUS", help="some of OCT, IVUS")
    parser.add_argument("--cases", type=Path, help="folder of cases that `coreg phantom` wrote, instead")
    parser.add_argument("--methods", default="methods,oracles", help="names, or methods, oracles, ablation")
    parser.add_argument("--real", action="store_true", help="run the real patient too")
    parser.add_argument("--out", type=folder, default=HERE)
    options = parser.parse_args()
    options.level = _some(parser, "--level", options.level, levels)
    options.modality = _some(parser, "--modality", options.modality, modalities)
    options.methods = _checked(parser, "--methods", chosen, options.methods)
    if options.cases:
        options.cases = _checked(parser, "--cases", case_folders, options.cases)
    options.results = _checked(parser, "--out", read_results, options.out)
    return options


def _checked(parser: argparse.ArgumentParser, name: str, function: Callable, value: object) -> Any:
    try:
        return function(value)
    except ValueError as error:
        parser.error(f"{name}: {error}")


def _some(parser: argparse.ArgumentParser, name: str, text: str, known: tuple[str, ...]) -> list[str]:
    parts = text.split(",")
    if unknown := set(parts) - set(known):
        parser.error(f"{name}: found {', '.join(sorted(unknown))}, expected some of {', '.join(known)}")
    return parts


def _seeds(text: str) -> range:
    return range(0) if text == "none" else seed_range(text)


if __name__ == "__main__":
    try:
        main()
    except CoregError as error:
        sys.exit(f"compare.py: {error}")
