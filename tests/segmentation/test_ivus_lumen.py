import numpy as np
import pytest

from coreg.pullback_vessel import BRIDGED, OPEN, SEEN
from coreg.segmentation.ivus_lumen import ivus_lumen

FRAMES, PITCH_MM = 12, 0.5
# A sample; speckle is about as large.
CLOSE_MM = 0.025


@pytest.fixture
def lumen_mm(rays):
    return np.tile(rays.circle_mm(1.4, (0.4, -0.2)), (FRAMES, 1))


@pytest.fixture
def eem_mm(rays):
    """The plaque is thicker on one side."""
    return np.tile(rays.circle_mm(2.1, (0.55, -0.1)), (FRAMES, 1))


def found_in(values, rays, pitch_mm=PITCH_MM):
    return ivus_lumen(values, rays.step_mm, pitch_mm=pitch_mm)


def with_wire(values, rays, middle_rad, width_rad, distance_mm=0.7):
    """Put a bright thing beside the catheter that hides what is behind it."""
    past = (np.arange(values.shape[2]) + 0.5) * rays.step_mm - distance_mm
    hidden = rays.near(middle_rad, width_rad)
    wire = np.where(np.abs(past) < 0.08, np.float32(250.0), np.float32(6.0))
    changed = values.copy()
    changed[:, hidden] = np.where(past > -0.08, wire, values[:, hidden])
    return changed


def error_mm(found, true):
    return np.abs(found - true).mean()


def test_lumen_and_membrane_are_found_to_a_sample(rays, lumen_mm, eem_mm):
    outlines, membrane = found_in(rays.ivus_frames(lumen_mm, eem_mm), rays)
    assert error_mm(outlines.lumen_mm, lumen_mm) < CLOSE_MM
    assert error_mm(membrane.eem_mm, eem_mm) < CLOSE_MM
    assert (outlines.state == SEEN).all()
    assert membrane.seen.mean() > 0.95
    assert not membrane.calcium.any()
    assert outlines.evidence.mean() > 0.8


def test_a_single_frame_is_enough(rays, lumen_mm, eem_mm):
    outlines, membrane = found_in(rays.ivus_frames(lumen_mm[:1], eem_mm[:1]), rays, pitch_mm=0.0)
    assert error_mm(outlines.lumen_mm, lumen_mm[:1]) < 2.0 * CLOSE_MM
    assert error_mm(membrane.eem_mm, eem_mm[:1]) < 2.0 * CLOSE_MM


def test_a_turned_image_gives_the_outlines_turned(rays, lumen_mm, eem_mm):
    values = rays.ivus_frames(lumen_mm, eem_mm)
    (one, eem), (other, other_eem) = (found_in(np.roll(values, shift, axis=1), rays) for shift in (0, 77))
    assert error_mm(other.lumen_mm, np.roll(one.lumen_mm, 77, axis=1)) < 0.2 * CLOSE_MM
    assert error_mm(other_eem.eem_mm, np.roll(eem.eem_mm, 77, axis=1)) < 0.2 * CLOSE_MM


def test_the_gain_of_the_console_does_not_matter(rays, lumen_mm, eem_mm):
    values = rays.ivus_frames(lumen_mm, eem_mm)
    one, other = (found_in(each, rays)[0] for each in (values, np.float32(0.7) * values))
    assert error_mm(one.lumen_mm, other.lumen_mm) < 0.2 * CLOSE_MM


def test_calcium_hides_the_membrane_and_not_the_lumen(rays, lumen_mm, eem_mm):
    hard = rays.near(3.5, np.radians(60.0))
    values = rays.ivus_frames(lumen_mm, eem_mm, calcium=hard)
    outlines, membrane = found_in(with_wire(values, rays, 1.0, np.radians(22.0)), rays)
    inner = rays.near(3.5, np.radians(50.0))
    assert membrane.calcium[:, inner].mean() > 0.9
    assert membrane.calcium[:, ~rays.near(3.5, np.radians(70.0))].mean() < 0.02
    assert not membrane.seen[:, inner].any()
    assert error_mm(outlines.lumen_mm, lumen_mm) < 2.0 * CLOSE_MM
    # Behind the shadow it is closed from what is seen beside it.
    assert error_mm(membrane.eem_mm[:, inner], eem_mm[:, inner]) < 0.15
    assert error_mm(membrane.eem_mm[:, ~hard], eem_mm[:, ~hard]) < CLOSE_MM


