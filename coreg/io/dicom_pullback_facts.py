"""Scale, positions and kind of a pullback from a DICOM header: what is said, never a guess.

References
----------
DICOM PS3.3, C.8.5.5 (ultrasound regions), C.8.27.5 (intravascular acquisition) and C.8.27.6.2, where the
longitudinal distance is that to the previous frame, positive for withdrawing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from coreg.io.case_model import FRAME_SPACING_MM, PIXEL_SPACING_MM
from coreg.io.dicom_headers import UNREADABLE
from coreg.io.frame_source import FileFacts
from coreg.pullback import Acquisition, Modality

FloatArray = npt.NDArray[np.float64]

# Boston Scientific keeps the speed of withdrawal here, in mm/s.
PRIVATE_RATE = 0x000B1001
_SPEED_MM_S = (0.05, 100.0)
_FRAME_RATE_HZ = (0.2, 500.0)
_CENTIMETRES = 3
_ACQUISITIONS: dict[str, Acquisition] = {
    "MOTOR_PULLBACK": "motorized",
    "MOTORIZED": "motorized",
    "MANUAL_PULLBACK": "manual",
    "MANUAL": "manual",
    "GATED_PULLBACK": "gated",
    "MEASURED": "gated",
}
_OCT_MAKERS = ("LIGHTLAB", "ST. JUDE", "ST JUDE", "ABBOTT")
_OCT_MODELS = ("OPTIS", "ILUMIEN")
# These write some 100 ms per frame whatever the truth; speeds that they have tell the frames per second.
_OPTIS_FRAME_TIME_MS = (90.0, 110.0)
_OPTIS_FRAMES_PER_S = {18.0: 180.0, 36.0: 180.0, 10.0: 100.0, 20.0: 100.0, 25.0: 100.0}
_SAME_RATE = 0.05


@dataclass
class _Facts:
    """What has been gathered so far."""

    known: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    lacking: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def found(self, name: str, value: Any, source: str) -> None:
        self.known[name], self.sources[name] = value, source


def file_facts(header: Dataset, count: int) -> FileFacts:
    """Read what a header says of so many frames."""
    facts = _Facts()
    _add_modality(facts, header)
    _add_scale(facts, header)
    _add_motion(facts, header, count)
    sources = {name.replace("withdrawn_mm", "position_mm"): text for name, text in facts.sources.items()}
    return FileFacts(**facts.known, sources=sources, lacking=facts.lacking, notes=tuple(facts.notes))


def is_polar(header: Dataset) -> bool:
    """Whether frames are A-lines below each other, still to be wound up to a picture."""
    return str(header.get("SOPClassUID", "")).endswith(".14.2") or (
        code(header, "PresentationIntentType") == "FOR PROCESSING"
    )


def number(header: Dataset, *keywords: str | int) -> float | None:
    """Get the first of the attributes that is one finite number."""
    for keyword in keywords:
        values = numbers(header, keyword)
        if len(values) == 1:
            return values[0]
    return None


def numbers(header: Dataset, keyword: str | int) -> tuple[float, ...]:
    """Get the values of an attribute if all are finite numbers."""
    try:
        value = header[keyword].value if keyword in header else None
    except UNREADABLE:
        return ()
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace").strip("\0 ")
    values = [value] if isinstance(value, (int, float, str)) else value
    try:
        found = tuple(float(each) for each in values or ())
    except (TypeError, ValueError):
        return ()
    return found if all(abs(each) < 1e9 for each in found) else ()


def code(header: Dataset, keyword: str) -> str:
    """Get a code string in capitals; empty where there is none."""
    try:
        return str(header.get(keyword, "") or "").strip().upper()
    except UNREADABLE:
        return ""


def groups(header: Dataset, keyword: str) -> Iterator[Dataset]:
    """List the items of a functional groups sequence, each joined from its macros' one items.

    What comes after a damaged macro is left out.
    """
    try:
        items = list(header.get(keyword) or [])
    except UNREADABLE:
        return
    for item in items:
        joined = Dataset()
        with suppress(*UNREADABLE):
            for element in item:
                if element.VR == "SQ" and element.value:
                    joined.update(element.value[0])
        yield joined


def _add_modality(facts: _Facts, header: Dataset) -> None:
    modality, storage = code(header, "Modality"), str(header.get("SOPClassUID", ""))
    found: Modality | None = None
    if modality == "IVOCT" or ".1.1.14." in storage:
        found, source = "OCT", "Modality" if modality == "IVOCT" else "SOP class"
    elif modality == "IVUS":
        found, source = "IVUS", "Modality"
    elif _is_optis(header):
        found, source = "OCT", "Manufacturer and ManufacturerModelName"
    elif modality == "US" and code(header, "IVUSAcquisition"):
        found, source = "IVUS", "Modality and IVUSAcquisition"
    if found is None:
        facts.lacking["modality"] = f"Modality {modality}" if modality in {"US", "OT"} else "no Modality"
    else:
        facts.found("modality", found, source)


def _is_optis(header: Dataset) -> bool:
    maker, model = code(header, "Manufacturer"), code(header, "ManufacturerModelName")
    return any(each in maker for each in _OCT_MAKERS) and any(each in model for each in _OCT_MODELS)


def _add_scale(facts: _Facts, header: Dataset) -> None:
    region = _region(header)
    candidates = []
    if region is not None:
        box = [numbers(region, f"RegionLocation{each}") for each in ("MinX0", "MinY0", "MaxX1", "MaxY1")]
        corners = tuple(each[0] for each in box if each)
        if len(corners) == 4 and corners[0] < corners[2] and corners[1] < corners[3]:
            facts.found("region_px", corners, "SequenceOfUltrasoundRegions")
        deltas = [number(region, f"PhysicalDelta{axis}") for axis in "XY"]
        if None not in deltas:
            candidates.append(
                ("SequenceOfUltrasoundRegions", tuple(abs(each or 0.0) * 10.0 for each in deltas))
            )
    shared = next(groups(header, "SharedFunctionalGroupsSequence"), Dataset())
    first = next(groups(header, "PerFrameFunctionalGroupsSequence"), Dataset())
    for keyword in ("PixelSpacing", "NominalScannedPixelSpacing", "ImagerPixelSpacing"):
        for place in (header, shared, first):
            # Between rows comes first there.
            values = numbers(place, keyword)[::-1]
            if len(values) == 2:
                candidates.append((keyword, values))
    low, high = PIXEL_SPACING_MM
    for source, spacing in candidates:
        if all(low <= each <= high for each in spacing):
            facts.found("pixel_spacing_mm", spacing, source)
            return
    bad = [f"{source} of {spacing[0]:.6g} x {spacing[1]:.6g} mm" for source, spacing in candidates]
    facts.lacking["pixel_spacing_mm"] = bad[0] if bad else "no pixel spacing in the file"


def _region(header: Dataset) -> Dataset | None:
    """Find the largest region of tissue in two dimensions, in centimetres."""
    try:
        regions = list(header.get("SequenceOfUltrasoundRegions") or [])
    except UNREADABLE:
        return None
    usable = [each for each in regions if _is_tissue(each)]
    return max(usable, key=_area, default=None)


def _is_tissue(region: Dataset) -> bool:
    units = [number(region, f"PhysicalUnits{axis}Direction") for axis in "XY"]
    spatial, kind = number(region, "RegionSpatialFormat"), number(region, "RegionDataType")
    return units == [_CENTIMETRES, _CENTIMETRES] and spatial in {None, 1.0} and kind in {None, 1.0}


def _area(region: Dataset) -> float:
    left, top, right, bottom = (
        number(region, f"RegionLocation{each}") or 0.0 for each in ("MinX0", "MinY0", "MaxX1", "MaxY1")
    )
    return (right - left) * (bottom - top)


def _add_motion(facts: _Facts, header: Dataset, count: int) -> None:
    shared = next(groups(header, "SharedFunctionalGroupsSequence"), Dataset())
    named = code(header, "IVUSAcquisition") or code(shared, "IVUSAcquisition")
    acquisition = _ACQUISITIONS.get(named)
    if acquisition is not None:
        facts.found("acquisition", acquisition, "IVUSAcquisition")
    seconds = _frame_seconds(facts, header, count)
    measured = _measured(header, count)
    if measured is not None:
        _add_measured(facts, measured)
    elif named == "GATED_PULLBACK":
        _add_gated(facts, header, count)
    elif named in {"MANUAL_PULLBACK", "MANUAL", "SELECTIVE", "MEASURED"}:
        kind = {"SELECTIVE": "selected places", "MEASURED": "measured distances, but none in it"}
        facts.lacking["position_mm"] = f"a pullback of {kind.get(named, 'unknown, manual speed')}"
    else:
        _add_motor(facts, header, seconds)


def _measured(header: Dataset, count: int) -> FloatArray | None:
    """Distances of the frames as they are written, where each has one."""
    found = [
        number(each, "IntravascularLongitudinalDistance")
        for each in groups(header, "PerFrameFunctionalGroupsSequence")
    ]
    if len(found) != count or any(each is None for each in found[1:]):
        return None
    return np.array([each or 0.0 for each in found])


def _add_measured(facts: _Facts, written: FloatArray) -> None:
    """Take distances to the previous frame, as the standard has them, or from the first one."""
    steps = np.diff(written)
    source = "IntravascularLongitudinalDistance"
    if len(written) > 3 and ((steps > 0.0).all() or (steps < 0.0).all()):
        facts.notes.append(
            f"{source} grows or falls from frame to frame, so it is taken as a position, not as a step"
        )
        facts.found("withdrawn_mm", written - written[0], source)
        return
    facts.found("withdrawn_mm", np.concatenate([[0.0], np.cumsum(written[1:])]), source)
    facts.known["signed"] = True


def _add_gated(facts: _Facts, header: Dataset, count: int) -> None:
    step = number(header, "IVUSGatedRate")
    if step is None or not FRAME_SPACING_MM[0] <= step <= FRAME_SPACING_MM[1]:
        found = "no IVUSGatedRate" if step is None else f"IVUSGatedRate of {step:g} mm"
        facts.lacking["position_mm"] = f"a gated pullback with {found}"
        return
    facts.found("withdrawn_mm", np.arange(count) * step, "IVUSGatedRate")


def _frame_seconds(facts: _Facts, header: Dataset, count: int) -> FloatArray | None:
    """When each frame was taken, from the first one; None if that is not told."""
    steps_ms = numbers(header, "FrameTimeVector")
    if len(steps_ms) == count > 1 and min(steps_ms[1:]) > 0.0:
        seconds = np.concatenate([[0.0], np.cumsum(steps_ms[1:])]) / 1000.0
        _check_cine(facts, header, (count - 1) / float(seconds[-1]))
        facts.found("frame_rate_hz", (count - 1) / float(seconds[-1]), "FrameTimeVector")
        return seconds
    rate, source = _frame_rate(facts, header)
    if rate is None:
        return None
    facts.found("frame_rate_hz", rate, source)
    _check_cine(facts, header, rate)
    return np.arange(count) / rate


def _frame_rate(facts: _Facts, header: Dataset) -> tuple[float | None, str]:
    time_ms, speed = number(header, "FrameTime"), _speed(header)[0]
    lines, lines_per_frame = number(header, "ALineRate"), number(header, "ALinesPerFrame")
    if lines and lines_per_frame and _FRAME_RATE_HZ[0] <= lines / lines_per_frame <= _FRAME_RATE_HZ[1]:
        return lines / lines_per_frame, "ALineRate and ALinesPerFrame"
    if time_ms is None or not _FRAME_RATE_HZ[0] <= 1000.0 / max(time_ms, 1e-9) <= _FRAME_RATE_HZ[1]:
        found = "no FrameTime" if time_ms is None else f"FrameTime of {time_ms:g} ms"
        cine = number(header, "CineRate") is not None
        facts.lacking["frame_rate_hz"] = found + (" (CineRate is only how it is shown)" if cine else "")
        return None, ""
    if _is_optis(header) and _OPTIS_FRAME_TIME_MS[0] <= time_ms <= _OPTIS_FRAME_TIME_MS[1]:
        rate = _OPTIS_FRAMES_PER_S.get(-1.0 if speed is None else round(speed, 3))
        if rate is None:
            facts.lacking["frame_rate_hz"] = f"FrameTime of {time_ms:g} ms, which this scanner always writes"
            return None, ""
        facts.notes.append(
            f"this scanner writes a FrameTime of {time_ms:g} ms whatever the truth; as it withdraws at "
            f"{speed:g} mm/s, {rate:g} frames per second are taken; set frame_spacing_mm if that is wrong"
        )
        return rate, "the scanner's family and IVUSPullbackRate"
    return 1000.0 / time_ms, "FrameTime"


def _check_cine(facts: _Facts, header: Dataset, rate_hz: float) -> None:
    """Say where the rate for display is another; for some scanners it is what they slow it down to."""
    shown = number(header, "CineRate")
    if shown is not None and shown > 0.0 and abs(shown / rate_hz - 1.0) > _SAME_RATE:
        facts.notes.append(
            f"the file says {rate_hz:.4g} frames per second, but {shown:g} for display (CineRate); "
            "check frame_spacing_mm"
        )


def _speed(header: Dataset) -> tuple[float | None, str]:
    """Speed of the motor in mm/s and where it is told, or what is told in its place."""
    speed = number(header, "IVUSPullbackRate")
    source = "IVUSPullbackRate"
    if speed is None and "BOSTON" in code(header, "Manufacturer"):
        speed, source = number(header, PRIVATE_RATE), "the private tag (000B,1001)"
    if speed is None:
        return None, "no IVUSPullbackRate"
    if not _SPEED_MM_S[0] <= speed <= _SPEED_MM_S[1]:
        return None, f"{source} of {speed:g} mm/s"
    return speed, source


def _add_motor(facts: _Facts, header: Dataset, seconds: FloatArray | None) -> None:
    speed, source = _speed(header)
    if speed is None or seconds is None:
        facts.lacking["position_mm"] = source if speed is None else facts.lacking["frame_rate_hz"]
        return
    first, last = _running(facts, header, len(seconds))
    run = np.clip(seconds, seconds[first], seconds[last]) - seconds[first]
    facts.found("withdrawn_mm", speed * run, f"{source} and {facts.sources['frame_rate_hz']}")
    before = dict.fromkeys(range(first), "before the motor started")
    after = dict.fromkeys(range(last + 1, len(seconds)), "after the motor stopped")
    facts.known["at_rest"] = before | after


def _running(facts: _Facts, header: Dataset, count: int) -> tuple[int, int]:
    """First and last frame, from 0, while the motor ran."""
    start = number(header, "IVUSPullbackStartFrameNumber")
    stop = number(header, "IVUSPullbackStopFrameNumber")
    # Counted from 1.
    first, last = int(start or 1) - 1, int(stop or count) - 1
    if not 0 <= first < last < count:
        facts.notes.append(
            f"the motor's first and last frame ({first + 1} and {last + 1} of {count}) make no sense; "
            "all frames are taken as withdrawn"
        )
        return 0, count - 1
    return first, last
