"""What a result folder segmented of the modalities that its case does not outline."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from coreg.case import Case
from coreg.ccta_vessel import CctaVessel
from coreg.errors import InputError
from coreg.io import pullback_segmentation_files as pullback_files
from coreg.io import segmentation_files as ccta_files
from coreg.io.files import is_there, unusable
from coreg.io.json_fields import case_id_of
from coreg.io.surfaces import read_surface
from coreg.pullback_vessel import PullbackVessel
from coreg.segmented_case import with_ccta_vessel, with_pullback_vessel
from coreg.surface import Surface

# In a result folder.
SEGMENTATION = "segmentation"
# In it, where it was made on its own: pages to look at.
SEGMENTATION_PAGES = CCTA_PAGE, PULLBACK_PAGE = "ccta.html", "pullback.html"


@dataclass(frozen=True, eq=False)
class Outlines:
    """What was segmented, with quality and reasons; None where the case has the outlines itself.

    Attributes
    ----------
    ccta : CctaVessel or None
        The vessel in the CCTA.
    ccta_lumen : Surface or None
        Its lumen, side branches included.
    pullback : PullbackVessel or None
        The vessel in the pullback.
    """

    ccta: CctaVessel | None = None
    ccta_lumen: Surface | None = None
    pullback: PullbackVessel | None = None


def read_outlines(folder: Path, case: Case) -> Outlines:
    """Read what was segmented of a case, to 0.1 micrometres; nothing where nothing was.

    Parameters
    ----------
    folder : Path
        With the files of section 5 of the contract, of either modality or both; may be missing.
    case : Case
        As its case.toml has it. What it outlines itself is not read.

    Raises
    ------
    InputError
        If a file is broken, of another case, or of a pullback with other frames.
    """
    ccta, lumen, pullback = None, None, None
    if case.lumen is None and _is_of(folder / ccta_files.FILE_NAME, case.id):
        ccta = ccta_files.read_ccta_segmentation(folder)
        lumen = read_surface(folder / ccta_files.SURFACE)
    if not case.pullback.lumen and _is_of(folder / pullback_files.FILE_NAME, case.id):
        pullback = pullback_files.read_pullback_segmentation(folder)
        if len(pullback) != int(case.pullback.frame.max()) + 1:
            raise other_frames(folder / pullback_files.FILE_NAME, len(pullback), len(case.pullback))
    return Outlines(ccta, lumen, pullback)


def with_outlines(case: Case, found: Outlines) -> Case:
    """Give a case what was segmented, as a registration has it."""
    if found.ccta is not None and found.ccta_lumen is not None:
        case = with_ccta_vessel(case, found.ccta, found.ccta_lumen)
    return case if found.pullback is None else with_pullback_vessel(case, found.pullback)


def other_frames(path: Path, found: int, expected: int) -> InputError:
    """Make the error of a file that is of another number of frames than the case."""
    text = f"{expected} as in the case; was the pullback changed? Run coreg register again"
    return unusable(path, "frames", found=found, expected=text)


def _is_of(path: Path, case_id: str) -> bool:
    """Whether a file is there; that of another case is an error."""
    if not is_there(path):
        return False
    owner = case_id_of(path)
    if owner is not None and owner != case_id:
        raise unusable(path, "case_id", found=repr(owner), expected=case_id)
    return True
