"""Opening and replacing files so that a user is told what is wrong and never finds half a file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coreg.errors import InputError


def unusable(path: Path, field: str, *, found: object, expected: str) -> InputError:
    """Make the error that names the file, the field, what came and what was expected."""
    where = f"{path}: {field}" if field else f"{path}"
    return InputError(f"{where}: found {found}, expected {expected}")


@contextmanager
def naming(prefix: str) -> Iterator[None]:
    """Put the key that named a file in front of the message about that file."""
    try:
        yield
    except InputError as error:
        msg = f"{prefix}: {error}"
        raise InputError(msg) from error


def is_folder(path: Path) -> bool:
    """Tell whether a path is a folder; one that no file system can look up is none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def is_there(path: Path) -> bool:
    """Tell whether there is something at a path that can be looked up."""
    try:
        return path.exists()
    except OSError:
        return False


def existing_file(path: Path) -> Path:
    """Return the path if it is a file that can be read.

    Raises
    ------
    InputError
        If it is missing, a folder, or empty, or its name is not UTF-8.
    """
    check_name(path)
    try:
        if not path.exists():
            raise unusable(path, "", found="no such file", expected="a file to read")
        if not path.is_file():
            found = "a folder" if path.is_dir() else "a pipe or device"
            raise unusable(path, "", found=found, expected="a file")
        if not os.access(path, os.R_OK):
            raise unusable(path, "", found="Permission denied", expected="a file that can be read")
        if path.stat().st_size == 0:
            raise unusable(path, "", found="an empty file", expected="a file with content")
    except OSError as error:
        raise unusable(path, "", found=error.strerror or error, expected="a file that can be read") from error
    return path


def check_name(path: Path) -> None:
    """Refuse a name that is not UTF-8: SimpleITK would end the whole program at it.

    Raises
    ------
    InputError
        Naming it with the bytes in question replaced.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        shown = Path(str(path).encode(errors="replace").decode())
        expected = "a path in UTF-8; rename the file or folder"
        raise unusable(shown, "", found="a name that is not UTF-8", expected=expected) from error


def is_dicom_file(path: Path) -> bool:
    """Tell by its content whether a file is DICOM; one that cannot be read is not."""
    try:
        return begins_as_dicom(path)
    except OSError:
        return False


def begins_as_dicom(path: Path) -> bool:
    """Tell by its content whether a file is DICOM; an OSError says that it cannot be read."""
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def read_text(path: Path, *, expected: str = "a UTF-8 text file") -> str:
    """Read a UTF-8 text file, with or without a byte order mark; line ends become newlines."""
    try:
        return existing_file(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        found = f"a byte that is not UTF-8 at offset {error.start}"
        raise unusable(path, "", found=found, expected=expected) from error
    except OSError as error:
        raise unusable(path, "", found=error.strerror or error, expected="a file that can be read") from error


@contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """Give a temporary file beside ``path`` that takes its place if all goes well.

    Readers see the old file or the new one, never a part of it; after an exception the old one
    is as it was.

    Raises
    ------
    InputError
        If the name is not UTF-8.
    """
    check_name(path)
    folder = path.parent
    # Writers go by the ending, so the temporary name keeps all of it (.nii.gz).
    handle, name = tempfile.mkstemp(prefix=".", suffix=f".{path.name}", dir=folder)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file with Unix line ends, whole or not at all."""
    with replaced_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
