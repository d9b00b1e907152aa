import numpy as np
import pytest

from coreg.pullback_vessel import BEYOND, BLOOD, BRIDGED, OPEN, SEEN
from coreg.segmentation.oct_lumen import oct_lumen

FRAMES, PITCH_MM = 16, 0.2
# A quarter of a sample is what speckle leaves.
CLOSE_MM = 0.01


@pytest.fixture
def lumen_mm(rays):
    """Eccentric circles that narrow towards the middle of the run."""
    radius_mm = 1.6 - 0.3 * np.exp(-(((np.arange(FRAMES) - 8) / 4.0) ** 2))
    return np.stack([rays.circle_mm(each, (0.5, -0.3)) for each in radius_mm])


def found_in(values, rays, pitch_mm=PITCH_MM):
    return oct_lumen(values, rays.step_mm, pitch_mm=pitch_mm)


def error_mm(found, true):
    return np.abs(found - true).mean()


def test_an_eccentric_narrowing_lumen_is_found_to_a_fraction_of_a_sample(rays, lumen_mm):
    found = found_in(rays.oct_frames(lumen_mm), rays)
    assert error_mm(found.lumen_mm, lumen_mm) < CLOSE_MM
    assert np.abs(found.lumen_mm - lumen_mm).max() < 2.0 * rays.step_mm
    assert np.array_equal(found.lumen_mm, found.wall_mm)
    assert (found.state == SEEN).all()
    assert found.evidence.min() > 0.8
    assert found.haze.max() < 0.01


def test_a_single_frame_is_enough(rays, lumen_mm):
    found = found_in(rays.oct_frames(lumen_mm[:1]), rays, pitch_mm=0.0)
    assert error_mm(found.lumen_mm, lumen_mm[:1]) < CLOSE_MM


def test_a_turned_image_gives_the_outline_turned(rays, lumen_mm):
    values = rays.oct_frames(lumen_mm)
    straight, turned = (found_in(np.roll(values, shift, axis=1), rays) for shift in (0, 77))
    assert error_mm(turned.lumen_mm, np.roll(straight.lumen_mm, 77, axis=1)) < 1e-3


def test_behind_the_wire_the_outline_is_bridged(rays, lumen_mm):
    middle, width = 2.0, np.radians(24.0)
    found = found_in(rays.oct_frames(lumen_mm, wire=(middle, width, 0.75)), rays)
    assert (found.state[:, rays.near(middle, width)] == BRIDGED).all()
    assert (found.state[:, ~rays.near(middle, 1.3 * width)] == SEEN).all()
    assert error_mm(found.lumen_mm, lumen_mm) < CLOSE_MM


def test_a_side_branch_opens_the_lumen_and_not_the_wall(rays, lumen_mm):
    tunnel_mm = rays.with_tunnels(lumen_mm, PITCH_MM, frame=8, angle_rad=1.0, radius_mm=0.6)
    found = found_in(rays.oct_frames(tunnel_mm), rays)
    opened = found.state == OPEN
    deep = tunnel_mm - lumen_mm > 0.2
    assert opened[deep].mean() > 0.95
    assert not opened[tunnel_mm - lumen_mm < 0.02].any()
    assert error_mm(found.lumen_mm, tunnel_mm) < CLOSE_MM
    assert np.abs(found.wall_mm - lumen_mm)[opened].max() < 0.1


def test_what_is_beyond_the_field_of_view_is_told(rays):
    large = np.tile(rays.circle_mm(2.4, (1.7, 0.0)), (FRAMES, 1))
    found = found_in(rays.oct_frames(large), rays)
    outside = large > rays.reach_mm + 0.1
    assert (found.state[outside] == BEYOND).all()
    inside = large < rays.reach_mm - 0.5
    assert (found.state[inside] == SEEN).all()
    assert error_mm(found.lumen_mm[inside], large[inside]) < 2.0 * CLOSE_MM


def test_the_wall_is_seen_through_a_thin_cloud_of_blood(rays, lumen_mm):
    values = rays.oct_frames(lumen_mm)
    depth_mm = (np.arange(values.shape[2]) + 0.5) * rays.step_mm
    clouded = rays.near(1.5, 1.2)
    cloud = (depth_mm > 0.6) & (depth_mm < 0.9) & clouded[:, None]
    values[8] = np.where(cloud, rays.grained(np.full(cloud.shape, 60.0), 0.2, 3), values[8])
    found = found_in(values, rays)
    assert (found.state[8, clouded] == BLOOD).mean() > 0.8
    assert (found.state == BLOOD).sum() <= clouded.sum()
    assert error_mm(found.lumen_mm, lumen_mm) < CLOSE_MM


def test_a_frame_full_of_blood_is_told_and_leaves_its_neighbours_alone(rays, lumen_mm):
    values = rays.oct_frames(lumen_mm)
    depth_mm = (np.arange(values.shape[2]) + 0.5) * rays.step_mm
    wall_mm = lumen_mm[8, :, None]
    full = np.where((depth_mm > 0.5) & (depth_mm < wall_mm), 90.0, values[8])
    dim = np.exp(-np.clip(depth_mm - 0.5, 0.0, wall_mm - 0.5) / 0.7)
    values[8] = rays.grained(full * dim, 0.2, 3)
    found = found_in(values, rays)
    others = np.arange(FRAMES) != 8
    assert found.haze[8] > 0.3 > 0.05 > found.haze[others].max()
    assert found.evidence[8].mean() < 0.7 * found.evidence[others].mean()
    assert error_mm(found.lumen_mm[others], lumen_mm[others]) < CLOSE_MM


def test_the_outline_lies_within_the_catheter_and_the_field_of_view(rays):
    touching = np.tile(rays.circle_mm(1.4, (0.97, 0.0)), (FRAMES, 1))
    found = found_in(rays.oct_frames(touching), rays)
    assert found.lumen_mm.min() >= rays.sheath_mm - rays.step_mm
    assert found.lumen_mm.max() < rays.reach_mm
    assert (found.wall_mm <= found.lumen_mm).all()
