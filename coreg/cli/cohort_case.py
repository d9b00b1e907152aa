"""One case of a cohort: registered, measured and compared with other methods, in a process of its own."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

from coreg.cli.compute import Wanted, register_case
from coreg.cli.console import lines, plain
from coreg.cli.landmarks import mean_absolute
from coreg.errors import InputError

if TYPE_CHECKING:
    from coreg.validation import LandmarkError

Method = Literal["nonrigid", "rigid", "dtw", "dp", "bspline"]
METHODS = "methods"
# Loaded once per worker, before any case: torch alone takes seconds.
PRELOAD = ("coreg.cli.cohort_case", "coreg.registration", "coreg.report", "coreg.io.reviewable")


@dataclass(frozen=True)
class CohortSettings:
    """How all cases of a cohort are registered.

    Attributes
    ----------
    method : str
        Whose result is each case's.
    compare : tuple of str
        Other methods, of which the errors at landmarks are kept.
    device : str
        As on the command line.
    seed : int
        Of everything random.
    use_landmarks, leave_one_out : bool
        As on the command line.
    """

    method: Method = "nonrigid"
    compare: tuple[Method, ...] = ()
    device: str = "auto"
    seed: int = 0
    use_landmarks: bool = False
    leave_one_out: bool = False


def run_case(case_path: Path, cohort: Path, case_id: str, settings: CohortSettings) -> dict[str, Any]:
    """Register one case into a cohort's folder.

    Parameters
    ----------
    case_path : Path
        Its case.toml.
    cohort : Path
        The cohort's folder; the result comes into ``cases/<case_id>`` in it.
    case_id : str
        Its id.
    settings : CohortSettings
        How.

    Returns
    -------
    dict
        What the cohort's tables say of it: verdict, reasons, margin, mean absolute errors at the landmarks
        that did not guide, and their number.
    """
    wanted = Wanted(
        settings.method,
        settings.device,
        settings.seed,
        1,
        use_landmarks=settings.use_landmarks,
        leave_one_out=settings.leave_one_out,
    )
    out = cohort / "cases" / case_id
    try:
        outcome = register_case(case_path, out, wanted, progress=lines(print))
    except typer.BadParameter as error:
        # On the command line that is wrong usage; here it is a reason like others.
        raise InputError(str(error)) from error
    for method in settings.compare:
        print(f"comparing with {method}", flush=True)
        _compare(case_path, out, cohort / METHODS / method / case_id, method, settings)
    registration = outcome.registration
    facts = {
        "verdict": registration.verdict,
        "reasons": registration.reasons,
        "margin": registration.margin,
        **errors_of(outcome.errors, outcome.left_out, registration.guides),
    }
    return plain(facts)


def errors_of(
    errors: Sequence[LandmarkError], left_out: Sequence[LandmarkError], guides: Container[str]
) -> dict[str, Any]:
    """Mean absolute errors at landmarks that did not guide; where all did, at those left out."""
    from coreg.validation import unguided

    free = unguided(errors, guides) or tuple(left_out)
    names = ("error_frames", "error_mm", "error_deg")
    return {"landmarks": len(free), **{name: mean_absolute(free, name) if free else None for name in names}}


def _compare(case_path: Path, result: Path, out: Path, method: Method, settings: CohortSettings) -> None:
    """Register by another method what was segmented already, and keep its path and errors."""
    from coreg.io.results import replaced_folder, write_frames, write_registration, write_validation
    from coreg.io.reviewable import open_reviewable
    from coreg.registration import solve
    from coreg.settings import RegistrationSettings, surface_of
    from coreg.validation import landmark_errors

    case = open_reviewable(result, case=case_path).case
    segmented = (result / "segmentation" / "ccta_lumen.nii.gz").exists()
    surface = surface_of("segmented" if segmented else "outlined")
    found = solve(
        case,
        settings=RegistrationSettings(surface=surface, seed=settings.seed),
        method=method,
        device=settings.device,
        threads=1,
    ).registration
    with replaced_folder(out, case.id) as folder:
        write_frames(folder / "frames.csv", found.path)
        write_registration(folder, found, case_id=case.id)
        errors = landmark_errors(found.path, case.landmarks)
        if errors:
            write_validation(folder / "validation.csv", errors, guides=found.guides)
