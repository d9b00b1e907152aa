"""One registration on the command line: from a case file to a result folder."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

from coreg.cli.console import Progress, part_of
from coreg.cli.landmarks import guiding_landmarks, half_ids, paired_landmarks
from coreg.cli.options import Phase
from coreg.cli.outcome import Outcome
from coreg.cli.outlining import Found, SegmentedCcta, SegmentedPullback, outlined
from coreg.cli.provenance import provenance
from coreg.cli.pullback_segmenting import idle_phase_notes
from coreg.cli.running import REPORT, entered, use_threads
from coreg.cli.segmenting import with_phase
from coreg.cli.starting import Placed, read_start, solved_from, start_file_of

if TYPE_CHECKING:
    from coreg.case import Case, PullbackCase
    from coreg.catheter_path import VirtualCatheterPath
    from coreg.landmarks import Landmark
    from coreg.pullback import Pullback
    from coreg.registration import Solved
    from coreg.report import Part
    from coreg.result import Registration
    from coreg.settings import RegistrationSettings
    from coreg.validation import LandmarkError

LANDMARKS = "landmarks.csv"
# Contours of fewer frames are worth a word.
FEW_OUTLINED = 0.9


@dataclass(frozen=True)
class Wanted:
    """How a case is to be registered.

    Attributes
    ----------
    method, device : str
        As on the command line.
    seed : int
        Of everything random.
    threads : int or None
        CPU threads; None leaves the choice to the libraries.
    force : bool
        Replace whatever is in the way.
    phase : Phase
        Of the heart, where the pullback's images run through the heartbeat.
    use_landmarks : bool
        Whether the case's landmarks guide.
    locked : tuple of str
        Ids of guides that the result has to meet; ``all`` for all of them.
    leave_one_out : bool
        Whether each landmark is also measured on a path found without it.
    landmarks : Path or None
        A table that takes the place of the case's landmarks.
    start : Path or None
        A registration.json or a result folder with the placement to go on from.
    segmentation : Path or None
        Where what the case does not outline was segmented before.
    solved : Path or None
        A registration.json of the same case and settings, found before; it only remains to be completed.
    """

    method: Literal["nonrigid", "rigid", "dtw", "dp", "bspline"] = "nonrigid"
    device: str = "auto"
    seed: int = 0
    threads: int | None = None
    force: bool = False
    phase: Phase = Phase.auto
    use_landmarks: bool = False
    locked: tuple[str, ...] = ()
    leave_one_out: bool = False
    landmarks: Path | None = None
    start: Path | None = None
    segmentation: Path | None = None
    solved: Path | None = None


def check_device(device: str) -> None:
    """Refuse a device that is not there."""
    if device == "cuda":
        import torch

        if not torch.cuda.is_available():
            msg = "--device cuda: torch finds no CUDA device here; use --device auto or cpu"
            raise typer.BadParameter(msg)


def register_case(
    path: Path, out: Path, wanted: Wanted, *, progress: Progress, truth: VirtualCatheterPath | None = None
) -> Outcome:
    """Register a case and write its result folder, whole or not at all.

    Parameters
    ----------
    path : Path
        case.toml or its folder.
    out : Path
        The result folder.
    wanted : Wanted
        How.
    progress : callable
        Takes a stage's name and the share that is done.
    truth : VirtualCatheterPath, optional
        A phantom's exact poses, to measure all frames against.
    """
    check_device(wanted.device)
    use_threads(wanted.threads)
    progress("reading the case", 0.0)
    from coreg.io.case_file import input_paths, load_case, read_case_file
    from coreg.io.files import naming
    from coreg.io.outlines import SEGMENTATION, with_outlines
    from coreg.io.results import read_registration, replaced_folder

    start = time.perf_counter()
    case_file = read_case_file(path)
    with ExitStack() as stack:
        start_file = None if wanted.start is None else start_file_of(wanted.start)
        inputs = (*input_paths(case_file), *filter(None, (wanted.landmarks, start_file)))
        folder = entered(stack, replaced_folder(out, case_file.id, force=wanted.force, inputs=inputs))
        given = load_case(path, landmarks=wanted.landmarks, progress=part_of(progress, 0.0, 0.05))
        guides = _guides(given, wanted, wanted.landmarks or case_file.path)
        placed = None if start_file is None else read_start(start_file, given)
        made = with_phase(provenance(case_file, inputs), given.ccta_phase_percent)
        with naming(str(case_file.path)):
            found = outlined(
                folder / SEGMENTATION,
                given,
                case_file,
                phase=wanted.phase,
                segmentation=wanted.segmentation,
                progress=part_of(progress, 0.05, 0.6),
            )
            case = with_outlines(given, found.outlines)
            segmented_any = found.ccta is not None or found.pullback is not None
            rest = part_of(progress, 0.6 if segmented_any else 0.05, 0.9)
            settings = settings_of(wanted, segmented=found.ccta is not None)
            left_out: tuple[LandmarkError, ...] = ()
            if wanted.solved is not None:
                registration = read_registration(wanted.solved)
            else:
                solved = _solved(case, wanted, settings, guides, placed, progress=rest)
                registration = solved.registration
                left_out = _left_out(case, solved, wanted, guides, progress=progress)
        # What is segmented has its notes.
        notes = () if found.pullback is not None else _contour_notes(given.pullback_case, wanted.phase)
        registration = _completed(registration, made, found, case.pullback)
        registration = _with_notes(registration, [*notes, *_found_notes(case, found)])
        outcome = _written(
            folder, case, registration, truth, found, left_out, progress=part_of(progress, 0.9, 1.0)
        )
    progress("done", 1.0)
    return dataclasses.replace(outcome, out=out, seconds=time.perf_counter() - start, notes=notes)


def _contour_notes(case: PullbackCase, phase: Phase) -> tuple[str, ...]:
    pullback = case.pullback
    outlined = sum(frame in pullback.lumen for frame in pullback.frame.tolist())
    few = f"{outlined} of {len(pullback)} frames have a contour; the other poses follow from theirs"
    sparse = (few,) if outlined < FEW_OUTLINED * len(pullback) else ()
    return (*pullback.notes, *sparse, *idle_phase_notes(case, phase))


def _guides(case: Case, wanted: Wanted, path: Path) -> tuple[Landmark, ...]:
    if wanted.leave_one_out:
        paired_landmarks(case, path)
    return guiding_landmarks(case, locked=wanted.locked, path=path) if wanted.use_landmarks else ()


def _left_out(
    case: Case, solved: Solved, wanted: Wanted, guides: Sequence[Landmark], *, progress: Progress
) -> tuple[LandmarkError, ...]:
    """Measure each landmark on a path found without it, where that is wanted."""
    from coreg.registration import left_out_errors

    if not wanted.leave_one_out:
        return ()
    return left_out_errors(
        solved,
        case.landmarks,
        guides=guides,
        progress=lambda share: progress("landmarks left out", 0.88 + 0.02 * share),
    )


def settings_of(wanted: Wanted, *, segmented: bool) -> RegistrationSettings:
    """Make the settings of a registration with a CCTA that was segmented or outlined by its case."""
    from coreg.settings import RegistrationSettings, surface_of

    surface = surface_of("segmented" if segmented else "outlined")
    return RegistrationSettings(surface=surface, seed=wanted.seed)


def _solved(
    case: Case,
    wanted: Wanted,
    settings: RegistrationSettings,
    guides: Sequence[Landmark],
    placed: Placed | None,
    *,
    progress: Progress,
) -> Solved:
    """Place a pullback, from a placement that is known where there is one."""
    if placed is not None:
        return solved_from(
            case, placed, settings=settings, device=wanted.device, guides=guides, progress=progress
        )
    progress("loading the numerical libraries", 0.0)
    from coreg.registration import solve

    return solve(
        case,
        settings=settings,
        method=wanted.method,
        device=wanted.device,
        threads=wanted.threads or os.cpu_count() or 1,
        progress=part_of(progress, 0.05, 1.0),
        guides=guides,
    )


def _completed(
    registration: Registration, made: Mapping[str, Any], found: Found, pullback: Pullback
) -> Registration:
    """Add how it was made, and the doubts that come with automatic segmentations."""
    from coreg.registration import doubted, doubted_contours, doubted_frames

    provenance = {
        **made,
        **registration.provenance,
        "ccta_lumen": _origin(found.ccta),
        "pullback_lumen": _origin(found.pullback),
    }
    gating = None if found.pullback is None else found.pullback.vessel.gating
    if gating is not None:
        provenance |= {"pullback_phase": gating.phase, "pullback_phase_probability": gating.probability}
    registration = dataclasses.replace(registration, provenance=provenance)
    if found.ccta is not None:
        registration = doubted(registration, found.ccta.vessel)
    if found.pullback is not None:
        return doubted_frames(registration, found.pullback.vessel)
    return doubted_contours(registration, pullback)


def _found_notes(case: Case, found: Found) -> list[str]:
    """What a person should know of how images were read and segmented."""
    of_ccta = case.ccta_notes if found.ccta is None else found.ccta.vessel.notes
    return [*of_ccta, *(() if found.pullback is None else found.pullback.vessel.notes)]


def _with_notes(registration: Registration, notes: Sequence[str]) -> Registration:
    """Keep notes with how a registration was made, each once."""
    provenance = {**registration.provenance, "notes": list(dict.fromkeys(notes))}
    return dataclasses.replace(registration, provenance=provenance)


def _origin(found: SegmentedCcta | SegmentedPullback | None) -> str:
    if found is None:
        return "as given"
    return "segmented from the image" if isinstance(found, SegmentedCcta) else "segmented from the images"


def _written(
    folder: Path,
    case: Case,
    registration: Registration,
    truth: VirtualCatheterPath | None,
    found: Found,
    left_out: tuple[LandmarkError, ...],
    *,
    progress: Progress,
) -> Outcome:
    """Measure the errors and write all files of a result."""
    progress("writing the files", 0.0)
    from coreg.io.landmark_files import write_landmarks
    from coreg.io.results import write_frames, write_registration, write_validation
    from coreg.report import write_report
    from coreg.validation import frame_errors, landmark_errors

    errors = landmark_errors(registration.path, case.landmarks)
    truth_errors = None if truth is None else frame_errors(registration.path, truth)
    write_frames(folder / "frames.csv", registration.path)
    write_registration(folder, registration, case_id=case.id)
    if errors:
        write_validation(folder / "validation.csv", errors, guides=registration.guides, left_out=left_out)
        write_landmarks(folder / LANDMARKS, case.landmarks)
    more = _segmentation_parts(found, progress=part_of(progress, 0.0, 0.5))
    write_report(
        folder / REPORT,
        case,
        registration,
        errors,
        truth_errors,
        left_out=left_out,
        more=more,
        notes=registration.provenance["notes"],
        progress=part_of(progress, 0.5 if more else 0.0, 1.0),
    )
    return Outcome(
        case.id,
        registration,
        errors,
        truth_errors,
        folder,
        0.0,
        found,
        left_out=left_out,
        halves=half_ids(case.landmarks),
    )


def _segmentation_parts(found: Found, *, progress: Progress) -> list[Part]:
    """Make the sections of the page that show what was segmented."""
    from coreg.report import pullback_parts, segmentation_parts

    parts: list[Part] = []
    if found.pullback is not None:
        parts += pullback_parts(
            found.pullback.case, found.pullback.vessel, progress=part_of(progress, 0.0, 0.5)
        )
    if found.ccta is not None:
        ccta, drawing = found.ccta, part_of(progress, 0.5, 1.0)
        parts += segmentation_parts(ccta.case, ccta.vessel, ccta.lumen, progress=drawing)
    return parts
