"""Options that every command has."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more; show the traceback of a bug.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only (and JSON where asked for).")]
Json = Annotated[bool, typer.Option("--json", help="Print the outcome as JSON on standard output.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of whatever is drawn at random.")]
Threads = Annotated[int | None, typer.Option("--threads", min=1, help="CPU threads to use.")]
Force = Annotated[bool, typer.Option("--force", help="Replace whatever is there.")]


class Phase(StrEnum):
    """The phase of the heart that an ungated pullback is taken down to."""

    auto = "auto"
    diastole = "diastole"
    systole = "systole"
    none = "none"


PhaseOption = Annotated[
    Phase,
    typer.Option(
        "--phase",
        help="Of IVUS that runs through the heartbeat, the phase to take a frame per beat of: the steadiest "
        "(auto), diastole or systole; none takes all frames.",
    ),
]
