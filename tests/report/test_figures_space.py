"""The vessel and the catheter in space."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from coreg.report.figures_space import vessel_in_space
from coreg.report.style import look


def arc(turn_rad):
    """A quarter of a circle that is turned about the viewer's axis, with a rise that makes it no plane."""
    t = np.linspace(0.0, 0.5 * np.pi, 200)
    return 40.0 * np.column_stack([np.cos(t + turn_rad), np.sin(t + turn_rad), 0.1 * t])


@pytest.mark.parametrize("turn_rad", [0.0, 0.7, 1.6, 2.5, 4.0])
def test_the_path_runs_through_neither_name_of_its_ends(turn_rad):
    path = arc(turn_rad)
    with look():
        figure = vessel_in_space(np.empty((0, 3, 3)), path, path, np.ones(len(path), bool), [])
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        names = 0
        for axes in figure.axes:
            line = next(each for each in axes.lines if len(each.get_xdata()) > 400)
            shown = axes.transData.transform(np.column_stack(line.get_data()))
            shown = shown[np.isfinite(shown).all(axis=1)]
            for text in axes.texts:
                if text.get_text() in ("proximal", "distal"):
                    names += 1
                    box = text.get_window_extent(canvas.get_renderer())
                    inside = (shown > [box.x0, box.y0]) & (shown < [box.x1, box.y1])
                    assert not inside.all(axis=1).any()
    assert names == 4
