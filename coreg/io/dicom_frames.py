"""The frames of a DICOM file as grey values or colours, decoded one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import gdcm
import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut, convert_color_space
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import UID

from coreg.errors import InputError
from coreg.io.dicom_headers import UNREADABLE, quiet_dicom
from coreg.io.dicom_syntax import is_decodable, syntax_name
from coreg.io.files import unusable
from coreg.io.frame_source import Plane

_PALETTE_TAGS = [
    "PhotometricInterpretation",
    "PixelRepresentation",
    "BitsAllocated",
    "BitsStored",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    *(f"{colour}PaletteColorLookupTableDescriptor" for colour in ("Red", "Green", "Blue")),
    *(f"{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue")),
    *(f"Segmented{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue")),
]


def decoded_frames(path: Path, file: Path, indices: Sequence[int], first: int = 0) -> Iterator[Plane]:
    """Decode frames of a file.

    Parameters
    ----------
    path : Path
        What the user named; for messages.
    file : Path
        Where the frames are.
    indices : sequence of int
        Which, from 0, in growing order.
    first : int
        Index within the pullback of the file's first frame; for messages.

    Yields
    ------
    array
        (rows, columns) grey values, bright where the tissue is, or (rows, columns, 3) colours.

    Raises
    ------
    InputError
        If pixels are missing, cut off, or cannot be decoded.
    """
    with quiet_dicom():
        header = _header(path, file)
        syntax = UID(str(header.file_meta.get("TransferSyntaxUID", "")))
        _check_decodable(path, syntax)
    interpretation = str(header.get("PhotometricInterpretation", ""))
    gdcm.Trace.WarningOff()
    gdcm.Trace.ErrorOff()
    frames = iter_pixels(file, indices=list(indices))
    for i in indices:
        with quiet_dicom():
            try:
                plane = next(frames)
                if interpretation == "PALETTE COLOR":
                    plane = apply_color_lut(plane, header)
            except (StopIteration, *UNREADABLE):
                # The cause may quote what the file says.
                found = f"pixels that cannot be decoded ({syntax_name(syntax)}; cut off or damaged?)"
                raise _damaged(path, first + i, found) from None
        size = (header.Rows, header.Columns)
        if plane.shape not in {size, (*size, 3)}:
            found = f"{' x '.join(map(str, plane.shape))} values, unlike the header's {size[0]} x {size[1]}"
            raise _damaged(path, first + i, found)
        yield _upright(plane, interpretation, header)


def _header(path: Path, file: Path) -> Dataset:
    try:
        header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=list(_PALETTE_TAGS))
        # Values are converted when they are first asked for, where nothing would catch a damaged one.
        list(header)
        return header
    except UNREADABLE:
        raise _damaged(path, 0, "a file that is cut off or damaged") from None


def _upright(plane: Plane, interpretation: str, header: Dataset) -> Plane:
    """Turn MONOCHROME1 about, and colours that were stored unconverted into colours."""
    if interpretation == "MONOCHROME1":
        top = (1 << int(header.get("BitsStored", 8))) - 1
        return np.asarray(top - plane.astype(np.int32) if header.get("PixelRepresentation") != 1 else -plane)
    if plane.ndim == 3 and interpretation == "RGB" and _is_luma_chroma(plane):
        return convert_color_space(plane, "YBR_FULL", "RGB")
    return plane


def _is_luma_chroma(plane: Plane) -> bool:
    """Tell JPEG's luma and chroma, which some writers call RGB: black is (0, 128, 128) there."""
    dark = plane[::4, ::4][plane[::4, ::4, 0] < 10]
    return len(dark) > 20 and bool((np.abs(np.median(dark[:, 1:].astype(int), axis=0) - 128) < 6).all())


def _check_decodable(path: Path, syntax: UID) -> None:
    if not is_decodable(syntax):
        found = f"pixels in {syntax_name(syntax)}, which cannot be decoded here"
        expected = (
            "native, JPEG, JPEG-LS, JPEG 2000 or RLE pixels; decompress it with `gdcmconv --raw IN OUT`"
        )
        raise unusable(path, "transfer syntax", found=found, expected=expected)


def _damaged(path: Path, frame: int, found: str) -> InputError:
    expected = "whole frames; export the pullback again"
    return unusable(path, f"frame {frame} (from 0)", found=found, expected=expected)
