"""``coreg phantom``: synthetic patients with exact truth."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coreg.cli.options import Force, Json, Quiet, Verbose

if TYPE_CHECKING:
    from coreg.io.phantom_files import ImageTruth
    from coreg.phantom import ImageLevel, PhantomCcta

# A longer run through the heartbeat has thousands of frames.
UNGATED_MM = 20.0


class Level(StrEnum):
    """How hard the patients are."""

    clean = "clean"
    typical = "typical"
    smooth = "smooth"
    hard = "hard"


IMAGE_LEVELS: dict[Level, ImageLevel] = {
    Level.clean: "easy",
    Level.typical: "typical",
    Level.smooth: "typical",
    Level.hard: "hard",
}


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
        Modality, typer.Option("--modality", help="OCT or IVUS.", case_sensitive=False)
    ] = Modality.oct,
    ungated: Annotated[
        bool,
        typer.Option(
            "--ungated",
            help=f"With --modality IVUS: {UNGATED_MM:g} mm at a steady speed through the heartbeat, 30 "
            "frames a second, not a frame a beat.",
        ),
    ] = False,
    images: Annotated[
        bool,
        typer.Option(
            "--images",
            help="Give the cases images, to be segmented: of the CCTA instead of a lumen label and a "
            "centerline, of the pullback instead of contours. Adds about half a minute and 50-100 MB per "
            "patient.",
        ),
    ] = False,
    dicom: Annotated[bool, typer.Option("--dicom", help="Like --images, with the images as DICOM.")] = False,
    contours: Annotated[
        bool,
        typer.Option("--contours", help="With --images or --dicom: leave the pullback its contours."),
    ] = False,
    outlines: Annotated[
        bool,
        typer.Option(
            "--outlines", help="With --images or --dicom: give the case its outlines beside the images."
        ),
    ] = False,
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
    from coreg.cli.console import Console, part_of
    from coreg.cli.running import writing_out
    from coreg.io.case_model import MANIFEST_NAME
    from coreg.io.phantom_files import PullbackTruth, Truth, write_manifest, write_phantom
    from coreg.phantom import (
        ccta_preset,
        lumen_surface,
        make_ccta,
        make_patient,
        make_pullback_images,
        preset,
        pullback_preset,
    )

    if contours and not (images or dicom):
        msg = "it goes with --images or --dicom"
        raise typer.BadParameter(msg, param_hint="--contours")
    if outlines and not (images or dicom):
        msg = "it goes with --images or --dicom"
        raise typer.BadParameter(msg, param_hint="--outlines")
    if ungated and modality is not Modality.ivus:
        msg = "it goes with --modality IVUS"
        raise typer.BadParameter(msg, param_hint="--ungated")
    console = Console(verbose=verbose, quiet=quiet, as_json=json)
    settings = preset(level.value, modality=modality.value)
    if ungated:
        run_mm = (UNGATED_MM, UNGATED_MM)
        settings = replace(settings, ivus_acquisition="motorized", run_range_mm=run_mm)
    rows = []
    with console.progress() as progress:
        for i in range(count):
            name, tell = f"patient {seed + i}", part_of(progress, i / count, (i + 1) / count)
            tell(name, 0.0)
            patient = make_patient(seed + i, settings=settings)
            case = patient.case
            facts, ccta, run = patient.facts(), None, None
            image_level = IMAGE_LEVELS[level]
            if images or dicom:
                tell(f"{name}: CCTA", 0.05)
                made = make_ccta(patient, settings=ccta_preset(image_level))
                facts |= made.facts()
                ccta = image_truth(made, dicom=dicom)
            if (images or dicom) and not contours:
                drawing = part_of(tell, 0.2, 0.85)
                drawn = make_pullback_images(
                    patient,
                    progress=partial(drawing, f"{name}: pullback"),
                    settings=pullback_preset(image_level, modality=modality.value),
                    ccta_settings=ccta_preset(image_level),
                )
                facts |= drawn.facts()
                run = PullbackTruth(drawn.exported(), drawn.vessel, dicom=dicom)
            tell(f"{name}: files", 0.85)
            lumen = lumen_surface(patient.lumen)
            truth = Truth(patient.truth, patient.landmarks, patient.side_branches, lumen, facts)
            with writing_out():
                write_phantom(
                    out / case.id,
                    case,
                    truth,
                    ccta=ccta,
                    pullback=run,
                    outlined=outlines,
                    clockwise=patient.clockwise,
                    force=force,
                )
            rows.append((case.id, case.id, case.patient, case.vessel))
        write_manifest(out / MANIFEST_NAME, rows)
    patients = f"{count} synthetic patient{'s' * (count > 1)}"
    console.outcome(
        f"{patients} in {out}; next: coreg register {out / rows[0][0]} --out result",
        {"manifest": out / MANIFEST_NAME, "cases": [row[0] for row in rows], "level": level.value},
    )


def image_truth(made: PhantomCcta, *, dicom: bool) -> ImageTruth:
    """Take an image and its truth to what is written of them."""
    from math import degrees

    from coreg.io.phantom_files import ImageTruth
    from coreg.phantom import true_centerline, wall_surface

    plaques = [
        (each.kind, each.first_mm, each.last_mm, degrees(each.angle_rad), each.thickness_mm, each.area_share)
        for each in made.wall.plaques
    ]
    line, wall = true_centerline(made.lumen), wall_surface(made.vessel)
    return ImageTruth(made.image, made.labels, line, wall, plaques, dicom=dicom)
