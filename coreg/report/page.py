"""The page that a person looks at after a registration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from coreg.case import Case
from coreg.catheter_path import VirtualCatheterPath
from coreg.report import captions
from coreg.report import figures_along as along
from coreg.report.cards import Agreement, cards, how_sure
from coreg.report.figures_across import cross_sections
from coreg.report.figures_space import triangles_near, vessel_in_space
from coreg.report.html import Head, Part, Progress, case_facts, rendered, silent, unique
from coreg.report.measured import (
    Measured,
    area_agreement,
    doubt_around,
    in_rows_of,
    landmark_marks,
    measured,
    sections_at_landmarks,
    sections_by_fit,
    typical_distance_mm,
)
from coreg.report.style import look, png_uri, svg_uri
from coreg.report.tables import (
    flat_table,
    halves_text,
    hypothesis_table,
    landmark_table,
    number,
    reason_table,
    truth_table,
)
from coreg.result import Registration
from coreg.validation import FrameErrors, LandmarkError, landmark_errors

STAGE, MEASURED = "report: registration", 2
VERDICTS = {
    "good": "The lumens agree and nothing speaks against this placement.",
    "review": "A person has to look at this placement before it is used.",
    "failed": "This placement is not to be used.",
}


def write_report(
    path: Path,
    case: Case,
    registration: Registration,
    errors: Sequence[LandmarkError],
    truth_errors: FrameErrors | None = None,
    *,
    left_out: Sequence[LandmarkError] = (),
    more: Sequence[Part] = (),
    notes: Sequence[str] = (),
    progress: Progress = silent,
) -> None:
    """Write ``report.html``; see ``report_html``."""
    html = report_html(
        case,
        registration,
        errors,
        truth_errors,
        left_out=left_out,
        more=more,
        notes=notes,
        progress=progress,
    )
    path.write_text(html, encoding="utf-8")


def report_html(
    case: Case,
    registration: Registration,
    errors: Sequence[LandmarkError],
    truth_errors: FrameErrors | None = None,
    *,
    left_out: Sequence[LandmarkError] = (),
    more: Sequence[Part] = (),
    notes: Sequence[str] = (),
    progress: Progress = silent,
) -> str:
    """Make one self-contained HTML page of a registration.

    Parameters
    ----------
    case : Case
        What was registered.
    registration : Registration
        The result.
    errors : sequence of LandmarkError
        At paired landmarks; may be empty.
    truth_errors : FrameErrors, optional
        Of all frames, where a phantom's exact poses are known.
    left_out : sequence of LandmarkError
        At the same landmarks, each on a path found without it.
    more : sequence of Part
        Further sections, such as those of a segmentation, before how it was made.
    notes : sequence of str
        What a person should know besides, such as how inputs were read.
    progress : callable
        Takes a stage's name and the share that is done.
    """
    progress(STAGE, 0.0)
    data = measured(case, registration)
    with look():
        parts = _parts(case, registration, data, errors, left_out, truth_errors, progress)
    known = [each for each in case.landmarks if each.id in {error.id for error in errors}]
    rigid_errors = landmark_errors(registration.rigid_path, known)
    agreement = Agreement(typical_distance_mm(data, registration.residual_mm), area_agreement(data))
    pullback = case.pullback
    facts = [
        *case_facts(case.patient, case.vessel),
        *([pullback.modality] if pullback.modality else []),
        f"{len(pullback)} frames over {number(pullback.length_mm, 1)} mm",
        pullback.view,
    ]
    return rendered(
        Head(
            case.id,
            facts,
            registration.verdict,
            VERDICTS[registration.verdict],
            registration.reasons,
            unique(notes),
            how_sure(registration.path),
        ),
        cards(registration, errors, rigid_errors, truth_errors, agreement, left_out=left_out),
        [*parts, *more, *_making_parts(registration)],
    )


def _parts(
    case: Case,
    registration: Registration,
    data: Measured,
    errors: Sequence[LandmarkError],
    left_out: Sequence[LandmarkError],
    truth_errors: FrameErrors | None,
    progress: Progress,
) -> list[Part]:
    steps: list[Callable[[], Sequence[Part]]] = [
        lambda: _landmark_part(registration, case, data, errors, left_out),
        lambda: _truth_part(data, truth_errors),
        lambda: _lengthwise_parts(registration, case, data, errors),
        lambda: _fit_part(data, registration),
        lambda: _space_part(case, registration),
        lambda: _motion_part(data, registration),
        lambda: _confidence_part(case, data, registration),
    ]
    parts: list[Part] = []
    for i, step in enumerate(steps):
        # What was measured before took as long as two or three figures.
        progress(STAGE, (i + MEASURED) / (len(steps) + MEASURED))
        parts += step()
    return parts


def _landmark_part(
    registration: Registration,
    case: Case,
    data: Measured,
    errors: Sequence[LandmarkError],
    left_out: Sequence[LandmarkError],
) -> list[Part]:
    if not errors:
        return []
    sections = sections_at_landmarks(data, registration.path, case.landmarks, errors)
    figures = [svg_uri(cross_sections(sections))] if sections else []
    table = landmark_table(
        errors,
        guides=registration.guides,
        left_out=left_out,
        doubts=[doubt_around(registration.path, each) for each in errors],
    )
    caption = captions.LANDMARKS
    caption += captions.GUIDES if registration.guides else ""
    caption += halves_text(case.landmarks)
    caption += captions.LEFT_OUT if left_out else ""
    return [Part("landmarks", "Landmarks", caption, figures, [table])]


def _truth_part(data: Measured, truth_errors: FrameErrors | None) -> list[Part]:
    if truth_errors is None:
        return []
    found = {frame: i for i, frame in enumerate(truth_errors.frame.tolist())}
    rows = [found.get(frame) for frame in data.frames.frame.tolist()]
    series = [
        np.array([np.nan if row is None else values[row] for row in rows])
        for values in (truth_errors.error_mm, truth_errors.error_deg)
    ]
    figure = svg_uri(along.true_errors(data.frames, *series))
    return [
        Part(
            "truth",
            "All frames against the exact truth",
            captions.TRUTH,
            [figure],
            [truth_table(truth_errors)],
        )
    ]


def _lengthwise_parts(
    registration: Registration, case: Case, data: Measured, errors: Sequence[LandmarkError]
) -> list[Part]:
    marks = landmark_marks(data, registration.path, case.landmarks, errors)
    profiles = (data.pullback, data.ccta_before, data.ccta_after)
    lengthwise = svg_uri(along.lengthwise(data.frames, *profiles, marks))
    maps = png_uri(along.unrolled_maps(data.frames, *profiles, marks))
    return [
        Part(
            "areas",
            "Areas and lengthwise cuts, before and after",
            captions.LENGTHWISE,
            [lengthwise],
        ),
        Part(
            "maps",
            "Unrolled lumens",
            captions.MAPS,
            [maps],
        ),
    ]


def _fit_part(data: Measured, registration: Registration) -> list[Part]:
    sections = sections_by_fit(data, registration.residual_mm)
    if not sections:
        return []
    return [Part("sections", "Cross-sections", captions.SECTIONS, [svg_uri(cross_sections(sections))])]


def _space_part(case: Case, registration: Registration) -> list[Part]:
    path = registration.path
    posed = path.origin_mm[path.posed]
    line = registration.centerline.points_mm
    triangles = triangles_near(case.known_lumen, posed if len(posed) else line)
    known = [(each.id, each.world_mm) for each in case.landmarks if each.world_mm is not None]
    figure = vessel_in_space(triangles, line, path.origin_mm, path.reliable, known)
    return [Part("space", "In space", captions.SPACE, [png_uri(figure)])]


def _motion_part(data: Measured, registration: Registration) -> list[Part]:
    path, rigid = registration.path, in_rows_of(registration.path, registration.rigid_path)
    figure = along.motion(data.frames, _course(path), _course(rigid))
    return [Part("motion", "Motion of the catheter", captions.MOTION, [svg_uri(figure)])]


def _course(path: VirtualCatheterPath) -> along.Course:
    return along.Course(
        path.arc_length_mm,
        np.degrees(path.rotation_rad),
        path.arc_length_sd_mm,
        np.degrees(path.rotation_sd_rad),
    )


def _confidence_part(case: Case, data: Measured, registration: Registration) -> list[Part]:
    excluded = np.isin(data.frames.frame, list(case.pullback.excluded))
    figure = along.confidence(data.frames, registration.residual_mm, excluded)
    table = reason_table(registration.path)
    return [Part("confidence", "Confidence", captions.CONFIDENCE, [svg_uri(figure)], [table])]


def _making_parts(registration: Registration) -> list[Part]:
    guided = bool(registration.guides)
    # No landmark guides the rigid placement, so that its cost would mostly count how far it misses them.
    alike = {name: cost for name, cost in registration.costs.items() if not (guided and name == "rigid")}
    return [
        Part(
            "hypotheses",
            "Other placements that were tried",
            captions.HYPOTHESES,
            (),
            [hypothesis_table(registration.hypotheses)],
        ),
        Part(
            "making",
            "How it was made",
            captions.MAKING + (captions.GUIDED_COSTS if guided else ""),
            (),
            [flat_table(alike), flat_table(registration.settings), flat_table(registration.provenance)],
            folded=True,
        ),
    ]
