"""What commands print: progress and notes on standard error, outcomes on standard output."""

from __future__ import annotations

import json
import logging
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from coreg.rounding import rounded_text

Progress = Callable[[str, float], None]
# After so many seconds a stage says again how far it is.
LONG_S = 8.0
RESEARCH_ONLY = "For research use only."


class Console:
    """Prints for one command.

    Parameters
    ----------
    verbose, quiet : bool
        More, or errors only.
    as_json : bool
        Whether the outcome is printed as JSON instead of text.
    """

    def __init__(self, *, verbose: bool = False, quiet: bool = False, as_json: bool = False) -> None:
        self.verbose = verbose
        self.quiet = quiet
        self.as_json = as_json
        logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(message)s")

    def note(self, text: str) -> None:
        """Print a line on standard error."""
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)

    def detail(self, text: str) -> None:
        """Print a line on standard error if asked to say more."""
        if self.verbose:
            self.note(text)

    def outcome(self, text: str, data: Mapping[str, Any]) -> None:
        """Print what a command found: ``text``, or ``data`` as JSON."""
        if self.as_json:
            print(json.dumps(plain(data), indent=2, allow_nan=False))
        elif not self.quiet:
            print(text)

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """Give a callback ``(stage, fraction)``: a bar on a terminal, plain lines elsewhere."""
        if self.quiet:
            yield lambda _stage, _fraction: None
        elif sys.stderr.isatty():
            with _bar() as report:
                yield report
        else:
            yield lines(self.note)


@contextmanager
def _bar() -> Iterator[Progress]:
    from rich.console import Console as RichConsole
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description:<32}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %")
    with Progress(*columns, TimeElapsedColumn(), console=RichConsole(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda stage, fraction: bar.update(task, description=stage, completed=fraction)


def lines(note: Callable[[str], None], clock: Callable[[], float] = time.perf_counter) -> Progress:
    """Print a line for each new stage, with the seconds since the first, and how far a long one is."""
    start = told = clock()
    last = ""

    def report(stage: str, fraction: float) -> None:
        nonlocal last, told
        now = clock()
        if stage != last:
            note(f"[{now - start:5.1f} s] {stage}")
        elif now - told >= LONG_S:
            note(f"[{now - start:5.1f} s] {stage} ({100.0 * fraction:.0f} % of all)")
        else:
            return
        last, told = stage, now

    return report


def part_of(progress: Progress, start: float, stop: float) -> Progress:
    """Let a step's own 0 to 1 fill a part of the whole bar."""
    return lambda stage, fraction: progress(stage, start + (stop - start) * fraction)


def plain(value: Any) -> Any:
    """Turn a value into what JSON knows; what is not a finite number becomes null."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(each) for each in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, bool, int)):
        return value
    return str(value)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Align cells in columns: the first to the left, numbers to the right."""
    cells = [list(header), *[list(row) for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    lines = []
    for row in cells:
        first, *others = (
            cell.ljust(w) if i == 0 else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join([first, *others]).rstrip())
    return "\n".join(lines)


def number(value: float, digits: int = 2, *, signed: bool = False) -> str:
    """Format a number; a dash for one that could not be measured."""
    if not math.isfinite(value):
        return "-"
    return rounded_text(value, digits, signed=signed)


def aligned(rows: Sequence[tuple[str, str]]) -> str:
    """Write names and values in two columns, and below what it must not be used for."""
    width = max(len(name) for name, _ in rows)
    lines = [f"{name:<{width}}  {value}" for name, value in rows]
    return "\n".join([*lines, RESEARCH_ONLY])
