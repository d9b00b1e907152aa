"""Pullbacks as pictures: a folder of PNG, JPEG or TIFF, a multi-page TIFF, or an image volume.

Names of files inside a folder are never shown: exports put patients' names into them.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from coreg.io.case_model import FRAME_SPACING_MM, PIXEL_SPACING_MM
from coreg.io.files import existing_file, unusable
from coreg.io.frame_source import LARGEST_SIDE_PX, FileFacts, FrameSource, Plane
from coreg.io.volumes import read_volume

PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
_TIFF_ENDINGS = (".tif", ".tiff")
_GREY_MODES = frozenset({"L", "1", "I", "F", "I;16", "I;16B", "I;16L"})
# What Pillow raises on a file that is damaged, cut off, or far too large.
_BROKEN = (
    OSError,
    SyntaxError,
    TypeError,
    ValueError,
    EOFError,
    KeyError,
    IndexError,
    MemoryError,
    Image.DecompressionBombError,
)
_LEAST_CT = -500.0
# Writers that know the pixels but not the frames put 1 mm between them.
DEFAULT_SPACING = "its third spacing, exactly 1 mm"


def picture_files(folder: Path) -> list[Path]:
    """List the pictures of a folder in the natural order of their names: 2 comes before 10.

    Raises
    ------
    InputError
        If the folder cannot be read.
    """
    try:
        found = [each for each in folder.iterdir() if _is_picture(each)]
    except OSError as error:
        reason = f"content that cannot be read ({error.strerror})"
        raise unusable(folder, "", found=reason, expected="a folder that can be read") from None
    return sorted(found, key=lambda each: (natural_key(each.name), each.name))


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Make a key that sorts names by the numbers in them.

    >>> sorted(["frame10", "frame2"], key=natural_key)
    ['frame2', 'frame10']
    """
    parts = re.split(r"([0-9]+)", name.casefold())
    return tuple((1, int(each), "") if each.isdecimal() else (0, 0, each) for each in parts if each)


def picture_folder(folder: Path) -> FrameSource:
    """Open a folder of pictures.

    Raises
    ------
    InputError
        If there is none, one cannot be read, their sizes differ, or one has no number beside others
        that have.
    """
    files = picture_files(folder)
    if not files:
        found = "a folder without frames"
        expected = "frames as PNG, JPEG, TIFF or DICOM files"
        raise unusable(folder, "", found=found, expected=expected)
    _check_numbered(folder, files)
    first = _size(folder, files[0], 0)
    for i, each in enumerate(files[1:], start=1):
        size = _size(folder, each, i)
        if size != first:
            found = f"a frame of {_text(size)} (frame {i}, from 0) after frames of {_text(first)}"
            raise unusable(folder, "size", found=found, expected="frames of one size")

    def planes(indices: Sequence[int]) -> Iterator[Plane]:
        for i in indices:
            yield _picture(folder, files[i], 0, i)

    notes = (*_gaps(files), *_kinds(files))
    return FrameSource(
        "pictures in the order of their names", len(files), first[1], first[0], planes, FileFacts(notes=notes)
    )


