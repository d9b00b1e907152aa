"""A pullback in DICOM: which files it is, and its frames with what their headers say.

Nothing of identity or free text leaves this module; of makers only whether they are of a known family.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pydicom
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from coreg.errors import InputError
from coreg.io.dicom_frames import decoded_frames
from coreg.io.dicom_headers import CT_STORAGE, UNREADABLE, dicom_files, digest, quiet_dicom
from coreg.io.dicom_pullback_facts import PRIVATE_RATE, file_facts, is_polar, number
from coreg.io.files import existing_file, unusable
from coreg.io.frame_source import LARGEST_SIDE_PX, MOST_PIXELS, FrameSource, Plane
from coreg.io.polar_frames import polar_source

_ULTRASOUND = tuple(f"1.2.840.10008.5.1.4.1.1.{each}" for each in ("3", "3.1", "6", "6.1"))
_OCT = tuple(f"1.2.840.10008.5.1.4.1.1.14.{each}" for each in ("1", "2"))
_CAPTURES = ("1.2.840.10008.5.1.4.1.1.7", *(f"1.2.840.10008.5.1.4.1.1.7.{each}" for each in (1, 2, 3, 4)))
_MODALITIES = frozenset({"IVUS", "IVOCT", "US", "OCT", "OPT", "OT", ""})
_OTHERS = {
    "CT": "CT",
    "MR": "MR",
    "XA": "angiography",
    "SR": "report",
    "PR": "presentation",
    "SEG": "segmentation",
}
_TAGS = [
    "SOPClassUID",
    "SOPInstanceUID",
    "Modality",
    "Manufacturer",
    "ManufacturerModelName",
    "SeriesInstanceUID",
    "InstanceNumber",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PixelSpacing",
    "NominalScannedPixelSpacing",
    "ImagerPixelSpacing",
    "SequenceOfUltrasoundRegions",
    "FrameTime",
    "FrameTimeVector",
    "FrameIncrementPointer",
    "CineRate",
    "IVUSAcquisition",
    "IVUSPullbackRate",
    "IVUSGatedRate",
    "IVUSPullbackStartFrameNumber",
    "IVUSPullbackStopFrameNumber",
    "PresentationIntentType",
    "PixelIntensityRelationship",
    "ALineRate",
    "ALinesPerFrame",
    "ALinePixelSpacing",
    "EffectiveRefractiveIndex",
    "RefractiveIndexApplied",
    "OCTZOffsetApplied",
    "FirstALineLocation",
    "CatheterDirectionOfRotation",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
]
# What tells files apart, without which nothing can be said of one.
_DECIDING = ("SOPClassUID", "Modality", "SeriesInstanceUID", "Rows")
_TAG_NUMBERS = [*(BaseTag(tag_for_keyword(each) or 0) for each in _TAGS), BaseTag(PRIVATE_RATE)]


def dicom_source(path: Path) -> FrameSource:
    """Open a pullback: a multi-frame file, or a folder of one or of single frames.

    Raises
    ------
    InputError
        If there is none or more than one, frames are lacking, or their sizes differ.
    """
    files = dicom_files(path) if path.is_dir() else [existing_file(path)]
    headers = _pullback_headers(path, files)
    if len(headers) == 1:
        return _one_file(path, *headers[0])
    return _single_frames(path, headers)


def holds_pullback(path: Path) -> bool:
    """Tell whether a DICOM file or folder has anything that may be a pullback."""
    files = dicom_files(path) if path.is_dir() else [existing_file(path)]
    return any(header is not None and _is_pullback(header) for header in map(_header, files))


def _pullback_headers(path: Path, files: Sequence[Path]) -> list[tuple[Path, Dataset]]:
    found: list[tuple[Path, Dataset]] = []
    others: Counter[str] = Counter()
    for file in files:
        header = _header(file)
        if header is None:
            others["damaged or cut off"] += 1
        elif _is_pullback(header):
            found.append((file, header))
        else:
            others[_OTHERS.get(str(header.get("Modality", "")), "other")] += 1
    if not found:
        text = ", ".join(f"{count} {kind}" for kind, count in sorted(others.items())) or "nothing"
        expected = "frames of IVUS or OCT" + ("; a CCTA goes to ccta.image" if others["CT"] else "")
        raise unusable(path, "", found=f"no pullback (DICOM: {text})", expected=expected)
    if others["damaged or cut off"]:
        expected = "whole files; export the pullback again"
        raise unusable(
            path, "", found=f"{others['damaged or cut off']} damaged DICOM files", expected=expected
        )
    return found


def _header(file: Path) -> Dataset | None:
    with quiet_dicom():
        try:
            header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=_TAG_NUMBERS)
            # Values are decoded only here.
            told = {each: header.get(each) for each in _DECIDING}
            return header if told["Rows"] or told["Modality"] else None
        except UNREADABLE:
            return None


def _is_pullback(header: Dataset) -> bool:
    storage = str(header.get("SOPClassUID", ""))
    modality = str(header.get("Modality", "") or "").strip()
    if storage in CT_STORAGE or modality not in _MODALITIES:
        return False
    return storage in {*_ULTRASOUND, *_OCT, *_CAPTURES} or modality in {"IVUS", "IVOCT"}


def _one_file(path: Path, file: Path, header: Dataset) -> FrameSource:
    count, rows, columns = _size(path, header)

    def planes(indices: Sequence[int]) -> Iterator[Plane]:
        return decoded_frames(path, file, indices)

    with quiet_dicom():
        facts = replace(file_facts(header, count), instance=digest([header], "SOPInstanceUID"))
        kind = f"a DICOM file of {count} frame{'s' * (count != 1)}"
        source = FrameSource(kind, count, rows, columns, planes, facts)
        return polar_source(path, source, header) if is_polar(header) else source


def _single_frames(path: Path, headers: list[tuple[Path, Dataset]]) -> FrameSource:
    with quiet_dicom():
        many = [header for _, header in headers if (number(header, "NumberOfFrames") or 1) > 1]
        series = {str(header.get("SeriesInstanceUID", "")) for _, header in headers}
        if many or len(series) > 1:
            found = f"{len(headers)} pullbacks or series of frames"
            raise unusable(
                path, "", found=found, expected="one; give its file or put it into a folder of its own"
            )
        ordered = _ordered(path, headers)
        sizes = [_size(path, header)[1:] for _, header in ordered]
        first = ordered[0][1]
        facts = file_facts(first, len(ordered))
    for i, size in enumerate(sizes):
        if size != sizes[0]:
            found = f"a frame of {size[1]} x {size[0]} pixels (frame {i}, from 0) after frames of "
            found += f"{sizes[0][1]} x {sizes[0][0]}"
            raise unusable(path, "size", found=found, expected="frames of one size")

    def planes(indices: Sequence[int]) -> Iterator[Plane]:
        for i in indices:
            yield from decoded_frames(path, ordered[i][0], [0], i)

    return FrameSource("DICOM files of a frame each", len(ordered), *sizes[0], planes, facts)


def _ordered(path: Path, headers: list[tuple[Path, Dataset]]) -> list[tuple[Path, Dataset]]:
    """Sort single frames by instance number, which must leave no gap."""
    numbers = [number(header, "InstanceNumber") for _, header in headers]
    known = sorted(each for each in numbers if each is not None)
    expected = "an instance number for each frame, without gaps; export the pullback again"
    if len(known) < len(headers):
        found = f"{len(headers) - len(known)} frames without InstanceNumber"
        raise unusable(path, "InstanceNumber", found=found, expected=expected)
    steps = {b - a for a, b in itertools.pairwise(known)}
    if len(steps) > 1 or 0.0 in steps:
        found = (
            "a number that comes twice" if 0.0 in steps else f"gaps between {known[0]:g} and {known[-1]:g}"
        )
        raise unusable(path, "InstanceNumber", found=found, expected=expected)
    return [headers[i] for i in sorted(range(len(headers)), key=lambda i: numbers[i] or 0.0)]


def _size(path: Path, header: Dataset) -> tuple[int, int, int]:
    """Frames, rows and columns."""
    frames, rows, columns = (number(header, each) for each in ("NumberOfFrames", "Rows", "Columns"))
    count = 1 if "NumberOfFrames" not in header else int(frames or 0)
    if count < 1:
        raise _no_frames(path)
    if not rows or not columns:
        expected = "whole files; export the pullback again"
        raise unusable(path, "Rows and Columns", found="no size of the frames", expected=expected)
    if max(rows, columns) > LARGEST_SIDE_PX:
        found = f"frames of {columns:g} x {rows:g} pixels"
        expected = f"at most {LARGEST_SIDE_PX} pixels along a side"
        raise unusable(path, "Rows and Columns", found=found, expected=expected)
    if count * rows * columns > MOST_PIXELS:
        found = f"{count} frames of {columns:g} x {rows:g} pixels"
        raise unusable(path, "NumberOfFrames", found=found, expected=f"at most {MOST_PIXELS:,} pixels in all")
    return count, int(rows), int(columns)


def _no_frames(path: Path) -> InputError:
    return unusable(path, "NumberOfFrames", found="no frames", expected="a pullback of at least 2 frames")
