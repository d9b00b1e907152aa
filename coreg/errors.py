"""The two ways in which a run can fail that are not bugs."""

from __future__ import annotations


class CoregError(Exception):
    """A failure with a reason a user can read."""


class InputError(CoregError):
    """An input cannot be used: names the file, the field, what was found and what was expected."""


class RegistrationError(CoregError):
    """The inputs are fine but could not be registered: names the step and the reason."""
