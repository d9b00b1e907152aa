"""Keys as a keyboard sends them, pressed in the middle of the window."""

# ruff: noqa: E402 - without the gui extra none of the imports below would work.
from dataclasses import replace

import numpy as np
import pytest

for extra in ("psygnal", "qtpy", "napari"):
    pytest.importorskip(extra, reason="the viewer needs the gui extra: pip install coreg[gui]")
pytest.importorskip("pytestqt")

from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication, QStyle, QStyleOptionSlider

from coreg.io.review_files import read_review

NONE, CONTROL, SHIFT = (
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
)
WAIT_MS = 60_000


@pytest.fixture
def opened(qtbot, tmp_path, result):
    """The window of the patient's result, and a hand on its keyboard."""
    import napari

    from coreg_napari.desk import Desk

    viewer = napari.Viewer(show=True)
    desk = Desk(viewer, ask=lambda _question, _names: "Discard")
    desk.state_folder = tmp_path / "state"
    desk.reviewer = "R1"
    desk.open(result)
    qtbot.waitUntil(lambda: desk.window is not None and not desk.opening, timeout=WAIT_MS)
    yield desk.window
    viewer.close()
    qtbot.wait(50)


@pytest.fixture
def press(opened, qtbot):
    canvas = opened.viewer.window._qt_viewer.canvas.native
    return lambda key, modifier=NONE: qtbot.keyClick(canvas, key, modifier)


def test_arrow_and_page_keys_go_through_the_frames(opened, press):
    session = opened.session
    session.go_to_row(20)
    press(Qt.Key.Key_Right)
    assert session.row == 21
    press(Qt.Key.Key_Left)
    assert session.row == 20
    press(Qt.Key.Key_PageDown)
    assert session.row == 30
    press(Qt.Key.Key_PageUp)
    assert session.row == 20


def test_the_arrows_the_slider_and_the_cursor_along_the_vessel_go_the_same_way(opened, press):
    # Acquired from distal to proximal, as nearly all pullbacks are; shown with proximal on the left.
    session, view = opened.session, opened.viewer.window._qt_viewer
    assert session.frames[0] > session.frames[-1]
    (slider,) = [each.slider for each in view.dims.slider_widgets if each.isVisible()]

    def handle():
        option = QStyleOptionSlider()
        slider.initStyleOption(option)
        parts = QStyle.ComplexControl.CC_ScrollBar, option, QStyle.SubControl.SC_ScrollBarSlider
        return slider.style().subControlRect(*parts, slider).x()

    def cursor():
        at_mm = opened.along.data.position_mm[session.row]
        return opened.along.picture.axes[0].transData.transform((at_mm, 0.0))[0]

    session.go_to_row(40)
    before = handle(), cursor()
    for _ in range(30):
        press(Qt.Key.Key_Right)
    assert session.row == 70
    assert handle() > before[0]
    assert cursor() > before[1]
    assert int(opened.viewer.dims.current_step[0]) == session.frame


