"""Figures along the vessel of a pullback that was outlined in a few frames."""

import numpy as np

from coreg.report.figures_along import Frames, Profile, confidence, lengthwise, usual_range
from coreg.report.style import PULLBACK, look

COUNT = 12


def profile_of(known):
    there = np.isin(np.arange(COUNT), known)
    radius = np.where(there[:, None], 1.5, np.nan) * np.ones(8)
    return Profile(radius, np.pi * radius[:, 0] ** 2)


def test_a_frame_that_is_outlined_alone_is_a_dot():
    sparse, whole = profile_of([1, 5, 6, 11]), profile_of(range(COUNT))
    frames = Frames(
        np.arange(COUNT), np.linspace(6.0, 0.0, COUNT), np.ones(COUNT, bool), np.ones(COUNT, bool)
    )
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


def in_the_aorta_first():
    """Frames of a tube of 7 mm2, the first four in an aorta of 140 mm2 that is cut far off."""
    outside = np.arange(COUNT) < 4
    radius = np.where(outside[:, None], 6.7, 1.5) * np.ones(8)
    frames = Frames(np.arange(COUNT), np.linspace(6.0, 0.0, COUNT), ~outside, ~outside)
    return frames, Profile(radius, np.pi * radius[:, 0] ** 2)


def test_axes_of_areas_and_cuts_fit_the_vessel_not_the_aorta():
    frames, ccta = in_the_aorta_first()
    with look():
        figure = lengthwise(frames, profile_of(range(COUNT)), ccta, ccta, ())
    area, _, cut = figure.axes[:3]
    assert 7.1 < area.get_ylim()[1] < 12.0
    assert 1.5 < cut.get_ylim()[1] < 3.0


def test_axis_of_distances_fits_the_vessel_and_shows_its_worst_stretch():
    frames, _ = in_the_aorta_first()
    distance = np.where(frames.in_vessel, 0.1, 2.0)
    distance[8:10] = 0.5
    with look():
        top = confidence(frames, distance, np.zeros(COUNT, bool)).axes[0].get_ylim()[1]
    assert 0.5 < top < 1.0


def test_usual_range_leaves_out_what_is_rare_and_holds_the_least():
    values = np.concatenate([np.linspace(0.0, 1.0, 199), [50.0, np.nan]])
    low, high = usual_range(values, least=(-0.5, 0.5), kept=0.98)
    assert low == -0.5
    assert 0.9 < high < 1.1
    assert usual_range(np.array([np.nan]), least=(0.0, 2.0), kept=0.98) == (0.0, 2.0)
