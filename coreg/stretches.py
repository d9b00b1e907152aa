"""Counts, and stretches of frames or of a vessel that are not to be trusted, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from coreg.rounding import rounded_text

Extent = TypeVar("Extent", int, float)


def counted(count: int, what: str, plural: str = "s") -> str:
    """Write a number of things.

    >>> counted(1, "stretch", "es"), counted(2, "stretch", "es")
    ('1 stretch', '2 stretches')
    """
    return f"{count} {what}{plural * (count != 1)}"


def frames_text(first: int, last: int) -> str:
    """Name a run of frames.

    >>> frames_text(17, 17), frames_text(17, 20)
    ('frame 17', 'frames 17 to 20')
    """
    return f"frames {first} to {last}" if last > first else f"frame {first}"


def lengths_text(start_mm: float, end_mm: float, *, digits: int = 1) -> str:
    """Name a stretch of a vessel; one that is shorter than the last digit shows is a place.

    >>> lengths_text(17.0, 18.25), lengths_text(17.01, 17.04)
    ('17.0 to 18.3 mm', 'at 17.0 mm')
    """
    start, end = (rounded_text(each, digits) for each in (start_mm, end_mm))
    return f"at {start} mm" if start == end else f"{start} to {end} mm"


def longest(stretches: Sequence[tuple[Extent, Extent, str]], most: int) -> list[tuple[Extent, Extent, str]]:
    """Keep the longest stretches (from, to, reason), the longest first."""
    return sorted(stretches, key=lambda each: each[0] - each[1])[:most]


def more_text(count: int) -> str:
    """Say how many stretches are not named; empty where all are.

    >>> more_text(1), more_text(0)
    ('and 1 more stretch', '')
    """
    return f"and {counted(count, 'more stretch', 'es')}" if count > 0 else ""


def frame_marks(stretches: Sequence[tuple[int, int, str]], *, most: int) -> list[str]:
    """Say which frames are not to be trusted and why, the longest runs first."""
    texts = [f"{frames_text(first, last)}: {reason}" for first, last, reason in longest(stretches, most)]
    return [*texts, *filter(None, [more_text(len(stretches) - most)])]


def vessel_marks(stretches: Sequence[tuple[float, float, str]], *, most: int) -> list[str]:
    """Say where a vessel's lumen is not to be trusted and why, the longest stretches first."""
    texts = [f"{lengths_text(start, end)}: {reason}" for start, end, reason in longest(stretches, most)]
    return [*texts, *filter(None, [more_text(len(stretches) - most)])]
