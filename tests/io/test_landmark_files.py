import numpy as np
import pytest

from coreg.errors import InputError
from coreg.io.landmark_files import (
    read_ccta_side_branches,
    read_landmarks,
    read_positions,
    read_pullback_side_branches,
    write_ccta_side_branches,
    write_landmarks,
    write_positions,
    write_pullback_side_branches,
)
from coreg.landmarks import Landmark, SideBranch

HEADER = "id,frame,angle_deg,x_mm,y_mm,z_mm"


def test_landmarks_survive(tmp_path):
    landmarks = (
        Landmark(
            "D1", "branch", 12.5, np.deg2rad(170.0), np.array([1.0, -2.0, 3.5]), 1.25, 2.0, np.deg2rad(5.0)
        ),
        Landmark("os", "ostium", 300.0),
        Landmark("c.2", "calcium", world_mm=np.array([0.0, 0.0, 1.0])),
    )
    write_landmarks(tmp_path / "l.csv", landmarks)
    read = read_landmarks(tmp_path / "l.csv")
    assert [each.paired for each in read] == [True, False, False]
    for got, expected in zip(read, landmarks, strict=True):
        for name in ("id", "kind", "frame", "radius_mm", "sd_frames"):
            assert getattr(got, name) == getattr(expected, name)
        for name in ("angle_rad", "sd_rad", "world_mm"):
            a, b = getattr(got, name), getattr(expected, name)
            assert (a is None and b is None) or np.allclose(a, b, atol=1e-9)


def test_a_landmark_without_a_kind_is_a_branch_and_angles_wrap(tmp_path):
    (tmp_path / "l.csv").write_text(f"{HEADER}\nA,3,190,,,\nB,3,-180,,,\n")
    first, second = read_landmarks(tmp_path / "l.csv")
    assert first.kind == "branch"
    assert first.angle_rad == pytest.approx(np.deg2rad(-170.0))
    assert second.angle_rad == pytest.approx(np.pi)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("id,frame,angle,x_mm,y_mm,z_mm\nA,1,2,3,4,5", "column angle_deg: found the columns id,frame,angle,"),
        (f"{HEADER},radius\nA,1,2,3,4,5,6", "unknown column 'radius' .did you mean radius_mm"),
        (f"{HEADER}\n../x,1,2,3,4,5", "column id: found '../x'"),
        (f"{HEADER}\n,1,2,3,4,5", "column id: found an empty cell"),
        (f"{HEADER}\nA,1,2,3,4,5\nA,2,2,3,4,5", "line 3, column id: found 'A', expected each id once"),
        (f"{HEADER}\nA,1,inf,3,4,5", "column angle_deg: found 'inf', expected a finite number"),
        (f"{HEADER}\nA,1,400,3,4,5", "column angle_deg: found '400'"),
        (f"{HEADER}\nA,-1,2,3,4,5", "column frame: found '-1', expected a frame"),
        (f"{HEADER}\nA,1,2,3,,5", "column y_mm: found an empty cell, expected all of"),
        (f"{HEADER}\nA,,,,,", "column frame: found an empty cell, expected a frame or"),
        (f"{HEADER}\nA,,20,3,4,5", "expected the frame in which angle_deg was read"),
        (f"{HEADER},kind\nA,1,2,3,4,5,bransh", "column kind: found 'bransh', expected branch or ostium"),
        (f"{HEADER},sd_deg\nA,1,2,3,4,5,-1", "column sd_deg: found '-1', expected 0 or more"),
        (HEADER + "\nA,1,2,3,4,5" * 1001, "found 1001 landmarks, expected at most 1000"),
        (f"{HEADER},sd_frames\nA,1,2,3,4,5,1e300", "column sd_frames: found '1e300', expected 0 or more"),
        (f"{HEADER},radius_mm\nA,1,2,3,4,5,180", "radius_mm: found '180', .* 0 to 30 mm; is it in pixels"),
    ],
)
def test_broken_landmarks_are_refused(tmp_path, content, match):
    (tmp_path / "l.csv").write_text(content)
    with pytest.raises(InputError, match=match):
        read_landmarks(tmp_path / "l.csv")


def test_side_branches_of_the_ccta_survive(tmp_path):
    write_ccta_side_branches(
        tmp_path / "b.csv", [SideBranch("D1", np.array([1.0, 2, 3]), 12.5, 0.75, probability=0.5)]
    )
    (branch,) = read_ccta_side_branches(tmp_path / "b.csv")
    assert (branch.id, branch.arc_length_mm, branch.radius_mm, branch.probability) == ("D1", 12.5, 0.75, 0.5)
    np.testing.assert_array_equal(branch.world_mm, [1.0, 2.0, 3.0])


def test_side_branches_of_the_pullback_survive(tmp_path):
    branch = SideBranch("D1", frame=30.0, first_frame=28.0, last_frame=33.0, angle_rad=-1.0, probability=0.25)
    write_pullback_side_branches(tmp_path / "b.csv", [branch])
    (read,) = read_pullback_side_branches(tmp_path / "b.csv")
    assert (read.frame, read.first_frame, read.last_frame, read.probability) == (30.0, 28.0, 33.0, 0.25)
    assert read.angle_rad == pytest.approx(-1.0)


@pytest.mark.parametrize(
    ("read", "content", "match"),
    [
        (read_ccta_side_branches, "id,x_mm,y_mm,z_mm\nA,1,,3", "column y_mm: found an empty cell"),
        (read_ccta_side_branches, "id,x_mm,y_mm,z_mm,probability\nA,1,2,3,2", "probability from 0 to 1"),
        (read_pullback_side_branches, "id,frame,angle_deg\nA,,3", "column frame: found an empty cell"),
        (read_pullback_side_branches, "id,x_mm,y_mm,z_mm\nA,1,2,3", "column frame: found the columns"),
    ],
)
def test_broken_side_branches_are_refused(tmp_path, read, content, match):
    (tmp_path / "b.csv").write_text(content)
    with pytest.raises(InputError, match=match):
        read(tmp_path / "b.csv")


def test_positions_survive(tmp_path):
    write_positions(tmp_path / "p.csv", {7: 0.5, 3: 1.25})
    assert (tmp_path / "p.csv").read_text() == "frame,position_mm\n3,1.25\n7,0.5\n"
    assert read_positions(tmp_path / "p.csv") == {3: 1.25, 7: 0.5}


def test_a_frame_with_two_positions_is_named(tmp_path):
    (tmp_path / "p.csv").write_text("frame,position_mm\n3,1\n4,2\n3,3\n")
    with pytest.raises(InputError, match="line 4, column frame: found '3', expected each frame once"):
        read_positions(tmp_path / "p.csv")
