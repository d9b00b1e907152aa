"""``coreg info``: what a file is, as the program understands it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coreg.cli.options import Json, Quiet, Seed, Threads, Verbose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from coreg.case import PullbackCase
    from coreg.cli.describe import Described
    from coreg.io.case_model import CaseFile

CASE, REGISTRATION = "case.toml", "registration.json"
CCTA, PULLBACK = "segmentation.json", "pullback_segmentation.json"
KNOWN = (CASE, REGISTRATION, CCTA, PULLBACK)


def info(
    *,
    path: Annotated[Path, typer.Argument(metavar="FILE_OR_DIR", help="A case, a result, or any input.")],
    seed: Seed = 0,
    threads: Threads = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Say what a file is, as the program understands it. For research use only."""
    del seed, threads  # every command takes them; nothing here is random or heavy
    from coreg.cli.console import Console
    from coreg.cli.describe import described
    from coreg.io.files import is_folder

    console = Console(verbose=verbose, quiet=quiet, as_json=json)
    folder = path if is_folder(path) else path.parent
    names = {each for each in KNOWN if (path / each).is_file()} if folder == path else {path.name}
    if path.suffix.lower() == ".toml" or CASE in names:
        found = _case(path)
    elif REGISTRATION in names:
        found = _result(path)
    elif {CCTA, PULLBACK} <= names:
        found = _segmentations(folder)
    elif CCTA in names:
        found = _segmentation(folder)
    elif PULLBACK in names:
        found = _segmented_pullback(folder)
    else:
        found = described(path)
    width = max((len(name) for name in found.facts), default=0)
    lines = [f"{path}: {found.kind}", *(f"  {name:<{width}}  {value}" for name, value in found.facts.items())]
    if found.role:
        lines.append(f"  {'use as':<{width}}  {found.role} of a case.toml")
    data = {"path": path, "kind": found.kind, "role": found.role or None, **found.data}
    console.outcome("\n".join(lines), data)


def _case(path: Path) -> Described:
    from coreg.cli.describe import Described, described, described_series
    from coreg.errors import InputError
    from coreg.io.case_file import read_case_file

    file = read_case_file(path)
    left_out = {
        name for name, there in (("ccta", file.has_ccta), ("pullback", file.has_pullback)) if not there
    }
    fields = file.model_dump(mode="json", exclude_none=True, exclude=left_out)
    facts: dict[str, str] = {}
    for name, value in fields.items():
        inner = value.items() if isinstance(value, dict) else [("", value)]
        facts |= {f"{name}.{key}".rstrip("."): str(each) for key, each in inner if each != []}
    files: dict[str, Any] = {}
    for key, name in _used(file):
        try:
            chosen = file.ccta.series if key == "ccta.image" else None
            where = file.resolved(name)
            what = described(where) if chosen is None else described_series(where, chosen)
            files[key] = {"kind": what.kind, **what.data}
            facts[key] = (
                f"{name} ({what.kind}; {'; '.join(f'{a}: {b}' for a, b in list(what.facts.items())[:3])})"
            )
        except InputError as error:
            files[key], facts[key] = {"error": str(error)}, f"{name}: {error}"
    data: dict[str, Any] = {"case": fields, "files": files}
    try:
        more, numbers = _load(file)(path)
    except InputError as error:
        facts["usable"] = f"no: {error}"
        return Described("a case", "", facts, data | {"usable": False, "error": str(error)})
    return Described("a case", "", facts | more, data | {"usable": True} | numbers)


def _used(file: CaseFile) -> Iterator[tuple[str, str]]:
    """List the files that whatever can be done with the case reads."""
    from coreg.io.case_model import used_ccta_files, used_files, used_pullback_files

    if not file.has_pullback:
        return used_ccta_files(file)
    return used_files(file) if file.has_ccta else used_pullback_files(file)


def _load(file: CaseFile) -> Callable[[Path], tuple[dict[str, str], dict[str, Any]]]:
    if not file.has_pullback:
        return _loaded_ccta
    return _loaded if file.has_ccta else _loaded_pullback


def _loaded(path: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """Load all that a registration needs and say what there is."""
    from coreg.io.case_file import load_case

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
        "usable": "yes" + (f"; {' and '.join(lacking)} will be segmented first" if lacking else ""),
    }
    return facts, {"pullback": numbers | {"landmarks": len(case.landmarks)}}


