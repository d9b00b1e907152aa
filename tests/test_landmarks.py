import numpy as np
import pytest

from coreg.landmarks import KINDS, Landmark


@pytest.mark.parametrize(
    ("frame", "world_mm", "paired"),
    [(3.0, np.zeros(3), True), (0.0, np.zeros(3), True), (3.0, None, False), (None, np.zeros(3), False)],
)
def test_a_landmark_is_paired_when_both_modalities_show_it(frame, world_mm, paired):
    assert Landmark("D1", frame=frame, world_mm=world_mm).paired is paired


def test_a_landmark_is_a_branch_unless_said_otherwise():
    assert Landmark("D1").kind == "branch"
    assert "branch" in KINDS
