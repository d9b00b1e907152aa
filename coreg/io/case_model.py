"""What a case.toml may say, checked key by key."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, LiteralString, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
)
from pydantic_core import PydanticCustomError

from coreg.errors import InputError
from coreg.io.files import existing_file, is_folder, read_text, unusable, write_text
from coreg.io.tables import nearest_name

CASE_NAME, MANIFEST_NAME = "case.toml", "manifest.csv"
ID_PATTERN = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
ID_RULE = "1 to 64 of the characters A-Z a-z 0-9 . _ -, the first a letter or a digit"
FRAME_SPACING_MM = (0.005, 5.0)
PIXEL_SPACING_MM = (0.002, 0.5)
_LONGEST_NAME_BYTES = 255
_CASE = "a case.toml (UTF-8 text); `coreg init` writes one from files"
# What pydantic calls otherwise.
_IN_TOML = {
    "string_too_short": "text that is not empty",
    "tuple_type": "a list in square brackets",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "dict_type": "a table",
}

T = TypeVar("T")


def _as_tuple(value: Any) -> Any:
    """Take TOML's arrays where the model has tuples."""
    return tuple(value) if isinstance(value, list) else value


def _as_tuples(value: Any) -> Any:
    return tuple(_as_tuple(each) for each in value) if isinstance(value, list) else value


def _file_name(name: str) -> str:
    """Refuse what no file system can look up."""
    kind: LiteralString = "file_name"
    try:
        parts = Path(name).expanduser().parts
    except RuntimeError:
        raise PydanticCustomError(kind, "a path in a home folder that is known") from None
    if "\0" in name or any(len(os.fsencode(each)) > _LONGEST_NAME_BYTES for each in parts):
        rule = "a path of names of at most {most} bytes, none of them zero"
        raise PydanticCustomError(kind, rule, {"most": _LONGEST_NAME_BYTES})
    return name


