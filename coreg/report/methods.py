"""How methods of registration are named and drawn, the same in all tables and figures."""

from __future__ import annotations

from coreg.report.style import AFTER, CALCIUM, DOUBT, LANDMARK, PULLBACK, WALL

TITLES = {
    "nonrigid": "coreg, non-rigid",
    "rigid": "coreg, rigid (one shift, one rotation)",
    "dtw": "dynamic time warping",
    "dp": "dynamic programming",
    "bspline": "B-spline free-form deformation",
}
SHORT = {
    "nonrigid": "non-rigid",
    "rigid": "rigid",
    "dtw": "time warping",
    "dp": "dynamic prog.",
    "bspline": "B-spline",
}
COLOURS = {"nonrigid": PULLBACK, "rigid": AFTER, "dtw": LANDMARK, "dp": CALCIUM, "bspline": DOUBT}


def method_title(name: str) -> str:
    """Return a method's title; one that is not known keeps its name."""
    return TITLES.get(name, name)


def short_title(name: str) -> str:
    """Return a title that has room under a column of dots.

    >>> short_title("bspline"), short_title("a-method-with-a-long-name")
    ('B-spline', 'a-method-with…')
    """
    return SHORT.get(name, name if len(name) <= 14 else f"{name[:13]}…")


def method_colour(name: str) -> str:
    """Return a method's colour, told apart with every kind of colour vision."""
    return COLOURS.get(name, WALL)
