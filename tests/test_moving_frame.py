import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from coreg.moving_frame import rotation_minimizing_frames

RADIUS_MM, PITCH_MM = 10.0, 8.0


def helix(n):
    """Points, unit tangents and Frenet normals and binormals of a helix, and arc length in mm."""
    c = np.hypot(RADIUS_MM, PITCH_MM)
    arc_mm = np.linspace(0.0, 2.0 * np.pi * c, n)
    a = arc_mm / c
    points = np.column_stack([RADIUS_MM * np.cos(a), RADIUS_MM * np.sin(a), PITCH_MM * a])
    tangents = np.column_stack([-RADIUS_MM * np.sin(a), RADIUS_MM * np.cos(a), np.full(n, PITCH_MM)]) / c
    normals = np.column_stack([-np.cos(a), -np.sin(a), np.zeros(n)])
    return arc_mm, points, tangents, normals, np.cross(tangents, normals)


def twist_error_deg(n):
    arc_mm, points, tangents, normals, binormals = helix(n)
    frames = rotation_minimizing_frames(points, tangents, normals[0])
    # A rotation-minimizing normal turns by minus the integrated torsion in the Frenet frame.
    torsion = PITCH_MM / (RADIUS_MM**2 + PITCH_MM**2)
    angle = -torsion * arc_mm
    expected = np.cos(angle)[:, None] * normals + np.sin(angle)[:, None] * binormals
    cosine = np.einsum("ij,ij->i", frames[:, :, 0], expected)
    sine = np.einsum("ij,ij->i", np.cross(expected, frames[:, :, 0]), tangents)
    return np.degrees(np.abs(np.arctan2(sine, cosine))).max()


def test_helix_twist_matches_integrated_torsion():
    assert twist_error_deg(101) < 1e-5


def test_helix_twist_converges_with_fourth_order():
    order = np.log2(twist_error_deg(51) / twist_error_deg(101))
    assert order == pytest.approx(4.0, abs=0.2)


def test_frames_are_right_handed_rotations_about_the_given_tangents():
    _, points, tangents, normals, _ = helix(101)
    frames = rotation_minimizing_frames(points, tangents, normals[0])
    gram = frames @ frames.transpose(0, 2, 1)
    np.testing.assert_allclose(gram, np.broadcast_to(np.eye(3), gram.shape), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(frames), 1.0)
    np.testing.assert_array_equal(frames[:, :, 2], tangents)


def test_frames_turn_with_the_whole_scene():
    _, points, tangents, normals, _ = helix(51)
    turn = Rotation.from_rotvec([0.3, -1.1, 0.7]).as_matrix()
    frames = rotation_minimizing_frames(points, tangents, normals[0])
    moved = rotation_minimizing_frames(points @ turn.T + 40.0, tangents @ turn.T, turn @ normals[0])
    np.testing.assert_allclose(moved, turn @ frames, atol=1e-12)


def test_only_the_part_of_the_first_normal_across_the_tangent_counts():
    _, points, tangents, normals, _ = helix(51)
    slanted = 3.0 * normals[0] + 2.0 * tangents[0]
    np.testing.assert_allclose(
        rotation_minimizing_frames(points, tangents, slanted),
        rotation_minimizing_frames(points, tangents, normals[0]),
        atol=1e-12,
    )


def test_repeated_point_is_named():
    points = np.array([[0.0, 0, 0], [0, 0, 1], [0, 0, 1]])
    tangents = np.tile([0.0, 0.0, 1.0], (3, 1))
    with pytest.raises(ValueError, match=r"points_mm\[1\] and points_mm\[2\] coincide"):
        rotation_minimizing_frames(points, tangents, np.array([1.0, 0, 0]))


def test_first_normal_along_the_vessel_is_refused():
    points = np.array([[0.0, 0, 0], [0, 0, 1]])
    tangents = np.tile([0.0, 0.0, 1.0], (2, 1))
    with pytest.raises(ValueError, match="parallel to the first tangent"):
        rotation_minimizing_frames(points, tangents, np.array([0.0, 0.0, 2.0]))


def test_arguments_are_left_alone():
    _, points, tangents, normals, _ = helix(11)
    before = [a.copy() for a in (points, tangents, normals)]
    rotation_minimizing_frames(points, tangents, normals[0])
    for array, copy in zip((points, tangents, normals), before, strict=True):
        np.testing.assert_array_equal(array, copy)
