"""A case from its case.toml and all the files that it names."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from coreg.case import Case, CctaCase, PullbackCase
from coreg.centerline import VesselTree
from coreg.io.case_model import (
    CaseFile,
    named_files,
    read_case_file,
    used_ccta_files,
    used_files,
    used_pullback_files,
    write_case_file,
)
from coreg.io.centerlines import read_centerlines
from coreg.io.files import is_folder, is_there, naming, unusable
from coreg.io.frame_marks import marks_file
from coreg.io.landmark_files import read_ccta_side_branches, read_landmarks, read_pullback_side_branches
from coreg.io.pullback_files import open_pullback_image, position_source, read_pullback
from coreg.io.pullback_image_files import read_pullback_images
from coreg.io.surfaces import is_surface_file, open_edge_length_mm, read_surface, turned_edge_share
from coreg.io.tables import has_rows
from coreg.io.volumes import data_files, is_volume_file, read_label
from coreg.landmarks import Landmark, SideBranch
from coreg.pullback import Pullback
from coreg.pullback_images import PullbackImages
from coreg.signed_distance import outward
from coreg.surface import Surface
from coreg.volume import Volume

if TYPE_CHECKING:
    from coreg.io.dicom_ccta import CctaImage

__all__ = [
    "CaseFile",
    "ccta_input_paths",
    "input_paths",
    "load_case",
    "load_ccta",
    "load_pullback",
    "missing_files",
    "named_paths",
    "pullback_input_paths",
    "read_case_file",
    "write_case_file",
]

FloatArray = npt.NDArray[np.float64]
Progress = Callable[[str, float], None]

_VOXEL_MM = (0.05, 5.0)
# A vessel left open at its end has a rim longer than this; a pinhole of a mesh tool has not.
_LONGEST_RIM_MM = 2.0
_MOST_TURNED = 0.05
_NEAR_BOX_MM = 1.0
_FARTHEST_CLICK_MM = 50.0
_NEAREST_CLICKS_MM = 3.0
# Aorta, heart chambers and all arteries together are less.
_LARGEST_LUMEN_ML = 1000.0
_RAS_TO_LPS = np.array([-1.0, -1.0, 1.0])


def _silent(_stage: str, _fraction: float) -> None:
    """Tell nobody."""


def load_case(
    path: Path | str,
    *,
    images: bool = False,
    landmarks: Path | None = None,
    progress: Progress = _silent,
) -> Case:
    """Read a case.toml, or that of a folder, and everything that the registration needs of it.

    An image is read only where there is no lumen; of a pullback's image beside a lumen the frames are
    counted, and their positions are taken where the case does not give them.

    Parameters
    ----------
    path : Path or str
        The case.toml or its folder.
    images : bool
        Read all images that the case names, to be shown; a registration finds the same with them.
    landmarks : Path, optional
        A landmarks.csv that takes the place of the case's.
    progress : callable, optional
        Takes a stage's name and the share that is done.

    Raises
    ------
    InputError
        If anything cannot be used; the message names file, field, what was found and what was
        expected.
    """
    case = read_case_file(path)
    if not case.has_pullback:
        expected = "the table [pullback]; without a pullback only coreg segment ccta can be run"
        raise case.bad(key="pullback", found="nothing", expected=expected)
    _check_ccta_given(case)
    _check_named_images(case)
    ccta = _read_ccta(case, with_image=images or case.ccta.lumen is None, progress=progress)
    outlined = case.pullback.lumen is not None
    pullback, seen = _read_pullback(case, with_image=images or not outlined, progress=progress)
    if not outlined and seen is not None:
        pullback = replace(pullback, field_of_view_mm=seen.field_of_view_mm)
    return Case(
        id=case.id,
        lumen=ccta.lumen,
        pullback=pullback,
        tree=ccta.tree,
        ostium_mm=ccta.ostium_mm,
        distal_mm=ccta.distal_mm,
        landmarks=_read_landmarks(case, pullback, landmarks),
        ccta_side_branches=ccta.side_branches,
        pullback_side_branches=_read_branches(case, "pullback"),
        patient=case.patient,
        vessel=case.vessel,
        image=ccta.image,
        ccta_notes=ccta.notes,
        pullback_images=seen,
        ccta_phase_percent=ccta.ccta_phase_percent,
    )


def load_ccta(path: Path | str, *, distal_needed: bool = True, progress: Progress = _silent) -> CctaCase:
    """Read what a case.toml, or that of a folder, says of the CCTA, its image included.

    Parameters
    ----------
    path : Path or str
        The case.toml or its folder; it may lack the table [pullback].
    distal_needed : bool
        Whether the vessel's far end must be known: by a click or from a centerline.
    progress : callable, optional
        Takes a stage's name and the share that is done.

    Raises
    ------
    InputError
        If anything cannot be used; the message names file, field, what was found and what was
        expected.
    """
    case = read_case_file(path)
    _check_ccta_given(case)
    _check_named_images(case)
    return _read_ccta(case, with_image=True, distal_needed=distal_needed, progress=progress)


def load_pullback(path: Path | str, *, progress: Progress = _silent) -> PullbackCase:
    """Read what a case.toml, or that of a folder, says of the pullback, its images included.

    Parameters
    ----------
    path : Path or str
        The case.toml or its folder; it may lack the table [ccta].
    progress : callable, optional
        Takes a stage's name and the share that is done.

    Raises
    ------
    InputError
        If anything cannot be used; the message names file, field, what was found and what was
        expected.
    """
    case = read_case_file(path)
    if not case.has_pullback:
        raise case.bad(key="pullback", found="nothing", expected="the table [pullback]")
    _check_named_images(case)
    with_image = case.pullback.lumen is None or case.pullback.image is not None
    pullback, images = _read_pullback(case, with_image=with_image, progress=progress)
    if images is not None:
        pullback = replace(pullback, field_of_view_mm=images.field_of_view_mm)
    branches = _read_branches(case, "pullback")
    return PullbackCase(case.id, pullback, images, branches, case.patient, case.vessel)


def input_paths(case: CaseFile) -> tuple[Path, ...]:
    """List the files, and folders of images, that a registration of the case reads; case.toml first."""
    return _paths(case, used_files(case))


def ccta_input_paths(case: CaseFile) -> tuple[Path, ...]:
    """List the files, and folders of DICOM, that a segmentation of the CCTA reads; case.toml first."""
    return _paths(case, used_ccta_files(case))


def pullback_input_paths(case: CaseFile) -> tuple[Path, ...]:
    """List the files, and folders of frames, that a segmentation of the pullback reads; case.toml first."""
    return _paths(case, used_pullback_files(case))


def named_paths(case: CaseFile) -> tuple[Path, ...]:
    """List the files, and folders of images, that anything done with the case may read; case.toml first."""
    return _paths(case, named_files(case))


def missing_files(case: CaseFile) -> Iterator[tuple[str, Path]]:
    """Find what the case names that is not there, by key; also the raw data that an image's header names."""
    for key, name in named_files(case):
        yield from ((key, path) for path in _parts(case.resolved(name)) if not is_there(path))


