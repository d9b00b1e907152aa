import numpy as np
import pytest

from coreg.centerline import Centerline, VesselTree

RADIUS_MM, PITCH_MM = 12.0, 6.0
SPEED_MM = float(np.hypot(RADIUS_MM, PITCH_MM))
TORSION = PITCH_MM / SPEED_MM**2


def helix_points(arc_mm):
    a = np.asarray(arc_mm) / SPEED_MM
    return np.stack([RADIUS_MM * np.cos(a), RADIUS_MM * np.sin(a), PITCH_MM * a], axis=-1)


def helix_triad(arc_mm):
    """Frenet normal, binormal and tangent at arc lengths."""
    a = np.asarray(arc_mm) / SPEED_MM
    tangent = np.stack([-RADIUS_MM * np.sin(a), RADIUS_MM * np.cos(a), np.full(a.shape, PITCH_MM)], axis=-1)
    tangent /= SPEED_MM
    normal = np.stack([-np.cos(a), -np.sin(a), np.zeros(a.shape)], axis=-1)
    return normal, np.cross(tangent, normal), tangent


def straight(direction, *, length_mm=20.0, ostium_mm=0.0):
    direction = np.array(direction) / np.linalg.norm(direction)
    return Centerline(np.linspace(0.0, length_mm, 41)[:, None] * direction, ostium_mm=ostium_mm)


@pytest.fixture(scope="module")
def helix():
    """A helix whose ostium lies 15 mm along it."""
    return Centerline(helix_points(np.linspace(-15.0, 45.0, 601)), ostium_mm=15.0)


def test_arc_length_of_a_circle_arc_is_radius_times_angle():
    a = np.linspace(0.0, 1.5, 301)
    line = Centerline(20.0 * np.column_stack([np.cos(a), np.sin(a), np.zeros_like(a)]))
    assert line.arc_length_mm[-1] == pytest.approx(30.0, abs=1e-3)


def test_arc_length_is_zero_at_the_ostium_and_negative_before_it(helix):
    assert helix.arc_length_mm[0] == -15.0
    np.testing.assert_allclose(helix.points_at(np.array(0.0)), helix_points(0.0), atol=1e-3)


def test_points_and_tangents_between_samples_follow_the_curve(helix):
    s = np.linspace(-14.9, 44.9, 333)
    np.testing.assert_allclose(helix.points_at(s), helix_points(s), atol=1e-3)
    np.testing.assert_allclose(helix.tangents_at(s), helix_triad(s)[2], atol=1e-3)


def test_points_go_straight_on_beyond_both_ends(helix):
    for end, beyond in ((helix.arc_length_mm[0], -7.0), (helix.arc_length_mm[-1], 7.0)):
        expected = helix.points_at(end) + beyond * helix.tangents_at(end)
        np.testing.assert_allclose(helix.points_at(np.array(end + beyond)), expected, atol=1e-12)


def test_nearest_arc_length_agrees_with_brute_force(helix):
    rng = np.random.default_rng(1)
    # Closer than the radius of curvature, so that there is one nearest point.
    points = helix_points(rng.uniform(-20.0, 50.0, 60)) + rng.uniform(-2.5, 2.5, (60, 3))
    fine = np.linspace(-15.0, 45.0, 60_001)
    curve = helix_points(fine)
    expected = np.array([fine[np.argmin(np.linalg.norm(curve - point, axis=1))] for point in points])
    np.testing.assert_allclose(helix.nearest_arc_length(points), expected, atol=2.5e-3)


def test_nearest_arc_length_keeps_the_shape_of_its_argument(helix):
    s = np.array([[0.0, 10.0, 20.0], [5.0, 15.0, 25.0]])
    np.testing.assert_allclose(helix.nearest_arc_length(helix.points_at(s)), s, atol=1e-9)
    assert helix.nearest_arc_length(helix.points_at(np.array(3.0))).shape == ()


def test_normal_at_the_ostium_is_world_x_made_perpendicular():
    tangent = np.array([0.6, 0.0, 0.8])
    frame = straight(tangent).frames_at(np.array([0.0]))[0]
    np.testing.assert_allclose(frame[:, 0], [0.8, 0.0, -0.6], atol=1e-12)
    np.testing.assert_allclose(frame[:, 2], tangent, atol=1e-12)


