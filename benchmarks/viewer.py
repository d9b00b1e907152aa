"""How fast the viewer is on a full-size case: 300 frames of 512 x 512, a CCTA of 512 x 512 x 400.

    xvfb-run -s "-screen 0 1600x1000x24" python benchmarks/viewer.py --out dev

Makes a synthetic patient with images of that size, opens it as a user would, and measures from the cause
to the last pixel on the screen. Writes ``viewer.md``. Without a graphics card this is software OpenGL.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from arguments import folder, whole_number
from measuring import THREADS
from scipy.ndimage import gaussian_filter, zoom

from coreg.io.case_file import load_case
from coreg.io.label_stack import write_label_stack
from coreg.io.phantom_files import Truth, write_phantom
from coreg.io.results import write_registration
from coreg.io.volumes import read_volume, write_volume
from coreg.phantom import lumen_surface, make_patient
from coreg.registration import register
from coreg.volume import Volume

CCTA_SHAPE = (400, 512, 512)
PIXELS, PIXEL_MM = 512, 0.02
RUNS = 15
TARGETS_MS = {
    "a case is opened": 5000.0,
    "one frame further, all 2-D views": 100.0,
    "a slider is moved, all 2-D views": 150.0,
    "solved again with two landmarks": 2000.0,
}


@dataclass(frozen=True)
class Timing:
    """What one action took, in milliseconds."""

    name: str
    median_ms: float
    worst_ms: float


def full_size_case(place: Path, seed: int) -> Path:
    """Write a patient with full-size images, and its result; returns the result's folder."""
    patient = make_patient(seed)
    truth = Truth(patient.truth, patient.landmarks, patient.side_branches, lumen_surface(patient.lumen), {})
    case_folder = place / "case"
    write_phantom(case_folder, patient.case, truth)
    rng = np.random.default_rng(seed)
    count = int(patient.case.pullback.frame.max()) + 1
    noise = rng.integers(20, 120, (16, PIXELS, PIXELS), dtype=np.uint8)
    write_label_stack(
        case_folder / "pullback.nii.gz",
        (noise[i % len(noise)] for i in range(count)),
        shape=(count, PIXELS, PIXELS),
        spacing_mm=(0.2, PIXEL_MM, PIXEL_MM),
    )
    write_volume(case_folder / "ccta.nii.gz", full_size_ccta(case_folder, rng))
    text = (case_folder / "case.toml").read_text(encoding="utf-8")
    text = text.replace("[ccta]\n", '[ccta]\nimage = "ccta.nii.gz"\n')
    text = text.replace(
        "[pullback]\n", f'[pullback]\nimage = "pullback.nii.gz"\npixel_spacing_mm = {PIXEL_MM}\n'
    )
    (case_folder / "case.toml").write_text(text, encoding="utf-8")
    result = place / "result"
    result.mkdir()
    write_registration(result, register(load_case(case_folder)), case_id=patient.case.id)
    return result


def full_size_ccta(case_folder: Path, rng: np.random.Generator) -> Volume:
    """Noise of a scanner's size about the lumen label."""
    label = read_volume(case_folder / "ccta_lumen.nii.gz")
    values = rng.normal(40.0, 25.0, (50, 64, 64)).astype(np.float32)
    body = zoom(values, [a / b for a, b in zip(CCTA_SHAPE, values.shape, strict=True)], order=1)
    image = body.astype(np.int16)
    # Air about the body.
    image[:, :20], image[:, -20:] = -1000, -1000
    lumen = gaussian_filter((np.asarray(label.values) != 0).astype(np.float32), 0.8)
    corner = [min(40, a - b) for a, b in zip(CCTA_SHAPE, lumen.shape, strict=True)]
    low = [max(0, each) for each in corner]
    size = [min(a - c, b) for a, b, c in zip(CCTA_SHAPE, lumen.shape, low, strict=True)]
    where = tuple(slice(a, a + b) for a, b in zip(low, size, strict=True))
    image[where] += (360.0 * lumen[tuple(slice(0, each) for each in size)]).astype(np.int16)
    to_world = label.index_to_world.copy()
    to_world[:3, 3] = label.to_world(-np.array(low, dtype=np.float64))
    return Volume(image, to_world)


