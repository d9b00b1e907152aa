"""``coreg register``: place a pullback in a CCTA."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from coreg.cli.options import Force, Json, Phase, PhaseOption, Quiet, Seed, Threads, Verbose


class Device(StrEnum):
    """Where to compute."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Method(StrEnum):
    """How to place a pullback."""

    nonrigid = "nonrigid"
    rigid = "rigid"
    dtw = "dtw"
    dp = "dp"
    bspline = "bspline"


def register(
    *,
    case: Annotated[Path, typer.Argument(metavar="CASE", help="A case.toml, or the folder that holds it.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the result.")],
    method: Annotated[
        Method,
        typer.Option("--method", help="How to place it; dtw, dp and bspline are there to compare with."),
    ] = Method.nonrigid,
    device: Annotated[Device, typer.Option("--device", help="Where to compute.")] = Device.auto,
    phase: PhaseOption = Phase.auto,
    use_landmarks: Annotated[
        bool, typer.Option("--use-landmarks", help="Let the case's landmarks guide, beside the lumens.")
    ] = False,
    landmarks: Annotated[
        Path | None,
        typer.Option("--landmarks", metavar="FILE", help="A landmarks.csv in place of the case's."),
    ] = None,
    lock_landmarks: Annotated[
        str | None,
        typer.Option("--lock-landmarks", metavar="ID[,ID]|all", help="Guides that the result has to meet."),
    ] = None,
    leave_one_out: Annotated[
        bool,
        typer.Option(
            "--leave-one-out",
            help="Measure each landmark also on a path found without it and without its branch.",
        ),
    ] = False,
    start: Annotated[
        Path | None,
        typer.Option(
            "--start",
            metavar="FILE_OR_DIR",
            help="A registration.json, or a result, to go on from instead of looking for the place.",
        ),
    ] = None,
    force: Force = False,
    seed: Seed = 0,
    threads: Threads = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Find where every frame of a pullback lies in the CCTA. For research use only.

    Writes frames.csv (a pose per frame), registration.json, validation.csv where landmarks are known,
    and report.html, the page to look at. Segments first what the case gives as images only: the CCTA's
    lumen, the pullback's, or both.
    """
    from coreg.cli.compute import Wanted, register_case
    from coreg.cli.console import Console
    from coreg.cli.landmarks import locked_ids
    from coreg.cli.outcome import headline, outcome_data

    console = Console(verbose=verbose, quiet=quiet, as_json=json)
    locked = locked_ids(lock_landmarks)
    only_nonrigid = {
        "--use-landmarks": use_landmarks,
        "--lock-landmarks": bool(locked),
        "--leave-one-out": leave_one_out,
        "--start": start is not None,
    }
    asked = [option for option, given in only_nonrigid.items() if given]
    if asked and method != Method.nonrigid:
        msg = f"{asked[0]} needs --method nonrigid, found {method.value}"
        raise typer.BadParameter(msg)
    wanted = Wanted(
        method.value,
        device.value,
        seed,
        threads,
        force,
        phase,
        use_landmarks=use_landmarks or bool(locked),
        locked=locked,
        leave_one_out=leave_one_out,
        landmarks=landmarks,
        start=start,
    )
    with console.progress() as progress:
        outcome = register_case(case, out, wanted, progress=progress)
    for stage, cost in outcome.registration.costs.items():
        console.detail(f"cost after {stage}: {cost:.5g}")
    console.outcome(headline(outcome), outcome_data(outcome))
