"""What landmarks do as guides: errors with and without them, wrong ones, and how fast paths are solved again.

For each synthetic patient the two landmarks farthest apart guide, right, then with one of them 5 mm
off along the vessel. Measured are all frames, and landmarks that do not guide.

    python benchmarks/guides.py --seeds 10 --level hard --out guides.csv
"""

from __future__ import annotations

import argparse
import csv
import itertools
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
from arguments import whole_number

from coreg.landmarks import Landmark
from coreg.phantom import PhantomPatient, make_patient, preset
from coreg.phantom.settings import Level
from coreg.registration import Solved, left_out_errors, resolve, solve
from coreg.validation import frame_errors, landmark_errors

WRONG_MM = 5.0
COLUMNS = (
    "seed",
    "guides",
    "verdict",
    "told",
    "frames_mm",
    "frames_deg",
    "free",
    "free_mm",
    "free_deg",
    "left_out_mm",
    "left_out_deg",
    "plain_mm",
    "plain_deg",
    "seconds",
)


def farthest_apart(landmarks: Sequence[Landmark]) -> tuple[Landmark, Landmark]:
    """Choose the two landmarks whose frames are farthest apart."""
    pairs = itertools.combinations([each for each in landmarks if each.paired], 2)
    return max(pairs, key=lambda two: abs(float(two[0].frame or 0.0) - float(two[1].frame or 0.0)))


def moved(made: PhantomPatient, landmark: Landmark, by_mm: float) -> Landmark:
    """Move a landmark's point in the CCTA along the vessel."""
    assert landmark.world_mm is not None
    s = float(made.centerline.nearest_arc_length(landmark.world_mm))
    step = made.centerline.points_at(np.array(s + by_mm)) - made.centerline.points_at(np.array(s))
    return replace(landmark, world_mm=landmark.world_mm + step)


def measures(made: PhantomPatient, solved: Solved, guides: Sequence[Landmark], ids: Sequence[str]) -> dict:
    """Mean absolute errors of all frames, and of the landmarks other than some."""
    path = solved.registration.path
    frames = frame_errors(path, made.truth)
    free = landmark_errors(path, [each for each in made.landmarks if each.id not in ids])
    told = [
        each.id
        for each in guides
        if any(f" {each.id} does not fit" in r for r in solved.registration.reasons)
    ]
    return {
        "verdict": solved.registration.verdict,
        "told": " ".join(told),
        "frames_mm": mean(frames.error_mm),
        "frames_deg": mean(frames.error_deg),
        "free": len(free),
        "free_mm": mean([each.error_mm for each in free]),
        "free_deg": mean([each.error_deg for each in free]),
    }


def mean(values: Sequence[float] | np.ndarray) -> float:
    """Mean absolute value of what is known."""
    known = np.abs(np.asarray(values, dtype=float))
    known = known[np.isfinite(known)]
    return round(float(known.mean()), 4) if len(known) else float("nan")


def left_out(made: PhantomPatient, solved: Solved, guides: Sequence[Landmark]) -> dict:
    """Mean absolute errors at all landmarks: each left out, and plainly."""
    out = left_out_errors(solved, made.landmarks, guides=guides)
    plain = landmark_errors(solved.registration.path, made.landmarks)
    return {
        f"{name}_{unit}": mean([getattr(each, f"error_{unit}") for each in errors])
        for name, errors in (("left_out", out), ("plain", plain))
        for unit in ("mm", "deg")
    }


def rows_of(seed: int, level: str) -> list[dict]:
    """Register one patient without guides, with right ones and with wrong ones."""
    made = make_patient(seed, settings=preset(level, modality="OCT"))
    if sum(each.paired for each in made.landmarks) < 2:
        return []
    first, second = farthest_apart(made.landmarks)
    ways: dict[str, list[Landmark]] = {
        "none": [],
        "right": [first, second],
        "first wrong": [moved(made, first, WRONG_MM), second],
        "second wrong": [first, moved(made, second, WRONG_MM)],
    }
    rows = []
    for name, guides in ways.items():
        start = time.process_time()
        solved = solve(made.case, device="cpu", guides=guides)
        row = {"seed": seed, "guides": name, "seconds": round(time.process_time() - start, 2)}
        row |= measures(made, solved, guides, [first.id, second.id])
        if name in {"none", "right"}:
            row |= left_out(made, solved, guides)
        rows.append(row)
        if name == "right":
            rows += again(made, solved, guides, seed)
    return rows


def again(made: PhantomPatient, solved: Solved, guides: Sequence[Landmark], seed: int) -> list[dict]:
    """Solve again after one guide was moved a little, and after it was moved far."""
    rows = []
    for by_mm in (0.5, WRONG_MM):
        changed = [moved(made, guides[0], by_mm), *guides[1:]]
        start = time.process_time()
        found = resolve(solved, changed)
        row = {
            "seed": seed,
            "guides": f"again, {by_mm:g} mm",
            "seconds": round(time.process_time() - start, 2),
        }
        rows.append(row | measures(made, found, changed, [each.id for each in guides]))
    return rows


def main() -> None:
    """Run all patients, and print a line per way of guiding."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--seeds", type=whole_number(1), default=10, help="Patients 0 to this number, without it."
    )
    parser.add_argument("--level", choices=get_args(Level), default="hard")
    parser.add_argument("--out", type=Path, default=Path("guides.csv"))
    wanted = parser.parse_args()
    if wanted.out.is_dir() or not wanted.out.parent.is_dir():
        parser.error(f"--out: found {wanted.out}, expected a file in a folder that is there")
    rows: list[dict] = []
    with wanted.out.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for seed in range(wanted.seeds):
            new = rows_of(seed, wanted.level)
            writer.writerows(new)
            file.flush()
            rows += new
            print(f"seed {seed} done", file=sys.stderr)
    for name in dict.fromkeys(row["guides"] for row in rows):
        of_name = [row for row in rows if row["guides"] == name]
        numbers = {
            key: (np.nanmean(values), np.nanmedian(values))
            for key in COLUMNS[4:]
            if key != "free"
            and len(values := [row[key] for row in of_name if np.isfinite(row.get(key, np.nan))])
        }
        told = sum(bool(row["told"]) for row in of_name)
        text = ", ".join(f"{key} {a:.2f} ({b:.2f})" for key, (a, b) in numbers.items())
        print(f"{name}: {len(of_name)} patients, conflict told in {told}; mean (median): {text}")


if __name__ == "__main__":
    main()
