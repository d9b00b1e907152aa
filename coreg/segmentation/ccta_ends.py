"""Where a vessel begins and ends: at the aorta's wall, and at the distal click."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from coreg.centerline import Centerline
from coreg.errors import InputError
from coreg.segmentation.first_lumen import BACKGROUND_HU, blood_level, clear_run
from coreg.segmentation.rays import SmoothImage
from coreg.segmentation.traced import STEP_MM

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

# The ostium is looked for so far proximal of where the line starts.
LEAD_IN_MM = 9.0
LEAD_OUT_MM = 4.0
# Coronary arteries, also ectatic ones, are narrower than this.
WIDEST_MM = 3.8
OPEN_SHARE = 0.3
LONGEST_OPENING_MM = 12.0
# A click in the aorta may lie that far from the mouth; the two coronary mouths lie farther apart.
FARTHEST_MOVED_MM = 8.0
LONGEST_GAP_MM = 3.0
FAINTEST_SHARE = 0.22
SHORTEST_MM = 5.0


def ended(image: SmoothImage, line: Centerline, clicks_mm: FloatArray, first_hu: float) -> Centerline:
    """Begin a line at the vessel's ostium and end it at the distal click.

    The ostium is where the section opens into the aorta, also if the click lies beside it; where
    nothing opens near the line's start, the click is taken.

    Parameters
    ----------
    image : SmoothImage
        HU near the line.
    line : Centerline
        From near the ostium click to near the distal one.
    clicks_mm : (2, 3) array
        Ostium and distal point.
    first_hu : float
        Brightness of the blood at the ostium.

    Raises
    ------
    InputError
        If the line leads through the aorta or a chamber, or through tissue without contrast.
    """
    low = float(line.arc_length_mm[0])
    last = _last(image, line, clicks_mm[1], first_hu)
    s = np.arange(low - LEAD_IN_MM, last + 1e-6, STEP_MM)
    s += last - s[-1]
    longer = Centerline(line.points_at(s))
    wide, filled = _sections(image, longer, first_hu)
    # What is left of the blood's first gap before the line's start is not this vessel.
    unfilled = np.flatnonzero(~filled & (s < low))
    first = s[unfilled[-1] + 1] if len(unfilled) else s[0]
    opening = (wide & (s >= first)).nonzero()[0]
    entry = opening[s[opening] < low + LONGEST_OPENING_MM]
    _check_way(s, wide, filled, low)
    if not len(entry):
        _check_sense(image, line, last, first_hu)
    if len(entry):
        start = s[entry[-1]] + STEP_MM
    else:
        click = float(line.nearest_arc_length(clicks_mm[0]))
        ahead = float((clicks_mm[0] - line.points_mm[0]) @ line.tangents_at(np.array(low)))
        start = max(first, low + ahead if ahead < 0.0 else click)
    if last - start < SHORTEST_MM:
        msg = (
            f"ccta.ostium and ccta.distal: found {max(last - start, 0.0):.1f} mm of vessel between them, "
            f"expected at least {SHORTEST_MM:g} mm"
        )
        raise InputError(msg)
    count = max(8, round((last - start) / STEP_MM) + 1)
    result = Centerline(line.points_at(np.linspace(start, last, count)))
    _check_moved(result, clicks_mm)
    return result


def _check_sense(image: SmoothImage, line: Centerline, last: float, first_hu: float) -> None:
    """Refuse a vessel that opens at its far end and not at its mouth."""
    beyond = last + np.arange(-LEAD_OUT_MM, LEAD_IN_MM + 1e-6, STEP_MM)
    wide, filled = _sections(image, Centerline(line.points_at(beyond)), first_hu)
    if (wide & np.logical_and.accumulate(filled)).any():
        msg = (
            "ccta.ostium and ccta.distal: found a vessel that opens into the aorta or a chamber at "
            "ccta.distal and not at ccta.ostium, expected it the other way round; are the two points swapped?"
        )
        raise InputError(msg)


def _check_moved(line: Centerline, clicks_mm: FloatArray) -> None:
    """Refuse a vessel that begins or ends elsewhere than where the user clicked."""
    for name, end, click in zip(("ostium", "distal"), line.points_mm[[0, -1]], clicks_mm, strict=True):
        moved_mm = float(np.linalg.norm(end - click))
        if moved_mm > FARTHEST_MOVED_MM:
            msg = (
                f"ccta.{name}: found the vessel that the two clicks mark to end {moved_mm:.0f} mm from it at "
                f"{_text(end)}, expected within {FARTHEST_MOVED_MM:g} mm; ccta.ostium and ccta.distal lie in "
                "different arteries, or this one is too far from the vessel"
            )
            raise InputError(msg)


def _last(image: SmoothImage, line: Centerline, click: FloatArray, first_hu: float) -> float:
    """Arc length of the distal click's foot, also a little beyond the line where there is blood."""
    low, high = (float(each) for each in line.arc_length_mm[[0, -1]])
    tail = line.arc_length_mm[line.arc_length_mm > high - min(12.0, 0.4 * (high - low))]
    foot = float(tail[np.argmin(np.linalg.norm(line.points_at(tail) - click, axis=1))])
    if foot < high - 1e-6:
        return foot
    wanted = min(float((click - line.points_mm[-1]) @ line.tangents_at(np.array(high))), LEAD_OUT_MM)
    steps = np.arange(0.0, max(wanted, 0.0) + 1e-6, 0.25)
    bright = image.at(line.points_at(high + steps)) > BACKGROUND_HU + 0.3 * (first_hu - BACKGROUND_HU)
    return high + float(steps[np.logical_and.accumulate(bright)].max(initial=0.0))


