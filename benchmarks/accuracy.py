"""Accuracy and speed on synthetic patients with exact truth, and what can be said of the real one.

    python benchmarks/accuracy.py            # the held-out cohort, OCT and gated IVUS, and the real patient
    python benchmarks/accuracy.py --seeds 0-19 --modality OCT --out dev   # while developing

Writes a row per case and method to ``cases-<modality>.csv`` and the tables to ``README.md``.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from coreg.case import Case
from coreg.errors import CoregError
from coreg.phantom import make_patient, preset
from coreg.registration import register, torch_device
from coreg.registration.global_start import find_starts
from coreg.registration.outcome import rigid_outcome
from coreg.registration.scene import prepare_scene
from coreg.result import Registration
from coreg.settings import RegistrationSettings
from coreg.validation import frame_errors, landmark_errors

HERE = Path(__file__).parent
RIGHT_MM, RIGHT_DEG = 1.5, 20.0
COLUMNS = [
    *("seed", "method", "right", "landmarks", "landmark_mm", "landmark_deg"),
    *("all_mm", "all_deg", "verdict", "seconds", "frames"),
]


@dataclass(frozen=True)
class Row:
    """One case by one method; errors are absolute, landmarks averaged over the case's."""

    seed: int
    method: str
    landmark_mm: list[float]
    landmark_deg: list[float]
    all_mm: float
    all_deg: float
    verdict: str
    seconds: float
    frames: int

    @property
    def right(self) -> bool:
        """Whether the case's mean landmark error is within 1.5 mm and 20 degrees."""
        return bool(np.mean(self.landmark_mm) <= RIGHT_MM and np.mean(self.landmark_deg) <= RIGHT_DEG)


def start_only(case: Case, *, scale_sd: float, twist: bool) -> Registration:
    """Place a pullback by the global start alone."""
    settings = RegistrationSettings()
    scene = prepare_scene(case, settings, torch_device("auto"))
    options = {} if twist else {"twists_rad": (0.0,)}
    starts = find_starts(
        scene.vessel,
        scene.seen,
        count=1,
        scale_sd=scale_sd,
        minimum_overlap=settings.minimum_overlap,
        **options,
    )
    return rigid_outcome(scene, starts[0])


METHODS = {
    "coreg, non-rigid": register,
    "coreg, rigid (one shift, one rotation)": lambda case: register(case, method="rigid"),
    "global start alone": lambda case: start_only(case, scale_sd=0.06, twist=True),
    "global start alone, radius scale ignored": lambda case: start_only(case, scale_sd=1e-4, twist=True),
    "the same, twist ignored too": lambda case: start_only(case, scale_sd=1e-4, twist=False),
}


def measure(seed: int, level: str, modality: str) -> list[Row]:
    """Register one synthetic patient by every method."""
    patient = make_patient(seed, settings=preset(level, modality=modality))
    rows = []
    for name, method in METHODS.items():
        begin = time.perf_counter()
        try:
            result = method(patient.case)
        except CoregError as error:
            print(f"  {seed} {name}: {error}")
            nan = [float("nan")]
            rows.append(Row(seed, name, nan, nan, nan[0], nan[0], "error", 0.0, len(patient.case.pullback)))
            continue
        seconds = time.perf_counter() - begin
        marks = landmark_errors(result.path, patient.case.landmarks)
        frames = frame_errors(result.path, patient.truth)
        rows.append(
            Row(
                seed,
                name,
                [abs(mark.error_mm) for mark in marks],
                [abs(mark.error_deg) for mark in marks],
                float(np.abs(frames.error_mm).mean()),
                float(np.abs(frames.error_deg).mean()),
                result.verdict,
                seconds,
                len(patient.case.pullback),
            )
        )
    return rows


