"""Where a CCTA's lumen label errs: calcium and stents bloom over the blood beside them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, gaussian_filter1d, maximum_filter

from coreg.phantom.artery import Artery, tailed
from coreg.phantom.ccta import Shown
from coreg.phantom.lumen import Lumen
from coreg.phantom.plaque import make_wall
from coreg.phantom.randomness import component_rng
from coreg.phantom.settings import LocalErrors
from coreg.phantom.stent import Stent, draw_stent

FloatArray = npt.NDArray[np.float64]

THICK_MM = 1.0
EDGE_MM = 0.3
# A label that closes would break the vessel in two; a reader draws on.
NARROWEST_LABEL_MM = 0.5


@dataclass(frozen=True, eq=False)
class Blooming:
    """How far a label's wall lies inside that of the lumen which the CCTA should show.

    Attributes
    ----------
    calcium_mm : (S, A) array
        Thickness of calcium over the arc lengths and angles of the lumen's table; 0 where there is none.
    narrowing_mm : (S, A) array
        By how much the label's radius is too small; negative where it is too large.
    radius_step_mm : float
        Step of the tables' first axis.
    stent : Stent or None
        In the main vessel.
    readable : bool
        Whether the lumen can be seen within the stent.
    """

    calcium_mm: FloatArray
    narrowing_mm: FloatArray
    radius_step_mm: float
    stent: Stent | None
    readable: bool

    @property
    def calcium_length_mm(self) -> float:
        """Length of the vessel that has calcium on some side."""
        return self.radius_step_mm * float((self.calcium_mm > 0.0).any(axis=1).sum())

    @property
    def stent_text(self) -> str:
        """Ends of the stent, for a table."""
        if self.stent is None:
            return ""
        return f"{self.stent.first_mm:.2f} {self.stent.last_mm:.2f}" + " unreadable" * (not self.readable)


def draw_blooming(seed: int, artery: Artery, shown: Shown, errors: LocalErrors | None) -> Blooming:
    """Find the patient's calcium and stent, and what they do to the label.

    Parameters
    ----------
    seed : int
        Of the patient.
    artery : Artery
        Its plaque lies where its lumen is narrower than without stenoses.
    shown : Shown
        What the label would be without them.
    errors : LocalErrors or None
        None: nothing.
    """
    radius_mm, step = shown.lumen.radius_mm, shown.lumen.radius_step_mm
    nothing = np.zeros_like(radius_mm)
    if errors is None:
        return Blooming(nothing, nothing, step, None, readable=True)
    calcium, stent = _disease(seed, artery, shown.radius_scale, errors)
    calcium = calcium[: len(radius_mm)]
    rng = component_rng(seed, "label blooming")
    stent_mm = float(rng.uniform(*errors.stent_mm))
    readable = stent is None or bool(rng.uniform() >= errors.unreadable_odds)
    inside = nothing if stent is None else _within(stent, len(radius_mm), step)[:, None] + nothing
    label = radius_mm - np.maximum(_beside(calcium, radius_mm, step, errors), stent_mm * inside)
    if not readable:
        label = (1.0 - inside) * label + inside * _round_tube(radius_mm, inside[:, 0] > 0.5)[:, None]
    label = np.maximum(label, np.minimum(radius_mm, NARROWEST_LABEL_MM))
    return Blooming(calcium, radius_mm - label, step, stent, readable)


def bloomed(shown: Shown, blooming: Blooming) -> Shown:
    """What the CCTA's label shows, blooming included."""
    lumen = shown.lumen
    table = lumen.radius_mm - blooming.narrowing_mm
    return replace(shown, lumen=Lumen(lumen.axis, table, lumen.radius_step_mm, lumen.branches))


def _disease(
    seed: int, artery: Artery, radius_scale: float, errors: LocalErrors
) -> tuple[FloatArray, Stent | None]:
    """Thickness (S, A) of calcium, and the stent, that an image of the same patient shows."""
    true = artery.lumen
    scaled = true.scaled(radius_scale, true.branches, end_mm=true.length_mm)
    lumen, healthy = tailed(scaled, radius_scale * artery.healthy_radius_mm[: len(scaled.radius_mm)])
    wall = make_wall(seed, lumen, healthy, errors.disease)
    calcium = np.maximum(wall.calcium_outer_mm - wall.calcium_inner_mm, 0.0)
    return calcium, draw_stent(seed, lumen, wall, errors.disease)


def _beside(calcium_mm: FloatArray, radius_mm: FloatArray, step_mm: float, errors: LocalErrors) -> FloatArray:
    """Blooming (S, A) beside calcium: on its side, over its length and an image's soft edge."""
    least, most = errors.calcium_mm
    depth = least + (most - least) * np.minimum(calcium_mm / THICK_MM, 1.0)
    around_mm = 2.0 * np.pi * float(radius_mm.mean()) / radius_mm.shape[1]
    sigma = (EDGE_MM / step_mm, EDGE_MM / around_mm)
    spread = tuple(2 * round(each) + 1 for each in sigma)
    reached = maximum_filter(np.where(calcium_mm > 0.0, depth, 0.0), spread, mode=("nearest", "wrap"))
    return gaussian_filter(reached, sigma, mode=("nearest", "wrap"))


def _within(stent: Stent, rows: int, step_mm: float) -> FloatArray:
    """Share (S,) of the stent at the table's arc lengths, 1 inside it, with soft ends."""
    s = np.arange(rows, dtype=np.float64) * step_mm
    covered = stent.covers(s).astype(np.float64)
    return gaussian_filter1d(covered, EDGE_MM / step_mm, mode="nearest")


def _round_tube(radius_mm: FloatArray, hidden: npt.NDArray[np.bool_]) -> FloatArray:
    """Radius (S,) that a reader draws from one end of a hidden stretch to the other."""
    seen = np.sqrt((radius_mm**2).mean(axis=1))
    rows = np.arange(len(seen))
    return np.interp(rows, rows[~hidden], seen[~hidden])
