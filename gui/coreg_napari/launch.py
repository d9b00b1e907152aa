"""Starting the viewer: `coreg view`."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

from coreg.errors import InputError

WINDOW_PX = (1400, 900)


def view(path: Path | None, *, case: Path | None = None) -> None:
    """Open a viewer on a case, a result or a cohort, or on a sample, and return when it is closed.

    Raises
    ------
    InputError
        If there is nothing to open, no screen, no OpenGL, or the gui extra is missing.
    """
    if path is not None and not path.exists():
        msg = f"{path}: found nothing, expected a case.toml, a result folder or a cohort's folder"
        raise InputError(msg)
    check_screen()
    try:
        import napari

        from coreg_napari.desk import Desk
        from coreg_napari.sample import sample_case
    except ImportError as error:
        missing = error.name or str(error)
        msg = f"coreg view needs the gui extra ({missing} is missing): pip install 'coreg[gui]'"
        raise InputError(msg) from error

    viewer = napari.Viewer(title="coreg", show=False)
    check_opengl()
    viewer.window.show()
    # After napari has put the window where it was last time.
    viewer.window.resize(*WINDOW_PX)
    tidy(viewer)
    # Napari collects garbage with every layer; what was loaded so far stays anyway.
    gc.freeze()
    desk = Desk.of(viewer)
    if path is None:
        desk.open_made("Making a synthetic patient", sample_case)
    else:
        desk.open(path, case=case)
    napari.run()


def tidy(viewer: object) -> None:
    """Hide the lists that a reader does not need; the menu Window brings them back."""
    qt_viewer = viewer.window._qt_viewer  # type: ignore[attr-defined]
    for dock in (qt_viewer.dockLayerList, qt_viewer.dockLayerControls):
        dock.setVisible(False)


def check_screen() -> None:
    """Refuse where there is no screen, since Qt would end the program without a word of use.

    Raises
    ------
    InputError
        If there is none.
    """
    if sys.platform != "linux" or os.environ.get("QT_QPA_PLATFORM"):
        return
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        msg = (
            "coreg view: found no screen (neither DISPLAY nor WAYLAND_DISPLAY is set), expected one; over "
            "ssh use ssh -X, or run it under xvfb-run"
        )
        raise InputError(msg)


def check_opengl() -> None:
    """Refuse where OpenGL does not work, since the canvas would stay black.

    Raises
    ------
    InputError
        If there is none.
    """
    from qtpy.QtGui import QOffscreenSurface, QOpenGLContext

    context, surface = QOpenGLContext(), QOffscreenSurface()
    surface.create()
    if context.create() and context.makeCurrent(surface):
        context.doneCurrent()
        return
    msg = (
        "coreg view: found no OpenGL, expected OpenGL 2.1 or newer; on Debian and Ubuntu install "
        "libgl1-mesa-dri and set LIBGL_ALWAYS_SOFTWARE=1"
    )
    raise InputError(msg)
