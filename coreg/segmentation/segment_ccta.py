"""One artery from a CCTA image and two rough clicks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from coreg.ccta_vessel import CctaVessel
from coreg.centerline import Centerline
from coreg.landmarks import SideBranch
from coreg.segmentation.ccta_branches import FoundBranch, find_branches, mouths, ostium_of
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
    clicks = checked_clicks(ostium_mm, distal_mm)
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
    final = without_branches(smooth, first, branches)
    tell("CCTA: quality", 0.97)
    voxel_mm = float(np.prod(image.spacing_mm)) ** (1.0 / 3.0)
    quality, reason = judged(signs(final, voxel_mm, field.level_hu), final.rays.step_mm)
    return assembled(
        final, branches, clicks, quality=quality, reason=reason, wall_quality=wall_quality(final)
    )


def checked_clicks(ostium_mm: FloatArray, distal_mm: FloatArray) -> FloatArray:
    """Both clicks as one array (2, 3).

    Raises
    ------
    ValueError
        If they are not three finite numbers each.
    """
    clicks = np.array([ostium_mm, distal_mm], dtype=np.float64)
    if clicks.shape != (2, 3) or not np.isfinite(clicks).all():
        msg = f"ostium_mm and distal_mm must be three finite numbers each, got {clicks.tolist()}"
        raise ValueError(msg)
    return clicks


def _silent(stage: str, share: float) -> None:
    """Tell nobody."""


def vessel_path(field: SearchField, clicks_mm: FloatArray) -> FloatArray:
    """Cheapest way (N, 3) between the tubes that two clicks mean."""
    start = snapped(field, clicks_mm[0], "ccta.ostium")
    end = snapped(field, clicks_mm[1], "ccta.distal")
    return cheapest_path(field, start, end)


def without_branches(image: SmoothImage, first: Traced, branches: tuple[FoundBranch, ...]) -> Traced:
    """Measure a vessel again with the mouths of its side branches left out."""
    first_hu, blur, hidden = float(first.level_hu[0]), first.fit.blur_mm, mouths(branches)
    closed = measured(image, first.line, first_hu, blur, hidden=hidden)
    line = shifted(closed.rays, section_centres(closed.radius_mm))
    return measured(image, line, first_hu, blur, hidden=hidden)


def assembled(
    found: Traced,
    branches: tuple[FoundBranch, ...],
    clicks_mm: FloatArray,
    *,
    quality: FloatArray,
    reason: tuple[str, ...],
    wall_quality: FloatArray,
) -> CctaVessel:
    """Put what was measured into the form that leaves the segmentation."""
    lumen = np.maximum(found.radius_mm, SMALLEST_MM)
    line = Centerline(found.line.points_mm, np.sqrt((lumen**2).mean(axis=1)))
    kept = [each for each in branches if each.probability >= LEAST_PROBABILITY]
    ends = zip(("ostium", "distal"), line.points_mm[[0, -1]], clicks_mm, strict=True)
    return CctaVessel(
        line,
        lumen,
        lumen + np.maximum(found.series("thickness"), THINNEST_MM),
        found.cleared.calcium_mm,
        quality,
        reason,
        wall_quality,
        tuple(_side_branch(found, each, f"B{i + 1}") for i, each in enumerate(kept)),
        tuple(each.line for each in kept),
        {name: float(np.linalg.norm(end - click)) for name, end, click in ends},
    )


def _side_branch(found: Traced, branch: FoundBranch, name: str) -> SideBranch:
    """Name a branch; its ostium lies where its axis meets the wall that closes its mouth."""
    ostium, direction = ostium_of(found, branch.line, branch.exit_mm)
    arc_length_mm = float(found.line.nearest_arc_length(ostium))
    return SideBranch(
        name,
        ostium,
        arc_length_mm,
        branch.radius_mm,
        probability=branch.probability,
        direction=direction,
    )
