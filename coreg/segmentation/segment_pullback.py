"""From the images of a pullback to its vessel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from coreg.errors import InputError
from coreg.pullback import Modality, Pullback
from coreg.pullback_images import PullbackImages
from coreg.pullback_vessel import PullbackVessel
from coreg.segmentation.calcium_arcs import calcium_arcs
from coreg.segmentation.declared import Doubt, declaration_doubts
from coreg.segmentation.frame_quality import frame_quality
from coreg.segmentation.ivus_appearance import ivus_levels
from coreg.segmentation.ivus_lumen import ivus_lumen
from coreg.segmentation.oct_calcium import oct_calcium
from coreg.segmentation.oct_lumen import oct_lumen
from coreg.segmentation.outlines import Membrane, Outlines, joined
from coreg.segmentation.polar import PolarFrames, polar_frames
from coreg.segmentation.pullback_branches import pullback_branches

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
Progress = Callable[[str, float], None]

# Frames that are looked at together, and those that two runs share.
RUN, SHARED = 240, 16
SOME = 100
MOST_BLOOD = 0.85
HIDDEN_SHARE = 1.0 / 3.0
SMALLEST_VIEW_MM = 1.5
DOUBTED = 0.25
MOST_HIDDEN = 0.04


def segment_pullback(
    images: PullbackImages, pullback: Pullback, *, progress: Progress | None = None
) -> PullbackVessel:
    """Find lumen, membrane, side branches and calcium in the images of a pullback.

    Parameters
    ----------
    images : PullbackImages
        N frames in acquisition order.
    pullback : Pullback
        Positions of the same frames.
    progress : callable, optional
        Takes a stage's name and the share that is done.

    Raises
    ------
    InputError
        If images and positions do not belong together, or the frames show no vessel.
    """
    tell = progress or _silent
    order = np.argsort(pullback.frame)
    if not np.array_equal(pullback.frame[order], np.arange(len(images))):
        msg = f"found positions of {len(pullback)} frames, expected those of all {len(images)} images"
        raise InputError(msg)
    position_mm = pullback.position_mm[order]
    if images.field_of_view_mm < SMALLEST_VIEW_MM:
        found = f"images that end {images.field_of_view_mm:.3g} mm from the catheter"
        msg = f"found {found}, expected at least {SMALLEST_VIEW_MM:g} mm; is pullback.pixel_spacing_mm right?"
        raise InputError(msg)
    tell("pullback: frames along rays", 0.0)
    polar = polar_frames(images)
    if not polar.values.any():
        msg = "found black images only, expected frames that show a vessel"
        raise InputError(msg)
    pitch_mm = pullback.frame_spacing_mm
    outlines, membrane, calcium = _outlines(polar, images.modality, pitch_mm, tell)
    if len(images) > 1 and all(np.array_equal(each, images.pixels[0]) for each in images.pixels):
        msg = f"found one picture {len(images)} times, expected the frames of a pullback"
        raise InputError(msg)
    tell("pullback: side branches", 0.9)
    doubts = declaration_doubts(
        polar, outlines, modality=images.modality, field_of_view_mm=images.field_of_view_mm
    )
    doubts = (*doubts, *_much_hidden(images))
    quality, reason = _doubted(*frame_quality(outlines, pitch_mm=pitch_mm), doubts)
    return PullbackVessel(
        outlines.lumen_mm,
        outlines.wall_mm,
        None if membrane is None else membrane.eem_mm,
        outlines.state,
        None if membrane is None else membrane.seen,
        quality,
        reason,
        images.field_of_view_mm,
        side_branches=pullback_branches(
            outlines, position_mm, outer_mm=None if membrane is None else membrane.eem_mm
        ),
        calcium=calcium_arcs(calcium, position_mm),
        notes=(*images.notes, *_hidden_membrane(membrane), *(each.note for each in doubts)),
    )


def without_excluded(vessel: PullbackVessel, pullback: Pullback) -> PullbackVessel:
    """Give frames that the user or the file excludes no quality, and the reason for it."""
    reason, quality = list(vessel.reason), vessel.quality.copy()
    for frame, why in pullback.excluded.items():
        reason[frame], quality[frame] = f"excluded: {why}", 0.0
    return replace(vessel, reason=tuple(reason), quality=quality)


def _silent(_stage: str, _share: float) -> None:
    """Tell nobody."""


def _doubted(
    quality: FloatArray, reason: tuple[str, ...], doubts: tuple[Doubt, ...]
) -> tuple[FloatArray, tuple[str, ...]]:
    """Mark all frames where it is certain that the images are not what they are said to be."""
    certain = [each.reason for each in doubts if each.reason]
    if not certain:
        return quality, reason
    return np.minimum(quality, DOUBTED), (certain[0],) * len(reason)


def _much_hidden(images: PullbackImages) -> tuple[Doubt, ...]:
    """Doubt all frames where so much is hidden in each that it must be more than what was burned in."""
    if images.hidden is None:
        return ()
    place = np.indices(images.hidden.shape)[::-1].reshape(2, -1).T
    away_mm = np.linalg.norm((place - images.catheter_px) * images.pixel_spacing_mm, axis=1)
    share = float(images.hidden.ravel()[away_mm < images.field_of_view_mm].mean())
    if share <= MOST_HIDDEN:
        return ()
    note = f"{share:.0%} of the field of view is blacked in all frames, which is more than marks take up"
    return (Doubt(note, "too much of the image was blacked"),)


def _hidden_membrane(membrane: Membrane | None) -> tuple[str, ...]:
    """Tell in how many frames calcium hides much of the membrane."""
    count = 0 if membrane is None else int((membrane.calcium.mean(axis=1) > HIDDEN_SHARE).sum())
    return (f"calcium hides more than a third of the membrane in {count} frames",) if count else ()


def _outlines(
    polar: PolarFrames, modality: Modality, pitch_mm: float, tell: Progress
) -> tuple[Outlines, Membrane | None, BoolArray]:
    """Outline all frames and mark their calcium, run by run, so that memory does not grow with them."""
    count = len(polar.values)
    if modality == "IVUS":
        some = np.unique(np.linspace(0, count - 1, SOME).astype(int))
        levels = ivus_levels(np.stack([polar.cleaned(i) for i in some]), polar.step_mm)
        if levels.blood > MOST_BLOOD:
            msg = "found a lumen as bright as the tissue around it, expected IVUS images that show a vessel"
            raise InputError(msg)
    rows, outlines, membranes, calcium = [], [], [], []
    for first in range(0, count, RUN):
        last = min(first + RUN, count)
        low, high = max(0, first - SHARED), min(count, last + SHARED)
        stage = f"pullback: lumen, from frame {first}" if first else "pullback: lumen"
        tell(stage, 0.1 + 0.8 * first / count)
        values = np.stack([polar.cleaned(i) for i in range(low, high)])
        own = slice(first - low, last - low)
        rows.append(own)
        if modality == "OCT":
            lumen = oct_lumen(values, polar.step_mm, pitch_mm=pitch_mm)
            calcium.append(oct_calcium(values, lumen, polar.step_mm, pitch_mm=pitch_mm)[own])
        else:
            lumen, membrane = ivus_lumen(values, polar.step_mm, pitch_mm=pitch_mm, levels=levels)
            membranes.append(membrane)
            calcium.append(membrane.calcium[own])
        outlines.append(lumen)
    return joined(rows, outlines), joined(rows, membranes) if membranes else None, np.concatenate(calcium)
