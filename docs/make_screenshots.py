"""Make the pictures of the viewer in docs/figures from the real window.

    xvfb-run -s "-screen 0 1600x1000x24" python docs/make_screenshots.py

Draws a synthetic patient (a minute), registers it, and opens it as a user would.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from coreg.io.case_file import load_case
from coreg.io.results import write_registration
from coreg.registration import register

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

FIGURES = Path(__file__).parent / "figures"
COHORT = (("P001-LAD", "good"), ("P002-LAD", "review"), ("P003-RCA", "failed"))


class Photographer:
    """Works a viewer and takes pictures of it."""

    def __init__(self, out: Path) -> None:
        import napari
        from qtpy.QtWidgets import QApplication

        from coreg_napari.desk import Desk
        from coreg_napari.launch import WINDOW_PX, tidy

        self.out = out
        self.viewer = napari.Viewer(show=True)
        self.viewer.window.resize(*WINDOW_PX)
        tidy(self.viewer)
        self.app = QApplication.instance()
        self.desk = Desk(self.viewer, ask=lambda _question, _answers: "Discard")
        self.desk.reviewer = "R1"

    def spin(self, seconds: float) -> None:
        """Let the viewer do what it has to do."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.app.processEvents()
            time.sleep(0.01)

    def open(self, path: Path) -> None:
        """Open a path, and wait until it is ready for work."""
        before = self.desk.window
        self.desk.open(path)
        while self.desk.opening or self.desk.window is before:
            self.spin(0.05)
        while self.desk.window.session.solved is None:
            self.spin(0.05)
        self.spin(2.0)

    def window(self, name: str) -> None:
        """Take a picture of the whole window."""
        self.spin(1.0)
        self._save(name, self.viewer.screenshot(canvas_only=False, flash=False))

    def part(self, name: str, widget: QWidget) -> None:
        """Take a picture of one widget, as the window shows it."""
        self.spin(1.0)
        whole = self.viewer.screenshot(canvas_only=False, flash=False)
        corner = widget.mapTo(self.desk.window.main_window, widget.rect().topLeft())
        size = widget.size()
        rows = slice(corner.y(), corner.y() + size.height())
        self._save(name, whole[rows, corner.x() : corner.x() + size.width()])

    def _save(self, name: str, pixels: np.ndarray) -> None:
        Image.fromarray(pixels[..., :3]).save(self.out / f"{name}.png", optimize=True)


def made_patient(place: Path) -> Path:
    """Draw a patient and register it; returns the result."""
    from coreg_napari.sample import make_sample

    make_sample(place / "case", lambda _stage, _share: None)
    result = place / "result"
    result.mkdir()
    case = load_case(place / "case")
    write_registration(result, register(case), case_id=case.id)
    return result


def made_cohort(place: Path, result: Path) -> Path:
    """Make a cohort of copies, with other names and verdicts."""
    cohort = place / "cohort"
    text = (place / "case" / "case.toml").read_text(encoding="utf-8")
    found = (result / "registration.json").read_text(encoding="utf-8")
    case_id = load_case(place / "case").id
    reasons = {
        "good": "[]",
        "review": '["A placement turned by 178 degrees fits almost as well (5 % more cost)"]',
        "failed": '["No placement puts half of the pullback in the CCTA\'s vessel"]',
    }
    for name, verdict in COHORT:
        folder = cohort / "cases" / name
        folder.mkdir(parents=True)
        start, end = found.index('"reasons"'), found.index('"radius_scale"')
        changed = found[:start] + f'"reasons": {reasons[verdict]},\n ' + found[end:]
        changed = changed.replace(f'"case_id": "{case_id}"', f'"case_id": "{name}"')
        changed = changed.replace('"verdict": "good"', f'"verdict": "{verdict}"')
        (folder / "registration.json").write_text(changed, encoding="utf-8")
        case = cohort / f"{name}-files"
        shutil.copytree(place / "case", case)
        own = text.replace(f'id = "{case_id}"', f'id = "{name}"', 1)
        (case / "case.toml").write_text(own, encoding="utf-8")
    return cohort


def main() -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=FIGURES)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        result = made_patient(Path(place))
        camera = Photographer(options.out)
        camera.open(result)
        window = camera.desk.window
        session = window.session
        names = [each.landmark.id for each in session.landmarks]
        session.select(names[1])
        camera.window("viewer")
        camera.part("viewer-along", window.along)
        camera.part("viewer-space", window.space)
        for name in names[:3]:
            session.set_state(name, "accepted")
        window.leave_one_out()
        while window.busy:
            camera.spin(0.05)
        window.tabs.setCurrentWidget(window.landmarks)
        camera.part("viewer-landmarks", window.tabs)
        cohort = made_cohort(Path(place), result)
        camera.desk.open(cohort)
        while camera.desk.opening or camera.desk.work_list is None:
            camera.spin(0.05)
        camera.open(cohort / "cases" / COHORT[1][0])
        camera.spin(2.0)
        camera.window("viewer-work-list")
        camera.viewer.close()
        camera.spin(0.3)


if __name__ == "__main__":
    main()
