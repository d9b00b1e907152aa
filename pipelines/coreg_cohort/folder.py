"""The output folder of a cohort: whose it is, one run at a time, and cleared of what a killed run left."""

from __future__ import annotations

import os
import re
import shutil
import socket
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from coreg.errors import InputError
from coreg.io.files import check_name, unusable
from coreg.io.json_fields import USE, parsed_json, write_json
from coreg_cohort.records import SCHEMA_VERSION, STATE, read_records

_RANDOM = "[a-z0-9_]{8}"
_NAME = "[A-Za-z0-9][A-Za-z0-9._-]*"
# As coreg.io.result_folder and coreg.io.files name what is not in its place yet, or no more.
_HALF_FILE = re.compile(rf"\.{_RANDOM}\..+")
_HALF_FOLDER = re.compile(rf"\.{_NAME}\.{_RANDOM}")
_OLD_FOLDER = re.compile(rf"\.({_NAME})\.old\.{_RANDOM}")


@contextmanager
def cohort_folder(out: Path, case_ids: Collection[str]) -> Iterator[Path]:
    """Keep an output folder for one run, making it where it is missing.

    Parameters
    ----------
    out : Path
        New, empty, or the folder of the same cohort. Cases may have come to the manifest or left it.
    case_ids : collection of str
        Of the manifest.

    Raises
    ------
    InputError
        If it holds something else, another cohort's results or those of another version of this layout,
        another run is at work in it, or it cannot be written.
    """
    check_folder(out, case_ids)
    try:
        (out / STATE).mkdir(parents=True, exist_ok=True)
        handle = os.open(out / STATE / "lock", os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise _unwritable(out, error) from error
    try:
        _lock(out, handle)
        _claim(out)
        clear_leftovers(out)
        try:
            yield out
        finally:
            clear_leftovers(out)
            _write_holder(handle, "")
    finally:
        # The lock goes with the handle, and with the process however it ends.
        os.close(handle)


def check_folder(out: Path, case_ids: Collection[str]) -> None:
    """Refuse a folder that a run of these cases must not write into; nothing is changed.

    Raises
    ------
    InputError
        As in `cohort_folder`, the lock apart.
    """
    check_name(out)
    try:
        content = sorted(each.name for each in out.iterdir()) if out.exists() else []
    except NotADirectoryError as error:
        raise unusable(out, "--out", found="a file", expected="a folder") from error
    except OSError as error:
        raise _unwritable(out, error) from error
    if (out / STATE / "cohort.json").exists():
        _check_owner(out, case_ids)
    elif set(content) - {STATE}:
        found = f"other content ({next(name for name in content if name != STATE)})"
        raise unusable(out, "--out", found=found, expected="a new or empty folder, or one of this cohort")


def _check_owner(out: Path, case_ids: Collection[str]) -> None:
    version = parsed_json(out / STATE / "cohort.json").get("schema_version")
    if version != SCHEMA_VERSION:
        expected = (
            f"version {SCHEMA_VERSION}; choose another folder, or use the version of coreg that made it"
        )
        raise unusable(out, "--out", found=f"a cohort's folder of version {version}", expected=expected)
    known = read_records(out)
    if known and not known.keys() & set(case_ids):
        found = f"the results of another cohort (case {next(iter(known))}, not in the manifest)"
        raise unusable(out, "--out", found=found, expected="a new or empty folder, or one of this cohort")


def _claim(out: Path) -> None:
    if not (out / STATE / "cohort.json").exists():
        try:
            write_json(out / STATE / "cohort.json", {"schema_version": SCHEMA_VERSION, "use": USE})
        except OSError as error:
            raise _unwritable(out, error) from error


def _unwritable(out: Path, error: OSError) -> InputError:
    return unusable(out, "--out", found=error.strerror or error, expected="a folder that can be written")


def _lock(out: Path, handle: int) -> None:
    try:
        _lock_file(handle)
    except (BlockingIOError, PermissionError) as error:
        holder = os.pread(handle, 200, 0).decode(errors="replace") if hasattr(os, "pread") else ""
        found = f"another run at work in it ({holder or 'unknown'})"
        raise unusable(
            out, "--out", found=found, expected="one run at a time; wait for it or stop it"
        ) from error
    except OSError:
        # Some network file systems know no locks; refusing all work there would be worse.
        return
    _write_holder(handle, f"process {os.getpid()} on {socket.gethostname()}")


def _write_holder(handle: int, text: str) -> None:
    """Say in the lock who has it; on a full disk it is a lock all the same."""
    with suppress(OSError):
        os.ftruncate(handle, 0)
        os.write(handle, text.encode())


def _lock_file(handle: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def clear_leftovers(out: Path) -> None:
    """Remove what killed processes left half-written, and put back what they had moved away.

    Only while no case of this folder is at work.
    """
    for folder in (out, out / STATE, out / STATE / "records"):
        for path in _hidden(folder):
            if _HALF_FILE.fullmatch(path.name) and path.is_file():
                path.unlink(missing_ok=True)
    for folder in (out / "cases", *(out / "methods").glob("*")):
        for path in _hidden(folder):
            if _HALF_FOLDER.fullmatch(path.name) and path.is_dir():
                _put_back(path)
                shutil.rmtree(path, ignore_errors=True)


def _hidden(folder: Path) -> list[Path]:
    return sorted(folder.glob(".*")) if folder.is_dir() else []


def _put_back(path: Path) -> None:
    """Return a result, with all that its reviewer wrote, that was moved away for one that never came."""
    moved = _OLD_FOLDER.fullmatch(path.name)
    if moved and not (path.parent / moved[1]).exists():
        with suppress(FileNotFoundError):
            (path / moved[1]).rename(path.parent / moved[1])
