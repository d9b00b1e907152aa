import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreg.errors import InputError
from coreg.io.tables import cell_text, read_records, read_table, write_table


def table(tmp_path, content, required=("a", "b"), optional=("note",)):
    (tmp_path / "t.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(tmp_path / "t.csv", required=required, optional=optional)


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_separators_line_ends_and_marks_are_all_taken(tmp_path, mark, end):
    content = "\ufeff" + end.join([f"b{mark}a", f" 1.5 {mark}2", "", f"{mark}-3e-1", ""])
    read = table(tmp_path, content)
    np.testing.assert_array_equal(read.numbers("a"), [2.0, -0.3])
    np.testing.assert_array_equal(read.numbers("b"), [1.5, np.nan])
    assert read.texts("b") == ["1.5", None]
    assert read.texts("note") == [None, None]


def test_rows_are_counted_with_empty_ones_and_lines_inside_of_cells(tmp_path):
    (tmp_path / "t.csv").write_text('a;b\n;\n"1\n2"; 3 \n\n4')
    read = [(each.cells, each.row, each.line) for each in read_records(tmp_path / "t.csv")]
    assert read == [(["a", "b"], 1, 1), (["1\n2", "3"], 3, 4), (["4"], 5, 6)]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("a,c\n1,2", "column b: found the columns a,c, expected a,b"),
        ("a,b,nte\n1,2,3", r"unknown column 'nte' \(did you mean note\?\)"),
        ("a,b,a\n1,2,3", "column a: found it twice"),
        ("a,b\n1,2,3", "line 2: found 3 cells, expected 2"),
        ("a,b\n", "a header without rows"),
        ("\n \n", "no header"),
        ('a,b\n"1,2', "expected a CSV table"),
        (b"a,b\n1\0,2", "line 2"),
    ],
)
def test_a_broken_table_is_refused_by_line_and_column(tmp_path, content, match):
    with pytest.raises(InputError, match=match):
        table(tmp_path, content).numbers("a")


@pytest.mark.parametrize(
    ("cell", "match"),
    [
        ("x", "line 3, column a: found 'x', expected a number"),
        ("nan", "column a: found 'nan', expected a finite number"),
        ("inf", "expected a finite number"),
        ("", "column a: found an empty cell"),
    ],
)
def test_a_bad_number_is_named(tmp_path, cell, match):
    with pytest.raises(InputError, match=match):
        table(tmp_path, f"a,b\n1,2\n{cell},3").numbers("a", required=True)


@pytest.mark.parametrize("cell", ["1.5", "-1", "1e12"])
def test_frames_are_whole_numbers_from_zero(tmp_path, cell):
    with pytest.raises(InputError, match="expected a whole number from 0"):
        table(tmp_path, f"a,b\n{cell},2").whole_numbers("a")


def test_awkward_text_survives(tmp_path):
    texts = ['a "quoted", text', "two\nlines", "semi;colon", ""]
    write_table(tmp_path / "t.csv", ["a", "note"], [(i, text) for i, text in enumerate(texts)])
    read = read_table(tmp_path / "t.csv", required=("a", "note"))
    assert read.texts("note") == [text or None for text in texts]


@given(st.floats(-1e6, 1e6))
def test_numbers_lose_less_than_a_millionth_of_a_millimetre(value):
    assert float(cell_text(value)) == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (math.nan, ""),
        (None, ""),
        (True, "1"),
        (np.bool_(False), "0"),
        (-1e-12, "0"),
        (np.int64(3), "3"),
        (2.50, "2.5"),
    ],
)
def test_cells_are_plain(value, text):
    assert cell_text(value) == text
