"""``coreg info``: what a file is, as the program understands it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coreg.cli.options import Json, Quiet, Seed, Threads, Verbose

if TYPE_CHECKING:
    from coreg.cli.describe import Described

CASE = "case.toml"
REGISTRATION, REVIEWED, REVIEW = "registration.json", "registration_reviewed.json", "review.json"
CCTA, PULLBACK = "segmentation.json", "pullback_segmentation.json"
KNOWN = (CASE, REGISTRATION, REVIEWED, REVIEW, CCTA, PULLBACK)


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
        from coreg.cli.info_case import described_case

        found = described_case(path)
    elif names & {REGISTRATION, REVIEWED, REVIEW}:
        found = _result(path, whole=folder == path)
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


def _result(path: Path, *, whole: bool) -> Described:
    """Describe a result folder, or one of its files."""
    from coreg.cli.describe_review import described_registration, described_result, described_review
    from coreg.io.files import existing_file

    if whole:
        return described_result(path)
    existing_file(path)
    return described_review(path) if path.name == REVIEW else described_registration(path)


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
