"""What is written beside marks in the cross-sections; knows no screen."""

import numpy as np
import pytest

pytest.importorskip("psygnal", reason="the viewer needs the gui extra: pip install coreg[gui]")

from coreg_napari.marks import Mark, labels


def mark(name, x_mm, *, view="pullback", shape="set"):
    return Mark(view, np.array([x_mm, 0.0]), shape, name)


def test_names_of_marks_that_lie_on_each_other_stand_beside_one_of_them():
    marks = [mark("L1", 0.0), mark("B1", 0.2, shape="branch"), mark("L2", 3.0)]
    assert labels(marks) == ["L1, B1", "", "L2"]


def test_the_same_name_is_written_once_in_each_section():
    marks = [mark("B1", 0.0), mark("B1", 0.1, shape="branch"), mark("B1", 0.0, view="ccta")]
    assert labels(marks) == ["B1", "", "B1"]


def test_where_the_other_half_is_expected_no_name_is_written():
    assert labels([mark("L1", 0.0, shape="expected"), mark("L1", 0.1)]) == ["", "L1"]


def test_no_name_is_lost_in_a_row_of_marks():
    marks = [mark(f"L{i}", 0.4 * i) for i in range(6)]
    assert {name for label in labels(marks) for name in label.split(", ")} >= {each.name for each in marks}
