"""What can be drawn automatically in either modality."""

from coreg.segmentation.ccta_centerline import centerline_from_label

__all__ = ["centerline_from_label"]
