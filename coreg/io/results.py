"""What a registration leaves behind: the files of a result folder, and hashes of its inputs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from coreg.io.files import existing_file, unusable
from coreg.io.frames_csv import read_frames, read_left_out, write_frames, write_validation
from coreg.io.registration_json import read_registration, write_registration
from coreg.io.result_folder import replaced_folder

__all__ = [
    "read_frames",
    "read_left_out",
    "read_registration",
    "replaced_folder",
    "sha256_of",
    "sha256_of_files",
    "sha256_of_folder",
    "write_frames",
    "write_registration",
    "write_validation",
]


def sha256_of(path: Path) -> str:
    """Hash a file's content, as hexadecimal text."""
    try:
        with existing_file(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise unusable(path, "", found=error.strerror or error, expected="a file that can be read") from error


def sha256_of_folder(folder: Path) -> str:
    """Hash the content of all DICOM files in and below a folder, whatever their names and order.

    Names are left out since those of DICOM files often tell a patient's.
    """
    from coreg.io.dicom_headers import dicom_files

    return sha256_of_files(dicom_files(folder))


def sha256_of_files(paths: Iterable[Path]) -> str:
    """Hash the content of files together, whatever their names and order."""
    together = hashlib.sha256()
    for each in sorted(sha256_of(path) for path in paths):
        together.update(bytes.fromhex(each))
    return together.hexdigest()
