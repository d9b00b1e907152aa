"""Frames of a pullback as files have them, and what the files say of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from coreg.pullback import Acquisition, Modality

FloatArray = npt.NDArray[np.float64]
Plane = npt.NDArray[Any]

# As bytes of grey values they must fit into memory.
MOST_PIXELS = 8_000_000_000
LARGEST_SIDE_PX = 8192


@dataclass(frozen=True, eq=False)
class FileFacts:
    """What files say of the frames; None where they say nothing that can be used.

    Attributes
    ----------
    pixel_spacing_mm : tuple of float or None
        Between columns, between rows.
    withdrawn_mm : (N,) array or None
        How far the catheter had been withdrawn from where it was in the first frame.
    signed : bool
        Whether the sign of ``withdrawn_mm`` tells withdrawing from advancing. If not, it only counts.
    at_rest : mapping of int to str
        Frames before and after the motor ran, with the reason to leave them out.
    modality : str or None
        OCT or IVUS.
    acquisition : str or None
        Kind of motion.
    frame_rate_hz : float or None
        Images per second.
    region_px : tuple of float or None
        First column, first row, last column and last row of the picture within a screen.
    catheter_px : tuple of float or None
        Column and row of the catheter's centre.
    field_of_view_mm : float or None
        Largest distance from the catheter that the frames show.
    sources : mapping of str to str
        What of the file each of these comes from.
    lacking : mapping of str to str
        What was found in place of one that is None.
    instance : bytes
        Digest of the UID of the one image file; empty where there is none.
    notes : tuple of str
        What a person should know, in plain words.
    """

    pixel_spacing_mm: tuple[float, float] | None = None
    withdrawn_mm: FloatArray | None = None
    signed: bool = False
    at_rest: Mapping[int, str] = field(default_factory=dict)
    modality: Modality | None = None
    acquisition: Acquisition | None = None
    frame_rate_hz: float | None = None
    region_px: tuple[float, float, float, float] | None = None
    catheter_px: tuple[float, float] | None = None
    field_of_view_mm: float | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    lacking: Mapping[str, str] = field(default_factory=dict)
    instance: bytes = b""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class FrameSource:
    """Frames in acquisition order, decoded when they are asked for.

    Attributes
    ----------
    kind : str
        What the files are, in words.
    count, rows, columns : int
        Frames and their size.
    planes : callable
        Takes indices of frames in growing order and yields each as (rows, columns) grey values or
        (rows, columns, 3) red, green and blue.
    facts : FileFacts
        What the files say.
    """

    kind: str
    count: int
    rows: int
    columns: int
    planes: Callable[[Sequence[int]], Iterator[Plane]]
    facts: FileFacts = field(default_factory=FileFacts)

    def sample(self, most: int) -> list[int]:
        """Choose at most so many frames, evenly over all of them."""
        return sorted(set(np.linspace(0, self.count - 1, min(most, self.count)).round().astype(int).tolist()))
