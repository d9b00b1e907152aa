"""``coreg segment``: outline a vessel in an image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coreg.cli.options import Force, Json, Phase, PhaseOption, Quiet, Seed, Threads, Verbose

CaseArgument = Annotated[
    Path, typer.Argument(metavar="CASE", help="A case.toml, or the folder that holds it.")
]
Out = Annotated[Path, typer.Option("--out", help="Folder for the result.")]

segment = typer.Typer(
    help="Outline a vessel in an image. For research use only.",
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@segment.command(epilog="Example: coreg segment ccta case.toml --out segmentation")
def ccta(
    *,
    case: CaseArgument,
    out: Out,
    tree: Annotated[
        bool,
        typer.Option("--tree", help="Follow all vessels from the ostium instead; needs no distal click."),
    ] = False,
    force: Force = False,
    seed: Seed = 0,
    threads: Threads = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Outline one artery in a CCTA. For research use only.

    Finds lumen, outer wall, calcium and side branches. Writes labels on the CCTA's grid, the
    centerline, tables, and report.html, the page to look at. A lumen label that the case names is
    measured instead of the image.
    """
    del seed  # every command takes it; nothing here is random
    from coreg.cli.console import Console
    from coreg.cli.segmenting import (
        segment_case,
        segment_tree,
        tree_data,
        tree_headline,
        vessel_data,
        vessel_headline,
    )

    console = Console(verbose=verbose, quiet=quiet, as_json=json)
    with console.progress() as progress:
        if tree:
            lines = segment_tree(case, out, threads=threads, force=force, progress=progress)
        else:
            found = segment_case(case, out, threads=threads, force=force, progress=progress)
    if tree:
        console.outcome(tree_headline(lines), tree_data(lines))
    else:
        console.outcome(vessel_headline(found), vessel_data(found))


@segment.command(epilog="Example: coreg segment pullback case.toml --out segmentation")
def pullback(
    *,
    case: CaseArgument,
    out: Out,
    phase: PhaseOption = Phase.auto,
    force: Force = False,
    seed: Seed = 0,
    threads: Threads = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Outline the lumen in the images of a pullback. For research use only.

    Writes contours, labels and tables by frame, and report.html, the page to look at: lumen and side
    branches, for IVUS also the external elastic membrane. Contours that the case names are measured
    instead of the images.
    """
    del seed  # every command takes it; nothing here is random
    from coreg.cli.console import Console
    from coreg.cli.pullback_segmenting import pullback_data, pullback_headline, segment_pullback_case

    console = Console(verbose=verbose, quiet=quiet, as_json=json)
    with console.progress() as progress:
        found = segment_pullback_case(case, out, phase=phase, threads=threads, force=force, progress=progress)
    console.outcome(pullback_headline(found), pullback_data(found))
