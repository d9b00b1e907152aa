"""The images of a pullback."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from coreg.pullback import Modality

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
CatheterType = Literal["rotating", "solid-state"]


@dataclass(frozen=True, eq=False)
class PullbackImages:
    """Grey images of the frames of a pullback, in acquisition order.

    Nothing that a console burned in is left: what lies outside the field of view is black, and
    marks inside it are black and listed as hidden.

    Attributes
    ----------
    pixels : (N, rows, columns) uint8 array
        Grey values.
    pixel_spacing_mm : (2,) array
        Between columns, between rows.
    catheter_px : (2,) array
        Column and row of the catheter's centre.
    modality : str
        OCT or IVUS.
    field_of_view_mm : float
        Largest distance from the catheter that the images show.
    catheter_type : str
        ``rotating`` (OCT, mechanical IVUS) or ``solid-state``.
    hidden : (rows, columns) bool array
        Pixels that tell nothing in any frame.
    marks : mapping of int to (rows, columns) bool array
        More hidden pixels in single frames, by acquisition index.
    frame_rate_hz : float or None
        Images per second, where it is known.
    sources : mapping of str to str
        Where each fact comes from: the case, the file, or what stands in for it.
    notes : tuple of str
        What a person should know, in plain words.
    """

    pixels: npt.NDArray[np.uint8]
    pixel_spacing_mm: FloatArray
    catheter_px: FloatArray
    modality: Modality
    field_of_view_mm: float
    catheter_type: CatheterType = "rotating"
    hidden: BoolArray | None = None
    marks: Mapping[int, BoolArray] = field(default_factory=dict)
    frame_rate_hz: float | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.dtype != np.uint8 or not self.pixels.size:
            found = f"{self.pixels.dtype} {self.pixels.shape}"
            msg = f"pixels must be uint8 of shape (N, rows, columns), got {found}"
            raise ValueError(msg)
        shape = self.pixels.shape[1:]
        for name in ("pixel_spacing_mm", "catheter_px"):
            values = np.array(getattr(self, name), dtype=np.float64)
            if values.shape != (2,) or not np.isfinite(values).all():
                msg = f"{name} must be two finite numbers, got {values}"
                raise ValueError(msg)
            values.flags.writeable = False
            object.__setattr__(self, name, values)
        if not (self.pixel_spacing_mm > 0.0).all() or not self.field_of_view_mm > 0.0:
            msg = (
                f"pixel_spacing_mm and field_of_view_mm must be positive, got {self.pixel_spacing_mm} and "
                f"{self.field_of_view_mm}"
            )
            raise ValueError(msg)
        for where, mask in [("hidden", self.hidden), *self.marks.items()]:
            if mask is not None and mask.shape != shape:
                msg = f"hidden pixels ({where}) must have shape {shape}, got {mask.shape}"
                raise ValueError(msg)

    def __len__(self) -> int:
        """Count the frames."""
        return len(self.pixels)

    def hidden_in(self, frame: int) -> BoolArray:
        """Pixels (rows, columns) of a frame that tell nothing."""
        always = np.zeros(self.pixels.shape[1:], dtype=bool) if self.hidden is None else self.hidden
        return always | self.marks[frame] if frame in self.marks else always
