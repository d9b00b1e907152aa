"""Numbers of the page, as text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from coreg.catheter_path import VirtualCatheterPath
from coreg.landmarks import Landmark
from coreg.result import Hypothesis
from coreg.rounding import rounded_text
from coreg.stretches import counted
from coreg.validation import FrameErrors, Interval, LandmarkError

FloatArray = npt.NDArray[np.float64]
DASH = "\N{EN DASH}"
LEFT_OUT_FIELDS = (("error_frames", 1), ("error_mm", 2), ("error_deg", 1), ("error_3d_mm", 2))


class Table(NamedTuple):
    """Header, rows and an optional last row of totals, all text.

    ``words`` are the columns aligned left; ``long`` are tables whose words, such as hashes and paths, may
    break anywhere.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    total: Sequence[str] = ()
    words: Sequence[int] = (0,)
    long: bool = False


class Card(NamedTuple):
    """One key number."""

    name: str
    value: str
    note: str


def number(value: float, digits: int = 2, *, signed: bool = False) -> str:
    """Format a number; a dash for one that could not be measured."""
    if not math.isfinite(value):
        return DASH
    return rounded_text(value, digits, signed=signed)


def percent(share: float) -> str:
    """Write a share in whole per cent."""
    return f"{number(100.0 * share, 0)}%"


def interval_text(interval: Interval, digits: int = 2, *, signed: bool = False) -> str:
    """Write an estimate with its interval, where it has one.

    >>> interval_text(Interval(0.5, 0.25, 1.0)), interval_text(Interval(0.5, float("nan"), float("nan")))
    ('0.50 [0.25, 1.00]', '0.50')
    """
    estimate, low, high = (
        number(each, digits, signed=signed) for each in (interval.estimate, interval.low, interval.high)
    )
    return f"{estimate} [{low}, {high}]" if math.isfinite(interval.low) else estimate


def p_text(p_value: float) -> str:
    """Write a P value.

    >>> p_text(0.0004), p_text(0.03)
    ('< 0.001', '0.030')
    """
    return "< 0.001" if p_value < 0.001 else number(p_value, 3)


def mean_absolute(values: Sequence[float]) -> float:
    """Mean of the absolute values that are finite; NaN where none is."""
    finite = [abs(each) for each in values if math.isfinite(each)]
    return sum(finite) / len(finite) if finite else float("nan")


def landmark_table(
    errors: Sequence[LandmarkError],
    *,
    guides: Mapping[str, str] | None = None,
    left_out: Sequence[LandmarkError] = (),
    doubts: Sequence[str] = (),
) -> Table:
    """List landmark errors, found minus expected, with their mean absolute values.

    Parameters
    ----------
    errors : sequence of LandmarkError
        On the registration itself.
    guides : mapping of str to str, optional
        What landmarks were used as, by id; where there are any, they have a column.
    left_out : sequence of LandmarkError
        At the same landmarks, each on a path found without it; where there are any, they have columns.
    doubts : sequence of str
        What speaks against the frames around each, in the errors' order; empty where nothing does.
    """
    fields = (("error_frames", 1), ("error_mm", 2), ("error_deg", 1), ("error_tangential_mm", 2))
    own = {each.id: each for each in left_out}
    header = ["landmark", "kind", *(["used as"] if guides else []), "frame annotated", "frame found"]
    words = (0, 1, 2) if guides else (0, 1)
    header += ["frames", "mm", "degrees", "tangential mm", "3-D mm"]
    header += [f"left out: {unit}" for unit in ("frames", "mm", "degrees", "3-D mm")] if own else []
    rows = [
        [each.id, each.kind, *([guides.get(each.id, "check")] if guides else [])]
        + [number(each.frame_expected, 1), number(each.frame_found, 1)]
        + [number(getattr(each, field), digits, signed=True) for field, digits in fields]
        + [number(each.error_3d_mm)]
        + (_left_out_cells(own.get(each.id)) if own else [])
        + ["; ".join(filter(None, [each.reason, doubt]))]
        for each, doubt in zip(errors, doubts or [""] * len(errors), strict=True)
    ]
    total = ["mean absolute", *[""] * (len(words) + 1)]
    total += [_mean_text(errors, field, digits) for field, digits in (*fields, ("error_3d_mm", 2))]
    total += [_mean_text(left_out, field, digits) for field, digits in LEFT_OUT_FIELDS] if own else []
    return Table([*header, "remark"], rows, [*total, ""], (*words, len(header)))


