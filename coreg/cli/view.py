"""``coreg view``: look at a case, a result or a cohort in napari."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coreg.cli.options import Verbose


def view(
    *,
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="[CASE_OR_DIR]",
            help="A case.toml or its folder, a result, or a cohort; without it, a synthetic patient.",
        ),
    ] = None,
    case: Annotated[
        Path | None,
        typer.Option("--case", help="The case of a result, where it does not lie near it."),
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Align, review, correct and sign off in napari. For research use only."""
    del verbose
    from coreg_napari.launch import view as launched

    launched(path, case=case)