def tiff_pages(path: Path) -> FrameSource:
    """Open a multi-page TIFF.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    size = _size(path, existing_file(path), None)
    with _opened(path, path, None) as image:
        count = int(getattr(image, "n_frames", 1))

    def planes(indices: Sequence[int]) -> Iterator[Plane]:
        for i in indices:
            plane = _picture(path, path, i, i)
            if plane.shape[:2] != size[::-1]:
                found = (
                    f"a page of {_text(plane.shape[1::-1])} (page {i}, from 0) after pages of {_text(size)}"
                )
                raise unusable(path, "size", found=found, expected="pages of one size")
            yield plane

    return FrameSource("a multi-page TIFF", count, size[1], size[0], planes)


def volume_stack(path: Path) -> FrameSource:
    """Open a NIfTI, NRRD or MetaImage stack (columns, rows, frames).

    Raises
    ------
    InputError
        If it cannot be read, or holds CT numbers.
    """
    volume = read_volume(path)
    values = np.asarray(volume.values)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise unusable(path, "voxels", found="NaN or infinity", expected="grey values without NaN")
    if float(values.min()) < _LEAST_CT:
        found = f"values from {values.min():g} (CT numbers?)"
        raise unusable(
            path, "voxels", found=found, expected="frames of a pullback; a CCTA goes to ccta.image"
        )

    def planes(indices: Sequence[int]) -> Iterator[Plane]:
        for i in indices:
            yield values[i]

    count, rows, columns = values.shape
    return FrameSource("an image stack", count, rows, columns, planes, _stack_facts(count, volume.spacing_mm))


def _stack_facts(count: int, spacing_mm: Plane) -> FileFacts:
    between_frames, *pixel = (float(each) for each in spacing_mm)
    sources, lacking = {}, {}
    withdrawn = pixel_mm = None
    # Writers that do not know put 1 mm everywhere.
    unknown = bool(np.allclose(spacing_mm, 1.0))
    if all(PIXEL_SPACING_MM[0] <= each <= PIXEL_SPACING_MM[1] for each in pixel):
        pixel_mm, sources["pixel_spacing_mm"] = (pixel[1], pixel[0]), "its spacing"
    else:
        lacking["pixel_spacing_mm"] = f"a spacing of {pixel[1]:.6g} x {pixel[0]:.6g} mm in the file"
    if not unknown and FRAME_SPACING_MM[0] <= between_frames <= FRAME_SPACING_MM[1]:
        withdrawn, sources["position_mm"] = (
            np.arange(count, dtype=np.float64) * between_frames,
            DEFAULT_SPACING if between_frames == 1.0 else "its third spacing",
        )
    else:
        lacking["position_mm"] = f"a third spacing of {between_frames:.6g} mm in the file"
    return FileFacts(pixel_spacing_mm=pixel_mm, withdrawn_mm=withdrawn, sources=sources, lacking=lacking)


def _is_picture(path: Path) -> bool:
    name = path.name.lower()
    return name.endswith(PICTURE_ENDINGS) and not name.startswith(".") and path.is_file()


def _check_numbered(folder: Path, files: Sequence[Path]) -> None:
    """Refuse a picture without a number among frames that have one: an overview, a screenshot."""
    bare = [i for i, file in enumerate(files) if not re.search(r"[0-9]", file.stem)]
    if bare and len(bare) < len(files):
        one = len(bare) == 1
        which = (
            f"picture {bare[0] + 1} of {len(files)} in the order of their names" if one else "among others"
        )
        found = f"{len(bare)} picture{'' if one else 's'} without a number in the name ({which})"
        raise unusable(folder, "", found=found, expected="nothing but frames, each with its number")


def _kinds(files: Sequence[Path]) -> tuple[str, ...]:
    """Say that pictures have names of several kinds, some of which may be no frames."""
    kinds = {re.sub(r"[0-9]+", "#", file.stem.casefold()) for file in files}
    if len(kinds) == 1 or "#" not in "".join(kinds):
        return ()
    return (f"the names of the pictures are of {len(kinds)} kinds; all are taken as frames of one pullback",)


def _gaps(files: Sequence[Path]) -> tuple[str, ...]:
    """Say that numbers are missing between the names of pictures, which are taken as neighbours."""
    numbers = [[int(each) for each in re.findall(r"[0-9]+", file.stem)] for file in files]
    if len({len(each) for each in numbers}) != 1 or not numbers[0]:
        return ()
    last = np.diff([each[-1] for each in numbers])
    same = all(each[:-1] == numbers[0][:-1] for each in numbers)
    if not same or len(last) < 2 or (last == last[0]).all() or (last < 1).any():
        return ()
    return ("the numbers in the names of the pictures have gaps; the pictures are taken as neighbours",)


def _size(path: Path, file: Path, index: int | None) -> tuple[int, int]:
    """Columns and rows of a picture."""
    with _opened(path, file, index) as image:
        size = image.size
    if max(size) > LARGEST_SIDE_PX:
        expected = f"at most {LARGEST_SIDE_PX} pixels along a side"
        raise unusable(path, "size", found=f"a picture of {_text(size)}", expected=expected)
    return size


def _picture(path: Path, file: Path, page: int, index: int) -> Plane:
    with _opened(path, file, index) as image:
        if page:
            image.seek(page)
        values = np.asarray(image if image.mode in _GREY_MODES else image.convert("RGB"))
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        found = f"NaN or infinity (frame {index}, from 0)"
        raise unusable(path, "pixels", found=found, expected="grey values without NaN")
    return values


@contextmanager
def _opened(path: Path, file: Path, index: int | None) -> Iterator[Image.Image]:
    """Open a picture; what Pillow raises makes it broken, what it warns of is told by that."""
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(file) as image:
            yield image
    except _BROKEN:
        raise _broken(path, index) from None


def _broken(path: Path, index: int | None) -> Exception:
    which = "a picture" if index is None else f"a picture (frame {index}, from 0)"
    found = f"{which} that cannot be read (cut off or damaged?)"
    return unusable(path, "", found=found, expected="whole pictures as PNG, JPEG or TIFF")


def _text(size: Sequence[int]) -> str:
    return f"{size[0]} x {size[1]} pixels"
