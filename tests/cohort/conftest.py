import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from coreg.catheter_path import VirtualCatheterPath
from coreg.centerline import Centerline
from coreg.io.results import write_registration, write_validation
from coreg.io.tables import write_table
from coreg.result import Registration
from coreg.validation import LandmarkError


@pytest.fixture(scope="session")
def fake_work():
    """Module of work functions, importable by name here and in the processes started from here."""
    folder = str(Path(__file__).parent / "importable")
    with pytest.MonkeyPatch.context() as patch:
        # Also for processes that are not started by multiprocessing.
        patch.syspath_prepend(folder)
        patch.setenv("PYTHONPATH", folder, prepend=os.pathsep)
        import fake_work

        yield fake_work
        sys.modules.pop("fake_work")


@pytest.fixture(scope="session")
def written():
    """Wait for a file and return its text."""

    def wait(path, seconds=30.0):
        end = time.monotonic() + seconds
        while not path.exists() or not path.read_text():
            assert time.monotonic() < end, f"{path} was not written"
            time.sleep(0.02)
        return path.read_text()

    return wait


@pytest.fixture(scope="session")
def all_end():
    """Tell whether processes end within some seconds."""

    def wait(pids, seconds=5.0):
        end = time.monotonic() + seconds
        while any(map(_lives, map(int, pids))):
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True

    return wait


def _lives(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture(scope="session")
def made_cohort(tmp_path_factory):
    """Write the folder of a cohort: `made_cohort(Made(...), ...)` returns it; see `Made`."""

    def make(*cases, table=True):
        out = tmp_path_factory.mktemp("study")
        for case in cases:
            case.write(out)
        if table:
            write_table(out / "cohort.csv", COLUMNS, [case.row for case in cases])
        return out

    make.case = Made
    return make


COLUMNS = (
    "case_id", "patient", "vessel", "status", "verdict", "reason",
    "landmarks", "error_frames", "error_mm", "error_deg", "seconds",
)  # fmt: skip


@dataclass(frozen=True)
class Made:
    """A case whose pullback runs straight along +z, a frame each half millimetre.

    ``errors`` has by method a dict of (mm, degrees) by landmark id; ``left_out`` those of landmarks that
    guided, measured without them. Landmarks lie at frames 4, 8, 12 and so on, or at those in ``expected``.
    The result's own method is ``nonrigid``.
    """

    case_id: str
    patient: str = ""
    vessel: str = "LAD"
    status: str = "done"
    reason: str = ""
    verdict: str = "good"
    reasons: tuple[str, ...] = ()
    errors: Mapping[str, Mapping[str, tuple[float, float]]] = field(default_factory=dict)
    left_out: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    guides: tuple[str, ...] = ()
    expected: Mapping[str, float] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=lambda: {"coreg": "0.1.0", "device": "cpu"})

    @property
    def row(self):
        return (
            self.case_id,
            self.patient,
            self.vessel,
            self.status,
            self.verdict,
            self.reason,
            *[None] * 4,
            8.0,
        )

    def registration(self, shift_mm=0.0):
        z = np.linspace(0.0, 20.0, 41)
        origin = np.column_stack([np.zeros(41), np.zeros(41), z + shift_mm])
        column, row = np.tile([1.0, 0.0, 0.0], (41, 1)), np.tile([0.0, 1.0, 0.0], (41, 1))
        frame = np.arange(41)[::-1]
        sd = 0.1 + 0.01 * frame
        path = VirtualCatheterPath(
            frame, 0.5 * frame, z, np.zeros(41), origin, column, row, np.ones(41, bool), ("",) * 41, sd,
            np.radians(10.0 * sd),
        )  # fmt: skip
        line = Centerline(np.column_stack([np.zeros(30), np.zeros(30), np.linspace(-1.0, 24.0, 30)]))
        settings = {"method": "nonrigid", "seed": 0}
        settings |= {"guides": list(self.guides)} if self.guides else {}
        return Registration(
            path, path, line, self.verdict, self.reasons, 1.0, 0.2, (), {}, np.full(41, 0.1), settings,
            self.provenance,
        )  # fmt: skip

    def write(self, out):
        if self.status != "done":
            return
        place = out / "cases" / self.case_id
        place.mkdir(parents=True)
        write_registration(place, self.registration(), case_id=self.case_id)
        (place / "report.html").write_text("<p>of one case</p>")
        for method, errors in self.errors.items():
            ours = method == "nonrigid"
            folder = place if ours else out / "methods" / method / self.case_id
            folder.mkdir(parents=True, exist_ok=True)
            left_out = self.landmarks(self.left_out) if ours else ()
            guides = dict.fromkeys(self.guides, "guide") if ours else {}
            write_validation(
                folder / "validation.csv", self.landmarks(errors), guides=guides, left_out=left_out
            )

    def landmarks(self, errors):
        return [
            LandmarkError(
                name,
                "branch",
                at := self.expected.get(name, 4.0 * i),
                at + 2.0 * mm,
                2.0 * mm,
                mm,
                deg,
                0.0,
                0.0,
            )
            for i, (name, (mm, deg)) in enumerate(errors.items(), 1)
        ]
