"""JSON files of ours: what can be written into one, and its fields checked on reading."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from coreg.errors import InputError
from coreg.io.files import read_text, unusable, write_text

FloatArray = npt.NDArray[np.float64]

Choice = TypeVar("Choice", bound=str)

USE = "for research use only"
_INFINITIES = {"Infinity": math.inf, "-Infinity": -math.inf}


def case_id_of(path: Path) -> str | None:
    """Tell whose result a JSON file of ours is of; None where it is missing or none of ours."""
    if not path.is_file():
        return None
    try:
        content = parsed_json(path)
    except InputError:
        return None
    name = content.get("case_id") if "schema_version" in content else None
    return name if isinstance(name, str) else None


class Fields:
    """A JSON object whose fields are asked for by name and kind."""

    def __init__(self, path: Path, place: str, content: Mapping[str, Any]) -> None:
        self._path, self._place, self._content = path, place, content

    def bad(self, name: str, expected: str) -> InputError:
        """Make the error about one field."""
        found = repr(self._content[name])[:80] if name in self._content else "nothing"
        return unusable(self._path, self._place + name, found=found, expected=expected)

    def value(self, name: str) -> Any:
        """Return a field that must be there."""
        if name not in self._content:
            raise self.bad(name, "this field")
        return self._content[name]

    def has(self, name: str) -> bool:
        """Whether a field is there; files of older versions lack some."""
        return name in self._content

    def check_schema(self, version: int) -> None:
        """Refuse a file of another version of its schema."""
        if self.value("schema_version") != version:
            raise self.bad(name="schema_version", expected=str(version))

    def mapping(self, name: str) -> dict[str, Any]:
        """Return a field that is an object."""
        value = self.value(name)
        if not isinstance(value, dict):
            raise self.bad(name, "an object")
        return value

    def inner(self, name: str) -> Fields:
        """Return the fields of an object inside this one."""
        return Fields(self._path, f"{self._place}{name}.", self.mapping(name))

    def text(self, name: str) -> str:
        """Return a field that is a text."""
        value = self.value(name)
        if not isinstance(value, str):
            raise self.bad(name, "a text")
        return value

    def one_of(self, name: str, known: Sequence[Choice]) -> Choice:
        """Return a field that is one of some texts."""
        value = self.value(name)
        chosen = next((each for each in known if each == value), None)
        if chosen is None:
            raise self.bad(name, " or ".join(known))
        return chosen

    def finite_or_none(self, name: str) -> float | None:
        """Return a field that is a finite number; None where it is null."""
        number = self.number(name)
        if math.isinf(number):
            raise self.bad(name, "a finite number or null")
        return None if math.isnan(number) else number

    def each(self, name: str) -> list[Fields]:
        """Return the fields of each object of a list."""
        values = self.items(name)
        for i, value in enumerate(values):
            if not isinstance(value, dict):
                found, expected = repr(value)[:80], "an object"
                raise unusable(self._path, f"{self._place}{name}[{i}]", found=found, expected=expected)
        return [Fields(self._path, f"{self._place}{name}[{i}].", value) for i, value in enumerate(values)]

    def items(self, name: str) -> list[Any]:
        """Return a field that is a list."""
        value = self.value(name)
        if not isinstance(value, list):
            raise self.bad(name, "a list")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a field that is a list of texts."""
        values = self.items(name)
        if not all(isinstance(each, str) for each in values):
            raise self.bad(name, "a list of texts")
        return tuple(values)

    def number(self, name: str) -> float:
        """Return a field that is a number; null is NaN."""
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


def parsed_json(path: Path) -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Raises
    ------
    InputError
        If it is missing, no JSON, or no object.
    """
    try:
        content = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise unusable(
            path, "", found=f"broken JSON ({error})", expected=f"a {path.name} of coreg"
        ) from error
    if not isinstance(content, dict):
        raise unusable(path, "", found=type(content).__name__, expected=f"a {path.name} of coreg")
    return content


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object, whole or not at all."""
    text = json.dumps(plain_json(content), indent=1, allow_nan=False, ensure_ascii=False)
    write_text(path, text + "\n")


def plain_json(value: Any) -> Any:
    """Take arrays, dataclasses, paths and NaN to what JSON has."""
    if isinstance(value, np.ndarray):
        return plain_json(value.tolist())
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
        return plain_json(dataclasses.asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain_json(each) for key, each in value.items()}
    if isinstance(value, Sequence):
        return [plain_json(each) for each in value]
    return str(value)


def _is_number(value: Any) -> bool:
    return (
        value is None
        or (isinstance(value, str) and value in _INFINITIES)
        or (isinstance(value, (int, float)) and not isinstance(value, bool))
    )


def _as_float(value: Any) -> float:
    if value is None:
        return math.nan
    return _INFINITIES[value] if isinstance(value, str) else float(value)
