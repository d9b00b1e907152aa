"""The view along the vessel on a straight tube, where every edge and area is known in closed form."""

# ruff: noqa: E402 - without the gui extra none of the imports below would work.
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

for extra in ("psygnal", "qtpy"):
    pytest.importorskip(extra, reason="the viewer needs the gui extra: pip install coreg[gui]")

from coreg.case import Case
from coreg.catheter_path import VirtualCatheterPath
from coreg.centerline import Centerline
from coreg.contours import area_mm2
from coreg.io.reviewable import Reviewable
from coreg.landmarks import Landmark
from coreg.phantom import make_patient
from coreg.pullback import Pullback
from coreg.pullback_images import PullbackImages
from coreg.registration import Adjustment
from coreg.report.cuts import areas_mm2, lumen_outlines
from coreg.result import Registration
from coreg.signed_distance import label_surface
from coreg.volume import Volume
from coreg_napari.along_data import AlongData, columns_of
from coreg_napari.lumen_rays import lumen_level, ray_lumen
from coreg_napari.outlines import edges_mm, joined
from coreg_napari.session import Session

COUNT, STEP_MM, VOXEL_MM = 61, 0.5, 0.25
PULLBACK_RADIUS_MM, CCTA_RADIUS_MM, POINTS = 1.4, 1.63, 40
# The catheter lies off the tube's axis, and the images are turned.
OFFSET_MM, TURN_RAD = np.array([0.5, -0.4]), 0.7
ROWS = np.arange(COUNT)
Z_MM = ROWS * STEP_MM
POSITION_MM = Z_MM[-1] - Z_MM
FRAMES = COUNT - 1 - ROWS
BAD, LOST = slice(20, 25), slice(0, 4)
# The tube's middle as the images see it.
CENTRE_MM = (
    np.array([[np.cos(TURN_RAD), np.sin(TURN_RAD)], [-np.sin(TURN_RAD), np.cos(TURN_RAD)]]) @ -OFFSET_MM
)


def tube_path(offset_mm=OFFSET_MM):
    origin = np.column_stack([np.tile(offset_mm, (COUNT, 1)), Z_MM])
    column = np.tile([np.cos(TURN_RAD), np.sin(TURN_RAD), 0.0], (COUNT, 1))
    row = np.tile([-np.sin(TURN_RAD), np.cos(TURN_RAD), 0.0], (COUNT, 1))
    reliable = np.ones(COUNT, dtype=bool)
    reliable[BAD] = reliable[LOST] = False
    for array in (origin, column, row):
        array[LOST] = np.nan
    place = np.where(np.isnan(origin[:, 2]), np.nan, Z_MM)
    reason = ["" if each else "blood" for each in reliable]
    return VirtualCatheterPath(
        FRAMES,
        POSITION_MM,
        place,
        place * 0.0 + TURN_RAD,
        origin,
        column,
        row,
        reliable,
        tuple(reason),
        np.full(COUNT, 0.4),
    )


def tube_volume(value, other, dtype, radius_mm=CCTA_RADIUS_MM):
    """Label or image of the tube, which goes on beyond the pullback."""
    across = np.arange(-6.0, 6.01, VOXEL_MM)
    x, y = np.meshgrid(across, across)
    plane = np.where(np.hypot(x, y) < radius_mm, value, other).astype(dtype)
    matrix = np.zeros((4, 4))
    matrix[[0, 1, 2], [2, 1, 0]] = VOXEL_MM
    matrix[:, 3] = [-6.0, -6.0, -4.0, 1.0]
    return Volume(np.tile(plane, (152, 1, 1)), matrix)


def circle(radius_mm, centre_mm, points=POINTS):
    angle = 2.0 * np.pi * np.arange(points) / points
    return centre_mm + radius_mm * np.column_stack([np.cos(angle), np.sin(angle)])


def tube_images():
    """Bright wall about a dark lumen, 96 pixels of 0.08 mm, the same in all frames."""
    x, y = np.meshgrid((np.arange(96) - 47.5) * 0.08, (np.arange(96) - 47.5) * 0.08)
    image = np.where(np.hypot(x - CENTRE_MM[0], y - CENTRE_MM[1]) < PULLBACK_RADIUS_MM, 5, 200)
    pixels = np.tile(image.astype(np.uint8), (COUNT, 1, 1))
    return PullbackImages(pixels, np.array([0.08, 0.08]), np.array([47.5, 47.5]), "OCT", 3.8)


