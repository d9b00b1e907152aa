"""What a reader can open: a case, or a finished registration together with its case."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np

from coreg.case import Case
from coreg.ccta_vessel import CctaVessel
from coreg.errors import InputError
from coreg.io.case_file import load_case
from coreg.io.case_model import CASE_NAME, read_case_file
from coreg.io.files import check_name, is_folder, is_there, unusable
from coreg.io.json_fields import case_id_of
from coreg.io.outlines import SEGMENTATION, other_frames, read_outlines, with_outlines
from coreg.io.registration_json import FILE_NAME, read_registration
from coreg.io.result_folder import RESULT_FILES, is_result
from coreg.io.review_files import REGISTRATION, read_review, read_reviewed_registration
from coreg.io.work_list import CASES, WorkItem, is_cohort, work_list
from coreg.pullback_vessel import PullbackVessel
from coreg.result import Registration
from coreg.review import Review

__all__ = [
    "CaseNotFoundError",
    "Reviewable",
    "WorkItem",
    "is_cohort",
    "open_reviewable",
    "result_folder_of",
    "work_list",
]

Progress = Callable[[str, float], None]


class CaseNotFoundError(InputError):
    """A result's case is not where it is looked for: it has to be named."""

    def __init__(self, text: str, case_id: str) -> None:
        super().__init__(text)
        self.case_id = case_id


_PARENTS = 2
_FARTHEST_MM = 1e5


@dataclass(frozen=True, eq=False)
class Reviewable:
    """A case and what is known of its registration.

    Attributes
    ----------
    case : Case
        With the images of both modalities where it has them, and with the outlines of the result where
        the case itself has none.
    registration : Registration or None
        As the last reader left it, else as the program found it; None where there is none yet.
    review : Review or None
        Of an earlier session.
    case_path : Path
        The case.toml.
    folder : Path or None
        The result folder; None for a case that is opened by itself.
    found : Registration or None
        As the program found it, whatever readers did since; None where there is none that can be used.
    notes : tuple of str
        What a person should know of how it was opened.
    ccta_vessel, pullback_vessel : CctaVessel, PullbackVessel or None
        What the result segmented, with quality and reasons; None where the case has the outlines.
    """

    case: Case
    registration: Registration | None
    review: Review | None
    case_path: Path
    folder: Path | None = None
    found: Registration | None = None
    notes: tuple[str, ...] = ()
    ccta_vessel: CctaVessel | None = None
    pullback_vessel: PullbackVessel | None = None

    @property
    def outlined(self) -> bool:
        """Whether both lumens are known, so that it can be registered without a segmentation."""
        return self.case.lumen is not None and bool(self.case.pullback.lumen)


def _silent(_stage: str, _share: float) -> None:
    """Tell nobody."""


def open_reviewable(
    path: Path | str,
    *,
    case: Path | str | None = None,
    near: Sequence[Path] = (),
    progress: Progress = _silent,
) -> Reviewable:
    """Open a case, or a result folder with the case that it is of.

    Parameters
    ----------
    path : Path or str
        A case.toml or its folder, or a result folder or one of its JSON files.
    case : Path or str, optional
        The case.toml of a result, or its folder. Without it, it is looked for in the result folder, in the
        two folders around it and in the folders right in these; that of a cohort's also two folders below the
        one that the cohort lies in.
    near : sequence of Path
        Folders in which, or right below which, it is looked for too.
    progress : callable, optional
        Takes a stage's name and the share that is done.

    Raises
    ------
    InputError
        If ``path`` is neither, the case is not found or is another one, the pullback has other frames
        than the registration, or a file cannot be used.
    """
    path = Path(path)
    check_name(path)
    folder = result_folder_of(path)
    if folder is None:
        _check_case_there(path)
        return _opened(path, None, progress)
    case_path = _named_case(folder, Path(case)) if case is not None else _found_case(folder, near)
    try:
        return _opened(case_path, folder, progress)
    except OverflowError as error:
        found, expected = (
            f"a number that is {error}",
            "numbers as coreg writes them; run coreg register again",
        )
        raise unusable(folder, "", found=found, expected=expected) from error


def result_folder_of(path: Path) -> Path | None:
    """Return the result folder that a path means; None where it means something else."""
    if path.name in RESULT_FILES and not is_folder(path):
        return path.parent
    return path if is_folder(path) and is_result(path) else None


def result_case_id(folder: Path) -> str:
    """Tell whose result a folder holds.

    Raises
    ------
    InputError
        If none of its files says so.
    """
    owner = next(filter(None, (case_id_of(folder / name) for name in RESULT_FILES)), None)
    if owner is None:
        broken = next(folder / name for name in RESULT_FILES if is_there(folder / name))
        expected = "the id of its case; run coreg register again"
        raise unusable(broken, "case_id", found="none that can be read", expected=expected)
    return owner


def _check_case_there(path: Path) -> None:
    if is_folder(path) and not is_there(path / CASE_NAME):
        expected = f"a {CASE_NAME}, or a result of coreg register ({FILE_NAME})"
        raise unusable(path, "", found="a folder without either", expected=expected)


def _opened(case_path: Path, folder: Path | None, progress: Progress) -> Reviewable:
    case_file = read_case_file(case_path)
    case, notes = _loaded(case_file.path, progress)
    bare = Reviewable(case, None, None, case_file.path, folder, notes=notes)
    opened = bare if folder is None else _with_result(bare, folder)
    return replace(opened, notes=(*opened.notes, *_missing(opened)))


