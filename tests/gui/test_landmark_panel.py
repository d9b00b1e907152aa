"""The landmark panel: a table that is the session's, verbs that the session may refuse, a second reader."""

# ruff: noqa: E402 - without the gui extra none of the imports below would work.
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

for extra in ("psygnal", "qtpy", "napari"):
    pytest.importorskip(extra, reason="the viewer needs the gui extra: pip install coreg[gui]")

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor

from coreg.case import Case
from coreg.catheter_path import VirtualCatheterPath
from coreg.centerline import Centerline
from coreg.io.landmark_files import write_reviewed_landmarks
from coreg.io.reviewable import Reviewable
from coreg.landmarks import KINDS, Landmark
from coreg.pullback import Pullback
from coreg.result import Registration
from coreg.review import ReviewedLandmark
from coreg.validation import LandmarkError
from coreg_napari.colours import STATE_COLOURS
from coreg_napari.landmark_panel import LandmarkPanel
from coreg_napari.landmark_table import COLUMNS, DASH
from coreg_napari.session import Session

COUNT, STEP_MM = 41, 0.5
NAMES = [each.title.replace("\n", " ") for each in COLUMNS]
# Before any fixture: without a display Qt would end the whole process.
SCREENLESS = sys.platform.startswith("linux") and not {"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ)
pytestmark = pytest.mark.skipif(
    SCREENLESS, reason="no display: install Xvfb and pytest-xvfb, or run under xvfb-run"
)


def straight_path():
    """Poses along +z, half a millimetre apart, row i at z = i / 2."""
    rows = np.arange(COUNT)
    origin = np.column_stack([np.zeros(COUNT), np.zeros(COUNT), STEP_MM * rows])
    column, row = np.tile([1.0, 0.0, 0.0], (COUNT, 1)), np.tile([0.0, 1.0, 0.0], (COUNT, 1))
    frame = rows[::-1]
    return VirtualCatheterPath(
        frame,
        STEP_MM * frame,
        STEP_MM * rows,
        np.zeros(COUNT),
        origin,
        column,
        row,
        np.ones(COUNT, dtype=bool),
        ("",) * COUNT,
        0.1 + 0.01 * rows,
        np.full(COUNT, 0.1),
    )


def landmark(name, row, *, off_rows=0.0, off_rad=0.0, kind="branch"):
    """Seen in a row's frame at angle 0, and in the CCTA so many rows and radians away from it."""
    world = np.array([1.5 * np.cos(off_rad), 1.5 * np.sin(off_rad), STEP_MM * (row + off_rows)])
    return Landmark(name, kind, float(COUNT - 1 - row), 0.0, world, 1.5)


LANDMARKS = (
    landmark("B2", 10, off_rows=2.0),
    landmark("B10", 20, off_rows=-1.0, off_rad=0.5),
    landmark("G1", 30, kind="calcium"),
    replace(landmark("HALF", 5), frame=None, angle_rad=None),
)


@pytest.fixture
def session():
    path = straight_path()
    line = Centerline(np.column_stack([np.zeros(50), np.zeros(50), np.linspace(-2.0, 22.0, 50)]))
    case = Case("T1", None, Pullback(path.frame, path.position_mm, {}), landmarks=LANDMARKS)
    settings = {"guides": ["G1"]}
    registration = Registration(
        path, path, line, "good", (), 1.0, 1.0, (), {}, np.zeros(COUNT), settings=settings
    )
    return Session(Reviewable(case, registration, None, Path("case.toml")), reviewer="R1")


@pytest.fixture
def panel(qtbot, session):
    panel = LandmarkPanel(session)
    qtbot.addWidget(panel)
    panel.resize(400, 450)
    with qtbot.waitExposed(panel):
        panel.show()
    yield panel
    panel.close_view()


def shown(panel):
    """What the table shows, by id."""
    model = panel.view.model()
    cells = [[model.index(i, j).data() for j in range(model.columnCount())] for i in range(model.rowCount())]
    return {each[0]: dict(zip(NAMES, each, strict=True)) for each in cells}


def click(panel, qtbot, name):
    model = panel.view.model()
    row = [model.index(i, 0).data() for i in range(model.rowCount())].index(name)
    place = panel.view.visualRect(model.index(row, 0)).center()
    qtbot.mouseClick(panel.view.viewport(), Qt.MouseButton.LeftButton, pos=place)


def states(session):
    return {each.landmark.id: each.state for each in session.landmarks}


def test_the_table_shows_frames_angles_errors_and_spread(panel):
    table = shown(panel)
    # Two rows distally is two frames less and a millimetre less withdrawn.
    assert table["B2"]["frame (file)"] == "30"
    assert table["B2"]["error mm"] == "-1.00"
    assert table["B10"]["error mm"] == "0.50"
    assert table["B10"]["error °"] == "29"
    assert table["G1"]["error mm"] == "0.00"
    assert table["B2"]["SD mm"] == "0.20"
    assert table["B2"]["left out mm"] == DASH
    assert {each["state"] for each in table.values()} == {"proposed"}
    assert [table["HALF"][each] for each in ("frame (file)", "angle °", "error mm", "error °")] == [DASH] * 4


def test_left_out_errors_come_when_they_are_there_and_go_with_the_next_change(panel, session):
    error = LandmarkError("B2", "branch", 30.0, 27.0, -3.0, -1.5, 4.0, 0.1, 1.6)
    session.set_left_out([error])
    assert shown(panel)["B2"]["left out mm"] == "-1.50"
    session.set_state("B2", "accepted")
    assert shown(panel)["B2"]["left out mm"] == DASH


def test_columns_of_numbers_sort_as_numbers(panel):
    panel.view.sortByColumn(NAMES.index("frame (file)"), Qt.SortOrder.AscendingOrder)
    order = [each for each in shown(panel) if each != "HALF"]
    assert order == ["G1", "B10", "B2"]
    panel.view.sortByColumn(NAMES.index("error mm"), Qt.SortOrder.DescendingOrder)
    order = [each for each in shown(panel) if each != "HALF"]
    assert order == ["B10", "G1", "B2"]


def test_a_click_on_a_row_takes_all_views_to_its_frame(panel, session, qtbot):
    click(panel, qtbot, "B10")
    assert (session.selected, session.frame) == ("B10", 20)
    panel.view.sortByColumn(NAMES.index("frame (file)"), Qt.SortOrder.AscendingOrder)
    click(panel, qtbot, "G1")
    assert (session.selected, session.frame) == ("G1", 10)


def test_a_selection_made_elsewhere_is_marked_without_being_made_again(panel, session, qtbot):
    made = []
    session.selection_changed.connect(made.append)
    session.select("G1")
    current = panel.view.currentIndex()
    assert panel.view.model().index(current.row(), 0).data() == "G1"
    assert panel.kind.currentText() == "calcium"
    assert made == ["G1"]


def test_keys_accept_reject_undecide_and_add(panel, session, qtbot):
    click(panel, qtbot, "B2")
    panel.activateWindow()
    panel.view.setFocus()
    qtbot.waitUntil(panel.view.hasFocus, timeout=2000)
    for key, state in (("A", "accepted"), ("R", "rejected"), ("U", "proposed")):
        qtbot.keyClick(panel.view, getattr(Qt.Key, f"Key_{key}"))
        assert states(session)["B2"] == state
    qtbot.keyClick(panel.view, Qt.Key.Key_N)
    assert session.selected == "M1"
    assert shown(panel)["M1"]["origin"] == "manual"


def test_buttons_change_the_selected_landmark_alone(panel, session, qtbot):
    click(panel, qtbot, "B2")
    qtbot.mouseClick(panel.accept, Qt.MouseButton.LeftButton)
    panel.kind.setCurrentText("ostium")
    panel.kind.activated.emit(KINDS.index("ostium"))
    assert states(session) == {"B2": "accepted", "B10": "proposed", "G1": "proposed", "HALF": "proposed"}
    assert session.landmark("B2").landmark.kind == "ostium"
    assert [each.action for each in session.review.events] == ["B2: accepted", "B2: ostium"]


def test_states_are_told_in_words_and_colours(panel, session):
    model, column = panel.table, NAMES.index("state")
    colours = set()
    for state in ("proposed", "accepted", "rejected"):
        session.set_state("B2", state)
        index = model.index(0, column)
        assert index.data() == state
        colours.add(index.data(Qt.ItemDataRole.ForegroundRole).name())
    assert len(colours) == 3


def test_errors_where_a_landmark_guided_are_told_as_residuals(panel, session):
    for name in ("B2", "B10", "G1"):
        session.set_state(name, "accepted")
    session.set_state("HALF", "rejected")
    # One millimetre and half of one, and 0 and 28.6 degrees.
    assert "3 accepted, 0 corrected, 1 rejected, 0 proposed" in panel.summary.text()
    assert "0.75 mm, 14° (n = 2)" in panel.summary.text()
    assert "residual, in italics, not an error: 0.00 mm, 0° (n = 1)" in panel.summary.text()
    fonts = [
        panel.table.index(row, NAMES.index("error mm")).data(Qt.ItemDataRole.FontRole) for row in range(3)
    ]
    assert [font is not None and font.italic() for font in fonts] == [False, False, True]


def test_blinded_neither_errors_nor_what_the_path_predicts_are_shown(panel, session):
    session.set_state("B2", "accepted")
    session.set_left_out([LandmarkError("B2", "branch", 30.0, 27.0, -3.0, -1.5, 4.0, 0.1, 1.6)])
    session.blinded = True
    hidden = ("error mm", "error °", "left out mm", "SD mm")
    assert {shown(panel)[name][each] for name in ("B2", "B10", "HALF") for each in hidden} == {DASH}
    assert "mm" not in panel.summary.text()
    session.blinded = False
    assert shown(panel)["B2"]["error mm"] == "-1.00"


def test_a_signed_off_review_offers_no_editing(panel, session, qtbot):
    click(panel, qtbot, "B2")
    session.set_state("B2", "accepted")
    panel.pick("pullback")
    editing = (
        panel.accept,
        panel.reject,
        panel.propose,
        panel.new,
        panel.kind,
        panel.in_pullback,
        panel.in_ccta,
        panel.resolve,
        panel.leave_out,
    )
    assert all(each.isEnabled() for each in editing)
    session.sign_off("approved")
    assert not any(each.isEnabled() for each in editing)
    assert panel.pick_mode == ""
    session.reopen()
    assert all(each.isEnabled() for each in editing)


def test_what_the_session_refuses_becomes_a_message(panel, session, qtbot):
    click(panel, qtbot, "B2")
    session.sign_off("approved")
    panel.guarded(lambda: session.set_state("B2", "accepted"))
    assert "signed off" in panel.message.text()
    assert panel.message.isVisible()
    panel.pick("ccta")
    assert (panel.pick_mode, "reopen" in panel.message.text()) == ("", True)
    session.reopen()
    panel.guarded(lambda: session.set_state("B2", "accepted"))
    assert not panel.message.isVisible()


def test_picking_is_one_mode_at_a_time_and_ends_when_it_is_told_to(panel, session, qtbot):
    modes = []
    panel.pick_mode_changed.connect(modes.append)
    panel.pick("pullback")
    assert "select a landmark first" in panel.message.text()
    click(panel, qtbot, "B2")
    for button in (panel.in_pullback, panel.in_ccta, panel.in_ccta, panel.in_pullback):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    panel.end_pick()
    panel.end_pick()
    assert modes == ["", "pullback", "ccta", "", "pullback", ""]
    assert panel.pick_mode == ""


def test_solving_again_is_asked_for_once_a_landmark_is_accepted(panel, session, qtbot):
    assert not panel.resolve.isEnabled()
    session.set_state("B2", "accepted")
    with qtbot.waitSignal(panel.resolve_requested, timeout=1000):
        qtbot.mouseClick(panel.resolve, Qt.MouseButton.LeftButton)
    with qtbot.waitSignal(panel.leave_one_out_requested, timeout=1000):
        qtbot.mouseClick(panel.leave_out, Qt.MouseButton.LeftButton)


def test_undo_takes_a_new_landmark_back_while_it_is_selected(panel, session, qtbot):
    qtbot.mouseClick(panel.new, Qt.MouseButton.LeftButton)
    assert panel.selected == "M1"
    session.undo()
    assert (panel.selected, "M1" in shown(panel)) == ("", False)
    assert not panel.accept.isEnabled()


def test_a_new_landmark_comes_with_how_it_is_set_and_accepted(panel, session, qtbot):
    qtbot.mouseClick(panel.new, Qt.MouseButton.LeftButton)
    assert "key P" in panel.message.text()
    assert "key C" in panel.message.text()
    assert "once both are set it is accepted" in panel.message.text()
    session.set_pullback_half("M1", row=5, xy_mm=np.array([1.0, 0.0]))
    assert states(session)["M1"] == "proposed"
    session.set_ccta_half("M1", np.array([1.0, 0.0, 2.5]))
    assert states(session)["M1"] == "accepted"


def test_behind_another_tab_a_message_is_told_elsewhere(panel, session):
    said = []
    panel.said.connect(said.append)
    session.add_landmark()
    panel.pick("pullback")
    assert said == []
    panel.hide()
    panel.pick("ccta")
    assert said == [panel.message.text()]


def test_every_word_of_the_table_is_whole_or_in_its_tooltip(panel, session):
    session.add_landmark()
    panel.resize(430, 450)
    model, column = panel.table, NAMES.index("origin")
    tip = model.index(model.rowCount() - 1, column).data(Qt.ItemDataRole.ToolTipRole)
    assert tip.startswith("manual: ")
    place = panel.view.visualRect(panel.view.model().index(model.rowCount() - 1, column))
    # In the table's letters, with the room that Qt keeps beside them.
    assert panel.view.fontMetrics().horizontalAdvance("manual") + 6 <= place.width()


def test_a_selected_landmark_keeps_the_colour_of_its_state(panel, session, qtbot):
    session.set_state("B2", "accepted")
    click(panel, qtbot, "B2")
    here = panel.view.visualRect(panel.view.model().index(0, NAMES.index("state")))
    picture = panel.view.viewport().grab(here).toImage()
    seen = [
        picture.pixelColor(x, y).getRgb()[:3] for x in range(picture.width()) for y in range(picture.height())
    ]
    # Letters are smoothed: nearly the colour will do.
    wanted = QColor(STATE_COLOURS["accepted"]).getRgb()[:3]
    assert np.abs(np.array(seen) - wanted).sum(axis=1).min() < 60


def test_a_message_moves_no_button(panel, session, qtbot):
    buttons = panel.accept, panel.in_ccta, panel.resolve

    def places():
        qtbot.wait(20)
        return [each.mapTo(panel, each.rect().center()) for each in buttons]

    before = places()
    panel.tell("a long message about what a click does from now on; " * 3)
    assert places() == before
    session.set_state("B2", "accepted")
    assert places() == before


def test_a_second_reader_is_laid_beside_with_limits_of_agreement(panel, session, tmp_path):
    other = tmp_path / "landmarks_reviewed.csv"
    # This reader is 1, 2 and 3 frames, and 10 degrees each time, ahead; 0.3 mm apart in the CCTA.
    moved = [
        replace(
            each,
            frame=each.frame - i,
            angle_rad=each.angle_rad - np.radians(10.0),
            world_mm=each.world_mm + np.array([0.0, 0.3, 0.0]),
        )
        for i, each in enumerate(LANDMARKS[:3], start=1)
    ]
    rows = [ReviewedLandmark(each, "accepted", "given", "R2") for each in moved]
    rows.append(ReviewedLandmark(replace(moved[0], id="ALONE"), "accepted", "manual", "R2"))
    rows.append(ReviewedLandmark(replace(moved[0], id="NOT"), "rejected", "found", "R2"))
    write_reviewed_landmarks(other, rows)
    for name in ("B2", "B10", "G1"):
        session.set_state(name, "accepted")
    panel.compare_with(other)
    table = panel.readers
    assert table.isVisible()
    cells = {
        table.verticalHeaderItem(i).text(): [table.item(i, j).text() for j in range(4)] for i in range(4)
    }
    # Mean 2, SD 1: limits 2 -+ 1.96.
    assert cells["frames"] == ["3", "2.0", "1.0", "0.0 to 4.0"]
    assert cells["pullback, mm"] == ["3", "1.00", "0.50", "0.02 to 1.98"]
    assert cells["angle, °"] == ["3", "10", "0", "10 to 10"]
    assert cells["CCTA, mm apart"] == ["3", "0.30", "0.00", DASH]
    assert panel.message.text() == "only in the other file: ALONE"


def test_a_file_that_is_no_second_reader_becomes_a_message(panel, session, tmp_path):
    session.set_state("B2", "accepted")
    for content, expected in (("a,b\n1,2\n", "bad.csv"), (None, "bad.csv")):
        path = tmp_path / "bad.csv"
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_text(content, encoding="utf-8")
        panel.compare_with(path)
        assert expected in panel.message.text()
        assert not panel.readers.isVisible()


def test_a_reader_without_a_common_landmark_is_told_so(panel, session, tmp_path):
    path = tmp_path / "other.csv"
    write_reviewed_landmarks(path, [ReviewedLandmark(replace(LANDMARKS[0], id="X"), "accepted")])
    session.set_state("B2", "accepted")
    panel.compare_with(path)
    assert "No accepted landmark has the same id" in panel.message.text()
    assert not panel.readers.isVisible()


def test_behind_another_tab_errors_wait_until_they_are_seen(panel, session, qtbot):
    panel.hide()
    session.blinded = True
    panel.show()
    assert shown(panel)["B2"]["error mm"] == DASH


def test_a_reader_of_another_case_is_told_whose_landmarks_these_are(panel, session, tmp_path):
    path = tmp_path / "landmarks_reviewed.csv"
    write_reviewed_landmarks(path, [ReviewedLandmark(LANDMARKS[0], "accepted")])
    session.set_state(LANDMARKS[0].id, "accepted")
    for owner, said in ((session.case.id, False), ("P77", True)):
        review = f'{{"schema_version": 1, "case_id": "{owner}"}}'
        (tmp_path / "review.json").write_text(review, encoding="utf-8")
        panel.compare_with(path)
        assert ("landmarks of case P77" in panel.message.text()) is said


def test_closing_leaves_no_listener_behind(qtbot, session):
    panel = LandmarkPanel(session)
    qtbot.addWidget(panel)
    panel.close_view()
    for signal in (session.landmarks_changed, session.path_changed, session.review_changed):
        assert not len(signal)
    session.set_state("B2", "accepted")
    assert states(session)["B2"] == "accepted"
