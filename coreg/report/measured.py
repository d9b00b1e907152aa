"""What the page measures on a registration before it draws."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from coreg.case import Case
from coreg.catheter_path import BEFORE_VESSEL, BEYOND_VESSEL, VirtualCatheterPath
from coreg.contours import centroid_mm, radial_profile, resampled_contour
from coreg.landmarks import Landmark
from coreg.report.cuts import Outlines, areas_mm2, lumen_outlines
from coreg.report.figures_across import COLUMNS, Section
from coreg.report.figures_along import Frames, Mark, Profile
from coreg.report.tables import number
from coreg.result import Registration
from coreg.rounding import rounded_text
from coreg.validation import LandmarkError

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

ANGLES = 72
MOST_LANDMARK_SECTIONS = 2 * COLUMNS
# How reasons begin of frames whose pose, if any, continues the path out of the CCTA's vessel.
OUTSIDE = (BEFORE_VESSEL, BEYOND_VESSEL)


@dataclass(frozen=True, eq=False)
class Measured:
    """Outlines and profiles of all frames, a row per row of the registration's path.

    Attributes
    ----------
    frames : Frames
        Acquisition indices, positions, reliability, and which lie in the CCTA's vessel.
    contours, before, after : tuple of (M, 2) arrays or None
        Lumens in image mm: the pullback's, the CCTA's at the rigid and at the final pose.
    centre_mm : (N, 2) array
        Centre of the pullback's lumen; NaN where there is no contour.
    pullback, ccta_before, ccta_after : Profile
        Radii about that centre, and areas.
    """

    frames: Frames
    contours: Outlines
    before: Outlines
    after: Outlines
    centre_mm: FloatArray
    pullback: Profile
    ccta_before: Profile
    ccta_after: Profile


def measured(case: Case, registration: Registration) -> Measured:
    """Cut the CCTA lumen by all frames and measure both lumens about the same centres."""
    path = registration.path
    contours: Outlines = tuple(case.pullback.lumen.get(frame) for frame in path.frame.tolist())
    before = lumen_outlines(case.known_lumen, in_rows_of(path, registration.rigid_path))
    after = lumen_outlines(case.known_lumen, path)
    centre = np.full((len(path), 2), np.nan)
    for i, contour in enumerate(contours):
        if contour is not None:
            centre[i] = centroid_mm(contour)
    within = in_vessel(path, registration.centerline.arc_length_mm)
    frames = Frames(path.frame, path.position_mm, path.reliable & path.posed, within)
    profiles = [_profile(each, centre) for each in (contours, before, after)]
    return Measured(frames, contours, before, after, centre, *profiles)


def in_vessel(path: VirtualCatheterPath, arc_length_mm: FloatArray) -> BoolArray:
    """Which frames (N,) lie in the CCTA's vessel, reliable or not, by the arc lengths (M,) of its centerline.

    A frame beside an end of the centerline is nearest to the end itself.
    """
    between = (path.arc_length_mm > arc_length_mm[0]) & (path.arc_length_mm < arc_length_mm[-1])
    outside = np.array([reason.startswith(OUTSIDE) for reason in path.reason], dtype=bool)
    return np.asarray(path.posed & between & ~outside)


def in_rows_of(path: VirtualCatheterPath, other: VirtualCatheterPath) -> VirtualCatheterPath:
    """Return ``other`` with the rows of ``path``; frames it does not have get no pose."""
    if np.array_equal(path.frame, other.frame):
        return other
    row_of = {frame: row for row, frame in enumerate(other.frame.tolist())}
    rows = np.array([row_of.get(frame, -1) for frame in path.frame.tolist()])
    known = rows >= 0

    def take(values: FloatArray) -> FloatArray:
        taken = np.full((len(rows), *values.shape[1:]), np.nan)
        taken[known] = values[rows[known]]
        return taken

    return VirtualCatheterPath(
        path.frame,
        path.position_mm,
        take(other.arc_length_mm),
        take(other.rotation_rad),
        take(other.origin_mm),
        take(other.column),
        take(other.row),
        known & other.reliable[rows],
        tuple(other.reason[row] if row >= 0 else "" for row in rows),
        take(other.arc_length_sd_mm),
        take(other.rotation_sd_rad),
    )


def _profile(outlines: Outlines, centre_mm: FloatArray) -> Profile:
    radius = np.full((len(outlines), ANGLES), np.nan)
    for i, outline in enumerate(outlines):
        if outline is not None and np.isfinite(centre_mm[i]).all():
            # Rays against every edge of a finely drawn contour would take most of the page's time.
            coarse = resampled_contour(outline, 120) if len(outline) > 160 else outline
            found = radial_profile(coarse, centre_mm[i], ANGLES)
            radius[i] = np.where(found > 0.0, found, np.nan)
    return Profile(radius, areas_mm2(outlines))


def landmark_marks(
    data: Measured, path: VirtualCatheterPath, landmarks: Sequence[Landmark], errors: Sequence[LandmarkError]
) -> list[Mark]:
    """Place landmarks in the unrolled maps."""
    by_id = {each.id: each for each in landmarks}
    marks = []
    for error in errors:
        landmark = by_id.get(error.id)
        if landmark is None or landmark.frame is None or landmark.world_mm is None:
            continue
        expected, found = path.rows_of(np.array([error.frame_expected, error.frame_found]))
        annotated_xy = _annotated_point(data, landmark, expected)
        found_xy = _local(path, found, landmark.world_mm)
        marks.append(
            Mark(error.id, _place(data, expected, annotated_xy), _place(data, found, found_xy)),
        )
    return marks


def _place(data: Measured, row: float, xy_mm: FloatArray) -> tuple[float, float]:
    """Position in mm and angle in degrees about the lumen's centre of a point at a fractional row."""
    if not np.isfinite(row):
        return float("nan"), float("nan")
    near = _nearest_with_contour(data, row)
    x, y = xy_mm - data.centre_mm[near] if near is not None else xy_mm
    position = float(np.interp(row, np.arange(len(data.frames.position_mm)), data.frames.position_mm))
    return position, float(np.degrees(np.arctan2(y, x)))