@pytest.mark.parametrize(
    ("along_x", "axis"), [(0.89, [1.0, 0, 0]), (0.91, [0, 1.0, 0]), (-0.91, [0, 1.0, 0]), (1.0, [0, 1.0, 0])]
)
def test_normal_starts_from_world_y_only_where_the_vessel_runs_along_x(along_x, axis):
    tangent = np.array([along_x, 0.4 * np.sqrt(1 - along_x**2), np.sqrt(0.84) * np.sqrt(1 - along_x**2)])
    frame = straight(tangent).frames_at(np.array([0.0]))[0]
    expected = np.array(axis) - (np.array(axis) @ tangent) * tangent
    np.testing.assert_allclose(frame[:, 0], expected / np.linalg.norm(expected), atol=1e-9)


def test_the_rule_for_the_first_normal_is_applied_at_the_ostium_not_at_the_first_point():
    a = np.linspace(0.0, np.pi / 2, 401)
    # Runs along +x at its first point and along +z at the ostium 10 pi mm on.
    bend = 20.0 * np.column_stack([np.sin(a), np.zeros_like(a), 1.0 - np.cos(a)])
    line = Centerline(np.vstack([bend, bend[-1] + [[0, 0, 1.0], [0, 0, 2.0]]]), ostium_mm=10.0 * np.pi)
    np.testing.assert_allclose(line.frames_at(np.array([0.0]))[0], np.eye(3), atol=2e-3)
    # Carried back around the bend in its plane, the normal points to -z where the vessel runs along +x.
    first = line.frames_at(line.arc_length_mm[:1])[0]
    np.testing.assert_allclose(first[:, 0], [0.0, 0.0, -1.0], atol=5e-3)


def test_frames_turn_by_minus_the_torsion_on_both_sides_of_the_ostium(helix):
    s = np.array([30.0, -14.0, 0.0, -5.0, 10.0, 44.0])
    frames = helix.frames_at(s)
    normal, binormal, _ = helix_triad(s)
    start_normal, start_binormal, start_tangent = helix_triad(0.0)
    x = np.array([1.0, 0.0, 0.0])
    x = x - (x @ start_tangent) * start_tangent
    angle = np.arctan2(x @ start_binormal, x @ start_normal) - TORSION * s
    expected = np.cos(angle)[:, None] * normal + np.sin(angle)[:, None] * binormal
    # A milliradian is a thousandth of a lumen's radius.
    np.testing.assert_allclose(frames[:, :, 0], expected, atol=1e-3)
    np.testing.assert_allclose(frames.transpose(0, 2, 1) @ frames, np.tile(np.eye(3), (6, 1, 1)), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(frames), 1.0)


def test_resampled_has_equal_steps_and_keeps_the_ostium_and_radius():
    s = np.linspace(-15.0, 45.0, 601)
    line = Centerline(helix_points(s), 2.0 - 0.01 * s, ostium_mm=15.0)
    fine = line.resampled(spacing_mm=0.4)
    np.testing.assert_allclose(np.linalg.norm(np.diff(fine.points_mm, axis=0), axis=1), 0.4, atol=1e-3)
    np.testing.assert_allclose(fine.points_at(np.array(0.0)), helix_points(0.0), atol=1e-3)
    np.testing.assert_allclose(fine.radius_mm, 2.0 - 0.01 * fine.arc_length_mm, atol=1e-3)


def test_smoothing_takes_voxel_steps_away_and_leaves_the_bend():
    s = np.linspace(0.0, 60.0, 121)
    stepped = 0.5 * np.round(helix_points(s) / 0.5)
    keep = np.concatenate([[True], np.linalg.norm(np.diff(stepped, axis=0), axis=1) > 0.0])
    rough = Centerline(stepped[keep])
    smooth = rough.resampled(smoothing=1.0)
    curve = helix_points(np.linspace(0.0, 60.0, 6001))

    def off(line):
        return np.array([np.linalg.norm(curve - point, axis=1).min() for point in line.points_mm])

    assert off(smooth).mean() < 0.5 * off(rough).mean()
    assert smooth.arc_length_mm[-1] == pytest.approx(60.0, rel=0.01)


@pytest.mark.parametrize(
    ("points", "radius", "message"),
    [
        (np.zeros((1, 3)), None, r"shape \(N, 3\) with N >= 2, got \(1, 3\)"),
        (np.zeros((4, 2)), None, r"got \(4, 2\)"),
        ([[0.0, 0, 0], [0, np.nan, 1]], None, r"points_mm\[1\] is not finite"),
        ([[0.0, 0, 0], [0, 0, 1], [0, 0, 1]], None, r"points_mm\[1\] and points_mm\[2\] coincide"),
        ([[0.0, 0, 0], [0, 0, 1]], [1.0], r"radius_mm must have shape \(2,\), got \(1,\)"),
    ],
)
def test_unusable_points_are_named(points, radius, message):
    with pytest.raises(ValueError, match=message):
        Centerline(points, radius)