def table(rows: list[Row]) -> str:
    """Summarise the cases of each method in Markdown."""
    lines = [
        "| method | right | landmarks, mm: mean / median / 95 % / worst | landmarks, degrees: the same "
        "| right cases: mm / degrees | all frames, mean: mm / degrees | seconds, median / worst |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for method in METHODS:
        mine = [row for row in rows if row.method == method]
        right = [row for row in mine if row.right]
        mm = np.concatenate([row.landmark_mm for row in mine])
        deg = np.concatenate([row.landmark_deg for row in mine])
        right_mm = np.concatenate([row.landmark_mm for row in right]) if right else np.array([np.nan])
        right_deg = np.concatenate([row.landmark_deg for row in right]) if right else np.array([np.nan])
        seconds = [row.seconds for row in mine]
        lines.append(
            f"| {method} | {len(right)} of {len(mine)} "
            f"| {_spread(mm, 2)} | {_spread(deg, 1)} "
            f"| {right_mm.mean():.2f} / {right_deg.mean():.1f} "
            f"| {np.nanmean([row.all_mm for row in mine]):.2f} "
            f"/ {np.nanmean([row.all_deg for row in mine]):.1f} "
            f"| {np.median(seconds):.1f} / {max(seconds):.1f} |"
        )
    verdicts = [row.verdict for row in rows if row.method == "coreg, non-rigid"]
    counts = ", ".join(f"{verdicts.count(name)} {name}" for name in ("good", "review", "failed", "error"))
    lost = int(np.isnan(np.concatenate([row.landmark_mm for row in rows])).sum())
    lines.append(
        f"\nVerdicts of the non-rigid method: {counts}. Landmarks that no frame met, all methods: {lost}."
    )
    return "\n".join(lines)


def _spread(values: np.ndarray, digits: int) -> str:
    parts = (np.nanmean(values), np.nanmedian(values), np.nanpercentile(values, 95), np.nanmax(values))
    return " / ".join(f"{part:.{digits}f}" for part in parts)


def write_cases(path: Path, rows: list[Row]) -> None:
    """Write a row per case and method."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for row in rows:
            numbers = (np.mean(row.landmark_mm), np.mean(row.landmark_deg), row.all_mm, row.all_deg)
            writer.writerow(
                [row.seed, row.method, int(row.right), len(row.landmark_mm)]
                + [f"{number:.3f}" for number in numbers]
                + [row.verdict, f"{row.seconds:.2f}", row.frames]
            )


def real_patient() -> str:
    """Say what can be said of the real patient: no finer truth exists than a few landmarks."""
    folder = Path(os.environ.get("COREG_REAL_DATA", HERE.parent.parent / "shared" / "real")) / "anomalous-rca"
    if not folder.exists():
        return "The real patient's data were not at hand."
    from coreg.io.case_file import load_case

    case = load_case(folder)
    landmark = np.array([12.2605, -201.3643, 1751.0554])
    reference = np.array([[3.5731420326 - 4.5, -(3.6742686939 - 4.5)]])
    lines = [
        "| ostium seed | ostium frame from its landmark: along the vessel / in space, mm "
        "| reference point and its opposite from the landmark, mm | verdict | margin "
        "| rotation not determined, frames | seconds |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    tangent = np.array([0.0, 0.0, 0.0])
    centerline = case.tree.vessel(case.ostium_mm, case.distal_mm)
    for name, moved_mm in (("as given", 0.0), ("5 mm distal", 5.0), ("5 mm into the aorta", -5.0)):
        ostium = centerline.points_at(np.array(moved_mm)) if moved_mm else case.ostium_mm
        begin = time.perf_counter()
        result = register(_with_ostium(case, ostium))
        seconds = time.perf_counter() - begin
        path = result.path
        row = float(np.flatnonzero(path.frame == 384)[0])
        origin = path.origin_mm[int(row)]
        tangent = path.plane_normal[int(row)]
        at, opposite = (path.to_world(np.array([row]), sign * reference)[0] for sign in (1.0, -1.0))
        vague = sum("rotation" in reason for reason in path.reason)
        lines.append(
            f"| {name} | {(origin - landmark) @ tangent:+.1f} / {np.linalg.norm(origin - landmark):.1f} "
            f"| {np.linalg.norm(at - landmark):.1f} and {np.linalg.norm(opposite - landmark):.1f} "
            f"| {result.verdict} | {result.margin:+.0%} | {vague} of {len(path)} | {seconds:.1f} |"
        )
    return "\n".join(lines)


def _with_ostium(case: Case, ostium_mm: np.ndarray) -> Case:
    from dataclasses import replace

    return replace(case, ostium_mm=ostium_mm)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", default="1000-1019", help="first-last")
    parser.add_argument("--level", default="typical", choices=["clean", "typical", "hard"])
    parser.add_argument("--modality", action="append", choices=["OCT", "IVUS"])
    parser.add_argument("--out", type=Path, default=HERE)
    options = parser.parse_args()
    first, last = (int(part) for part in options.seeds.split("-"))
    options.out.mkdir(parents=True, exist_ok=True)
    register(make_patient(0).case)  # what is loaded and compiled once is not counted
    parts = []
    for modality in options.modality or ["OCT", "IVUS"]:
        rows: list[Row] = []
        for seed in range(first, last + 1):
            rows += measure(seed, options.level, modality)
            row = rows[-len(METHODS)]
            print(
                f"{modality} {seed}: {np.mean(row.landmark_mm):.2f} mm, {np.mean(row.landmark_deg):.1f} deg, "
                f"{row.verdict}, {row.seconds:.1f} s",
                flush=True,
            )
        write_cases(options.out / f"cases-{modality}.csv", rows)
        parts.append(f"## {modality}, level {options.level}, seeds {options.seeds}\n\n{table(rows)}\n")
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {os.cpu_count()} cores"
    text = (HERE / "about.md").read_text(encoding="utf-8")
    made = f"Made with Python {platform.python_version()}, torch {torch.__version__}, on {device}."
    real = f"## The real patient (anomalous right coronary, IVUS)\n\n{real_patient()}\n"
    (options.out / "README.md").write_text("\n".join([text, made, "", *parts, real]), encoding="utf-8")


if __name__ == "__main__":
    main()
