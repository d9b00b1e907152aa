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
from coreg.io.landmark_files import write_ccta_side_branches, write_landmarks, write_positions
from coreg.io.result_folder import replaced_folder
from coreg.io.surfaces import write_surface
from coreg.io.tables import Cell, write_table
from coreg.io.volumes import write_volume
from coreg.landmarks import Landmark, SideBranch
from coreg.surface import Surface
from coreg.volume import Volume

TRUTH = "truth"
IMAGE, DICOM = "ccta.nii.gz", "ccta"
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


def write_phantom(
    folder: Path,
    case: Case,
    truth: Truth,
    *,
    ccta: ImageTruth | None = None,
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
        named = _write_lumen(temporary, case) if ccta is None else _write_image(temporary, case, ccta)
        _write_case(temporary, case, named, clockwise=clockwise)
        (temporary / TRUTH).mkdir()
        _write_truth(temporary / TRUTH, truth)
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


def _write_case(folder: Path, case: Case, ccta: Mapping[str, Any], *, clockwise: bool) -> None:
    pullback = case.pullback
    clicks = (("ostium", case.ostium_mm), ("distal", case.distal_mm))
    points = {name: [float(each) for each in point] for name, point in clicks if point is not None}
    step = -1 if clockwise else 1
    write_contours(folder / "contours.csv", {"lumen": {k: v[::step] for k, v in pullback.lumen.items()}})
    gated = pullback.modality == "IVUS"
    run: dict[str, Any] = {
        "lumen": "contours.csv",
        "modality": pullback.modality,
        "catheter_type": "solid-state" if gated else "rotating",
        "acquisition": "gated" if gated else "motorized",
        "view": pullback.view,
    }
    steps_mm = np.diff(pullback.position_mm[::-1])
    if np.ptp(steps_mm) < 1e-6:
        run["frame_spacing_mm"] = round(float(np.median(steps_mm)), 6)
    else:
        run["positions"] = "positions.csv"
        positions = zip(pullback.frame.tolist(), pullback.position_mm.tolist(), strict=True)
        write_positions(folder / "positions.csv", dict(positions))
    write_landmarks(folder / "landmarks.csv", case.landmarks)
    content = {
        "id": case.id,
        "patient": case.patient,
        "vessel": case.vessel,
        "ccta": {**ccta, **points},
        "pullback": run,
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
