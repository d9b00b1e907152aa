"""One registration on the command line: from a case file to a result folder."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

from coreg.cli.console import RESEARCH_ONLY, Progress, aligned, number, part_of, table
from coreg.cli.provenance import provenance
from coreg.cli.running import REPORT, entered, use_threads
from coreg.cli.segmenting import length_mm, segmented, vessel_numbers

if TYPE_CHECKING:
    from coreg.case import Case, CctaCase
    from coreg.catheter_path import VirtualCatheterPath
    from coreg.ccta_vessel import CctaVessel
    from coreg.io.segmentation_files import VesselShapes
    from coreg.result import Registration
    from coreg.validation import FrameErrors, LandmarkError

LANDMARKS = "landmarks.csv"
SEGMENTATION = "segmentation"


@dataclass(frozen=True)
class Wanted:
    """How a case is to be registered.

    Attributes
    ----------
    method, device : str
        As on the command line.
    seed : int
        Of everything random.
    threads : int or None
        CPU threads; None leaves the choice to the libraries.
    force : bool
        Replace whatever is in the way.
    """

    method: Literal["nonrigid", "rigid"] = "nonrigid"
    device: str = "auto"
    seed: int = 0
    threads: int | None = None
    force: bool = False


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of it."""

    case_id: str
    registration: Registration
    errors: tuple[LandmarkError, ...]
    truth_errors: FrameErrors | None
    out: Path
    seconds: float
    vessel: CctaVessel | None = None


def check_device(device: str) -> None:
    """Refuse a device that is not there."""
    if device == "cuda":
        import torch

        if not torch.cuda.is_available():
            msg = "--device cuda: torch finds no CUDA device here; use --device auto or cpu"
            raise typer.BadParameter(msg)


def register_case(
    path: Path, out: Path, wanted: Wanted, *, progress: Progress, truth: VirtualCatheterPath | None = None
) -> Outcome:
    """Register a case and write its result folder, whole or not at all.

    Parameters
    ----------
    path : Path
        case.toml or its folder.
    out : Path
        The result folder.
    wanted : Wanted
        How.
    progress : callable
        Takes a stage's name and the share that is done.
    truth : VirtualCatheterPath, optional
        A phantom's exact poses, to measure all frames against.
    """
    check_device(wanted.device)
    use_threads(wanted.threads)
    progress("reading the case", 0.0)
    from coreg.io.case_file import input_paths, load_case, read_case_file
    from coreg.io.files import naming
    from coreg.io.results import replaced_folder

    start = time.perf_counter()
    case_file = read_case_file(path)
    with ExitStack() as stack:
        inputs = input_paths(case_file)
        folder = entered(stack, replaced_folder(out, case_file.id, force=wanted.force, inputs=inputs))
        given = load_case(path, progress=part_of(progress, 0.0, 0.05))
        made = provenance(case_file.path, inputs)
        with naming(str(case_file.path)):
            found = None
            if given.lumen is None:
                found = segmented(given.ccta, progress=part_of(progress, 0.05, 0.6))
            case = given if found is None else _with_vessel(given, *found)
            rest = part_of(progress, 0.05 if found is None else 0.6, 0.9)
            registration = _registered(case, wanted, progress=rest)
        registration = _completed(registration, made, found)
        progress("writing the report", 0.9)
        outcome = _written(folder, case, registration, truth, None if found is None else (given.ccta, *found))
    progress("done", 1.0)
    return dataclasses.replace(outcome, out=out, seconds=time.perf_counter() - start)


def _with_vessel(case: Case, vessel: CctaVessel, shapes: VesselShapes) -> Case:
    """Give a case the lumen, centerline and side branches that were segmented."""
    from coreg.centerline import VesselTree

    tree = VesselTree((vessel.centerline,))
    # The vessel runs from click to click already.
    return dataclasses.replace(
        case,
        lumen=shapes.surface,
        tree=tree,
        ostium_mm=None,
        distal_mm=None,
        ccta_side_branches=vessel.side_branches,
    )


def _registered(case: Case, wanted: Wanted, *, progress: Progress) -> Registration:
    progress("loading the numerical libraries", 0.0)
    from coreg.registration import register
    from coreg.settings import RegistrationSettings

    return register(
        case,
        settings=RegistrationSettings(seed=wanted.seed),
        method=wanted.method,
        device=wanted.device,
        threads=wanted.threads or 1,
        progress=part_of(progress, 0.05, 1.0),
    )


def _completed(
    registration: Registration, made: Mapping[str, Any], found: tuple[CctaVessel, VesselShapes] | None
) -> Registration:
    """Add how it was made, and the doubts that come with an automatic segmentation."""
    from coreg.registration import doubted

    of_lumen = "as given" if found is None else "segmented from the image"
    provenance = {**made, **registration.provenance, "ccta_lumen": of_lumen}
    registration = dataclasses.replace(registration, provenance=provenance)
    return registration if found is None else doubted(registration, found[0])


