"""Work that is not saved yet, kept where a crash, a full disk or a folder that is gone does not lose it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from coreg.errors import InputError
from coreg.io.files import is_folder, is_there
from coreg.io.review_files import (
    Autosave,
    autosave_path,
    autosave_path_of_case,
    read_autosave,
    remove_autosave,
    save_autosave,
    set_autosave_aside,
)
from coreg.io.reviewable import check_frames
from coreg_napari.session import Session


class Found(NamedTuple):
    """What an earlier run left behind, and what to say of it."""

    work: Autosave | None
    notes: tuple[str, ...]


class UnsavedWork:
    """Keeps a session's unsaved work in its result folder, or in the user's folder where that fails.

    Parameters
    ----------
    session : Session
        Whose work.
    state_folder : Path
        The user's folder.
    """

    def __init__(self, session: Session, state_folder: Path) -> None:
        self._session, self._state_folder = session, state_folder
        self._kept: tuple[object, ...] | None = None
        self._kept_in: Path | None = None

    @property
    def places(self) -> tuple[Path, ...]:
        """Files that may hold it, the preferred one first."""
        opened = self._session.opened
        if opened.folder is None:
            return (autosave_path_of_case(self._state_folder, opened.case.id, opened.case_path),)
        elsewhere = autosave_path_of_case(self._state_folder, opened.case.id, opened.folder)
        return autosave_path(opened.folder), elsewhere

    def keep(self) -> str:
        """Write what is not saved; what to tell the user, empty where all is well."""
        session = self._session
        if not session.unsaved:
            # All of it was undone.
            return self.forget() if self.kept else ""
        if session.state == self._kept:
            return ""
        said = ""
        for place in self.places:
            # A result folder that is gone is not made again with nothing but unsaved work in it.
            if session.folder == place.parent and not is_folder(place.parent):
                said = f"{place.parent} is gone or closed to you"
                continue
            try:
                save_autosave(place, session.review, session.outcome())
            except InputError as error:
                said = f"{said}; {error}" if said else str(error)
                continue
            self._kept, self._kept_in = session.state, place
            return said and f"{said}. Unsaved work is kept in {place} meanwhile."
        return f"Unsaved work cannot be kept: {said}"

    @property
    def kept(self) -> bool:
        """Whether there is a file of this session's work."""
        return self._kept_in is not None

    @property
    def whereabouts(self) -> str:
        """Say where it is, for somebody whose review could not be saved."""
        if self._kept_in is None or self._kept != self._session.state:
            return "It is not kept anywhere yet: save it into another folder before you close the window."
        return f"The work is kept in {self._kept_in} meanwhile, and offered when the case is opened again."

    def found(self) -> Found:
        """Read what an earlier run left behind; what cannot be read gets another name."""
        works, notes = [], []
        for place in self.places:
            try:
                work = self._read(place)
            except InputError as error:
                notes.append(f"Unsaved work of an earlier run cannot be read: {error}. {_aside(place)}")
                continue
            works += [] if work is None or self._is_saved(work) else [work]
        return Found(max(works, key=lambda each: each.time, default=None), tuple(notes))

    def _read(self, place: Path) -> Autosave | None:
        work = read_autosave(place, case_id=self._session.case.id)
        if work is not None and work.registration is not None:
            check_frames(place, work.registration, self._session.case)
        return work

    def _is_saved(self, work: Autosave) -> bool:
        """Whether the review was saved, and only the end of the program kept the file from being removed."""
        saved = self._session.review
        return work.review.events == saved.events and work.review.comment == saved.comment

    def forget(self, places: tuple[Path, ...] | None = None) -> str:
        """Remove it, once it is saved or given up; what to tell the user, empty where all is well."""
        self._kept, self._kept_in = None, None
        return " ".join(filter(None, map(_removed, places or self.places)))


def _removed(place: Path) -> str:
    # Nothing can be where no folder is.
    if not is_there(place):
        return ""
    try:
        remove_autosave(place)
    except InputError as error:
        return f"{error}; remove it by hand."
    return ""


def _aside(place: Path) -> str:
    try:
        return f"It is kept as {set_autosave_aside(place).name}."
    except InputError as error:
        return str(error)
