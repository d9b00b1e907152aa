"""What the benchmarks share: jobs in several processes, tables on disk, and pages made of sections."""

from __future__ import annotations

import csv
import multiprocessing
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import Any


def each_done(workers: int, function: Callable, jobs: Sequence[tuple]) -> Iterator:
    """Call a function for each job, in order of the jobs, in as many processes as are wanted."""
    if workers == 1:
        yield from (function(*job) for job in jobs)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from pool.map(function, *zip(*jobs, strict=True))


def write_rows(path: Path, rows: Sequence[Any]) -> None:
    """Write rows, which are dataclasses of one kind."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        names = [each.name for each in fields(rows[0])]
        writer.writerow(names)
        for row in rows:
            values = [getattr(row, name) for name in names]
            writer.writerow([f"{each:.4f}" if isinstance(each, float) else each for each in values])


def write_sections(path: Path, sections: dict[str, str], *, about: Path, headings: Sequence[str]) -> None:
    """Put sections into a page and keep those of other runs.

    Parameters
    ----------
    path : Path
        The page.
    sections : dict of str to str
        Their texts by heading.
    about : Path
        What comes before all sections.
    headings : sequence of str
        All that the page may have, in its order.
    """
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    kept = dict(re.findall(r"^## (.+?)\n\n(.*?)(?=^## |\Z)", old, re.MULTILINE | re.DOTALL))
    whole = {name: text.strip() for name, text in (kept | sections).items()}
    text = [about.read_text(encoding="utf-8").strip()]
    text += [f"## {name}\n\n{whole[name]}" for name in headings if name in whole]
    path.write_text("\n\n".join(text) + "\n", encoding="utf-8")


def ratio(part: int, whole: int) -> str:
    """Write a share with its counts; a dash where there is nothing to count."""
    return f"{part / whole:.2f} ({part} of {whole})" if whole else "-"
