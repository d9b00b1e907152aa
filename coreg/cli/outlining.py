"""What a case does not outline is segmented on the way to its registration, written, and read back.

A registration works with what the files hold, so that whoever takes up these files finds the same.
"""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coreg.cli.console import Progress, part_of
from coreg.cli.options import Phase
from coreg.cli.provenance import provenance
from coreg.cli.pullback_segmenting import segmented_pullback
from coreg.cli.running import entered, use_threads
from coreg.cli.segmenting import segmented, with_phase

if TYPE_CHECKING:
    from coreg.case import Case, CctaCase, PullbackCase
    from coreg.ccta_vessel import CctaVessel
    from coreg.io.case_file import CaseFile
    from coreg.io.outlines import Outlines
    from coreg.pullback_vessel import PullbackVessel
    from coreg.surface import Surface


@dataclass(frozen=True, eq=False)
class SegmentedCcta:
    """The CCTA of a case, and what was found in its image."""

    case: CctaCase
    vessel: CctaVessel
    lumen: Surface


@dataclass(frozen=True, eq=False)
class SegmentedPullback:
    """The pullback of a case, and what was found in its images."""

    case: PullbackCase
    vessel: PullbackVessel


@dataclass(frozen=True, eq=False)
class Found:
    """What was segmented on the way."""

    ccta: SegmentedCcta | None = None
    pullback: SegmentedPullback | None = None

    @property
    def outlines(self) -> Outlines:
        """The same without the images."""
        from coreg.io.outlines import Outlines

        return Outlines(
            None if self.ccta is None else self.ccta.vessel,
            None if self.ccta is None else self.ccta.lumen,
            None if self.pullback is None else self.pullback.vessel,
        )


def to_segment(case_file: CaseFile) -> bool:
    """Whether a case leaves one of its lumens to be segmented."""
    return case_file.ccta.lumen is None or case_file.pullback.lumen is None


def outlined(
    folder: Path,
    given: Case,
    case_file: CaseFile,
    *,
    phase: Phase = Phase.auto,
    segmentation: Path | None = None,
    progress: Progress,
) -> Found:
    """Segment what a case does not outline into a folder, or take it over from another one.

    Parameters
    ----------
    folder : Path
        Made where there is anything to write.
    given : Case
        With the images of what it does not outline.
    case_file : CaseFile
        That it was read from.
    phase : Phase
        Of the heart, where the pullback's images run through the heartbeat.
    segmentation : Path, optional
        Where it was written before.
    progress : callable
        Takes a stage's name and the share that is done.

    Raises
    ------
    InputError
        If an image cannot be used, or what was written before cannot.
    """
    from coreg.io.files import unusable
    from coreg.io.outlines import SEGMENTATION_PAGES, read_outlines

    if given.lumen is not None and given.pullback_images is None:
        return Found()
    if segmentation is None:
        _segment(folder, given, case_file, phase, progress)
    else:
        shutil.copytree(segmentation, folder, ignore=shutil.ignore_patterns(*SEGMENTATION_PAGES))
    seen = read_outlines(folder, given)
    ccta, pullback = None, None
    if seen.ccta is not None and seen.ccta_lumen is not None:
        ccta = SegmentedCcta(given.ccta, seen.ccta, seen.ccta_lumen)
    if seen.pullback is not None:
        pullback = SegmentedPullback(given.pullback_case, seen.pullback)
    whole = (given.lumen is not None or ccta) and (given.pullback_images is None or pullback)
    if not whole:
        expected = "all that was segmented of this case; delete that folder to have it segmented anew"
        raise unusable(segmentation or folder, "", found="a part of it", expected=expected)
    return Found(ccta, pullback)


