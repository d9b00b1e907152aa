"""One registration on the command line: from a case file to a result folder."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

from coreg.cli.console import RESEARCH_ONLY, Progress, number, part_of, table
from coreg.errors import InputError

if TYPE_CHECKING:
    from coreg.catheter_path import VirtualCatheterPath
    from coreg.result import Registration
    from coreg.validation import FrameErrors, LandmarkError

LANDMARKS = "landmarks.csv"
REPORT = "report.html"


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


def use_threads(threads: int | None) -> None:
    """Set how many threads the numerical libraries take; before they are loaded."""
    if threads is not None:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ[name] = str(threads)
        import torch

        torch.set_num_threads(threads)


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
    from coreg.io.landmark_files import write_landmarks
    from coreg.io.results import replaced_folder, write_frames, write_registration, write_validation

    start = time.perf_counter()
    case_file = read_case_file(path)
    with ExitStack() as stack:
        inputs = input_paths(case_file)
        folder = _entered(stack, replaced_folder(out, case_file.id, force=wanted.force, inputs=inputs))
        case = load_case(path)
        progress("loading the numerical libraries", 0.05)
        from coreg.registration import register
        from coreg.settings import RegistrationSettings
        from coreg.validation import frame_errors, landmark_errors

        with naming(str(case_file.path)):
            registration = register(
                case,
                settings=RegistrationSettings(seed=wanted.seed),
                method=wanted.method,
                device=wanted.device,
                threads=wanted.threads or 1,
                progress=part_of(progress, 0.1, 0.8),
            )
        provenance = _provenance(registration.provenance, case_file.path, inputs)
        registration = dataclasses.replace(registration, provenance=provenance)
        errors = landmark_errors(registration.path, case.landmarks)
        truth_errors = None if truth is None else frame_errors(registration.path, truth)
        progress("writing the report", 0.8)
        from coreg.report import write_report

        write_frames(folder / "frames.csv", registration.path)
        write_registration(folder, registration, case_id=case.id)
        if errors:
            write_validation(folder / "validation.csv", errors)
            write_landmarks(folder / LANDMARKS, case.landmarks)
        write_report(folder / REPORT, case, registration, errors, truth_errors)
    progress("done", 1.0)
    return Outcome(case.id, registration, errors, truth_errors, out, time.perf_counter() - start)


def _entered(stack: ExitStack, folder: Any) -> Path:
    """Enter the result folder; whatever is wrong with it is wrong usage, not a bad input."""
    try:
        return Path(stack.enter_context(folder))
    except InputError as error:
        raise typer.BadParameter(str(error)) from error


def _provenance(made: Mapping[str, Any], case_path: Path, inputs: Sequence[Path]) -> dict[str, Any]:
    """Add versions and hashes of inputs to what the registration says of itself.

    Inputs are named relative to the case, so that a shared result does not tell where it was made.
    """
    import platform
    from importlib.metadata import version

    from coreg import __version__
    from coreg.io.results import sha256_of

    names = ("numpy", "scipy", "scikit-image", "SimpleITK", "torch")
    versions = {"coreg": __version__, "python": platform.python_version()} | {n: version(n) for n in names}
    folder = case_path.parent.resolve()
    hashes = {}
    for path in inputs:
        if path.is_file():
            full = path.resolve()
            inside = full.is_relative_to(folder)
            hashes[str(full.relative_to(folder)) if inside else path.name] = sha256_of(path)
    return {**versions, **made, "inputs_sha256": hashes}


def headline(outcome: Outcome) -> str:
    """Sum up a registration in a few lines."""
    registration, path = outcome.registration, outcome.registration.path
    rows: list[tuple[str, str]] = [("verdict", registration.verdict)]
    rows += [("", f"- {reason}") for reason in registration.reasons]
    placed, reliable = int(path.posed.sum()), int((path.posed & path.reliable).sum())
    rows.append(("frames", f"{placed} of {len(path)} placed, {reliable} reliable"))
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
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows) + f"\n{RESEARCH_ONLY}"


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
