import csv
from pathlib import Path

import numpy as np
import pytest
from compare_cases import case_folders, written
from compare_methods import METHODS, chosen
from compare_results import CASES, FRAMES, LANDMARKS, append_results, read_results


def test_results_come_back_from_their_tables(made_up, tmp_path):
    first = made_up("p1", mm=[0.25, np.nan], deg=[-3.5, 1.0], ids=["B2", "B7"], seconds=1.5, memory_gb=0.6)
    second = made_up("p1", "rigid", frames={"error_mm": [0.1, -0.2], "reliable": [1.0, 0.0]})
    failed = made_up("p2", verdict="error", error="pullback: 3 frames, registration needs 5")
    append_results(tmp_path, [first, second])
    append_results(tmp_path, [failed])
    found = read_results(tmp_path)
    assert [each.key for each in found] == [each.key for each in (first, second, failed)]
    assert found[2].error == failed.error
    assert (found[0].seconds, found[0].memory_gb, found[0].landmark_id) == (1.5, 0.6, ("B2", "B7"))
    for mine, theirs in zip(found, (first, second, failed), strict=True):
        for name, values in (theirs.landmarks | theirs.frames).items():
            np.testing.assert_allclose((mine.landmarks | mine.frames)[name], values, err_msg=name)


def test_a_run_after_a_bug_takes_its_place(made_up, tmp_path):
    append_results(
        tmp_path, [made_up("p1", verdict="error", error="bug: KeyError: 'x'"), made_up("p2", mm=[0.1])]
    )
    append_results(tmp_path, [made_up("p1", mm=[0.3])])
    found = read_results(tmp_path)
    assert [(each.case, each.bug, each.means[0]) for each in found] == [
        ("p1", False, 0.3),
        ("p2", False, 0.1),
    ]


def test_a_run_that_was_stopped_before_its_case_was_told_takes_its_place(made_up, tmp_path):
    append_results(tmp_path, [made_up("p1", mm=[0.1, 0.2], frames={"error_mm": [0.5, 0.6]})])
    (tmp_path / CASES).unlink()
    assert read_results(tmp_path) == []
    append_results(tmp_path, [made_up("p1", mm=[0.3, 0.4], frames={"error_mm": [0.7, 0.8]})])
    (found,) = read_results(tmp_path)
    np.testing.assert_allclose(found.landmarks["error_mm"], [0.3, 0.4])
    np.testing.assert_allclose(found.frames["error_mm"], [0.7, 0.8])


@pytest.mark.parametrize(
    ("name", "spoil", "match"),
    [
        (CASES, lambda path: path.write_text("case_id,verdict\nA,good\n"), "cases.csv: found no column case"),
        (LANDMARKS, lambda path: path.unlink(), r"landmarks.csv.*No such file.*expected a table of this"),
        (FRAMES, lambda path: path.write_bytes(path.read_bytes()[:-9]), r"frames.csv.gz: .*end-of-stream"),
        (FRAMES, lambda path: path.write_text("frame\n1\n"), r"frames.csv.gz: Not a gzipped file"),
    ],
)
def test_tables_that_are_not_of_a_comparison_are_refused(made_up, tmp_path, name, spoil, match):
    append_results(tmp_path, [made_up("p1", mm=[0.1], frames={"error_mm": [0.5]})])
    spoil(tmp_path / name)
    with pytest.raises(ValueError, match=match):
        read_results(tmp_path)


def test_a_folder_without_tables_has_no_results(tmp_path):
    assert read_results(tmp_path) == []


def test_table_of_cases_has_mean_sizes_of_what_was_measured(made_up, tmp_path):
    append_results(tmp_path, [made_up("p1", mm=[0.4, -0.2, np.nan], frames={"error_deg": [-2.0, 4.0]})])
    with (tmp_path / CASES).open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert float(row["landmark_mm"]) == pytest.approx(0.3)
    assert float(row["frames_deg"]) == pytest.approx(3.0)
    assert (row["landmarks"], row["frames"], row["frames_mm"]) == ("3", "2", "")


def test_methods_are_chosen_by_name_and_by_group_with_ours_first():
    assert chosen("rigid,true-poses") == ("nonrigid", "rigid", "true-poses")
    ablation = chosen("ablation")
    assert ablation[0] == "nonrigid"
    assert {METHODS[name].group for name in ablation[1:]} == {"ablation"}


def test_an_unknown_method_is_refused_with_all_that_are_known():
    with pytest.raises(
        ValueError, match="found 'ridgid', expected some of methods, oracles, ablation, nonrigid"
    ):
        chosen("rigid,ridgid")


def test_titles_of_methods_are_all_different():
    titles = [method.title for method in METHODS.values()]
    assert len(set(titles)) == len(titles)


def test_folder_without_truth_is_refused(tmp_path):
    with pytest.raises(ValueError, match="found no case with truth"):
        case_folders(tmp_path)


def test_written_cases_have_the_exact_poses_of_their_frames():
    samples = Path(__file__).resolve().parents[2] / "sample_data"
    (found,) = written([each for each in case_folders(samples) if each.name == "sample-OCT"])
    assert (found.level, found.modality) == ("sample_data", "OCT")
    # The truth on disk has frames without a contour, which no file of the case names.
    np.testing.assert_array_equal(found.truth.frame, found.case.pullback.frame)
    np.testing.assert_allclose(found.truth.position_mm, found.case.pullback.position_mm, atol=1e-6)
