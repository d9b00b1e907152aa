"""registration.json: all that is needed to rebuild and apply a registration, and how it was made."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from coreg.catheter_path import VirtualCatheterPath
from coreg.centerline import Centerline
from coreg.io.files import is_folder, unusable
from coreg.io.json_fields import USE, Fields, parsed_json, write_json
from coreg.result import Hypothesis, Registration, Verdict

FloatArray = npt.NDArray[np.float64]

FILE_NAME = "registration.json"
SCHEMA_VERSION = 1
VERDICTS: tuple[Verdict, ...] = ("good", "review", "failed")
T = TypeVar("T")


def write_registration(
    folder: Path, registration: Registration, *, case_id: str | None = None, file_name: str = FILE_NAME
) -> None:
    """Write registration.json into a folder, whole or not at all.

    Parameters
    ----------
    folder : Path
        Must exist.
    registration : Registration
        Numbers are written exactly; NaN as null.
    case_id : str, optional
        Whose result it is; without it, ``case_id`` of the provenance.
    file_name : str
        Another name, as for a registration that a person changed.
    """
    write_json(folder / file_name, registration_content(registration, case_id=case_id))


def registration_content(registration: Registration, *, case_id: str | None = None) -> dict[str, Any]:
    """Return what registration.json holds; arguments are those of `write_registration`."""
    return {
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


def read_registration(folder: Path) -> Registration:
    """Read the registration of a result folder, or a registration.json itself.

    Raises
    ------
    InputError
        If it is missing, broken, or of an unknown schema version.
    """
    path = folder / FILE_NAME if is_folder(folder) else folder
    return registration_from(path, parsed_json(path))


def registration_from(path: Path, content: Mapping[str, Any], *, place: str = "") -> Registration:
    """Rebuild a registration from what registration.json holds.

    Parameters
    ----------
    path : Path
        Where it was read, for messages.
    content : mapping
        As `registration_content` gives it, through JSON.
    place : str
        Where in the file it was, for messages, such as ``registration.``.

    Raises
    ------
    InputError
        If it is broken, or of an unknown schema version.
    """
    fields = Fields(path, place, content)
    fields.check_schema(SCHEMA_VERSION)
    fitted = fields.inner("path")
    residual = fields.array("residual_mm")
    registration = Registration(
        path=_built(path, f"{place}path", lambda: _read_path(fitted)),
        rigid_path=_built(path, f"{place}rigid_path", lambda: _read_path(fields.inner("rigid_path"))),
        centerline=_built(path, f"{place}centerline", lambda: _read_line(fields.inner("centerline"))),
        verdict=verdict_of(fields),
        reasons=fields.texts("reasons"),
        radius_scale=fields.number("radius_scale"),
        margin=fields.number("margin"),
        hypotheses=tuple(
            _built(path, f"{place}hypotheses[{i}]", partial(_read_hypothesis, path, each))
            for i, each in enumerate(fields.items("hypotheses"))
        ),
        costs={name: fields.inner("costs").number(name) for name in fields.mapping("costs")},
        residual_mm=residual,
        settings=fields.mapping("settings"),
        provenance=fields.mapping("provenance"),
    )
    if len(residual) != len(registration.path):
        expected = f"one for each of the path's {len(registration.path)} frames"
        raise unusable(path, f"{place}residual_mm", found=f"{len(residual)} values", expected=expected)
    return registration


def verdict_of(fields: Fields) -> Verdict:
    """Return the verdict among the fields of a registration.json."""
    return fields.one_of("verdict", VERDICTS)


def _read_line(fields: Fields) -> Centerline:
    known_radius = fields.value("radius_mm") is not None
    return Centerline(
        fields.array("points_mm", width=3),
        fields.array("radius_mm") if known_radius else None,
        fields.number("ostium_mm"),
    )


def _read_path(fields: Fields) -> VirtualCatheterPath:
    frame, reliable = fields.items("frame"), fields.items("reliable")
    for name, values, kind in (("frame", frame, int), ("reliable", reliable, bool)):
        if not all(type(each) is kind for each in values):
            raise fields.bad(name, f"a list of {kind.__name__}")
    spreads = [name for name in ("arc_length_sd_mm", "rotation_sd_rad") if fields.has(name)]
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
        **{name: fields.array(name) for name in spreads},
    )


def _read_hypothesis(path: Path, content: Any) -> Hypothesis:
    if not isinstance(content, dict):
        raise unusable(path, "hypotheses", found=repr(content)[:80], expected="objects")
    fields = Fields(path, "hypotheses.", content)
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


def _path_fields(path: VirtualCatheterPath) -> dict[str, Any]:
    return {each.name: getattr(path, each.name) for each in dataclasses.fields(path)}
