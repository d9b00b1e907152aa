"""The command line that repeats what was done in the viewer."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from coreg.io import review_files as files

GUIDED = "guided"
FROM_PLACEMENT = "from placement"


def command_line(case: Path, folder: Path | None, how: Sequence[str], *, by_hand: str = "") -> str:
    """Write the command that makes a registration.

    Parameters
    ----------
    case : Path
        Its case.toml.
    folder : Path or None
        Where the review is saved.
    how : sequence of str
        Options of ``coreg register``; of them `GUIDED` stands for the accepted landmarks and
        `FROM_PLACEMENT` for the placement by hand, both as the review's files hold them.
    by_hand : str
        What was then done by hand, which no command repeats.
    """
    # From any folder; and a relative path may begin like an option.
    out = Path(f"{case.stem}-result") if folder is None else folder.absolute()
    words = ["coreg", "register", str(case.absolute()), "--out", str(out)]
    for each in how:
        if each == GUIDED:
            words += ["--use-landmarks", "--landmarks", str(out / files.LANDMARKS)]
        elif each == FROM_PLACEMENT:
            words += ["--start", str(out / files.REGISTRATION)]
        else:
            words.append(each)
    line = shlex.join(words)
    if by_hand:
        line += f"  # then by hand: {by_hand}; the result is in {files.REGISTRATION}"
    return line
