"""Where dialogs begin: in a folder that its user knows."""

from __future__ import annotations

import os
from pathlib import Path


def start_folder(beside: Path) -> Path:
    """Return where to begin to look for a folder to save into.

    Parameters
    ----------
    beside : Path
        Of the case; taken if people see it and it can be written.

    Returns
    -------
    Path
        That, else the current folder, else the user's home: not a hidden folder such as a cache, in which
        nobody finds a result again.
    """
    candidates = (beside.absolute(), _current(), Path.home())
    return next((each for each in candidates if each is not None and _is_good(each)), Path.home())


def _current() -> Path | None:
    try:
        return Path.cwd()
    except OSError:
        # It was removed.
        return None


def _is_good(folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in folder.parts)
    return not hidden and folder.is_dir() and os.access(folder, os.W_OK)