def _nearest_with_contour(data: Measured, row: float) -> int | None:
    rows = np.flatnonzero(np.isfinite(data.centre_mm[:, 0]))
    return int(rows[np.argmin(np.abs(rows - row))]) if len(rows) else None


def _annotated_point(data: Measured, landmark: Landmark, row: float) -> FloatArray:
    """Image mm of an annotation; on the lumen's wall where its distance was not noted."""
    if landmark.angle_rad is None or not np.isfinite(row):
        return np.full(2, np.nan)
    direction = np.array([np.cos(landmark.angle_rad), np.sin(landmark.angle_rad)])
    radius = landmark.radius_mm
    near = _nearest_with_contour(data, row)
    if radius is None and near is not None:
        contour = data.contours[near]
        assert contour is not None  # noqa: S101 - it has a centre
        wall = radial_profile(contour, np.zeros(2), 360)
        radius = float(wall[round(np.degrees(landmark.angle_rad)) % 360])
    return direction * (radius or 1.0)


def _local(path: VirtualCatheterPath, row: float, world_mm: FloatArray) -> FloatArray:
    """In-plane mm of a world point at a fractional row; NaN without a pose."""
    origin, axes = path.poses_at(np.array([row]))
    return np.asarray(((world_mm - origin[0]) @ axes[0])[:2])


