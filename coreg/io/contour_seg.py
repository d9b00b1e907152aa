"""Contours from a DICOM segmentation of a multi-frame pullback."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset
from pydicom.pixels.utils import iter_pixels

from coreg.io.contour_file import MOST_FRAMES, ContourFile, Contours, DrawnImages
from coreg.io.dicom_headers import UNREADABLE, digest, quiet_dicom
from coreg.io.files import existing_file, unusable
from coreg.io.label_outlines import frame_outline

FloatArray = npt.NDArray[np.float64]

SEG_STORAGE = "1.2.840.10008.5.1.4.1.1.66.4"
LABEL_MAP_STORAGE = "1.2.840.10008.5.1.4.1.1.66.7"
_EXPECTED = "a DICOM segmentation of a multi-frame pullback"
# What a segment's label or type must say, in this order: a vessel's lumen is no vessel wall.
_WORDS = {
    "stent": ("stent", "strut"),
    "calcium": ("calci",),
    "branch": ("branch",),
    "lumen": ("lumen", "blood"),
    "eem": ("eem", "eel", "elastic", "media", "vessel", "wall"),
}
_MOST_PIXELS = 5_000_000_000


def is_segmentation(path: Path) -> bool:
    """Tell a DICOM segmentation from other DICOM files; a folder or a damaged file is none."""
    if not path.is_file():
        return False
    with quiet_dicom():
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["SOPClassUID"])
        except UNREADABLE:
            return False
    return str(header.get("SOPClassUID", "")) in (SEG_STORAGE, LABEL_MAP_STORAGE)


def read_segmentation_contours(path: Path) -> ContourFile:
    """Outline the segments of a binary, fractional or label-map segmentation, by frame.

    Raises
    ------
    InputError
        If the file is no segmentation, is damaged, or does not say which frames of one multi-frame
        image it is of.
    """
    existing_file(path)
    with quiet_dicom():
        try:
            dataset = pydicom.dcmread(path)
            storage = str(dataset.get("SOPClassUID", ""))
            if storage not in (SEG_STORAGE, LABEL_MAP_STORAGE):
                found = "a DICOM file of another kind"
                raise unusable(path, "SOP class", found=found, expected=_EXPECTED)
            return _read(path, dataset, is_label_map=storage == LABEL_MAP_STORAGE)
        except UNREADABLE as error:
            found = f"a damaged file ({type(error).__name__})"
            raise unusable(path, "", found=found, expected=_EXPECTED) from None


def _read(path: Path, dataset: Dataset, *, is_label_map: bool) -> ContourFile:
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    count = int(dataset.get("NumberOfFrames") or 1)
    if rows * columns * count > _MOST_PIXELS or count > MOST_FRAMES * len(_WORDS):
        found = f"{count} frames of {columns} x {rows} pixels"
        raise unusable(path, "NumberOfFrames", found=found, expected="a pullback")
    kinds = _segment_kinds(path, dataset)
    groups = dataset.get("PerFrameFunctionalGroupsSequence") or []
    if len(groups) != count:
        raise unusable(
            path, "functional groups", found=f"{len(groups)} for {count} frames", expected="one each"
        )
    images = DrawnImages(
        (columns, rows),
        pixel_spacing_mm=_pixel_spacing(dataset, groups),
        instance=digest([*_source_images(groups[:1])], "ReferencedSOPInstanceUID"),
    )
    centre = np.array([(columns - 1) / 2.0, (rows - 1) / 2.0])
    contours: dict[str, Contours] = {}
    for group, stored in zip(groups, _pixels(path, dataset, rows, columns, count), strict=True):
        frame = _referenced_frame(path, group)
        for kind, level in _levels(dataset, group, stored, kinds, is_label_map=is_label_map):
            outline = frame_outline(level, centre)
            if outline is not None:
                contours.setdefault(kind, {})[frame] = outline
    return ContourFile(contours, about_catheter=False, images=images)


def _segment_kinds(path: Path, dataset: Dataset) -> dict[int, str]:
    """Kind by segment number; segments of anything else are left out."""
    segments = list(dataset.get("SegmentSequence") or [])
    kinds = {}
    for segment in segments:
        codes = segment.get("SegmentedPropertyTypeCodeSequence") or []
        texts = [segment.get("SegmentLabel"), *(each.get("CodeMeaning") for each in codes)]
        kind = next((each for text in texts if (each := _kind_of(str(text or "").casefold()))), None)
        if kind is not None:
            kinds[int(segment.SegmentNumber)] = kind
    if "lumen" not in kinds.values() and len(segments) == 1 and not kinds:
        return {int(segments[0].SegmentNumber): "lumen"}
    if not kinds:
        found = f"{len(segments)} segments whose labels name neither lumen nor EEM"
        raise unusable(path, "SegmentLabel", found=found, expected="a segment labelled Lumen")
    twice = sorted({kind for kind in kinds.values() if list(kinds.values()).count(kind) > 1})
    if twice:
        raise unusable(
            path, "SegmentLabel", found=f"several segments of {twice[0]}", expected="one of each kind"
        )
    return kinds


def _kind_of(text: str) -> str | None:
    return next((kind for kind, words in _WORDS.items() if any(word in text for word in words)), None)


def _pixel_spacing(dataset: Dataset, groups: Any) -> tuple[float, float] | None:
    shared = list(dataset.get("SharedFunctionalGroupsSequence") or [])
    for group in [*shared, *list(groups)[:1]]:
        measures = group.get("PixelMeasuresSequence") or []
        spacing = measures[0].get("PixelSpacing") if measures else None
        if spacing is not None and len(spacing) == 2:
            between_rows, between_columns = (float(each) for each in spacing)
            return between_columns, between_rows
    return None


def _referenced_frame(path: Path, group: Dataset) -> int:
    """Acquisition index of the image's frame that a frame of the segmentation is of."""
    for source in _source_images([group]):
        number = source.get("ReferencedFrameNumber")
        if number is None:
            continue
        if not isinstance(number, (int, str)) and len(number) != 1:
            break
        index = int(number if isinstance(number, (int, str)) else number[0]) - 1
        if not 0 <= index < MOST_FRAMES:
            expected = f"1 to {MOST_FRAMES}"
            raise unusable(path, "ReferencedFrameNumber", found=index + 1, expected=expected)
        return index
    found = "a frame that refers to no one frame of a multi-frame image"
    raise unusable(path, "ReferencedFrameNumber", found=found, expected=_EXPECTED)