def _sections(image: SmoothImage, line: Centerline, first_hu: float) -> tuple[BoolArray, BoolArray]:
    """Which sections (N,) are those of the aorta or a chamber, and which have contrast in their middle."""
    rays = image.rays(line)
    level = blood_level(rays, first_hu)
    middle = rays.values_hu[:, :, rays.rho_mm < 0.7].reshape(len(level), -1)
    shown = np.percentile(middle, 75, axis=1)
    filled = shown > BACKGROUND_HU + FAINTEST_SHARE * (first_hu - BACKGROUND_HU)
    open_share = (clear_run(rays, level) > WIDEST_MM).mean(axis=1)
    return open_share > OPEN_SHARE, filled


def _check_way(s: FloatArray, wide: BoolArray, filled: BoolArray, low: float) -> None:
    beyond = s > low
    stretch = _longest(wide & (s > low + LONGEST_OPENING_MM), s)
    early = STEP_MM * float((wide & beyond & (s <= low + LONGEST_OPENING_MM)).sum())
    if stretch[1] - stretch[0] > LONGEST_GAP_MM or early > LONGEST_OPENING_MM - 2.0 * STEP_MM:
        msg = (
            "ccta.ostium and ccta.distal: the only contrast-filled way between them leads through the aorta "
            "or a chamber; expected two points of one artery, the first at its mouth"
        )
        raise InputError(msg)
    gap = _longest(~filled & beyond, s)
    if gap[1] - gap[0] >= LONGEST_GAP_MM:
        msg = (
            f"ccta.distal: no contrast between {gap[0] - low:.0f} and {gap[1] - low:.0f} mm from the "
            "ostium; the artery is occluded there, or the two points lie in different vessels; give a distal "
            "point before it"
        )
        raise InputError(msg)


def _longest(which: BoolArray, s: FloatArray) -> tuple[float, float]:
    """First and last arc length of the longest run of a mask (N,)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], which.astype(int), [0]])))
    if not len(edges):
        return 0.0, 0.0
    starts, stops = edges[::2], edges[1::2]
    at = int(np.argmax(stops - starts))
    return float(s[starts[at]]), float(s[stops[at] - 1] + STEP_MM)


def _text(point_mm: FloatArray) -> str:
    return "(" + ", ".join(f"{each:.1f}" for each in point_mm) + ")"
