from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coreg.catheter_path import VirtualCatheterPath

FRAMES = 60


def path_of(origin_mm, column, row, *, frame=None, position_mm=None, reliable=None, reason=None):
    count = len(origin_mm)
    return VirtualCatheterPath(
        np.arange(count)[::-1] if frame is None else np.array(frame),
        0.2 * np.arange(count)[::-1] if position_mm is None else np.array(position_mm),
        np.full(count, np.nan),
        np.full(count, np.nan),
        np.array(origin_mm, dtype=float),
        np.array(column, dtype=float),
        np.array(row, dtype=float),
        np.ones(count, dtype=bool) if reliable is None else np.array(reliable),
        ("",) * count if reason is None else reason,
    )


def straight(z_mm, **options):
    """Frames across the z axis at given places, columns along x and rows along y."""
    z_mm = np.asarray(z_mm, dtype=float)
    origin = np.column_stack([np.zeros_like(z_mm), np.zeros_like(z_mm), z_mm])
    axes = np.tile(np.eye(3), (len(z_mm), 1, 1))
    return path_of(origin, axes[:, 0], axes[:, 1], **options)


@st.composite
def smooth_paths(draw):
    """A gentle bend, no tighter than a radius of 16 mm, with a steady roll; 12 mm long."""
    amplitude, wave, phase = (draw(st.floats(*each)) for each in ((0.0, 1.0), (0.05, 0.25), (0.0, 6.28)))
    start, roll, sense = (
        draw(st.floats(-3.1, 3.1)),
        draw(st.floats(-0.05, 0.05)),
        draw(st.sampled_from([1, -1])),
    )
    shift = np.array([draw(st.floats(-200.0, 200.0)) for _ in range(3)])
    z = 0.2 * np.arange(FRAMES)
    origin = np.column_stack([amplitude * np.sin(wave * z + phase), np.zeros(FRAMES), z]) + shift
    tangent = np.column_stack(
        [amplitude * wave * np.cos(wave * z + phase), np.zeros(FRAMES), np.ones(FRAMES)]
    )
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    normal = np.cross([0.0, 1.0, 0.0], tangent)
    binormal = np.cross(tangent, normal)
    angle = (start + roll * np.arange(FRAMES))[:, None]
    column = np.cos(angle) * normal + np.sin(angle) * binormal
    return path_of(origin, column, sense * np.cross(tangent, column))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    smooth_paths(),
    st.lists(
        st.tuples(st.floats(0.5, FRAMES - 1.5), st.floats(-2.0, 2.0), st.floats(-2.0, 2.0)),
        min_size=1,
        max_size=4,
    ),
)
def test_pullback_to_world_and_back_is_exact(path, points):
    row, xy = np.array([each[0] for each in points]), np.array([each[1:] for each in points])
    world = path.to_world(row, xy)
    back = path.to_pullback(world, reach_mm=4.0)
    np.testing.assert_allclose(path.to_world(back.row, back.xy_mm), world, atol=1e-6)
    np.testing.assert_allclose(back.row, row, atol=1e-6)
    np.testing.assert_allclose(back.xy_mm, xy, atol=1e-6)
    assert (back.alternatives == 0).all()


@settings(max_examples=40, deadline=None, derandomize=True)
@given(smooth_paths(), st.floats(0.0, FRAMES - 1.0))
def test_axes_between_frames_are_orthonormal_and_lie_between(path, row):
    origin, axes = path.poses_at(np.array([row]))
    np.testing.assert_allclose(axes[0].T @ axes[0], np.eye(3), atol=1e-9)
    low = min(int(row), FRAMES - 2)
    share = row - low
    np.testing.assert_allclose(
        origin[0], (1 - share) * path.origin_mm[low] + share * path.origin_mm[low + 1], atol=1e-9
    )


def test_axes_turn_evenly_between_two_frames():
    angle = np.radians([0.0, 40.0])
    column = np.column_stack([np.cos(angle), np.sin(angle), np.zeros(2)])
    row = np.column_stack([-np.sin(angle), np.cos(angle), np.zeros(2)])
    path = path_of([[0.0, 0, 0], [0, 0, 1]], column, row)
    world = path.to_world(np.array([0.25]), np.array([[2.0, 0.0]]))
    np.testing.assert_allclose(world, [[2 * np.cos(np.radians(10)), 2 * np.sin(np.radians(10)), 0.25]])


def test_an_image_point_lies_at_origin_plus_x_columns_and_y_rows():
    path = straight([0.0, 1.0, 2.0])
    np.testing.assert_allclose(path.to_world(np.array([1.0]), np.array([[0.7, -1.2]])), [[0.7, -1.2, 1.0]])


def test_plane_normal_tells_the_view():
    path = straight([0.0, 1.0])
    np.testing.assert_allclose(path.plane_normal, [[0, 0, 1.0]] * 2)
    np.testing.assert_allclose(replace(path, row=-path.row).plane_normal, [[0, 0, -1.0]] * 2)


def test_crossings_of_a_straight_path_are_exact():
    path = straight(np.arange(10) * 0.5)
    for z, row in ((1.3, 2.6), (1.5, 3.0), (0.0, 0.0), (4.5, 9.0)):
        np.testing.assert_allclose(path.crossings(np.array([0.4, 2.0, z])), [row], atol=1e-12)
    assert len(path.crossings(np.array([0.0, 0.0, 4.6]))) == 0