def test_arrays_are_copies_and_read_only():
    points = np.array([[0.0, 0, 0], [0, 0, 1]])
    line = Centerline(points, np.ones(2))
    points[0] = 9.0
    assert line.points_mm[0, 0] == 0.0
    for array in (line.points_mm, line.radius_mm, line.arc_length_mm):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1.0


@pytest.fixture(scope="module")
def fork():
    """Trunk along z for 20 mm, then a long line towards +x and a short one towards -x."""
    trunk = np.column_stack([np.zeros(40), np.zeros(40), np.arange(40) * 0.5])
    lines = []
    for side, length in ((1.0, 30.0), (-1.0, 12.0)):
        s = np.arange(0.0, length, 0.5)[:, None]
        limb = np.array([0.0, 0.0, 20.0]) + s * np.array([0.6 * side, 0.0, 0.8])
        points = np.vstack([trunk, limb])
        lines.append(Centerline(points, np.linspace(2.0, 1.0, len(points))))
    return VesselTree((lines[1], lines[0]))


def test_without_clicks_the_longest_line_is_the_vessel(fork):
    vessel = fork.vessel()
    assert vessel.points_mm[-1, 0] > 15.0
    assert vessel.arc_length_mm[0] == 0.0


def test_the_distal_click_chooses_the_line_and_cuts_it(fork):
    click = np.array([-3.0, 2.0, 24.0])
    vessel = fork.vessel(distal=click)
    # The foot of the click on the short limb, 5 mm from the fork.
    np.testing.assert_allclose(vessel.points_mm[-1], [-3.0, 0.0, 24.0], atol=1e-2)
    assert vessel.arc_length_mm[-1] == pytest.approx(25.0, abs=0.02)
    expected = np.interp(25.0, fork.lines[0].arc_length_mm, fork.lines[0].radius_mm)
    assert vessel.radius_mm[-1] == pytest.approx(expected, abs=1e-3)


def test_of_lines_that_share_the_clicked_trunk_the_longest_is_taken_and_cut(fork):
    for lines in (fork.lines, fork.lines[::-1]):
        vessel = VesselTree(lines).vessel(distal=np.array([0.5, 0.0, 12.3]))
        np.testing.assert_allclose(vessel.points_mm[-1], [0.0, 0.0, 12.3], atol=1e-2)
        step = vessel.radius_mm[0] - vessel.radius_mm[1]
        # The radius falls more slowly along the longer line.
        assert step == pytest.approx(1.0 / (len(fork.lines[1].points_mm) - 1), rel=1e-6)


@pytest.mark.parametrize(("apart_mm", "longest"), [(0.08, True), (0.3, False)])
def test_trunks_a_tenth_of_a_millimetre_apart_count_as_shared(fork, apart_mm, longest):
    short, long_ = fork.lines
    tree = VesselTree(
        (Centerline(short.points_mm + np.array([apart_mm, 0.0, 0.0])), Centerline(long_.points_mm))
    )
    vessel = tree.vessel(distal=np.array([2.0, 0.0, 10.0]))
    # The click lies on the short line's side.
    assert vessel.points_mm[0, 0] == (0.0 if longest else apart_mm)


def test_the_ostium_click_sets_arc_length_zero(fork):
    vessel = fork.vessel(np.array([1.0, 0.0, 4.2]))
    np.testing.assert_allclose(vessel.points_at(np.array(0.0)), [0.0, 0.0, 4.2], atol=1e-6)
    assert vessel.arc_length_mm[0] == pytest.approx(-4.2, abs=1e-6)


def test_a_line_written_from_distal_to_proximal_is_turned_round(fork):
    right = fork.lines[1]
    turned = VesselTree((Centerline(right.points_mm[::-1], right.radius_mm[::-1]),))
    clicks = np.array([0.0, 1.0, 2.0]), np.array([12.0, 0.0, 36.0])
    expected, vessel = fork.vessel(*clicks), turned.vessel(*clicks)
    np.testing.assert_allclose(vessel.points_mm, expected.points_mm, atol=1e-4)
    np.testing.assert_allclose(vessel.radius_mm, expected.radius_mm, atol=1e-4)
    assert vessel.ostium_mm == pytest.approx(expected.ostium_mm, abs=1e-4)


def test_a_tree_without_lines_is_refused():
    with pytest.raises(ValueError, match="at least one line, got none"):
        VesselTree(())
