"""What can be drawn automatically in either modality."""

from coreg.segmentation.ccta_centerline import centerline_from_label
from coreg.segmentation.ccta_tree import ccta_tree
from coreg.segmentation.gating import find_gating
from coreg.segmentation.lumen_label import lumen_label, lumen_surface, wall_label
from coreg.segmentation.segment_ccta import segment_ccta
from coreg.segmentation.segment_pullback import segment_pullback, without_excluded
from coreg.segmentation.vessel_from_contours import vessel_from_contours, with_all_frames
from coreg.segmentation.vessel_from_label import vessel_from_label
from coreg.segmented_case import gated_pullback, with_vessel

__all__ = [
    "ccta_tree",
    "centerline_from_label",
    "find_gating",
    "gated_pullback",
    "lumen_label",
    "lumen_surface",
    "segment_ccta",
    "segment_pullback",
    "vessel_from_contours",
    "vessel_from_label",
    "wall_label",
    "with_all_frames",
    "with_vessel",
    "without_excluded",
]
