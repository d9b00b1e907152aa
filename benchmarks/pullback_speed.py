"""Time and memory of the segmentation of a pullback.

    python benchmarks/pullback_speed.py FOLDER

times one case: it reads the pullback, segments it and writes the seconds into the folder.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from coreg.io.case_file import load_pullback, write_case_file
from coreg.io.pullback_dicom_write import write_pullback_dicom
from coreg.phantom import make_patient, make_pullback_images, preset, pullback_preset
from coreg.pullback import Modality, Pullback
from coreg.segmentation import segment_pullback

HERE = Path(__file__).parent
FRAMES = 300
SECONDS = "seconds.txt"


@dataclass(frozen=True)
class Load:
    """A pullback to be timed: ``turns`` times 300 frames, forth and back."""

    modality: Modality
    turns: int = 1


LOADS = (Load("OCT"), Load("IVUS"), Load("IVUS", turns=10))


def speed_table(seed: int) -> str:
    """Time reading and segmentation of each load, and the whole command, in Markdown."""
    lines = [
        "| frames of 512 x 512 | segment_pullback: seconds / peak memory, GB, reading included "
        "| coreg segment pullback, from DICOM: seconds / peak memory, GB |",
        "| --- | --- | --- |",
    ]
    for load in LOADS:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            count = _write(folder, seed, load)
            alone = _alone(folder) if load.turns == 1 else "-"
            command = [str(Path(sys.executable).with_name("coreg")), "segment", "pullback", name]
            whole = _measured([*command, "--out", str(folder / "result"), "--quiet"])
        lines.append(f"| {count}, {load.modality} | {alone} | {whole[0]:.1f} / {whole[1]:.2f} |")
        print(lines[-1], flush=True)
    made = f"Seed {seed}, Python {platform.python_version()}, CPU with {os.cpu_count()} cores."
    return f"{made}\n\n" + "\n".join(lines)


def _write(folder: Path, seed: int, load: Load) -> int:
    """Write a case with a pullback in DICOM; how many frames it has."""
    settings = replace(
        preset("typical", modality=load.modality), ivus_acquisition="motorized", run_range_mm=(60.0, 60.0)
    )
    made = make_pullback_images(
        make_patient(seed, settings=settings),
        settings=pullback_preset("typical", modality=load.modality),
        frames=range(FRAMES),
    )
    images = made.exported()
    pixels = np.concatenate([images.pixels[:: 1 - 2 * (turn % 2)] for turn in range(load.turns)])
    images = replace(images, pixels=pixels)
    spacing_mm = 0.2 if load.modality == "OCT" else 0.5 / settings.ivus_frame_rate_hz
    pullback = Pullback(
        np.arange(len(pixels)), spacing_mm * np.arange(len(pixels)), {}, modality=load.modality
    )
    write_pullback_dicom(folder / "pullback.dcm", images, pullback, name="speed")
    run = {"image": "pullback.dcm", "catheter_type": images.catheter_type}
    write_case_file(folder / "case.toml", {"id": "speed", "pullback": run})
    return len(pixels)


def _alone(folder: Path) -> str:
    """Seconds of the segmentation, and the peak memory of reading and segmentation."""
    peak_gb = _measured([sys.executable, str(HERE / "pullback_speed.py"), str(folder)])[1]
    return f"{float((folder / SECONDS).read_text(encoding='utf-8')):.1f} / {peak_gb:.2f}"


def _measured(command: list[str]) -> tuple[float, float]:
    """Seconds and peak memory in GB of a command."""
    # A list of our own arguments, which no shell reads.
    told = subprocess.run(
        [sys.executable, str(HERE / "peak_memory.py"), *command], check=True, capture_output=True, text=True
    )
    seconds, peak = told.stdout.split()
    return float(seconds), float(peak)


def _timed(folder: Path) -> None:
    case = load_pullback(folder)
    begin = time.perf_counter()
    segment_pullback(case.known_images, case.pullback)
    (folder / SECONDS).write_text(str(time.perf_counter() - begin), encoding="utf-8")


if __name__ == "__main__":
    _timed(Path(sys.argv[1]))