Id = Annotated[str, Field(pattern=f"^{ID_PATTERN}$")]
FileName = Annotated[str, Field(min_length=1), AfterValidator(_file_name)]
Pair = Annotated[tuple[float, float], BeforeValidator(_as_tuple)]
Triple = Annotated[tuple[float, float, float], BeforeValidator(_as_tuple)]
Exclusions = Annotated[tuple[tuple[int, int, str], ...], BeforeValidator(_as_tuples)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class CctaSection(_Section):
    """What is known of the CCTA; file names as in the file, points in LPS mm."""

    image: FileName | None = None
    lumen: FileName | None = None
    wall: FileName | None = None
    centerline: FileName | None = None
    side_branches: FileName | None = None
    ostium: Triple | None = None
    distal: Triple | None = None
    series: Annotated[int, Field(ge=1)] | None = None


class PullbackSection(_Section):
    """What is known of the pullback; file names as in the file."""

    image: FileName | None = None
    lumen: FileName | None = None
    eem: FileName | None = None
    side_branches: FileName | None = None
    modality: Literal["OCT", "IVUS"] | None = None
    catheter_type: Literal["rotating", "solid-state"] | None = None
    acquisition: Literal["motorized", "gated", "manual"] | None = None
    frame_spacing_mm: Annotated[float, Field(ge=FRAME_SPACING_MM[0], le=FRAME_SPACING_MM[1])] | None = None
    positions: FileName | None = None
    pixel_spacing_mm: Annotated[float, Field(ge=PIXEL_SPACING_MM[0], le=PIXEL_SPACING_MM[1])] | None = None
    catheter_px: Pair | None = None
    catheter_mm: Pair | None = None
    first_frame: Literal["distal", "proximal"] = "distal"
    view: Literal["looking-distal", "looking-proximal"] = "looking-distal"
    frame_rate_hz: Annotated[float, Field(gt=0.0, le=500.0)] | None = None
    field_of_view_mm: Annotated[float, Field(ge=1.0, le=20.0)] | None = None
    exclude: Exclusions = ()


class LandmarksSection(_Section):
    """Where the landmarks are."""

    file: FileName


class CaseFile(_Section):
    """The content of a case.toml and where it was read.

    A case may come without a pullback or without a CCTA; a registration needs both.
    """

    id: Id
    patient: Id | None = None
    vessel: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    ccta: CctaSection = Field(default_factory=CctaSection)
    pullback: PullbackSection = Field(default_factory=PullbackSection)
    landmarks: LandmarksSection | None = None

    _path: Path = PrivateAttr(default=Path(CASE_NAME))

    @property
    def path(self) -> Path:
        """The case.toml itself."""
        return self._path

    @property
    def has_ccta(self) -> bool:
        """Whether there is a table [ccta] with a key in it."""
        return bool(self.ccta.model_fields_set)

    @property
    def has_pullback(self) -> bool:
        """Whether there is a table [pullback] with a key in it."""
        return bool(self.pullback.model_fields_set)

    def resolved(self, name: str) -> Path:
        """Turn a path of the case, absolute or relative to its file, into one that can be opened."""
        return self._path.parent / Path(name).expanduser()

    def bad(self, *, key: str, found: object, expected: str) -> InputError:
        """Make the error about one key."""
        return unusable(self._path, key, found=found, expected=expected)


def is_id(text: str) -> bool:
    """Tell whether a text may be the id of a case or a patient.

    >>> is_id("P001-LAD"), is_id("../P001")
    (True, False)
    """
    return re.fullmatch(ID_PATTERN, text) is not None


def read_case_file(path: Path | str) -> CaseFile:
    """Read and check a case.toml, or that of a folder, without opening the files it names.

    Raises
    ------
    InputError
        If it is missing, not TOML, has an unknown key or a value of the wrong kind.
    """
    path = Path(path)
    if is_folder(path):
        path = path / CASE_NAME
    try:
        content = tomllib.loads(read_text(existing_file(path), expected=_CASE))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise unusable(path, "", found=f"broken TOML ({error})", expected="a case.toml") from error
    try:
        case = CaseFile.model_validate(content)
    except ValidationError as error:
        raise _readable(path, error) from error
    case._path = path
    if not case.has_ccta and not case.has_pullback:
        raise case.bad(key="ccta", found="nothing", expected="the table [ccta] or [pullback]")
    return case


def write_case_file(path: Path, content: dict[str, Any]) -> None:
    """Write a case.toml, whole or not at all.

    Parameters
    ----------
    path : Path
        Where to.
    content : dict
        Keys as in the file; None is left out.

    Raises
    ------
    InputError
        If the content is not what a case.toml may hold.
    """
    top = {key: value for key, value in content.items() if value is not None and not isinstance(value, dict)}
    tables = {key: value for key, value in content.items() if isinstance(value, dict)}
    lines = _toml_lines(top)
    for name, table in tables.items():
        lines += ["", f"[{name}]", *_toml_lines(table)]
    text = "\n".join(lines) + "\n"
    try:
        CaseFile.model_validate(tomllib.loads(text))
    except ValidationError as error:
        raise _readable(path, error) from error
    write_text(path, text)


def used_files(case: CaseFile) -> Iterator[tuple[str, str]]:
    """Key and file name of each file that the registration reads: the CCTA only if there is no lumen."""
    first = "image" if case.ccta.lumen is None else "lumen"
    for section, keys in (
        ("ccta", (first, "centerline", "side_branches")),
        ("pullback", ("image", "lumen", "eem", "positions", "side_branches")),
    ):
        for key in keys:
            name = getattr(getattr(case, section), key)
            if name is not None:
                yield f"{section}.{key}", name
    if case.landmarks is not None:
        yield "landmarks.file", case.landmarks.file


def used_ccta_files(case: CaseFile) -> Iterator[tuple[str, str]]:
    """Key and file name of each file that the segmentation of the CCTA reads."""
    for key in ("image", "lumen", "centerline", "side_branches"):
        name = getattr(case.ccta, key)
        if name is not None:
            yield f"ccta.{key}", name


def used_pullback_files(case: CaseFile) -> Iterator[tuple[str, str]]:
    """Key and file name of each file that the segmentation of the pullback reads."""
    for key in ("image", "lumen", "eem", "positions", "side_branches"):
        name = getattr(case.pullback, key)
        if name is not None:
            yield f"pullback.{key}", name


def named_files(case: CaseFile) -> Iterator[tuple[str, str]]:
    """Key and file name of each file that the case names, also of those that no registration reads."""
    yield from used_ccta_files(case)
    if case.ccta.wall is not None:
        yield "ccta.wall", case.ccta.wall
    yield from used_pullback_files(case)
    if case.landmarks is not None:
        yield "landmarks.file", case.landmarks.file


def _readable(path: Path, error: ValidationError) -> InputError:
    problems = [_problem(each) for each in error.errors(include_url=False)]
    return InputError(f"{path}: " + "; ".join(problems[:5]))


def _problem(error: Any) -> str:
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]).lstrip(".")
    if error["type"] == "extra_forbidden":
        return f"unknown key {place}{_suggestion(error['loc'])}"
    if error["type"] == "missing":
        kind = f"the table [{place}]" if place in {"ccta", "pullback"} else f"the key {place}"
        return f"{place}: found nothing, expected {kind}"
    expected = str(error["msg"]).replace("Input should be ", "").removeprefix("a valid ")
    if error["type"] in _IN_TOML:
        expected = _IN_TOML[error["type"]]
    if error["type"] == "string_pattern_mismatch":
        expected = ID_RULE
    return f"{place}: found {error['input']!r}, expected {expected}"


def _suggestion(place: tuple[int | str, ...]) -> str:
    *tables, key = (str(part) for part in place)
    here = [name for name in _known_keys() if name.split(".")[:-1] == tables]
    everywhere = {name.split(".")[-1]: name for name in _known_keys()}
    near = nearest_name(key, [name.split(".")[-1] for name in here])
    if near and key not in everywhere:
        return f"; did you mean {'.'.join([*tables, near])}?"
    near = nearest_name(key, everywhere)
    if near:
        return f"; did you mean {everywhere[near]}?"
    return f"; known here are {', '.join(here)}"


def _known_keys() -> Iterator[str]:
    sections: dict[str, type[BaseModel]] = {
        "ccta": CctaSection,
        "pullback": PullbackSection,
        "landmarks": LandmarksSection,
    }
    yield from CaseFile.model_fields
    for name, section in sections.items():
        yield from (f"{name}.{key}" for key in section.model_fields)


def _toml_lines(table: dict[str, Any]) -> list[str]:
    return [f"{key} = {_toml_value(value)}" for key, value in table.items() if value is not None]


def _toml_value(value: Any) -> str:
    if isinstance(value, str):
        plain = value.replace("\\", "\\\\").replace('"', '\\"')
        return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in plain) + '"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(float(value))
    return "[" + ", ".join(_toml_value(each) for each in value) + "]"
