"""Registering from a placement that is known, such as one made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from coreg.cli.console import Progress, part_of

if TYPE_CHECKING:
    from coreg.case import Case
    from coreg.catheter_path import VirtualCatheterPath
    from coreg.landmarks import Landmark
    from coreg.registration import Solved
    from coreg.settings import RegistrationSettings


@dataclass(frozen=True, eq=False)
class Placed:
    """A placement to go on from, and the file that it is from."""

    file: Path
    path: VirtualCatheterPath


def start_file_of(start: Path) -> Path:
    """Return the file of a placement: of a result folder what a reader left, else what the program found."""
    from coreg.io.files import is_folder, is_there
    from coreg.io.registration_json import FILE_NAME
    from coreg.io.review_files import REGISTRATION

    if not is_folder(start):
        return start
    return start / (REGISTRATION if is_there(start / REGISTRATION) else FILE_NAME)


def read_start(file: Path, case: Case) -> Placed:
    """Read a placement of a case.

    Raises
    ------
    InputError
        If it cannot be read, or is of another case or of other frames.
    """
    from coreg.io.files import naming, unusable
    from coreg.io.json_fields import case_id_of
    from coreg.io.registration_json import read_registration

    with naming("--start"):
        path = read_registration(file).path
        owner = case_id_of(file)
        if owner != case.id:
            raise unusable(file, "case_id", found=repr(owner), expected=case.id)
        if sorted(path.frame.tolist()) != sorted(case.pullback.frame.tolist()):
            expected = f"the {len(case.pullback)} frames of the case"
            raise unusable(file, "path.frame", found=f"{len(path)} others", expected=expected)
        return Placed(file, path)


def solved_from(
    case: Case,
    placed: Placed,
    *,
    settings: RegistrationSettings,
    device: str,
    guides: Sequence[Landmark],
    progress: Progress,
) -> Solved:
    """Bend a placement until the lumens meet.

    Raises
    ------
    InputError
        If the placement cannot be one of this case: no frame has a pose, or its images are mirrored.
    """
    progress("loading the numerical libraries", 0.0)
    from coreg.io.files import unusable
    from coreg.registration import solve_from, torch_device
    from coreg.registration.from_placement import placed_functions
    from coreg.registration.scene import prepare_scene

    scene = prepare_scene(case, settings, torch_device(device))
    try:
        placed_functions(scene, placed.path)
    except ValueError as error:
        raise unusable(placed.file, "path", found=str(error), expected="a placement of the case") from error
    return solve_from(scene, placed.path, guides=guides, progress=part_of(progress, 0.05, 1.0))
