"""Cases with exact truth: synthetic patients made on the spot, or read from what ``coreg phantom`` wrote."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from coreg.case import Case
from coreg.catheter_path import VirtualCatheterPath
from coreg.io.case_file import load_case
from coreg.io.frames_csv import read_frames
from coreg.phantom import make_patient, preset
from coreg.phantom.settings import Level
from coreg.pullback import Modality

TRUE_FRAMES = Path("truth") / "frames.csv"


@dataclass(frozen=True, eq=False)
class Subject:
    """A case, its exact poses, and the cohort that it belongs to."""

    case: Case
    truth: VirtualCatheterPath
    level: str

    @property
    def patient(self) -> str:
        """Whom errors are clustered by."""
        return self.case.patient or self.case.id

    @property
    def modality(self) -> str:
        """OCT, IVUS, or a dash where the case does not say."""
        return self.case.pullback.modality or "-"


def phantoms(level: Level, modality: Modality, seeds: Sequence[int]) -> Iterator[Subject]:
    """Make synthetic patients, one at a time."""
    settings = preset(level, modality=modality)
    for seed in seeds:
        patient = make_patient(seed, settings=settings)
        yield Subject(patient.case, patient.truth, level)


def case_folders(folder: Path) -> list[Path]:
    """Find the cases of a folder that have a truth.

    Raises
    ------
    ValueError
        If there is none.
    """
    found = sorted(path.parents[1] for path in folder.glob(f"*/{TRUE_FRAMES}"))
    if not found:
        msg = f"{folder}: found no case with {TRUE_FRAMES}, expected some, as `coreg phantom` writes them"
        raise ValueError(msg)
    return found


def written(folders: Sequence[Path]) -> Iterator[Subject]:
    """Read cases and their truth; their level is the name of the folder that holds them."""
    for path in folders:
        case = load_case(path)
        truth = frames_of(read_frames(path / TRUE_FRAMES), case.pullback.frame)
        yield Subject(case, truth, path.resolve().parent.name)


def frames_of(path: VirtualCatheterPath, frame: np.ndarray) -> VirtualCatheterPath:
    """Leave out the frames of a path that are not among (M,) others.

    The truth has every frame, a case read from contours only those that have one.
    """
    rows = np.flatnonzero(np.isin(path.frame, frame))
    columns = {each.name: getattr(path, each.name) for each in fields(path)}
    return replace(path, **{name: _rows(values, rows) for name, values in columns.items()})


def _rows(values: Any, rows: np.ndarray) -> Any:
    if values is None:
        return None
    return tuple(values[i] for i in rows) if isinstance(values, tuple) else values[rows]
