"""One case of a cohort: registered, measured and compared with other methods, in a process of its own."""

from __future__ import annotations

import dataclasses
import math
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

from coreg.cli.compute import LANDMARKS, Wanted, register_case
from coreg.cli.console import lines, plain
from coreg.cli.landmarks import MEAN_ERRORS, landmarks_in_force, mean_absolute, measure_result
from coreg.cli.outlining import segment_on_its_own
from coreg.errors import CoregError, InputError
from coreg.io.outlines import SEGMENTATION
from coreg.io.review_files import LANDMARKS as REVIEWED
from coreg.io.work_list import CASES, METHODS, VALIDATION

if TYPE_CHECKING:
    from coreg.case import Case
    from coreg.settings import RegistrationSettings

Method = Literal["nonrigid", "rigid", "dtw", "dp", "bspline"]
# Of the provenance of another method's registration: the fingerprint of ours, made from the same.
MADE_FROM = "made_from"
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


def run_case(
    case_path: Path,
    cohort: Path,
    case_id: str,
    settings: CohortSettings,
    stages: Sequence[str],
    fingerprint: str = "",
    solved: Path | None = None,
) -> dict[str, Any]:
    """Run stages of one case into a cohort's folder.

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
    stages : sequence of str
        Some of ``segment``, ``register`` and ``validate``. Those before the first have run already.
    fingerprint : str
        Of what its registration depends on; other methods that were run on the same are not run again.
    solved : Path, optional
        Its registration, found together with others; where it is not there, the case is registered by itself.

    Returns
    -------
    dict
        What the cohort's tables say of it: of a registration verdict, reasons and margin, of a validation
        mean absolute errors at the landmarks that count, and their number.
    """
    try:
        _check_id(case_path, case_id)
        return plain(_run_stages(case_path, cohort, case_id, settings, stages, fingerprint, solved))
    except typer.BadParameter as error:
        # On the command line that is wrong usage; here it is a reason like others, and there is no --force.
        raise InputError(str(error).replace("; --force replaces it", "; move it away")) from error


def _check_id(case_path: Path, case_id: str) -> None:
    """Refuse a case that has become another one since the manifest was read."""
    from coreg.io.case_file import read_case_file

    case_file = read_case_file(case_path)
    if case_file.id != case_id:
        raise case_file.bad(key="id", found=repr(case_file.id), expected=f"{case_id} as in the manifest")


def _run_stages(
    case_path: Path,
    cohort: Path,
    case_id: str,
    settings: CohortSettings,
    stages: Sequence[str],
    fingerprint: str,
    solved: Path | None,
) -> dict[str, Any]:
    result = cohort / CASES / case_id
    facts: dict[str, Any] = {}
    if "register" in stages:
        wanted = dataclasses.replace(
            _wanted(case_path, result, settings),
            segmentation=None if "segment" in stages else result / SEGMENTATION,
            solved=solved if _is_registration(solved) else None,
        )
        registration = register_case(case_path, result, wanted, progress=lines(print)).registration
        facts |= {name: getattr(registration, name) for name in ("verdict", "reasons", "margin")}
        facts |= _errors_of(result)
    elif "segment" in stages:
        segment_on_its_own(case_path, result, threads=1, progress=lines(print))
    if "validate" in stages:
        _compare(case_path, result, cohort / METHODS, settings, fingerprint)
        facts |= _validate(case_path, result, cohort / METHODS)
    return facts


def _is_registration(path: Path | None) -> bool:
    """Whether there is one that can be read; without it the case is registered by itself."""
    from coreg.io.results import read_registration

    if path is None or not path.exists():
        return False
    try:
        read_registration(path)
    except InputError:
        return False
    return True


def _wanted(case_path: Path, result: Path, settings: CohortSettings) -> Wanted:
    """Say how a case is registered; landmarks guide where there are any."""
    from coreg.io.case_file import read_case_file

    landmarks = landmarks_in_force(read_case_file(case_path), result)
    guides = any(each.paired for each in landmarks.landmarks)
    return Wanted(
        settings.method,
        settings.device,
        settings.seed,
        1,
        use_landmarks=settings.use_landmarks and guides,
        leave_one_out=settings.leave_one_out and guides,
        landmarks=result / REVIEWED if landmarks.reviewed and guides else None,
    )


