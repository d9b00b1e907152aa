"""The images of a case's pullback: decoded, made grey, freed of what was burned in, and their scale."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from coreg.io.burned_in import distance_mm, seen_radius_mm, single_marks, steady_marks
from coreg.io.case_model import FRAME_SPACING_MM, CaseFile
from coreg.io.files import existing_file, is_dicom_file, naming, unusable
from coreg.io.frame_source import FrameSource
from coreg.io.grey_frames import grey_frames, greying_of
from coreg.io.picture_files import DEFAULT_SPACING, picture_files, picture_folder, tiff_pages, volume_stack
from coreg.io.volumes import is_volume_file
from coreg.pullback import Modality
from coreg.pullback_images import PullbackImages

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Progress = Callable[[str, float], None]

FROM_CASE = "the case"
_FIELD_OF_VIEW_MM = (1.0, 20.0)
_FEWEST_PX = 32
_FEW_FRAMES = 20
_SAME_CATHETER_MM = 0.5
LONGEST_PULLBACK_MM = 400.0
# Drawn in colour on more of the frames than this, a mark is one of all frames.
_MOST_FRAMES = 0.5
_EXPECTED = "a DICOM file, a folder of frames, a multi-page TIFF, or a NIfTI, NRRD or MetaImage stack"


@dataclass(frozen=True, eq=False)
class ImageScale:
    """Size and place of the picture within the frames.

    Attributes
    ----------
    pixel_spacing_mm : (2,) array
        Between columns, between rows.
    catheter_px : (2,) array
        Column and row of the catheter's centre.
    most_mm : float
        Distance from the catheter to the picture's nearest edge.
    sources : dict of str to str
        Where each comes from.
    """

    pixel_spacing_mm: FloatArray
    catheter_px: FloatArray
    most_mm: float
    sources: dict[str, str]


def open_frames(path: Path) -> FrameSource:
    """Open the frames of a pullback without decoding them.

    Raises
    ------
    InputError
        If there are none, or what is there is no pullback.
    """
    if path.is_dir():
        return _folder(path)
    if is_volume_file(path):
        source = volume_stack(path)
    elif is_dicom_file(existing_file(path)):
        source = _dicom(path)
    elif path.suffix.lower() in {".tif", ".tiff"}:
        source = tiff_pages(path)
    else:
        raise unusable(path, "", found=f"a file ending in {path.suffix!r}", expected=_EXPECTED)
    return source


def read_pullback_images(
    case: CaseFile, source: FrameSource, progress: Progress = lambda _stage, _fraction: None
) -> PullbackImages:
    """Decode the frames of a case's pullback and make everything black that was burned in.

    Parameters
    ----------
    case : CaseFile
        Its keys win over what the files say.
    source : FrameSource
        As opened from ``pullback.image``.
    progress : callable, optional
        Told the stage and the fraction done.

    Raises
    ------
    InputError
        If frames cannot be decoded, or the scale or the modality is not known; the message names the
        key of case.toml that would tell.
    """
    modality, modality_source = image_modality(case, source)
    scale = image_scale(case, source)
    from_catheter_mm = distance_mm((source.rows, source.columns), scale.catheter_px, scale.pixel_spacing_mm)
    with naming("pullback.image"):
        pixels, coloured = _decoded(source, from_catheter_mm <= scale.most_mm, progress)
    progress("looking for marks", 0.0)
    seen_mm, seen_source = _seen(case, source, scale, pixels, from_catheter_mm)
    inside = from_catheter_mm <= seen_mm
    hidden = ~inside | steady_marks(pixels, from_catheter_mm, inside)
    hidden |= _drawn_in_most(coloured, len(pixels), hidden.shape)
    pixels[:, hidden] = 0
    marks = _joined(single_marks(pixels, ~hidden, progress), coloured, hidden)
    for frame, mask in marks.items():
        pixels[frame][mask] = 0
    catheter = case.pullback.catheter_type
    rate = case.pullback.frame_rate_hz or source.facts.frame_rate_hz
    sources = {
        **scale.sources,
        "modality": modality_source,
        "field_of_view_mm": seen_source,
        "catheter_type": FROM_CASE if catheter else "the default, rotating",
    }
    if rate is not None:
        sources["frame_rate_hz"] = _source(case.pullback.frame_rate_hz, source, "frame_rate_hz")
    return PullbackImages(
        pixels=pixels,
        pixel_spacing_mm=scale.pixel_spacing_mm,
        catheter_px=scale.catheter_px,
        modality=modality,
        field_of_view_mm=seen_mm,
        catheter_type=catheter or "rotating",
        hidden=hidden,
        marks=marks,
        frame_rate_hz=rate,
        sources=sources,
        notes=(
            *source.facts.notes,
            *_spacing_notes(case, source),
            *_catheter_notes(case, source, scale),
            *_mark_notes(hidden & inside, marks, len(pixels)),
        ),
    )


def image_modality(case: CaseFile, source: FrameSource) -> tuple[Modality, str]:
    """Tell OCT from IVUS, and from what.

    Raises
    ------
    InputError
        If neither case nor file says it.
    """
    modality = case.pullback.modality or source.facts.modality
    if modality is None:
        found = f"nothing, and {source.facts.lacking.get('modality', 'no modality')} in the image's file"
        raise case.bad(key="pullback.modality", found=found, expected="'OCT' or 'IVUS'")
    return modality, _source(case.pullback.modality, source, "modality")


def has_pixel_size(case: CaseFile, source: FrameSource) -> bool:
    """Tell whether the case or the images' file says how large a pixel is."""
    return case.pullback.pixel_spacing_mm is not None or source.facts.pixel_spacing_mm is not None


