"""What the viewer remembers from one start to the next, in the user's own state folder."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from coreg.errors import InputError
from coreg.io.json_fields import parsed_json, write_json

FILE_NAME = "viewer.json"
MOST_PLACES = 8
LONGEST_TEXT = 4096


@dataclass(frozen=True)
class Memory:
    """What is remembered. It stays out of all results: a path may name a patient.

    Attributes
    ----------
    reviewer : str
        Who reviewed last; empty where nobody said.
    case_places : tuple of Path
        Folders of cases that a reader pointed to, the last one first.
    """

    reviewer: str = ""
    case_places: tuple[Path, ...] = ()

    def with_place(self, place: Path) -> Memory:
        """Return the same with a place more, which comes first; the oldest ones are forgotten."""
        others = [each for each in self.case_places if each != place]
        return replace(self, case_places=(place, *others)[:MOST_PLACES])

    @property
    def near(self) -> tuple[Path, ...]:
        """Folders to look for cases in: those of a study's other cases lie beside the one that was named."""
        return tuple(dict.fromkeys(near for each in self.case_places for near in (each, each.parent)))


def recall(state_folder: Path) -> Memory:
    """Read what is remembered; nothing where that cannot be read."""
    with suppress(InputError, OSError):
        content = parsed_json(state_folder / FILE_NAME)
        places = content.get("case_places")
        known = [Path(each) for each in places if _is_text(each)] if isinstance(places, list) else []
        name = content.get("reviewer")
        return Memory(str(name) if _is_text(name) else "", tuple(known[:MOST_PLACES]))
    return Memory()


def remember(state_folder: Path, memory: Memory) -> None:
    """Write what is to be remembered; a folder that cannot be written keeps nobody from reviewing."""
    content = {"reviewer": memory.reviewer, "case_places": [str(each) for each in memory.case_places]}
    with suppress(InputError, OSError, ValueError):
        state_folder.mkdir(parents=True, exist_ok=True)
        write_json(state_folder / FILE_NAME, content)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST_TEXT and "\0" not in value
