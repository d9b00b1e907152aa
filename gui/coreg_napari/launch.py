"""Starting the viewer: `coreg view`."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from coreg.errors import InputError
from coreg.io.files import is_there

WINDOW_PX = (1400, 900)
PROBE_S, NO_OPENGL = 30.0, 9
# PyOpenGL, which draws, must see the context that Qt has made.
PROBE = f"""
import sys
from qtpy.QtGui import QGuiApplication, QOpenGLContext, QSurface, QWindow
application = QGuiApplication([])
window = QWindow()
window.setSurfaceType(QSurface.SurfaceType.OpenGLSurface)
window.create()
context = QOpenGLContext()
if not (context.create() and context.makeCurrent(window)):
    sys.exit({NO_OPENGL})
from OpenGL.platform import GetCurrentContext
sys.exit(0 if GetCurrentContext() else {NO_OPENGL})
"""


def view(path: Path | None, *, case: Path | None = None) -> None:
    """Open a viewer on a case, a result or a cohort, or on a sample, and return when it is closed.

    Raises
    ------
    InputError
        If there is nothing to open, no screen, no OpenGL, or the gui extra is missing.
    """
    if path is not None and not is_there(path):
        msg = f"{path}: found nothing, expected a case.toml, a result folder or a cohort's folder"
        raise InputError(msg)
    if case is not None and not is_there(case):
        msg = f"--case {case}: found nothing, expected the case.toml of the result, or its folder"
        raise InputError(msg)
    check_screen()
    # Beside the import, which takes longer.
    probe = start_probe()
    try:
        import napari

        from coreg_napari.desk import Desk
        from coreg_napari.sample import sample_case
    except ImportError as error:
        missing = error.name or str(error)
        msg = f"coreg view needs the gui extra ({missing} is missing): pip install 'coreg[gui]'"
        raise InputError(msg) from error
    check_probe(probe)
    viewer = napari.Viewer(title="coreg", show=False)
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


def tidy(viewer: Any) -> None:
    """Hide the lists that a reader does not need; the menu Window brings them back."""
    qt_viewer = viewer.window._qt_viewer
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


def start_probe() -> subprocess.Popen[bytes]:
    """Try a window and OpenGL in a program of its own: where these fail, Qt ends the one that tries."""
    return subprocess.Popen(  # noqa: S603 - a fixed program of our own
        [sys.executable, "-c", PROBE], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def check_probe(probe: subprocess.Popen[bytes]) -> None:
    """Wait for a probe, and refuse where a window or OpenGL would not work.

    Raises
    ------
    InputError
        If one of them does not.
    """
    try:
        status = probe.wait(PROBE_S)
    except subprocess.TimeoutExpired:
        # A slow screen is a screen.
        probe.kill()
        probe.wait()
        return
    if status == 0:
        return
    if status == NO_OPENGL:
        msg = (
            "coreg view: found no OpenGL, expected OpenGL 2.1 or newer; on Debian and Ubuntu install "
            "libgl1-mesa-dri and set LIBGL_ALWAYS_SOFTWARE=1. If the screen itself has none (glxinfo then "
            "says that GLX is missing), use another one, such as xvfb-run or VNC"
        )
        raise InputError(msg)
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or "not set"
    msg = (
        f"coreg view: no window can be opened (DISPLAY is {display}), expected a screen that answers; see "
        "that DISPLAY is right and, on Debian and Ubuntu, that libxcb-cursor0 and libegl1 are installed. "
        "QT_DEBUG_PLUGINS=1 makes Qt say more"
    )
    raise InputError(msg)
