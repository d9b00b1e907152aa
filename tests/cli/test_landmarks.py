"""How landmarks are told in the headline."""

import pytest

from coreg.cli.landmarks import half_ids, landmark_rows
from coreg.landmarks import Landmark
from coreg.validation import LandmarkError

ERROR = LandmarkError("B5", "branch", 10.0, 11.0, 1.0, 0.2, 3.0, 0.1, 0.3)


@pytest.mark.parametrize(
    ("guides", "halves", "name"),
    [
        ((), (), "landmarks (1)"),
        ((), ("B2",), "landmarks (1 of 2; B2 lacks one half)"),
        (("B5",), (), "guides (1)"),
        (("B5",), ("B2", "B4"), "guides (1 of 3; B2 and B4 lack one half)"),
        (("B5",), tuple("ABCDEF"), "guides (1 of 7; A, B, C and 3 more lack one half)"),
    ],
)
def test_landmarks_with_one_half_are_named_beside_those_that_count(guides, halves, name):
    rows = landmark_rows([ERROR], guides, (), halves=halves)
    assert [each for each, _ in rows] == [name]


def test_a_half_is_a_landmark_without_a_frame_or_without_a_point():
    whole = Landmark("B1", frame=3.0, world_mm=(0.0, 0.0, 0.0))
    halves = [Landmark("B2", frame=3.0), Landmark("B4", world_mm=(0.0, 0.0, 0.0))]
    assert half_ids([whole, *halves]) == ("B2", "B4")
