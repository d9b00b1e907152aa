"""Doing the same for each of many cases: in threads, and so that one case's error does not end the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol, TypeVar

import torch

A = TypeVar("A")
B = TypeVar("B")


class Each(Protocol):
    """What `map` does: call a function for each case, in order."""

    def __call__(self, function: Callable[[A], B], cases: Iterable[A], /) -> Iterable[B]:
        """Call it."""


@contextmanager
def in_threads(threads: int) -> Iterator[Each]:
    """Give a `map` that uses so many threads, in each of which torch uses one."""
    if threads == 1:
        yield map
        return
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        yield pool.map


def or_error(function: Callable[[A], B]) -> Callable[[A], B | Exception]:
    """Let a function return the error that it would raise."""

    def tried(argument: A) -> B | Exception:
        try:
            return function(argument)
        except (
            Exception
        ) as error:  # the caller finds it in the case's place: a bug must not end a run of hours
            return error

    return tried
