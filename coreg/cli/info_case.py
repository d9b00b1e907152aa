"""``coreg info`` of a case: what is in it, and which commands can use it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coreg.cli.describe import Described, described, described_series, without_missing
from coreg.errors import InputError
from coreg.io.case_file import load_case, load_ccta, load_pullback, read_case_file
from coreg.io.case_model import used_ccta_files, used_files, used_pullback_files

if TYPE_CHECKING:
    from coreg.case import PullbackCase
    from coreg.io.case_model import CaseFile

Told = tuple[dict[str, str], dict[str, Any]]

CCTA, PULLBACK, REGISTER = "segment ccta", "segment pullback", "register"
_MOST_FACTS = 3


def described_case(path: Path) -> Described:
    """Tell what a case holds, and what can be done with it.

    Raises
    ------
    InputError
        If it is no case.toml.
    """
    file = read_case_file(path)
    fields = _fields(file)
    facts: dict[str, str] = {}
    for name, value in fields.items():
        inner = value.items() if isinstance(value, dict) else [("", value)]
        facts |= {f"{name}.{key}".rstrip("."): str(each) for key, each in inner if each != []}
    files: dict[str, Any] = {}
    for key, name in _used(file):
        try:
            what = _described_file(file, key, name)
            shown = "; ".join(f"{a}: {b}" for a, b in list(what.facts.items())[:_MOST_FACTS])
            files[key] = {"kind": what.kind, **what.data}
            facts[key] = f"{name} ({what.kind}{'; ' * bool(shown)}{shown})"
        except InputError as error:
            files[key], facts[key] = {"error": str(error)}, f"{name}: {error}"
    data: dict[str, Any] = {"case": fields, "files": files}
    more, numbers = _uses(file, path)
    return Described("a case", "", facts | more, data | numbers)


def _fields(file: CaseFile) -> dict[str, Any]:
    left_out = {
        name for name, there in (("ccta", file.has_ccta), ("pullback", file.has_pullback)) if not there
    }
    return file.model_dump(mode="json", exclude_none=True, exclude=left_out)


def _used(file: CaseFile) -> Iterator[tuple[str, str]]:
    """List the files that whatever can be done with the case reads."""
    if not file.has_pullback:
        return used_ccta_files(file)
    return used_files(file) if file.has_ccta else used_pullback_files(file)


def _described_file(file: CaseFile, key: str, name: str) -> Described:
    where = file.resolved(name)
    if key == "ccta.image" and file.ccta.series is not None:
        return described_series(where, file.ccta.series)
    section = file.pullback
    given = [f"pullback.{each}" for each in section.model_fields_set]
    if section.positions is not None:
        given.append("pullback.frame_spacing_mm")
    return without_missing(described(where), given) if key == "pullback.image" else described(where)


def _uses(file: CaseFile, path: Path) -> Told:
    """Try what each command reads, the registration first, as it needs the most."""
    error = _lacking(file)
    if not error:
        more, numbers, error = _tried(_loaded, path)
        if not error:
            return more, numbers | {"usable": True, "commands": {REGISTER: True}}
    parts = ((PULLBACK, file.has_pullback, _loaded_pullback), (CCTA, file.has_ccta, _loaded_ccta))
    facts: dict[str, str] = {}
    data: dict[str, Any] = {}
    verdicts: dict[str, str] = {}
    for command, there, load in parts:
        if there:
            more, numbers, verdicts[command] = _tried(load, path)
            facts, data = facts | more, data | numbers
    errors = verdicts | {REGISTER: error}
    shown = {f"coreg {command}": f"no: {why}" if why else "yes" for command, why in errors.items()}
    # A case of one table is there to be segmented.
    alone = len(verdicts) == 1
    data |= {"usable": alone and not any(verdicts.values())}
    data |= {"commands": {command: not why for command, why in errors.items()}}
    data |= {} if data["usable"] else {"error": error if not alone else next(iter(verdicts.values()))}
    return facts | shown, data


def _lacking(file: CaseFile) -> str:
    """Say which table a registration would need too; empty where both are there."""
    if file.has_ccta and file.has_pullback:
        return ""
    return f"it needs the table [{'pullback' if file.has_ccta else 'ccta'}] too"


def _tried(load: Callable[[Path], Told], path: Path) -> tuple[dict[str, str], dict[str, Any], str]:
    """Load; returns what was found, or why nothing can be."""
    try:
        return *load(path), ""
    except InputError as error:
        return {}, {}, str(error)


def _loaded(path: Path) -> Told:
    """Load all that a registration needs and say what there is."""
    case = load_case(path)
    paired = sum(each.paired for each in case.landmarks)
    facts, numbers = _pullback(case.pullback_case)
    lacking = []
    if case.lumen is None:
        lacking.append("the CCTA's lumen")
    if not case.pullback.lumen:
        lacking.append("the pullback's lumen")
    facts |= {
        "landmarks": f"{len(case.landmarks)}, {paired} in both modalities",
        f"coreg {REGISTER}": "yes"
        + (f"; {' and '.join(lacking)} will be segmented first" if lacking else ""),
    }
    return facts, {"pullback": numbers | {"landmarks": len(case.landmarks)}}


def _loaded_pullback(path: Path) -> Told:
    """Load all that a segmentation of the pullback needs and say what there is."""
    facts, numbers = _pullback(load_pullback(path))
    return facts, {"pullback": numbers}


def _loaded_ccta(path: Path) -> Told:
    """Load all that a segmentation needs and say what there is."""
    ccta = load_ccta(path)
    apart = " and ".join(f"[{', '.join(f'{each:.1f}' for each in click)}]" for click in ccta.ends_mm)
    return {"vessel": f"between {apart}"}, {"ends_mm": ccta.ends_mm}


def _pullback(case: PullbackCase) -> Told:
    pullback, images = case.pullback, case.images
    facts = {
        "pullback": (
            f"{len(pullback)} frames over {pullback.length_mm:.1f} mm, {len(pullback.lumen)} with a lumen, "
            f"{len(pullback.excluded)} excluded; median spacing {pullback.frame_spacing_mm:.3f} mm"
        )
    }
    numbers: dict[str, Any] = {
        "frames": len(pullback),
        "length_mm": pullback.length_mm,
        "frames_with_lumen": len(pullback.lumen),
        "excluded": len(pullback.excluded),
    }
    if images is not None:
        column, row = images.catheter_px
        facts["images"] = (
            f"{images.modality}, {images.pixel_spacing_mm[0]:.4g} mm a pixel, "
            f"{images.field_of_view_mm:.2f} mm about column {column:.1f}, row {row:.1f}"
        )
        facts |= {f"{name} from": text for name, text in images.sources.items()}
        facts |= {f"note {i + 1}": note for i, note in enumerate(images.notes)}
        numbers |= {
            "modality": images.modality,
            "pixel_spacing_mm": images.pixel_spacing_mm,
            "catheter_px": images.catheter_px,
            "field_of_view_mm": images.field_of_view_mm,
            "sources": images.sources,
            "notes": images.notes,
        }
    return facts, numbers
