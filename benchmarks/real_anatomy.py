"""Registration of pullbacks simulated inside a real patient's coronary arteries: truth beside the phantoms'.

    python benchmarks/real_anatomy.py --seeds 0-9 --out dev   # while developing; 100-109 are held out

Nothing of `coreg.phantom` is used. The surface of aorta and coronaries comes from the folder that the
environment variable COREG_REAL_DATA names, else from ``../shared/real`` beside the project. Only the
anatomy is real: catheter, motion, reader and the CCTA's label are drawn at random, so this is no measure of
accuracy in patients, and one patient's vessels are no cohort.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from dataclasses import dataclass, fields

import numpy as np
from anatomy_cases import make_cases, real_folder
from arguments import folder, seed_range

from coreg.case import Case
from coreg.catheter_path import VirtualCatheterPath
from coreg.errors import CoregError
from coreg.registration import register
from coreg.validation import frame_errors, landmark_errors

RIGHT_MM, RIGHT_DEG = 1.5, 20.0


@dataclass(frozen=True)
class Row:
    """One case: mean absolute errors, of landmarks, all frames and those called reliable."""

    name: str
    landmarks: int
    landmark_mm: float
    landmark_deg: float
    all_mm: float
    all_deg: float
    reliable_share: float
    reliable_mm: float
    reliable_deg: float
    verdict: str
    seconds: float

    @property
    def vessel(self) -> str:
        """In which the case was simulated."""
        return self.name.rsplit("-", 1)[0]

    @property
    def right_at_landmarks(self) -> bool:
        """Whether the landmarks' mean error is within 1.5 mm and 20 degrees."""
        return self.landmark_mm <= RIGHT_MM and self.landmark_deg <= RIGHT_DEG

    @property
    def right(self) -> bool:
        """Whether the frames' mean error is within 1.5 mm and 20 degrees."""
        return self.all_mm <= RIGHT_MM and self.all_deg <= RIGHT_DEG


def measured(name: str, case: Case, truth: VirtualCatheterPath) -> Row:
    """Register one case and compare it with the truth."""
    nan = float("nan")
    begin = time.perf_counter()
    try:
        result = register(case)
    except CoregError as error:
        print(f"{name}: {error}")
        return Row(name, len(case.landmarks), nan, nan, nan, nan, 0.0, nan, nan, "error", 0.0)
    seconds = time.perf_counter() - begin
    marks = landmark_errors(result.path, case.landmarks)
    frames = frame_errors(result.path, truth)
    kept = frames.reliable
    mm, deg = np.abs(frames.error_mm), np.abs(frames.error_deg)
    return Row(
        name,
        len(marks),
        float(np.mean([abs(each.error_mm) for each in marks])) if marks else nan,
        float(np.mean([abs(each.error_deg) for each in marks])) if marks else nan,
        float(mm.mean()),
        float(deg.mean()),
        float(kept.mean()),
        float(mm[kept].mean()) if kept.any() else nan,
        float(deg[kept].mean()) if kept.any() else nan,
        result.verdict,
        seconds,
    )


def summary(rows: list[Row]) -> str:
    """Summarise cases in Markdown: per vessel, and all."""
    lines = [
        "| vessel | right: all frames | right: landmarks | landmarks: mm / degrees "
        "| all frames | reliable frames: share, mm / degrees | verdicts |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name in [*sorted({row.vessel for row in rows}), "all"]:
        mine = [row for row in rows if name in (row.vessel, "all")]
        verdicts = [row.verdict for row in mine]
        counts = ", ".join(f"{verdicts.count(each)} {each}" for each in sorted(set(verdicts)))
        lines.append(
            f"| {name} | {sum(row.right for row in mine)} of {len(mine)} "
            f"| {sum(row.right_at_landmarks for row in mine)} of {sum(row.landmarks > 0 for row in mine)} "
            f"| {_mean(mine, 'landmark_mm'):.2f} / {_mean(mine, 'landmark_deg'):.1f} "
            f"| {_mean(mine, 'all_mm'):.2f} / {_mean(mine, 'all_deg'):.1f} "
            f"| {_mean(mine, 'reliable_share'):.0%}, {_mean(mine, 'reliable_mm'):.2f} "
            f"/ {_mean(mine, 'reliable_deg'):.1f} | {counts} |"
        )
    return "\n".join(lines)


def _mean(rows: list[Row], name: str) -> float:
    """Mean over the cases that have the value."""
    values = np.array([getattr(row, name) for row in rows])
    return float(values[np.isfinite(values)].mean()) if np.isfinite(values).any() else float("nan")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=seed_range, default="0-9", help="first-last")
    parser.add_argument("--out", type=folder, help="folder for a table of all cases")
    options = parser.parse_args()
    if real_folder() is None:
        sys.exit("no real anatomy: set COREG_REAL_DATA to the folder that holds anomalous-rca")
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, case, truth in make_cases(len(options.seeds), options.seeds[0]):
        row = measured(name, case, truth)
        rows.append(row)
        print(
            f"{name}: landmarks {row.landmarks}: {row.landmark_mm:.2f} mm, {row.landmark_deg:.1f} deg; "
            f"all {row.all_mm:.2f} mm, {row.all_deg:.1f} deg; {row.verdict}, {row.seconds:.1f} s",
            flush=True,
        )
    print(summary(rows))
    if options.out is not None:
        with (options.out / "real-anatomy.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            names = [field.name for field in fields(Row)]
            writer.writerows([names, *([getattr(row, name) for name in names] for row in rows)])


if __name__ == "__main__":
    main()
