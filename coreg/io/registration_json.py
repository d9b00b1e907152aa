"""registration.json: all that is needed to rebuild and apply a registration, and how it was made."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from coreg.catheter_path import VirtualCatheterPath
from coreg.centerline import Centerline
from coreg.errors import InputError
from coreg.io.files import read_text, unusable, write_text
from coreg.result import Hypothesis, Registration, Verdict

FloatArray = npt.NDArray[np.float64]

FILE_NAME = "registration.json"
SCHEMA_VERSION = 1
USE = "for research use only"
_INFINITIES = {"Infinity": math.inf, "-Infinity": -math.inf}
_VERDICTS = ("good", "review", "failed")
T = TypeVar("T")


def write_registration(folder: Path, registration: Registration, *, case_id: str | None = None) -> None:
    """Write registration.json into a folder, whole or not at all.

    Parameters
    ----------
    folder : Path
        Must exist.
    registration : Registration
        Numbers are written exactly; NaN as null.
    case_id : str, optional
        Whose result it is; without it, ``case_id`` of the provenance.
    """
    content = {
        "schema_version": SCHEMA_VERSION,
        "use": USE,
        "case_id": case_id or registration.provenance.get("case_id"),
        "verdict": registration.verdict,
        "reasons": list(registration.reasons),
        "radius_scale": registration.radius_scale,
        "margin": registration.margin,
        "costs": registration.costs,
        "hypotheses": [dataclasses.asdict(each) for each in registration.hypotheses],
        "centerline": {
            "points_mm": registration.centerline.points_mm,
            "radius_mm": registration.centerline.radius_mm,
            "ostium_mm": registration.centerline.ostium_mm,
        },
        "path": _path_fields(registration.path),
        "rigid_path": _path_fields(registration.rigid_path),
        "residual_mm": registration.residual_mm,
        "settings": registration.settings,
        "provenance": registration.provenance,
    }
    write_text(
        folder / FILE_NAME, json.dumps(_plain(content), indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    )


def read_registration(folder: Path) -> Registration:
    """Read the registration of a result folder, or a registration.json itself.

    Raises
    ------
    InputError
        If it is missing, broken, or of an unknown schema version.
    """
    path = folder / FILE_NAME if folder.is_dir() else folder
    content = _Fields(path, "", _parsed(path))
    version = content.value("schema_version")
    if version != SCHEMA_VERSION:
        raise unusable(path, "schema_version", found=repr(version), expected=str(SCHEMA_VERSION))
    verdict = content.value("verdict")
    if verdict not in _VERDICTS:
        raise unusable(path, "verdict", found=repr(verdict), expected=" or ".join(_VERDICTS))
    line = content.inner("centerline")
    known_radius = line.value("radius_mm") is not None
    fitted = content.inner("path")
    residual = content.array("residual_mm")
    registration = Registration(
        path=_built(path, "path", lambda: _read_path(fitted)),
        rigid_path=_built(path, "rigid_path", lambda: _read_path(content.inner("rigid_path"))),
        centerline=_built(
            path,
            "centerline",
            lambda: Centerline(
                line.array("points_mm", width=3),
                line.array("radius_mm") if known_radius else None,
                line.number("ostium_mm"),
            ),
        ),
        verdict=cast("Verdict", verdict),
        reasons=content.texts("reasons"),
        radius_scale=content.number("radius_scale"),
        margin=content.number("margin"),
        hypotheses=tuple(
            _built(path, f"hypotheses[{i}]", partial(_read_hypothesis, path, each))
            for i, each in enumerate(content.items("hypotheses"))
        ),
        costs={name: content.inner("costs").number(name) for name in content.mapping("costs")},
        residual_mm=residual,
        settings=content.mapping("settings"),
        provenance=content.mapping("provenance"),
    )
    if len(residual) != len(registration.path):
        expected = f"one for each of the path's {len(registration.path)} frames"
        raise unusable(path, "residual_mm", found=f"{len(residual)} values", expected=expected)
    return registration


def case_id_of(folder: Path) -> str | None:
    """Tell whose result a folder holds; None where it holds no readable registration."""
    if not (folder / FILE_NAME).is_file():
        return None
    try:
        content = _parsed(folder / FILE_NAME)
    except InputError:
        return None
    name = content.get("case_id") if "schema_version" in content else None
    return name if isinstance(name, str) else None


class _Fields:
    """A JSON object whose fields are asked for by name and kind."""

    def __init__(self, path: Path, place: str, content: Mapping[str, Any]) -> None:
        self._path, self._place, self._content = path, place, content

    def bad(self, name: str, expected: str) -> InputError:
        found = repr(self._content[name])[:80] if name in self._content else "nothing"
        return unusable(self._path, self._place + name, found=found, expected=expected)

    def value(self, name: str) -> Any:
        if name not in self._content:
            raise self.bad(name, "this field")
        return self._content[name]

    def mapping(self, name: str) -> dict[str, Any]:
        value = self.value(name)
        if not isinstance(value, dict):
            raise self.bad(name, "an object")
        return value

    def inner(self, name: str) -> _Fields:
        return _Fields(self._path, f"{self._place}{name}.", self.mapping(name))

    def items(self, name: str) -> list[Any]:
        value = self.value(name)
        if not isinstance(value, list):
            raise self.bad(name, "a list")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        values = self.items(name)
        if not all(isinstance(each, str) for each in values):
            raise self.bad(name, "a list of texts")
        return tuple(values)

    def number(self, name: str) -> float:
        value = self.value(name)
        if not _is_number(value):
            raise self.bad(name, "a number or null")
        return _as_float(value)

    def array(self, name: str, *, width: int | None = None) -> FloatArray:
        """Numbers (N,), or (N, width), with null as NaN."""
        values = self.items(name)
        rows = values if width else [values]
        if not all(isinstance(row, list) and all(_is_number(each) for each in row) for row in rows):
            raise self.bad(name, "a list of numbers or null" if width is None else f"rows of {width} numbers")
        if width and any(len(row) != width for row in rows):
            raise self.bad(name, f"rows of {width} numbers")
        flat = np.array([_as_float(each) for row in rows for each in row], dtype=np.float64)
        return flat.reshape(-1, width) if width else flat


def _read_path(fields: _Fields) -> VirtualCatheterPath:
    frame, reliable = fields.items("frame"), fields.items("reliable")
    for name, values, kind in (("frame", frame, int), ("reliable", reliable, bool)):
        if not all(type(each) is kind for each in values):
            raise fields.bad(name, f"a list of {kind.__name__}")
    return VirtualCatheterPath(
        frame=np.array(frame, dtype=np.int64),
        position_mm=fields.array("position_mm"),
        arc_length_mm=fields.array("arc_length_mm"),
        rotation_rad=fields.array("rotation_rad"),
        origin_mm=fields.array("origin_mm", width=3),
        column=fields.array("column", width=3),
        row=fields.array("row", width=3),
        reliable=np.array(reliable, dtype=bool),
        reason=fields.texts("reason"),
    )


def _read_hypothesis(path: Path, content: Any) -> Hypothesis:
    if not isinstance(content, dict):
        raise unusable(path, "hypotheses", found=repr(content)[:80], expected="objects")
    fields = _Fields(path, "hypotheses.", content)
    return Hypothesis(
        arc_length_mm=fields.number("arc_length_mm"),
        rotation_deg=fields.number("rotation_deg"),
        stretch=fields.number("stretch"),
        cost=fields.number("cost"),
        mirrored=bool(fields.value("mirrored")),
    )


def _built(path: Path, field: str, build: Callable[[], T]) -> T:
    try:
        return build()
    except (ValueError, OverflowError) as error:
        raise unusable(path, field, found=str(error), expected="values as coreg writes them") from error


def _parsed(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise unusable(path, "", found=f"broken JSON ({error})", expected="a registration.json") from error
    if not isinstance(content, dict):
        raise unusable(path, "", found=type(content).__name__, expected="a registration.json")
    return content


def _path_fields(path: VirtualCatheterPath) -> dict[str, Any]:
    return {each.name: getattr(path, each.name) for each in dataclasses.fields(path)}


def _is_number(value: Any) -> bool:
    return (
        value is None
        or value in _INFINITIES
        or (isinstance(value, (int, float)) and not isinstance(value, bool))
    )


def _as_float(value: Any) -> float:
    if value is None:
        return math.nan
    return _INFINITIES[value] if isinstance(value, str) else float(value)


def _plain(value: Any) -> Any:
    """Take arrays, dataclasses, paths and NaN to what JSON has."""
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, (str, bool)) or value is None:
        return value
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, (float, np.floating)):
        number = float(value)
        if math.isfinite(number):
            return number
        return None if math.isnan(number) else ("Infinity" if number > 0 else "-Infinity")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain(dataclasses.asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, Sequence):
        return [_plain(each) for each in value]
    return str(value)
