"""The pullback of a case: its contours, frames and positions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from skimage.measure import points_in_poly

from coreg.contours import area_mm2
from coreg.io.case_model import FRAME_SPACING_MM, PIXEL_SPACING_MM, CaseFile
from coreg.io.contour_file import Contours
from coreg.io.contour_formats import label_stack_contours
from coreg.io.files import naming
from coreg.io.frame_marks import marks_beside
from coreg.io.frame_source import FrameSource
from coreg.io.given_contours import GivenContours, read_eem_contours, read_given_contours
from coreg.io.landmark_files import read_positions
from coreg.io.pullback_image_files import (
    FROM_CASE,
    LONGEST_PULLBACK_MM,
    has_pixel_size,
    image_modality,
    image_positions_mm,
    image_scale,
    open_frames,
)
from coreg.io.volumes import is_volume_file, read_label
from coreg.pullback import Acquisition, Pullback
from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_RADIUS_MM = (0.3, 6.0)
_FARTHEST_CATHETER_MM = 10.0
_USUALLY_OUTSIDE_MM = 1.0
_FARTHEST_POINT_MM = 30.0
_FEWEST_FRAMES = 2
_SAME_CENTRE_PX = 1.0


def read_pullback(case: CaseFile, source: FrameSource | None = None) -> Pullback:
    """Read the files of a case's [pullback] section.

    Parameters
    ----------
    case : CaseFile
        What is known of the pullback.
    source : FrameSource, optional
        The opened ``pullback.image``, where it is read beside the lumen. Without a lumen it is opened
        if it is not given.

    Returns
    -------
    Pullback
        Without contours where there is an image but no lumen.

    Raises
    ------
    InputError
        If a file cannot be used, a needed key is missing, or what came out is no coronary pullback.
    """
    if case.pullback.lumen is not None:
        return _outlined_pullback(case, case.resolved(case.pullback.lumen), source)
    if source is None:
        source = open_pullback_image(case)
    return _bare_pullback(case, source)


def open_pullback_image(case: CaseFile) -> FrameSource:
    """Open the frames of a case's ``pullback.image`` without decoding them.

    Raises
    ------
    InputError
        If there is no such key, or the frames cannot be used.
    """
    name = case.pullback.image
    if name is None:
        expected = "pullback.lumen, a label stack or contours, or pullback.image to segment it from"
        raise case.bad(key="pullback.lumen", found="no lumen", expected=expected)
    with naming("pullback.image"):
        source = open_frames(case.resolved(name))
    if source.count < _FEWEST_FRAMES:
        found = f"{source.count} frame{'s' * (source.count != 1)}"
        expected = f"a pullback of at least {_FEWEST_FRAMES} frames"
        raise case.bad(key="pullback.image", found=found, expected=expected)
    return source


def position_source(case: CaseFile, source: FrameSource) -> str:
    """Say where the positions of a pullback with an image come from."""
    if case.pullback.positions is not None:
        return f"{FROM_CASE} (positions)"
    if case.pullback.frame_spacing_mm is not None:
        return f"{FROM_CASE} (frame_spacing_mm)"
    return f"the file ({source.facts.sources['position_mm']})"


def _bare_pullback(case: CaseFile, source: FrameSource) -> Pullback:
    """Frames and positions of an image, still without contours."""
    if case.pullback.eem is not None:
        expected = "pullback.lumen beside it; without either, both are segmented from the image"
        raise case.bad(key="pullback.eem", found="a membrane without a lumen", expected=expected)
    frames = np.arange(source.count)
    modality, _ = image_modality(case, source)
    scale = image_scale(case, source)
    frames, positions = _positions(case, frames, {}, None, source)
    excluded = _excluded(case, frames, {}, source.facts.at_rest)
    return Pullback(
        frame=frames,
        position_mm=positions,
        lumen={},
        excluded=excluded,
        view=case.pullback.view,
        modality=modality,
        field_of_view_mm=scale.most_mm,
        acquisition=_acquisition(case, source),
    )


def _acquisition(case: CaseFile, source: FrameSource | None) -> Acquisition:
    if case.pullback.acquisition is not None:
        return case.pullback.acquisition
    # Positions of their own take the speed's errors out of the frames, as gating does.
    if case.pullback.positions is not None:
        return "gated"
    told = None if source is None else source.facts.acquisition
    return told or "motorized"


def _outlined_pullback(case: CaseFile, path: Path, source: FrameSource | None) -> Pullback:
    """Contours, frames and positions of a lumen that is given."""
    section, stack = case.pullback, None
    if is_volume_file(path):
        with naming("pullback.lumen"):
            stack = read_label(path)
        given = _outlined_stack(case, stack, source)
    else:
        given = read_given_contours(case, path, source)
        if source is not None:
            drawn = np.array(sorted({*given.lumen, *given.eem}), dtype=np.int64)
            _check_frames(case, drawn, source)
            given = replace(given, frames=np.arange(source.count), reach_mm=_reach_mm(case, source))
    frames, positions = _positions(case, given.frames, given.lumen, stack, source, given.frame_spacing_mm)
    if len(frames) < _FEWEST_FRAMES:
        found = f"{len(frames)} frame{'s' * (len(frames) != 1)}"
        expected = f"a pullback of at least {_FEWEST_FRAMES} frames"
        raise case.bad(key="pullback.lumen", found=found, expected=expected)
    _check_reach(case, {"lumen": given.lumen, "eem": given.eem})
    _check_lumen(case, path, given.lumen)
    with naming("pullback.lumen"):
        marks = marks_beside(path, given.lumen)
    at_rest = {} if source is None else source.facts.at_rest
    excluded = _excluded(case, frames, given.lumen, {**at_rest, **given.unfit})
    return Pullback(
        frame=frames,
        position_mm=positions,
        lumen=given.lumen,
        eem=given.eem,
        excluded=excluded,
        view=section.view,
        modality=section.modality if source is None else section.modality or source.facts.modality,
        field_of_view_mm=given.reach_mm,
        acquisition=_acquisition(case, source),
        quality=marks.quality,
        marked=marks.marked,
        notes=(*given.notes, *marks.notes),
    )


def _reach_mm(case: CaseFile, source: FrameSource) -> float | None:
    """Distance from the catheter to the edge of images whose pixels have a known size."""
    return image_scale(case, source).most_mm if has_pixel_size(case, source) else None


def _outlined_stack(case: CaseFile, stack: Volume, source: FrameSource | None) -> GivenContours:
    if source is not None:
        _check_same_grid(case, stack, source)
    pixel_mm = _pixel_spacing(case, stack)
    catheter_px = _catheter_px(case, stack)
    lumen = label_stack_contours(stack, catheter_px=catheter_px, pixel_spacing_mm=pixel_mm)
    eem = _stack_eem(case, stack, catheter_px, pixel_mm)
    frames = np.arange(stack.values.shape[0])
    return GivenContours(lumen, eem, frames, _field_of_view(stack, catheter_px, pixel_mm))


def _check_same_grid(case: CaseFile, stack: Volume, source: FrameSource) -> None:
    """Refuse a label stack that was not drawn on these frames."""
    size = (source.count, source.rows, source.columns)
    if stack.values.shape != size:
        expected = f"the image's size (frames, rows, columns) {size}; are these another pullback's contours?"
        raise case.bad(key="pullback.lumen", found=f"size {stack.values.shape}", expected=expected)
    centre = (np.array(stack.values.shape[:0:-1]) - 1) / 2.0
    told = image_scale(case, source).catheter_px
    if case.pullback.catheter_px is None and np.abs(told - centre).max() > _SAME_CENTRE_PX:
        found = f"nothing, and {told.tolist()} in the image, but a label stack counts from {centre.tolist()}"
        raise case.bad(key="pullback.catheter_px", found=found, expected="the catheter's column and row")


def _check_frames(case: CaseFile, frames: IntArray, source: FrameSource) -> None:
    """Refuse contours of frames that the image does not have."""
    if len(frames) and frames.max() >= source.count:
        found = f"a contour for frame {frames.max()} (from 0)"
        expected = f"frames of the image, 0 to {source.count - 1}; are these another pullback's contours?"
        raise case.bad(key="pullback.lumen", found=found, expected=expected)


def _stack_eem(case: CaseFile, stack: Volume, catheter_px: FloatArray, pixel_mm: FloatArray) -> Contours:
    name = case.pullback.eem
    if name is None:
        return {}
    path = case.resolved(name)
    if not is_volume_file(path):
        return read_eem_contours(case, path, None)
    with naming("pullback.eem"):
        eem = read_label(path)
    if eem.values.shape != stack.values.shape:
        expected = f"the lumen's size (frames, rows, columns) {stack.values.shape}"
        raise case.bad(key="pullback.eem", found=f"size {eem.values.shape}", expected=expected)
    return label_stack_contours(eem, catheter_px=catheter_px, pixel_spacing_mm=pixel_mm)


def _pixel_spacing(case: CaseFile, stack: Volume) -> FloatArray:
    """Millimetres between columns and between rows, shape (2,)."""
    if case.pullback.pixel_spacing_mm is not None:
        return np.full(2, case.pullback.pixel_spacing_mm)
    spacing = stack.spacing_mm[:0:-1]
    low, high = PIXEL_SPACING_MM
    if (spacing < low).any() or (spacing > high).any():
        found = f"{spacing.round(6).tolist()} mm in {case.pullback.lumen}"
        expected = f"{low} to {high} mm; set pixel_spacing_mm where the file is wrong"
        raise case.bad(key="pullback.pixel_spacing_mm", found=found, expected=expected)
    return spacing


def _catheter_px(case: CaseFile, stack: Volume) -> FloatArray:
    """Column and row of the catheter, shape (2,)."""
    size = np.array(stack.values.shape[:0:-1])
    given = case.pullback.catheter_px
    if given is None and case.pullback.catheter_mm is not None:
        expected = "catheter_px (column, row), as the lumen is a label stack"
        raise case.bad(key="pullback.catheter_mm", found=list(case.pullback.catheter_mm), expected=expected)
    catheter = (size - 1) / 2.0 if given is None else np.array(given)
    if (catheter < -0.5).any() or (catheter > size - 0.5).any():
        expected = f"a column and row within the image of {size[0]} columns and {size[1]} rows"
        raise case.bad(key="pullback.catheter_px", found=catheter.tolist(), expected=expected)
    return catheter


def _field_of_view(stack: Volume, catheter_px: FloatArray, pixel_mm: FloatArray) -> float:
    size = np.array(stack.values.shape[:0:-1])
    edges = np.concatenate([(catheter_px + 0.5) * pixel_mm, (size - 0.5 - catheter_px) * pixel_mm])
    return float(edges.min())


def _positions(
    case: CaseFile,
    frames: IntArray,
    lumen: Contours,
    stack: Volume | None,
    source: FrameSource | None,
    told_mm: float | None = None,
) -> tuple[IntArray, FloatArray]:
    """Frames in acquisition order and how far each had been withdrawn, the most distal at 0."""
    if case.pullback.positions is not None:
        frames, positions = _read_positions(case, frames, lumen, images=source is not None)
        return frames, positions - positions.min(initial=np.inf)
    told = source is not None and (source.facts.withdrawn_mm is not None or told_mm is None)
    if source is not None and told and case.pullback.frame_spacing_mm is None:
        return frames, image_positions_mm(case, source)[frames]
    spacing = _frame_spacing(case, stack, told_mm)
    if not len(frames):
        return frames, np.empty(0)
    length_mm = float(np.ptp(frames)) * spacing
    if length_mm > LONGEST_PULLBACK_MM:
        found = f"{spacing:g} mm, so {length_mm:.6g} mm from frame {frames.min()} to frame {frames.max()}"
        expected = f"a pullback of at most {LONGEST_PULLBACK_MM:.0f} mm"
        raise case.bad(key="pullback.frame_spacing_mm", found=found, expected=expected)
    steps = frames - frames.min() if case.pullback.first_frame == "distal" else frames.max() - frames
    return frames, steps * spacing


def _read_positions(
    case: CaseFile, frames: IntArray, lumen: Contours, *, images: bool
) -> tuple[IntArray, FloatArray]:
    path = case.resolved(str(case.pullback.positions))
    with naming("pullback.positions"):
        given = read_positions(path)
    # Others lie between their neighbours in time; beyond the first and the last there are none.
    missing = sorted((set(lumen) or {*frames[:1].tolist(), *frames[-1:].tolist()}) - set(given))
    if missing:
        why = "which has a contour" if lumen else "the first or the last one"
        found = f"no position of frame {missing[0]} (counted from 0), {why}"
        if len(missing) > 1:
            found += f", nor of {len(missing) - 1} more"
        raise case.bad(key=f"pullback.positions ({path.name})", found=found, expected="a row for each frame")
    if images and max(given) > frames[-1]:
        found = f"a position of frame {max(given)} (counted from 0)"
        expected = f"frames of the image, 0 to {frames[-1]}"
        raise case.bad(key=f"pullback.positions ({path.name})", found=found, expected=expected)
    known = np.array(sorted(given))
    values = np.array([given[frame] for frame in known.tolist()])
    steps = np.diff(np.unique(values))
    if not len(steps):
        found = f"{len(values)} equal positions" if len(values) > 1 else "one position"
        raise case.bad(key=f"pullback.positions ({path.name})", found=found, expected="positions that differ")
    low, high = FRAME_SPACING_MM
    if not low <= np.median(steps) <= high or np.ptp(values) > LONGEST_PULLBACK_MM:
        found = f"steps of {np.median(steps):.6g} mm over {np.ptp(values):.6g} mm"
        expected = f"mm: steps of {low} to {high} over at most {LONGEST_PULLBACK_MM:.0f}"
        raise case.bad(key=f"pullback.positions ({path.name})", found=found, expected=expected)
    every = np.union1d(frames, known)
    return every, np.interp(every, known, values)


def _frame_spacing(case: CaseFile, stack: Volume | None, told_mm: float | None) -> float:
    if case.pullback.frame_spacing_mm is not None:
        return case.pullback.frame_spacing_mm
    if told_mm is not None:
        return told_mm
    expected = "the distance between consecutive frames in mm, or the file positions"
    if stack is None:
        raise case.bad(key="pullback.frame_spacing_mm", found="nothing", expected=expected)
    spacing = float(stack.spacing_mm[0])
    low, high = FRAME_SPACING_MM
    if np.allclose(stack.spacing_mm, 1.0) or not low <= spacing <= high:
        # Writers that do not know put 1 mm everywhere.
        found = f"a third spacing of {spacing:.6g} mm in {case.pullback.lumen}"
        raise case.bad(key="pullback.frame_spacing_mm", found=found, expected=f"{expected} ({low} to {high})")
    return spacing


def _check_lumen(case: CaseFile, path: Path, lumen: Contours) -> None:
    key = f"pullback.lumen ({path.name})"
    if not lumen:
        raise case.bad(
            key=key, found="no lumen contour at all", expected="lumen contours in at least one frame"
        )
    radius = float(np.median([np.sqrt(area_mm2(contour) / np.pi) for contour in lumen.values()]))
    low, high = _RADIUS_MM
    if not low <= radius <= high:
        found = f"a median lumen radius of {radius:.4g} mm"
        expected = f"{low} to {high} mm; are the units, pixel_spacing_mm or the contours' scale wrong?"
        raise case.bad(key=key, found=found, expected=expected)
    nearest = min(float(np.linalg.norm(contour, axis=1).min()) for contour in lumen.values())
    if nearest > _FARTHEST_CATHETER_MM:
        name = "catheter_px" if is_volume_file(path) else "catheter_mm"
        found = f"a catheter {nearest:.1f} mm from the nearest contour"
        expected = f"at most {_FARTHEST_CATHETER_MM:.0f} mm: the catheter runs in the lumen"
        raise case.bad(key=f"pullback.{name}", found=found, expected=expected)
    outside = float(np.median([_outside_mm(contour) for contour in lumen.values()]))
    if outside > _USUALLY_OUTSIDE_MM:
        found = f"a catheter that lies {outside:.1f} mm or more outside in half of the frames"
        expected = "contours around it, in mm from the catheter's centre; is its place in the image right?"
        raise case.bad(key=key, found=found, expected=expected)


def _check_reach(case: CaseFile, contours: dict[str, Contours]) -> None:
    """Refuse contours with a point where no catheter sees anything."""
    for kind, by_frame in contours.items():
        for frame, contour in by_frame.items():
            if not np.abs(contour).max() <= _FARTHEST_POINT_MM and _is_small_elsewhere(by_frame):
                found = f"a point {np.abs(contour).max():.4g} mm from the catheter in frame {frame} (from 0)"
                expected = f"at most {_FARTHEST_POINT_MM:.0f} mm"
                raise case.bad(key=f"pullback.{kind}", found=found, expected=expected)


def _is_small_elsewhere(by_frame: Contours) -> bool:
    """Tell a stray point from contours that all have another unit, of which `_check_lumen` says more."""
    return bool(np.median([np.abs(each).max() for each in by_frame.values()]) <= _FARTHEST_POINT_MM)


def _outside_mm(contour: FloatArray) -> float:
    """How far the catheter lies outside a contour (M, 2) about it, in mm; 0 inside."""
    inside = points_in_poly(np.zeros((1, 2)), contour)[0]
    return 0.0 if inside else float(np.linalg.norm(contour, axis=1).min())


def _excluded(
    case: CaseFile, frames: IntArray, lumen: Contours, at_rest: Mapping[int, str]
) -> dict[int, str]:
    excluded: dict[int, str] = {}
    for i, (first, last, reason) in enumerate(case.pullback.exclude):
        key = f"pullback.exclude[{i}]"
        if first > last or first < 0:
            expected = "[first, last, reason] with 0 <= first <= last"
            raise case.bad(key=key, found=[first, last, reason], expected=expected)
        if last < frames.min() or first > frames.max():
            expected = f"frames of the pullback, which has {frames.min()} to {frames.max()}"
            raise case.bad(key=key, found=f"frames {first} to {last}", expected=expected)
        within = frames[(frames >= first) & (frames <= last)]
        excluded |= {int(frame): reason or "excluded" for frame in within if int(frame) not in excluded}
    excluded = {**at_rest, **excluded}
    kind = "frame with a contour" if lumen else "frame"
    if set(lumen or frames.tolist()) <= set(excluded):
        expected = f"at least one {kind} left"
        raise case.bad(key="pullback.exclude", found=f"every {kind}", expected=expected)
    return excluded
