"""Marks against single frames, as they lie beside the outlines that coreg wrote."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from coreg.io.tables import read_table
from coreg.pullback_vessel import NO_CONTOUR, OUTSIDE

LUMEN, CONTOURS, QUALITY = "pullback_lumen.nii.gz", "contours.csv", "frame_quality.csv"
QUALITY_COLUMNS = ("frame", "quality", "reason")


@dataclass(frozen=True)
class FrameMarks:
    """What is to be thought of the outlines of single frames, by acquisition index.

    Attributes
    ----------
    quality : mapping of int to float
        From 0 to 1.
    marked : mapping of int to str
        Why an outline is not to be trusted.
    notes : tuple of str
        What a person should know, in plain words.
    """

    quality: Mapping[int, float] = field(default_factory=dict)
    marked: Mapping[int, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def marks_file(path: Path) -> Path | None:
    """Return the ``frame_quality.csv`` beside outlines that have the name coreg gives; None without one."""
    beside = path.parent / QUALITY
    return beside if path.name in {LUMEN, CONTOURS} and beside.is_file() else None


def marks_beside(path: Path, frames: Collection[int]) -> FrameMarks:
    """Read the marks that lie beside a file of outlines, if there are any: see `marks_file`.

    Parameters
    ----------
    path : Path
        Of the outlines, called ``contours.csv`` or ``pullback_lumen.nii.gz``.
    frames : collection of int
        Those that have an outline; one that had none when the marks were written has no mark.

    Raises
    ------
    InputError
        If the marks cannot be read.
    """
    beside = marks_file(path)
    if beside is None:
        return FrameMarks()
    table = read_table(beside, required=QUALITY_COLUMNS)
    quality, reason = table.numbers("quality", required=True), table.texts("reason")
    bad = np.flatnonzero((quality < 0.0) | (quality > 1.0))
    if len(bad):
        raise table.bad_cell(int(bad[0]), "quality", "0 to 1")
    known = [
        (frame, float(quality[row]), reason[row])
        for row, frame in enumerate(table.whole_numbers("frame").tolist())
        if frame in frames and reason[row] not in {NO_CONTOUR, OUTSIDE}
    ]
    marked = {frame: why for frame, _, why in known if why}
    note = f"{len(marked)} of {len(frames)} contours are marked in the {QUALITY} beside {path.name}"
    return FrameMarks({frame: each for frame, each, _ in known}, marked, (note,) if marked else ())
