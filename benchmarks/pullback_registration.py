"""Registration from raw images on both sides, beside that of the same patients from labels."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
from compare_tables import WRONG
from segmentation_registration import segmented_case

from coreg.errors import CoregError
from coreg.phantom import (
    PhantomPatient,
    ccta_preset,
    make_ccta,
    make_patient,
    make_pullback_images,
    preset,
    pullback_preset,
)
from coreg.pullback import Modality
from coreg.pullback_vessel import PullbackVessel
from coreg.registration import doubted_frames, register
from coreg.result import Registration
from coreg.segmentation import segment_pullback, with_vessel
from coreg.settings import RegistrationSettings, surface_of
from coreg.validation import frame_errors, landmark_errors

NAN = float("nan")
LEVEL = "typical"


@dataclass(frozen=True)
class PlacedRow:
    """Mean absolute errors of one patient's registration.

    Attributes
    ----------
    seed, modality, source : int, str, str
        Which; ``labels`` or ``images``.
    landmark_mm, landmark_deg : float
        At the bifurcations.
    worst_mm : float
        The largest of the former.
    all_mm, all_deg : float
        Of all frames with a pose.
    verdict, error : str
        What the registration says of itself, or why there is none.
    """

    seed: int
    modality: str
    source: str
    landmark_mm: float = NAN
    landmark_deg: float = NAN
    worst_mm: float = NAN
    all_mm: float = NAN
    all_deg: float = NAN
    verdict: str = "error"
    error: str = ""

    @property
    def right(self) -> bool:
        """Whether the mean landmark error is within 1.5 mm and 20 degrees."""
        return self.landmark_mm <= WRONG[0] and self.landmark_deg <= WRONG[1]


def placed_rows(seed: int, modality: Modality) -> list[PlacedRow]:
    """Register one patient in both ways."""
    begin = time.perf_counter()
    patient = make_patient(seed, settings=preset(LEVEL, modality=modality))
    rows = [_row(patient, "labels"), _row(patient, "images")]
    a, b = rows
    print(
        f"{modality} {seed}: labels {a.landmark_mm:.2f} mm, {a.landmark_deg:.1f} deg ({a.verdict}); images "
        f"{b.landmark_mm:.2f} mm, {b.landmark_deg:.1f} deg ({b.verdict}) {b.error}"
        f"{time.perf_counter() - begin:.0f} s",
        flush=True,
    )
    return rows


def _row(patient: PhantomPatient, source: str) -> PlacedRow:
    row = PlacedRow(patient.seed, str(patient.settings.modality), source)
    try:
        result = register(patient.case) if source == "labels" else _from_images(patient)
    except CoregError as error:
        return replace(row, error=str(error))
    marks = landmark_errors(result.path, patient.case.landmarks)
    mm, deg = (np.abs([getattr(mark, name) for mark in marks]) for name in ("error_mm", "error_deg"))
    frames = frame_errors(result.path, patient.truth)
    return replace(
        row,
        landmark_mm=float(mm.mean()),
        landmark_deg=float(deg.mean()),
        worst_mm=float(mm.max()),
        all_mm=float(np.abs(frames.error_mm).mean()),
        all_deg=float(np.abs(frames.error_deg).mean()),
        verdict=result.verdict,
    )


def _from_images(patient: PhantomPatient) -> Registration:
    """Segment the images of both, then register; as ``coreg register`` does."""
    case = segmented_case(patient.case, make_ccta(patient, settings=ccta_preset(LEVEL)).image)
    vessel = _pullback_vessel(patient)
    case = replace(case, pullback=with_vessel(case.pullback, vessel))
    found = register(case, settings=RegistrationSettings(surface=surface_of("segmented")))
    return doubted_frames(found, vessel)


def _pullback_vessel(patient: PhantomPatient) -> PullbackVessel:
    modality = patient.settings.modality
    made = make_pullback_images(
        patient, settings=pullback_preset(LEVEL, modality=modality), ccta_settings=ccta_preset(LEVEL)
    )
    return segment_pullback(made.images, patient.case.pullback)


def placed_table(rows: list[PlacedRow]) -> str:
    """Compare the two ways in Markdown, case by case and on average."""
    lines = [
        "| modality, seed | landmarks, mm / degrees: labels | images | all frames, mm / degrees: labels "
        "| images | right: labels | images | verdict: labels | images |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    pairs = list(zip(rows[::2], rows[1::2], strict=True))
    for a, b in pairs:
        cells = [f"{a.modality} {a.seed}", *(_landmark(each) for each in (a, b))]
        cells += [f"{each.all_mm:.2f} / {each.all_deg:.1f}" for each in (a, b)]
        cells += ["yes" if each.right else "no" for each in (a, b)]
        lines.append(f"| {' | '.join([*cells, a.verdict, b.verdict])} |")
    modalities = dict.fromkeys(row.modality for row in rows)
    lines += [_mean_line([pair for pair in pairs if pair[0].modality == name]) for name in modalities]
    failed = [row for row in rows if row.error]
    lines += ["", *(f"{row.modality} {row.seed}, from {row.source}: {row.error}" for row in failed)]
    return "\n".join(lines)


def _landmark(row: PlacedRow) -> str:
    return f"{row.landmark_mm:.2f} / {row.landmark_deg:.1f} (worst {row.worst_mm:.2f} mm)"


def _mean_line(pairs: list[tuple[PlacedRow, PlacedRow]]) -> str:
    """Means over the cases that were registered in both ways, and their ratio."""
    done = [pair for pair in pairs if not (pair[0].error or pair[1].error)]
    if not done:
        return f"| {pairs[0][0].modality}, mean |{' - |' * 8}"
    names = ("landmark_mm", "landmark_deg", "all_mm", "all_deg")
    mean = np.array([[[getattr(row, name) for name in names] for row in pair] for pair in done]).mean(axis=0)
    right = [f"{sum(pair[k].right for pair in pairs)} of {len(pairs)}" for k in range(2)]
    good = [f"{sum(pair[k].verdict == 'good' for pair in pairs)} good" for k in range(2)]
    a, b = mean
    times = b / a
    cells = [
        f"{pairs[0][0].modality}, mean",
        f"{a[0]:.2f} / {a[1]:.1f}",
        f"{b[0]:.2f} / {b[1]:.1f}, {times[0]:.2f} / {times[1]:.2f} times as much",
        f"{a[2]:.2f} / {a[3]:.1f}",
        f"{b[2]:.2f} / {b[3]:.1f}, {times[2]:.2f} / {times[3]:.2f} times as much",
        *right,
        *good,
    ]
    return f"| {' | '.join(cells)} |"
