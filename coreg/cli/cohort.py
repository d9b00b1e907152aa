"""``coreg cohort``: register all cases of a study, unattended, and report on them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from coreg.cli.options import Json, Quiet, Seed, Verbose
from coreg.cli.register import Device, Method

SOME_FAILED = 5
cohort = typer.Typer(help="Register all cases of a study, and report on them. For research use only.")


class Other(StrEnum):
    """A method to compare with."""

    rigid = "rigid"
    dtw = "dtw"
    dp = "dp"
    bspline = "bspline"


class Stages(StrEnum):
    """A stage of a case."""

    segment = "segment"
    register = "register"
    validate = "validate"


@cohort.command(
    epilog="Example: coreg cohort run manifest.csv --out study --workers 4 --compare rigid --compare dtw"
)
def run(
    *,
    manifest: Annotated[
        Path,
        typer.Argument(
            metavar="MANIFEST",
            help="A CSV or TSV with the columns case_id and case (a case.toml or its folder), or a folder of "
            "cases.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for all results; a second run goes on in it.")],
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Cases at a time; default: the CPU cores.")
    ] = None,
    cluster: Annotated[
        str,
        typer.Option(
            "--cluster", metavar="local|slurm|ADDRESS", help="Where to run; ADDRESS of a Dask scheduler."
        ),
    ] = "local",
    cluster_options: Annotated[
        Path | None,
        typer.Option("--cluster-options", metavar="FILE", help="A TOML with the options of --cluster slurm."),
    ] = None,
    method: Annotated[Method, typer.Option("--method", help="How to place pullbacks.")] = Method.nonrigid,
    compare: Annotated[
        list[Other] | None,
        typer.Option("--compare", help="Measure another method at the landmarks too; may be repeated."),
    ] = None,
    stage: Annotated[
        list[Stages] | None,
        typer.Option("--stage", help="Run this stage alone; may be repeated; default: all three."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Run the stages also where nothing has changed.")
    ] = False,
    device: Annotated[Device, typer.Option("--device", help="Where each case computes.")] = Device.auto,
    batch: Annotated[
        int | None,
        typer.Option(
            "--batch",
            min=1,
            help="Cases that are refined together; default: 16 with --device cuda, else 1.",
        ),
    ] = None,
    use_landmarks: Annotated[
        bool, typer.Option("--use-landmarks", help="Let landmarks guide where a case has them.")
    ] = False,
    leave_one_out: Annotated[
        bool,
        typer.Option("--leave-one-out", help="Also measure each landmark on a path found without it."),
    ] = False,
    time_limit: Annotated[
        float,
        typer.Option("--time-limit", min=1.0, metavar="SECONDS", help="After which a case fails."),
    ] = 3600.0,
    memory_limit: Annotated[
        float, typer.Option("--memory-limit", min=0.1, metavar="GB", help="A case that needs more fails.")
    ] = 8.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check all, say what would run.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Run nothing where a case cannot be read.")
    ] = False,
    seed: Seed = 0,
    verbose: Verbose = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Register all cases of a study. For research use only.

    Cases that are done already, with the same inputs, settings and version, are not run again: after an
    interruption the same command goes on. A case that crashes, hangs or needs too much memory fails alone,
    with a reason and a log. Reviews are used and never overwritten: landmarks that a reader accepted or
    corrected take the place of the case's own.
    """
    from coreg.cli.cohort_case import CohortSettings
    from coreg.cli.cohort_run import Asked, run_cohort
    from coreg.cli.console import Console

    settings = CohortSettings(
        method.value,
        tuple(sorted({each.value for each in compare or ()})),
        device.value,
        seed,
        use_landmarks=use_landmarks,
        leave_one_out=leave_one_out,
    )
    asked = Asked(
        manifest,
        out,
        settings,
        stages=tuple(each.value for each in stage or Stages),
        batch=batch,
        again=again,
        workers=workers,
        cluster=cluster,
        cluster_options=cluster_options,
        time_limit_s=time_limit,
        memory_limit_gb=memory_limit,
        strict=strict,
        dry_run=dry_run,
    )
    if run_cohort(asked, Console(verbose=verbose, quiet=quiet, as_json=json)):
        raise typer.Exit(SOME_FAILED)


@cohort.command(epilog="Example: coreg cohort report study")
def report(
    *,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of coreg cohort run.")],
    verbose: Verbose = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Write the tables, figures and the page of a study anew, as after reviews. For research use only."""
    from coreg.cli.cohort_run import extra_there
    from coreg.cli.console import Console

    console = Console(verbose=verbose, quiet=quiet, as_json=json)
    with extra_there():
        from coreg_cohort.page import write_cohort_report
    with console.progress() as progress:
        page = write_cohort_report(folder, progress=progress)
    console.outcome(f"report: {page}", {"report": page})


@cohort.command("job-script", epilog="Example: coreg cohort job-script slurm.toml")
def job_script(
    *,
    options: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A TOML with the options of --cluster slurm.")
    ] = None,
) -> None:
    """Print the script that --cluster slurm would hand to sbatch. For research use only."""
    from coreg.cli.cohort_run import extra_there

    with extra_there():
        from coreg_cohort.slurm import SlurmOptions, read_slurm_options
        from coreg_cohort.slurm import job_script as script
    print(script(SlurmOptions() if options is None else read_slurm_options(options)), end="")
