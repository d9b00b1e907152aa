"""The frame that all pages share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from coreg import __version__
from coreg.report.tables import Card, Table

Progress = Callable[[str, float], None]

PACKAGE, TEMPLATE = "coreg.report", "page.html.j2"


class Part(NamedTuple):
    """A section of the page: what to look for, figures as data URIs, tables."""

    anchor: str
    title: str
    caption: str
    figures: Sequence[str] = ()
    tables: Sequence[Table] = ()
    folded: bool = False


class Head(NamedTuple):
    """What stands on top: whose page it is, facts, a verdict with what it means and why, and notes.

    ``verdict`` is ``good``, ``review`` or ``failed``, which colour it, or any other word. Notes are what
    a person should know besides; they speak neither for nor against the result. ``sure`` tells how sure
    it is in detail.
    """

    title: str
    facts: Sequence[str]
    verdict: str
    meaning: str
    reasons: Sequence[str] = ()
    notes: Sequence[str] = ()
    sure: str = ""


def unique(texts: Iterable[str]) -> tuple[str, ...]:
    """Leave out what was said before."""
    return tuple(dict.fromkeys(texts))


def with_marks(meaning: str, marks: Sequence[str]) -> str:
    """Lead over to what is marked, where something is."""
    return f"{meaning} Not to be trusted:" if marks else meaning


def silent(_stage: str, _share: float) -> None:
    """Tell nobody about progress."""


def case_facts(patient: str | None, vessel: str | None) -> list[str]:
    """Say whose vessel it is, as far as that is known."""
    return [*([f"patient {patient}"] if patient else []), *([vessel] if vessel else [])]


def rendered(
    head: Head,
    cards: Sequence[Card],
    parts: Sequence[Part],
    *,
    template: tuple[str, str] = (PACKAGE, TEMPLATE),
    **more: Any,
) -> str:
    """Make one self-contained HTML page.

    Parameters
    ----------
    head, cards, parts
        What is on it.
    template : tuple of str
        Package and name of another template, that extends this one's.
    **more
        What that one shows besides, by name.
    """
    package, name = template
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(each, ".") for each in dict.fromkeys((package, PACKAGE))]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    page = environment.get_template(name)
    return page.render(head=head, cards=cards, parts=parts, version=__version__, **more)
