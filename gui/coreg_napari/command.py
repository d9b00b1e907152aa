"""The command line that repeats what was done in the viewer."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from coreg.io import review_files as files

GUIDED = "guided"
FROM_PLACEMENT = "from placement"
RIGID = ("--method", "rigid")
_GUIDED, _START = ("--use-landmarks", "--landmarks"), "--start"
_COMMENT = "  # "


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
            words += [*_GUIDED, str(out / files.LANDMARKS)]
        elif each == FROM_PLACEMENT:
            words += [_START, str(out / files.REGISTRATION)]
        else:
            words.append(each)
    line = shlex.join(words)
    if by_hand:
        line += f"{_COMMENT}then by hand: {by_hand}; the result is in {files.REGISTRATION}"
    return line


def how_of(line: str) -> tuple[str, ...]:
    """Read back from a command line of `command_line` how the registration was made.

    Only what the viewer itself writes is taken, since the line comes from a file; of any other line nothing.

    >>> how_of("coreg register /a/case.toml --out /a/r --start /a/r/registration_reviewed.json")
    ('from placement',)
    """
    try:
        words = shlex.split(line.partition(_COMMENT)[0])
    except ValueError:
        return ()
    found: list[str] = []
    if _after(words, _GUIDED):
        found.append(GUIDED)
    if _after(words, (_START,)):
        found.append(FROM_PLACEMENT)
    if _after(words, RIGID[:1]) == RIGID[1]:
        found += RIGID
    return tuple(found)


def _after(words: Sequence[str], options: Sequence[str]) -> str:
    """Return the word after a run of options; nothing where they are not there."""
    count = len(options)
    at = (i for i in range(len(words) - count) if tuple(words[i : i + count]) == tuple(options))
    return next((words[i + count] for i in at), "")
