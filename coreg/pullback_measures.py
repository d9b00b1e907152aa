"""What is measured of a segmented pullback."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from coreg.pullback_vessel import PullbackVessel

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

# A membrane that is seen over less of the circle tells no plaque burden.
EEM_SHARE = 0.5


@dataclass(frozen=True)
class PullbackMeasures:
    """Numbers of a whole pullback, over the frames that are to be trusted; None where there are none.

    Attributes
    ----------
    frames : int
        How many count.
    lumen_area_mm2, lumen_diameter_mm : float or None
        Means; the diameter is that of a circle of the same area. Mouths of side branches are closed.
    smallest_area_mm2, smallest_frame : float, int or None
        The smallest lumen and where it is, by acquisition index.
    doubtful_area_mm2, doubtful_frame : float, int or None
        Where a marked frame has a smaller lumen still; excluded frames are left out.
    eem_area_mm2, plaque_burden : float or None
        Means over the frames that show at least half of the membrane.
    largest_burden, largest_burden_frame : float, int or None
        Likewise.
    """

    frames: int
    lumen_area_mm2: float | None = None
    lumen_diameter_mm: float | None = None
    smallest_area_mm2: float | None = None
    smallest_frame: int | None = None
    doubtful_area_mm2: float | None = None
    doubtful_frame: int | None = None
    eem_area_mm2: float | None = None
    plaque_burden: float | None = None
    largest_burden: float | None = None
    largest_burden_frame: int | None = None


def areas_mm2(distance_mm: FloatArray) -> FloatArray:
    """Area inside each outline (N, A) that is given by its distance along rays, shape (N,), in mm2.

    >>> areas_mm2(np.full((1, 360), 2.0)).round(2)
    array([12.57])
    """
    step_rad = 2.0 * np.pi / distance_mm.shape[1]
    area: FloatArray = 0.5 * np.sin(step_rad) * (distance_mm * np.roll(distance_mm, -1, axis=1)).sum(axis=1)
    return area


def plaque_burdens(vessel: PullbackVessel) -> FloatArray:
    """Share (N,) of the area inside the membrane that is not lumen; NaN where too little of it is seen."""
    burden = np.full(len(vessel), np.nan)
    if vessel.eem_mm is not None and vessel.eem_seen is not None:
        shown = vessel.eem_seen.mean(axis=1) >= EEM_SHARE
        burden[shown] = 1.0 - areas_mm2(vessel.wall_mm[shown]) / areas_mm2(vessel.eem_mm[shown])
    return burden


def gated_frames(vessel: PullbackVessel) -> BoolArray:
    """Frames (N,) that take part: all, or one per beat where a phase of the heart was found."""
    if vessel.gating is None:
        return np.isin(np.arange(len(vessel)), vessel.frame)
    return np.isin(np.arange(len(vessel)), vessel.gating.frame)


def counted_frames(vessel: PullbackVessel) -> BoolArray:
    """Frames (N,) that are measured: those that take part and are not marked."""
    return gated_frames(vessel) & ~vessel.marked


def measures_of(vessel: PullbackVessel) -> PullbackMeasures:
    """Sum up a segmented pullback."""
    counted = np.flatnonzero(counted_frames(vessel))
    if not len(counted):
        return PullbackMeasures(0)
    area = areas_mm2(vessel.wall_mm)[counted]
    smallest = int(np.argmin(area))
    found = PullbackMeasures(
        len(counted),
        float(area.mean()),
        float(np.mean(2.0 * np.sqrt(area / np.pi))),
        float(area[smallest]),
        int(counted[smallest]),
        *_smaller_still(vessel, float(area[smallest])),
    )
    burden = plaque_burdens(vessel)[counted]
    shown = np.flatnonzero(np.isfinite(burden))
    if vessel.eem_mm is None or not len(shown):
        return found
    largest = int(shown[np.argmax(burden[shown])])
    return replace(
        found,
        eem_area_mm2=float(areas_mm2(vessel.eem_mm)[counted[shown]].mean()),
        plaque_burden=float(burden[shown].mean()),
        largest_burden=float(burden[largest]),
        largest_burden_frame=int(counted[largest]),
    )


def _smaller_still(vessel: PullbackVessel, area_mm2: float) -> tuple[float | None, int | None]:
    """The smallest lumen of the marked frames that take part, and its frame, if it is below an area."""
    marked = np.flatnonzero(gated_frames(vessel) & vessel.marked & (vessel.quality > 0.0))
    area = areas_mm2(vessel.wall_mm)[marked]
    if not len(marked) or area.min() >= area_mm2:
        return None, None
    return float(area.min()), int(marked[np.argmin(area)])
