import numpy as np
import pytest

from coreg.catheter_path import VirtualCatheterPath

PITCH_MM = 0.2


@pytest.fixture
def straight_path():
    """Make a path along world +z, which is distal, with a frame at each height."""

    def make(
        z_mm, *, turn_deg=0.0, offset_mm=(0.0, 0.0), view="looking-distal", frame=None, position_mm=None
    ):
        z_mm = np.asarray(z_mm, dtype=float)
        count = len(z_mm)
        turn = np.radians(turn_deg)
        side = 1.0 if view == "looking-distal" else -1.0
        # The image's own axes, turned from +column towards +row.
        column = np.array([np.cos(turn), side * np.sin(turn), 0.0])
        row = np.array([-np.sin(turn), side * np.cos(turn), 0.0])
        return VirtualCatheterPath(
            np.arange(count)[::-1] if frame is None else np.asarray(frame),
            PITCH_MM * np.arange(count)[::-1]
            if position_mm is None
            else np.asarray(position_mm, dtype=float),
            z_mm,
            np.full(count, turn),
            np.column_stack([np.full(count, offset_mm[0]), np.full(count, offset_mm[1]), z_mm]),
            np.tile(column, (count, 1)),
            np.tile(row, (count, 1)),
            np.ones(count, dtype=bool),
            ("",) * count,
        )

    return make
