"""Time and memory of one vessel in an image of clinical size."""

from __future__ import annotations

import multiprocessing
import os
import platform
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from segmentation_methods import METHODS
from segmentation_scenes import phantom_scene

from coreg.volume import Volume

SHAPE = (400, 512, 512)


def speed_table(seed: int, methods: tuple[str, ...]) -> str:
    """Time each method on a phantom's image and on one of its whole chest, in Markdown."""
    lines = ["| voxels | method | seconds | peak memory, GB |", "| --- | --- | --- | --- |"]
    for shape in (None, SHAPE):
        scene = phantom_scene(seed, "typical", field_shape=shape)
        image, clicks = scene.image, (scene.ostium_mm, scene.distal_mm)
        size = " x ".join(str(each) for each in image.values.shape[::-1])
        for method in methods:
            seconds, peak_gb = _apart(image, clicks, method)
            lines.append(f"| {size} | {method} | {seconds:.1f} | {peak_gb:.2f} |")
            print(lines[-1], flush=True)
    made = f"Seed {seed}, Python {platform.python_version()}, CPU with {os.cpu_count()} cores."
    return f"{made}\n\n" + "\n".join(lines)


def _apart(image: Volume, clicks: tuple[np.ndarray, np.ndarray], method: str) -> tuple[float, float]:
    """Seconds and peak memory in GB, in a fresh process that reads the image from a file."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(1, mp_context=context) as pool:
        path = Path(folder) / "image.npy"
        np.save(path, image.values)
        return pool.submit(_timed, path, image.index_to_world, clicks, method).result()


def _timed(
    path: Path, index_to_world: np.ndarray, clicks: tuple[np.ndarray, np.ndarray], method: str
) -> tuple[float, float]:
    image = Volume(np.load(path), index_to_world)
    begin = time.perf_counter()
    METHODS[method](image, *clicks)
    seconds = time.perf_counter() - begin
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