def image_scale(case: CaseFile, source: FrameSource) -> ImageScale:
    """Tell pixel size and catheter from the case, else the file.

    Raises
    ------
    InputError
        If the pixel size is not known, the catheter lies outside the picture, or the picture is of a
        size that no catheter sees.
    """
    facts, sources = source.facts, {}
    given = case.pullback.pixel_spacing_mm
    spacing = facts.pixel_spacing_mm if given is None else (given, given)
    if spacing is None:
        found = f"nothing, and {facts.lacking.get('pixel_spacing_mm', 'no pixel spacing in the image')}"
        expected = "the size of a pixel in mm, such as 0.02"
        raise case.bad(key="pullback.pixel_spacing_mm", found=found, expected=expected)
    sources["pixel_spacing_mm"] = _source(given, source, "pixel_spacing_mm")
    spacing_mm = np.array(spacing)
    low, high = _corners(source)
    if (low >= high).any():
        found = f"a region of the picture outside of the frames ({source.facts.sources['region_px']})"
        expected = f"one within {source.columns} x {source.rows} pixels"
        raise case.bad(key="pullback.image", found=found, expected=expected)
    catheter, sources["catheter_px"] = _catheter(case, source, low, high)
    if min(source.rows, source.columns) < _FEWEST_PX:
        found = f"frames of {source.columns} x {source.rows} pixels"
        expected = f"at least {_FEWEST_PX} along each side"
        raise case.bad(key="pullback.image", found=found, expected=expected)
    most_mm = float(np.concatenate([(catheter - low) * spacing_mm, (high - catheter) * spacing_mm]).min())
    if not _FIELD_OF_VIEW_MM[0] <= most_mm <= _FIELD_OF_VIEW_MM[1]:
        found = f"a picture that ends {most_mm:.3g} mm from the catheter"
        low_mm, high_mm = _FIELD_OF_VIEW_MM
        expected = f"{low_mm:g} to {high_mm:g} mm; are pixel_spacing_mm and catheter_px right?"
        raise case.bad(key="pullback.image", found=found, expected=expected)
    return ImageScale(spacing_mm, catheter, most_mm, sources)


