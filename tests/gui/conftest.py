"""A small patient with images and outlines, registered, and real viewers under a real X server."""

import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.draw import polygon2mask

from coreg.io.case_file import load_case
from coreg.io.frames_csv import read_frames
from coreg.io.label_stack import write_label_stack
from coreg.io.results import write_registration
from coreg.io.volumes import read_volume, write_volume
from coreg.registration import register
from coreg.volume import Volume

SAMPLE = Path(__file__).parents[2] / "sample_data" / "sample-OCT"
PIXELS, PIXEL_MM = 96, 0.09


def pytest_collection_modifyitems(items):
    """Skip where there is nothing to show a window on; Qt would end the whole process."""
    if not sys.platform.startswith("linux") or {"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ):
        return
    reason = "no display: install Xvfb and pytest-xvfb, or run under xvfb-run"
    for item in items:
        if "qtbot" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.skip(reason=reason))


def drawn_frames(pullback):
    """Grey images of a pullback: a bright wall that fades with depth, about a dark lumen."""
    middle = (PIXELS - 1) / 2.0
    frames = np.zeros((int(pullback.frame.max()) + 1, PIXELS, PIXELS), np.uint8)
    for frame in pullback.frame.tolist():
        contour = pullback.lumen.get(frame)
        if contour is None:
            continue
        inside = polygon2mask((PIXELS, PIXELS), contour[:, ::-1] / PIXEL_MM + middle)
        near = gaussian_filter((~inside).astype(np.float32), 3.0)
        frames[frame] = np.where(inside, 8.0, 230.0 * (1.0 - near) + 30.0)
    return frames


@pytest.fixture(scope="session")
def patient(tmp_path_factory):
    """Folder of a case with a CCTA image, pullback images, both lumens, landmarks and the truth."""
    folder = tmp_path_factory.mktemp("viewer") / "case"
    shutil.copytree(SAMPLE, folder)
    case = load_case(folder)
    label = read_volume(folder / "ccta_lumen.nii.gz")
    inside = gaussian_filter((np.asarray(label.values) != 0).astype(np.float32), 0.8)
    hu = (40.0 + 360.0 * inside).astype(np.int16)
    # Air about it, as in any chest.
    hu[:, :3], hu[:, -3:] = -1000, -1000
    write_volume(folder / "ccta.nii.gz", Volume(hu, label.index_to_world))
    frames = drawn_frames(case.pullback)
    write_label_stack(
        folder / "pullback.nii.gz", iter(frames), shape=frames.shape, spacing_mm=(0.4, PIXEL_MM, PIXEL_MM)
    )
    text = (folder / "case.toml").read_text(encoding="utf-8")
    text = text.replace("[ccta]\n", '[ccta]\nimage = "ccta.nii.gz"\n')
    text = text.replace("[pullback]\n", '[pullback]\nimage = "pullback.nii.gz"\n')
    (folder / "case.toml").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def truth(patient):
    """Exact poses of the patient's frames."""
    return read_frames(patient / "truth" / "frames.csv")


@pytest.fixture(scope="session")
def registration(patient):
    """What the program makes of the patient."""
    return register(load_case(patient))


@pytest.fixture
def result(patient, registration, tmp_path):
    """A fresh result folder of the patient, beside which its case is found."""
    case = tmp_path / "case"
    case.symlink_to(patient)
    folder = tmp_path / "result"
    folder.mkdir()
    write_registration(folder, registration, case_id="sample-OCT")
    return folder


@pytest.fixture
def wrong(result, registration, truth):
    """A result that is 7 frames and 40 degrees off: the truth, moved."""
    from coreg.registration.by_hand import Adjustment, adjusted, lumen_centres

    pullback = load_case(result.parent / "case").pullback
    moved = adjusted(
        truth,
        registration.centerline,
        lumen_centres(truth, pullback),
        Adjustment(7 * pullback.frame_spacing_mm, np.radians(40.0)),
    )
    write_registration(result, replace(registration, path=moved), case_id="sample-OCT")
    return result


@pytest.fixture
def desk(qtbot, tmp_path):
    """A viewer with nothing open yet; ``desk.answers`` answers what it asks, which is in ``desk.asked``."""
    import napari

    from coreg_napari.desk import Desk

    viewer = napari.Viewer(show=True)
    answers, asked = [], []

    def ask(question, names):
        asked.append(question)
        return answers.pop(0) if answers else names[-1]

    desk = Desk(viewer, ask=ask)
    desk.answers, desk.asked = answers, asked
    desk.state_folder = tmp_path / "state"
    desk.reviewer = "R1"
    yield desk
    if not desk.closed:
        answers[:] = ["Discard"]
        viewer.close()
    qtbot.wait(50)
