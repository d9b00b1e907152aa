"""Branches on a straight path along +z whose images lie at whole millimetres."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from coreg.catheter_path import VirtualCatheterPath
from coreg.landmarks import SideBranch
from coreg.phantom import make_patient
from coreg.validation import paired_branches

COUNT = 31
TURN_RAD = 0.5


def along_z(*, first_posed=0):
    """Row i lies at z = i mm and shows frame 30 - i; column axes are turned by 0.5 rad from +x."""
    column = np.tile([np.cos(TURN_RAD), np.sin(TURN_RAD), 0.0], (COUNT, 1))
    row = np.tile([-np.sin(TURN_RAD), np.cos(TURN_RAD), 0.0], (COUNT, 1))
    origin = np.column_stack([np.zeros((COUNT, 2)), np.arange(COUNT)]).astype(float)
    for each in (origin, column, row):
        each[:first_posed] = np.nan
    frame = np.arange(COUNT)[::-1]
    posed = np.isfinite(origin[:, 0])
    turn = np.full(COUNT, TURN_RAD)
    return VirtualCatheterPath(
        frame, frame * 1.0, origin[:, 2], turn, origin, column, row, posed, ("",) * COUNT
    )


def in_ccta(name, z, degrees, away=1.8):
    angle = np.radians(degrees)
    return SideBranch(name, world_mm=np.array([away * np.cos(angle), away * np.sin(angle), z]))


def in_pullback(name, z, degrees):
    """As it is seen in the world: at z, under an angle from +x."""
    angle = None if degrees is None else np.radians(degrees) - TURN_RAD
    return SideBranch(name, frame=COUNT - 1.0 - z, angle_rad=angle)


def names(landmarks):
    """What is paired: name, frame and z of each."""
    return [
        (each.id, each.frame, None if each.world_mm is None else float(each.world_mm[2]))
        for each in landmarks
    ]


def test_branches_near_each_other_are_paired_and_the_rest_keep_their_half():
    ccta = [in_ccta("C2", 20.0, -170.0), in_ccta("C1", 10.0, 40.0), in_ccta("C3", 26.0, 0.0)]
    pullback = [in_pullback("P1", 11.5, 20.0), in_pullback("P2", 19.0, 170.0), in_pullback("P3", 3.0, 0.0)]
    found = paired_branches(along_z(), ccta, pullback)
    assert names(found) == [("C1", 18.5, 10.0), ("C2", 11.0, 20.0), ("P3", 27.0, None), ("C3", None, 26.0)]
    assert {each.kind for each in found} == {"branch"}
    assert [each.paired for each in found] == [True, True, False, False]
    assert found[0].angle_rad == pullback[0].angle_rad
    np.testing.assert_array_equal(found[0].world_mm, ccta[1].world_mm)


@pytest.mark.parametrize(("z", "degrees", "paired"), [(11.9, 0, 1), (12.1, 0, 0), (10, 59, 1), (10, -61, 0)])
def test_a_pair_may_be_two_millimetres_and_sixty_degrees_apart(z, degrees, paired):
    found = paired_branches(along_z(), [in_ccta("C", 10.0, 0.0)], [in_pullback("P", z, degrees)])
    assert sum(each.paired for each in found) == paired


def test_as_many_as_possible_are_paired_even_if_the_nearest_are_not():
    ccta = [in_ccta("C1", 10.0, 0.0), in_ccta("C2", 11.8, 0.0)]
    pullback = [in_pullback("P1", 8.3, 0.0), in_pullback("P2", 10.1, 0.0)]
    found = paired_branches(along_z(), ccta, pullback)
    assert names(found) == [("C1", COUNT - 9.3, 10.0), ("C2", COUNT - 11.1, 11.8)]


def test_of_two_that_may_be_one_the_nearer_is():
    found = paired_branches(
        along_z(), [in_ccta("C", 10.0, 0.0)], [in_pullback("far", 11.0, 0.0), in_pullback("near", 10.5, 0.0)]
    )
    assert names(found)[0] == ("C", 19.5, 10.0)
    assert names(found)[1][0] == "far"


def test_a_branch_without_an_angle_is_paired_by_its_place():
    found = paired_branches(along_z(), [in_ccta("C", 10.0, 100.0)], [in_pullback("P", 10.5, None)])
    assert found[0].paired
    assert found[0].angle_rad is None


def test_what_lies_far_off_in_the_plane_is_another_limb_of_the_vessel():
    found = paired_branches(along_z(), [in_ccta("C", 10.0, 0.0, away=9.0)], [in_pullback("P", 10.0, 0.0)])
    assert not any(each.paired for each in found)


def test_frames_without_a_pose_pair_with_nothing():
    found = paired_branches(along_z(first_posed=12), [in_ccta("C", 10.0, 0.0)], [in_pullback("P", 10.0, 0.0)])
    assert names(found) == [("P", 20.0, None), ("C", None, 10.0)]


def test_no_two_have_the_same_name():
    long = "x" * 64
    ccta = [in_ccta("B", 10.0, 0.0), in_ccta("B", 20.0, 0.0), in_ccta(long, 25.0, 0.0)]
    found = paired_branches(along_z(), ccta, [in_pullback("B", 2.0, 0.0), in_pullback(long, 15.0, 0.0)])
    assert [each.id for each in found] == ["B", long, "B-2", "B-3", "x" * 62 + "-2"]


def test_nothing_gives_nothing():
    assert paired_branches(along_z(), [], []) == ()
    assert names(paired_branches(along_z(), [], [in_pullback("P", 3.0, 0.0)])) == [("P", 27.0, None)]
    assert names(paired_branches(along_z(), [in_ccta("C", 3.0, 0.0)], [])) == [("C", None, 3.0)]


def test_pairs_do_not_depend_on_where_the_patient_lies():
    ccta = [in_ccta("C1", 10.0, 40.0), in_ccta("C2", 20.0, -170.0)]
    pullback = [in_pullback("P1", 11.5, 20.0), in_pullback("P2", 19.0, 170.0)]
    path, turn = along_z(), Rotation.from_rotvec([0.3, 1.0, -0.7]).as_matrix().T
    moved = VirtualCatheterPath(
        path.frame,
        path.position_mm,
        path.arc_length_mm,
        path.rotation_rad,
        path.origin_mm @ turn + 100.0,
        path.column @ turn,
        path.row @ turn,
        path.reliable,
        path.reason,
    )
    there = [SideBranch(each.id, world_mm=each.world_mm @ turn + 100.0) for each in ccta]
    found = paired_branches(moved, there, pullback)
    assert [(each.id, each.frame) for each in found] == [
        (each.id, each.frame) for each in paired_branches(path, ccta, pullback)
    ]


def test_a_patients_true_branches_are_paired_with_themselves():
    made = make_patient(3)
    marks = [each for each in made.case.landmarks if each.kind == "branch" and each.paired]
    assert len(marks) >= 2
    ccta = [SideBranch(each.id, world_mm=each.world_mm) for each in marks]
    pullback = [SideBranch(f"P-{each.id}", frame=each.frame, angle_rad=each.angle_rad) for each in marks]
    found = paired_branches(made.truth, ccta, pullback[::-1])
    by_id = {each.id: each for each in marks}
    assert all(each.paired and each.frame == by_id[each.id].frame for each in found)
    assert len(found) == len(marks)