def image_positions_mm(case: CaseFile, source: FrameSource) -> FloatArray:
    """Tell from the image's file how far each frame had been withdrawn from the most distal one.

    Returns
    -------
    (N,) array
        In acquisition order.

    Raises
    ------
    InputError
        If the file does not say it, or what it says is constant, absurd, or of unknown direction.
    """
    withdrawn = source.facts.withdrawn_mm
    expected = "the distance between consecutive frames in mm, or the file positions"
    if withdrawn is None:
        lacking = source.facts.lacking.get("position_mm", "no distance between frames in the image")
        raise case.bad(key="pullback.frame_spacing_mm", found=f"nothing, and {lacking}", expected=expected)
    origin = source.facts.sources["position_mm"]
    steps = np.abs(np.diff(withdrawn))
    moving = steps[steps > 0.0]
    low, high = FRAME_SPACING_MM
    length = float(np.ptp(withdrawn))
    if not len(moving) or not low <= np.median(moving) <= high or not length <= LONGEST_PULLBACK_MM:
        typical = float(np.median(moving)) if len(moving) else 0.0
        found = f"steps of {typical:.4g} mm over {length:.4g} mm in the image's file ({origin})"
        expected = f"{expected}: steps of {low} to {high} over at most {LONGEST_PULLBACK_MM:.0f} mm"
        raise case.bad(key="pullback.frame_spacing_mm", found=found, expected=expected)
    return _directed(case, source, withdrawn)


def _directed(case: CaseFile, source: FrameSource, withdrawn: FloatArray) -> FloatArray:
    """Count positions from the most distal frame."""
    stated = "first_frame" in case.pullback.model_fields_set
    falls = bool(withdrawn[-1] < withdrawn[0])
    if falls and not stated and not source.facts.signed:
        found = (
            f"nothing, and positions that fall from frame to frame ({source.facts.sources['position_mm']})"
        )
        expected = "'distal' if the catheter was withdrawn, 'proximal' if it was advanced"
        raise case.bad(key="pullback.first_frame", found=found, expected=expected)
    turned = stated and falls == (case.pullback.first_frame == "distal")
    positions = -withdrawn if turned else withdrawn
    return positions - positions.min()


def _folder(path: Path) -> FrameSource:
    from coreg.io.dicom_headers import dicom_files

    pictures, dicom = picture_files(path), dicom_files(path)
    if pictures and dicom:
        found = f"{len(pictures)} pictures and {len(dicom)} DICOM files"
        raise unusable(path, "", found=found, expected="a folder of either")
    return _dicom(path) if dicom else picture_folder(path)


def _dicom(path: Path) -> FrameSource:
    # Loads pydicom, which pictures do without.
    from coreg.io.dicom_pullback import dicom_source

    return dicom_source(path)


def _source(given: object, source: FrameSource, name: str) -> str:
    return FROM_CASE if given is not None else f"the file ({source.facts.sources[name]})"


def _corners(source: FrameSource) -> tuple[FloatArray, FloatArray]:
    """First and last edge, (column, row), of the picture within the frames."""
    whole = (0.0, 0.0, source.columns - 1.0, source.rows - 1.0)
    left, top, right, bottom = source.facts.region_px or whole
    low = np.maximum([left, top], 0.0) - 0.5
    return low, np.minimum([right, bottom], [whole[2], whole[3]]) + 0.5


def _catheter(
    case: CaseFile, source: FrameSource, low: FloatArray, high: FloatArray
) -> tuple[FloatArray, str]:
    given, told = case.pullback.catheter_px, source.facts.catheter_px
    if given is None and case.pullback.catheter_mm is not None and case.pullback.lumen is None:
        expected = "catheter_px (column, row), as the pullback is an image"
        raise case.bad(key="pullback.catheter_mm", found=list(case.pullback.catheter_mm), expected=expected)
    if given is not None:
        catheter, origin = np.array(given), FROM_CASE
    elif told is not None:
        catheter, origin = np.array(told), _source(None, source, "catheter_px")
    else:
        where = "the image" if source.facts.region_px is None else "the file's region of the picture"
        catheter, origin = (low + high) / 2.0, f"the centre of {where}"
    if (catheter < low).any() or (catheter > high).any():
        (left, top), (right, bottom) = low + 0.5, high - 0.5
        found = f"column {catheter[0]:g}, row {catheter[1]:g}"
        expected = f"columns {left:g} to {right:g} and rows {top:g} to {bottom:g}, where the picture is"
        raise case.bad(key="pullback.catheter_px", found=found, expected=expected)
    return catheter, origin


