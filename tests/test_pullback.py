import numpy as np
import pytest

from coreg.contours import area_mm2, radial_profile, signed_area_mm2
from coreg.pullback import Pullback

EGG = np.array([[2.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.5]])


def test_frames_run_proximal_to_distal_whatever_their_order_on_disk():
    position_mm = np.array([3.0, 0.0, 4.5, 1.0])
    pullback = Pullback(np.array([10, 11, 12, 13]), position_mm, {})
    np.testing.assert_array_equal(pullback.frame, [12, 10, 13, 11])
    np.testing.assert_array_equal(pullback.position_mm, [4.5, 3.0, 1.0, 0.0])


def test_equal_positions_keep_acquisition_order():
    pullback = Pullback(np.array([7, 2, 5]), np.array([1.0, 1.0, 1.0]), {})
    np.testing.assert_array_equal(pullback.frame, [2, 5, 7])


def test_length_and_spacing_come_from_the_positions():
    pullback = Pullback(np.arange(5), np.array([0.0, 0.2, 0.4, 0.6, 5.0]), {})
    assert len(pullback) == 5
    assert pullback.length_mm == 5.0
    assert pullback.frame_spacing_mm == pytest.approx(0.2)
    assert Pullback(np.array([3]), np.array([0.0]), {}).frame_spacing_mm == 0.0


def test_contours_are_found_by_acquisition_index_and_wound_one_way():
    pullback = Pullback(np.arange(3), np.arange(3.0), {2: EGG[::-1]}, eem={0: 2.0 * EGG})
    assert set(pullback.lumen) == {2}
    assert signed_area_mm2(pullback.lumen[2]) == pytest.approx(area_mm2(EGG))
    assert area_mm2(pullback.eem[0]) == pytest.approx(4.0 * area_mm2(EGG))


def test_mirrored_looks_from_the_other_side():
    pullback = Pullback(
        np.arange(3),
        np.arange(3.0),
        {1: EGG},
        {1: 2.0 * EGG},
        {0: "in the guide"},
        "looking-proximal",
        "IVUS",
        5.0,
    )
    mirrored = pullback.mirrored()
    # Rays at minus the angle: the first stays, the others come backwards.
    for name in ("lumen", "eem"):
        before, after = (
            radial_profile(getattr(each, name)[1], np.zeros(2), 36) for each in (pullback, mirrored)
        )
        np.testing.assert_allclose(after, np.roll(before[::-1], 1), atol=1e-12)
        assert signed_area_mm2(getattr(mirrored, name)[1]) > 0.0
    assert mirrored.excluded == {0: "in the guide"}
    assert (mirrored.view, mirrored.modality, mirrored.field_of_view_mm) == ("looking-proximal", "IVUS", 5.0)
    np.testing.assert_array_equal(mirrored.frame, pullback.frame)


def test_mirrored_twice_is_the_same():
    pullback = Pullback(np.arange(2), np.arange(2.0), {0: EGG})
    twice = pullback.mirrored().mirrored()
    np.testing.assert_allclose(
        radial_profile(twice.lumen[0], np.zeros(2), 36), radial_profile(EGG, np.zeros(2), 36)
    )


@pytest.mark.parametrize(
    ("frame", "position_mm", "message"),
    [
        ([0, 1], [0.0], r"one shape \(N,\), got \(2,\) and \(1,\)"),
        ([], [], r"one shape \(N,\), got \(0,\) and \(0,\)"),
        ([[0, 1]], [[0.0, 1.0]], r"got \(1, 2\)"),
        ([4, 5], [0.0, np.nan], "position_mm of frame 5 is not finite: nan"),
        ([4, 5, 5], [0.0, 1.0, 2.0], "frame 5 comes 2 times; each may come once"),
    ],
)
def test_unusable_frames_are_named(frame, position_mm, message):
    with pytest.raises(ValueError, match=message):
        Pullback(np.array(frame), np.array(position_mm), {})


@pytest.mark.parametrize("name", ["lumen", "eem"])
def test_a_contour_for_a_frame_that_does_not_exist_is_named(name):
    contours = {"lumen": {}, "eem": {}} | {name: {9: EGG}}
    with pytest.raises(ValueError, match=f"{name} has a contour for frame 9"):
        Pullback(np.arange(3), np.arange(3.0), contours["lumen"], contours["eem"])


def test_a_degenerate_contour_is_refused():
    with pytest.raises(ValueError, match="three distinct points, got 2"):
        Pullback(np.arange(2), np.arange(2.0), {0: EGG[:2]})


def test_arrays_are_copies_and_read_only():
    position_mm = np.array([1.0, 0.0])
    pullback = Pullback(np.arange(2), position_mm, {0: EGG})
    position_mm[0] = 9.0
    assert pullback.position_mm[0] == 1.0
    for array in (pullback.frame, pullback.position_mm, pullback.lumen[0]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_reversed_runs_from_the_other_end():
    square = np.array([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])
    pullback = Pullback(np.arange(3), np.array([0.0, 0.3, 1.0]), {0: square})
    turned = pullback.reversed()
    np.testing.assert_array_equal(turned.frame, pullback.frame[::-1])
    np.testing.assert_allclose(turned.position_mm, [1.0, 0.7, 0.0])
    np.testing.assert_array_equal(turned.lumen[0], pullback.lumen[0])
