"""The reader of a synthetic pullback: what is drawn, where it is wrong, what is left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from coreg.phantom.lumen import Lumen
from coreg.phantom.outlines import outline_radii
from coreg.phantom.pulsation import resting_origin_mm
from coreg.phantom.randomness import component_rng
from coreg.phantom.settings import PhantomSettings

FloatArray = npt.NDArray[np.float64]

SMALLEST_CONTOUR_MM = 0.3
BAD_SHARE, BAD_BY = 0.1, (0.2, 0.6)


@dataclass(frozen=True, eq=False)
class Reading:
    """Contours that a reader drew.

    Attributes
    ----------
    contours : mapping of int to (M, 2) array
        By acquisition index, mm from the catheter's centre.
    field_of_view_mm : float
        Farthest distance from the catheter that the images show.
    """

    contours: Mapping[int, FloatArray]
    field_of_view_mm: float


def read_outlines(
    seed: int,
    lumen: Lumen,
    origin_mm: FloatArray,
    axes: FloatArray,
    axis_mm: FloatArray,
    lumen_factor: FloatArray,
    settings: PhantomSettings,
    *,
    ending: str,
    pitch_mm: float,
) -> Reading:
    """Draw the lumen in every frame; arrays are in acquisition order.

    Parameters
    ----------
    seed : int
        Of the patient.
    lumen : Lumen
        True lumen, at rest.
    origin_mm, axes : (N, 3), (N, 3, 2) arrays
        Exact poses.
    axis_mm : (N,) array
        Where the frames are along the vessel's axis; negative before its ostium.
    lumen_factor : (N,) array
        Radius over the radius at rest.
    settings : PhantomSettings
        How well the reader works.
    ending : str
        Whether frames before the ostium show the vessel, the guide catheter or the aorta.
    pitch_mm : float
        Between frames.
    """
    rng = component_rng(seed, "reader")
    count = int(rng.integers(96, 181))
    angle = (2.0 * np.pi * np.arange(count) / count + rng.uniform(0.0, 2.0 * np.pi)) % (2.0 * np.pi)
    reach = 5.0
    if rng.uniform() < settings.small_view_odds:
        reach = float(rng.uniform(2.2, 3.0))
    bulge = float(rng.uniform(*settings.bulge_range_mm))
    origin_mm = resting_origin_mm(lumen, origin_mm, axes, axis_mm, lumen_factor)
    reach_at_rest = reach / float(lumen_factor.min())
    radii = outline_radii(lumen, origin_mm, axes, angle, bulge_mm=bulge, reach_mm=reach_at_rest)
    radii = np.minimum(lumen_factor[:, None] * radii, reach)
    before = np.flatnonzero(axis_mm < 0.0)
    if ending == "guide":
        radii[before] = _guide_outline(rng, angle, len(before))
    elif ending == "aorta":
        radii[before] = reach
    sd_mm = rng.uniform(*settings.reader_noise_mm)
    if sd_mm > 0.0:
        radii = radii + sd_mm * _reader_noise(component_rng(seed, "reader noise"), radii.shape, pitch_mm)
    if component_rng(seed, "bad stretches").uniform() < settings.bad_stretch_odds:
        radii = _spoilt(component_rng(seed, "bad frames"), radii, angle)
    radii = np.clip(radii, SMALLEST_CONTOUR_MM, reach)
    missing = _missing_frames(component_rng(seed, "missing contours"), len(radii), settings)
    xy = radii[:, :, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    # Files hold tenths of a micrometre; what is in memory is the same.
    xy = np.round(xy, 4)
    return Reading({int(i): xy[i] for i in np.flatnonzero(~missing)}, reach)


def _reader_noise(rng: np.random.Generator, shape: tuple[int, int], pitch_mm: float) -> FloatArray:
    """Noise (N, A) of unit variance, smooth over some 20 degrees and half a millimetre."""
    sigma = (0.3 / pitch_mm, shape[1] * 10.0 / 360.0)
    noise = gaussian_filter(rng.standard_normal(shape), sigma, mode=("reflect", "wrap"))
    return noise / noise.std()


def _guide_outline(rng: np.random.Generator, angle: FloatArray, count: int) -> FloatArray:
    """Inner wall (N, A) of a guide catheter of 6 or 7 French around a core that leans on it."""
    radius, lean = rng.uniform(0.9, 1.0), rng.uniform(0.1, 0.4)
    toward = rng.uniform(0.0, 2.0 * np.pi) + np.cumsum(0.03 * rng.standard_normal(count))
    along = lean * np.cos(angle[None] - toward[:, None])
    across = lean * np.sin(angle[None] - toward[:, None])
    return along + np.sqrt(radius**2 - across**2)


def _spoilt(rng: np.random.Generator, radii: FloatArray, angle: FloatArray) -> FloatArray:
    """Contours with wrong stretches: a tenth of the frames cut by a shadow or drawn at the wrong edge."""
    spoilt, done = radii.copy(), np.zeros(len(radii), dtype=bool)
    wanted = round(BAD_SHARE * len(radii))
    while done.sum() < wanted:
        run = min(wanted - int(done.sum()), int(rng.integers(4, 13)))
        start = int(rng.integers(0, len(radii) - run))
        centre, width = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(0.5, 1.2)
        apart = np.abs((angle - centre + np.pi) % (2.0 * np.pi) - np.pi)
        wrong = rng.choice([-1.0, 1.0]) * rng.uniform(*BAD_BY)
        frames = start + np.flatnonzero(~done[start : start + run])
        spoilt[frames] *= 1.0 + wrong * np.exp(-((apart / width) ** 4))
        done[frames] = True
    return spoilt


def _missing_frames(rng: np.random.Generator, count: int, settings: PhantomSettings) -> npt.NDArray[np.bool_]:
    missing = np.zeros(count, dtype=bool)
    wanted = round(rng.uniform(*settings.missing_contour_share) * count)
    while missing.sum() < wanted:
        run = min(int(rng.integers(1, 6)), wanted - int(missing.sum()))
        start = int(rng.integers(1, count - 1 - run))
        missing[start : start + run] = True
    return missing