def _written(
    folder: Path,
    case: Case,
    registration: Registration,
    truth: VirtualCatheterPath | None,
    found: tuple[CctaCase, CctaVessel, VesselShapes] | None,
) -> Outcome:
    """Measure the errors and write all files of a result."""
    from coreg.io.landmark_files import write_landmarks
    from coreg.io.results import write_frames, write_registration, write_validation
    from coreg.io.segmentation_files import write_ccta_segmentation
    from coreg.report import segmentation_parts, write_report
    from coreg.validation import frame_errors, landmark_errors

    errors = landmark_errors(registration.path, case.landmarks)
    truth_errors = None if truth is None else frame_errors(registration.path, truth)
    write_frames(folder / "frames.csv", registration.path)
    write_registration(folder, registration, case_id=case.id)
    if errors:
        write_validation(folder / "validation.csv", errors)
        write_landmarks(folder / LANDMARKS, case.landmarks)
    more = []
    if found is not None:
        ccta, vessel, shapes = found
        (folder / SEGMENTATION).mkdir()
        made = registration.provenance
        write_ccta_segmentation(folder / SEGMENTATION, vessel, shapes, case_id=case.id, made=made)
        more = segmentation_parts(ccta, vessel, shapes.surface)
    write_report(folder / REPORT, case, registration, errors, truth_errors, more=more)
    vessel_found = None if found is None else found[1]
    return Outcome(case.id, registration, errors, truth_errors, folder, 0.0, vessel_found)


def headline(outcome: Outcome) -> str:
    """Sum up a registration in a few lines."""
    registration, path = outcome.registration, outcome.registration.path
    rows: list[tuple[str, str]] = [("verdict", registration.verdict)]
    rows += [("", f"- {reason}") for reason in registration.reasons]
    placed, reliable = int(path.posed.sum()), int((path.posed & path.reliable).sum())
    rows.append(("frames", f"{placed} of {len(path)} placed, {reliable} reliable"))
    if outcome.vessel is not None:
        marked = f"{outcome.vessel.marked.mean():.0%} of it marked"
        rows.append(("CCTA lumen", f"segmented over {length_mm(outcome.vessel):.1f} mm, {marked}"))
    if outcome.errors:
        rows.append(
            (f"landmarks ({len(outcome.errors)})", f"{mean_errors(outcome.errors)}, mean absolute error")
        )
    if outcome.truth_errors is not None:
        truth = outcome.truth_errors
        rows.append((f"all frames ({len(truth.frame)})", f"{mean_errors([truth])}, mean absolute error"))
    rows += [
        ("time", f"{outcome.seconds:.1f} s"),
        ("report", str(outcome.out / REPORT)),
    ]
    return aligned(rows)


def mean_errors(errors: Sequence[Any]) -> str:
    """Write mean absolute errors in frames, mm and degrees."""
    frames, mm, degrees = (mean_absolute(errors, name) for name in ("error_frames", "error_mm", "error_deg"))
    return f"{number(frames, 1)} frames, {number(mm)} mm, {number(degrees, 1)} degrees"


def mean_absolute(errors: Sequence[Any], name: str) -> float:
    """Mean absolute value of a field over errors, leaving out what could not be measured."""
    import numpy as np

    values = np.concatenate([np.atleast_1d(getattr(each, name)) for each in errors])
    known = np.abs(values[np.isfinite(values)])
    return float(known.mean()) if len(known) else float("nan")


def outcome_data(outcome: Outcome) -> dict[str, Any]:
    """Put the same and more into a form for machines."""
    registration, path = outcome.registration, outcome.registration.path
    data: dict[str, Any] = {
        "case_id": outcome.case_id,
        "verdict": registration.verdict,
        "reasons": registration.reasons,
        "frames": len(path),
        "placed": int(path.posed.sum()),
        "reliable": int((path.posed & path.reliable).sum()),
        "radius_scale": registration.radius_scale,
        "margin": registration.margin,
        "seconds": round(outcome.seconds, 3),
        "out": outcome.out,
        "report": outcome.out / REPORT,
        "use": RESEARCH_ONLY,
    }
    if outcome.vessel is not None:
        data["segmentation"] = vessel_numbers(outcome.vessel)
    if outcome.errors:
        data["landmarks"] = errors_data(outcome.errors)
    if outcome.truth_errors is not None:
        data["all_frames"] = mean_data([outcome.truth_errors])
    return data


def errors_data(errors: Sequence[LandmarkError]) -> dict[str, Any]:
    """Put landmark errors into a form for machines."""
    return mean_data(errors) | {"errors": [dataclasses.asdict(each) for each in errors]}


def mean_data(errors: Sequence[Any]) -> dict[str, Any]:
    """Mean absolute errors for machines."""
    return {
        f"mean_absolute_{name}": mean_absolute(errors, name)
        for name in ("error_frames", "error_mm", "error_deg")
    }


def error_table(errors: Sequence[LandmarkError]) -> str:
    """Write landmark errors as aligned text, found minus expected."""
    header = ("landmark", "kind", "expected", "found", "frames", "mm", "degrees", "tangential mm", "3-D mm")
    rows = [
        (
            each.id,
            each.kind,
            number(each.frame_expected, 1),
            number(each.frame_found, 1),
            number(each.error_frames, 1, signed=True),
            number(each.error_mm, signed=True),
            number(each.error_deg, 1, signed=True),
            number(each.error_tangential_mm, signed=True),
            number(each.error_3d_mm),
        )
        for each in errors
    ]
    return table(header, rows)
