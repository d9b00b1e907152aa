"""Cases with exact truth: synthetic patients made on the spot, or read from what ``coreg phantom`` wrote."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

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


def written(folder: Path) -> Iterator[Subject]:
    """Read the cases of a folder that have a truth; their level is the folder's name.

    Raises
    ------
    ValueError
        If there is none.
    """
    found = sorted(path.parents[1] for path in folder.glob(f"*/{TRUE_FRAMES}"))
    if not found:
        msg = f"{folder}: found no case with {TRUE_FRAMES}, expected some, as `coreg phantom` writes them"
        raise ValueError(msg)
    for path in found:
        yield Subject(load_case(path), read_frames(path / TRUE_FRAMES), folder.resolve().name)
