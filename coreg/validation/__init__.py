"""How far results are from what is known, and what a cohort's errors say: statistics by patient."""

from coreg.validation.agreement import (
    Agreement,
    ReaderAgreement,
    ReaderDifference,
    agreement,
    reader_agreement,
)
from coreg.validation.branch_pairs import paired_branches
from coreg.validation.centerline_errors import CenterlineErrors, centerline_errors
from coreg.validation.cluster_bootstrap import (
    Interval,
    cluster_means,
    mean_interval,
    median_interval,
    share_within,
)
from coreg.validation.cohort_statistics import (
    PairedDifference,
    Summary,
    holm,
    paired_difference,
    summary,
)
from coreg.validation.frame_errors import FrameErrors, frame_errors
from coreg.validation.landmark_errors import LandmarkError, landmark_errors, unguided
from coreg.validation.lumen_errors import (
    BranchErrors,
    LumenOverlap,
    RadiusErrors,
    branch_errors,
    lumen_overlap,
    radius_errors,
)

__all__ = [
    "Agreement",
    "BranchErrors",
    "CenterlineErrors",
    "FrameErrors",
    "Interval",
    "LandmarkError",
    "LumenOverlap",
    "PairedDifference",
    "RadiusErrors",
    "ReaderAgreement",
    "ReaderDifference",
    "Summary",
    "agreement",
    "branch_errors",
    "centerline_errors",
    "cluster_means",
    "frame_errors",
    "holm",
    "landmark_errors",
    "lumen_overlap",
    "mean_interval",
    "median_interval",
    "paired_branches",
    "paired_difference",
    "radius_errors",
    "reader_agreement",
    "share_within",
    "summary",
    "unguided",
]
