"""Benchmarks are scripts beside each other; their modules are found from their own folder."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))


@pytest.fixture
def made_up():
    """Make a result from landmark errors by id and from frame errors; what is not given is NaN."""
    from compare_results import FRAME_COLUMNS, LANDMARK_COLUMNS, CaseResult

    def make(case, method="nonrigid", *, mm=(), deg=None, frames=None, ids=None, level="typical", **facts):
        count = len(mm)
        landmarks = {name: np.full(count, np.nan) for name in LANDMARK_COLUMNS}
        landmarks["error_mm"] = np.array(mm, dtype=float)
        landmarks["error_deg"] = np.array(np.zeros(count) if deg is None else deg, dtype=float)
        frames = {} if frames is None else frames
        rows = max((len(values) for values in frames.values()), default=0)
        table = {name: np.full(rows, np.nan) for name in FRAME_COLUMNS}
        table |= {"frame": np.arange(rows, dtype=float)}
        table |= {name: np.array(values, dtype=float) for name, values in frames.items()}
        return CaseResult(
            case,
            case.split("-")[0],
            level,
            "OCT",
            method,
            verdict=facts.pop("verdict", "good"),
            landmark_id=tuple(ids or (f"B{i}" for i in range(count))),
            landmarks=landmarks,
            frames=table,
            **facts,
        )

    return make
