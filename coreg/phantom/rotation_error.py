"""How a catheter that turns unevenly distorts the angles of its images."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from coreg.phantom.pullback_settings import PullbackImageSettings
from coreg.phantom.randomness import component_rng, smooth_noise

FloatArray = npt.NDArray[np.float64]

SMOOTH_FRAMES, SMOOTH_RAD = 6.0, 0.6
STEEPEST = 0.5


def true_angles(seed: int, count: int, settings: PullbackImageSettings) -> FloatArray:
    """Angles (N, A) that the lines of sight of all frames truly have.

    They rise round the image but for one line, the seam, where a frame ends and the next begins.
    Their error has no mean over a frame, so that a frame as a whole is turned as its pose says.
    """
    angles = 2.0 * np.pi * np.arange(settings.angles) / settings.angles
    if settings.catheter_type == "solid-state":
        return np.tile(angles, (count, 1))
    rng = component_rng(seed, "rotation error")
    sd_deg, step_deg = rng.uniform(*settings.distortion_deg), rng.uniform(*settings.seam_deg)
    sigma = (SMOOTH_FRAMES, SMOOTH_RAD / (2.0 * np.pi) * settings.angles)
    wave = gaussian_filter(rng.standard_normal((count, settings.angles)), sigma, mode=("reflect", "wrap"))
    wave *= np.radians(sd_deg) / max(float(wave.std()), 1e-12)
    # Steeper, and a line could be seen twice.
    wave *= min(1.0, STEEPEST / max(float(np.abs(np.gradient(wave, angles, axis=1)).max()), 1e-12))
    turned = np.radians(step_deg) * smooth_noise(rng, (count,), correlation=5.0)
    seam = rng.uniform(0.0, 2.0 * np.pi)
    ramp = ((angles - seam) % (2.0 * np.pi)) / (2.0 * np.pi)
    error = wave + turned[:, None] * ramp
    return angles + error - error.mean(axis=1, keepdims=True)


def image_angle(true_rad: FloatArray, angle_rad: float) -> float:
    """Angle in an image, in (-pi, pi], of what truly lies at an angle; ``true_rad`` (A,) are its lines'."""
    count = len(true_rad)
    turns = 2.0 * np.pi * np.arange(-1, 2)
    known = (true_rad[None] + turns[:, None]).ravel()
    shown = (2.0 * np.pi * np.arange(count) / count + turns[:, None]).ravel()
    order = np.argsort(known)
    found = float(np.interp(angle_rad % (2.0 * np.pi), known[order], shown[order]))
    return float(np.pi - (np.pi - found) % (2.0 * np.pi))
