"""``coreg demo``: the whole chain on a synthetic patient."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coreg.cli.options import Force, Json, Quiet, Threads, Verbose


def demo(
    *,
    out: Annotated[Path, typer.Option("--out", help="Folder for the patient and the result.")] = Path(
        "demo-result"
    ),
    force: Force = False,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Which synthetic patient.")] = 7,
    threads: Threads = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Make a synthetic patient, register it and measure the result. For research use only.

    The patient goes into OUT/case, the registration into OUT/result. Since the truth is known, the error
    of every frame is measured, not only that of the landmarks.
    """
    from coreg.cli.compute import Wanted, headline, outcome_data, register_case
    from coreg.cli.console import Console, part_of

    console = Console(verbose=verbose, quiet=quiet, as_json=json)
    with console.progress() as progress:
        progress(f"making synthetic patient {seed}", 0.0)
        from coreg.io.phantom_files import Truth, write_phantom
        from coreg.phantom import lumen_surface, make_patient

        patient = make_patient(seed)
        lumen = lumen_surface(patient.lumen)
        truth = Truth(patient.truth, patient.landmarks, patient.side_branches, lumen, patient.facts())
        write_phantom(out / "case", patient.case, truth, clockwise=patient.clockwise, force=force)
        outcome = register_case(
            out / "case",
            out / "result",
            Wanted(threads=threads, force=force),
            progress=part_of(progress, 0.2, 1.0),
            truth=patient.truth,
        )
    text = (
        f"{headline(outcome)}\n\nOpen the report in a browser. To register the patient yourself:\n"
        f"    coreg register {out / 'case'} --out {out / 'again'}"
    )
    console.outcome(text, outcome_data(outcome) | {"case": out / "case"})
