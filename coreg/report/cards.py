"""The key numbers that head the page of a registration, and how sure its frames are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from coreg.catheter_path import VirtualCatheterPath
from coreg.report.tables import DASH, Card, mean_absolute, number
from coreg.result import Registration
from coreg.stretches import counted
from coreg.validation import FrameErrors, LandmarkError, unguided


class Agreement(NamedTuple):
    """How well the two lumens agree in the frames that lie in the vessel.

    Attributes
    ----------
    distance_mm : float
        Of the lumens, in the median frame.
    area_correlation : float
        Of the areas along the vessel, by rank.
    """

    distance_mm: float
    area_correlation: float


def cards(
    registration: Registration,
    errors: Sequence[LandmarkError],
    rigid_errors: Sequence[LandmarkError],
    truth_errors: FrameErrors | None,
    agreement: Agreement,
    *,
    left_out: Sequence[LandmarkError] = (),
) -> list[Card]:
    """Choose the numbers that head the page."""
    areas = number(agreement.area_correlation)
    scale = f"{number(100.0 * registration.radius_scale, 0)} %"
    margin = f"{number(100.0 * registration.margin, 0)} %" if math.isfinite(registration.margin) else DASH
    return [
        _frames_card(registration.path),
        *_landmark_cards(registration, errors, rigid_errors, left_out),
        *([_unmeasured_card()] if not errors and truth_errors is None else []),
        *([] if truth_errors is None else [_truth_card(truth_errors)]),
        Card(
            "distance of the lumens",
            f"{number(agreement.distance_mm)} mm",
            f"median over frames in the vessel; there areas correlate at {areas} by rank",
        ),
        Card("CCTA radius", scale, "of the pullback's, fitted; changes no measurement"),
        Card("margin", margin, f"how much worse the best other placement fits{_runner_up(registration)}"),
    ]


def _frames_card(path: VirtualCatheterPath) -> Card:
    arc = path.arc_length_mm[np.isfinite(path.arc_length_mm)]
    where = (
        f"arc length {number(arc.min(), 1)} to {number(arc.max(), 1)} mm"
        if len(arc)
        else "no frame has a place"
    )
    placed, reliable = int(path.posed.sum()), int((path.reliable & path.posed).sum())
    return Card("frames placed", f"{placed} of {len(path)}", f"{reliable} reliable; {where}")


def _landmark_cards(
    registration: Registration,
    errors: Sequence[LandmarkError],
    rigid_errors: Sequence[LandmarkError],
    left_out: Sequence[LandmarkError],
) -> list[Card]:
    """Tell errors by what they are worth; the rigid path, never guided, is beside unguided ones only."""
    free = unguided(errors, registration.guides)
    ids = {each.id for each in free}
    found: list[Card] = []
    if left_out:
        found += _error_cards("at landmarks left out", left_out, "each without it and its branch")
    if free:
        rigid = [each for each in rigid_errors if each.id in ids]
        found += _error_cards("at landmarks", free, "", rigid)
    if errors and not found:
        found += _error_cards("fit residual at guides", errors, "not accuracy")
    return found


def _error_cards(
    where: str, errors: Sequence[LandmarkError], worth: str, rigid: Sequence[LandmarkError] = ()
) -> list[Card]:
    return [
        _error_card(f"{where}, along the vessel", errors, worth, rigid, "error_mm", "mm"),
        _error_card(f"{where}, rotation", errors, worth, rigid, "error_deg", "°"),
    ]


def _error_card(
    name: str,
    errors: Sequence[LandmarkError],
    worth: str,
    rigid: Sequence[LandmarkError],
    field: str,
    unit: str,
) -> Card:
    digits = 2 if unit == "mm" else 1
    space = " " if unit == "mm" else ""

    def text(each: Sequence[LandmarkError]) -> str:
        return number(mean_absolute([getattr(one, field) for one in each]), digits) + space + unit

    frames = number(mean_absolute([each.error_frames for each in errors]), 1)
    measured = sum(math.isfinite(getattr(each, field)) for each in errors)
    parts = [
        *([f"{frames} frames"] if unit == "mm" else []),
        f"mean absolute over {measured} of {len(errors)}",
        *([worth] if worth else []),
        *([f"rigid alone: {text(rigid)}"] if rigid else []),
    ]
    return Card(name, text(errors), "; ".join(parts))


def _unmeasured_card() -> Card:
    note = "the case pairs no landmark, so nothing here measures how far off the placement is"
    return Card("at landmarks", "not measured", note)


def _truth_card(errors: FrameErrors) -> Card:
    along, turn = mean_absolute(errors.error_mm.tolist()), mean_absolute(errors.error_deg.tolist())
    value = f"{number(along)} mm, {number(turn, 1)}°"
    return Card("all frames against the truth", value, "mean absolute error")


def _runner_up(registration: Registration) -> str:
    """Say where the best other placement lies, which tells a half turn from another place."""
    straight = [each for each in registration.hypotheses if not each.mirrored]
    if len(straight) < 2:
        return ""
    best, other = straight[:2]
    turn = abs((other.rotation_deg - best.rotation_deg + 180.0) % 360.0 - 180.0)
    shift = other.arc_length_mm - best.arc_length_mm
    way = "distal" if shift >= 0.0 else "proximal"
    return f": turned by {number(turn, 0)}°, {number(abs(shift), 1)} mm further {way}"


def how_sure(path: VirtualCatheterPath) -> str:
    """Say in words how sure the reliable frames are, and what that is worth."""
    rows = path.posed & path.reliable
    place_mm, turn_deg = path.arc_length_sd_mm[rows], np.degrees(path.rotation_sd_rad[rows])
    known = np.isfinite(place_mm) & np.isfinite(turn_deg)
    if not known.any():
        return "How sure a frame is, is not known: there are no standard deviations."
    half, most = (
        f"{number(float(np.percentile(place_mm[known], share)))} mm and "
        f"{number(float(np.percentile(turn_deg[known], share)), 1)}°"
        for share in (50.0, 95.0)
    )
    frames = counted(int(known.sum()), "reliable frame")
    return (
        f"How sure a frame is: over the {frames}, the standard deviations of place and rotation are {half} "
        f"in the median, {most} at the 95th percentile. They are not calibrated, and too small: in tests on "
        "synthetic patients, one standard deviation covered the place of only a quarter to a half of the "
        "frames, where it should be two thirds."
    )
