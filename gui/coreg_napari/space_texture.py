"""The picture that is laid on the plane of a frame in space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.colors import to_rgb

from coreg.case import Case
from coreg.pullback_images import PullbackImages
from coreg_napari.colours import PULLBACK_LUMEN

FloatArray = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.uint8]

PIXELS = 256
BLANK, LINE_MM, STEP_MM = 70, 0.22, 0.05
OUTLINE_COLOUR = np.rint(255.0 * np.array(to_rgb(PULLBACK_LUMEN))).astype(np.uint8)
# A frame without an image shows this much around nearly all outlines.
AROUND_OUTLINE = 1.15


@dataclass(frozen=True, eq=False)
class FramePainter:
    """Paints a frame's image and outline onto a square about the catheter.

    Attributes
    ----------
    images : PullbackImages or None
        Grey frames; where there is none the square is plain.
    lumen : mapping of int to (M, 2) array
        Outlines by acquisition index, mm from the catheter.
    reach_mm : float
        From the catheter to the square's sides.
    """

    images: PullbackImages | None
    lumen: Mapping[int, FloatArray]
    reach_mm: float

    @classmethod
    def of(cls, case: Case) -> FramePainter:
        """Take what a case has: images as far as they are seen whole, else the outlines."""
        images, lumen = case.pullback_images, case.pullback.lumen
        if images is not None:
            return cls(images, lumen, seen_mm(images))
        farthest = [float(np.linalg.norm(each, axis=1).max()) for each in lumen.values()]
        return cls(None, lumen, AROUND_OUTLINE * float(np.percentile(farthest, 95)) if farthest else 3.0)

    def painted(self, frame: int) -> Pixels:
        """Paint a frame, (PIXELS, PIXELS, 3): columns along the image's, rows downwards as in the image."""
        texture = np.repeat(self._grey(frame)[..., None], 3, axis=2)
        if frame in self.lumen:
            self._draw(texture, self.lumen[frame])
        return texture

    def texture_places(self, xy_mm: FloatArray) -> FloatArray:
        """Take in-plane mm (M, 2) to places (M, 2) in the texture: right and up, from 0 to 1."""
        share = 0.5 + 0.5 * xy_mm / self.reach_mm
        return np.column_stack([share[:, 0], 1.0 - share[:, 1]])

    def _grey(self, frame: int) -> Pixels:
        if self.images is None or not 0 <= frame < len(self.images):
            return np.full((PIXELS, PIXELS), BLANK, dtype=np.uint8)
        rows, columns = self.images.pixels.shape[1:]
        middle_mm = self.reach_mm * ((2.0 * np.arange(PIXELS) + 1.0) / PIXELS - 1.0)
        (x_mm, y_mm), (x_px, y_px) = self.images.pixel_spacing_mm, self.images.catheter_px
        column = np.clip(np.rint(x_px + middle_mm / x_mm), 0, columns - 1).astype(np.int64)
        row = np.clip(np.rint(y_px + middle_mm / y_mm), 0, rows - 1).astype(np.int64)
        return self.images.pixels[frame][row[:, None], column]

    def _draw(self, texture: Pixels, outline_mm: FloatArray) -> None:
        """Draw a closed line, as broad on the vessel however large the picture is."""
        closed = np.vstack([outline_mm, outline_mm[:1]])
        along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
        at = np.arange(0.0, along[-1], STEP_MM)
        points = np.column_stack([np.interp(at, along, closed[:, axis]) for axis in range(2)])
        pixel_mm = 2.0 * self.reach_mm / PIXELS
        half = max(0, round(0.5 * LINE_MM / pixel_mm))
        brush = np.stack(np.meshgrid(*[np.arange(-half, half + 1)] * 2), axis=-1).reshape(-1, 2)
        pixel = np.floor((points + self.reach_mm) / pixel_mm).astype(np.int64)
        column, row = np.clip((pixel[:, None] + brush).reshape(-1, 2), 0, PIXELS - 1).T
        texture[row, column] = OUTLINE_COLOUR


def seen_mm(images: PullbackImages) -> float:
    """Radius in mm of the largest disc about the catheter that the images show whole."""
    rows, columns = images.pixels.shape[1:]
    size = np.array([columns, rows])
    to_edge = np.minimum(images.catheter_px + 0.5, size - 0.5 - images.catheter_px) * images.pixel_spacing_mm
    return float(min(images.field_of_view_mm, to_edge.min()))