def _source_images(groups: Iterable[Dataset]) -> Iterator[Dataset]:
    """References to the images that frames of the segmentation are of."""
    for group in groups:
        for derivation in group.get("DerivationImageSequence") or []:
            yield from derivation.get("SourceImageSequence") or []


def _levels(
    dataset: Dataset,
    group: Dataset,
    stored: npt.NDArray[Any],
    kinds: dict[int, str],
    *,
    is_label_map: bool,
) -> Iterator[tuple[str, FloatArray]]:
    """Kind and share (rows, columns), from 0 to 1, of each segment that a stored frame shows."""
    if is_label_map:
        for number, kind in kinds.items():
            yield kind, (stored == number).astype(np.float64)
        return
    number = int(group.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
    if number in kinds:
        highest = int(dataset.MaximumFractionalValue) if dataset.SegmentationType == "FRACTIONAL" else 1
        yield kinds[number], stored / float(highest)


def _pixels(path: Path, dataset: Dataset, rows: int, columns: int, count: int) -> Iterator[npt.NDArray[Any]]:
    """Stored values (rows, columns) of the frames, one after the other."""
    if int(dataset.BitsAllocated) != 1 or dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        for frame in iter_pixels(path, raw=True):
            yield np.asarray(frame).reshape(rows, columns)
        return
    packed = np.frombuffer(dataset.PixelData, dtype=np.uint8)
    size = rows * columns
    if len(packed) * 8 < size * count:
        found = f"{len(packed)} bytes"
        raise unusable(path, "PixelData", found=found, expected=f"{-(-size * count // 8)}; is it cut off?")
    for i in range(count):
        # Frames follow one another without a gap, also within a byte.
        first, last = i * size, (i + 1) * size
        bits = np.unpackbits(packed[first // 8 : -(-last // 8)], bitorder="little")
        yield bits[first % 8 : first % 8 + size].reshape(rows, columns)
