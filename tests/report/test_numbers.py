import numpy as np
import pytest

from coreg.report.figures_along import unwrapped_deg, windowed_slope
from coreg.report.style import cell_edges, spans
from coreg.report.tables import flat_table, frame_ranges, landmark_table, mean_absolute, number
from coreg.validation import LandmarkError


def test_slope_of_a_line_is_exact_at_irregular_frames():
    x = np.sort(np.random.default_rng(1).uniform(0.0, 20.0, 60))
    assert windowed_slope(x, 1.7 * x - 3.0, window_mm=1.0) == pytest.approx(1.7)


def test_slope_skips_frames_without_a_pose():
    x = np.arange(20.0) * 0.2
    y = np.where(np.arange(20) == 7, np.nan, -x)
    slope = windowed_slope(x, y, window_mm=1.0)
    assert np.isnan(slope[7])
    assert np.delete(slope, 7) == pytest.approx(-1.0)


def test_slope_of_a_single_frame_is_not_a_number():
    assert np.isnan(windowed_slope(np.array([1.0]), np.array([2.0]), window_mm=1.0)).all()


def test_angles_are_unwrapped_across_gaps():
    turn = np.linspace(0.0, 900.0, 91)
    wrapped = 180.0 - (180.0 - turn) % 360.0
    wrapped[40] = np.nan
    assert np.delete(unwrapped_deg(wrapped), 40) == pytest.approx(np.delete(turn, 40))


def test_spans_cover_flagged_frames_to_half_way():
    position = np.array([3.0, 2.0, 1.0, 0.0])
    assert spans(np.array([False, True, True, False]), position) == [(2.5, 0.5)]


def test_edges_of_one_frame_have_a_width():
    assert np.diff(cell_edges(np.array([4.0]))) == pytest.approx(-1.0)


def test_many_ranges_are_cut_short():
    assert frame_ranges(range(0, 60, 2), most=2) == "0, 2 and 28 more ranges"


def test_one_range_more_is_singular():
    assert frame_ranges(range(0, 6, 2), most=2) == "0, 2 and 1 more range"


def test_halves_are_rounded_away_from_zero_and_nothing_has_no_sign():
    assert (number(1.25, 1), number(-0.5, 0)) == ("1.3", "-1")
    assert (number(-0.001, signed=True), number(0.004, signed=True)) == ("0.00", "0.00")


def test_a_list_of_texts_is_written_in_words():
    assert flat_table({"notes": ["one", "two"], "none": []}).rows == [["notes", "one; two"], ["none", "none"]]


def test_means_leave_out_what_was_not_measured():
    assert mean_absolute([-1.0, float("nan"), 3.0]) == pytest.approx(2.0)
    assert np.isnan(mean_absolute([float("nan")]))


def test_nested_settings_are_flattened():
    assert flat_table({"a": {"b": 0.25}, "c": [1, 2]}).rows == [["a.b", "0.25"], ["c", "[1, 2]"]]


def landmark_error(name, error_mm):
    return LandmarkError(name, "branch", 10.0, 12.0, 2.0, error_mm, -3.0, -0.1, 0.4)


def test_the_landmark_table_tells_residuals_of_guides_from_errors_left_out():
    errors = [landmark_error("A", 0.1), landmark_error("B", -0.3)]
    plain = landmark_table(errors)
    assert "used as" not in plain.header
    told = landmark_table(errors, guides={"A": "guide"}, left_out=[landmark_error("A", 0.9)])
    for table in (plain, told):
        assert {len(table.header), len(table.total)} == {len(row) for row in table.rows}
        assert table.header[table.words[-1]] == "remark"
    column = told.header.index("left out: mm")
    assert [row[column] for row in told.rows] == ["+0.90", "\N{EN DASH}"]
    assert told.total[column] == "0.90"
    assert [row[told.header.index("used as")] for row in told.rows] == ["guide", "check"]
