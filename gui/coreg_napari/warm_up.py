"""What napari and matplotlib do once, done while a case is being read."""

from __future__ import annotations

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from napari.layers import Image, Points, Surface, Vectors

_TRIANGLE = np.eye(3), np.array([[0, 1, 2]])


def warm_up() -> None:
    """Load units, colours and fonts, and make a layer of each kind; half a second the first time."""
    units = ("mm", "mm")
    Image(np.zeros((2, 2), np.float32), units=units)
    Vectors(np.zeros((1, 2, 2)), units=units)
    Points(np.zeros((1, 2)), units=units, text={"string": ["x"]})
    Surface(_TRIANGLE, units=("mm",) * 3)
    figure = Figure(figsize=(1.0, 1.0))
    figure.text(0.5, 0.5, "x")
    FigureCanvasAgg(figure).draw()
