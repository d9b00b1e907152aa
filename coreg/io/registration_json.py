"""registration.json: all that is needed to rebuild and apply a registration, and how it was made."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

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
    write_json(folder / FILE_NAME, content)


def read_registration(folder: Path) -> Registration:
    """Read the registration of a result folder, or a registration.json itself.

    Raises
    ------
    InputError
        If it is missing, broken, or of an unknown schema version.
    """
    path = folder / FILE_NAME if is_folder(folder) else folder
    content = Fields(path, "", parsed_json(path))
    content.check_schema(SCHEMA_VERSION)
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
