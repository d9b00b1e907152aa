"""Napari's own keys that would break a view whose layers and dimensions are ours."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

# They turn the sections into a block, roll, swap or tile them, hide, select or delete their layers, or let
# the mouse move a layer against the others.
HARMFUL = (
    "Control-Y",
    "Control-E",
    "Control-T",
    "Control-Alt-T",
    "Control-G",
    "Control-Delete",
    "Control-Backspace",
    "Control-Up",
    "Control-Down",
    "Shift-Alt-Up",
    "Shift-Alt-Down",
    "V",
    "Shift-V",
    "1",
    "2",
)


def silence(places: Iterable[Any]) -> None:
    """Let these keys do nothing in viewers and layers.

    Parameters
    ----------
    places : iterable
        Whatever napari asks for a key: viewers, and layers that may be the active one.
    """
    for place in places:
        for key in HARMFUL:
            place.bind_key(key, _nothing, overwrite=True)


def release(viewer: Any) -> None:
    """Give a viewer that stays its own keys back."""
    for key in HARMFUL:
        viewer.bind_key(key, None, overwrite=True)


def _nothing(_place: Any) -> None:
    """Do nothing."""
