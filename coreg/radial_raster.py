"""Which pixels lie inside an outline that is known by its distance along rays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
UInt8Array = npt.NDArray[np.uint8]

_NEAREST_MM = 1e-9


@dataclass(frozen=True, eq=False)
class RadialRaster:
    """The pixels of an image in order of their distance from the catheter, ready for many outlines.

    A pixel between rays ``k`` and ``k + 1`` is ``share k`` times the unit vector of the one plus ``share
    k + 1`` times that of the other. It lies inside the polygon through the rays' ends, at distances r,
    where the shares divided by r add up to no more than 1.

    Attributes
    ----------
    shape : tuple of int
        Rows and columns.
    pixel : (P,) array
        Index into the flattened image, nearest first.
    distance_mm : (P,) array
        From the catheter's centre, rising.
    ray : (P,) array
        The ray before each pixel; the one after it follows.
    share_mm : (2, P) array
        Of that ray and the following one.
    rays : int
        How many go once round, from +column towards +row.
    """

    shape: tuple[int, int]
    pixel: IntArray
    distance_mm: FloatArray
    ray: IntArray
    share_mm: FloatArray
    rays: int

    def inside(self, distance_mm: FloatArray) -> UInt8Array:
        """Label (rows, columns), 1 where a pixel's centre lies within the outline's distances (A,)."""
        distance_mm = np.maximum(distance_mm, _NEAREST_MM)
        label = np.zeros(self.shape[0] * self.shape[1], dtype=np.uint8)
        # Nowhere is an edge nearer than the middle of a chord between two ends at the smallest distance.
        least = float(distance_mm.min()) * np.cos(np.pi / self.rays)
        first, last = np.searchsorted(self.distance_mm, [least, float(distance_mm.max())], side="right")
        label[self.pixel[:first]] = 1
        between = slice(first, last)
        inverse = 1.0 / distance_mm
        ray = self.ray[between]
        total = self.share_mm[0, between] * inverse[ray]
        total += self.share_mm[1, between] * np.roll(inverse, -1)[ray]
        label[self.pixel[between][total <= 1.0]] = 1
        return label.reshape(self.shape)


def radial_raster(
    shape: tuple[int, int], *, catheter_px: FloatArray, pixel_spacing_mm: FloatArray, rays: int
) -> RadialRaster:
    """Order the pixels of an image about its catheter.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns.
    catheter_px : (2,) array
        Column and row of the catheter's centre.
    pixel_spacing_mm : (2,) array
        Between columns, between rows.
    rays : int
        How many go once round at equal steps, from angle 0, at least 3.

    Examples
    --------
    >>> raster = radial_raster((3, 3), catheter_px=np.ones(2), pixel_spacing_mm=np.ones(2), rays=8)
    >>> raster.inside(np.full(8, 1.2)).tolist()
    [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
    """
    row, column = np.mgrid[: shape[0], : shape[1]]
    x = (column.ravel() - catheter_px[0]) * pixel_spacing_mm[0]
    y = (row.ravel() - catheter_px[1]) * pixel_spacing_mm[1]
    distance = np.hypot(x, y)
    pixel = np.argsort(distance, kind="stable")
    step = 2.0 * np.pi / rays
    along = (np.arctan2(y, x)[pixel] % (2.0 * np.pi)) / step
    ray = along.astype(np.int64) % rays
    beyond = (along - along.astype(np.int64)) * step
    share = distance[pixel] * np.array([np.sin(step - beyond), np.sin(beyond)]) / np.sin(step)
    return RadialRaster(shape, pixel, distance[pixel], ray, share, rays)
