"""``coreg phantom``: synthetic patients with exact truth."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from coreg.cli.options import Force, Json, Quiet, Verbose

MANIFEST = "manifest.csv"


class Level(StrEnum):
    """How hard the patients are."""

    clean = "clean"
    typical = "typical"
    hard = "hard"


class Modality(StrEnum):
    """What the pullback is."""

    oct = "OCT"
    ivus = "IVUS"


def phantom(
    *,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the first patient.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the patients and their manifest.")],
    count: Annotated[int, typer.Option("--count", min=1, help="How many; each has the next seed.")] = 1,
    level: Annotated[Level, typer.Option("--level", help="How hard they are.")] = Level.typical,
    modality: Annotated[
        Modality, typer.Option("--modality", help="OCT, or gated IVUS.", case_sensitive=False)
    ] = Modality.oct,
    force: Force = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Make synthetic patients whose truth is known. For research use only.

    Each is a folder with a case.toml, and the exact poses, landmarks and lumen in its truth/. One seed
    is one patient, always the same.

    Example: coreg phantom --seed 7 --count 3 --level hard --out phantoms
    """
    from coreg.cli.console import Console
    from coreg.io.phantom_files import Truth, write_manifest, write_phantom
    from coreg.phantom import lumen_surface, make_patient, preset

    console = Console(verbose=verbose, quiet=quiet, as_json=json)
    settings = preset(level.value, modality=modality.value)
    rows = []
    with console.progress() as progress:
        for i in range(count):
            progress(f"patient {seed + i}", i / count)
            patient = make_patient(seed + i, settings=settings)
            case = patient.case
            truth = Truth(
                patient.truth,
                patient.landmarks,
                patient.side_branches,
                lumen_surface(patient.lumen),
                patient.facts(),
            )
            write_phantom(out / case.id, case, truth, clockwise=patient.clockwise, force=force)
            rows.append((case.id, case.id, case.patient, case.vessel))
        write_manifest(out / MANIFEST, rows)
    patients = f"{count} synthetic patient{'s' * (count > 1)}"
    console.outcome(
        f"{patients} in {out}; next: coreg register {out / rows[0][0]} --out result",
        {"manifest": out / MANIFEST, "cases": [row[0] for row in rows], "level": level.value},
    )
