"""Undo and redo over values that are never changed."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")
MOST_STEPS = 200


class History(Generic[T]):
    """A line of states with a label each, and which of them is the present one.

    Parameters
    ----------
    first : T
        Where it begins.
    """

    def __init__(self, first: T) -> None:
        self._states: list[tuple[T, str]] = [(first, "")]
        self._at = 0

    @property
    def present(self) -> T:
        """The state now."""
        return self._states[self._at][0]

    @property
    def undo_label(self) -> str:
        """What undo would take back; empty where there is nothing."""
        return self._states[self._at][1] if self._at else ""

    @property
    def redo_label(self) -> str:
        """What redo would do again; empty where there is nothing."""
        return self._states[self._at + 1][1] if self._at + 1 < len(self._states) else ""

    def push(self, state: T, label: str) -> None:
        """Go on to another state; what had been undone is gone."""
        self._states = [*self._states[: self._at + 1], (state, label)][-MOST_STEPS:]
        self._at = len(self._states) - 1

    def undo(self) -> T:
        """Go back a step, if there is one."""
        self._at = max(0, self._at - 1)
        return self.present

    def redo(self) -> T:
        """Go on a step that was undone, if there is one."""
        self._at = min(len(self._states) - 1, self._at + 1)
        return self.present
