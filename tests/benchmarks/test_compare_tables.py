import numpy as np
import pytest
from compare_page import by_title, page
from compare_paired import compared, difference, paired_table
from compare_tables import (
    MEASURES,
    coverage,
    coverage_table,
    error_table,
    failure_table,
    pooled,
    trust_table,
)

OURS, RIGID = "coreg, non-rigid", "coreg, rigid (one shift, one rotation)"
ALONG = MEASURES[0]


def cells(table, title):
    """Cells of a method's row by column title."""
    names, _, *rows = ([cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines())
    return dict(zip(names, next(row for row in rows if row[0] == title), strict=True))


def test_errors_of_all_cases_are_pooled_with_their_patients(made_up):
    results = [made_up("p1-LAD", mm=[1.0, -2.0]), made_up("p2-RCA", mm=[0.5])]
    values, patients = pooled(results, "landmarks", "error_mm")
    assert values.tolist() == [1.0, -2.0, 0.5]
    assert patients.tolist() == ["p1", "p1", "p2"]


def test_error_cell_has_mean_interval_bias_median_percentile_and_worst(made_up):
    results = [made_up("p1", mm=[-0.4]), made_up("p2", mm=[0.2]), made_up("p3", mm=[0.6])]
    cell = cells(error_table({OURS: results}, "landmarks"), OURS)["mm along the vessel"]
    mean, bias, median, high, worst = cell.split(" / ")
    assert mean.startswith("0.40 [")
    assert (bias, median, high, worst) == ("+0.13", "0.40", "0.58", "0.60")


def test_what_no_method_measured_is_a_dash(made_up):
    row = cells(error_table({OURS: [made_up("p1", mm=[0.1])]}, "landmarks"), OURS)
    assert row["mm in space"] == "-"


def test_distances_have_no_bias(made_up):
    results = [
        made_up("p1", frames={"error_3d_mm": [0.1, 0.3]}),
        made_up("p2", frames={"error_3d_mm": [0.2]}),
    ]
    cell = cells(error_table({OURS: results}, "frames"), OURS)["mm in space"]
    assert cell.count(" / ") == 3
    assert "+" not in cell


def test_failures_are_counted_by_the_mean_of_the_case_and_told_by_its_verdict(made_up):
    results = [
        made_up("p1", mm=[0.1, 0.3], seconds=2.0, memory_gb=0.5),
        made_up("p2", mm=[0.2], verdict="review", seconds=4.0, memory_gb=0.7),
        made_up("p3", mm=[1.2], seconds=3.0, memory_gb=0.6),
        made_up("p4", mm=[0.1], deg=[25.0], verdict="review", seconds=3.0, memory_gb=0.6),
        made_up("p5", mm=[2.0, 1.1], seconds=9.0, memory_gb=0.6),
        made_up("p6", mm=[np.nan], verdict="failed", seconds=3.0, memory_gb=0.6),
        made_up("p7", verdict="error", error="too few frames"),
    ]
    table = failure_table({OURS: results})
    row = [cell.strip() for cell in table.splitlines()[2].split("|")[1:-1]]
    # p4, p5 and p6 are wrong, of which p4 and p6 are told; p3 is doubtful besides; p1 and p2 are neither.
    assert row == [OURS, "7", "3", "2", "4", "2", "1 of 2", "1", "1", "3.0 / 9.0", "0.60 / 0.70"]


def test_a_case_at_the_limits_is_not_beyond_them(made_up):
    assert not made_up("p1", mm=[1.5], deg=[20.0]).beyond(1.5, 20.0)
    assert made_up("p1", mm=[1.51], deg=[0.0]).beyond(1.5, 20.0)


def test_coverage_is_the_share_within_so_many_standard_deviations(made_up):
    frames = {"error_mm": [0.1, -0.3, 0.5, 9.0], "arc_length_sd_mm": [0.2, 0.2, 0.2, np.nan]}
    results = [made_up("p1", frames=frames), made_up("p2", frames=frames)]
    # A frame without a stated spread does not count.
    assert coverage(results, "error_mm", "arc_length_sd_mm", 1.0).estimate == pytest.approx(1.0 / 3.0)
    assert coverage(results, "error_mm", "arc_length_sd_mm", 2.0).estimate == pytest.approx(2.0 / 3.0)


def test_without_stated_spreads_there_is_no_table_of_them(made_up):
    assert coverage_table({OURS: [made_up("p1", frames={"error_mm": [0.1]})]}) == ""


def test_stated_spreads_are_shown_with_their_median_and_their_coverage(made_up):
    frames = {"error_mm": [0.1, -0.3], "arc_length_sd_mm": [0.2, 0.4], "error_deg": [1.0, 9.0]}
    results = [made_up(p, frames=frames | {"rotation_sd_deg": [2.0, 4.0]}) for p in ("p1", "p2")]
    row = cells(coverage_table({OURS: results}), OURS)
    assert row["frames"] == "4"
    place = "place, mm: median SD / within 1 SD / within 2 SD"
    assert row[place] == "0.30 / 1.00 [1.00, 1.00] / 1.00 [1.00, 1.00]"
    rotation = "rotation, degrees: median SD / within 1 SD / within 2 SD"
    assert row[rotation] == "3.00 / 0.50 [0.50, 0.50] / 0.50 [0.50, 0.50]"


def test_reliable_frames_are_told_from_the_others(made_up):
    frames = {"error_mm": [0.1, -0.3, 0.8], "error_deg": [1.0, 3.0, 9.0], "reliable": [1.0, 1.0, 0.0]}
    row = cells(trust_table({OURS: [made_up("p1", frames=frames)]}), OURS)
    assert row["reliable frames"] == "67% of 3"
    assert row["mm: reliable / others"] == "0.20 / 0.80"
    assert row["degrees: reliable / others"] == "2.0 / 9.0"


def test_methods_are_compared_at_the_same_landmarks_of_the_same_cases(made_up):
    ours = [made_up("p1", mm=[0.1, 0.2], ids=["A", "B"]), made_up("p2", mm=[-0.3], ids=["A"])]
    theirs = [
        made_up("p2", "rigid", mm=[0.9], ids=["A"]),
        # B comes first here, and C is not among ours.
        made_up("p1", "rigid", mm=[-0.6, 5.0, 0.3], ids=["B", "C", "A"]),
        made_up("p3", "rigid", mm=[7.0]),
    ]
    found = difference(theirs, ours, ALONG)
    assert found.clusters == 2
    # Patients' means: (0.2 + 0.4) / 2 and 0.6.
    assert found.difference.estimate == pytest.approx(0.45)


def test_frames_are_compared_by_their_number(made_up):
    ours = [made_up("p1", frames={"frame": [3.0, 4.0, 5.0], "error_mm": [0.1, 0.1, 0.1]})]
    theirs = [made_up("p1", "rigid", frames={"frame": [5.0, 4.0, 9.0], "error_mm": [0.3, -0.5, 8.0]})]
    measure = next(each for each in MEASURES if (each.source, each.column) == ("frames", "error_mm"))
    assert difference(theirs, ours, measure).difference.estimate == pytest.approx(0.3)


def test_p_values_of_a_table_are_corrected_for_all_of_it(made_up):
    rng = np.random.default_rng(0)
    ours = [
        made_up(f"p{i}", mm=[0.1], deg=[1.0], frames={"error_mm": [0.1], "error_deg": [1.0]})
        for i in range(9)
    ]
    theirs = [
        made_up(f"p{i}", "rigid", mm=[a], deg=[10 * b], frames={"error_mm": [c], "error_deg": [10 * d]})
        for i, (a, b, c, d) in enumerate(rng.uniform(0.2, 1.0, (9, 4)))
    ]
    found = compared({OURS: ours, RIGID: theirs}, OURS)
    assert len(found) == 4
    # Each is higher in all of 9 patients: 2 / 2^9, of four tests.
    np.testing.assert_allclose([each.p_value for each in found], 4 * 2.0 / 2**9)
    assert "higher in 9 of 9; p 0.016" in cells(paired_table(found), RIGID)["landmarks, mm"]


def test_page_has_a_section_per_level_and_leaves_out_empty_tables(made_up):
    results = [
        made_up(case, method, mm=[0.2], level=level, seconds=1.0, memory_gb=0.5)
        for case in ("p1", "p2")
        for method in ("nonrigid", "rigid", "no-scale")
        for level in ("typical", "hard")
    ]
    text = page(results, about="# About\n", made="Made here.")
    assert text.startswith("# About\n\nMade here.\n\n## OCT, level typical\n\n2 cases of 2 patients")
    assert text.index("## OCT, level typical") < text.index("## OCT, level hard")
    assert text.count("### Methods") == text.count("### Ablation") == 2
    assert "within the stated uncertainty" not in text


def test_a_table_compares_the_cases_that_all_its_methods_were_run_on_and_says_how_many(made_up):
    runs = {"nonrigid": ("p1", "p2", "p3"), "rigid": ("p1", "p2", "p3"), "no-scale": ("p2",)}
    results = [
        made_up(case, method, mm=[0.2], seconds=1.0, memory_gb=0.5)
        for method, cases in runs.items()
        for case in cases
    ]
    methods, ablation = page(results, about="", made="").split("### Ablation")
    assert "of the cases." not in methods
    assert ablation.startswith("\n\n1 of the cases.")
    assert cells(table_of(methods, "Failures"), RIGID)["cases"] == "3"
    assert cells(table_of(ablation, "Failures"), OURS)["cases"] == "1"


def table_of(text, caption):
    """The table under a caption."""
    return text[text.index(caption) :].split("\n\n")[1]


def test_ours_is_in_every_group_and_comes_first(made_up):
    results = [made_up("p1", method, mm=[0.2]) for method in ("no-scale", "rigid", "nonrigid")]
    assert list(by_title(results, ("ablation",))) == [OURS, "no radius scale"]
    assert list(by_title(results, ("methods", "oracles"))) == [OURS, RIGID]
