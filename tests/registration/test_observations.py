from dataclasses import replace

import numpy as np
import pytest

from coreg.contours import centroid_mm
from coreg.pullback import Pullback
from coreg.registration.observations import field_of_view_mm, observe

Z_MM = np.arange(10.0, 20.0, 0.5)


def look(pullback, **how):
    return observe(pullback, points=48, correlation_mm2=3.0, **how)


def changed(pullback, contour_of):
    lumen = {frame: contour_of(frame, contour) for frame, contour in pullback.lumen.items()}
    return replace(pullback, lumen=lumen)


def assert_same(first, second, atol=1e-9):
    for name in ("row", "depth_mm", "points_mm", "seen", "centre_mm", "profile_mm", "patches"):
        np.testing.assert_allclose(getattr(first, name), getattr(second, name), atol=atol, err_msg=name)


def same_outline(points, others):
    """Largest distance of points (M, K, 2) from the nearest of others (M, K, 2)."""
    gaps = np.linalg.norm(points[:, :, None] - others[:, None], axis=-1)
    return gaps.min(axis=2).max()


def test_depth_grows_distally_from_the_most_proximal_frame(tube):
    seen = look(tube.pullback(Z_MM))
    np.testing.assert_allclose(seen.depth_mm, Z_MM - Z_MM[0], atol=1e-9)
    np.testing.assert_array_equal(seen.row, np.arange(len(Z_MM)))


def test_points_lie_on_the_contours_and_profiles_are_the_walls(tube):
    seen = look(tube.pullback(Z_MM, catheter=(0.4, -0.3)))
    angles = np.linspace(0.0, 2.0 * np.pi, 2000)
    for points, z, profile, centre in zip(seen.points_mm, Z_MM, seen.profile_mm, seen.centre_mm, strict=True):
        x, y = (points + np.array([0.4, -0.3])).T
        # Chords of 180 points cut a wall of 1.7 mm by 0.3 micrometres, bumps by some more.
        np.testing.assert_allclose(np.hypot(x, y), tube.radius(z, np.arctan2(y, x)), atol=0.01)
        wall = tube.radius(z, angles)
        assert wall.min() - 0.5 < profile.min() <= profile.max() < wall.max() + 0.5
        contour = tube.section(z, catheter=(0.4, -0.3))
        # Smooth along the pullback: near each section's own middle, not at it.
        assert np.linalg.norm(centre - centroid_mm(contour)) < 0.25


def test_looking_proximal_is_the_same_as_negated_y(tube):
    images = tube.pullback(Z_MM, turn_rad=0.6, catheter=(0.3, 0.2))
    proximal = look(replace(images, view="looking-proximal"))
    assert_same(proximal, look(images.mirrored()))
    assert_same(look(images), look(replace(images.mirrored(), view="looking-proximal")))
    plain = look(images)
    assert same_outline(proximal.points_mm * [1.0, -1.0], plain.points_mm) < 0.1
    np.testing.assert_allclose(proximal.centre_mm * [1.0, -1.0], plain.centre_mm, atol=1e-6)


def test_mirrored_observations_are_those_of_the_mirrored_pullback(tube):
    images = tube.pullback(Z_MM, turn_rad=0.6, catheter=(0.3, 0.2))
    mirrored, other = look(images).mirrored(), look(images.mirrored())
    assert same_outline(mirrored.points_mm, other.points_mm) < 1e-9
    np.testing.assert_allclose(mirrored.centre_mm, other.centre_mm, atol=1e-9)
    np.testing.assert_allclose(mirrored.profile_mm, other.profile_mm, atol=1e-9)
    assert np.abs(mirrored.profile_mm - look(images).profile_mm).max() > 0.1


def test_excluded_frames_and_frames_without_contour_are_left_out(tube):
    images = tube.pullback(Z_MM)
    lumen = {frame: contour for frame, contour in images.lumen.items() if frame not in (4, 5)}
    seen = look(replace(images, lumen=lumen, excluded={9: "stent", 5: "blood"}))
    frames = images.frame[seen.row]
    assert set(images.frame.tolist()) - set(frames.tolist()) == {4, 5, 9}
    assert len(seen.depth_mm) == len(seen.points_mm) == len(seen.patches) == len(Z_MM) - 3


def test_no_frame_left_is_no_failure_here(tube):
    images = tube.pullback(Z_MM)
    assert len(look(replace(images, lumen={})).row) == 0


@pytest.mark.parametrize("winding", [1, -1])
@pytest.mark.parametrize("start", [0, 37, 121])
def test_neither_winding_nor_the_first_point_matter(tube, winding, start):
    images = tube.pullback(Z_MM, turn_rad=0.4, catheter=(0.2, 0.1))
    other = changed(images, lambda _, contour: np.roll(contour, start, axis=0)[::winding])
    assert_same(look(images), look(other), atol=1e-6)


def test_points_at_the_edge_of_the_field_of_view_are_not_seen(tube):
    edge = 1.9
    images = tube.pullback(Z_MM)

    def cut(_, contour):
        radius = np.linalg.norm(contour, axis=1, keepdims=True)
        return contour * np.minimum(1.0, edge / radius)

    cut_off = changed(images, cut)
    true = look(images)
    for pullback in (cut_off, replace(cut_off, field_of_view_mm=edge)):
        assert field_of_view_mm(pullback) == pytest.approx(edge, abs=1e-6)
        seen = look(pullback)
        beyond = np.linalg.norm(true.points_mm, axis=2) > edge + 0.15
        radius = np.linalg.norm(seen.points_mm, axis=2)
        assert beyond.any()
        np.testing.assert_array_equal(seen.seen == 0.0, radius >= edge - 0.05)
        assert 0.0 < (seen.seen == 0.0).mean() < 0.6


def test_one_wide_frame_is_not_the_edge_of_the_image(tube):
    assert field_of_view_mm(tube.pullback(Z_MM)) == np.inf
    assert (look(tube.pullback(Z_MM)).seen == 1.0).all()


def test_a_side_branch_moves_the_middle_less_than_half_of_the_areas_centroid():
    angles = 2.0 * np.pi * np.arange(180) / 180
    round_lumen = np.column_stack([np.cos(angles), np.sin(angles)]) * 1.5
    branch = round_lumen.copy()
    branch[np.abs(angles - np.pi / 2.0) < 0.25] *= 3.0
    frames = np.arange(40)
    lumen = {int(f): branch if 10 <= f < 22 else round_lumen for f in frames}
    centre = look(Pullback(frames, 0.2 * frames, lumen)).centre_mm
    by_area = centroid_mm(branch)[1]
    assert by_area > 1.0
    assert np.abs(centre).max() < 0.5 * by_area


def test_frames_stand_for_the_wall_between_their_neighbours(tube):
    dense, sparse = (look(tube.pullback(np.arange(10.0, 20.01, step))) for step in (0.25, 0.5))
    # The wall is one and the same, however many frames show it.
    assert dense.patches.sum() == pytest.approx(sparse.patches.sum(), rel=0.05)
    # pi times diameter times length, over 3 mm2.
    assert sparse.patches.sum() == pytest.approx(2.0 * np.pi * 1.7 * 10.0 / 3.0, rel=0.15)
