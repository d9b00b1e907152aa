"""Telling apart the volumes that one CT series may hold: phases, kernels, acquisitions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from coreg.io.dicom_headers import SliceHeader

# Phases of one series cover the same part of the body.
SHARED_POSITIONS = 0.75


def grouped(slices: Sequence[SliceHeader], key: Callable[[SliceHeader], Any]) -> list[list[SliceHeader]]:
    """Group slices by a value, in order of it; they keep their order within."""
    return [list(each) for _, each in groupby(sorted(slices, key=key), key)]


def _place(header: SliceHeader) -> tuple[float, ...]:
    numbers = (*(header.position_mm or ()), *(header.orientation or ()))
    return tuple(round(each, 2) for each in numbers)


# What may tell apart the volumes of one series, the likeliest first: its name, its unit, the value.
_DISTINCTIONS: tuple[tuple[str, str, Callable[[SliceHeader], Any]], ...] = (
    ("phase", " %", lambda each: each.phase_percent),
    ("temporal position", "", lambda each: each.temporal_position),
    ("trigger time", " ms", lambda each: each.trigger_time_ms),
    ("kernel", "", lambda each: each.kernel),
    ("image type", "", lambda each: "/".join(each.image_type)),
    ("pixel spacing", "", lambda each: each.pixel_spacing_mm),
    ("slice thickness", " mm", lambda each: each.thickness_mm),
    ("acquisition", "", lambda each: each.acquisition),
)


def phases(slices: list[SliceHeader], before: str = "") -> list[tuple[str, list[SliceHeader]]]:
    """Split a series where positions repeat, by the first attribute that tells whole volumes apart.

    The attributes may also differ between the slabs of one volume, so nothing is split without repeats
    or into parts that do not cover the same positions.
    """
    places = {_place(each) for each in slices}
    if len(places) == len(slices) or () in places:
        return [(before, slices)]
    for name, unit, value in _DISTINCTIONS:
        if any(value(each) is None for each in slices):
            continue
        parts = grouped(slices, value)
        if len(parts) < 2 or not _cover(parts, len(places)):
            continue
        return [
            split
            for part in parts
            for split in phases(part, _joined(before, f"{name} {_shown(value(part[0]))}{unit}"))
        ]
    return _by_trigger_order(slices, before) or [(before, slices)]


def _cover(parts: Sequence[Sequence[SliceHeader]], places: int) -> bool:
    return all(len({_place(each) for each in part}) >= SHARED_POSITIONS * places for part in parts)


def _by_trigger_order(slices: list[SliceHeader], before: str) -> list[tuple[str, list[SliceHeader]]]:
    """Split by the order of trigger times at each position, as they follow the heart rate of each slab."""
    at_place = grouped(slices, _place)
    count = len(at_place[0])
    times = [{each.trigger_time_ms for each in place} for place in at_place]
    if any(None in each or len(each) != count for each in times):
        return []
    ranked = [sorted(place, key=lambda each: each.trigger_time_ms or 0.0) for place in at_place]
    if any(len(place) != count for place in ranked):
        return []
    parts = [list(each) for each in zip(*ranked, strict=True)]
    first_ms = [min(each.trigger_time_ms or 0.0 for each in part) for part in parts]
    return [
        (_joined(before, f"trigger time {i + 1} of {count}, from {first_ms[i]:g} ms"), part)
        for i, part in enumerate(parts)
    ]


def _joined(before: str, text: str) -> str:
    return f"{before}, {text}" if before else text


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return " x ".join(f"{each:g}" for each in value) + " mm"
    return f"{value:g}" if isinstance(value, float) else str(value)
