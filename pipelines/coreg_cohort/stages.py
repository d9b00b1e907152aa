"""The stages of a case, and which of them there are to run.

Each stage has a hash of all that its result depends on. One stands if it ended well with the hash that it
would have now, and its result is there.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from coreg.io.files import is_folder, is_there
from coreg.io.outlines import SEGMENTATION
from coreg.io.registration_json import FILE_NAME
from coreg_cohort.fingerprint import Fingerprints
from coreg_cohort.records import STAGES, Record, Stage


class ToDo(NamedTuple):
    """What there is to do for a case.

    Attributes
    ----------
    stages : tuple of str
        To run, in their order.
    waits_for : str
        The stage that has to run before another one that is asked for, and is not asked for itself; empty
        where there is none.
    """

    stages: tuple[Stage, ...]
    waits_for: str = ""


def standing(record: Record | None, now: Fingerprints, result: Path) -> tuple[Stage, ...]:
    """List the stages of a case that stand: those before the first that does not.

    Parameters
    ----------
    record : Record or None
        What is known of the case.
    now : Fingerprints
        Of what the stages depend on now.
    result : Path
        Its result folder.
    """
    known = {} if record is None else record.fingerprints
    there = {
        "segment": now.segment is None or is_folder(result / SEGMENTATION),
        "register": is_there(result / FILE_NAME),
        "validate": is_there(result / FILE_NAME),
    }
    found: list[Stage] = []
    for stage in STAGES:
        nothing = stage == "segment" and now.segment is None
        if not nothing and known.get(stage) != getattr(now, stage):
            break
        if not there[stage]:
            break
        found.append(stage)
    return tuple(found)


def to_do(standing: Collection[Stage], asked: Collection[Stage], *, again: Collection[Stage] = ()) -> ToDo:
    """Find the stages to run.

    Parameters
    ----------
    standing : collection of str
        That stand.
    asked : collection of str
        That may run; none is run before those that it builds on stand or ran.
    again : collection of str
        Of those that are asked for, the ones to run also where they stand.

    Examples
    --------
    >>> to_do(("segment",), ("segment", "register", "validate"))
    ToDo(stages=('register', 'validate'), waits_for='')
    >>> to_do((), ("register",))
    ToDo(stages=(), waits_for='segment')
    """
    stages: list[Stage] = []
    for stage in STAGES:
        stands = stage in standing and not stages
        if stage in asked:
            if stage in again or not stands:
                stages.append(stage)
        elif not stands:
            later = STAGES[STAGES.index(stage) + 1 :]
            return ToDo(tuple(stages), stage if set(later) & set(asked) else "")
    return ToDo(tuple(stages))