class Stopwatch:
    """Measures in a viewer until the screen is drawn."""

    def __init__(self, viewer: object) -> None:
        from qtpy.QtWidgets import QApplication

        self.viewer = viewer
        self.app = QApplication.instance()
        self.timings: list[Timing] = []

    def spin(self, seconds: float) -> None:
        """Let the viewer do what it has to do."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            self.app.processEvents()
            time.sleep(0.002)

    def wait(self, until: Callable[[], bool]) -> None:
        """Let it work until something is so."""
        while not until():
            self.app.processEvents()
            time.sleep(0.002)

    def measure(
        self,
        name: str,
        act: Callable[[int], None],
        *,
        runs: int = RUNS,
        until: Callable[[], bool] | None = None,
        rest_s: float = 0.4,
    ) -> None:
        """Act so many times; each lasts until all that it asked for is drawn."""
        taken = []
        for k in range(runs):
            start = time.perf_counter()
            act(k)
            if until is not None:
                self.wait(until)
            self.app.sendPostedEvents()
            self.app.processEvents()
            taken.append(1e3 * (time.perf_counter() - start))
            self.spin(rest_s)
        timing = Timing(name, float(np.median(taken)), max(taken))
        self.timings.append(timing)
        print(f"{name}: median {timing.median_ms:.0f} ms, worst {timing.worst_ms:.0f} ms", flush=True)


def measured(result: Path) -> list[Timing]:
    """Open a result in a viewer, and measure."""
    import napari

    from coreg.registration.by_hand import Adjustment
    from coreg_napari.desk import Desk
    from coreg_napari.launch import WINDOW_PX, tidy

    viewer = napari.Viewer(show=True)
    viewer.window.resize(*WINDOW_PX)
    tidy(viewer)
    watch = Stopwatch(viewer)
    desk = Desk(viewer, ask=lambda _question, _answers: "Discard")
    watch.spin(1.0)
    gc.freeze()
    watch.measure(
        "a case is opened", lambda _: desk.open(result), runs=3, until=lambda: not desk.opening, rest_s=8.0
    )
    watch.wait(lambda: desk.window is not None and desk.window.session.solved is not None)
    watch.spin(2.0)
    window = desk.window
    session = window.session
    watch.measure("one frame further, all 2-D views", lambda k: session.go_to_row(100 + k))
    watch.measure(
        "a slider is moved, all 2-D views", lambda k: session.preview(Adjustment(shift_mm=0.1 * (k + 1)))
    )
    session.preview(Adjustment())
    watch.measure("the cut's angle is moved", lambda k: setattr(session, "cut_angle_rad", 0.1 * (k + 1)))
    for each in session.landmarks[:2]:
        session.set_state(each.landmark.id, "accepted")
    watch.measure(
        "solved again with two landmarks", lambda _: window.resolve(), runs=5, until=lambda: not window.busy
    )
    viewer.close()
    return watch.timings


def page(timings: list[Timing]) -> str:
    """Write the timings in Markdown."""
    lines = [
        "# The viewer's speed",
        "",
        "Made by `python benchmarks/viewer.py`: 1400 x 900 pixels, software OpenGL, "
        f"{os.cpu_count()} CPU cores, Python {platform.python_version()}; "
        f"about 300 frames of {PIXELS} x {PIXELS}, a CCTA of "
        f"{CCTA_SHAPE[1]} x {CCTA_SHAPE[2]} x {CCTA_SHAPE[0]}, compressed NIfTI. From the cause to the last "
        "pixel.",
        "",
        "| action | median, ms | worst, ms | wanted, ms |",
        "| --- | --- | --- | --- |",
    ]
    for each in timings:
        wanted = f"{TARGETS_MS[each.name]:.0f}" if each.name in TARGETS_MS else ""
        lines.append(f"| {each.name} | {each.median_ms:.0f} | {each.worst_ms:.0f} | {wanted} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Make the case, measure, write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=whole_number(0), default=0)
    parser.add_argument("--out", type=folder, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    os.environ.update(dict.fromkeys(THREADS, "1"))
    with tempfile.TemporaryDirectory() as place:
        timings = measured(full_size_case(Path(place), options.seed))
    (options.out / "viewer.md").write_text(page(timings), encoding="utf-8")


if __name__ == "__main__":
    main()
