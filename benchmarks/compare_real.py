"""What can be said of the one real patient: no finer truth exists than the ostium's landmark.

In one IVUS frame a reader marked a point on the wall at the ostium, which was picked in the CCTA too.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from compare_methods import METHODS, OURS
from measuring import apart, measured

from coreg.case import Case
from coreg.catheter_path import VirtualCatheterPath
from coreg.errors import CoregError
from coreg.io.case_file import load_case
from coreg.registration import register

REAL = Path(os.environ.get("COREG_REAL_DATA", Path(__file__).parents[2] / "shared" / "real"))
FOLDER = REAL / "anomalous-rca"
HEADING = "The real patient (anomalous right coronary, IVUS)"
LANDMARK_MM = np.array([12.2605, -201.3643, 1751.0554])
FRAME = 384
# The marked point, from the image's corner with y upwards; the catheter is in the middle of 9 mm.
MARKED_MM = np.array([[3.5731420326 - 4.5, -(3.6742686939 - 4.5)]])
OSTIA_MM = {"as given": 0.0, "5 mm distal": 5.0, "5 mm into the aorta": -5.0}


@dataclass(frozen=True)
class RealRow:
    """One start by one method.

    Attributes
    ----------
    method, ostium : str
        What was run, and where the click at the ostium was put.
    along_mm, space_mm : float
        The ostium frame's catheter from the landmark, along the vessel and in space.
    point_mm, opposite_mm : float
        From the landmark: the marked point, and the one opposite it about the catheter. The first must be
        the nearer one, or the image is half a turn off.
    verdict : str
        good, review, failed; or why there is no registration.
    vague, frames : int
        Frames whose rotation is not determined, and all frames.
    seconds : float
        Of the method alone.
    """

    method: str
    ostium: str
    along_mm: float
    space_mm: float
    point_mm: float
    opposite_mm: float
    verdict: str
    vague: int
    frames: int
    seconds: float


def real_table(methods: Sequence[str]) -> str:
    """Run methods that need no truth, ours from three clicks, and write what is known in Markdown."""
    if not FOLDER.exists():
        return "The real patient's data were not at hand."
    blind = [name for name in methods if METHODS[name].group != "oracles"]
    starts = [(OURS, ostium) for ostium in OSTIA_MM] + [(name, "as given") for name in blind if name != OURS]
    return table([apart(real_row, *start) for start in starts])


def real_row(method: str, ostium: str) -> RealRow:
    """Run one method on the real patient."""
    case = load_case(FOLDER)
    case = _moved(case, OSTIA_MM[ostium]) if OSTIA_MM[ostium] else case
    with suppress(CoregError):
        register(case, method="rigid")
    try:
        # No oracle is asked, so none needs the truth that nobody knows.
        result, cost = measured(METHODS[method].run, case, None)
    except CoregError as error:
        return RealRow(method, ostium, *[float("nan")] * 4, str(error), 0, 0, float("nan"))
    return _row(method, ostium, result.path, result.verdict, cost.seconds)


def _moved(case: Case, along_mm: float) -> Case:
    """Put the click at the ostium elsewhere along the centerline."""
    if case.tree is None:
        msg = f"{FOLDER}: found no centerline, expected one to move the ostium along"
        raise ValueError(msg)
    line = case.tree.vessel(case.ostium_mm, case.distal_mm)
    return replace(case, ostium_mm=line.points_at(np.array(along_mm)))


def _row(method: str, ostium: str, path: VirtualCatheterPath, verdict: str, seconds: float) -> RealRow:
    at = int(np.flatnonzero(path.frame == FRAME)[0])
    away = path.origin_mm[at] - LANDMARK_MM
    carried = (path.to_world(np.array([float(at)]), sign * MARKED_MM)[0] for sign in (1.0, -1.0))
    point_mm, opposite_mm = (float(np.linalg.norm(each - LANDMARK_MM)) for each in carried)
    return RealRow(
        method,
        ostium,
        float(away @ path.plane_normal[at]),
        float(np.linalg.norm(away)),
        point_mm,
        opposite_mm,
        verdict,
        sum("rotation" in reason for reason in path.reason),
        len(path),
        seconds,
    )


def table(rows: Sequence[RealRow]) -> str:
    """Write rows in Markdown."""
    head = (
        "| method | ostium's click | ostium frame from its landmark: along the vessel / in space, mm "
        "| marked point and its opposite from the landmark, mm | verdict | rotation not determined, frames "
        "| seconds |"
    )
    return "\n".join([head, f"|{' --- |' * 7}", *map(_text, rows)])


def _text(row: RealRow) -> str:
    title = METHODS[row.method].title
    if np.isnan(row.space_mm):
        return f"| {title} | {row.ostium} | - | - | {row.verdict} | - | - |"
    return (
        f"| {title} | {row.ostium} | {row.along_mm:+.1f} / {row.space_mm:.1f} "
        f"| {row.point_mm:.1f} and {row.opposite_mm:.1f} | {row.verdict} | {row.vague} of {row.frames} "
        f"| {row.seconds:.1f} |"
    )
