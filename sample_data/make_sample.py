"""Make the sample case anew: python sample_data/make_sample.py. For research use only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from coreg.case import Case
from coreg.catheter_path import VirtualCatheterPath
from coreg.io.phantom_files import Truth, write_phantom
from coreg.phantom import PhantomPatient, lumen_surface, make_patient
from coreg.pullback import Pullback

SEED = 40
NAME = "sample-OCT"


def every_second_frame(patient: PhantomPatient) -> tuple[Case, VirtualCatheterPath]:
    """Keep the even frames of a patient, numbered anew, with their true poses."""
    pullback, truth = patient.case.pullback, patient.truth
    kept = pullback.frame % 2 == 0
    rows = truth.frame % 2 == 0
    thinned = Pullback(
        pullback.frame[kept] // 2,
        pullback.position_mm[kept],
        {frame // 2: contour for frame, contour in pullback.lumen.items() if frame % 2 == 0},
        modality=pullback.modality,
        view=pullback.view,
    )
    poses = VirtualCatheterPath(
        truth.frame[rows] // 2,
        truth.position_mm[rows],
        truth.arc_length_mm[rows],
        truth.rotation_rad[rows],
        truth.origin_mm[rows],
        truth.column[rows],
        truth.row[rows],
        truth.reliable[rows],
        ("",) * int(rows.sum()),
    )
    landmarks = tuple(
        replace(each, frame=each.frame / 2.0) for each in patient.landmarks if each.frame is not None
    )
    case = replace(patient.case, id=NAME, patient=NAME, pullback=thinned, landmarks=landmarks)
    return case, poses


def main() -> None:
    """Write the case beside this script."""
    patient = make_patient(SEED)
    case, poses = every_second_frame(patient)
    surface = lumen_surface(patient.lumen, spacing_mm=0.5)
    truth = Truth(poses, case.landmarks, patient.side_branches, surface, patient.facts())
    write_phantom(Path(__file__).parent / NAME, case, truth, clockwise=patient.clockwise)


if __name__ == "__main__":
    main()