def test_a_path_to_and_fro_meets_a_point_thrice_and_the_nearest_wins():
    path = straight([0.0, 1.0, 2.0, 1.0, 2.0, 3.0])
    origin = path.origin_mm + np.array([[3.0, 2.0, 1.0, 0.0, 1.0, 2.0]]).T * [1.0, 0, 0]
    path = replace(path, origin_mm=origin)
    point = np.array([0.0, 0.5, 1.25])
    np.testing.assert_allclose(path.crossings(point), [1.25, 2.75, 3.25], atol=1e-9)
    found = path.to_pullback(point)
    assert found.alternatives.tolist() == [2]
    # Rows 2.75 and 3.25 lie a quarter of a millimetre from it in x, row 1.25 lies 1.75 mm.
    assert found.row[0] in (pytest.approx(2.75), pytest.approx(3.25))
    np.testing.assert_allclose(np.abs(found.xy_mm), [[0.25, 0.5]], atol=1e-9)


def test_points_out_of_reach_are_not_in_the_pullback():
    path = straight(np.arange(10) * 0.5)
    found = path.to_pullback(np.array([[11.0, 0, 1.0], [9.0, 0, 1.0], [0, 0, -1.0]]))
    np.testing.assert_allclose(found.row, [np.nan, 2.0, np.nan])
    assert np.isnan(found.xy_mm[[0, 2]]).all()
    assert np.isfinite(path.to_pullback(np.array([11.0, 0, 1.0]), reach_mm=12.0).row).all()


def test_rows_of_scattered_acquisition_indices():
    path = straight(np.arange(4.0), frame=[384, 346, 380, 268])
    rows = path.rows_of(np.array([384, 346, 380, 268, 382, 370, 300, 400, 100.0]))
    expected = [0, 1, 2, 3, 2 / 38, 1 + 24 / 34, 2 + 80 / 112, np.nan, np.nan]
    # 370 lies between 384 and 346 and between 346 and 380; the closer pair counts.
    np.testing.assert_allclose(rows, expected)
    np.testing.assert_allclose(path.frame_at(rows[:7]), [384, 346, 380, 268, 382, 370, 300])


def test_frames_and_positions_between_rows_are_linear_and_missing_outside():
    path = straight(np.arange(3.0), frame=[9, 5, 2], position_mm=[1.4, 0.6, 0.0])
    np.testing.assert_allclose(path.frame_at(np.array([0.5, 2.0, -0.1, 2.1])), [7, 2, np.nan, np.nan])
    np.testing.assert_allclose(path.position_at(np.array([0.5, 2.0, 2.1])), [1.0, 0.0, np.nan])


@pytest.fixture
def partly_posed():
    """Frames 1 to 3 of five have poses."""
    path = straight(np.arange(5.0))
    blank = np.array([True, False, False, False, True])[:, None]
    return replace(
        path,
        origin_mm=np.where(blank, np.nan, path.origin_mm),
        column=np.where(blank, np.nan, path.column),
        row=np.where(blank, np.nan, path.row),
        reliable=~blank[:, 0],
        reason=("beyond the vessel", "", "", "", "beyond the vessel"),
    )


def test_frames_without_a_pose_are_neither_mapped_nor_met(partly_posed):
    path = partly_posed
    assert path.posed.tolist() == [False, True, True, True, False]
    origin, axes = path.poses_at(np.array([0.5, 1.0, 2.5, 3.5, np.nan]))
    np.testing.assert_allclose(origin[:, 2], [np.nan, 1.0, 2.5, np.nan, np.nan])
    assert np.isnan(axes[[0, 3, 4]]).all()
    for z, row in ((0.5, np.nan), (1.5, 1.5), (3.0, 3.0), (3.5, np.nan)):
        np.testing.assert_allclose(path.to_pullback(np.array([0, 1.0, z])).row, [row], atol=1e-9)


def test_a_path_without_any_pose_maps_nothing():
    path = straight(np.arange(2.0))
    blank = np.full((2, 3), np.nan)
    path = replace(path, origin_mm=blank, column=blank, row=blank)
    assert np.isnan(path.to_world(np.array([0.0]), np.zeros((1, 2)))).all()
    assert np.isnan(path.to_pullback(np.zeros(3)).row).all()


def test_a_single_frame_maps_its_own_plane():
    path = straight([2.0])
    np.testing.assert_allclose(path.to_world(np.array([0.0]), np.array([[1.0, 2.0]])), [[1, 2, 2]])
    np.testing.assert_allclose(path.to_pullback(np.array([1.0, 2.0, 2.0])).xy_mm, [[1, 2]])


def test_axes_that_are_not_orthonormal_are_named():
    path = straight(np.arange(3.0), frame=[12, 11, 10])
    row = path.row.copy()
    row[1] = [0.0, 0.8, 0.0]
    with pytest.raises(ValueError, match="column and row of frame 11 must be orthonormal, got products"):
        replace(path, row=row)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"row": np.zeros((2, 3))}, r"row must have shape \(3, 3\), got \(2, 3\)"),
        ({"reliable": np.ones(4, bool)}, r"reliable must have shape \(3,\), got \(4,\)"),
        ({"reason": ("",)}, "reason must have 3 entries, got 1"),
    ],
)
def test_arrays_of_another_length_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        replace(straight(np.arange(3.0)), **change)
