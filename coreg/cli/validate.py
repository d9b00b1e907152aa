"""``coreg validate``: landmark errors of a finished registration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coreg.cli.options import Json, Quiet, Seed, Threads, Verbose


def validate(
    *,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A result folder of coreg register.")],
    landmarks: Annotated[
        Path | None, typer.Option("--landmarks", help="A landmarks.csv; default: those of the case.")
    ] = None,
    seed: Seed = 0,
    threads: Threads = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Measure a finished registration at landmarks. For research use only.

    Prints the errors, found minus expected, and rewrites validation.csv in the folder.
    """
    del seed, threads  # every command takes them; nothing here is random or heavy
    from coreg.cli.compute import LANDMARKS
    from coreg.cli.console import RESEARCH_ONLY, Console
    from coreg.cli.landmarks import error_table, errors_data, mean_errors, measure_result
    from coreg.io.files import unusable
    from coreg.io.landmark_files import read_landmarks
    from coreg.io.results import read_registration
    from coreg.validation import unguided

    console = Console(verbose=verbose, quiet=quiet, as_json=json)
    registration = read_registration(folder)
    source = landmarks or folder / LANDMARKS
    if landmarks is None and not source.exists():
        raise unusable(folder, LANDMARKS, found="a case without landmarks", expected="--landmarks FILE")
    # Errors at the case's own landmarks left out stay true: the registration is the same.
    errors = measure_result(folder, registration, read_landmarks(source), keep_left_out=landmarks is None)
    if not errors:
        expected = "at least one landmark with a frame and x_mm, y_mm, z_mm"
        raise unusable(source, "landmarks", found="no complete pair", expected=expected)
    for each in errors:
        if each.reason:
            console.note(f"{each.id}: {each.reason}")
    free = unguided(errors, registration.guides)
    parts = [f"mean absolute error: {mean_errors(free)}"] if free else []
    if len(free) < len(errors):
        used = [each for each in errors if each not in free]
        parts.append(f"fit residual at {len(used)} guides, not accuracy: {mean_errors(used)}")
    summary = "; ".join([*parts, f"verdict of the registration: {registration.verdict}"])
    data = errors_data(errors) | {"verdict": registration.verdict, "use": RESEARCH_ONLY}
    console.outcome(f"{error_table(errors)}\n{summary}\n{RESEARCH_ONLY}", data)
