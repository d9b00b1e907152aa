"""How a result was made: versions and hashes of inputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any


def provenance(case_path: Path, inputs: Sequence[Path]) -> dict[str, Any]:
    """Return the versions of what computes and the SHA-256 of each input.

    Inputs are named relative to the case, so that a shared result does not tell where it was made. A
    folder of DICOM files, also that of a slice that stands for its series, counts as one input, as the
    names of its files may tell whose they are.
    """
    import platform
    from importlib.metadata import version

    from coreg import __version__
    from coreg.io.files import is_dicom_file
    from coreg.io.results import sha256_of, sha256_of_folder

    names = ("numpy", "scipy", "scikit-image", "SimpleITK", "torch", "pydicom")
    versions = {"coreg": __version__, "python": platform.python_version()} | {n: version(n) for n in names}
    folder = case_path.parent.resolve()
    hashes = {}
    for path in inputs:
        full = path.resolve()
        if path.is_dir() or is_dicom_file(path):
            dicom = full if path.is_dir() else full.parent
            hashes["ccta.image (all its DICOM files)"] = sha256_of_folder(dicom)
        elif path.is_file():
            inside = full.is_relative_to(folder)
            hashes[str(full.relative_to(folder)) if inside else path.name] = sha256_of(path)
    return {**versions, "inputs_sha256": hashes}