def sections_by_fit(data: Measured, residual_mm: FloatArray) -> list[Section]:
    """Choose frames in the vessel from the best to the worst fit."""
    shown = [c is not None and a is not None for c, a in zip(data.contours, data.after, strict=True)]
    rows = np.flatnonzero(np.isfinite(residual_mm) & np.array(shown) & data.frames.in_vessel)
    if not len(rows):
        return []
    ranked = rows[np.argsort(residual_mm[rows], kind="stable")]
    names = ("best", "better quarter", "median", "worse quarter", "worst")
    picks = np.rint(np.linspace(0, len(ranked) - 1, len(names))).astype(int)
    chosen: dict[int, str] = {}
    for pick, name in zip(picks, names, strict=True):
        chosen.setdefault(int(ranked[pick]), name)
    return [
        Section(
            f"frame {data.frames.frame[row]}: {name}, {rounded_text(residual_mm[row])} mm"
            + ("" if data.frames.reliable[row] else "\nnot reliable"),
            data.contours[row],
            data.before[row],
            data.after[row],
        )
        for row, name in chosen.items()
    ]


def sections_at_landmarks(
    data: Measured, path: VirtualCatheterPath, landmarks: Sequence[Landmark], errors: Sequence[LandmarkError]
) -> list[Section]:
    """Show the frames in which landmarks were annotated, with the CCTA's landmark in their plane."""
    by_id = {each.id: each for each in landmarks}
    sections = []
    for error in errors:
        landmark = by_id.get(error.id)
        if landmark is None or landmark.world_mm is None:
            continue
        row = path.rows_of(np.array([error.frame_expected]))[0]
        if not np.isfinite(row) or not path.posed[round(row)]:
            continue
        near = round(row)
        miss = (
            f"{rounded_text(error.error_mm, signed=True)} mm, {number(error.error_deg, 0, signed=True)}°"
            if np.isfinite(error.error_mm)
            else "not measurable"
        )
        sections.append(
            Section(
                f"frame {data.frames.frame[near]}: landmark {error.id}{_between_frames(error)}\n{miss}",
                data.contours[near],
                data.before[near],
                data.after[near],
                landmark.angle_rad,
                _local(path, float(near), landmark.world_mm),
            )
        )
    return sections[:MOST_LANDMARK_SECTIONS]


def _between_frames(error: LandmarkError) -> str:
    """Say where a landmark was annotated that lies between the frames of which one is shown."""
    place = rounded_text(error.frame_expected, 1)
    return "" if place.endswith(".0") else f" (at {place})"


def doubt_around(path: VirtualCatheterPath, error: LandmarkError) -> str:
    """Say that the frames around a landmark, as annotated or else as found, are not reliable, and why."""
    for frame, where in ((error.frame_expected, "around it"), (error.frame_found, "where it was found")):
        row = path.rows_of(np.array([frame]))[0]
        if not np.isfinite(row):
            continue
        for near in (int(np.floor(row)), int(np.ceil(row))):
            if not (path.reliable[near] and path.posed[near]):
                why = re.split("[:;,]", path.reason[near])[0].removeprefix("the ")
                return f"frames {where} are not reliable" + (f" ({why})" if why else "")
    return ""


def typical_distance_mm(data: Measured, residual_mm: FloatArray) -> float:
    """Median of the lumens' distances (N,) over frames in the vessel; NaN where none was measured."""
    there = residual_mm[data.frames.in_vessel & np.isfinite(residual_mm)]
    return float(np.median(there)) if len(there) else float("nan")


def area_agreement(data: Measured) -> float:
    """Rank correlation of the areas over frames in the vessel with both; NaN where there are too few.

    By rank, since planes that cut the ostium's rim lengthwise have tens of mm2 and would outweigh all others.
    Frames that are not reliable count, since one reason against them is that their lumens differ: without
    them lumens would seem to agree that do not.
    """
    pair = np.stack([data.pullback.area_mm2, data.ccta_after.area_mm2])[:, data.frames.in_vessel]
    pair = pair[:, np.isfinite(pair).all(axis=0)]
    if pair.shape[1] < 3 or (np.ptp(pair, axis=1) < 1e-9).any():
        return float("nan")
    rank = rankdata(pair, axis=1)
    offset = rank - rank.mean(axis=1, keepdims=True)
    return float(offset[0] @ offset[1] / np.sqrt((offset**2).sum(axis=1).prod()))
