"""The list of keys, as a box that may stay open beside the work."""

from __future__ import annotations

from html import escape

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMessageBox, QWidget

# What napari itself, or the mouse, does in the sections.
OTHERS = (
    ("wheel", "over the sections, the cuts and the curves: a frame on or back; over the view in space: zoom"),
    ("Control-wheel", "over the sections: zoom; over the view in space: a frame on or back"),
    ("drag", "move the sections; a landmark's ring: correct it"),
    ("Shift-drag", "in the CCTA's section: turn it; in the CCTA's lengthwise cut: shift it"),
)


def keys_table(lines: str) -> str:
    """Write lines of keys and meanings, with a tab between, as a table in HTML."""
    rows = [*OTHERS, *(tuple(line.split("\t", 1)) for line in lines.splitlines())]
    cells = (
        f"<tr><td><b>{escape(key)}</b>&nbsp;&nbsp;</td><td>{escape(what)}</td></tr>" for key, what in rows
    )
    return f"<table>{''.join(cells)}</table>"


def show_keys(parent: QWidget, text: str) -> QMessageBox:
    """Show the keys, or the line that says why there are none."""
    box = QMessageBox(parent)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.setWindowTitle("Keys of the review")
    box.setTextFormat(Qt.TextFormat.RichText)
    box.setText(keys_table(text) if "\t" in text else escape(text))
    box.setModal(False)
    box.show()
    return box
