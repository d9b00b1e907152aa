"""Registration of pullback labels to a segmented CCTA, beside that to the CCTA's label."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from segmentation_scenes import NAN

from coreg import segmentation
from coreg.case import Case
from coreg.centerline import VesselTree
from coreg.errors import CoregError
from coreg.phantom import ccta_preset, make_ccta, make_patient, preset
from coreg.registration import register
from coreg.settings import RegistrationSettings, SurfacePrior, surface_of
from coreg.validation import landmark_errors
from coreg.volume import Volume


@dataclass(frozen=True)
class RegistrationRow:
    """Mean absolute landmark errors of one patient, with the CCTA's label and without."""

    seed: int
    label_mm: float = NAN
    label_deg: float = NAN
    image_mm: float = NAN
    image_deg: float = NAN
    verdict: str = ""
    error: str = ""


def registration_row(seed: int) -> RegistrationRow:
    """Register one patient's pullback in both ways."""
    patient = make_patient(seed, settings=preset("typical"))
    case = patient.case
    row = RegistrationRow(seed, *_landmarks(case)[:2])
    try:
        image = make_ccta(patient, settings=ccta_preset("typical")).image
        mm, deg, verdict = _landmarks(segmented_case(case, image), surface_of("segmented"))
        row = replace(row, image_mm=mm, image_deg=deg, verdict=verdict)
    except CoregError as error:
        row = replace(row, error=str(error))
    print(
        f"{seed}: from labels {row.label_mm:.2f} mm, {row.label_deg:.1f} deg; "
        f"from the image {row.image_mm:.2f} mm, {row.image_deg:.1f} deg {row.verdict}{row.error}",
        flush=True,
    )
    return row


def segmented_case(case: Case, image: Volume) -> Case:
    """Give a case the lumen and the centerline that are segmented from its CCTA image."""
    vessel = segmentation.segment_ccta(image, case.ostium_mm, case.distal_mm)
    lumen = segmentation.lumen_surface(vessel)
    return replace(case, lumen=lumen, tree=VesselTree((vessel.centerline,)))


def _landmarks(case: Case, surface: SurfacePrior | None = None) -> tuple[float, float, str]:
    result = register(case, settings=RegistrationSettings(surface=surface or SurfacePrior()))
    marks = landmark_errors(result.path, case.landmarks)
    mm, deg = (np.abs([getattr(mark, name) for mark in marks]) for name in ("error_mm", "error_deg"))
    return float(mm.mean()), float(deg.mean()), result.verdict


def registration_table(rows: list[RegistrationRow]) -> str:
    """Compare the two ways in Markdown, case by case and on average."""
    lines = [
        "| seed | from labels: mm / degrees | from the image: mm / degrees | ratio: mm / degrees | verdict |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        ratio = f"{row.image_mm / row.label_mm:.2f} / {row.image_deg / row.label_deg:.2f}"
        lines.append(
            f"| {row.seed} | {row.label_mm:.2f} / {row.label_deg:.1f} "
            f"| {row.image_mm:.2f} / {row.image_deg:.1f} | {ratio} | {row.verdict or 'error'} |"
        )
    done = [row for row in rows if not row.error]
    if done:
        names = ("label_mm", "label_deg", "image_mm", "image_deg")
        a, b, c, d = (float(np.mean([getattr(row, name) for row in done])) for name in names)
        lines.append(f"| mean | {a:.2f} / {b:.1f} | {c:.2f} / {d:.1f} | {c / a:.2f} / {d / b:.2f} | |")
    return "\n".join(lines)
