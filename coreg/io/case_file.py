"""A case from its case.toml and all the files that it names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from coreg.case import Case
from coreg.centerline import VesselTree
from coreg.io.case_model import CaseFile, read_case_file, used_files, write_case_file
from coreg.io.centerlines import read_centerlines
from coreg.io.files import naming, unusable
from coreg.io.landmark_files import read_ccta_side_branches, read_landmarks, read_pullback_side_branches
from coreg.io.pullback_files import read_pullback
from coreg.io.surfaces import is_surface_file, open_edge_length_mm, read_surface, turned_edge_share
from coreg.io.volumes import data_files, is_volume_file, read_label
from coreg.landmarks import Landmark, SideBranch
from coreg.pullback import Pullback
from coreg.signed_distance import outward
from coreg.surface import Surface
from coreg.volume import Volume

__all__ = ["CaseFile", "input_paths", "load_case", "read_case_file", "write_case_file"]

FloatArray = npt.NDArray[np.float64]

_VOXEL_MM = (0.05, 5.0)
# A vessel left open at its end has a rim longer than this; a pinhole of a mesh tool has not.
_LONGEST_RIM_MM = 2.0
_MOST_TURNED = 0.05
_NEAR_BOX_MM = 1.0
_FARTHEST_CLICK_MM = 50.0
_NEAREST_CLICKS_MM = 3.0
# Aorta, heart chambers and all arteries together are less.
_LARGEST_LUMEN_ML = 1000.0


def load_case(path: Path | str) -> Case:
    """Read a case.toml, or that of a folder, and everything that the registration needs of it.

    Raises
    ------
    InputError
        If anything cannot be used; the message names file, field, what was found and what was
        expected.
    """
    case = read_case_file(path)
    _check_named_images(case)
    lumen = _read_lumen(case)
    tree = _read_tree(case, lumen)
    ostium, distal = _clicks(case, lumen, tree)
    pullback = read_pullback(case)
    return Case(
        id=case.id,
        lumen=lumen,
        pullback=pullback,
        tree=tree,
        ostium_mm=ostium,
        distal_mm=distal,
        landmarks=_read_landmarks(case, pullback),
        ccta_side_branches=_read_branches(case, "ccta"),
        pullback_side_branches=_read_branches(case, "pullback"),
        patient=case.patient,
        vessel=case.vessel,
    )


def input_paths(case: CaseFile) -> tuple[Path, ...]:
    """List the files a registration of the case reads, the case.toml first."""
    paths = [case.path]
    for _, name in used_files(case):
        path = case.resolved(name)
        paths += data_files(path) if is_volume_file(path) and path.is_file() else [path]
    return tuple(dict.fromkeys(paths))


def _check_named_images(case: CaseFile) -> None:
    """Say that a named file is missing even where nothing of it is read yet."""
    named = {
        "ccta.image": case.ccta.image,
        "ccta.wall": case.ccta.wall,
        "pullback.image": case.pullback.image,
    }
    for key, name in named.items():
        if name is not None and not case.resolved(name).exists():
            raise unusable(case.resolved(name), key, found="no such file or folder", expected="an image")


def _read_lumen(case: CaseFile) -> Volume | Surface:
    if case.ccta.lumen is None:
        found = "an image without lumen" if case.ccta.image else "no lumen"
        expected = (
            "ccta.lumen, a label image or a closed surface; segmentation is not available in this version"
        )
        raise case.bad(key="ccta.lumen", found=found, expected=expected)
    path = case.resolved(case.ccta.lumen)
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


def _read_tree(case: CaseFile, lumen: Volume | Surface) -> VesselTree | None:
    if case.ccta.centerline is None:
        return None
    path = case.resolved(case.ccta.centerline)
    with naming("ccta.centerline"):
        tree = read_centerlines(path)
    points = np.concatenate([line.points_mm for line in tree.lines])
    if not _distance_to_box(points, *_box(lumen)).min() <= _NEAR_BOX_MM:
        low, high = _box(lumen)
        turned = _distance_to_box(points * [-1.0, -1.0, 1.0], low, high).min() <= _NEAR_BOX_MM
        hint = (
            "with x and y negated it would: one of the two is in RAS"
            if turned
            else "is it another patient's?"
        )
        found = f"no point within the lumen's box {low.round(1).tolist()} to {high.round(1).tolist()}"
        raise unusable(
            path, "ccta.centerline", found=found, expected=f"a line in the lumen, in LPS mm; {hint}"
        )
    return tree


def _clicks(
    case: CaseFile, lumen: Volume | Surface, tree: VesselTree | None
) -> tuple[FloatArray | None, FloatArray | None]:
    given = {"ostium": case.ccta.ostium, "distal": case.ccta.distal}
    missing = [f"ccta.{name}" for name, value in given.items() if value is None]
    if missing and (tree is None or len(tree.lines) > 1):
        why = "there is no centerline" if tree is None else f"the centerline has {len(tree.lines)} lines"
        expected = f"[x, y, z] in LPS mm near the vessel's mouth and far end, as {why}"
        raise case.bad(key=" and ".join(missing), found="nothing", expected=expected)
    for name, value in given.items():
        far = 0.0 if value is None else float(_distance_to_box(np.array([value]), *_box(lumen))[0])
        if far > _FARTHEST_CLICK_MM:
            found = f"{list(value or ())}, {far:.0f} mm outside the lumen's box"
            turned = np.array([value]) * [-1.0, -1.0, 1.0]
            near = _distance_to_box(turned, *_box(lumen))[0] <= _FARTHEST_CLICK_MM
            expected = "a point near the vessel, in LPS mm" + ("; is this one in RAS?" if near else "")
            raise case.bad(key=f"ccta.{name}", found=found, expected=expected)
    if not missing:
        apart = float(np.linalg.norm(np.subtract(*(np.array(value) for value in given.values()))))
        if apart < _NEAREST_CLICKS_MM:
            found, expected = (
                f"two points {apart:.1f} mm apart",
                f"at least {_NEAREST_CLICKS_MM:g} mm of vessel",
            )
            raise case.bad(key="ccta.ostium and ccta.distal", found=found, expected=expected)
    ostium, distal = (
        None if value is None else np.array(value, dtype=np.float64) for value in given.values()
    )
    return ostium, distal


def _read_landmarks(case: CaseFile, pullback: Pullback) -> tuple[Landmark, ...]:
    if case.landmarks is None:
        return ()
    path = case.resolved(case.landmarks.file)
    with naming("landmarks.file"):
        landmarks = read_landmarks(path)
    last = int(pullback.frame.max())
    # A label stack tells how many images there are; contours need not reach the last one.
    whole = is_volume_file(Path(str(case.pullback.lumen)))
    for each in landmarks:
        if whole and each.frame is not None and each.frame > last:
            expected = f"a frame of the pullback, 0 to {last}"
            raise unusable(path, f"landmark {each.id}, frame", found=f"{each.frame:g}", expected=expected)
    return landmarks


def _read_branches(case: CaseFile, section: str) -> tuple[SideBranch, ...]:
    name = case.ccta.side_branches if section == "ccta" else case.pullback.side_branches
    if name is None:
        return ()
    with naming(f"{section}.side_branches"):
        read = read_ccta_side_branches if section == "ccta" else read_pullback_side_branches
        return read(case.resolved(name))


def _box(lumen: Volume | Surface) -> tuple[FloatArray, FloatArray]:
    """Opposite corners of the box around a lumen, along the world's axes."""
    if isinstance(lumen, Surface):
        return lumen.points_mm.min(axis=0), lumen.points_mm.max(axis=0)
    axes = [np.flatnonzero(lumen.values.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    ends = [(each[0] - 0.5, each[-1] + 0.5) for each in axes]
    corners = lumen.to_world(np.array([[k, j, i] for k in ends[0] for j in ends[1] for i in ends[2]]))
    return corners.min(axis=0), corners.max(axis=0)


def _distance_to_box(points: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    outside = np.maximum(np.maximum(low - points, points - high), 0.0)
    return np.linalg.norm(outside, axis=1)
