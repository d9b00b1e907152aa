"""What napari calls: readers, sample data, commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QFileDialog

from coreg.io.case_model import CASE_NAME
from coreg.io.files import is_there
from coreg.io.reviewable import is_cohort, result_folder_of
from coreg_napari.keys_box import show_keys as show_keys_box

Layers = list[tuple[None]]
# napari's way to say that a reader added no layer of its own.
NO_LAYERS: Layers = [(None,)]
PLACEHOLDER = "coreg: opening the sample"


def reader_of(path: str | list[str]) -> Callable[[Any], Layers] | None:
    """Return a reader of what coreg writes; None for other files and folders."""
    if isinstance(path, list):
        return None
    where = Path(path)
    mine = (
        where.suffix == ".toml"
        or is_there(where / CASE_NAME)
        or result_folder_of(where) is not None
        or is_cohort(where)
    )
    return _read if mine else None


def _read(path: str | list[str]) -> Layers:
    from napari import current_viewer

    from coreg_napari.desk import Desk

    where, viewer = Path(path if isinstance(path, str) else path[0]), current_viewer()
    # Once napari is done with its own reading.
    QTimer.singleShot(0, lambda: Desk.of(viewer).open(where))
    return NO_LAYERS


def open_sample() -> list[tuple[Any, dict[str, Any], str]]:
    """Make a small synthetic patient, and open it.

    Napari calls a sample without a layer an error; it gets one, which is taken away again.
    """
    from napari import current_viewer

    from coreg_napari.desk import Desk
    from coreg_napari.sample import sample_case

    viewer = current_viewer()
    before = viewer.layers.selection.active

    def go() -> None:
        if PLACEHOLDER in viewer.layers:
            viewer.layers.remove(PLACEHOLDER)
        viewer.layers.selection.active = before
        Desk.of(viewer).open_made("Making a synthetic patient", sample_case)

    QTimer.singleShot(0, go)
    return [(np.zeros((0, 2)), {"name": PLACEHOLDER, "units": ("mm", "mm")}, "points")]


def open_dialog() -> None:
    """Ask for a case or a folder, and open it."""
    from napari import current_viewer

    from coreg_napari.desk import Desk

    viewer = current_viewer()
    window = viewer.window._qt_window
    chosen = QFileDialog.getExistingDirectory(window, "Folder of a case, a result or a cohort")
    if chosen:
        Desk.of(viewer).open(Path(chosen))


def show_keys() -> None:
    """List the keyboard shortcuts."""
    from napari import current_viewer

    from coreg_napari.desk import Desk

    viewer = current_viewer()
    show_keys_box(viewer.window._qt_window, Desk.of(viewer).keys_text())
