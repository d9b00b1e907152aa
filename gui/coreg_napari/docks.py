"""Panels of the review in napari's window: they can be hidden and brought back, not lost."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QDockWidget, QWidget

NAME = "coreg: {}"


def add_dock(viewer: Any, widget: QWidget, name: str, area: str) -> QDockWidget:
    """Add a panel; napari's menu *Window* shows and hides it.

    Parameters
    ----------
    viewer : napari.Viewer
        Where.
    widget : QWidget
        What the panel holds.
    name : str
        As it is called in the menu, after the program's name.
    area : str
        ``left``, ``right``, ``top`` or ``bottom``.
    """
    window = viewer.window
    dock: Any = window.add_dock_widget(widget, name=NAME.format(name), area=area, menu=window.window_menu)
    # Napari's button that closes a panel takes it apart, and nothing could put it together again.
    dock._close_btn = False
    dock._update_title_bar()
    made: QDockWidget = dock
    return made


def remove_dock(viewer: Any, dock: QDockWidget) -> None:
    """Take a panel out of the window and its menu; what it held is kept."""
    viewer.window.remove_dock_widget(dock, menu=viewer.window.window_menu)
