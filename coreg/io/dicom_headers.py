"""What is taken from the header of a DICOM file: geometry and facts, never identity or free text.

Of patient and series only keyed digests are kept, to tell them apart; the key dies with the process.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import struct
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pydicom
from pydicom.config import IGNORE, settings
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError

from coreg.io.files import begins_as_dicom, unusable

Progress = Callable[[str, float], None]
Triple = tuple[float, float, float]

CT_STORAGE = frozenset(f"1.2.840.10008.5.1.4.1.1.2{each}" for each in ("", ".1", ".2"))
DIRECTORY_STORAGE = "1.2.840.10008.1.3.10"
# What pydicom raises on a file that is damaged or ends too early; OSError includes missing rights.
UNREADABLE = (
    InvalidDicomError,
    BytesLengthException,
    OSError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    IndexError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
    struct.error,
)
_LOGGERS = ("pydicom", "pylibjpeg", "openjpeg", "rle")
_KEY = secrets.token_bytes(16)
_CODE = re.compile(r"[A-Z0-9_ ]{1,16}")
_KERNEL = re.compile(r"[A-Za-z0-9 ._+/-]{1,16}")
_TAGS = [
    "SOPClassUID",
    "ImageType",
    "Modality",
    "PatientName",
    "PatientID",
    "SeriesInstanceUID",
    "SeriesNumber",
    "AcquisitionNumber",
    "SliceThickness",
    "GantryDetectorTilt",
    "ConvolutionKernel",
    "TriggerTime",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "TemporalPositionIdentifier",
    "NominalPercentageOfCardiacPhase",
    "SamplesPerPixel",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "PixelSpacing",
    "RescaleIntercept",
    "RescaleSlope",
    "RescaleType",
    "LossyImageCompression",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
]


@dataclass(frozen=True)
class SliceHeader:
    """One image slice: a file, or a frame of a multi-frame file.

    Attributes
    ----------
    file : Path
        Where it lies.
    frame : int
        Its number in the file, from 0.
    frames : int
        How many the file has.
    patient : tuple of bytes
        Digests of the patient's id and name; empty where the file has none.
    series : bytes
        Digest of the series' UID.
    modality : str
        DICOM's code; empty where it is none.
    is_ct_image : bool
        Whether it is a CT slice, not a report or a capture.
    position_mm, orientation : tuple of float or None
        ImagePositionPatient, and the directions of growing column and row index (LPS).
    pixel_spacing_mm : tuple of float or None
        Between rows, between columns.
    kernel, image_type : str, tuple of str
        Codes of the reconstruction.
    phase_percent, temporal_position, trigger_time_ms, acquisition : float, int or None
        What may tell the phases of one series apart.
    """

    file: Path
    frame: int
    frames: int
    patient: tuple[bytes, bytes]
    series: bytes
    series_number: int | None
    modality: str
    is_ct_image: bool
    image_type: tuple[str, ...]
    samples: int
    rows: int
    columns: int
    pixel_spacing_mm: tuple[float, float] | None
    position_mm: Triple | None
    orientation: tuple[float, ...] | None
    thickness_mm: float | None
    tilt_deg: float
    slope: float | None
    intercept: float | None
    rescale_type: str
    kernel: str
    lossy: bool
    phase_percent: float | None
    temporal_position: int | None
    trigger_time_ms: float | None
    acquisition: int | None


@contextmanager
def quiet_dicom() -> Iterator[None]:
    """Keep pydicom and its decoders from printing values they do not like."""
    mode = settings.reading_validation_mode
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    # Loggers below these take over their level, but not whether they are disabled.
    levels = [each.level for each in loggers]
    settings.reading_validation_mode = IGNORE
    for each in loggers:
        each.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        settings.reading_validation_mode = mode
        for each, before in zip(loggers, levels, strict=True):
            each.setLevel(before)


def dicom_files(folder: Path, *, deep: bool = True) -> list[Path]:
    """List the DICOM files of a folder and, if ``deep``, of those in it, in order of their names.

    Raises
    ------
    InputError
        If anything there must not be read: a slice could be lost unseen.
    """
    found = []
    try:
        for root, folders, names in os.walk(folder, onerror=_refuse):
            files = (Path(root, name) for name in names if name.upper() != "DICOMDIR")
            found += [each for each in files if each.is_file() and begins_as_dicom(each)]
            if not deep:
                folders.clear()
    except OSError as error:
        # Not the error itself, which names a file.
        reason = f"content that cannot be read ({error.strerror})"
        raise unusable(folder, "", found=reason, expected="files and folders that can all be read") from None
    return sorted(found)


def _refuse(error: OSError) -> None:
    raise error


def read_headers(files: Sequence[Path], progress: Progress) -> tuple[list[SliceHeader], int]:
    """Read the headers of files, and count those that are cut off or damaged."""
    headers: list[SliceHeader] = []
    unreadable = 0
    with quiet_dicom():
        for i, file in enumerate(files):
            progress("reading DICOM headers", i / len(files))
            try:
                dataset = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=_TAGS)
                headers += _headers(file, dataset)
            except UNREADABLE:
                unreadable += 1
    return headers, unreadable


def _headers(file: Path, dataset: Dataset) -> list[SliceHeader]:
    storage = str(dataset.get("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID", ""))
    if storage == DIRECTORY_STORAGE:
        return []
    shared = _macros(dataset, "SharedFunctionalGroupsSequence", 0)
    frames = int(_number([dataset], "NumberOfFrames") or 1)
    if storage not in CT_STORAGE:
        return [_header(file, 0, frames, [dataset], is_ct_image=False)]
    if None in (_number([dataset], "Rows"), _number([dataset], "Columns")):
        msg = "the header ends before the size of the image"
        raise EOFError(msg)
    return [
        _header(
            file,
            i,
            frames,
            [*_macros(dataset, "PerFrameFunctionalGroupsSequence", i), *shared, dataset],
            is_ct_image=True,
        )
        for i in range(frames)
    ]


def _macros(dataset: Dataset, keyword: str, index: int) -> list[Dataset]:
    """List the functional groups of a frame, each the one item of a sequence of its own."""
    groups = dataset.get(keyword) or []
    if index >= len(groups):
        return []
    return [each.value[0] for each in groups[index] if each.VR == "SQ" and each.value]


def _header(file: Path, frame: int, frames: int, sources: list[Dataset], *, is_ct_image: bool) -> SliceHeader:
    position, orientation = (
        _numbers(sources, "ImagePositionPatient", 3),
        _numbers(sources, "ImageOrientationPatient", 6),
    )
    spacing = _numbers(sources, "PixelSpacing", 2)
    return SliceHeader(
        file=file,
        frame=frame,
        frames=frames,
        patient=(digest(sources, "PatientID"), digest(sources, "PatientName")),
        series=digest(sources, "SeriesInstanceUID"),
        series_number=_whole(sources, "SeriesNumber"),
        modality=next(iter(_codes(sources, "Modality")), ""),
        is_ct_image=is_ct_image,
        image_type=_codes(sources, "FrameType") or _codes(sources, "ImageType"),
        samples=_whole(sources, "SamplesPerPixel") or 1,
        rows=_whole(sources, "Rows") or 0,
        columns=_whole(sources, "Columns") or 0,
        pixel_spacing_mm=None if spacing is None else (spacing[0], spacing[1]),
        position_mm=None if position is None else (position[0], position[1], position[2]),
        orientation=orientation,
        thickness_mm=_number(sources, "SliceThickness"),
        tilt_deg=_number(sources, "GantryDetectorTilt") or 0.0,
        slope=_number(sources, "RescaleSlope"),
        intercept=_number(sources, "RescaleIntercept"),
        rescale_type=next(iter(_codes(sources, "RescaleType")), ""),
        kernel=_kernel(sources),
        lossy=_value(sources, "LossyImageCompression") in {"01", "1"},
        phase_percent=_number(sources, "NominalPercentageOfCardiacPhase"),
        temporal_position=_whole(sources, "TemporalPositionIdentifier", "TemporalPositionIndex"),
        trigger_time_ms=_number(sources, "TriggerTime", "NominalCardiacTriggerDelayTime"),
        acquisition=_whole(sources, "AcquisitionNumber", "FrameAcquisitionNumber"),
    )


def _value(sources: list[Dataset], *keywords: str) -> Any:
    """Get the first value that one of the datasets has under one of the keywords."""
    for keyword in keywords:
        for source in sources:
            try:
                value = source.get(keyword)
            except UNREADABLE:
                continue
            if value is not None and value != "":
                return value
    return None


def _number(sources: list[Dataset], *keywords: str) -> float | None:
    found = _numbers(sources, keywords[0], 1) or next(
        (each for keyword in keywords[1:] if (each := _numbers(sources, keyword, 1))), None
    )
    return None if found is None else found[0]


def _whole(sources: list[Dataset], *keywords: str) -> int | None:
    number = _number(sources, *keywords)
    return None if number is None else round(number)


def _numbers(sources: list[Dataset], keyword: str, count: int) -> tuple[float, ...] | None:
    value = _value(sources, keyword)
    values = [value] if isinstance(value, (int, float, str)) else value
    try:
        numbers = tuple(float(each) for each in values)
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == count and all(abs(each) < 1e9 for each in numbers) else None


def _codes(sources: list[Dataset], keyword: str) -> tuple[str, ...]:
    """Get the values of a code string; one that is no code is dropped, since it may be any text."""
    value = _value(sources, keyword)
    values = [value] if isinstance(value, str) else value or []
    return tuple(code for each in values if _CODE.fullmatch(code := str(each).strip()))


def _kernel(sources: list[Dataset]) -> str:
    value = _value(sources, "ConvolutionKernel")
    first = value if isinstance(value, str) else next(iter(value or []), "")
    return text if _KERNEL.fullmatch(text := str(first).strip()) else ""


def digest(sources: list[Dataset], keyword: str) -> bytes:
    """Digest a text for comparison in this run; case, spaces and the carets of a name make no difference."""
    text = " ".join(str(_value(sources, keyword) or "").casefold().replace("^", " ").split())
    return blake2b(text.encode(), key=_KEY, digest_size=16).digest() if text else b""