def _parts(path: Path) -> list[Path]:
    """List the files of one input: itself and, of an image's header, its raw data."""
    if not is_volume_file(path) or not is_there(path) or is_folder(path):
        return [path]
    try:
        return data_files(path)
    except OSError:
        # Whoever reads the image says why it cannot be read.
        return [path]


def _paths(case: CaseFile, used: Iterable[tuple[str, str]]) -> tuple[Path, ...]:
    paths = [case.path]
    for _, name in used:
        paths += _parts(case.resolved(name))
    marks = None if case.pullback.lumen is None else marks_file(case.resolved(case.pullback.lumen))
    if marks is not None and case.resolved(str(case.pullback.lumen)) in paths:
        paths.append(marks)
    return tuple(dict.fromkeys(paths))


def _check_ccta_given(case: CaseFile) -> None:
    if not case.has_ccta:
        expected = "the table [ccta]; without a CCTA only coreg segment pullback can be run"
        raise case.bad(key="ccta", found="nothing", expected=expected)


def _check_named_images(case: CaseFile) -> None:
    """Say that a named file is missing even where nothing of it is read yet."""
    named = {
        "ccta.image": case.ccta.image,
        "ccta.wall": case.ccta.wall,
        "pullback.image": case.pullback.image,
    }
    for key, name in named.items():
        if name is None:
            continue
        path = case.resolved(name)
        try:
            there, found = path.exists(), "no such file or folder"
        except OSError as error:
            there, found = False, error.strerror or str(error)
        if not there:
            raise unusable(path, key, found=found, expected="an image")


def _read_ccta(
    case: CaseFile, *, with_image: bool, distal_needed: bool = True, progress: Progress = _silent
) -> CctaCase:
    if case.ccta.lumen is None and case.ccta.image is None:
        expected = "ccta.lumen, a label image or a closed surface, or ccta.image to segment it from"
        raise case.bad(key="ccta.lumen", found="no lumen", expected=expected)
    if case.ccta.centerline is None:
        # Before an image is read, which takes its time.
        _check_clicks_given(case, None, distal_needed=distal_needed)
    lumen = None if case.ccta.lumen is None else _read_lumen(case, case.ccta.lumen)
    read = _read_image(case, progress) if with_image else None
    image, notes, phase_percent = read or (None, (), None)
    region = _region(lumen, image)
    tree = _read_tree(case, region)
    ostium, distal = _clicks(case, region, tree, distal_needed=distal_needed)
    return CctaCase(
        case.id,
        image,
        lumen,
        tree,
        ostium,
        distal,
        _read_branches(case, "ccta"),
        notes,
        case.patient,
        case.vessel,
        phase_percent,
    )


