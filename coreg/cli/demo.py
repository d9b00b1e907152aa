"""``coreg demo``: the whole chain on a synthetic patient."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coreg.cli.options import Force, Json, Quiet, Threads, Verbose

if TYPE_CHECKING:
    from coreg.cli.console import Progress
    from coreg.phantom import PhantomPatient

# Smaller and shorter than usual, so that the demonstration takes a minute.
PULLBACK_PX, RUN_RANGE_MM = 320, (40.0, 46.0)


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
    """Make a synthetic patient, segment and register it. For research use only.

    The patient, a CCTA volume and an OCT pullback in DICOM, goes into OUT/case, the registration with
    all that was segmented into OUT/result. Since the truth is known, the error of every frame is
    measured, not only that of the landmarks.
    """
    from coreg.cli.compute import Wanted, register_case
    from coreg.cli.console import Console, part_of
    from coreg.cli.outcome import headline, outcome_data
    from coreg.cli.running import use_threads

    console = Console(verbose=verbose, quiet=quiet, as_json=json)
    with console.progress() as progress:
        use_threads(threads)
        patient = _written_patient(seed, out / "case", force=force, progress=part_of(progress, 0.0, 0.4))
        outcome = register_case(
            out / "case",
            out / "result",
            Wanted(threads=threads, force=force),
            progress=part_of(progress, 0.4, 1.0),
            truth=patient.truth,
        )
    text = (
        f"{headline(outcome)}\n\nOpen the report in a browser. To register the patient yourself:\n"
        f"    coreg register {out / 'case'} --out {out / 'again'}"
    )
    console.outcome(text, outcome_data(outcome) | {"case": out / "case"})


def _written_patient(seed: int, folder: Path, *, force: bool, progress: Progress) -> PhantomPatient:
    """Draw a patient's images and write them as a case with its truth."""
    progress(f"making synthetic patient {seed}", 0.0)
    from coreg.cli.console import part_of
    from coreg.cli.phantom import image_truth
    from coreg.cli.running import writing_out
    from coreg.io.phantom_files import PullbackTruth, Truth, write_phantom
    from coreg.phantom import lumen_surface, make_ccta, make_patient, make_pullback_images, preset

    settings = dataclasses.replace(preset("typical"), run_range_mm=RUN_RANGE_MM)
    patient = make_patient(seed, settings=settings)
    progress("drawing its CCTA", 0.05)
    ccta = make_ccta(patient)
    drawing = part_of(progress, 0.2, 0.9)
    drawn = make_pullback_images(patient, size=PULLBACK_PX, progress=partial(drawing, "drawing its pullback"))
    progress("writing its files", 0.9)
    facts = patient.facts() | ccta.facts() | drawn.facts()
    truth = Truth(
        patient.truth, patient.landmarks, patient.side_branches, lumen_surface(patient.lumen), facts
    )
    with writing_out():
        write_phantom(
            folder,
            patient.case,
            truth,
            ccta=image_truth(ccta, dicom=False),
            pullback=PullbackTruth(drawn.exported(), drawn.vessel, dicom=True),
            clockwise=patient.clockwise,
            force=force,
        )
    return patient
