"""What is believed of a catheter's motion, as the precision of a spline's coefficients.

Each of the five functions of withdrawal depth (arc length, rotation, two offsets across the vessel,
and how far the CCTA's surface lies inside the pullback's) is a Gaussian process: a free constant, an
uncertain slope, a slow part and a fast part. Where the lumens say little the result follows the slow
part; where they say much it is free to move. That is how stiffness follows information, without a
switch.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from coreg.settings import MotionPrior, SurfacePrior

FloatArray = npt.NDArray[np.float64]

FREE = 1e3


def spline_knots(depth_mm: FloatArray, spacing_mm: float) -> FloatArray:
    """Centres of equidistant cubic B-splines that cover depths (M,), shape (J,), in mm."""
    low, high = float(depth_mm.min()), float(depth_mm.max())
    pieces = max(1, int(np.ceil((high - low) / spacing_mm - 1e-9)))
    width = max((high - low) / pieces, 1e-3)
    return np.asarray(low + width * np.arange(-1, pieces + 2), dtype=np.float64)


def spline_basis(depth_mm: FloatArray, knots_mm: FloatArray) -> FloatArray:
    """Values (M, J) at depths (M,) of the cubic B-splines centred on equidistant knots (J,).

    Coefficients that lie on a straight line give that line.
    """
    width = knots_mm[1] - knots_mm[0]
    t = np.abs(depth_mm[:, None] - knots_mm[None, :]) / width
    near = (4.0 - 6.0 * t**2 + 3.0 * t**3) / 6.0
    far = np.clip(2.0 - t, 0.0, None) ** 3 / 6.0
    return np.where(t < 1.0, near, far)


def motion_precision(knots_mm: FloatArray, prior: MotionPrior, surface: SurfacePrior) -> FloatArray:
    """Inverse covariance (5, J, J) of the functions at knots: mm, rad, mm, mm, mm.

    Parameters
    ----------
    knots_mm : (J,) array
        Withdrawal depths.
    prior : MotionPrior
        Amplitudes and length scales of the motion.
    surface : SurfacePrior
        The same of the difference of the radii.
    """
    centred = knots_mm - knots_mm.mean()
    gap = np.abs(knots_mm[:, None] - knots_mm[None, :])

    def smooth(sd: float, length_mm: float) -> FloatArray:
        return sd**2 * np.exp(-0.5 * (gap / length_mm) ** 2)

    def rough(sd: float, length_mm: float) -> FloatArray:
        t = np.sqrt(3.0) * gap / length_mm
        return sd**2 * (1.0 + t) * np.exp(-t)

    def line(free: float, slope_sd: float) -> FloatArray:
        return free**2 + slope_sd**2 * np.outer(centred, centred)

    slow_mm, fast_mm = prior.slow_length_mm, prior.swing_length_mm
    arc_length = (
        line(FREE, prior.stretch_sd) + smooth(prior.slow_mm, slow_mm) + rough(prior.swing_mm, fast_mm)
    )
    rotation = (
        line(FREE, prior.drift_rad_per_mm) + smooth(prior.slow_rad, slow_mm) + rough(prior.beat_rad, fast_mm)
    )
    offset = line(prior.offset_mm, 0.0) + rough(prior.offset_mm, prior.offset_length_mm)
    radii = rough(surface.radius_mm, surface.radius_length_mm)
    blocks = (arc_length, rotation, offset, offset, radii)
    return np.stack([np.linalg.inv(each + 1e-5 * np.eye(len(gap))) for each in blocks])