def test_behind_the_guide_wire_the_outline_is_bridged(rays, lumen_mm, eem_mm):
    middle, width = 1.0, np.radians(22.0)
    outlines, membrane = found_in(with_wire(rays.ivus_frames(lumen_mm, eem_mm), rays, middle, width), rays)
    assert (outlines.state[:, rays.near(middle, 0.8 * width)] == BRIDGED).all()
    assert (outlines.state[:, ~rays.near(middle, 2.0 * width)] == SEEN).all()
    assert not membrane.calcium.any()
    assert error_mm(outlines.lumen_mm, lumen_mm) < 2.0 * CLOSE_MM


def test_a_side_branch_opens_lumen_and_membrane(rays, lumen_mm, eem_mm):
    def branched(wall_mm, radius_mm):
        return rays.with_tunnels(wall_mm, PITCH_MM, frame=6, angle_rad=1.0, radius_mm=radius_mm, depth_mm=2.8)

    tunnel_mm = branched(lumen_mm, 0.7)
    outer_mm = np.maximum(branched(eem_mm, 0.95), tunnel_mm + 0.3)
    outlines, _ = found_in(rays.ivus_frames(tunnel_mm, outer_mm), rays)
    opened = outlines.state == OPEN
    mouth = tunnel_mm - lumen_mm > 0.5
    assert opened[6, mouth[6]].mean() > 0.6
    assert not opened[[0, 1, 10, 11]].any()
    assert error_mm(outlines.wall_mm, lumen_mm) < 0.1


def test_the_membrane_lies_outside_of_the_lumen_and_all_within_the_image(rays, lumen_mm, eem_mm):
    outlines, membrane = found_in(rays.ivus_frames(lumen_mm, np.maximum(eem_mm, lumen_mm + 0.1)), rays)
    assert (membrane.eem_mm > outlines.wall_mm).all()
    assert (outlines.lumen_mm >= outlines.wall_mm - 1e-9).all()
    assert outlines.lumen_mm.max() < rays.reach_mm


def test_a_vessel_that_goes_beyond_the_field_of_view_is_not_closed_within_it(rays):
    lumen_mm = np.tile(rays.circle_mm(2.4, (1.5, 0.0)), (FRAMES, 1))
    outlines, membrane = found_in(rays.ivus_frames(lumen_mm, lumen_mm + 0.3), rays)
    assert error_mm(outlines.wall_mm, np.minimum(lumen_mm, rays.reach_mm)) < 2.0 * CLOSE_MM
    assert not (outlines.state == OPEN).any()
    assert not membrane.seen[:, lumen_mm[0] + 0.3 > rays.reach_mm].any()


def test_a_wall_too_thin_to_be_seen_does_not_lose_the_lumen(rays):
    """Only the dark media lies between blood and adventitia."""
    lumen_mm = np.tile(rays.circle_mm(1.5, (0.6, 0.0)), (FRAMES, 1))
    outlines, _ = found_in(rays.ivus_frames(lumen_mm, lumen_mm + 0.15), rays)
    assert error_mm(outlines.wall_mm, lumen_mm) < 0.08


def test_what_rings_around_the_catheter_is_no_wall(rays, lumen_mm, eem_mm):
    values = rays.ivus_frames(lumen_mm, eem_mm)
    r = (np.arange(values.shape[2]) + 0.5) * rays.step_mm
    ring = np.where(r > rays.sheath_mm, 160.0 * np.exp((rays.sheath_mm - r) / 0.3), 0.0)
    outlines, membrane = found_in((values + ring).clip(0.0, 255.0).astype(np.float32), rays)
    assert error_mm(outlines.lumen_mm, lumen_mm) < CLOSE_MM
    assert error_mm(membrane.eem_mm, eem_mm) < CLOSE_MM


def test_a_few_dark_rays_behind_bright_speckle_are_no_calcium(rays, lumen_mm, eem_mm):
    values = rays.ivus_frames(lumen_mm, eem_mm)
    _, without = found_in(values, rays)
    r = (np.arange(values.shape[2]) + 0.5) * rays.step_mm
    values[5:8, 40:42] = np.where(r < 2.3, 250.0, 8.0)
    _, membrane = found_in(values, rays)
    assert not membrane.calcium.any()
    assert np.abs(membrane.eem_mm - without.eem_mm).max() < 0.3
