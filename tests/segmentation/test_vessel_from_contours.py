"""Circles that somebody drew in some frames."""

import numpy as np
import pytest

from coreg.errors import InputError
from coreg.landmarks import SideBranch
from coreg.pullback import Pullback
from coreg.pullback_measures import areas_mm2, measures_of
from coreg.pullback_vessel import NO_CONTOUR, OUTSIDE, SEEN, UNDRAWN
from coreg.segmentation import vessel_from_contours, with_all_frames
from coreg.vessel_contours import vessel_contours


def circle(radius_mm, x_mm=0.0, count=360):
    angle = 2.0 * np.pi * np.arange(count) / count
    return radius_mm * np.column_stack([np.cos(angle), np.sin(angle)]) + [x_mm, 0.0]


def drawn(lumen, **options):
    frames = np.arange(6)
    return Pullback(frames, 0.5 * frames, lumen, **options)


def test_areas_are_those_of_the_contours_wherever_the_catheter_lies_in_them():
    vessel = vessel_from_contours(drawn({i: circle(1.5, 0.1 * i) for i in range(6)}))
    np.testing.assert_allclose(areas_mm2(vessel.wall_mm), np.pi * 1.5**2, rtol=1e-3)
    assert (vessel.state == SEEN).all()
    assert vessel.quality.tolist() == [1.0] * 6
    assert vessel.reason == ("",) * 6
    assert vessel.eem_mm is None


def test_frames_that_nobody_outlined_lie_between_their_neighbours_and_are_marked():
    vessel = vessel_from_contours(drawn({0: circle(1.0), 4: circle(2.0), 5: circle(2.0)}))
    np.testing.assert_allclose(vessel.wall_mm[1:4].mean(axis=1), [1.25, 1.5, 1.75], rtol=1e-3)
    assert vessel.reason[1:4] == (NO_CONTOUR,) * 3
    assert (vessel.state[1:4] == UNDRAWN).all()
    assert (vessel.quality[1:4] == 0.0).all()
    assert vessel.outlined.tolist() == [True, False, False, False, True, True]
    assert sorted(vessel_contours(vessel)["lumen"]) == [0, 4, 5]
    assert vessel.notes == ("3 of 6 frames have a contour; nothing is made up for the others",)


def test_frames_that_nobody_names_are_not_there():
    positions = [4.0, 0.0, 2.0]
    vessel = vessel_from_contours(Pullback([3, 8, 11], positions, {i: circle(1.5) for i in (3, 8, 11)}))
    assert vessel.frame.tolist() == [3, 8, 11]
    assert (vessel.marked_share, vessel.notes) == (0.0, ())
    assert not vessel.wall_mm[vessel.absent, :].any()
    assert measures_of(vessel).frames == 3
    assert measures_of(vessel).lumen_area_mm2 == pytest.approx(np.pi * 1.5**2, rel=1e-3)


def test_contours_that_came_with_marks_keep_them():
    marks = {"quality": {1: 0.3, 4: 0.8}, "marked": {1: "residual blood"}}
    vessel = vessel_from_contours(drawn({i: circle(1.5) for i in range(5)}, **marks))
    assert vessel.quality.tolist() == [1.0, 0.3, 1.0, 1.0, 0.8, 0.0]
    assert vessel.reason == ("", "residual blood", "", "", "", NO_CONTOUR)


def test_neighbours_are_those_along_the_pullback_not_in_time():
    frames = np.arange(4)
    position = np.array([0.0, 3.0, 1.0, 2.0])
    pullback = Pullback(frames, position, {0: circle(1.0), 1: circle(2.5)})
    vessel = vessel_from_contours(pullback)
    np.testing.assert_allclose(vessel.wall_mm.mean(axis=1), [1.0, 2.5, 1.5, 2.0], rtol=1e-3)


def test_a_contour_that_does_not_hold_the_catheter_is_not_measured():
    vessel = vessel_from_contours(drawn({0: circle(1.0), 1: circle(1.0, 3.0), 2: circle(1.0)}))
    assert vessel.reason[1] == OUTSIDE
    np.testing.assert_allclose(vessel.wall_mm[1], 1.0, rtol=1e-3)
    with pytest.raises(InputError, match="the catheter outside of all lumen contours"):
        vessel_from_contours(drawn({0: circle(1.0, 3.0)}))


def test_the_membrane_is_known_where_it_was_drawn_and_never_inside_the_lumen():
    lumen = {i: circle(1.5) for i in range(6)}
    vessel = vessel_from_contours(drawn(lumen, eem={0: circle(2.0), 1: circle(1.2)}))
    np.testing.assert_allclose(vessel.eem_mm[:2].mean(axis=1), [2.0, 1.5], rtol=1e-3)
    np.testing.assert_array_equal(vessel.eem_seen.all(axis=1), [True, True, False, False, False, False])
    assert sorted(vessel_contours(vessel)["eem"]) == [0, 1]
    (note,) = vessel.notes
    smaller = "the membrane is drawn smaller than the lumen in"
    assert note == f"{smaller} 1 frame, and taken as large as it there"
    (note,) = vessel_from_contours(drawn(lumen, eem=dict.fromkeys(range(4), circle(1.2)))).notes
    assert note == f"{smaller} 4 frames, and taken as large as it there; are lumen and eem swapped?"
    assert vessel_from_contours(drawn(lumen, eem={0: circle(2.0)})).notes == ()


def test_side_branches_come_along_and_the_view_holds_all():
    branch = SideBranch("D1", frame=2.0, angle_rad=0.3)
    pullback = drawn({i: circle(1.5) for i in range(6)}, field_of_view_mm=1.0)
    vessel = vessel_from_contours(pullback, side_branches=(branch,))
    assert vessel.side_branches == (branch,)
    assert vessel.field_of_view_mm == pytest.approx(1.5, rel=1e-3)


def test_missing_frames_get_positions_between_their_neighbours():
    pullback = Pullback([2, 6], [1.0, 3.0], {2: circle(1.0)}, excluded={6: "stent"})
    whole = with_all_frames(pullback, 8)
    by_frame = dict(zip(whole.frame.tolist(), whole.position_mm.tolist(), strict=True))
    assert [by_frame[i] for i in range(8)] == [1.0, 1.0, 1.0, 1.5, 2.0, 2.5, 3.0, 3.0]
    assert (set(whole.lumen), whole.excluded) == ({2}, {6: "stent"})
