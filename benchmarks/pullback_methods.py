"""A plain way to outline the lumen in the frames of a pullback."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.graph import MCP_Geometric

from coreg.pullback import Modality
from coreg.pullback_images import PullbackImages
from coreg.segmentation.polar import polar_frames

EVERY_RAY = 2
STRONGEST_PERCENT = 99.5


@dataclass(frozen=True)
class PlainLook:
    """How the plain path looks at a frame; tuned on the seeds 1500-1502.

    Attributes
    ----------
    catheter_mm : float
        Nothing is looked for within this distance.
    blur_mm, blur_rays : float
        Standard deviations of the smoothing along rays and round the circle.
    decay : float
        How quickly the cost falls with the gradient.
    """

    catheter_mm: float
    blur_mm: float
    blur_rays: float
    decay: float


PLAIN: dict[Modality, PlainLook] = {
    "OCT": PlainLook(0.5, 0.02, 1.0, 6.0),
    "IVUS": PlainLook(0.8, 0.4, 2.0, 6.0),
}


def plain_outlines(images: PullbackImages, frames: Sequence[int]) -> np.ndarray:
    """Outline some frames, each for itself: distances (F, A) from the catheter in mm.

    The outline is the cheapest path round the polar image, in which dark before bright is cheap.
    """
    marks = {row: images.marks[frame] for row, frame in enumerate(frames) if frame in images.marks}
    polar = polar_frames(replace(images, pixels=images.pixels[list(frames)], marks=marks))
    look = PLAIN[images.modality]
    return np.array([_outline(polar.cleaned(row), polar.step_mm, look) for row in range(len(frames))])


def _outline(values: np.ndarray, step_mm: float, look: PlainLook) -> np.ndarray:
    """Distances (A,) of the cheapest closed path round values (A, R)."""
    blur = (look.blur_rays, look.blur_mm / step_mm)
    gradient = np.gradient(gaussian_filter(values, blur, mode=("wrap", "nearest"))[::EVERY_RAY], axis=1)
    first = round(look.catheter_mm / step_mm)
    gradient = gradient[:, first:]
    usual = max(float(np.percentile(gradient, STRONGEST_PERCENT)), 1e-6)
    radius = _closed_path(np.exp(-look.decay * np.clip(gradient / usual, 0.0, 1.0)))
    return (radius + first + 0.5) * step_mm


def _closed_path(cost: np.ndarray) -> np.ndarray:
    """Column (A,) of the cheapest path round a cost (A, R): the middle turn of one and a half."""
    count = len(cost)
    more = count // 4
    rows = np.concatenate([cost[-more:], cost, cost[:more]])
    search = MCP_Geometric(rows)
    total, _ = search.find_costs([(0, column) for column in range(rows.shape[1])])
    path = np.array(search.traceback((len(rows) - 1, int(total[-1].argmin()))))
    passed = np.bincount(path[:, 0], minlength=len(rows))
    column = np.bincount(path[:, 0], weights=path[:, 1], minlength=len(rows)) / passed
    return column[more : more + count]