def tube(*, images=True, registered=True):
    lumen = {int(each): circle(PULLBACK_RADIUS_MM, CENTRE_MM) for each in FRAMES if each != 7}
    landmarks = (
        Landmark("A", frame=30.0, angle_rad=0.0, world_mm=np.array([1.6, 0.0, 12.25])),
        Landmark("B", frame=10.0, angle_rad=1.0),
    )
    case = Case(
        "tube",
        tube_volume(1, 0, np.uint8),
        Pullback(FRAMES, POSITION_MM, lumen, modality="OCT"),
        landmarks=landmarks,
        image=tube_volume(400, -50, np.int16) if images else None,
        pullback_images=tube_images() if images else None,
    )
    line = Centerline(np.column_stack([np.zeros((71, 2)), np.arange(71) * 0.5 - 2.0]))
    path = tube_path()
    registration = Registration(
        path, path, line, "good", (), 1.0, 0.5, (), {}, residual_mm=np.full(COUNT, np.nan)
    )
    return Reviewable(
        case=case, registration=registration if registered else None, review=None, case_path=Path("case.toml")
    )


@pytest.fixture
def session():
    return Session(tube(), reviewer="A. Reader")


@pytest.fixture
def open_view(request):
    """Open a session in a real window; skipped where there is nothing to show it on."""
    if sys.platform.startswith("linux") and not {"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ):
        pytest.skip("no display: install Xvfb and pytest-xvfb, or run under xvfb-run")
    pytest.importorskip("pytestqt")
    qtbot = request.getfixturevalue("qtbot")
    from coreg_napari.along import AlongView

    opened = []

    def opener(session):
        view = AlongView(session)
        opened.append(view)
        qtbot.addWidget(view)
        view.resize(1000, 380)
        with qtbot.waitExposed(view):
            view.show()
        qtbot.waitUntil(lambda: view.pixels is not None)
        return view

    yield opener
    for view in opened:
        view.close_view()


@pytest.fixture
def view(open_view, session):
    return open_view(session)


# Arrays.


def chord_mm(radius_mm, angle_rad):
    """Ends of the chord that a line through the catheter cuts from the tube."""
    towards = np.array([np.cos(angle_rad), np.sin(angle_rad)])
    middle = CENTRE_MM @ towards
    half = np.sqrt(radius_mm**2 - (CENTRE_MM @ CENTRE_MM - middle**2))
    return np.array([middle - half, middle + half])


@pytest.mark.parametrize("angle_rad", [0.0, 0.5, 2.0, -1.3, np.pi])
def test_edges_are_the_ends_of_the_chord_that_the_cut_makes(angle_rad):
    found = edges_mm(joined([None, circle(1.4, CENTRE_MM, 400)]), angle_rad)
    assert np.isnan(found[0]).all()
    # A polygon of 400 corners lies at most 31 millionths of the radius inside of the circle.
    np.testing.assert_allclose(found[1], chord_mm(1.4, angle_rad), atol=2e-4)


def test_a_line_that_misses_an_outline_has_no_edges():
    outlines = joined([circle(1.0, np.array([0.0, 3.0])), circle(1.0, np.array([3.0, 0.0]))])
    found = edges_mm(outlines, 0.0)
    assert np.isnan(found[0]).all()
    np.testing.assert_allclose(found[1], [2.0, 4.0], atol=0.01)


@pytest.mark.parametrize("make", [lambda label: label, label_surface], ids=["label", "surface"])
def test_rays_find_the_tube_in_a_label_and_in_a_surface(make):
    axis = np.column_stack([np.zeros((71, 2)), np.arange(71) * 0.5 - 2.0])
    level = lumen_level(make(tube_volume(1, 0, np.uint8)), axis)
    seen = ray_lumen(level, tube_path(), np.tile(CENTRE_MM, (COUNT, 1)))
    assert np.isnan(seen.area_mm2[LOST]).all()
    # The voxels' steps are half a voxel deep and go in and out; they alone make the label 2.6 % too large.
    np.testing.assert_allclose(seen.radius_mm[4:], CCTA_RADIUS_MM, atol=0.5 * VOXEL_MM)
    np.testing.assert_allclose(seen.area_mm2[4:], np.pi * CCTA_RADIUS_MM**2, rtol=0.04)


def test_rays_find_the_lumen_beside_a_catheter_that_lies_outside_of_it():
    axis = np.column_stack([np.zeros((71, 2)), np.arange(71) * 0.5 - 2.0])
    level = lumen_level(tube_volume(1, 0, np.uint8), axis)
    seen = ray_lumen(level, tube_path(np.array([2.0, 0.0])), np.zeros((COUNT, 2)))
    np.testing.assert_allclose(seen.area_mm2[4:], np.pi * CCTA_RADIUS_MM**2, rtol=0.06)
    far = ray_lumen(level, tube_path(np.array([5.5, 0.0])), np.zeros((COUNT, 2)))
    assert np.isnan(far.area_mm2).all()


@pytest.mark.slow
def test_rays_agree_with_traced_outlines_on_a_synthetic_patient():
    patient = make_patient(7)
    level = lumen_level(patient.case.lumen, patient.centerline.resampled(spacing_mm=0.5).points_mm)
    seen = ray_lumen(level, patient.truth, np.zeros((len(patient.truth), 2)))
    traced = areas_mm2(lumen_outlines(patient.case.lumen, patient.truth))
    ratio = seen.area_mm2 / traced
    assert np.isfinite(ratio).mean() > 0.95
    assert abs(np.nanmedian(ratio) - 1.0) < 0.01
    # Where a branch leaves, rays see less deep into it.
    assert np.nanpercentile(np.abs(ratio - 1.0), 90) < 0.05


def test_every_column_shows_the_nearest_row():
    position = np.sort(np.random.default_rng(3).uniform(0.0, 40.0, 90))[::-1]
    columns = columns_of(position, 500)
    at = columns.first_mm - (columns.first_mm - columns.last_mm) * (np.arange(500) + 0.5) / 500
    distance = np.abs(position - at[:, None])
    np.testing.assert_allclose(distance[np.arange(500), columns.row], distance.min(axis=1), atol=1e-9)


def test_the_cuts_change_grey_where_the_lumen_ends(session):
    session.cut_angle_rad = 0.5
    data = AlongData(session)
    shown = data.shown()
    column = int(np.flatnonzero(data.columns.row == 40)[0])
    across = np.linspace(-data.reach_mm, data.reach_mm, shown.pullback_cut.shape[0])
    for cut, dark, radius in (
        (shown.pullback_cut, True, PULLBACK_RADIUS_MM),
        (shown.ccta_cut, False, CCTA_RADIUS_MM),
    ):
        grey = cut[:, column, 0].astype(float)
        half = 0.5 * (grey.min() + grey.max())
        inside = across[(grey < half) == dark]
        # Within a pixel of the image and of the cut.
        np.testing.assert_allclose([inside[0], inside[-1]], chord_mm(radius, 0.5), atol=0.5 * VOXEL_MM)
    assert (shown.ccta_cut[:, data.columns.row < 4, 3] == 0).all()


def test_without_a_registration_only_the_pullback_is_known():
    data = AlongData(Session(tube(registered=False)))
    shown = data.shown()
    assert shown.ccta_cut is None
    assert not shown.placed
    assert np.isnan(shown.ccta_area_mm2).all()
    assert np.isfinite(shown.pullback_area_mm2).sum() == COUNT - 1
    assert np.isnan(data.marks().ccta_mm).all()


# The window.


def pixel_of(view, position_mm, axes=0):
    """Place in Qt's pixels of a position in the middle of an axis."""
    from qtpy.QtCore import QPoint

    axes = view.picture.axes[axes]
    x = axes.transData.transform((position_mm, 0.0))[0]
    y = axes.transAxes.transform((0.0, 0.4))[1]
    ratio = view.canvas.device_pixel_ratio
    return QPoint(round(x / ratio), round((view.picture.figure.bbox.height - y) / ratio))


@pytest.mark.parametrize("axes", range(4))
def test_a_click_on_any_axis_goes_to_the_frame_there(qtbot_view, axes):
    qtbot, view = qtbot_view
    from qtpy.QtCore import Qt

    for row in (50, 8):
        qtbot.mouseClick(view.canvas, Qt.MouseButton.LeftButton, pos=pixel_of(view, POSITION_MM[row], axes))
        assert view.session.row == row
        assert view.session.frame == FRAMES[row]


def test_a_drag_follows_the_mouse_until_it_is_let_go(qtbot_view):
    qtbot, view = qtbot_view
    from qtpy.QtCore import Qt

    left = Qt.MouseButton.LeftButton
    qtbot.mousePress(view.canvas, left, pos=pixel_of(view, POSITION_MM[10]))
    qtbot.mouseMove(view.canvas, pixel_of(view, POSITION_MM[33], axes=2))
    assert view.session.row == 33
    qtbot.mouseRelease(view.canvas, left, pos=pixel_of(view, POSITION_MM[33], axes=2))
    qtbot.mouseMove(view.canvas, pixel_of(view, POSITION_MM[40]))
    assert view.session.row == 33


def test_with_shift_the_ccta_is_dragged_along_and_comes_with_the_mouse(qtbot_view):
    qtbot, view = qtbot_view
    from qtpy.QtCore import QPoint, Qt

    session, left, shift = view.session, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ShiftModifier
    row = session.row
    # The middle of the tube at a place in the world, and where the path meets it before and after.
    place = np.array([[0.0, 0.0, Z_MM[30]]])
    before_mm = np.interp(session.path.to_pullback(place).row[0], ROWS, POSITION_MM)
    begin, end = pixel_of(view, POSITION_MM[30], axes=1), pixel_of(view, POSITION_MM[34], axes=1)
    qtbot.mousePress(view.canvas, left, shift, pos=begin)
    middle = QPoint((begin.x() + end.x()) // 2, begin.y())
    qtbot.mouseMove(view.canvas, middle)
    qtbot.mouseMove(view.canvas, end)
    qtbot.mouseRelease(view.canvas, left, shift, pos=end)
    after_mm = np.interp(session.path.to_pullback(place).row[0], ROWS, POSITION_MM)
    dragged_mm = POSITION_MM[34] - POSITION_MM[30]
    # A pixel is about 0.05 mm.
    assert after_mm - before_mm == pytest.approx(dragged_mm, abs=0.15)
    assert session.row == row
    assert session.undo_label == "place by hand"
    session.undo()
    assert session.adjustment.is_none


def test_a_signed_off_review_is_not_dragged_along(qtbot_view):
    qtbot, view = qtbot_view
    from qtpy.QtCore import Qt

    session, left, shift = view.session, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ShiftModifier
    session.reviewer = "R1"
    session.sign_off("approved")
    refused = []
    view.refused.connect(refused.append)
    qtbot.mousePress(view.canvas, left, shift, pos=pixel_of(view, POSITION_MM[30], axes=1))
    qtbot.mouseMove(view.canvas, pixel_of(view, POSITION_MM[34], axes=1))
    qtbot.mouseRelease(view.canvas, left, shift, pos=pixel_of(view, POSITION_MM[34], axes=1))
    assert session.adjustment.is_none
    assert "signed off" in refused[0]


def test_the_wheel_steps_from_frame_to_frame(view):
    from qtpy.QtCore import QPoint, QPointF, Qt
    from qtpy.QtGui import QWheelEvent
    from qtpy.QtWidgets import QApplication

    def turn(delta):
        at = QPointF(pixel_of(view, POSITION_MM[30]))
        event = QWheelEvent(
            at,
            QPointF(view.canvas.mapToGlobal(at.toPoint())),
            QPoint(),
            QPoint(0, delta),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(view.canvas, event)

    view.session.go_to_row(30)
    turn(-120)
    assert view.session.row == 31
    turn(240)
    assert view.session.row == 29
    # A touchpad's small moves add up to a step.
    for _ in range(4):
        turn(30)
    assert view.session.row == 28


def test_the_cursor_stands_at_the_sessions_row_and_leaves_nothing_behind(view):
    before = view.pixels
    view.session.go_to_row(45)
    assert view.picture.cursor.get_xdata()[0] == POSITION_MM[45]
    ratio = view.canvas.device_pixel_ratio
    at = pixel_of(view, POSITION_MM[45], axes=2)
    beside = view.pixels[round(at.y() * ratio), round(at.x() * ratio) - 2 : round(at.x() * ratio) + 3, :3]
    assert beside.max() > 200
    view.session.go_to_row(4)
    assert (view.pixels == before).all()


def test_the_areas_drawn_are_those_of_the_contours(view):
    lumen = view.session.case.pullback.lumen
    wanted = [area_mm2(lumen[frame]) if frame in lumen else np.nan for frame in FRAMES.tolist()]
    x, y = view.picture.pullback_area.get_data()
    np.testing.assert_allclose(x, POSITION_MM)
    np.testing.assert_allclose(y, wanted)
    polygon = 0.5 * POINTS * PULLBACK_RADIUS_MM**2 * np.sin(2.0 * np.pi / POINTS)
    np.testing.assert_allclose(y[FRAMES != 7], polygon)
    ccta = view.picture.ccta_area.get_ydata()
    np.testing.assert_allclose(ccta[4:], np.pi * CCTA_RADIUS_MM**2, rtol=0.04)
    assert np.isnan(ccta[LOST]).all()


def test_blinding_hides_what_one_modality_says_of_the_other(qtbot_view):
    qtbot, view = qtbot_view
    picture = view.picture
    guests = [*picture.ccta_in_pullback, *picture.pullback_in_ccta, picture.ccta_area]
    own = [*picture.ccta_edge, *picture.pullback_edge, picture.pullback_area]
    assert all(each.get_visible() for each in guests)
    assert "CCTA" in view.readout.text() or np.isnan(view.shown.ccta_area_mm2[view.session.row])
    view.session.blinded = True
    qtbot.waitUntil(lambda: not any(each.get_visible() for each in guests))
    assert all(each.get_visible() for each in own)
    assert "CCTA" not in view.readout.text()
    view.session.blinded = False
    qtbot.waitUntil(lambda: all(each.get_visible() for each in guests))


def test_a_burst_of_moves_is_drawn_once_and_ends_with_the_last(qtbot_view):
    qtbot, view = qtbot_view
    drawn = []
    view.drawn.connect(lambda: drawn.append(view.session.adjustment.shift_mm))
    for shift in np.linspace(0.1, 2.0, 20):
        view.session.preview(Adjustment(shift_mm=float(shift)))
    qtbot.waitUntil(lambda: len(drawn) > 0)
    qtbot.wait(80)
    assert drawn == [2.0]


def test_a_landmark_moves_along_the_cut_of_the_ccta_with_the_path(qtbot_view):
    qtbot, view = qtbot_view
    on_pullback, on_ccta = view.picture.marks["proposed"]
    np.testing.assert_allclose(np.sort(on_pullback.head.get_xdata()), [5.0, 15.0])
    np.testing.assert_allclose(on_ccta.head.get_xdata(), [30.0 - 12.25], atol=1e-6)
    # Images 2 mm farther down the vessel meet the same place 2 mm of withdrawal earlier.
    view.session.adjust(Adjustment(shift_mm=2.0))
    qtbot.waitUntil(lambda: abs(on_ccta.head.get_xdata()[0] - (30.0 - 10.25)) < 0.05)
    view.session.set_state("B", "rejected")
    view.session.select("A")
    qtbot.waitUntil(lambda: len(view.picture.marks["selected"][0].head.get_xdata()) == 1)
    assert view.picture.marks["rejected"][0].head.get_xdata().tolist() == [5.0]
    assert view.picture.cursor.get_xdata()[0] == 15.0


def test_the_angle_goes_both_ways_between_slider_box_and_session(view):
    view.slider.setValue(90)
    assert view.session.cut_angle_rad == pytest.approx(np.pi / 2.0)
    assert view.spin.value() == 90
    view.session.cut_angle_rad = -np.pi / 4.0
    assert (view.slider.value(), view.spin.value()) == (-45, -45)
    # What a box cannot show to the last digit is not pushed back.
    view.session.cut_angle_rad = 0.123456
    assert view.session.cut_angle_rad == 0.123456


def test_cases_without_images_or_registration_say_what_is_missing(open_view):
    bare = open_view(Session(tube(images=False)))
    assert bare.picture.notes[:2] == ("no pullback images: outlines only", "no CCTA image: outlines only")
    unplaced = open_view(Session(tube(registered=False)))
    assert unplaced.picture.notes == ("", "not registered yet", "", "not registered yet")
    assert not unplaced.picture.ccta_area.get_visible()


def test_a_closed_view_leaves_no_connection_behind(open_view, session):
    signals = (
        session.frame_changed,
        session.path_changed,
        session.view_changed,
        session.landmarks_changed,
        session.selection_changed,
    )
    before = [len(each) for each in signals]
    view = open_view(session)
    assert [len(each) for each in signals] == [each + 1 for each in before]
    view.close_view()
    view.close_view()
    assert [len(each) for each in signals] == before
    assert not view.picture.figure.axes
    session.go_to_row(3)
    session.adjust(replace(session.adjustment, shift_mm=1.0))


@pytest.fixture
def qtbot_view(open_view, session, request):
    view = open_view(session)
    return request.getfixturevalue("qtbot"), view