def _loaded(case_path: Path, progress: Progress) -> tuple[Case, tuple[str, ...]]:
    """Load a case with its images, or without where only these cannot be used."""
    try:
        return load_case(case_path, images=True, progress=progress), ()
    except InputError as error:
        try:
            case = load_case(case_path)
        except InputError:
            raise error from None
        if case.image is not None or case.pullback_images is not None:
            raise
        return case, (f"Shown without images: {error}",)


def _with_result(bare: Reviewable, folder: Path) -> Reviewable:
    case_id = bare.case.id
    outlines = read_outlines(folder / SEGMENTATION, bare.case)
    reviewed = read_reviewed_registration(folder, case_id=case_id)
    found = folder / FILE_NAME
    registration = read_registration(found) if reviewed is None and is_there(found) else reviewed
    if registration is not None:
        check_frames(folder / (FILE_NAME if reviewed is None else REGISTRATION), registration, bare.case)
    return replace(
        bare,
        case=with_outlines(bare.case, outlines),
        registration=registration,
        found=registration if reviewed is None else _found_before(found, bare.case),
        review=read_review(folder, case_id=case_id),
        notes=(*bare.notes, *_age_note(folder)),
        ccta_vessel=outlines.ccta,
        pullback_vessel=outlines.pullback,
    )


def _found_before(path: Path, case: Case) -> Registration | None:
    """Read what the program found before a reader changed it, if it is still there and of use."""
    try:
        registration = read_registration(path)
        check_frames(path, registration, case)
    except InputError:
        return None
    return registration


def check_frames(path: Path, registration: Registration, case: Case) -> None:
    """Refuse a registration of other frames than the case has, or of places where no patient is.

    Raises
    ------
    InputError
        Naming ``path``, which it was read from.
    """
    placed, there = np.sort(registration.path.frame), np.sort(case.pullback.frame)
    if len(placed) != len(there):
        raise other_frames(path, len(placed), len(there))
    if not np.array_equal(placed, there):
        found, expected = (f"frames {each[0]} to {each[-1]}" for each in (placed, there))
        raise unusable(path, "path.frame", found=found, expected=f"{expected} as in the case")
    for name, points_mm in (
        ("path.origin_mm", registration.path.origin_mm),
        ("centerline.points_mm", registration.centerline.points_mm),
    ):
        if (np.abs(points_mm) > _FARTHEST_MM).any():
            expected = f"places within {_FARTHEST_MM:g} mm of the scanner's centre"
            raise unusable(path, name, found=f"{np.nanmax(np.abs(points_mm)):g} mm", expected=expected)


def _age_note(folder: Path) -> tuple[str, ...]:
    reviewed, found = folder / REGISTRATION, folder / FILE_NAME
    if not (is_there(reviewed) and is_there(found)):
        return ()
    if found.stat().st_mtime <= reviewed.stat().st_mtime:
        return ()
    return (f"The case was registered again after the review; shown is the reviewed one ({REGISTRATION}).",)


def _missing(opened: Reviewable) -> tuple[str, ...]:
    """Say what has to be segmented before it can be registered."""
    what = [
        name
        for name, known in (
            ("the CCTA's lumen", opened.case.lumen is not None),
            ("the pullback's lumen", bool(opened.case.pullback.lumen)),
        )
        if not known
    ]
    if not what:
        return ()
    return (
        f"Not outlined yet: {' and '.join(what)}; `coreg register {opened.case_path} --out DIR` does it.",
    )


def _named_case(folder: Path, case: Path) -> Path:
    """The case.toml that was named, if it is that of the result."""
    case_file, owner = read_case_file(case), result_case_id(folder)
    if case_file.id != owner:
        raise case_file.bad(key="id", found=repr(case_file.id), expected=f"{owner}, whose result {folder} is")
    return case_file.path


def _found_case(folder: Path, near: Sequence[Path]) -> Path:
    """Look for the case.toml of a result where people keep it."""
    owner = result_case_id(folder)
    files = chain(_toml_files(folder.resolve()), *(_toml_files_below(each) for each in near))
    found = next((path for path in files if _toml_id(path) == owner), None)
    if found is None:
        expected = f"the {CASE_NAME} of case {owner} in it or near it; pass it with --case"
        raise CaseNotFoundError(str(unusable(folder, "case", found="none", expected=expected)), owner)
    return found


def _toml_files(folder: Path) -> Iterator[Path]:
    """TOML files in a folder, in those around it, in the folders right in these, and two below its parent."""
    # Results of a cohort lie a folder deeper.
    parents = _PARENTS + (folder.parent.name == CASES)
    around = [folder, *folder.parents[:parents]]
    for place in around:
        yield from _toml_files_in(place)
    for place in around:
        for each in _children(place):
            if each not in around:
                yield from _toml_files_in(each)
    # As the phantoms and the sample lie: a folder deeper, beside the result or the cohort.
    for beside in _children(around[-1] if folder.parent.name == CASES else folder.parent):
        for each in _children(beside):
            yield from _toml_files_in(each)


def _toml_files_below(folder: Path) -> Iterator[Path]:
    for each in (folder, *_children(folder)):
        yield from _toml_files_in(each)


def _toml_files_in(folder: Path) -> list[Path]:
    try:
        files = sorted(folder.glob("*.toml"))
    except OSError:
        return []
    # The usual name first.
    return sorted(files, key=lambda path: path.name != CASE_NAME)


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))
    except OSError:
        return []


def _toml_id(path: Path) -> str | None:
    """Id of a case file, whether or not the rest of it can be used."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return None
    name = content.get("id")
    return name if isinstance(name, str) and ("ccta" in content or "pullback" in content) else None
