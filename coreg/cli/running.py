"""What commands that compute share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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


@contextmanager
def writing_out() -> Iterator[None]:
    """Take whatever is wrong with --out for wrong usage, not for a bad input."""
    try:
        yield
    except InputError as error:
        raise typer.BadParameter(str(error)) from error


def entered(stack: ExitStack, folder: Any) -> Path:
    """Enter the result folder."""
    with writing_out():
        return Path(stack.enter_context(folder))