def _catheter_notes(case: CaseFile, source: FrameSource, scale: ImageScale) -> tuple[str, ...]:
    """Say that the case has the catheter elsewhere than the file has it."""
    facts = source.facts
    if case.pullback.catheter_px is None or (facts.catheter_px is None and facts.region_px is None):
        return ()
    usual = np.array(facts.catheter_px or np.mean(_corners(source), axis=0))
    away_mm = float(np.linalg.norm((scale.catheter_px - usual) * scale.pixel_spacing_mm))
    if away_mm <= _SAME_CATHETER_MM:
        return ()
    return (
        f"catheter_px of the case lies {away_mm:.1f} mm from where the image's file has the catheter "
        f"(column {usual[0]:g}, row {usual[1]:g}); look whether it is right",
    )


def _decoded(
    source: FrameSource, inside: BoolArray, progress: Progress
) -> tuple[npt.NDArray[np.uint8], dict[int, BoolArray]]:
    """Grey frames, and by frame what is drawn on them in colour."""
    progress("reading frames", 0.0)
    greying = greying_of(source, inside)
    pixels = np.empty((source.count, source.rows, source.columns), np.uint8)
    coloured = {}
    for i, (grey, drawn) in enumerate(grey_frames(source, greying)):
        pixels[i] = grey
        if drawn is not None:
            coloured[i] = drawn & inside
        progress("reading frames", (i + 1) / source.count)
    return pixels, coloured


def _seen(
    case: CaseFile,
    source: FrameSource,
    scale: ImageScale,
    pixels: npt.NDArray[np.uint8],
    from_catheter_mm: FloatArray,
) -> tuple[float, str]:
    """Radius of the field of view and where it comes from."""
    given, told = case.pullback.field_of_view_mm, source.facts.field_of_view_mm
    if given is not None or told is not None:
        radius = given if given is not None else told or 0.0
        return min(radius, scale.most_mm), _source(given, source, "field_of_view_mm")
    step_mm = float(scale.pixel_spacing_mm.mean())
    return seen_radius_mm(pixels, from_catheter_mm, scale.most_mm, step_mm), "what changes between frames"


def _drawn_in_most(coloured: dict[int, BoolArray], count: int, shape: tuple[int, ...]) -> BoolArray:
    often = np.zeros(shape, np.int32)
    for mask in coloured.values():
        often += mask
    return often > _MOST_FRAMES * count


def _joined(
    marks: dict[int, BoolArray], coloured: dict[int, BoolArray], hidden: BoolArray
) -> dict[int, BoolArray]:
    """Marks of each frame, bright or coloured, without those of all frames."""
    found = dict(marks)
    for frame, mask in coloured.items():
        more = mask & ~hidden
        if more.any():
            found[frame] = found[frame] | more if frame in found else more
    return found


def _spacing_notes(case: CaseFile, source: FrameSource) -> tuple[str, ...]:
    """Doubt a distance between frames that a file has from nobody."""
    given = case.pullback.frame_spacing_mm is not None or case.pullback.positions is not None
    if given or source.facts.sources.get("position_mm") != DEFAULT_SPACING:
        return ()
    return (
        f"frames are taken to be 1 mm apart from the file ({DEFAULT_SPACING}); many programs write that "
        "where they do not know it: check it, and set pullback.frame_spacing_mm",
    )


def _mark_notes(steady: BoolArray, marks: dict[int, BoolArray], count: int) -> tuple[str, ...]:
    notes = []
    if steady.any():
        notes.append(f"marks on all frames were blacked ({np.count_nonzero(steady)} pixels)")
        if count < _FEW_FRAMES:
            notes.append(
                f"in only {count} frames a wall that stays in place looks like a mark and may have been "
                "blacked too: look at the frames before any outline is used"
            )
    if marks:
        one = len(marks) == 1
        notes.append(f"drawings on {len(marks)} frame{'' if one else 's'} were blacked")
    return tuple(notes)