def halves_text(landmarks: Sequence[Landmark]) -> str:
    """Say which landmarks lack one half; empty where all are pairs.

    >>> halves_text([Landmark("B2", frame=4.0), Landmark("B4", frame=9.0)])
    'Landmarks with one half only neither guide nor are measured: B2, B4 (no point in the CCTA).'
    """
    wanting = {
        "no point in the CCTA": [each.id for each in landmarks if each.world_mm is None],
        "no frame": [each.id for each in landmarks if each.frame is None and each.world_mm is not None],
    }
    texts = [f"{', '.join(ids)} ({half})" for half, ids in wanting.items() if ids]
    if not texts:
        return ""
    return f"Landmarks with one half only neither guide nor are measured: {'; '.join(texts)}."


def _left_out_cells(error: LandmarkError | None) -> list[str]:
    if error is None:
        return [DASH] * len(LEFT_OUT_FIELDS)
    return [
        number(getattr(error, field), digits, signed=field != "error_3d_mm")
        for field, digits in LEFT_OUT_FIELDS
    ]


def _mean_text(errors: Sequence[LandmarkError], field: str, digits: int) -> str:
    return number(mean_absolute([getattr(each, field) for each in errors]), digits)


def truth_table(errors: FrameErrors) -> Table:
    """Sum up the errors of all frames against the exact truth."""
    rows = []
    for name, values, digits in (
        ("along the vessel (mm)", errors.error_mm, 2),
        ("along the vessel (frames)", errors.error_frames, 1),
        ("rotation (degrees)", errors.error_deg, 1),
        ("catheter centre, 3-D (mm)", errors.error_3d_mm, 2),
    ):
        size = np.abs(values[np.isfinite(values)])
        parts = (
            [size.mean(), np.median(size), np.percentile(size, 95), size.max()] if len(size) else [np.nan] * 4
        )
        rows.append([name, *(number(float(each), digits) for each in parts)])
    return Table(("absolute error", "mean", "median", "95th percentile", "worst"), rows)


def reason_table(path: VirtualCatheterPath) -> Table:
    """Group frames that are not reliable by their reason."""
    groups: dict[str, list[int]] = {}
    for frame, reliable, posed, reason in zip(
        path.frame, path.reliable, path.posed, path.reason, strict=True
    ):
        if not (reliable and posed):
            groups.setdefault(reason or "no reason given", []).append(int(frame))
    rows = [
        [reason, str(len(frames)), frame_ranges(frames)]
        for reason, frames in sorted(groups.items(), key=lambda item: -len(item[1]))
    ]
    return Table(("why", "frames", "which (acquisition order)"), rows, words=(0, 2))


def frame_ranges(frames: Sequence[int], *, most: int = 12) -> str:
    """Write frame numbers as ranges.

    >>> frame_ranges([5, 1, 2, 3, 9])
    '1-3, 5, 9'
    """
    runs: list[list[int]] = []
    for frame in sorted(frames):
        if runs and frame == runs[-1][1] + 1:
            runs[-1][1] = frame
        else:
            runs.append([frame, frame])
    texts = [str(a) if a == b else f"{a}-{b}" for a, b in runs]
    more = f" and {counted(len(texts) - most, 'more range')}" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more


def hypothesis_table(hypotheses: Sequence[Hypothesis], *, most: int = 10) -> Table:
    """List the placements that were refined, best first."""
    best = hypotheses[0].cost if hypotheses else float("nan")
    rows = [
        [
            str(i + 1),
            number(each.arc_length_mm, 1),
            number(each.rotation_deg, 0),
            number(each.stretch, 3),
            "yes" if each.mirrored else "no",
            number(each.cost, 4),
            number(100.0 * (each.cost / best - 1.0), 1, signed=True) if i and best > 0.0 else "",
        ]
        for i, each in enumerate(hypotheses[:most])
    ]
    header = (
        "",
        "most distal frame at (mm)",
        "rotation (degrees)",
        "stretch",
        "mirrored",
        "cost",
        "against the best (%)",
    )
    return Table(header, rows)


def _value_text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return "; ".join(value) or "none"
    return str(value)


def flat_table(values: Mapping[str, Any]) -> Table:
    """Write nested settings as ``a.b`` and a value."""
    rows: list[list[str]] = []

    def add(prefix: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for key, each in value.items():
                add(f"{prefix}.{key}" if prefix else str(key), each)
        else:
            rows.append([prefix, _value_text(value)])

    add("", values)
    return Table(("name", "value"), rows, words=(0, 1), long=True)