def _read_pullback(
    case: CaseFile, *, with_image: bool, progress: Progress
) -> tuple[Pullback, PullbackImages | None]:
    # Of images beside contours the frames and their positions are wanted, not the pixels.
    source = None if case.pullback.image is None else open_pullback_image(case)
    if not with_image or source is None:
        return read_pullback(case, source), None
    # Positions before pixels, which take their time.
    pullback = read_pullback(case, source)
    images = read_pullback_images(case, source, progress)
    images = replace(images, sources={**images.sources, "position_mm": position_source(case, source)})
    return pullback, images


def _read_image(case: CaseFile, progress: Progress) -> CctaImage | None:
    if case.ccta.image is None:
        return None
    # Loads pydicom, which most cases do without.
    from coreg.io.dicom_ccta import read_ccta

    with naming("ccta.image"):
        return read_ccta(case.resolved(case.ccta.image), series=case.ccta.series, progress=progress)


def _read_lumen(case: CaseFile, name: str) -> Volume | Surface:
    path = case.resolved(name)
    with naming("ccta.lumen"):
        if is_surface_file(path):
            surface = read_surface(path)
            rim_mm = open_edge_length_mm(surface)
            if rim_mm > _LONGEST_RIM_MM:
                found = f"open edges, {rim_mm:.1f} mm in all"
                raise unusable(path, "faces", found=found, expected="a closed surface; cap its ends first")
            turned = turned_edge_share(surface)
            if turned > _MOST_TURNED:
                found = f"neighbours that face opposite ways at {turned:.0%} of the edges"
                expected = "faces that all look outwards; make their normals consistent first"
                raise unusable(path, "faces", found=found, expected=expected)
            return outward(surface)
        label = read_label(path)
        spacing, (low, high) = label.spacing_mm, _VOXEL_MM
        if (spacing < low).any() or (spacing > high).any():
            found = f"{spacing[::-1].round(6).tolist()} mm"
            raise unusable(path, "spacing", found=found, expected=f"{low} to {high} mm")
        volume_ml = np.count_nonzero(label.values) * float(np.prod(spacing)) / 1000.0
        if volume_ml > _LARGEST_LUMEN_ML:
            expected = f"the lumen of arteries, at most {_LARGEST_LUMEN_ML:.0f} ml"
            raise unusable(path, "voxels", found=f"a label of {volume_ml:.0f} ml", expected=expected)
        return label


def _read_tree(case: CaseFile, region: _Region) -> VesselTree | None:
    if case.ccta.centerline is None:
        return None
    path = case.resolved(case.ccta.centerline)
    with naming("ccta.centerline"):
        tree = read_centerlines(path)
    points = np.concatenate([line.points_mm for line in tree.lines])
    if not region.distance_mm(points).min() <= _NEAR_BOX_MM:
        turned = region.distance_mm(points * _RAS_TO_LPS).min() <= _NEAR_BOX_MM
        hint = (
            "with x and y negated it would: one of the two is in RAS"
            if turned
            else "is it another patient's?"
        )
        found = f"no point within {region.name} {region.extent_text}"
        expected = f"a line in the {region.what}, in LPS mm; {hint}"
        raise unusable(path, "ccta.centerline", found=found, expected=expected)
    return tree


def _check_clicks_given(case: CaseFile, tree: VesselTree | None, *, distal_needed: bool) -> None:
    needed = ("ostium", "distal") if distal_needed else ("ostium",)
    missing = [f"ccta.{name}" for name in needed if getattr(case.ccta, name) is None]
    if missing and (tree is None or len(tree.lines) > 1):
        why = "there is no centerline" if tree is None else f"the centerline has {len(tree.lines)} lines"
        where = "the vessel's mouth and far end" if distal_needed else "the vessel's mouth"
        expected = f"[x, y, z] in LPS mm near {where}, as {why}"
        if "ccta.distal" in missing and case.ccta.image is not None:
            expected += "; `coreg segment ccta CASE --tree` needs the mouth only and lists far ends"
        raise case.bad(key=" and ".join(missing), found="nothing", expected=expected)


def _clicks(
    case: CaseFile, region: _Region, tree: VesselTree | None, *, distal_needed: bool
) -> tuple[FloatArray | None, FloatArray | None]:
    _check_clicks_given(case, tree, distal_needed=distal_needed)
    given = {"ostium": case.ccta.ostium, "distal": case.ccta.distal}
    clicks = {
        name: None if value is None else np.array(value, dtype=np.float64) for name, value in given.items()
    }
    for name, click in clicks.items():
        if click is not None:
            _check_click(case, f"ccta.{name}", click, region)
    ostium, distal = clicks.values()
    if ostium is not None and distal is not None:
        apart = float(np.linalg.norm(ostium - distal))
        if apart < _NEAREST_CLICKS_MM:
            found = f"two points {apart:.1f} mm apart"
            expected = f"at least {_NEAREST_CLICKS_MM:g} mm of vessel"
            raise case.bad(key="ccta.ostium and ccta.distal", found=found, expected=expected)
    return ostium, distal


