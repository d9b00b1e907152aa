"""The contours that a case names for its pullback, taken to millimetres about the catheter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from coreg.io.case_model import FRAME_SPACING_MM, PIXEL_SPACING_MM, CaseFile
from coreg.io.contour_file import ContourFile, Contours, DrawnImages
from coreg.io.contour_formats import contours_about_catheter, pixels_about_catheter, read_contours
from coreg.io.files import naming, unusable
from coreg.io.frame_source import FrameSource
from coreg.io.pullback_image_files import ImageScale, has_pixel_size, image_scale, open_frames
from coreg.io.volumes import is_volume_file

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_SAME_PIXEL = 0.01


@dataclass(frozen=True, eq=False)
class GivenContours:
    """Contours of a pullback, and what their file says of it.

    Attributes
    ----------
    lumen, eem : dict of int to (M, 2) array
        By acquisition index, in mm from the catheter.
    frames : (N,) int array
        Acquisition indices of all frames as far as they are known, rising.
    reach_mm : float or None
        Distance from the catheter to the nearest edge of the images.
    frame_spacing_mm : float or None
        Between consecutive frames.
    unfit : mapping of int to str
        Reason by acquisition index for frames that the person who drew set aside.
    notes : tuple of str
        What a person should know, in plain words.
    """

    lumen: Contours
    eem: Contours
    frames: IntArray
    reach_mm: float | None = None
    frame_spacing_mm: float | None = None
    unfit: Mapping[int, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class DrawnScale:
    """How pixels become millimetres.

    Attributes
    ----------
    pixel_spacing_mm : (2,) array
        Between columns, between rows.
    catheter_px : (2,) array
        Column and row of the catheter's centre.
    most_mm : float or None
        Distance from the catheter to the nearest edge of the images, where their size is known.
    notes : tuple of str
        What a person should know, in plain words.
    """

    pixel_spacing_mm: FloatArray
    catheter_px: FloatArray
    most_mm: float | None
    notes: tuple[str, ...]


def read_given_contours(case: CaseFile, path: Path, source: FrameSource | None) -> GivenContours:
    """Read ``pullback.lumen`` where it is contours, and the membrane with it.

    Of a gated pullback only the diastolic frames are taken where the file tells the phases.

    Parameters
    ----------
    case : CaseFile
        Its keys win over what the files say.
    path : Path
        Of the lumen.
    source : FrameSource, optional
        The images, where they are at hand.

    Raises
    ------
    InputError
        If a file cannot be used, or a key that is needed is missing.
    """
    with naming("pullback.lumen"):
        file = read_contours(path)
    images = file.images or DrawnImages()
    source = source if file.images is None else _needed(case, images, source)
    if case.pullback.eem is not None:
        eem = read_eem_contours(case, case.resolved(case.pullback.eem), source)
    elif file.about_catheter or file.images is not None:
        eem = _in_mm(case, path, file, "eem", source)
    else:
        eem = {}
    lumen = _in_mm(case, path, file, "lumen", source)
    gated = set(images.frames_of("diastole").tolist()) if case.pullback.acquisition == "gated" else set()
    notes: tuple[str, ...] = ()
    if gated:
        lumen, eem = ({i: each for i, each in of.items() if i in gated} for of in (lumen, eem))
        notes = (f"only the {len(gated)} diastolic frames of {path.name} are taken",)
    shown = range(images.frames) if images.frames is not None and not gated else ()
    frames = np.array(sorted({*lumen, *eem, *shown}), dtype=np.int64)
    if file.images is None:
        return GivenContours(lumen, eem, frames, notes=notes)
    scale = drawn_scale(case, path, images, source)
    unfit = {i: reason for i, reason in images.unfit.items() if i in frames}
    spacing_mm = _plausible_spacing_mm(images)
    notes = (*scale.notes, *_other_image(path, images, source), *notes)
    return GivenContours(lumen, eem, frames, scale.most_mm, spacing_mm, unfit, notes)


def read_eem_contours(case: CaseFile, path: Path, source: FrameSource | None) -> Contours:
    """Read ``pullback.eem`` where it is contours, by acquisition index, in mm from the catheter.

    Raises
    ------
    InputError
        If the file cannot be used, or a key that is needed is missing.
    """
    if is_volume_file(path):
        found, expected = (
            f"the label stack {case.pullback.eem!r}",
            "contours, as the lumen is given as contours",
        )
        raise case.bad(key="pullback.eem", found=found, expected=expected)
    with naming("pullback.eem"):
        file = read_contours(path)
    source = source if file.images is None else _needed(case, file.images, source)
    return _in_mm(case, path, file, "eem", source)


def _in_mm(case: CaseFile, path: Path, file: ContourFile, kind: str, source: FrameSource | None) -> Contours:
    """Contours of a kind, counted from the catheter."""
    catheter_mm = case.pullback.catheter_mm
    if file.images is not None:
        scale = drawn_scale(case, path, file.images, source)
        return pixels_about_catheter(
            file.contours.get(kind, {}),
            catheter_px=scale.catheter_px,
            pixel_spacing_mm=scale.pixel_spacing_mm,
        )
    if file.about_catheter:
        if catheter_mm is not None and any(catheter_mm):
            expected = f"no such key: {path.name} is already counted from the catheter"
            raise case.bad(key="pullback.catheter_mm", found=list(catheter_mm), expected=expected)
        return file.contours.get(kind, {})
    if catheter_mm is None:
        expected = f"the catheter's x and y in the coordinates of {path.name}, such as [4.5, 4.5]"
        raise case.bad(key="pullback.catheter_mm", found="nothing", expected=expected)
    # HolOrama's tables have each kind in a file of its own, which only the key tells.
    return contours_about_catheter(file.contours["lumen"], np.array(catheter_mm))


def _needed(case: CaseFile, images: DrawnImages, source: FrameSource | None) -> FrameSource | None:
    """The images, opened where only they can tell what is neither in the case nor with the contours."""
    section = case.pullback
    pixel_known = section.pixel_spacing_mm is not None or images.pixel_spacing_mm is not None
    catheter_known = section.catheter_px is not None or images.size_px is not None
    if source is not None or section.image is None or (pixel_known and catheter_known):
        return source
    with naming("pullback.image"):
        return open_frames(case.resolved(section.image))


def _plausible_spacing_mm(images: DrawnImages) -> float | None:
    low, high = FRAME_SPACING_MM
    spacing = images.frame_spacing_mm
    return spacing if spacing is not None and low <= spacing <= high else None


def drawn_scale(
    case: CaseFile, path: Path, images: DrawnImages, source: FrameSource | None = None
) -> DrawnScale:
    """Tell pixel size and catheter from the case, else the images' own file, else the file of contours.

    Parameters
    ----------
    case : CaseFile
        Its keys win over what the files say.
    path : Path
        The file of contours, for messages.
    images : DrawnImages
        What it says of the images.
    source : FrameSource, optional
        The images, where they are at hand.

    Raises
    ------
    InputError
        If either is not known; the message names the key of case.toml that would tell.
    """
    if case.pullback.catheter_mm is not None:
        expected = f"catheter_px (column, row), as {path.name} counts in pixels"
        raise case.bad(key="pullback.catheter_mm", found=list(case.pullback.catheter_mm), expected=expected)
    if source is not None and images.size_px not in {None, (source.columns, source.rows)}:
        columns, rows = images.size_px or (0, 0)
        found = f"contours drawn on images of {columns} x {rows} pixels"
        expected = (
            f"the image's {source.columns} x {source.rows} pixels; are these another pullback's contours?"
        )
        raise unusable(path, "size", found=found, expected=expected)
    whole = images.pixel_spacing_mm is not None and images.size_px is not None
    helpful = source is not None and (has_pixel_size(case, source) or not whole)
    scale = image_scale(case, source) if source is not None and helpful else None
    spacing = _pixel_spacing(case, path, images, scale)
    catheter = _catheter_px(case, path, images, scale)
    most_mm = None
    if images.size_px is not None:
        size = np.array(images.size_px)
        if (catheter < -0.5).any() or (catheter > size - 0.5).any():
            expected = f"a column and row within the image of {size[0]} columns and {size[1]} rows"
            raise case.bad(key="pullback.catheter_px", found=catheter.tolist(), expected=expected)
        edges = [(catheter + 0.5) * spacing, (size - 0.5 - catheter) * spacing]
        most_mm = float(np.concatenate(edges).min())
    return DrawnScale(spacing, catheter, most_mm, (*images.notes, *_conflict(path, images, spacing)))


def _pixel_spacing(case: CaseFile, path: Path, images: DrawnImages, scale: ImageScale | None) -> FloatArray:
    if case.pullback.pixel_spacing_mm is not None:
        return np.full(2, case.pullback.pixel_spacing_mm)
    if scale is not None:
        return scale.pixel_spacing_mm
    if images.pixel_spacing_mm is None:
        found, expected = (
            f"nothing, and no pixel size in {path.name}",
            "the size of a pixel in mm, such as 0.02",
        )
        raise case.bad(key="pullback.pixel_spacing_mm", found=found, expected=expected)
    spacing = np.array(images.pixel_spacing_mm)
    low, high = PIXEL_SPACING_MM
    if not ((spacing >= low) & (spacing <= high)).all():
        found = f"{spacing.round(6).tolist()} mm in {path.name}"
        expected = f"{low} to {high} mm; set pixel_spacing_mm where the file is wrong"
        raise case.bad(key="pullback.pixel_spacing_mm", found=found, expected=expected)
    return spacing


def _catheter_px(case: CaseFile, path: Path, images: DrawnImages, scale: ImageScale | None) -> FloatArray:
    if case.pullback.catheter_px is not None:
        return np.array(case.pullback.catheter_px)
    if scale is not None:
        return scale.catheter_px
    if images.centre_px is None:
        found = f"nothing, and no size of the images in {path.name}"
        expected = (
            "the catheter's column and row, such as [255.5, 255.5] in images of 512 x 512, or pullback.image"
        )
        raise case.bad(key="pullback.catheter_px", found=found, expected=expected)
    return np.array(images.centre_px)


def _other_image(path: Path, images: DrawnImages, source: FrameSource | None) -> tuple[str, ...]:
    """Say that the contours were drawn on another image file; whoever anonymises may have renamed it."""
    shown = b"" if source is None else source.facts.instance
    if not shown or not images.instance or shown == images.instance:
        return ()
    return (
        f"{path.name} names another image file than pullback.image as the one that it was drawn on; "
        "look whether its outlines fit",
    )


def _conflict(path: Path, images: DrawnImages, spacing: FloatArray) -> tuple[str, ...]:
    """Say that another pixel size was taken than the file of contours states."""
    stated = images.pixel_spacing_mm
    if stated is None or np.allclose(stated, spacing, rtol=_SAME_PIXEL, atol=0.0):
        return ()
    return (f"pixels of {spacing[0]:.6g} mm, though {path.name} states {stated[0]:.6g} mm",)
