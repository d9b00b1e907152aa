"""The page that shows whether a registration worked."""

from coreg.report.page import report_html, write_report

__all__ = ["report_html", "write_report"]
