"""What a file of contours holds, whichever tool wrote it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from coreg.contours import area_mm2, normalised_contour, spline_outline
from coreg.io.files import existing_file, unusable

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Contours = dict[int, FloatArray]
Phase = Literal["diastole", "systole"]

# Tools let a person set some ten to twenty knots; more points are an outline already.
MOST_KNOTS = 60
OUTLINE_POINTS = 500
# A whole pullback takes two megabytes as text.
LARGEST_BYTES = 100_000_000
# No pullback has more frames, even at 200 images a second.
MOST_FRAMES = 100_000
# No image is that large, in pixels or any length.
_LARGEST_COORDINATE = 1e5


@dataclass(frozen=True)
class DrawnImages:
    """What a file says of the images that its contours were drawn on; None where it does not.

    Attributes
    ----------
    size_px : tuple of int or None
        Columns and rows.
    frames : int or None
        How many images the pullback has.
    pixel_spacing_mm : tuple of float or None
        Between columns, between rows; as stated, so it may be absurd.
    frame_spacing_mm : float or None
        Between consecutive frames: the speed of the pullback by the rate of the images.
    frame_rate_hz : float or None
        Images per second.
    phase : mapping of int to str
        By acquisition index, for frames that were gated.
    unfit : mapping of int to str
        Reason by acquisition index for frames that the person who drew set aside.
    instance : bytes
        Digest of the UID of the image file.
    notes : tuple of str
        What a person should know, in plain words.
    """

    size_px: tuple[int, int] | None = None
    frames: int | None = None
    pixel_spacing_mm: tuple[float, float] | None = None
    frame_spacing_mm: float | None = None
    frame_rate_hz: float | None = None
    phase: Mapping[int, Phase] = field(default_factory=dict)
    unfit: Mapping[int, str] = field(default_factory=dict)
    instance: bytes = b""
    notes: tuple[str, ...] = ()

    @property
    def centre_px(self) -> tuple[float, float] | None:
        """Column and row of the images' centre, where consoles put the catheter."""
        return None if self.size_px is None else ((self.size_px[0] - 1) / 2.0, (self.size_px[1] - 1) / 2.0)

    def frames_of(self, phase: Phase) -> IntArray:
        """Acquisition indices of the gated frames of a phase, rising."""
        return np.array(sorted(frame for frame, each in self.phase.items() if each == phase), dtype=np.int64)


@dataclass(frozen=True, eq=False)
class ContourFile:
    """Contours as a file has them.

    Attributes
    ----------
    contours : dict of str to dict of int to (M, 2) array
        By kind (a HolOrama CSV has one kind, called lumen here) and acquisition index from 0: points
        along image columns and rows, in mm, or in pixels where ``images`` is given.
    about_catheter : bool
        Whether the points are counted from the catheter's centre. If not, from where HolOrama's CSV has
        its origin, with y still flipped; or in pixels, whose centres are at integers.
    z_mm : dict of int to float
        HolOrama's nominal position by frame; only for show.
    images : DrawnImages or None
        Where the points are in pixels, what the file says of the images.
    """

    contours: dict[str, Contours]
    about_catheter: bool
    z_mm: dict[int, float] = field(default_factory=dict)
    images: DrawnImages | None = None


def sized_file(path: Path) -> Path:
    """Return the path if it is a file that can be read and is not too large for contours.

    Raises
    ------
    InputError
        If it is missing, a folder, empty, or larger than any pullback's contours.
    """
    size = existing_file(path).stat().st_size
    if size > LARGEST_BYTES:
        found = f"{size / 1e6:.0f} MB"
        raise unusable(path, "", found=found, expected=f"contours, at most {LARGEST_BYTES / 1e6:.0f} MB")
    return path


def drawn_outline(path: Path, place: str, points: FloatArray) -> FloatArray:
    """Take what a person drew in pixels (M, 2) to an outline: knots are joined by a spline.

    Raises
    ------
    InputError
        If the points enclose nothing; ``place`` tells where they are in the file.
    """
    bad = np.flatnonzero(~(np.abs(points) <= _LARGEST_COORDINATE).all(axis=1))
    if len(bad):
        x, y = points[bad[0]]
        raise unusable(path, f"{place}, point {bad[0] + 1}", found=f"({x:g}, {y:g})", expected="pixels")
    try:
        return (
            spline_outline(points, OUTLINE_POINTS)
            if len(points) <= MOST_KNOTS
            else normalised_contour(points)
        )
    except ValueError as error:
        raise unusable(path, place, found=str(error), expected="a closed outline") from error


def largest_outline(outlines: Sequence[FloatArray]) -> FloatArray:
    """Of several outlines of one kind in a frame, the one with the largest area."""
    return max(outlines, key=area_mm2)


def split_by_frame(path: Path, frames: IntArray, xy: FloatArray) -> Contours:
    """Split points (M, 2) into contours; the order within a frame is kept.

    Raises
    ------
    InputError
        If one of them is no polygon.
    """
    order = np.argsort(frames, kind="stable")
    values, starts = np.unique(frames[order], return_index=True)
    pieces = np.split(xy[order], starts[1:])
    contours = {int(frame): piece for frame, piece in zip(values, pieces, strict=True)}
    _check_contours(path, contours.items())
    return contours


def _check_contours(path: Path, contours: Iterable[tuple[int, FloatArray]]) -> None:
    for frame, points in contours:
        if np.abs(points).max() > _LARGEST_COORDINATE:
            found = f"a coordinate of {points.flat[np.abs(points).argmax()]:g}"
            raise unusable(path, f"frame {frame} (from 0)", found=found, expected="millimetres")
        try:
            normalised_contour(points)
        except ValueError as error:
            raise unusable(
                path, f"frame {frame} (from 0)", found=str(error), expected="a closed outline"
            ) from error
