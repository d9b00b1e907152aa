"""How a result was made: versions and hashes of inputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coreg.io.case_file import CaseFile


def provenance(case: CaseFile, inputs: Sequence[Path]) -> dict[str, Any]:
    """Return the versions of what computes and the SHA-256 of each input.

    Inputs are named relative to the case, so that a shared result does not tell where it was made. A
    folder of images, also that of a slice that stands for its series, counts as one input and goes, like
    any DICOM file, by its key, as the names of such files may tell whose they are.
    """
    import platform
    from importlib.metadata import version

    from coreg import __version__

    names = ("numpy", "scipy", "scikit-image", "SimpleITK", "torch", "pydicom")
    versions = {"coreg": __version__, "python": platform.python_version()} | {n: version(n) for n in names}
    return {**versions, "inputs_sha256": dict(_hash(case, path) for path in inputs if path.exists())}


def _hash(case: CaseFile, path: Path) -> tuple[str, str]:
    """Name and SHA-256 of one input."""
    from coreg.io.dicom_series import series_folder
    from coreg.io.files import is_dicom_file
    from coreg.io.picture_files import picture_files
    from coreg.io.results import sha256_of, sha256_of_files, sha256_of_folder

    key = _keys(case).get(path, "")
    if key == "ccta.image":
        series = path if path.is_dir() else series_folder(path)
        if series is not None:
            return f"{key} (all its DICOM files)", sha256_of_folder(series)
    if path.is_dir():
        pictures = picture_files(path)
        return f"{key} (all its frames)", sha256_of_files(pictures) if pictures else sha256_of_folder(path)
    if is_dicom_file(path):
        return key, sha256_of(path)
    full, folder = path.resolve(), case.path.parent.resolve()
    inside = full.is_relative_to(folder)
    return str(full.relative_to(folder)) if inside else path.name, sha256_of(path)


def _keys(case: CaseFile) -> dict[Path, str]:
    """Keys of the files that a case names."""
    from coreg.io.case_model import used_ccta_files, used_files, used_pullback_files

    used = (*used_files(case), *used_ccta_files(case), *used_pullback_files(case))
    return {case.resolved(name): key for key, name in used}
