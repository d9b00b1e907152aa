"""One artery from a lumen label that a user already has."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from coreg.ccta_vessel import CctaVessel
from coreg.segmentation.ccta_branches import find_branches
from coreg.segmentation.ccta_centerline import centerline_from_label
from coreg.segmentation.ccta_search import search_field
from coreg.segmentation.lumen_fit import WALL_HU
from coreg.segmentation.rays import SmoothImage
from coreg.segmentation.segment_ccta import assembled, checked_clicks, without_branches
from coreg.segmentation.traced import STEP_MM, measured
from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]

BLUR_VOXELS = 0.8
BLOOD_HU = 400.0


def vessel_from_label(label: Volume, ostium_mm: FloatArray, distal_mm: FloatArray) -> CctaVessel:
    """Measure the lumen of one artery and find its side branches in a lumen label.

    The label is taken as a scanner without noise would show it, and measured like an image. What a
    label does not show is left open: there is no calcium, and the outer wall is the lumen's, with
    a quality of 0.

    Parameters
    ----------
    label : Volume
        Non-zero inside the lumen; branches and the aorta may belong to it.
    ostium_mm, distal_mm : (3,) arrays
        World mm near the vessel's mouth and its far end.

    Raises
    ------
    InputError
        If the label is empty, a click is far from it, it does not connect the two, or they mark
        no stretch of vessel.
    """
    clicks = checked_clicks(ostium_mm, distal_mm)
    line = centerline_from_label(label, ostium_mm, distal_mm).resampled(spacing_mm=STEP_MM)
    image = _as_image(label)
    field = search_field(image, line.points_mm, around_mm=16.0, level_hu=BLOOD_HU)
    smooth = SmoothImage(image, line.points_mm)
    # A voxel's own width blurs too.
    blur_mm = float(np.prod(label.spacing_mm)) ** (1.0 / 3.0) * float(np.sqrt(BLUR_VOXELS**2 + 1.0 / 12.0))
    first = measured(smooth, line, BLOOD_HU, blur_mm)
    branches = find_branches(field, smooth, first)
    found = without_branches(smooth, first, branches)
    count = len(found.line.points_mm)
    vessel = assembled(
        found,
        branches,
        clicks,
        quality=np.ones(count),
        reason=("",) * count,
        wall_quality=np.zeros(count),
    )
    return replace(vessel, wall_radius_mm=vessel.lumen_radius_mm, calcium_mm=np.zeros_like(vessel.calcium_mm))


def _as_image(label: Volume) -> Volume:
    inside = np.asarray(label.values != 0, dtype=np.float32)
    blurred = gaussian_filter(inside, BLUR_VOXELS)
    return Volume(WALL_HU + (BLOOD_HU - WALL_HU) * blurred, label.index_to_world)
