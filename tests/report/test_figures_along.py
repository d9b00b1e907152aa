"""Figures along the vessel of a pullback that was outlined in a few frames."""

import numpy as np

from coreg.report.figures_along import Frames, Profile, lengthwise
from coreg.report.style import PULLBACK, look

COUNT = 12


def profile_of(known):
    there = np.isin(np.arange(COUNT), known)
    radius = np.where(there[:, None], 1.5, np.nan) * np.ones(8)
    return Profile(radius, np.pi * radius[:, 0] ** 2)


def test_a_frame_that_is_outlined_alone_is_a_dot():
    sparse, whole = profile_of([1, 5, 6, 11]), profile_of(range(COUNT))
    frames = Frames(np.arange(COUNT), np.linspace(6.0, 0.0, COUNT), np.ones(COUNT, bool))
    with look():
        figure = lengthwise(frames, sparse, whole, whole, ())
    lines = [line for axes in figure.axes for line in axes.lines if len(line.get_ydata()) == COUNT]
    # An area and two cuts with two lines each, on either side.
    assert len(lines) == 20
    for line in lines:
        blue = line.get_color() == PULLBACK
        assert np.isfinite(line.get_ydata()).sum() == (4 if blue else COUNT)
        dots = np.flatnonzero(line.get_markevery()).tolist() if line.get_marker() == "." else []
        assert dots == ([1, 11] if blue else [])
