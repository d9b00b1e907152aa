"""The pixels of DICOM slices as CT numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gdcm
import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

from coreg.errors import InputError
from coreg.io.dicom_headers import UNREADABLE, Progress, SliceHeader, quiet_dicom
from coreg.io.dicom_stack import Stack
from coreg.io.dicom_syntax import is_decodable, syntax_name
from coreg.io.files import unusable

PADDING_HU = -1024
_TAGS = [
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "PixelData",
]
Int16Array = npt.NDArray[np.int16]


def read_hu(path: Path, stack: Stack, progress: Progress) -> tuple[Int16Array, tuple[int, int], int]:
    """Read the CT numbers of a stack.

    Parameters
    ----------
    path : Path
        What the user named; for messages.
    stack : Stack
        Slices without a problem.
    progress : callable
        Told the stage and the fraction done.

    Returns
    -------
    values : (slices, rows, columns) int16 array
        In HU; padding is -1024.
    span : tuple of int
        Lowest and highest value outside the padding.
    copies : int
        Identical copies of slices that were dropped.

    Raises
    ------
    InputError
        If pixels are missing or cannot be decoded, or two slices at one position differ.
    """
    level_of = {(each.file, each.frame): i for i, level in enumerate(stack.levels) for each in level}
    slices = [each for level in stack.levels for each in level]
    values = np.empty((len(stack.levels), slices[0].rows, slices[0].columns), np.int16)
    filled = np.zeros(len(stack.levels), dtype=bool)
    low, high, copies, done = 32767, -32768, 0, 0
    for file, wanted in _by_file(slices):
        for header, (hu, padding) in zip(wanted, _file_hu(path, file, wanted, stack, level_of), strict=True):
            level = level_of[header.file, header.frame]
            inside = hu if padding is None else hu[~padding]
            if inside.size:
                low, high = min(low, int(inside.min())), max(high, int(inside.max()))
            if padding is not None:
                hu[padding] = PADDING_HU
            if filled[level]:
                _check_copy(path, values[level], hu, stack.place[level])
                copies += 1
            values[level], filled[level] = hu, True
            done += 1
            progress("reading DICOM slices", done / len(slices))
    return values, (low, high), copies


def _by_file(slices: Sequence[SliceHeader]) -> list[tuple[Path, list[SliceHeader]]]:
    files: dict[Path, list[SliceHeader]] = {}
    for each in slices:
        files.setdefault(each.file, []).append(each)
    return list(files.items())


def _check_copy(path: Path, kept: Int16Array, other: Int16Array, place: str) -> None:
    if not np.array_equal(kept, other):
        found = f"two different slices at {place}"
        expected = "one slice at each position; export one phase and one reconstruction per folder"
        raise unusable(path, "slices", found=found, expected=expected)


def _file_hu(
    path: Path, file: Path, wanted: Sequence[SliceHeader], stack: Stack, level_of: dict[tuple[Path, int], int]
) -> Iterator[tuple[Int16Array, npt.NDArray[np.bool_] | None]]:
    """Read the frames that are wanted of a file: CT numbers, and where there is padding."""
    place = stack.place[level_of[wanted[0].file, wanted[0].frame]]
    with quiet_dicom():
        dataset = _dataset(path, file, place)
        padding = _padding_range(dataset)
        frames = _decoded(path, dataset, [each.frame for each in wanted], place)
    for header in wanted:
        with quiet_dicom():
            stored = next(frames)
        if stored.shape != (header.rows, header.columns):
            raise _damaged(path, place, "pixels of another size than the header says")
        outside = None if padding is None else (stored >= padding[0]) & (stored <= padding[1])
        yield _rescaled(stored, header), outside


def _dataset(path: Path, file: Path, place: str) -> Dataset:
    try:
        dataset = pydicom.dcmread(file, specific_tags=_TAGS)
    except UNREADABLE:
        # The cause may quote what the file says.
        raise _damaged(path, place, "a file that is cut off or damaged") from None
    if "PixelData" not in dataset:
        raise _damaged(path, place, "a file without pixels, or cut off in them")
    return dataset


def _decoded(
    path: Path, dataset: Dataset, frames: Sequence[int], place: str
) -> Iterator[npt.NDArray[np.integer[Any]]]:
    syntax = UID(str(dataset.file_meta.get("TransferSyntaxUID", "")))
    if not is_decodable(syntax):
        raise _undecodable(path, syntax)
    decoder = get_decoder(syntax)
    gdcm.Trace.WarningOff()
    gdcm.Trace.ErrorOff()
    try:
        if not syntax.is_encapsulated and len(dataset.PixelData) < _native_length(dataset):
            raise _damaged(path, place, "fewer pixels than the header says (a file that is cut off)")
        for array, _ in decoder.iter_array(dataset, indices=list(frames), raw=True, correct_unused_bits=True):
            yield array
    except UNREADABLE:
        found = f"pixels that cannot be decoded ({syntax_name(syntax)}; cut off or damaged?)"
        raise _damaged(path, place, found) from None


def _native_length(dataset: Dataset) -> int:
    frames = int(dataset.get("NumberOfFrames") or 1)
    return int(dataset.Rows) * int(dataset.Columns) * frames * int(dataset.BitsAllocated) // 8


def _damaged(path: Path, place: str, found: str) -> InputError:
    return unusable(path, f"slice at {place}", found=found, expected="whole files; export the series again")


def _undecodable(path: Path, syntax: UID) -> InputError:
    found = f"pixels in {syntax_name(syntax)}, which cannot be decoded here"
    expected = (
        "native, JPEG, JPEG-LS, JPEG 2000 or RLE pixels; install their decoders with "
        "`pip install python-gdcm pylibjpeg pylibjpeg-openjpeg pylibjpeg-rle`, "
        "or decompress the files with `gdcmconv --raw IN OUT`"
    )
    return unusable(path, "transfer syntax", found=found, expected=expected)


def _padding_range(dataset: Dataset) -> tuple[int, int] | None:
    """Range of stored values that are padding, whatever the sign with which a writer stored it."""
    ends = [dataset.get(each) for each in ("PixelPaddingValue", "PixelPaddingRangeLimit")]
    numbers = [each for each in ends if isinstance(each, int)]
    if not numbers or not isinstance(ends[0], int):
        return None
    span = 1 << int(dataset.BitsAllocated)
    signed = dataset.PixelRepresentation == 1
    stored = [(each + span // 2) % span - span // 2 if signed else each % span for each in numbers]
    return min(stored), max(stored)


def _rescaled(stored: npt.NDArray[np.integer[Any]], header: SliceHeader) -> Int16Array:
    slope, intercept = header.slope or 1.0, header.intercept or 0.0
    if slope == 1.0 and intercept.is_integer():
        hu = stored.astype(np.int32) + int(intercept)
    else:
        hu = np.rint(stored * slope + intercept)
    return np.clip(hu, -32768, 32767).astype(np.int16)
