"""What a view listens to, for as long as it is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from psygnal import SignalInstance

Link = tuple[SignalInstance, Callable[..., Any]]


class Links:
    """Signals with what they call, connected together and cut together.

    Parameters
    ----------
    links : tuple of SignalInstance and callable
        A pair each.
    """

    def __init__(self, *links: Link) -> None:
        self._links = links
        for signal, slot in links:
            signal.connect(slot)

    def cut(self) -> bool:
        """Stop listening; whether there was still something to listen to."""
        links, self._links = self._links, ()
        for signal, slot in links:
            signal.disconnect(slot)
        return bool(links)
