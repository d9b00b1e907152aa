"""What command lines of benchmarks take, checked before the first of many cases runs."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path


def seed_range(text: str) -> range:
    """Read first-last, both among them, or one seed.

    Raises
    ------
    ArgumentTypeError
        If it is neither, or ends before it begins.
    """
    first, dash, last = text.partition("-")
    if not (first.isdecimal() and (last.isdecimal() or not dash)):
        msg = f"found {text!r}, expected first-last, such as 0-3"
        raise ArgumentTypeError(msg)
    seeds = range(int(first), int(last or first) + 1)
    if not seeds:
        msg = f"found {text!r}, expected the lower seed first"
        raise ArgumentTypeError(msg)
    return seeds


def whole_number(least: int) -> Callable[[str], int]:
    """Make a reader of whole numbers from a least one."""

    def read(text: str) -> int:
        if not text.strip().isdecimal() or int(text) < least:
            msg = f"found {text!r}, expected a whole number from {least}"
            raise ArgumentTypeError(msg)
        return int(text)

    return read


def whole_numbers(least: int) -> Callable[[str], tuple[int, ...]]:
    """Make a reader of whole numbers with commas between, each from a least one."""
    one = whole_number(least)
    return lambda text: tuple(one(part) for part in text.split(","))


def folder(text: str) -> Path:
    """Take a path for a folder, which may not be there yet.

    Raises
    ------
    ArgumentTypeError
        If a file is in the way.
    """
    path = Path(text)
    blocking = next((each for each in (path, *path.parents) if each.exists() and not each.is_dir()), None)
    if blocking is not None:
        msg = f"found the file {blocking}, expected a folder"
        raise ArgumentTypeError(msg)
    return path
