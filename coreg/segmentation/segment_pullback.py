"""From the images of a pullback to its vessel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from coreg.errors import InputError
from coreg.pullback import Modality, Pullback
from coreg.pullback_images import PullbackImages
from coreg.pullback_vessel import PullbackVessel
from coreg.segmentation.frame_quality import frame_quality
from coreg.segmentation.ivus_lumen import ivus_lumen
from coreg.segmentation.oct_lumen import oct_lumen
from coreg.segmentation.outlines import Membrane, Outlines, joined
from coreg.segmentation.polar import PolarFrames, polar_frames
from coreg.segmentation.pullback_branches import pullback_branches

Progress = Callable[[str, float], None]

# Frames that are looked at together, and those that two runs share.
RUN, SHARED = 240, 16
BULGE_MM = 1.0


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
        If images and positions do not belong together, or no frame shows anything.
    """
    tell = progress or _silent
    order = np.argsort(pullback.frame)
    if not np.array_equal(pullback.frame[order], np.arange(len(images))):
        msg = f"found positions of {len(pullback)} frames, expected those of all {len(images)} images"
        raise InputError(msg)
    position_mm = pullback.position_mm[order]
    tell("pullback: frames along rays", 0.0)
    polar = polar_frames(images)
    if not polar.values.any():
        msg = "found black images only, expected frames that show a vessel"
        raise InputError(msg)
    outlines, membrane = _outlines(polar, images.modality, pullback.frame_spacing_mm, tell)
    tell("pullback: side branches", 0.9)
    quality, reason = frame_quality(outlines)
    return PullbackVessel(
        outlines.lumen_mm,
        outlines.wall_mm,
        None if membrane is None else membrane.eem_mm,
        outlines.state,
        None if membrane is None else membrane.seen,
        quality,
        reason,
        images.field_of_view_mm,
        side_branches=pullback_branches(outlines, position_mm),
        notes=images.notes,
    )


def with_vessel(pullback: Pullback, vessel: PullbackVessel) -> Pullback:
    """Give a pullback the outlines that were found in its images.

    Into the mouths of side branches the lumen goes no farther than readers draw it; frames that are
    not to be trusted have little say in the registration, or none.
    """
    lumen = vessel.outline_mm(np.minimum(vessel.lumen_mm, vessel.wall_mm + BULGE_MM))
    eem = {} if vessel.eem_mm is None else dict(enumerate(vessel.outline_mm(vessel.eem_mm)))
    return replace(
        pullback,
        lumen=dict(enumerate(lumen)),
        eem=eem,
        quality=dict(enumerate(vessel.quality.tolist())),
        field_of_view_mm=vessel.field_of_view_mm,
    )


def _silent(_stage: str, _share: float) -> None:
    """Tell nobody."""


def _outlines(
    polar: PolarFrames, modality: Modality, pitch_mm: float, tell: Progress
) -> tuple[Outlines, Membrane | None]:
    """Outline all frames, run by run, so that memory does not grow with their number."""
    count = len(polar.values)
    rows, outlines, membranes = [], [], []
    for first in range(0, count, RUN):
        last = min(first + RUN, count)
        low, high = max(0, first - SHARED), min(count, last + SHARED)
        tell("pullback: lumen", 0.1 + 0.8 * first / count)
        values = np.stack([polar.cleaned(i) for i in range(low, high)])
        rows.append(slice(first - low, last - low))
        if modality == "OCT":
            outlines.append(oct_lumen(values, polar.step_mm, pitch_mm=pitch_mm))
        else:
            lumen, membrane = ivus_lumen(values, polar.step_mm, pitch_mm=pitch_mm)
            outlines.append(lumen)
            membranes.append(membrane)
    return joined(rows, outlines), joined(rows, membranes) if membranes else None
