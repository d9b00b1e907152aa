"""The pages that show whether a registration or a segmentation worked."""

from coreg.report.html import Part
from coreg.report.page import report_html, write_report
from coreg.report.pullback import pullback_html, pullback_notes, pullback_parts, write_pullback_report
from coreg.report.segmentation import (
    segmentation_html,
    segmentation_parts,
    tree_html,
    write_segmentation_report,
    write_tree_report,
)

__all__ = [
    "Part",
    "pullback_html",
    "pullback_notes",
    "pullback_parts",
    "report_html",
    "segmentation_html",
    "segmentation_parts",
    "tree_html",
    "write_pullback_report",
    "write_report",
    "write_segmentation_report",
    "write_tree_report",
]
