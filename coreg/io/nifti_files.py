"""NIfTI files by the standard's own byte offsets: the header's numbers, checked, and the voxels.

Where voxels lie is left to ITK. The voxels are not: ITK fills up a file that is cut off, makes 0 of NaN,
and would unzip a large image a second time.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from coreg.io.files import unusable

ENDINGS = (".nii", ".nii.gz")
_EXPECTED = "a NIfTI image"
_DTYPES = {
    2: "u1",
    4: "i2",
    8: "i4",
    16: "f4",
    64: "f8",
    256: "i1",
    512: "u2",
    768: "u4",
    1024: "i8",
    1280: "u8",
}
_HEADER_BYTES = 540
_READ_BYTES = 1 << 18
# Of zlib: a gzip file, whose checksum it then compares.
_GZIP_WINDOW = 31


@dataclass(frozen=True)
class NiftiHeader:
    """What the voxels of a file are.

    Attributes
    ----------
    shape : tuple of int
        Voxels along columns, rows, slices and further axes.
    datatype : int
        The standard's code.
    order : str
        Of bytes: ``<`` or ``>``.
    offset : int
        Bytes before the first voxel.
    slope, intercept : float
        A value is slope times what is stored, plus the intercept.
    """

    shape: tuple[int, ...]
    datatype: int
    order: str
    offset: int
    slope: float
    intercept: float

    @property
    def rescaled(self) -> bool:
        """Whether values are others than those stored."""
        return (self.slope, self.intercept) != (1.0, 0.0)


def is_nifti_file(path: Path) -> bool:
    """Tell by its name whether a file is one."""
    return path.name.lower().endswith(ENDINGS)


def read_nifti_header(path: Path) -> NiftiHeader:
    """Read the header of a NIfTI-1 or NIfTI-2 file.

    Raises
    ------
    InputError
        If it is none, or its sizes, spacing or affine are no usable numbers.
    """
    try:
        with gzip.open(path, "rb") if _zipped(path) else path.open("rb") as file:
            return _header(path, file.read(_HEADER_BYTES))
    except (OSError, EOFError, zlib.error) as error:
        raise _broken(path, error) from error


def read_nifti_voxels(path: Path, header: NiftiHeader) -> npt.NDArray[Any]:
    """Read the voxels of a file: as they are stored, or as float where they are rescaled.

    Parameters
    ----------
    path : Path
        The file.
    header : NiftiHeader
        Its own.

    Returns
    -------
    array
        In array order: the header's axes reversed. NaN stays NaN.

    Raises
    ------
    InputError
        If the file is cut off or damaged, or has no single number per voxel.
    """
    if header.datatype not in _DTYPES:
        expected = "one number of at most 64 bits per voxel"
        raise unusable(path, "datatype", found=header.datatype, expected=expected)
    dtype = np.dtype(header.order + _DTYPES[header.datatype])
    content, count = _content(path), math.prod(header.shape)
    needed = header.offset + count * dtype.itemsize
    if len(content) < needed:
        expected = f"{needed} bytes for {list(header.shape)} voxels; is it cut off?"
        raise unusable(path, "length", found=f"{len(content)} bytes", expected=expected)
    stored = np.frombuffer(content, dtype, count, header.offset).reshape(header.shape[::-1])
    # Aligned and in this machine's byte order, as other libraries need it.
    stored = np.require(stored, dtype.newbyteorder("="), "A")
    return _rescaled(stored, header) if header.rescaled else stored


def _rescaled(stored: npt.NDArray[Any], header: NiftiHeader) -> npt.NDArray[np.floating[Any]]:
    """Rescale slice by slice, in double precision."""
    values = np.empty(stored.shape, np.float64 if stored.dtype == np.float64 else np.float32)
    for here, there in zip(values, stored, strict=True):
        here[...] = there.astype(np.float64) * header.slope + header.intercept
    return values


def _zipped(path: Path) -> bool:
    return path.name.lower().endswith(".gz")


def _content(path: Path) -> bytes | bytearray:
    """All bytes of a file, unzipped; every checksum is compared."""
    try:
        if not _zipped(path):
            return path.read_bytes()
        content = bytearray()
        for piece in _unzipped(path):
            content += piece
    except (OSError, EOFError, zlib.error) as error:
        raise _broken(path, error) from error
    return content


def _unzipped(path: Path) -> Iterator[bytes]:
    """Unzip in larger pieces than `gzip` does, which takes half as long again."""
    engine = zlib.decompressobj(_GZIP_WINDOW)
    with path.open("rb") as file:
        while piece := file.read(_READ_BYTES):
            while piece:
                yield engine.decompress(piece)
                piece = engine.unused_data
                if engine.eof:
                    # Padding, or another member, of which the file may have several.
                    piece = (piece or file.read(_READ_BYTES)).lstrip(b"\0")
                    engine = zlib.decompressobj(_GZIP_WINDOW) if piece else engine
    if not engine.eof:
        msg = "it ends before its end is marked"
        raise EOFError(msg)


def _broken(path: Path, error: Exception) -> Exception:
    found = f"a file that is no gzip file or is cut off ({error})"
    return unusable(path, "", found=found, expected=_EXPECTED)


def _header(path: Path, header: bytes) -> NiftiHeader:
    sizes = {order: struct.unpack(f"{order}i", header[:4])[0] for order in "<>"} if len(header) >= 348 else {}
    order = next((each for each, size in sizes.items() if size in {348, 540}), None)
    if order is None or (sizes[order] == 540 and len(header) < 540):
        raise unusable(path, "header", found="no NIfTI header", expected=_EXPECTED)
    first = sizes[order] == 348

    def numbers(count: int, old: tuple[str, int], new: tuple[str, int]) -> tuple[Any, ...]:
        """Fields of one kind, whose type and place differ between NIfTI-1 and NIfTI-2."""
        kind, place = old if first else new
        return struct.unpack_from(f"{order}{count}{kind}", header, place)

    dim = numbers(8, ("h", 40), ("q", 16))
    pixdim = numbers(4, ("f", 76), ("d", 104))
    (offset,) = numbers(1, ("f", 108), ("q", 168))
    scaling = numbers(2, ("f", 112), ("d", 176))
    place = numbers(18, ("f", 256), ("d", 352))
    if not 3 <= dim[0] <= 7 or min(dim[1 : dim[0] + 1]) < 1:
        raise unusable(path, "dim", found=list(dim), expected="three dimensions of at least one voxel")
    if not all(math.isfinite(each) and each > 0.0 for each in pixdim[1:4]):
        found = f"{list(pixdim[1:4])} mm"
        raise unusable(path, "pixdim (spacing)", found=found, expected="finite numbers above 0")
    if not all(math.isfinite(each) for each in (*place, offset)):
        raise unusable(path, "affine", found="NaN or infinity", expected="finite numbers")
    # By the standard a slope of 0 is none; writers leave NaN as well.
    slope, intercept = (float(each) if math.isfinite(each) else 0.0 for each in scaling)
    return NiftiHeader(
        shape=dim[1 : dim[0] + 1],
        datatype=numbers(1, ("h", 70), ("h", 12))[0],
        order=order,
        # Voxels never overlap the header, whatever it says.
        offset=max(int(offset), sizes[order]),
        slope=slope or 1.0,
        intercept=intercept,
    )
