import numpy as np
import pytest

from coreg.segmentation.calcium_arcs import calcium_arcs

PITCH_MM = 0.2
RAY_RAD = 2.0 * np.pi / 256


def mask(*blocks, frames=40):
    """Rays with calcium: blocks of a first and a last frame and the first and the last ray."""
    calcium = np.zeros((frames, 256), dtype=bool)
    for first, last, low, high in blocks:
        calcium[first : last + 1, np.arange(low, high + 1) % 256] = True
    return calcium


def arcs(calcium, pitch_mm=PITCH_MM):
    return calcium_arcs(calcium, pitch_mm * np.arange(len(calcium)))


def test_a_block_of_rays_is_one_arc_with_its_frames_angle_and_extent():
    (arc,) = arcs(mask((10, 19, 40, 99)))
    assert (arc.id, arc.first_frame, arc.last_frame) == ("C1", 10, 19)
    assert arc.angle_rad == pytest.approx(69.5 * RAY_RAD)
    assert arc.extent_rad == pytest.approx(60 * RAY_RAD)


def test_an_arc_across_angle_zero_is_not_cut():
    (arc,) = arcs(mask((10, 19, 236, 275)))
    assert arc.angle_rad == pytest.approx(-0.5 * RAY_RAD)
    assert arc.extent_rad == pytest.approx(40 * RAY_RAD)


def test_an_arc_has_the_angle_and_extent_of_where_it_is_widest():
    (arc,) = arcs(mask((10, 19, 40, 60), (14, 14, 40, 120)))
    assert arc.extent_rad == pytest.approx(81 * RAY_RAD)
    assert arc.angle_rad == pytest.approx(80 * RAY_RAD)


def test_a_full_ring_is_an_arc():
    (arc,) = arcs(mask((5, 12, 0, 255)))
    assert arc.extent_rad == pytest.approx(2.0 * np.pi)


def test_arcs_are_numbered_in_acquisition_order():
    found = arcs(mask((25, 35, 10, 60), (3, 12, 150, 190)))
    assert [(each.id, each.first_frame) for each in found] == [("C1", 3), ("C2", 25)]


def test_gaps_that_speckle_makes_do_not_cut_an_arc():
    calcium = mask((10, 19, 40, 99))
    calcium[:, 66:72] = False
    assert [each.extent_rad for each in arcs(calcium)] == pytest.approx([60 * RAY_RAD])


def test_what_speckle_may_have_made_is_no_arc():
    assert not arcs(mask((10, 19, 40, 48)))
    assert not arcs(mask((10, 10, 40, 99)))
    assert not arcs(mask())


def test_a_single_frame_of_a_gated_pullback_may_show_an_arc():
    assert len(arcs(mask((10, 10, 40, 99)), pitch_mm=0.5)) == 1
    assert len(arcs(mask((0, 0, 40, 99), frames=1))) == 1


def test_distances_count_whichever_way_the_positions_run():
    calcium = mask((10, 19, 40, 99))
    assert calcium_arcs(calcium, PITCH_MM * np.arange(40)[::-1]) == arcs(calcium)
