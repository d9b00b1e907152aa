"""Images in NIfTI, NRRD and MetaImage files, read and written through SimpleITK.

SimpleITK takes every file to LPS mm. What it does in silence with a broken header (a spacing of
zero or NaN becomes 1 mm, a truncated NIfTI is filled with zeros) is checked here first.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from coreg.io.files import existing_file, replaced_file, unusable
from coreg.volume import Volume

ENDINGS = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")
# Data types by their code in a NIfTI header.
_NIFTI_FLOATS = {16: "f4", 64: "f8"}
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
    _check_header(existing_file(path))
    try:
        with _silent_itk():
            image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise unusable(path, "", found=_itk_reason(error), expected=_EXPECTED) from error
    size = image.GetSize()
    if image.GetNumberOfComponentsPerPixel() != 1 or "complex" in image.GetPixelIDTypeAsString():
        found = f"voxels of type {image.GetPixelIDTypeAsString()}"
        raise unusable(path, "voxel type", found=found, expected="one number per voxel")
    if len(size) == 4 and size[3] == 1:
        image = image[:, :, :, 0]
    if image.GetDimension() != 3:
        raise unusable(path, "dimensions", found=f"size {size}", expected="three dimensions")
    return Volume(sitk.GetArrayFromImage(image), _index_to_world(path, image))


def read_label(path: Path) -> Volume:
    """Read a label image as uint8: 1 where the file's value is not zero.

    Raises
    ------
    InputError
        If the file is not an image, has values that are not whole numbers from 0, or is empty.
    """
    volume = read_volume(path)
    values = volume.values
    if path.name.lower().endswith((".nii", ".nii.gz")):
        check_nifti_finite(path, expected="a label image without NaN")
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


def check_nifti_finite(path: Path, *, expected: str) -> None:
    """Look for NaN in the file itself, since ITK reads those of a NIfTI file as 0.

    Raises
    ------
    InputError
        If there is one; it says what was ``expected``.
    """
    with gzip.open(path, "rb") if path.name.lower().endswith(".gz") else path.open("rb") as file:
        header = file.read(540)
        order = "<" if struct.unpack("<i", header[:4])[0] in {348, 540} else ">"
        old = struct.unpack(f"{order}i", header[:4])[0] == 348
        code = struct.unpack_from(f"{order}h", header, 70 if old else 12)[0]
        offset = int(struct.unpack_from(f"{order}f" if old else f"{order}q", header, 108 if old else 168)[0])
        if code not in _NIFTI_FLOATS:
            return
        dtype, first = np.dtype(f"{order}{_NIFTI_FLOATS[code]}"), 0
        file.seek(offset)
        while block := file.read(1 << 20):
            values = np.frombuffer(block, dtype, len(block) // dtype.itemsize)
            bad = np.flatnonzero(~np.isfinite(values))
            if len(bad):
                found = f"{values[bad[0]]} at voxel {first + bad[0]} of the file"
                raise unusable(path, "voxels", found=found, expected=expected)
            first += len(values)


def _index_to_world(path: Path, image: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    spacing = np.array(image.GetSpacing())
    direction = np.array(image.GetDirection()).reshape(3, 3)
    origin = np.array(image.GetOrigin())
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


def _check_header(path: Path) -> None:
    name = path.name.lower()
    if not name.endswith(ENDINGS):
        raise unusable(path, "", found=f"a file ending in {path.suffix or 'nothing'!r}", expected=_EXPECTED)
    if name.endswith((".nii", ".nii.gz")):
        _check_nifti(path)
        return
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


def _check_nifti(path: Path) -> None:
    expected = "a NIfTI image"
    zipped = path.name.lower().endswith(".gz")
    try:
        with gzip.open(path, "rb") if zipped else path.open("rb") as file:
            header = file.read(540)
            shape, size = _nifti_fields(path, header)
            length = len(header)
            while block := file.read(1 << 20):
                length += len(block)
    except (OSError, EOFError, zlib.error) as error:
        found = f"a file that is no gzip file or is cut off ({error})"
        raise unusable(path, "", found=found, expected=expected) from error
    if length < size:
        found = f"{length} bytes"
        raise unusable(
            path, "length", found=found, expected=f"{size} bytes for {shape} voxels; is it cut off?"
        )


def _nifti_fields(path: Path, header: bytes) -> tuple[list[int], int]:
    """Voxel counts and needed length of a NIfTI-1 or NIfTI-2 file, its numbers checked."""
    sizes = {order: struct.unpack(f"{order}i", header[:4])[0] for order in "<>"} if len(header) >= 348 else {}
    order = next((each for each, size in sizes.items() if size in {348, 540}), None)
    if order is None or (sizes[order] == 540 and len(header) < 540):
        raise unusable(path, "header", found="no NIfTI header", expected="a NIfTI image")
    if sizes[order] == 348:
        dim = struct.unpack_from(f"{order}8h", header, 40)
        bits = struct.unpack_from(f"{order}h", header, 72)[0]
        pixdim = struct.unpack_from(f"{order}8f", header, 76)
        offset = struct.unpack_from(f"{order}f", header, 108)[0]
        place = struct.unpack_from(f"{order}18f", header, 256)
    else:
        dim = struct.unpack_from(f"{order}8q", header, 16)
        bits = struct.unpack_from(f"{order}h", header, 14)[0]
        pixdim = struct.unpack_from(f"{order}8d", header, 104)
        offset = struct.unpack_from(f"{order}q", header, 168)[0]
        place = struct.unpack_from(f"{order}18d", header, 352)
    if not 3 <= dim[0] <= 7 or min(dim[1 : dim[0] + 1]) < 1:
        raise unusable(path, "dim", found=list(dim), expected="three dimensions of at least one voxel")
    if not all(math.isfinite(each) and each > 0.0 for each in pixdim[1:4]):
        found = f"{list(pixdim[1:4])} mm"
        raise unusable(path, "pixdim (spacing)", found=found, expected="finite numbers above 0")
    if not all(math.isfinite(each) for each in (*place, offset)):
        raise unusable(path, "affine", found="NaN or infinity", expected="finite numbers")
    shape = list(dim[1 : dim[0] + 1])
    return shape, int(offset) + math.prod(shape) * bits // 8
