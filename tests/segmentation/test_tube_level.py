import numpy as np

from coreg.centerline import Centerline
from coreg.segmentation.tube_level import tube_level

RNG = np.random.default_rng(3)
ANGLES = 2.0 * np.pi * np.arange(72) / 72


def upright(length_mm=20.0):
    """Line along z, whose moving frame is x, y, z."""
    return Centerline(np.linspace(0.0, length_mm, 41)[:, None] * [0.0, 0.0, 1.0])


def around(count=2000, reach_mm=4.0, low=1.0, high=19.0):
    return np.column_stack([RNG.uniform(-reach_mm, reach_mm, (count, 2)), RNG.uniform(low, high, count)])


def test_straight_cylinder_has_the_distance_from_its_axis():
    world = around()
    level, s = tube_level(upright(), np.full((41, 36), 1.5), world)
    np.testing.assert_allclose(level, np.hypot(world[:, 0], world[:, 1]) - 1.5, atol=1e-6)
    np.testing.assert_allclose(s, world[:, 2], atol=1e-6)


def test_cone_has_the_radius_of_its_height():
    world = around()
    radius = np.repeat(np.linspace(2.0, 1.0, 41)[:, None], 36, axis=1)
    level, _ = tube_level(upright(), radius, world)
    np.testing.assert_allclose(
        level, np.hypot(world[:, 0], world[:, 1]) - (2.0 - world[:, 2] / 20.0), atol=1e-6
    )


def test_elliptic_tube_has_the_radius_of_its_angle():
    world, a, b = around(), 2.0, 1.2
    ellipse = a * b / np.hypot(b * np.cos(ANGLES), a * np.sin(ANGLES))
    level, _ = tube_level(upright(), np.tile(ellipse, (41, 1)), world)
    angle = np.arctan2(world[:, 1], world[:, 0])
    expected = np.hypot(world[:, 0], world[:, 1]) - a * b / np.hypot(b * np.cos(angle), a * np.sin(angle))
    # Between angles 5 degrees apart radii are interpolated linearly.
    np.testing.assert_allclose(level, expected, atol=5e-3)


def test_bump_lies_in_the_direction_of_its_column():
    bump = 1.5 + 0.5 * np.cos(ANGLES - np.pi / 2.0)
    level, _ = tube_level(upright(), np.tile(bump, (41, 1)), np.array([[0.0, 1.8, 9.0], [0.0, -1.8, 9.0]]))
    np.testing.assert_allclose(level, [-0.2, 0.8], atol=1e-6)


def test_torus_has_the_distance_from_its_circle():
    angle = np.linspace(0.2, 5.0, 200)
    line = Centerline(12.0 * np.column_stack([np.cos(angle), np.sin(angle), 0.0 * angle]))
    turn, out, up = RNG.uniform(0.4, 4.8, 2000), RNG.uniform(-3.0, 3.0, 2000), RNG.uniform(-3.0, 3.0, 2000)
    world = np.column_stack([(12.0 + out) * np.cos(turn), (12.0 + out) * np.sin(turn), up])
    level, s = tube_level(line, np.full((200, 36), 1.5), world)
    # The spline through points 0.3 mm apart is a circle to a thousandth.
    np.testing.assert_allclose(level, np.hypot(out, up) - 1.5, atol=2e-3)
    np.testing.assert_allclose(s, 12.0 * (turn - 0.2), atol=0.01)


def test_points_beyond_an_end_are_outside_by_their_distance_from_its_plane():
    world = np.array([[0.0, 0.0, -0.7], [0.5, 0.0, 21.0], [4.0, 0.0, 20.5]])
    level, s = tube_level(upright(), np.full((41, 36), 1.5), world)
    np.testing.assert_allclose(level, [0.7, 1.0, 2.5], atol=1e-6)
    np.testing.assert_allclose(s, [0.0, 20.0, 20.0], atol=1e-6)


def test_points_in_the_plane_of_an_end_belong_to_it():
    level, _ = tube_level(upright(), np.full((41, 36), 1.5), np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 20.0]]))
    np.testing.assert_allclose(level, -0.5, atol=1e-6)


def test_rigid_motion_with_the_frames_start_kept_changes_nothing():
    turn = np.linalg.qr(RNG.normal(size=(3, 3)))[0]
    world = around()
    points = upright().points_mm
    here, _ = tube_level(upright(), np.full((41, 36), 1.5), world)
    shift = np.array([10.0, -200.0, 900.0])
    there, _ = tube_level(Centerline(points @ turn.T + shift), np.full((41, 36), 1.5), world @ turn.T + shift)
    np.testing.assert_allclose(there, here, atol=1e-6)