def test_the_buttons_at_the_ends_of_the_slider_go_the_way_they_point(opened, qtbot):
    session, view = opened.session, opened.viewer.window._qt_viewer
    (slider,) = [each.slider for each in view.dims.slider_widgets if each.isVisible()]
    assert slider.invertedAppearance()
    session.go_to_row(40)
    for x, row in ((slider.width() - 4, 41), (slider.width() - 4, 42), (4, 41)):
        qtbot.mouseClick(slider, Qt.MouseButton.LeftButton, pos=QPoint(x, slider.height() // 2))
        assert session.row == row
    # Held, it goes on that way.
    qtbot.mousePress(slider, Qt.MouseButton.LeftButton, pos=QPoint(4, slider.height() // 2))
    qtbot.waitUntil(lambda: session.row < 38)
    qtbot.mouseRelease(slider, Qt.MouseButton.LeftButton, pos=QPoint(4, slider.height() // 2))
    # Qt's own keys and page steps of the slider are as they were.
    session.go_to_row(40)
    qtbot.keyClick(slider, Qt.Key.Key_Right)
    assert session.row == 41


def pixel_at(opened, place):
    """Pixel of the canvas at a place (y, x) of the sections."""
    camera, canvas = opened.viewer.scene.camera, opened.viewer.window._qt_viewer.canvas.native
    away = (np.asarray(place) - np.asarray(camera.center)[-2:]) * camera.zoom
    return QPoint(round(canvas.width() / 2 + away[1]), round(canvas.height() / 2 + away[0]))


def test_with_shift_the_mouse_turns_the_ccta_and_what_was_held_comes_along(opened, qtbot):
    session, sections = opened.session, opened.sections
    canvas = opened.viewer.window._qt_viewer.canvas.native
    session.go_to_row(60)
    middle = session.centre_mm[60]
    held = middle + 1.5 * np.array([1.0, 0.2]) / np.hypot(1.0, 0.2)
    world = session.path.to_world(np.array([60.0]), held[None])[0]
    turned = held - middle
    for degrees in (10.0, 20.0, 30.0):
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        there = middle + np.array([[c, -s], [s, c]]) @ turned
        at = pixel_at(opened, sections.drawn_at("ccta", there))
        if degrees == 10.0:
            start = pixel_at(opened, sections.drawn_at("ccta", held))
            qtbot.mouseMove(canvas, start)
            qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, SHIFT, pos=start)
        # Moves in quick succession are not told by the canvas.
        qtbot.wait(30)
        drag(canvas, at)
    assert session.undo_label == ""
    assert not session.adjustment.is_none
    qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, SHIFT, pos=at)
    offset = world - session.path.origin_mm[60]
    found = np.array([offset @ session.path.column[60], offset @ session.path.row[60]])
    # A pixel at 1.5 mm is about a degree.
    np.testing.assert_allclose(found, there, atol=0.08)
    assert session.undo_label == "place by hand"
    session.undo()
    assert session.adjustment.is_none


def drag(canvas, at):
    """Move the mouse with the button and Shift held, which qtbot cannot."""
    place = QPointF(at)
    event = QMouseEvent(
        QEvent.Type.MouseMove,
        place,
        QPointF(canvas.mapToGlobal(at)),
        Qt.MouseButton.NoButton,
        Qt.MouseButton.LeftButton,
        SHIFT,
    )
    QApplication.sendEvent(canvas, event)


def test_escape_leaves_the_setting_of_a_landmark(opened, press):
    opened.session.select(opened.session.landmarks[0].landmark.id)
    press(Qt.Key.Key_P)
    assert opened.sections.pick_mode == "pullback"
    assert "Escape" in opened.landmarks.message.text()
    press(Qt.Key.Key_Escape)
    assert opened.sections.pick_mode == ""
    assert opened.landmarks.message.text() == ""


def test_keys_shift_and_turn_the_placement_and_take_it_back(opened, press):
    session = opened.session
    pitch_mm = session.case.pullback.frame_spacing_mm
    press(Qt.Key.Key_Period)
    assert session.adjustment.shift_mm == pytest.approx(pitch_mm)
    press(Qt.Key.Key_Comma)
    assert session.adjustment.shift_mm == pytest.approx(0.0)
    press(Qt.Key.Key_BracketRight)
    press(Qt.Key.Key_BracketRight, CONTROL)
    assert np.degrees(session.adjustment.turn_rad) == pytest.approx(12.0)
    press(Qt.Key.Key_BracketLeft, CONTROL)
    press(Qt.Key.Key_BracketLeft)
    assert np.degrees(session.adjustment.turn_rad) == pytest.approx(0.0)
    press(Qt.Key.Key_Z, CONTROL)
    assert np.degrees(session.adjustment.turn_rad) == pytest.approx(2.0)
    for key, modifier in ((Qt.Key.Key_Z, CONTROL | SHIFT), (Qt.Key.Key_Y, CONTROL)):
        press(key, modifier)
        assert np.degrees(session.adjustment.turn_rad) == pytest.approx(0.0)
        session.undo()


def test_no_key_of_napari_breaks_the_sections(opened, press):
    viewer, alt = opened.viewer, Qt.KeyboardModifier.AltModifier
    layers, at = list(viewer.layers), opened.sections.ccta.data.copy()
    opened.session.adjust(replace(opened.session.adjustment, shift_mm=1.0))
    opened.session.undo()
    keys = Qt.Key
    for key, modifier in (
        (keys.Key_Y, CONTROL),
        (keys.Key_E, CONTROL),
        (keys.Key_T, CONTROL),
        (keys.Key_T, CONTROL | alt),
        (keys.Key_G, CONTROL),
        (keys.Key_Delete, CONTROL),
        (keys.Key_Backspace, CONTROL),
        (keys.Key_Up, CONTROL),
        (keys.Key_Down, SHIFT | alt),
        (keys.Key_V, NONE),
        (keys.Key_V, SHIFT),
        (keys.Key_2, NONE),
    ):
        press(key, modifier)
        assert viewer.dims.ndisplay == 2, key
        assert viewer.dims.order == (0, 1, 2), key
        assert not viewer.canvas.grid.enabled, key
        assert list(viewer.layers) == layers, key
        assert all(each.visible for each in layers), key
        assert viewer.layers.selection.active is opened.sections.pullback, key
        assert opened.sections.pullback.mode == "pan_zoom", key
    opened.session.undo()
    np.testing.assert_array_equal(opened.sections.ccta.data, at)


def test_keys_go_through_the_landmarks_and_decide_on_them(opened, press):
    session = opened.session
    names = [each.landmark.id for each in session.landmarks]
    press(Qt.Key.Key_J)
    press(Qt.Key.Key_J)
    press(Qt.Key.Key_K)
    assert session.selected == names[0]
    press(Qt.Key.Key_A)
    assert session.landmark(names[0]).state == "accepted"
    press(Qt.Key.Key_R)
    assert session.landmark(names[0]).state == "rejected"
    press(Qt.Key.Key_P)
    assert opened.sections.pick_mode == "pullback"
    press(Qt.Key.Key_C)
    assert opened.sections.pick_mode == "ccta"
    press(Qt.Key.Key_N)
    assert len(session.landmarks) == len(names) + 1
    press(Qt.Key.Key_B)
    assert session.blinded


def test_the_key_s_saves(opened, press):
    press(Qt.Key.Key_BracketRight)
    assert opened.session.unsaved
    press(Qt.Key.Key_S)
    assert not opened.session.unsaved
    review = read_review(opened.session.folder)
    assert review is not None
    assert review.case_id == opened.session.case.id


def test_no_key_is_bound_to_what_no_keyboard_sends(opened):
    """Shift and a bracket are a brace, which napari does not know."""
    assert not [
        each.key for each in opened.shortcuts() if "Shift-" in each.key and not each.key[-1].isalpha()
    ]


def clicked(widget, qtbot, at=None):
    """Click as a hand does: what takes focus by a click has it then."""
    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton, pos=widget.rect().center() if at is None else at)
    if widget.focusPolicy() & Qt.FocusPolicy.ClickFocus:
        widget.setFocus(Qt.FocusReason.MouseFocusReason)


def test_after_a_click_in_a_panel_the_keys_are_still_those_of_the_review(opened, qtbot):
    window, session = opened.main_window, opened.session
    window.activateWindow()
    align, landmarks = opened.align, opened.landmarks
    tried = (align.shift.slider, align.copy, opened.along.slider, landmarks.view, landmarks.kind)
    for widget in tried:
        session.go_to_row(20)
        placed = session.adjustment
        clicked(widget, qtbot)
        if widget is align.shift.slider:
            placed = session.adjustment
        session.go_to_row(20)
        qtbot.keyClick(QApplication.focusWidget() or window, Qt.Key.Key_Right)
        assert session.row == 21, type(widget).__name__
        assert session.adjustment == placed
        before = session.blinded
        qtbot.keyClick(QApplication.focusWidget() or window, Qt.Key.Key_B)
        assert session.blinded is not before, type(widget).__name__


def test_a_typed_number_gives_the_keys_back_on_return(opened, qtbot):
    opened.main_window.activateWindow()
    line = opened.align.turn.box.lineEdit()
    line.setFocus()
    line.selectAll()
    qtbot.keyClicks(line, "15")
    qtbot.keyClick(line, Qt.Key.Key_Return)
    assert np.degrees(opened.session.adjustment.turn_rad) == pytest.approx(15.0)
    qtbot.keyClick(QApplication.focusWidget() or opened.main_window, Qt.Key.Key_BracketRight)
    assert np.degrees(opened.session.adjustment.turn_rad) == pytest.approx(17.0)


def test_a_button_lists_every_key_and_the_list_leaves_the_window_free(opened, qtbot):
    from qtpy.QtWidgets import QMessageBox

    qtbot.mouseClick(opened.header.keys, Qt.MouseButton.LeftButton)
    (box,) = opened.main_window.findChildren(QMessageBox)
    assert not box.isModal()
    assert all(each.what in box.text() for each in opened.shortcuts())
    assert "over the view in space: zoom" in box.text()
    assert "Control-wheel" in box.text()
    box.close()


def test_a_message_does_not_undo_a_zoom(opened, qtbot):
    # The view in space comes last, and takes its room.
    qtbot.waitUntil(lambda: opened.space is not None, timeout=WAIT_MS)
    qtbot.wait(200)
    camera = opened.viewer.scene.camera
    zoomed = camera.zoom = 2.0 * camera.zoom
    opened.header.tell("a message that takes room")
    qtbot.wait(300)
    assert camera.zoom == zoomed
    opened.sections.fit()
    assert camera.zoom < zoomed
