"""Blood that the flush left in the lumen of an OCT pullback."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coreg.phantom.pullback_settings import PullbackImageSettings
from coreg.phantom.randomness import component_rng, smooth_noise
from coreg.phantom.speckle import texture

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]

CELL_MM = 0.03
SWIRL_MM = 0.5
RUN_FRAMES = 6.0
END_FRAMES = 4.0


@dataclass(frozen=True, eq=False)
class Blood:
    """Clouds of blood in a pullback.

    Attributes
    ----------
    amount : (N,) array
        Of each frame, from 0 (clear) to 1 (full).
    cloud, swirl : (T, T) arrays
        Noise of unit variance on a square grid: where it is dense, and how it was stirred.
    density : float
        Of the densest, in grey values of light lost per mm.
    """

    amount: FloatArray
    cloud: Float32Array
    swirl: Float32Array
    density: float

    def fall(
        self, rng: np.random.Generator, amount: float, x_mm: Float32Array, y_mm: Float32Array
    ) -> Float32Array:
        """Light lost per mm at points (A, R), in grey values."""
        shift = rng.uniform(0.0, CELL_MM * len(self.cloud), 4).astype(np.float32)
        stirred = np.float32(SWIRL_MM)
        x = x_mm + stirred * _at(self.swirl, x_mm + shift[0], y_mm + shift[1])
        y = y_mm + stirred * _at(self.swirl, y_mm + shift[1], x_mm + shift[0])
        cloud = _at(self.cloud, x + shift[2], y + shift[3])
        dense = np.clip(cloud + np.float32(1.6 * amount - 0.9), 0.0, 1.6)
        return np.float32(self.density) * dense


def draw_blood_clouds(seed: int, count: int, settings: PullbackImageSettings) -> Blood:
    """Draw when there is blood: in runs of frames, and most at both ends of the run."""
    rng = component_rng(seed, "residual blood")
    share = float(rng.uniform(*settings.blood_share))
    density = float(rng.uniform(*settings.blood_fall_per_mm))
    course = smooth_noise(rng, (count,), correlation=RUN_FRAMES)
    if share > 0.0:
        ends = np.minimum(np.arange(count), np.arange(count)[::-1])
        course += 3.0 * np.exp(-ends / END_FRAMES)
        course -= np.quantile(course, 1.0 - share)
        course /= max(float(course.max()), 1e-6)
    amount = np.clip(course, 0.0, 1.0) if share > 0.0 else np.zeros(count)
    return Blood(
        amount, texture(rng, (384, 384), (7.0, 7.0)), texture(rng, (384, 384), (14.0, 14.0)), density
    )


def _at(table: Float32Array, x_mm: Float32Array, y_mm: Float32Array) -> Float32Array:
    """Look a periodic table up at the nearest point."""
    size = len(table)
    i = np.floor(y_mm * (1.0 / CELL_MM)).astype(np.int32) % size
    j = np.floor(x_mm * (1.0 / CELL_MM)).astype(np.int32) % size
    return table.ravel()[i * size + j]
