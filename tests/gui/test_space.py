"""The view in space, on a straight tube whose every place is known, and against the anatomy's own words."""

# ruff: noqa: E402 - without the gui extra none of the imports below would work.
import gc
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

for extra in ("psygnal", "qtpy", "napari"):
    pytest.importorskip(extra, reason="the viewer needs the gui extra: pip install coreg[gui]")

from napari._qt.qt_viewer import QtViewer
from napari.layers import Surface as SurfaceLayer
from napari.settings import get_settings
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QPushButton

from coreg.case import Case
from coreg.catheter_path import BEYOND_VESSEL, VirtualCatheterPath
from coreg.centerline import Centerline
from coreg.io.reviewable import Reviewable
from coreg.landmarks import Landmark
from coreg.pullback import Pullback
from coreg.pullback_images import PullbackImages
from coreg.registration.by_hand import Adjustment
from coreg.result import Registration
from coreg.surface import Surface
from coreg.volume import Volume
from coreg_napari.session import Session
from coreg_napari.space import LETTERS, WAIT_MS, SpaceView, carried_mm
from coreg_napari.space_shapes import coarsened, faces_near, overview, rods, tube, vessel_surface
from coreg_napari.space_texture import PIXELS, FramePainter

COUNT, STEP_MM, RADIUS_MM, LENGTH_MM = 31, 0.6, 2.0, 24.0
IMAGE, PIXEL_MM = 90, 0.1
OVERLAYS = ("axes", "scale_bar", "text")
# Before any fixture: without a display Qt would end the whole process.
SCREENLESS = sys.platform.startswith("linux") and not {"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ)
pytestmark = pytest.mark.skipif(
    SCREENLESS, reason="no display: install Xvfb and pytest-xvfb, or run under xvfb-run"
)
# The vessel runs down the body, from 12 mm above its middle: distal is inferior.
TOP_MM = 12.0
COLUMN, ROW, DISTAL = np.array([0.6, 0.8, 0.0]), np.array([0.8, -0.6, 0.0]), np.array([0.0, 0.0, -1.0])


def tube_path(lost=()):
    """Poses down the tube's axis, the images looking distally and turned about it."""
    z = TOP_MM - 3.0 - STEP_MM * np.arange(COUNT)
    origin = np.column_stack([np.zeros(COUNT), np.zeros(COUNT), z])
    column, row = np.tile(COLUMN, (COUNT, 1)), np.tile(ROW, (COUNT, 1))
    there = ~np.isin(np.arange(COUNT), lost)
    for array in (origin, column, row):
        array[~there] = np.nan
    reliable = there & (np.arange(COUNT) < 20)
    reason = tuple("" if each else BEYOND_VESSEL for each in there)
    place, turned = np.where(there, TOP_MM - z, np.nan), np.where(there, 0.3, np.nan)
    frame = np.arange(COUNT)[::-1]
    position = STEP_MM * frame
    return VirtualCatheterPath(frame, position, place, turned, origin, column, row, reliable, reason)


def tube_label(spacing_mm=0.4):
    """Voxels of the tube, and of a second vessel 20 mm beside it that is not to be shown."""
    axis = np.arange(-16.0, 30.0, spacing_mm)
    z, y, x = np.meshgrid(np.arange(-16.0, 16.0, spacing_mm), axis, axis, indexing="ij")
    inside = (np.hypot(x, y) < RADIUS_MM) | (np.hypot(x - 20.0, y) < RADIUS_MM)
    inside &= np.abs(z) < TOP_MM
    matrix = np.eye(4)
    matrix[:3, :3] = spacing_mm * np.eye(3)[::-1]
    matrix[:3, 3] = [-16.0, -16.0, -16.0]
    return Volume(inside.astype(np.uint8), matrix)


def quadrant_images():
    """Frames that are bright up left, half bright up right, and black below."""
    pixels = np.zeros((COUNT, IMAGE, IMAGE), np.uint8)
    pixels[:, : IMAGE // 2, : IMAGE // 2] = 255
    pixels[:, : IMAGE // 2, IMAGE // 2 :] = 120
    middle = (IMAGE - 1) / 2.0
    return PullbackImages(pixels, np.full(2, PIXEL_MM), np.full(2, middle), "OCT", 4.0)


def circle(radius_mm):
    angles = np.linspace(0.0, 2.0 * np.pi, 60, endpoint=False)
    return radius_mm * np.column_stack([np.cos(angles), np.sin(angles)])


LANDMARKS = (
    Landmark("B1", "branch", 20.0, 0.5, np.array([2.0, 0.0, 3.0]), 1.8),
    Landmark("B2", "branch", 6.0, -2.0, np.array([-2.0, 0.0, -6.0]), 1.8),
    Landmark("ONLY", "calcium", None, None, np.array([0.0, 2.0, 0.0])),
)


def opened(*, images=True, registered=True, lost=(), outlines=True):
    path = tube_path(lost)
    lumen = {int(each): circle(1.8) for each in path.frame} if outlines else {}
    line = Centerline(np.column_stack([np.zeros(49), np.zeros(49), np.linspace(TOP_MM, -TOP_MM, 49)]))
    pullback = Pullback(path.frame, path.position_mm, lumen, modality="OCT")
    case = Case(
        "T1",
        tube_label(),
        pullback,
        landmarks=LANDMARKS,
        pullback_images=quadrant_images() if images else None,
    )
    registration = Registration(path, path, line, "good", (), 1.0, 1.0, (), {}, np.zeros(COUNT))
    return Reviewable(case, registration if registered else None, None, Path("case.toml"))


@pytest.fixture
def shown(qtbot):
    """Shows a view of a session, and closes it at the end."""
    views = []

    def show(session, size=(400, 330)):
        view = SpaceView(session)
        views.append(view)
        view.resize(*size)
        with qtbot.waitExposed(view):
            view.show()
        qtbot.wait(WAIT_MS + 70)
        return view

    yield show
    for view in views:
        view.close_view()
    qtbot.wait(50)


@pytest.fixture(scope="module")
def kept():
    """Holds the view that most tests look at: making one takes longer than looking."""
    views = []
    yield views
    for view in views:
        view.close_view()
    QTest.qWait(50)


@pytest.fixture
def usual(kept, qtbot):
    """A view of the usual patient, as it is after opening."""
    if not kept:
        kept.append(SpaceView(Session(opened(), reviewer="R1")))
        kept[0].resize(400, 330)
    view, session = kept[0], kept[0].session
    while session.undo_label:
        session.undo()
    session.blinded = False
    session.select("")
    session.go_to_row(0)
    view.follow.setChecked(False)
    for layer in view.viewer.layers:
        layer.visible = True
    for overlay in OVERLAYS:
        getattr(view.viewer.canvas.overlays, overlay).visible = True
    view.resize(400, 330)
    view.show()
    qtbot.wait(WAIT_MS + 70)
    view.reset_view()
    return view


def picture(view, qtbot):
    qtbot.wait(50)
    return view.qt_viewer.screenshot(flash=False)[..., :3].astype(int)


def alone(view, *layers):
    """Hide all but some layers and everything that is drawn on the canvas."""
    for layer in view.viewer.layers:
        layer.visible = layer in layers
    for overlay in OVERLAYS:
        getattr(view.viewer.canvas.overlays, overlay).visible = False


def square(centre_mm, side_mm, colour):
    corners = np.array(centre_mm) + side_mm * np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) / 2
    colours = np.tile([*colour, 1.0], (4, 1))
    return SurfaceLayer((corners, np.array([[0, 1, 2], [0, 2, 3]])), vertex_colors=colours, shading="none")


def columns_of(picture, channel):
    """Columns of the pixels in which one channel alone is bright."""
    others = np.delete(picture, channel, axis=-1).max(axis=-1)
    return np.nonzero((picture[..., channel] > 150) & (others < 100))[1]


def test_from_the_head_with_the_front_up_the_patients_left_is_on_the_left_and_the_head_hides_the_feet(
    usual, qtbot
):
    view = usual
    near, far = square((0, 0, 5), 4.0, (1, 0, 0)), square((0, 0, -5), 4.0, (0, 1, 0))
    left = square((9, 0, 0), 3.0, (0, 0, 1))
    for layer in (near, far, left):
        view.viewer.add_layer(layer)
    alone(view, near, far, left)
    view.viewer.scene.camera.center = (0, 0, 0)
    view.viewer.scene.camera.set_view_direction((0, 0, -1), (0, -1, 0))
    seen = picture(view, qtbot)
    for layer in (near, far, left):
        view.viewer.layers.remove(layer)
    middle = seen.shape[1] / 2
    assert len(columns_of(seen, 0)) > 100
    assert not len(columns_of(seen, 1))
    assert abs(columns_of(seen, 0).mean() - middle) < 3
    assert len(columns_of(seen, 2)) > 50
    assert columns_of(seen, 2).max() < middle


def test_looking_distally_the_plane_shows_the_image_as_it_is_stored(shown, qtbot):
    session = Session(opened(outlines=False))
    view = shown(session)
    session.go_to_row(12)
    qtbot.wait(WAIT_MS + 120)
    alone(view, view.plane_layer)
    camera = view.viewer.scene.camera
    camera.center = tuple(session.path.origin_mm[12])
    camera.zoom = 25.0
    # The image's rows run downwards.
    camera.set_view_direction(tuple(DISTAL), tuple(-ROW))
    seen = picture(view, qtbot).mean(axis=-1)
    height, width = seen.shape
    grey = {
        (down, right): seen[height // 2 + 30 * down, width // 2 + 30 * right]
        for down in (-1, 1)
        for right in (-1, 1)
    }
    assert grey[-1, -1] > 230
    assert 90 < grey[-1, 1] < 150
    assert max(grey[1, -1], grey[1, 1]) < 20


def test_the_readers_settings_do_not_mirror_the_view(usual):
    view = usual
    before = get_settings().application.depth_axis_orientation
    try:
        get_settings().application.depth_axis_orientation = "away"
        assert [str(each) for each in view.viewer.scene.camera.orientation] == ["towards", "down", "right"]
    finally:
        get_settings().application.depth_axis_orientation = before


def test_the_plane_stands_where_the_path_puts_the_image(usual, qtbot):
    view, session = usual, usual.session
    session.go_to_row(7)
    qtbot.wait(WAIT_MS + 120)
    xy_mm = np.asarray(view.plane_layer.vertices)
    pose = np.asarray(view.plane_layer.affine.affine_matrix)
    world = xy_mm @ pose[:3, :3].T + pose[:3, 3]
    expected = session.path.to_world(np.full(len(xy_mm), 7.0), xy_mm[:, :2])
    np.testing.assert_allclose(world, expected, atol=1e-9)
    assert view.viewer.canvas.overlays.text.text == f"frame {COUNT - 1 - 7} (file)"


def test_the_lumen_is_the_tube_without_the_vessel_beside_it(usual):
    view = usual
    x, y, z = np.asarray(view.vessel_layer.vertices).T
    on_wall = np.abs(z) < TOP_MM - 1.5
    # Half a voxel at each place, and a quarter of one on the whole.
    np.testing.assert_allclose(np.hypot(x, y)[on_wall], RADIUS_MM, atol=0.2)
    assert abs(np.hypot(x, y)[on_wall].mean() - RADIUS_MM) < 0.1
    assert len(view.vessel_layer.faces) < 60_000


def test_many_steps_in_a_row_draw_the_last_frame_once(usual, qtbot):
    view, session = usual, usual.session
    drawn = []
    view.plane_layer.events.texture.connect(lambda event: drawn.append(session.frame))
    for row in range(1, 21):
        session.go_to_row(row)
    assert not drawn
    qtbot.waitUntil(lambda: bool(drawn), timeout=2000)
    qtbot.wait(WAIT_MS + 120)
    assert drawn == [COUNT - 1 - 20]


def test_a_hidden_view_draws_nothing_until_it_is_seen(usual, qtbot):
    view, session = usual, usual.session
    view.hide()
    session.go_to_row(9)
    qtbot.wait(WAIT_MS + 120)
    assert view.viewer.canvas.overlays.text.text == f"frame {COUNT - 1} (file)"
    view.show()
    shown = view.viewer.canvas.overlays.text
    qtbot.waitUntil(lambda: shown.text.startswith(f"frame {COUNT - 1 - 9} "), timeout=2000)


def test_a_landmark_is_carried_to_where_its_image_shows_it():
    path = tube_path(lost=(0, 1))
    found = carried_mm(path, (*LANDMARKS, Landmark("LOST", "branch", COUNT - 1.0, 0.0, None, 1.0)))
    z = TOP_MM - 3.0 - STEP_MM * (COUNT - 1 - 20)
    expected = 1.8 * (np.cos(0.5) * COLUMN + np.sin(0.5) * ROW) + [0.0, 0.0, z]
    np.testing.assert_allclose(found["B1"], expected, atol=1e-9)
    assert set(found) == {"B1", "B2"}


def test_landmarks_show_their_state_and_the_selected_one_is_larger(usual, qtbot):
    view, session = usual, usual.session
    assert len(view.ccta_layer.data) == 3
    assert len(view.carried_layer.data) == 2
    before = view.ccta_layer.face_color.copy()
    session.set_state("B2", "accepted")
    session.select("B2")
    qtbot.wait(WAIT_MS + 120)
    assert np.argmax(view.ccta_layer.size) == 1
    assert (view.ccta_layer.face_color[1] != before[1]).any()
    np.testing.assert_allclose(view.ccta_layer.face_color[0], before[0])
    np.testing.assert_allclose(view.ccta_layer.data[1], LANDMARKS[1].world_mm)


def test_names_are_beside_their_marks_and_do_not_cover_them(shown, qtbot):
    view = shown(Session(opened(), reviewer="R1"))
    view.session.select("B1")
    qtbot.wait(WAIT_MS)
    alone(view)
    nothing = picture(view, qtbot)
    alone(view, view.ccta_layer)
    named = picture(view, qtbot)
    view.ccta_layer.text.visible = False
    marked = picture(view, qtbot)
    name, mark = (named != marked).any(axis=-1), (marked != nothing).any(axis=-1)
    assert mark.sum() > 50
    assert name.sum() > 50
    assert not (name & mark).any()


def test_a_landmark_without_a_place_in_the_ccta_has_its_name_at_the_pullbacks_half(usual, qtbot):
    view = usual
    name = view.session.add_landmark()
    view.session.set_pullback_half(name, row=12, xy_mm=np.array([1.0, 0.0]))
    qtbot.wait(WAIT_MS + 50)
    carried = [each.strip() for each in view.carried_layer.text.values]
    assert carried == ["", "", name]
    view.session.set_ccta_half(name, np.array([1.0, 0.0, 1.0]))
    qtbot.wait(WAIT_MS + 50)
    assert not any(each.strip() for each in np.atleast_1d(view.carried_layer.text.values))
    assert name in [each.strip() for each in view.ccta_layer.text.values]


def test_the_path_and_what_it_carries_move_with_the_hand(usual, qtbot):
    view, session = usual, usual.session
    before = np.asarray(view.path_layer.vertices).mean(axis=0)
    carried = np.asarray(view.carried_layer.data).copy()
    session.adjust(Adjustment(shift_mm=1.5))
    qtbot.wait(WAIT_MS + 220)
    np.testing.assert_allclose(
        np.asarray(view.path_layer.vertices).mean(axis=0) - before, 1.5 * DISTAL, atol=0.05
    )
    np.testing.assert_allclose(view.carried_layer.data - carried, np.tile(1.5 * DISTAL, (2, 1)), atol=0.05)


def test_blinded_the_ccta_is_seen_without_the_pullback(usual, qtbot):
    view, session = usual, usual.session
    session.blinded = True
    qtbot.wait(WAIT_MS + 120)
    shown_layers = {each.name for each in view.viewer.layers if each.visible}
    assert not {"catheter path", "frame", "errors"} & shown_layers
    assert not len(view.carried_layer.data)
    assert view.vessel_layer.visible
    assert "Blinded" in view.viewer.canvas.overlays.text.text
    session.blinded = False
    qtbot.wait(WAIT_MS + 120)
    assert view.path_layer.visible
    assert view.plane_layer.visible


def test_a_frame_without_a_pose_says_why_and_has_no_plane(shown, qtbot):
    session = Session(opened(lost=(28, 29, 30)))
    view = shown(session)
    session.go_to_row(29)
    qtbot.wait(WAIT_MS + 120)
    assert not view.plane_layer.visible
    assert BEYOND_VESSEL in view.viewer.canvas.overlays.text.text


def test_a_case_without_registration_shows_its_vessel_in_space_and_says_so(shown):
    view = shown(Session(opened(registered=False)))
    assert view.vessel_layer.visible
    assert not view.path_layer.visible
    assert "Nothing is registered" in view.viewer.canvas.overlays.text.text
    view.viewer.dims.ndisplay = 2
    assert view.viewer.dims.ndisplay == 3


def test_a_frame_without_an_image_is_plain_with_its_outline():
    painted = FramePainter.of(opened(images=False).case).painted(3).astype(int)
    blue = painted[..., 2] - painted[..., 0] > 60
    down, across = np.nonzero(blue)
    painter = FramePainter.of(opened(images=False).case)
    reach = np.hypot(down - (PIXELS - 1) / 2, across - (PIXELS - 1) / 2) * 2 * painter.reach_mm / PIXELS
    np.testing.assert_allclose(reach, 1.8, atol=0.2)
    assert np.ptp(painted[~blue]) == 0


def test_the_view_holds_the_whole_vessel_until_the_reader_moves_it(usual, qtbot):
    view = usual
    node = view.qt_viewer.canvas.layer_to_visual[view.vessel_layer].node

    def inside():
        height, width = view.viewer.canvas.size
        mapped = node.transforms.get_transform("visual", "canvas").map(view.vessel_layer.vertices[:, ::-1])
        x, y = (mapped[:, :2] / mapped[:, 3:]).T
        return bool(((x > 0) & (x < width) & (y > 0) & (y < height)).all())

    qtbot.wait(100)
    assert inside()
    view.resize(300, 520)
    qtbot.wait(WAIT_MS + 70)
    assert inside()
    view.viewer.scene.camera.zoom *= 5.0
    view.resize(320, 500)
    qtbot.wait(WAIT_MS + 70)
    assert not inside()
    view.reset_view()
    qtbot.wait(50)
    assert inside()


def test_following_keeps_the_frame_in_the_middle(usual, qtbot):
    view, session = usual, usual.session
    view.follow.click()
    session.go_to_row(25)
    qtbot.wait(WAIT_MS + 170)
    np.testing.assert_allclose(view.viewer.scene.camera.center, session.path.origin_mm[25], atol=1e-6)
    # Distally and from the side, so that neither the plane nor the vessel is a line.
    assert 0.4 < np.dot(view.viewer.scene.camera.view_direction, DISTAL) < 0.9


def test_the_wheel_with_control_goes_through_the_frames(usual, qtbot):
    view, session = usual, usual.session
    zoom = view.viewer.scene.camera.zoom
    native = view.qt_viewer.canvas.native
    place = QPointF(100, 100)
    QApplication.sendEvent(
        native,
        QWheelEvent(
            place,
            native.mapToGlobal(place),
            QPoint(0, 0),
            QPoint(0, -120),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.ControlModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        ),
    )
    assert session.row == 1
    assert view.viewer.scene.camera.zoom == zoom


def test_closing_leaves_no_viewer_and_no_listener_behind(shown, qtbot):
    gc.collect()
    before = len(QtViewer._instances)
    session = Session(opened())
    view = SpaceView(session)
    view.show()
    qtbot.wait(WAIT_MS + 70)
    view.close_view()
    del view
    qtbot.wait(100)
    gc.collect()
    assert len(QtViewer._instances) == before
    for signal in (
        session.frame_changed,
        session.path_changed,
        session.landmarks_changed,
        session.view_changed,
    ):
        assert not len(signal)
    session.go_to_row(3)


def sphere(count):
    """A sphere of radius 10 with some 2 count^2 faces."""
    u, v = np.meshgrid(np.linspace(0, np.pi, count), np.linspace(0, 2 * np.pi, count), indexing="ij")
    points = 10.0 * np.stack([np.sin(u) * np.cos(v), np.sin(u) * np.sin(v), np.cos(u)], axis=-1)
    i, j = (each.ravel() for each in np.indices((count - 1, count - 1)))
    a, b, c, d = i * count + j, (i + 1) * count + j, i * count + j + 1, (i + 1) * count + j + 1
    return Surface(points.reshape(-1, 3), np.concatenate([np.stack([a, b, c], -1), np.stack([b, d, c], -1)]))


def test_a_surface_of_too_many_faces_becomes_coarser_and_keeps_its_shape():
    fine = sphere(160)
    coarse = coarsened(fine, most_faces=4000)
    assert 500 < len(coarse.faces) <= 4000
    np.testing.assert_allclose(np.linalg.norm(coarse.points_mm, axis=1), 10.0, atol=0.15)
    assert coarsened(fine, most_faces=10**6) is fine


def test_only_faces_near_the_vessel_are_kept():
    near = faces_near(sphere(60), np.array([[0.0, 0.0, 10.0]]), reach_mm=5.0)
    assert np.linalg.norm(near.points_mm - [0.0, 0.0, 10.0], axis=1).max() <= 5.0
    assert faces_near(sphere(60), np.array([[0.0, 0.0, 100.0]])) is None


def test_a_lumen_that_is_a_surface_is_shown_without_a_centerline():
    assert vessel_surface(sphere(30), None).faces.shape == sphere(30).faces.shape


def test_a_tube_has_its_radius_and_a_gap_where_a_point_is_missing():
    points = np.column_stack([np.zeros(5), np.zeros(5), np.arange(5.0)])
    points[2] = np.nan
    across = np.tile([1.0, 0.0, 0.0], (5, 1)), np.tile([0.0, 1.0, 0.0], (5, 1))
    vertices, faces = tube(points, *across, radius_mm=0.3, joined=np.ones(4, dtype=bool))
    np.testing.assert_allclose(np.hypot(*vertices[np.unique(faces), :2].T), 0.3)
    spanned = np.sort(vertices[faces][..., 2].reshape(len(faces), 3), axis=1)
    assert {(low, high) for low, high in spanned[:, [0, 2]].tolist()} == {(0.0, 1.0), (3.0, 4.0)}


def test_a_rod_is_as_long_as_its_points_are_apart():
    start, end = np.array([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]]), np.array([[0.0, 0.0, 2.0], [4.0, 6.0, 3.0]])
    vertices, faces = rods(start, end, radius_mm=0.1)
    assert len(faces) == 2 * 16
    rings = vertices.reshape(2, 2, 8, 3)
    np.testing.assert_allclose(rings.mean(axis=2), np.stack([start, end], axis=1), atol=1e-12)
    along = (end - start)[:, None, None]
    np.testing.assert_allclose(
        np.einsum("mkrj,mkrj->mkr", rings - rings.mean(axis=2, keepdims=True), along + 0 * rings),
        0.0,
        atol=1e-12,
    )


def test_a_second_registration_of_the_same_vessel_does_not_build_its_surface_again(usual, qtbot):
    view, session = usual, usual.session
    before = view.vessel_layer.data
    session.set_registration(replace(session.registration, path=tube_path(lost=(0,))), "again")
    qtbot.wait(WAIT_MS + 220)
    assert view.vessel_layer.vertices is before[0]


def test_the_whole_is_seen_from_the_side_that_shows_most_of_it_as_the_tooltip_says(usual):
    (reset,) = [each for each in usual.findChildren(QPushButton) if each.text() == "Reset view"]
    assert "from the front" not in reset.toolTip()
    # A vessel that bends from front to back and down shows most from the left or the right.
    t = np.linspace(0.0, np.pi, 40)
    bent = np.column_stack([np.zeros(40), -20.0 * np.cos(t), 30.0 * np.sin(t)])
    assert abs(overview(bent)[0]) > np.cos(np.radians(31.0))
    assert all(f"({letter})" in reset.toolTip() for letter in LETTERS)
