from dataclasses import replace

import numpy as np
import pytest
from batched import Run, largest_difference, table
from measuring import Cost

from coreg.catheter_path import VirtualCatheterPath


@pytest.fixture
def path():
    """Frames along z, not turned."""
    count = 5
    x, y, z = np.repeat(np.eye(3)[:, None], count, axis=1)
    place = np.arange(count, dtype=float)
    return VirtualCatheterPath(
        np.arange(count),
        place,
        place,
        np.zeros(count),
        z * place[:, None],
        x,
        y,
        np.ones(count, bool),
        ("",) * count,
    )


def moved(path, *, mm, deg):
    """The last frame pushed along x and turned."""
    origin, column, row = path.origin_mm.copy(), path.column.copy(), path.row.copy()
    origin[-1, 0] += mm
    turn = np.radians(deg)
    column[-1] = [np.cos(turn), np.sin(turn), 0.0]
    row[-1] = [-np.sin(turn), np.cos(turn), 0.0]
    return replace(path, origin_mm=origin, column=column, row=row)


def test_largest_difference_is_that_of_the_frame_that_differs_most(path):
    mm, deg = largest_difference([path, path], [path, moved(path, mm=0.25, deg=1e-6)])
    assert mm == pytest.approx(0.25)
    assert deg == pytest.approx(1e-6, rel=1e-3)


def test_a_pose_that_only_one_has_is_no_small_difference(path):
    origin = path.origin_mm.copy()
    origin[0] = np.nan
    without = replace(path, origin_mm=origin, reliable=np.arange(5) > 0)
    assert largest_difference([path], [without]) == (np.inf, np.inf)


def test_table_has_seconds_a_case_and_no_difference_for_what_others_are_compared_with(path):
    alone = Run(2, "one by one, CPU", Cost(8.0, 0.5), 7.0, float("nan"), (path, path))
    batch = Run(1, "batch", Cost(3.0, 0.6), 2.5, 0.25, (moved(path, mm=0.001, deg=0.0),))
    *_, first, last = table([batch], alone).splitlines()
    assert first == "| 1 | batch | 3.0 | 3.00 | 2.50 | 0.60 | 0.25 | 1.0e-03 | 0.0e+00 |"
    assert last == "| 2 | one by one, CPU | 8.0 | 4.00 | 3.50 | 0.50 |  | | |"
