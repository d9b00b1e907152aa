"""What a person made of a registration: landmarks looked at, a placement by hand, a decision."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from coreg.landmarks import Landmark

State = Literal["proposed", "accepted", "corrected", "rejected"]
Origin = Literal["given", "found", "manual"]
Decision = Literal["approved", "rejected"]
STATES: tuple[State, ...] = ("proposed", "accepted", "corrected", "rejected")
ORIGINS: tuple[Origin, ...] = ("given", "found", "manual")
DECISIONS: tuple[Decision, ...] = ("approved", "rejected")
# States in which a landmark guides and counts.
ACCEPTED: tuple[State, ...] = ("accepted", "corrected")


@dataclass(frozen=True, eq=False)
class ReviewedLandmark:
    """A landmark and what a reader thinks of it.

    Attributes
    ----------
    landmark : Landmark
        Either half may be missing while it is being set.
    state : str
        ``proposed`` until a reader has ``accepted``, ``corrected`` or ``rejected`` it.
    origin : str
        ``given`` by the case, ``found`` by the program, or ``manual``.
    reviewer, time : str
        Who changed it last, and when (ISO 8601, UTC); empty while nobody has.
    """

    landmark: Landmark
    state: State = "proposed"
    origin: Origin = "given"
    reviewer: str = ""
    time: str = ""

    @property
    def counts(self) -> bool:
        """Whether it may guide, and be measured as truth: accepted or corrected, with both halves."""
        return self.state in ACCEPTED and self.landmark.paired


@dataclass(frozen=True)
class Event:
    """One line of the audit trail.

    Attributes
    ----------
    time : str
        ISO 8601, UTC.
    reviewer, action, detail : str
        Who did what to what, in plain words.
    """

    time: str
    reviewer: str
    action: str
    detail: str = ""


@dataclass(frozen=True)
class SignOff:
    """A reader's decision about a registration.

    Attributes
    ----------
    decision : str
        ``approved`` or ``rejected``.
    reviewer, time : str
        Who, and when (ISO 8601, UTC).
    comment : str
        Free text.
    """

    decision: Decision
    reviewer: str
    time: str
    comment: str = ""


@dataclass(frozen=True, eq=False)
class Review:
    """All that a review leaves behind beside the path itself.

    Attributes
    ----------
    case_id : str
        Whose it is.
    landmarks : tuple of ReviewedLandmark
        In the order in which they came.
    events : tuple of Event
        The audit trail, oldest first. Nothing is ever taken out of it.
    sign_off : SignOff or None
        While there is one, the review is locked.
    comment : str
        Not signed yet.
    command : str
        The command line that repeats what was done, as far as one can.
    """

    case_id: str
    landmarks: tuple[ReviewedLandmark, ...] = ()
    events: tuple[Event, ...] = ()
    sign_off: SignOff | None = None
    comment: str = ""
    command: str = field(default="")

    @property
    def locked(self) -> bool:
        """Whether it is signed off: to be reopened before anything is changed."""
        return self.sign_off is not None

    def with_event(self, event: Event) -> Review:
        """Return the same with a line more in the audit trail."""
        return replace(self, events=(*self.events, event))
