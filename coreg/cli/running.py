"""What commands that compute share."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import typer

from coreg.errors import InputError

REPORT = "report.html"


def use_threads(threads: int | None) -> None:
    """Set how many threads the numerical libraries take; before they are loaded."""
    if threads is not None:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ[name] = str(threads)
        import torch

        torch.set_num_threads(threads)


def entered(stack: ExitStack, folder: Any) -> Path:
    """Enter the result folder; whatever is wrong with it is wrong usage, not a bad input."""
    try:
        return Path(stack.enter_context(folder))
    except InputError as error:
        raise typer.BadParameter(str(error)) from error
