"""Labels that never widen the window, whatever they say."""

from __future__ import annotations

from qtpy.QtWidgets import QLabel


def let_shrink(label: QLabel) -> None:
    """Let a label be narrower than its longest word: a long path would push the window off the screen."""
    label.setMinimumWidth(1)
