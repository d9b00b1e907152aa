"""Images in NIfTI, NRRD and MetaImage files, read and written through SimpleITK.

SimpleITK takes every file to LPS mm. What it does in silence with a broken header (a spacing of
zero or NaN becomes 1 mm) is checked here first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from coreg.io.files import existing_file, replaced_file, unusable
from coreg.io.nifti_files import ENDINGS as NIFTI_ENDINGS
from coreg.io.nifti_files import NiftiHeader, is_nifti_file, read_nifti_header, read_nifti_voxels
from coreg.volume import Volume

ENDINGS = (*NIFTI_ENDINGS, ".nrrd", ".nhdr", ".mha", ".mhd")
_EXPECTED = "an image in NIfTI, NRRD or MetaImage format (.nii, .nii.gz, .nrrd, .nhdr, .mha, .mhd)"


def is_volume_file(path: Path) -> bool:
    """Tell by its name whether a file is an image of this module."""
    return path.name.lower().endswith(ENDINGS)


def read_volume(path: Path) -> Volume:
    """Read a three-dimensional image of one value per voxel.

    Raises
    ------
    InputError
        If the file is missing, not readable, not three-dimensional, or its geometry is broken.
    """
    header = _checked_header(existing_file(path))
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        with _silent_itk():
            reader.ReadImageInformation()
            _check_kind(path, reader)
            values = _values(path, header, reader)
    except RuntimeError as error:
        raise unusable(path, "", found=_itk_reason(error), expected=_EXPECTED) from error
    return Volume(values.reshape(reader.GetSize()[2::-1]), _index_to_world(path, reader))


def read_label(path: Path) -> Volume:
    """Read a label image as uint8: 1 where the file's value is not zero.

    Raises
    ------
    InputError
        If the file is not an image, has values that are not whole numbers from 0, or is empty.
    """
    volume = read_volume(path)
    values = volume.values
    if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
        index = np.argwhere(~np.isfinite(values))[0]
        found = f"{values[tuple(index)]} at slice {index[0]}, row {index[1]}, column {index[2]}"
        raise unusable(path, "voxels", found=found, expected="a label image without NaN")
    low, high = values.min(), values.max()
    if low < 0 or (np.issubdtype(values.dtype, np.floating) and (values != np.rint(values)).any()):
        expected = "a label image: whole numbers, 0 outside and not 0 inside"
        raise unusable(path, "voxels", found=f"values from {low} to {high}", expected=expected)
    if high == 0:
        raise unusable(
            path, "voxels", found="an empty label (all zero)", expected="voxels that are not 0 inside"
        )
    if low > 0:
        found = f"no background (values from {low} to {high})"
        raise unusable(path, "voxels", found=found, expected="a label image with 0 outside")
    return Volume((values != 0).astype(np.uint8), volume.index_to_world)


def write_volume(path: Path, volume: Volume) -> None:
    """Write an image, whole or not at all; the format goes by the ending.

    Raises
    ------
    ValueError
        If the ending is unknown, or the volume's axes are not perpendicular.
    """
    if not path.name.lower().endswith((".nii", ".nii.gz", ".nrrd", ".mha")):
        msg = f"{path.name} must end in .nii, .nii.gz, .nrrd or .mha"
        raise ValueError(msg)
    spacing = volume.spacing_mm[::-1]
    # Files list axes as (column, row, slice), arrays the other way round.
    direction = volume.index_to_world[:3, 2::-1] / spacing
    if not np.allclose(direction.T @ direction, np.eye(3), atol=1e-4):
        msg = f"{path.name}: an image file needs perpendicular axes, got {direction.tolist()}"
        raise ValueError(msg)
    image = sitk.GetImageFromArray(np.ascontiguousarray(volume.values))
    image.SetSpacing(spacing.tolist())
    image.SetDirection(direction.ravel().tolist())
    image.SetOrigin(volume.index_to_world[:3, 3].tolist())
    with replaced_file(path) as temporary, _silent_itk():
        sitk.WriteImage(image, str(temporary), useCompression=True)


def data_files(path: Path) -> list[Path]:
    """List the files an image consists of: itself and, for .mhd and .nhdr, its raw data."""
    name = _data_file_name(path) if path.suffix.lower() in {".mhd", ".nhdr"} else None
    return [path] if name is None else [path, path.parent / name]


def _check_kind(path: Path, reader: sitk.ImageFileReader) -> None:
    kind, size = sitk.GetPixelIDValueAsString(reader.GetPixelID()), reader.GetSize()
    if reader.GetNumberOfComponents() != 1 or "complex" in kind:
        raise unusable(path, "voxel type", found=f"voxels of type {kind}", expected="one number per voxel")
    if len(size) != 3 and not (len(size) == 4 and size[3] == 1):
        raise unusable(path, "dimensions", found=f"size {size}", expected="three dimensions")


def _values(path: Path, header: NiftiHeader | None, reader: sitk.ImageFileReader) -> npt.NDArray[Any]:
    return sitk.GetArrayFromImage(reader.Execute()) if header is None else read_nifti_voxels(path, header)


def _index_to_world(path: Path, reader: sitk.ImageFileReader) -> npt.NDArray[np.float64]:
    axes = reader.GetDimension()
    spacing = np.array(reader.GetSpacing())[:3]
    direction = np.array(reader.GetDirection()).reshape(axes, axes)[:3, :3]
    origin = np.array(reader.GetOrigin())[:3]
    if not (np.isfinite(spacing).all() and (spacing > 0.0).all()):
        raise unusable(path, "spacing", found=f"{spacing.tolist()} mm", expected="finite numbers above 0")
    if not (np.isfinite(direction).all() and np.isfinite(origin).all()):
        found = f"origin {origin.tolist()}, direction {direction.tolist()}"
        raise unusable(path, "geometry", found=found, expected="finite numbers")
    if not np.allclose(direction.T @ direction, np.eye(3), atol=1e-3):
        found = f"axes that are not perpendicular: {direction.round(4).tolist()}"
        raise unusable(
            path, "direction", found=found, expected="perpendicular axes; resample the image first"
        )
    matrix = np.eye(4)
    matrix[:3, :3] = (direction * spacing)[:, ::-1]
    matrix[:3, 3] = origin
    return matrix


@contextmanager
def _silent_itk() -> Iterator[None]:
    shown = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(shown)


def _itk_reason(error: RuntimeError) -> str:
    text = str(error).strip()
    if "orthonormal" in text:
        return "axes that are not perpendicular (a sheared affine; resample the image first)"
    if "Unable to determine ImageIO reader" in text:
        return "a file that is no image or is broken"
    if "Zero-valued spacing" in text:
        return "a spacing of zero"
    last = [line for line in text.splitlines() if line.strip()][-1]
    return f"a file that cannot be read ({last.strip()[:150]})"


def _checked_header(path: Path) -> NiftiHeader | None:
    """Header of a NIfTI file; those of other files are only checked."""
    name = path.name.lower()
    if not name.endswith(ENDINGS):
        raise unusable(path, "", found=f"a file ending in {path.suffix or 'nothing'!r}", expected=_EXPECTED)
    if is_nifti_file(path):
        return read_nifti_header(path)
    fields = _text_header(path)
    nrrd = name.endswith((".nrrd", ".nhdr"))
    keys = ("spacings", "space directions") if nrrd else ("elementspacing", "elementsize")
    spacing = next((fields[key] for key in keys if key in fields), None)
    if spacing is None or "nan" in spacing.lower() or "inf" in spacing.lower():
        found = "no spacing" if spacing is None else repr(spacing)
        raise unusable(path, "spacing", found=found, expected=f"the header field {keys[0]!r} in mm")
    data = _data_file_name(path)
    if data is not None:
        # A header may name any file of the machine; only one beside it is taken.
        if Path(data).name != data or data.startswith("LIST") or "%" in data:
            raise unusable(path, "data file", found=repr(data), expected="one file in the same folder")
        existing_file(path.parent / data)
    return None


def _text_header(path: Path) -> dict[str, str]:
    """Fields of a NRRD or MetaImage header, keys in lower case."""
    fields: dict[str, str] = {}
    with path.open("rb") as file:
        for _ in range(200):
            line = file.readline(4096).decode("latin-1").strip()
            if not line and fields:
                break
            for mark in (":=", "=", ":"):
                key, found, value = line.partition(mark)
                if found and not line.startswith("#"):
                    fields[key.strip().lower()] = value.strip()
                    break
            if line.lower().startswith("elementdatafile"):
                break
    return fields


def _data_file_name(path: Path) -> str | None:
    fields = _text_header(path)
    name = fields.get("elementdatafile", fields.get("data file", fields.get("datafile")))
    return None if name is None or name.upper() == "LOCAL" else name
