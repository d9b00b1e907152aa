"""A result folder appears whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from coreg.io.files import check_name, is_there, unusable
from coreg.io.json_fields import case_id_of

# Each says whose result a folder holds; the last two of one that is segmented and not registered yet.
OWNER_FILES = (
    "registration.json",
    "segmentation.json",
    "pullback_segmentation.json",
    "segmentation/segmentation.json",
    "segmentation/pullback_segmentation.json",
)
# Of a run in a cohort, also of one that failed.
LOG = "log.txt"
AUTOSAVE = ".coreg-autosave.json"
REVIEWER_FILES = ("review.json", "landmarks_reviewed.csv", "registration_reviewed.json", AUTOSAVE)
# Any of them makes a folder a result that can be reviewed.
RESULT_FILES = ("registration.json", "registration_reviewed.json", "review.json")
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def is_result(folder: Path) -> bool:
    """Tell whether a folder holds a registration or a review."""
    return any(is_there(folder / name) for name in RESULT_FILES)


@contextmanager
def replaced_folder(
    out: Path, case_id: str, *, force: bool = False, inputs: Iterable[Path] = ()
) -> Iterator[Path]:
    """Give a temporary folder that takes the place of ``out`` if all goes well.

    What the reviewer's tool wrote into ``out`` is kept. After an exception ``out`` is as it was.

    Parameters
    ----------
    out : Path
        New, empty, holding a result of the same case, or only reviewer files and a log.
    case_id : str
        Whose result is written.
    force : bool
        Replace any other content too.
    inputs : iterable of Path
        Files that were read; a folder around one of them is never replaced, unless the reviewer's tool
        wrote them.

    Raises
    ------
    InputError
        If ``out`` is a file, holds something else and ``force`` is not set, holds an input, is the current
        folder or one around it, or its name is not UTF-8.
    """
    try:
        target = out.resolve()
        check_name(target)
        _check_inputs(out, target, inputs)
        _check_target(out, target, case_id, force=force)
    except (OSError, RuntimeError) as error:
        found = getattr(error, "strerror", None) or error
        raise unusable(out, "--out", found=found, expected="a folder that can be written") from error
    made = _first_missing(target.parent)
    temporary: Path | None = None
    try:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
            temporary.chmod(0o755)
        except OSError as error:
            raise unusable(
                out, "--out", found=error.strerror, expected="a folder that can be written"
            ) from error
        try:
            yield temporary
            _take_place(temporary, target)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            raise unusable(out, "--out", found=error.strerror, expected="room for the result") from error
        made = None
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
        if made is not None:
            _remove_empty(made, target.parent)


def _check_inputs(out: Path, target: Path, inputs: Iterable[Path]) -> None:
    for path in inputs:
        # Unlike `resolve` silent on a loop of links, which is told when the input is read.
        real = Path(os.path.realpath(path))
        if real.is_relative_to(target) and not _is_kept(real, target):
            raise unusable(out, "--out", found=f"the input {path} in it", expected="a folder without inputs")


def _is_kept(path: Path, target: Path) -> bool:
    """Whether a file is one of the reviewer's, which outlive the result around them."""
    return path.parent == target and path.name in REVIEWER_FILES


def _check_target(out: Path, target: Path, case_id: str, *, force: bool) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise unusable(out, "--out", found="a file", expected="a folder")
    if Path.cwd().is_relative_to(target) or Path.home().is_relative_to(target):
        found = "the current or home folder, or one around it"
        raise unusable(out, "--out", found=found, expected="a folder of its own, such as one inside it")
    content = {each.name for each in target.iterdir()} - {*REVIEWER_FILES, LOG}
    if not content or force:
        return
    owner = next(filter(None, (case_id_of(target / name) for name in OWNER_FILES)), None)
    if owner != case_id:
        found = f"a result of case {owner}" if owner else f"other content ({sorted(content)[0]})"
        expected = f"a new or empty folder, or a result of case {case_id}; --force replaces it"
        raise unusable(out, "--out", found=found, expected=expected)


def _take_place(temporary: Path, target: Path) -> None:
    """Swap folders; what the reviewer wrote moves along."""
    if not target.exists():
        temporary.rename(target)
        return
    for name in REVIEWER_FILES:
        if (target / name).is_file():
            shutil.copy2(target / name, temporary / name, follow_symlinks=False)
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
    try:
        target.rename(old / target.name)
        try:
            temporary.rename(target)
        except BaseException:
            (old / target.name).rename(target)
            raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _first_missing(folder: Path) -> Path | None:
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    return missing[-1] if missing else None


def _remove_empty(first: Path, last: Path) -> None:
    """Remove folders made on the way, innermost first, unless something came into them."""
    for folder in (last, *last.parents):
        if folder.is_dir() and folder.is_relative_to(first) and not any(folder.iterdir()):
            folder.rmdir()
