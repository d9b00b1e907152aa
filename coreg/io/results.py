"""What a registration leaves behind: the files of a result folder, and hashes of its inputs."""

from __future__ import annotations

import hashlib
from pathlib import Path

from coreg.io.files import existing_file, unusable
from coreg.io.frames_csv import read_frames, write_frames, write_validation
from coreg.io.registration_json import read_registration, write_registration
from coreg.io.result_folder import replaced_folder

__all__ = [
    "read_frames",
    "read_registration",
    "replaced_folder",
    "sha256_of",
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