def _check_click(case: CaseFile, key: str, click: FloatArray, region: _Region) -> None:
    far = float(region.distance_mm(click[None])[0])
    if far > region.farthest_click_mm:
        turned = region.distance_mm(click[None] * _RAS_TO_LPS)[0] <= region.farthest_click_mm
        found = f"{click.tolist()}, {far:.0f} mm outside {region.name}"
        expected = "a point near the vessel, in LPS mm" + ("; is this one in RAS?" if turned else "")
        raise case.bad(key=key, found=found, expected=expected)


def _read_landmarks(case: CaseFile, pullback: Pullback, other: Path | None) -> tuple[Landmark, ...]:
    if other is not None:
        key, path = "--landmarks", other
    elif case.landmarks is not None:
        key, path = "landmarks.file", case.resolved(case.landmarks.file)
    else:
        return ()
    with naming(key):
        landmarks = read_landmarks(path)
    last = int(pullback.frame.max())
    # Images and a label stack tell how many frames there are; contours need not reach the last one.
    whole = case.pullback.image is not None or is_volume_file(Path(str(case.pullback.lumen)))
    for each in landmarks:
        if whole and each.frame is not None and each.frame > last:
            expected = f"a frame of the pullback, 0 to {last}"
            raise unusable(path, f"landmark {each.id}, frame", found=f"{each.frame:g}", expected=expected)
    return landmarks


def _read_branches(case: CaseFile, section: str) -> tuple[SideBranch, ...]:
    name = case.ccta.side_branches if section == "ccta" else case.pullback.side_branches
    if name is None:
        return ()
    path = case.resolved(name)
    with naming(f"{section}.side_branches"):
        read = read_ccta_side_branches if section == "ccta" else read_pullback_side_branches
        # A segmentation that found none leaves a header.
        return read(path) if has_rows(path) else ()


@dataclass(frozen=True)
class _Region:
    """Where points of the CCTA may lie: a box along axes of its own.

    Attributes
    ----------
    what, name : str
        For messages.
    to_box : (4, 4) array
        Takes world mm to mm along the box's axes.
    low, high : (3,) arrays
        Opposite corners there.
    farthest_click_mm : float
        How far outside a click may be.
    """

    what: str
    name: str
    to_box: FloatArray
    low: FloatArray
    high: FloatArray
    farthest_click_mm: float

    def distance_mm(self, points_mm: FloatArray) -> FloatArray:
        """Distance of world points (N, 3) from the box, shape (N,)."""
        points = points_mm @ self.to_box[:3, :3].T + self.to_box[:3, 3]
        outside = np.maximum(np.maximum(self.low - points, points - self.high), 0.0)
        return np.linalg.norm(outside, axis=1)

    @property
    def extent_text(self) -> str:
        """The box's corners in the world, for messages."""
        ends = np.array([[x, y, z] for x, y, z in itertools.product(*zip(self.low, self.high, strict=True))])
        back = np.linalg.inv(self.to_box)
        corners = ends @ back[:3, :3].T + back[:3, 3]
        low, high = corners.min(axis=0).round(1).tolist(), corners.max(axis=0).round(1).tolist()
        return f"{low} to {high}"


def _region(lumen: Volume | Surface | None, image: Volume | None) -> _Region:
    if lumen is not None:
        return _Region("lumen", "the lumen's box", np.eye(4), *_box(lumen), _FARTHEST_CLICK_MM)
    if image is None:
        msg = "a CCTA needs a lumen or an image"
        raise ValueError(msg)
    spacing = image.spacing_mm
    to_box = np.diag([*spacing, 1.0]) @ image.world_to_index
    low, high = -0.5 * spacing, (np.array(image.values.shape) - 0.5) * spacing
    return _Region("image", "the image", to_box, low, high, 0.0)


def _box(lumen: Volume | Surface) -> tuple[FloatArray, FloatArray]:
    """Opposite corners of the box around a lumen, along the world's axes."""
    if isinstance(lumen, Surface):
        return lumen.points_mm.min(axis=0), lumen.points_mm.max(axis=0)
    axes = [np.flatnonzero(lumen.values.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    ends = [(each[0] - 0.5, each[-1] + 0.5) for each in axes]
    corners = lumen.to_world(np.array([[k, j, i] for k in ends[0] for j in ends[1] for i in ends[2]]))
    return corners.min(axis=0), corners.max(axis=0)