def _compare(
    case_path: Path, result: Path, methods: Path, settings: CohortSettings, fingerprint: str
) -> None:
    """Register by other methods what was segmented already, and keep their paths, and those alone."""
    from coreg.io.results import read_registration, replaced_folder, write_frames, write_registration

    missing = list(settings.compare)
    for other in sorted(methods.glob(f"*/{result.name}")):
        method = other.parent.name
        if method not in missing:
            shutil.rmtree(other)
            continue
        with suppress(InputError):
            if read_registration(other).provenance.get(MADE_FROM) == fingerprint:
                missing.remove(method)
    if not missing:
        return
    from coreg.registration import solve

    case, wanted = _outlined_case(case_path, result, settings)
    for method in missing:
        print(f"comparing with {method}", flush=True)
        found = solve(case, settings=wanted, method=method, device=settings.device, threads=1).registration
        found = dataclasses.replace(found, provenance={**found.provenance, MADE_FROM: fingerprint})
        with replaced_folder(methods / method / case.id, case.id) as folder:
            write_frames(folder / "frames.csv", found.path)
            write_registration(folder, found, case_id=case.id)


def _outlined_case(
    case_path: Path, result: Path, settings: CohortSettings
) -> tuple[Case, RegistrationSettings]:
    """Read a case with the outlines that were segmented, but no images, and how it is registered."""
    from coreg.io.case_file import load_case
    from coreg.io.outlines import read_outlines, with_outlines
    from coreg.settings import RegistrationSettings, surface_of

    given = load_case(case_path)
    outlines = read_outlines(result / SEGMENTATION, given)
    surface = surface_of("outlined" if outlines.ccta is None else "segmented")
    case = dataclasses.replace(with_outlines(given, outlines), image=None, pullback_images=None)
    return case, RegistrationSettings(surface=surface, seed=settings.seed)


def register_together(cases: Sequence[tuple[Path, Path, Path]], settings: CohortSettings) -> dict[str, Any]:
    """Register cases as one batch, and leave what is found to be completed case by case.

    Parameters
    ----------
    cases : sequence of (Path, Path, Path)
        Of each its case.toml, its result folder with what was segmented, and the file that its registration
        goes to. A case that cannot be used or registered gets none: when it is run by itself it says why.
    settings : CohortSettings
        How.
    """
    from coreg.io.results import write_registration
    from coreg.registration import register_many

    opened: list[tuple[Path, Case, RegistrationSettings]] = []
    for case_path, result, to in cases:
        with suppress(CoregError, OSError):
            opened.append((to, *_outlined_case(case_path, result, settings)))
            print(f"read {result.name}", flush=True)
    found = register_many(
        [case for _, case, _ in opened],
        settings=[wanted for *_, wanted in opened],
        device=settings.device,
        together=len(cases),
        progress=lines(print),
    )
    for (to, case, _), registration in zip(opened, found, strict=True):
        if isinstance(registration, Exception):
            print(f"{case.id}: {registration}", flush=True)
            continue
        to.parent.mkdir(parents=True, exist_ok=True)
        write_registration(to.parent, registration, case_id=case.id, file_name=to.name)
    return {"registered": sum(not isinstance(each, Exception) for each in found)}


def _validate(case_path: Path, result: Path, methods: Path) -> dict[str, Any]:
    """Measure a case's registrations, by all methods, at its landmarks: as reviewed, else as given."""
    from coreg.io.case_file import read_case_file
    from coreg.io.landmark_files import write_landmarks
    from coreg.io.results import read_registration

    landmarks = landmarks_in_force(read_case_file(case_path), result)
    for place in (result, *sorted(methods.glob(f"*/{result.name}"))):
        if not measure_result(place, read_registration(place), landmarks.landmarks):
            for name in (VALIDATION, LANDMARKS):
                (place / name).unlink(missing_ok=True)
    if (result / VALIDATION).exists():
        write_landmarks(result / LANDMARKS, landmarks.landmarks)
    return _errors_of(result) | {"landmarks_of": "reader" if landmarks.reviewed else "case"}


def _errors_of(result: Path) -> dict[str, Any]:
    """Mean absolute errors at the landmarks that count, and their number."""
    from coreg.io.frames_csv import read_counted_errors

    table = result / VALIDATION
    counted = read_counted_errors(table) if table.exists() else ()
    means = {name: mean_absolute(counted, name) if counted else None for name in MEAN_ERRORS}
    # Those that no frame meets are not among those measured along the vessel.
    return {"landmarks": sum(math.isfinite(each.error_mm) for each in counted), **means}
