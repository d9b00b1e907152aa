"""What is marked in one frame's cross-sections: landmarks, where they are expected, side branches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from coreg.catheter_path import VirtualCatheterPath
from coreg.review import ReviewedLandmark
from coreg_napari.session import Session

FloatArray = npt.NDArray[np.float64]
View = Literal["pullback", "ccta"]
Shape = Literal["set", "expected", "branch"]

# A mark is shown in its own frame and in those nearer than this along the pullback.
NEAR_MM = 0.35
# Names of marks nearer than this would be written over each other.
LABEL_MM = 0.6
# A landmark without a distance lies somewhere on the wall.
WALL_MM = 1.5


@dataclass(frozen=True, eq=False)
class Mark:
    """A point in one of the two sections.

    Attributes
    ----------
    view : str
        ``pullback`` or ``ccta``.
    xy_mm : (2,) array
        In the image plane, from the catheter.
    shape : str
        ``set``: half of a landmark. ``expected``: where the other half is carried to. ``branch``: a side
        branch that a segmentation found.
    name : str
        Of the landmark or branch.
    selected : bool
        Whether clicks set it.
    state : str
        Of the landmark; ``found`` of a branch.
    """

    view: View
    xy_mm: FloatArray
    shape: Shape
    name: str
    selected: bool = False
    state: str = "found"


def marks_at(session: Session, row: int) -> list[Mark]:
    """Marks to draw at a row of the path."""
    path = session.path
    marks = [mark for each in session.landmarks for mark in _of_landmark(session, path, each, row)]
    return marks + _of_branches(session, path, row)


def labels(marks: Sequence[Mark]) -> list[str]:
    """Write the name beside each mark; where marks lie on each other, all their names beside the first."""
    names: dict[int, list[str]] = {}
    for i, mark in enumerate(marks):
        if mark.shape != "expected":
            first = next((k for k in names if _on_each_other(marks[k], mark)), i)
            names.setdefault(first, []).append(mark.name)
    return [", ".join(dict.fromkeys(names.get(i, ()))) for i in range(len(marks))]


def _on_each_other(a: Mark, b: Mark) -> bool:
    return a.view == b.view and float(np.hypot(*(a.xy_mm - b.xy_mm))) < LABEL_MM


def _of_landmark(
    session: Session, path: VirtualCatheterPath | None, reviewed: ReviewedLandmark, row: int
) -> list[Mark]:
    landmark, found = reviewed.landmark, []
    chosen = landmark.id == session.selected

    def mark(view: View, xy_mm: FloatArray, shape: Shape) -> Mark:
        return Mark(view, xy_mm, shape, landmark.id, chosen, reviewed.state)

    if landmark.frame is not None and _near(session, session.shown_row(landmark), row):
        at = pullback_xy_mm(reviewed)
        found.append(mark("pullback", at, "set"))
        if path is not None and not session.blinded:
            found.append(mark("ccta", at, "expected"))
    met = session.met(landmark)
    if met is not None and _near(session, round(met[0]), row):
        found.append(mark("ccta", met[1], "set"))
        if not session.blinded:
            found.append(mark("pullback", met[1], "expected"))
    return found


def pullback_xy_mm(reviewed: ReviewedLandmark) -> FloatArray:
    """Place (2,) of a landmark's pullback half, image mm from the catheter; on the wall if not known."""
    landmark = reviewed.landmark
    radius = WALL_MM if landmark.radius_mm is None else landmark.radius_mm
    angle = 0.0 if landmark.angle_rad is None else landmark.angle_rad
    return radius * np.array([np.cos(angle), np.sin(angle)])


def _of_branches(session: Session, path: VirtualCatheterPath | None, row: int) -> list[Mark]:
    found = []
    frame = int(session.frames[row])
    for branch in session.case.pullback_side_branches:
        first = branch.frame if branch.first_frame is None else branch.first_frame
        last = branch.frame if branch.last_frame is None else branch.last_frame
        if first is None or last is None or branch.angle_rad is None or not first <= frame <= last:
            continue
        away = _wall_mm(session, frame, branch.angle_rad)
        at = away * np.array([np.cos(branch.angle_rad), np.sin(branch.angle_rad)])
        found.append(Mark("pullback", at, "branch", branch.id))
    if path is None or not path.posed[row]:
        return found
    for branch in session.case.ccta_side_branches:
        if branch.world_mm is None:
            continue
        offset = branch.world_mm - path.origin_mm[row]
        reach = NEAR_MM if branch.radius_mm is None else branch.radius_mm
        if abs(float(offset @ path.plane_normal[row])) <= reach:
            at = np.array([offset @ path.column[row], offset @ path.row[row]])
            if np.hypot(*at) < 8.0:
                found.append(Mark("ccta", at, "branch", branch.id))
    return found


def _wall_mm(session: Session, frame: int, angle_rad: float) -> float:
    """Distance of the lumen's edge from the catheter in a direction."""
    contour = session.case.pullback.lumen.get(frame)
    if contour is None:
        return WALL_MM
    directions = np.arctan2(contour[:, 1], contour[:, 0])
    nearest = np.abs(np.angle(np.exp(1j * (directions - angle_rad)))).argmin()
    return float(np.hypot(*contour[nearest]))


def _near(session: Session, at: int | None, row: int) -> bool:
    if at is None:
        return False
    position = session.case.pullback.position_mm
    return at == row or abs(float(position[at] - position[row])) < NEAR_MM
