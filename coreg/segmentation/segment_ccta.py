"""One artery from a CCTA image and two rough clicks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from coreg.ccta_vessel import CctaVessel
from coreg.centerline import Centerline
from coreg.landmarks import SideBranch
from coreg.segmentation.ccta_branches import FoundBranch, find_branches, mouths
from coreg.segmentation.ccta_ends import ended
from coreg.segmentation.ccta_search import SearchField, cheapest_path, search_field, snapped
from coreg.segmentation.lumen_fit import SMALLEST_MM, THINNEST_MM
from coreg.segmentation.rays import SmoothImage
from coreg.segmentation.section_quality import judged, signs, wall_quality
from coreg.segmentation.traced import Traced, measured, roughly_centred, section_centres, shifted, traced
from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]
Progress = Callable[[str, float], None]

LEAST_PROBABILITY = 0.1


def segment_ccta(
    image: Volume, ostium_mm: FloatArray, distal_mm: FloatArray, *, progress: Progress | None = None
) -> CctaVessel:
    """Find the centerline, lumen, outer wall, calcium and side branches of one artery.

    Parameters
    ----------
    image : Volume
        HU.
    ostium_mm, distal_mm : (3,) arrays
        World mm near the vessel's mouth and its far end; they may be a few mm off.
    progress : callable, optional
        Takes a stage's name and the share of all work that is done.

    Returns
    -------
    CctaVessel
        From the ostium to the distal click.

    Raises
    ------
    InputError
        If there is no contrast-filled artery at a click, or none that leads from one to the other.
    """
    clicks = np.array([ostium_mm, distal_mm], dtype=np.float64)
    if clicks.shape != (2, 3) or not np.isfinite(clicks).all():
        msg = f"ostium_mm and distal_mm must be three finite numbers each, got {clicks.tolist()}"
        raise ValueError(msg)
    tell = progress or _silent
    tell("CCTA: bright tubes", 0.0)
    field = search_field(image, clicks)
    tell("CCTA: centerline", 0.35)
    path = vessel_path(field, clicks)
    smooth = SmoothImage(image, path)
    line = ended(smooth, roughly_centred(smooth, path, field.level_hu), clicks, field.level_hu)
    tell("CCTA: lumen and wall", 0.5)
    first = traced(smooth, line, field.level_hu)
    tell("CCTA: side branches", 0.7)
    branches = find_branches(field, smooth, first)
    tell("CCTA: lumen without side branches", 0.85)
    hidden = mouths(branches)
    closed = measured(smooth, first.line, field.level_hu, first.fit.blur_mm, hidden=hidden)
    line = shifted(closed.rays, section_centres(closed.radius_mm))
    final = measured(smooth, line, field.level_hu, first.fit.blur_mm, hidden=hidden)
    tell("CCTA: quality", 0.97)
    return _vessel(final, branches, clicks, image, field)


def _silent(stage: str, share: float) -> None:
    """Tell nobody."""


def vessel_path(field: SearchField, clicks_mm: FloatArray) -> FloatArray:
    """Cheapest way (N, 3) between the tubes that two clicks mean."""
    start = snapped(field, clicks_mm[0], "ccta.ostium")
    end = snapped(field, clicks_mm[1], "ccta.distal")
    return cheapest_path(field, start, end)


def _vessel(
    traced_: Traced,
    branches: tuple[FoundBranch, ...],
    clicks_mm: FloatArray,
    image: Volume,
    field: SearchField,
) -> CctaVessel:
    lumen = np.maximum(traced_.radius_mm, SMALLEST_MM)
    thickness = np.maximum(traced_.series("thickness"), THINNEST_MM)
    line = Centerline(traced_.line.points_mm, np.sqrt((lumen**2).mean(axis=1)))
    voxel_mm = float(np.prod(image.spacing_mm)) ** (1.0 / 3.0)
    against = signs(traced_, voxel_mm, field.level_hu)
    quality, reason = judged(against, traced_.rays.step_mm)
    kept = [each for each in branches if each.probability >= LEAST_PROBABILITY]
    moved = {
        name: float(np.linalg.norm(end - click))
        for name, end, click in zip(("ostium", "distal"), line.points_mm[[0, -1]], clicks_mm, strict=True)
    }
    return CctaVessel(
        line,
        lumen,
        lumen + thickness,
        traced_.cleared.calcium_mm,
        quality,
        reason,
        wall_quality(traced_),
        tuple(_side_branch(line, each, f"B{i + 1}") for i, each in enumerate(kept)),
        tuple(each.line for each in kept),
        moved,
    )


def _side_branch(line: Centerline, branch: FoundBranch, name: str) -> SideBranch:
    return SideBranch(
        name,
        branch.ostium_mm,
        float(line.nearest_arc_length(branch.ostium_mm)),
        branch.radius_mm,
        probability=branch.probability,
        direction=branch.direction,
    )
