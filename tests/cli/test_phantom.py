import numpy as np
import pytest

from coreg.io.case_file import load_case


def test_ungated_ivus_runs_through_the_heartbeat_at_a_steady_speed(coreg, tmp_path):
    done = coreg("phantom", "--seed", 3, "--modality", "IVUS", "--ungated", "--out", tmp_path / "out")
    assert done.status == 0
    pullback = load_case(tmp_path / "out" / "phantom-3").pullback
    assert (pullback.modality, pullback.acquisition) == ("IVUS", "motorized")
    assert pullback.length_mm == pytest.approx(20.0, abs=0.05)
    steps_mm = -np.diff(pullback.position_mm)
    assert np.ptp(steps_mm) < 1e-3
    speed_mm_s = 30.0 * steps_mm.mean()
    assert min(abs(speed_mm_s - 0.5), abs(speed_mm_s - 1.0)) < 0.01


def test_only_ivus_can_be_ungated(coreg, tmp_path):
    done = coreg("phantom", "--seed", 3, "--ungated", "--out", tmp_path / "out")
    assert done.status == 2
    assert "it goes with --modality IVUS" in done.err
    assert not (tmp_path / "out").exists()


def test_an_out_that_cannot_be_used_is_wrong_usage(coreg, tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "other" / "phantom-3").mkdir(parents=True)
    (tmp_path / "other" / "phantom-3" / "precious.txt").write_text("x")
    for name, found in (("file", "--out"), ("other", r"found other content (precious.txt)")):
        done = coreg("phantom", "--seed", 3, "--out", tmp_path / name)
        assert done.status == 2
        assert found in done.err
    assert sorted(each.name for each in tmp_path.rglob("*")) == ["file", "other", "phantom-3", "precious.txt"]