def _segment(folder: Path, given: Case, case_file: CaseFile, phase: Phase, progress: Progress) -> None:
    """Segment the pullback, which is faster to refuse, and then the CCTA; write both."""
    from coreg.io.case_file import ccta_input_paths, pullback_input_paths
    from coreg.io.pullback_segmentation_files import write_pullback_segmentation
    from coreg.io.segmentation_files import write_ccta_segmentation

    vessel, share = None, 0.0
    if given.pullback_images is not None:
        share = 0.5 if given.lumen is None else 1.0
        case, vessel = segmented_pullback(
            given.pullback_case, phase=phase, progress=part_of(progress, 0.0, share)
        )
        vessel = _with_phase_note(vessel, given)
    ccta = None if given.lumen is not None else segmented(given.ccta, progress=part_of(progress, share, 1.0))
    folder.mkdir()
    if vessel is not None:
        made = _made(case_file, pullback_input_paths(case_file), given)
        write_pullback_segmentation(folder, vessel, case.pullback, case.images, case_id=given.id, made=made)
    if ccta is not None:
        made = _made(case_file, ccta_input_paths(case_file), given)
        write_ccta_segmentation(folder, *ccta, case_id=given.id, made=made)


def _made(case_file: CaseFile, inputs: tuple[Path, ...], given: Case) -> Mapping[str, Any]:
    return with_phase(provenance(case_file, inputs), given.ccta_phase_percent)


def _with_phase_note(vessel: PullbackVessel, case: Case) -> PullbackVessel:
    """Note at the pullback that the CCTA shows another phase of the heart, where that is so."""
    if vessel.gating is None:
        return vessel
    from coreg.registration import phase_note

    note = phase_note(case.ccta_phase_percent, vessel.gating)
    return dataclasses.replace(vessel, notes=(*vessel.notes, *([note] if note else [])))


def segment_on_its_own(path: Path, out: Path, *, threads: int | None, progress: Progress) -> float:
    """Segment what a case does not outline, and leave its result folder with that alone.

    Where a case outlines all, nothing is done.

    Parameters
    ----------
    path : Path
        case.toml or its folder.
    out : Path
        The result folder; what the reviewer's tool wrote into it stays.
    threads : int or None
        CPU threads; None leaves the choice to the libraries.
    progress : callable
        Takes a stage's name and the share that is done.

    Returns
    -------
    float
        Seconds that it took.
    """
    use_threads(threads)
    progress("reading the case", 0.0)
    from coreg.io.case_file import input_paths, load_case, read_case_file
    from coreg.io.files import naming
    from coreg.io.outlines import SEGMENTATION
    from coreg.io.results import replaced_folder

    start = time.perf_counter()
    case_file = read_case_file(path)
    if not to_segment(case_file):
        return 0.0
    with ExitStack() as stack:
        folder = entered(stack, replaced_folder(out, case_file.id, inputs=input_paths(case_file)))
        given = load_case(path, progress=part_of(progress, 0.0, 0.1))
        with naming(str(case_file.path)):
            segmentation = folder / SEGMENTATION
            found = outlined(segmentation, given, case_file, progress=part_of(progress, 0.1, 0.8))
        _write_pages(segmentation, found, given, case_file, part_of(progress, 0.8, 1.0))
    progress("done", 1.0)
    return time.perf_counter() - start


def _write_pages(folder: Path, found: Found, given: Case, case_file: CaseFile, progress: Progress) -> None:
    """Write the pages that show what was segmented."""
    from coreg.io.case_file import ccta_input_paths, pullback_input_paths
    from coreg.io.outlines import CCTA_PAGE, PULLBACK_PAGE
    from coreg.report import write_pullback_report, write_segmentation_report

    if found.pullback is not None:
        seen, made = found.pullback, _made(case_file, pullback_input_paths(case_file), given)
        drawing = part_of(progress, 0.0, 0.5)
        write_pullback_report(
            folder / PULLBACK_PAGE, seen.case, seen.vessel, made, outlined=False, progress=drawing
        )
    if found.ccta is not None:
        ccta, made = found.ccta, _made(case_file, ccta_input_paths(case_file), given)
        drawing = part_of(progress, 0.5, 1.0)
        write_segmentation_report(
            folder / CCTA_PAGE, ccta.case, ccta.vessel, ccta.lumen, made, progress=drawing
        )
