"""Synthetic patients on disk: the case as a user would have it, and the truth beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from coreg.case import Case
from coreg.catheter_path import VirtualCatheterPath
from coreg.centerline import Centerline
from coreg.errors import InputError
from coreg.io.case_model import CASE_NAME, read_case_file, write_case_file
from coreg.io.centerlines import write_centerline_csv
from coreg.io.contour_formats import write_contours
from coreg.io.dicom_write import write_ct_series
from coreg.io.frames_csv import write_frames
from coreg.io.label_stack import write_label_stack
from coreg.io.landmark_files import write_ccta_side_branches, write_landmarks, write_positions
from coreg.io.pullback_dicom_write import header_tells_positions, write_pullback_dicom
from coreg.io.pullback_segmentation_files import write_pullback_vessel
from coreg.io.result_folder import replaced_folder
from coreg.io.surfaces import write_surface
from coreg.io.tables import Cell, write_table
from coreg.io.volumes import write_volume
from coreg.landmarks import Landmark, SideBranch
from coreg.pullback import Pullback
from coreg.pullback_images import PullbackImages
from coreg.pullback_vessel import PullbackVessel
from coreg.surface import Surface
from coreg.volume import Volume

TRUTH = "truth"
IMAGE, DICOM = "ccta.nii.gz", "ccta"
PULLBACK_IMAGE, PULLBACK_DICOM = "pullback.nii.gz", "pullback.dcm"
CONTOURS, POSITIONS = "contours.csv", "positions.csv"
RUN_KEYS = (
    "image",
    "lumen",
    "modality",
    "catheter_type",
    "acquisition",
    "view",
    "frame_rate_hz",
    "frame_spacing_mm",
    "positions",
)
LUMEN_LABEL = 1
PLAQUE_COLUMNS = ("kind", "first_mm", "last_mm", "angle_deg", "thickness_mm", "area_share")


@dataclass(frozen=True, eq=False)
class Truth:
    """What is known exactly of a synthetic patient.

    Attributes
    ----------
    path : VirtualCatheterPath
        Exact poses.
    landmarks : tuple of Landmark
        Exact ostia of side branches.
    side_branches : tuple of SideBranch
        All of them, also those that the CCTA does not show.
    lumen : Surface
        True lumen surface.
    facts : mapping of str to number or str
        How the patient was made: a row each in ``facts.csv``.
    """

    path: VirtualCatheterPath
    landmarks: tuple[Landmark, ...]
    side_branches: tuple[SideBranch, ...]
    lumen: Surface
    facts: Mapping[str, str | float]


@dataclass(frozen=True, eq=False)
class ImageTruth:
    """A synthetic CCTA image, and what is known exactly of it.

    Attributes
    ----------
    image : Volume
        int16 HU.
    labels : Volume
        uint8 on the same grid: 0 background, 1 lumen, 2 wall, 3 soft plaque, 4 calcified plaque, 5 stent.
    centerline : Centerline
        Of the main vessel, as the image shows it.
    wall : Surface
        Outer wall.
    plaques : sequence
        Rows of ``plaque.csv``.
    dicom : bool
        Whether the image is written as a DICOM series instead of NIfTI.
    """

    image: Volume
    labels: Volume
    centerline: Centerline
    wall: Surface
    plaques: Sequence[Sequence[Cell]]
    dicom: bool = False


@dataclass(frozen=True, eq=False)
class PullbackTruth:
    """The images of a synthetic pullback, and what is known exactly of them.

    Attributes
    ----------
    images : PullbackImages
        As the console shows them, with what it burns in.
    vessel : PullbackVessel
        Lumen, membrane, side branches and calcium.
    dicom : bool
        Whether the images are written as a DICOM file instead of a NIfTI stack.
    """

    images: PullbackImages
    vessel: PullbackVessel
    dicom: bool = False


def write_phantom(
    folder: Path,
    case: Case,
    truth: Truth,
    *,
    ccta: ImageTruth | None = None,
    pullback: PullbackTruth | None = None,
    outlined: bool = False,
    clockwise: bool = False,
    force: bool = False,
) -> None:
    """Write a synthetic patient into a folder, whole or not at all.

    Parameters
    ----------
    folder : Path
        Made anew; an older one of the same case is replaced.
    case : Case
        What a user would have.
    truth : Truth
        Goes into ``truth/``, out of the case's sight.
    ccta : ImageTruth, optional
        An image that the case has instead of the label and the centerline.
    pullback : PullbackTruth, optional
        Images that the case has instead of the pullback's contours.
    outlined : bool
        Whether the lumen label, centerline and contours are written beside the images too.
    clockwise : bool
        Whether contours are written from +row towards +column, which readers must not mind.
    force : bool
        Whether anything else at ``folder`` may be replaced too.

    Raises
    ------
    InputError
        If there is something else at ``folder``.
    """
    force = force or _is_phantom(folder, case.id)
    with replaced_folder(folder, case.id, force=force) as temporary:
        named = _write_lumen(temporary, case) if ccta is None or outlined else {}
        run = _write_contours(temporary, case, clockwise) if pullback is None or outlined else {}
        if ccta is not None:
            named |= _write_image(temporary, case, ccta)
        if pullback is not None:
            run |= _write_pullback_image(temporary, case, pullback)
        _write_case(temporary, case, named, run)
        (temporary / TRUTH).mkdir()
        _write_truth(temporary / TRUTH, truth)
        if pullback is not None:
            write_pullback_vessel(temporary / TRUTH, pullback.vessel, case.pullback, pullback.images)
        if ccta is not None:
            _write_image_truth(temporary / TRUTH, ccta)


def write_manifest(path: Path, cases: Iterable[tuple[str, str, str | None, str | None]]) -> None:
    """Write a cohort's manifest: rows of case id, case folder relative to it, patient and vessel."""
    write_table(path, ["case_id", "case", "patient", "vessel"], cases)