def _loaded_pullback(path: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """Load all that a segmentation of the pullback needs and say what there is."""
    from coreg.io.case_file import load_pullback

    facts, numbers = _pullback(load_pullback(path))
    facts["usable"] = "yes, by coreg segment pullback; there is no [ccta] to register to"
    return facts, {"pullback": numbers}


def _pullback(case: PullbackCase) -> tuple[dict[str, str], dict[str, Any]]:
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


def _loaded_ccta(path: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """Load all that a segmentation needs and say what there is."""
    from coreg.io.case_file import load_ccta

    ccta = load_ccta(path)
    apart = " and ".join(f"[{', '.join(f'{each:.1f}' for each in click)}]" for click in ccta.ends_mm)
    facts = {
        "vessel": f"between {apart}",
        "usable": "yes, by coreg segment ccta; there is no [pullback] to register",
    }
    return facts, {"ends_mm": ccta.ends_mm}


def _segmentation(folder: Path) -> Described:
    from coreg.cli.describe import Described
    from coreg.cli.segmenting import vessel_numbers
    from coreg.io.segmentation_files import TREE, read_ccta_segmentation, read_ccta_tree

    kind = "a segmented CCTA (for research use only)"
    if (folder / f"{TREE}.csv").is_file():
        count = len(read_ccta_tree(folder / f"{TREE}.csv").lines)
        return Described(kind, "", {"lines": f"{count}, from the ostium to every end"}, {"lines": count})
    numbers = vessel_numbers(read_ccta_segmentation(folder))
    facts = {
        "length": f"{numbers['length_mm']:.1f} mm",
        "mean radius": f"{numbers['mean_radius_mm']:.2f} mm",
        "side branches": str(numbers["side_branches"]),
        "marked": f"{numbers['marked_share']:.0%} of it",
    }
    return Described(kind, "", facts, numbers)


def _segmentations(folder: Path) -> Described:
    """Describe both of what a registration segmented."""
    from coreg.cli.describe import Described

    both = {"CCTA": _segmentation(folder), "pullback": _segmented_pullback(folder)}
    facts = {f"{name}, {key}": text for name, each in both.items() for key, text in each.facts.items()}
    data = {name.lower(): each.data for name, each in both.items()}
    return Described("a segmented CCTA and pullback (for research use only)", "", facts, data)


def _segmented_pullback(folder: Path) -> Described:
    from dataclasses import asdict

    from coreg.cli.describe import Described
    from coreg.cli.pullback_segmenting import frames_text
    from coreg.io.pullback_segmentation_files import read_pullback_segmentation
    from coreg.pullback_measures import measures_of

    vessel = read_pullback_segmentation(folder)
    measured, gating = measures_of(vessel), vessel.gating
    facts = {
        "made from": "contours that were given" if vessel.from_contours else "images",
        "frames": frames_text(vessel),
    }
    if measured.lumen_area_mm2 is not None:
        facts |= {
            "mean lumen": f"{measured.lumen_area_mm2:.2f} mm2",
            "smallest lumen": f"{measured.smallest_area_mm2:.2f} mm2, in frame {measured.smallest_frame}",
        }
    facts |= {
        "side branches": str(len(vessel.side_branches)),
        "marked": f"{vessel.marked_share:.0%} of the frames",
    }
    if gating is not None:
        facts["heartbeat"] = f"{gating.beat_frames:.1f} frames a beat, {len(gating.frame)} in {gating.phase}"
    numbers = asdict(measured)
    numbers["frames_measured"] = numbers.pop("frames")
    numbers |= {
        "frames": len(vessel.frame),
        "marked_share": vessel.marked_share,
        "from_contours": vessel.from_contours,
    }
    return Described("a segmented pullback (for research use only)", "", facts, numbers)


def _result(path: Path) -> Described:
    from coreg.cli.describe import Described
    from coreg.io.results import read_registration

    registration = read_registration(path)
    placed, made = registration.path, registration.provenance
    reliable = int((placed.posed & placed.reliable).sum())
    facts: dict[str, str] = {"verdict": registration.verdict}
    facts |= {f"reason {i + 1}": reason for i, reason in enumerate(registration.reasons)}
    facts |= {
        "frames": f"{len(placed)}, {int(placed.posed.sum())} placed, {reliable} reliable",
        "radius scale": f"{registration.radius_scale:.3f} (CCTA over pullback)",
        "margin": f"{100.0 * registration.margin:.1f} %",
        "hypotheses": str(len(registration.hypotheses)),
        "made by": f"coreg {made.get('coreg', '?')} on {made.get('device', '?')}",
    }
    data = {
        "verdict": registration.verdict,
        "reasons": registration.reasons,
        "frames": len(placed),
        "placed": int(placed.posed.sum()),
        "reliable": reliable,
        "radius_scale": registration.radius_scale,
        "margin": registration.margin,
        "settings": registration.settings,
        "provenance": made,
    }
    return Described("a registration (for research use only)", "", facts, data)