def _write_lumen(folder: Path, case: Case) -> dict[str, Any]:
    """Write the CCTA's label or surface, and the centerline; what the case file names of them."""
    ccta: dict[str, Any] = {}
    lumen = case.known_lumen
    if isinstance(lumen, Volume):
        ccta["lumen"] = "ccta_lumen.nii.gz"
        write_volume(folder / "ccta_lumen.nii.gz", lumen)
    else:
        ccta["lumen"] = "ccta_lumen.stl"
        write_surface(folder / "ccta_lumen.stl", lumen)
    if case.tree is not None:
        ccta["centerline"] = "centerline.csv"
        write_centerline_csv(folder / "centerline.csv", case.tree.lines[0])
    return ccta


def _write_image(folder: Path, case: Case, ccta: ImageTruth) -> dict[str, Any]:
    if not ccta.dicom:
        write_volume(folder / IMAGE, ccta.image)
        return {"image": IMAGE}
    (folder / DICOM).mkdir()
    write_ct_series(folder / DICOM, ccta.image, name=case.id)
    return {"image": DICOM}


def _write_image_truth(folder: Path, ccta: ImageTruth) -> None:
    lumen = (np.asarray(ccta.labels.values) == LUMEN_LABEL).astype(np.uint8)
    write_volume(folder / "ccta_lumen.nii.gz", Volume(lumen, ccta.labels.index_to_world))
    write_volume(folder / "ccta_labels.nii.gz", ccta.labels)
    write_centerline_csv(folder / "ccta_centerline.csv", ccta.centerline)
    write_surface(folder / "ccta_wall.stl", ccta.wall)
    write_table(folder / "plaque.csv", PLAQUE_COLUMNS, ccta.plaques)


def _write_contours(folder: Path, case: Case, clockwise: bool) -> dict[str, Any]:
    """Write the outlines of the lumen; what the case file names of the pullback."""
    pullback, step = case.pullback, -1 if clockwise else 1
    write_contours(folder / CONTOURS, {"lumen": {k: v[::step] for k, v in pullback.lumen.items()}})
    solid = pullback.modality == "IVUS" and pullback.acquisition == "gated"
    run = {"lumen": CONTOURS, "catheter_type": "solid-state" if solid else "rotating"}
    return run | _written_positions(folder, pullback)


def _write_pullback_image(folder: Path, case: Case, pullback: PullbackTruth) -> dict[str, Any]:
    """Write the images; what the case file names of the pullback."""
    images, run = pullback.images, {"catheter_type": pullback.images.catheter_type}
    if pullback.dicom:
        write_pullback_dicom(folder / PULLBACK_DICOM, images, case.pullback, name=case.id)
        told = header_tells_positions(images, case.pullback)
        where = {} if told else _written_positions(folder, case.pullback)
        return {"image": PULLBACK_DICOM, **run, **where}
    spacing = (case.pullback.frame_spacing_mm, *images.pixel_spacing_mm[::-1].tolist())
    write_label_stack(
        folder / PULLBACK_IMAGE, iter(images.pixels), shape=images.pixels.shape, spacing_mm=spacing
    )
    where = _written_positions(folder, case.pullback)
    return {"image": PULLBACK_IMAGE, **run, "frame_rate_hz": images.frame_rate_hz, **where}


def _written_positions(folder: Path, pullback: Pullback) -> dict[str, Any]:
    """Say where the frames lie: in the case file, or in one that is written."""
    steps_mm = np.diff(pullback.position_mm[::-1])
    if np.ptp(steps_mm) < 1e-6:
        return {"frame_spacing_mm": round(float(np.median(steps_mm)), 6)}
    positions = zip(pullback.frame.tolist(), pullback.position_mm.tolist(), strict=True)
    write_positions(folder / POSITIONS, dict(positions))
    return {"positions": POSITIONS}


def _write_case(folder: Path, case: Case, ccta: Mapping[str, Any], run: Mapping[str, Any]) -> None:
    pullback = case.pullback
    clicks = (("ostium", case.ostium_mm), ("distal", case.distal_mm))
    points = {name: [float(each) for each in point] for name, point in clicks if point is not None}
    facts = {"modality": pullback.modality, "acquisition": pullback.acquisition, "view": pullback.view}
    known = {**run, **facts}
    write_landmarks(folder / "landmarks.csv", case.landmarks)
    content = {
        "id": case.id,
        "patient": case.patient,
        "vessel": case.vessel,
        "ccta": {**ccta, **points},
        "pullback": {key: known[key] for key in RUN_KEYS if key in known},
        "landmarks": {"file": "landmarks.csv"} if case.landmarks else None,
    }
    write_case_file(folder / CASE_NAME, content)


def _write_truth(folder: Path, truth: Truth) -> None:
    write_frames(folder / "frames.csv", truth.path)
    write_landmarks(folder / "landmarks.csv", truth.landmarks)
    write_ccta_side_branches(folder / "branches.csv", truth.side_branches)
    write_surface(folder / "lumen.stl", truth.lumen)
    write_table(folder / "facts.csv", ["fact", "value"], truth.facts.items())


def _is_phantom(folder: Path, case_id: str) -> bool:
    try:
        return (folder / TRUTH).is_dir() and read_case_file(folder).id == case_id
    except InputError:
        return False
