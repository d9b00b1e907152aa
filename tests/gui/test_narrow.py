"""The window keeps its size, whatever is to be said in it."""

# ruff: noqa: E402 - without the gui extra none of the imports below would work.
from dataclasses import replace

import numpy as np
import pytest

for extra in ("psygnal", "qtpy", "napari"):
    pytest.importorskip(extra, reason="the viewer needs the gui extra: pip install coreg[gui]")
pytest.importorskip("pytestqt")

from coreg.io.results import write_registration
from coreg.registration.by_hand import Adjustment

WAIT_MS = 60_000
WIDTH, HEIGHT = 1400, 900
LONGEST = "; ".join(["the rotation is not determined: the lumen is round here"] * 4)


@pytest.fixture
def opened(desk, result, registration, qtbot):
    """The window of a result with long reasons, with the view in space, at the size that is measured."""
    path = registration.path
    doubted = np.arange(len(path)) % 3 == 0
    reasons = tuple(LONGEST if each else "" for each in doubted)
    path = replace(path, reliable=~doubted & path.posed, reason=reasons)
    write_registration(result, replace(registration, path=path), case_id="sample-OCT")
    desk.open(result)
    qtbot.waitUntil(lambda: desk.window is not None and not desk.opening, timeout=WAIT_MS)
    window = desk.window
    qtbot.waitUntil(lambda: window.space is not None, timeout=WAIT_MS)
    window.main_window.resize(WIDTH, HEIGHT)
    qtbot.wait(100)
    return window


def check_width(window, qtbot):
    qtbot.wait(20)
    main = window.main_window
    assert main.width() <= WIDTH
    assert main.minimumSizeHint().width() <= WIDTH
    assert main.layout().minimumSize().width() <= WIDTH


@pytest.mark.slow
def test_no_frames_reason_widens_the_window(opened, qtbot):
    for row in range(len(opened.session.frames)):
        opened.session.go_to_row(row)
        check_width(opened, qtbot)


def test_what_there_is_no_room_for_is_in_the_tooltip(opened, qtbot):
    opened.session.go_to_row(3)
    check_width(opened, qtbot)
    for label in (opened.along.readout, opened.header.place):
        assert label.shown.endswith("\u2026")
        assert LONGEST in label.toolTip()


def test_neither_what_was_done_by_hand_nor_what_runs_widens_the_window(opened, qtbot):
    session = opened.session
    session.adjust(Adjustment(-12.345, np.radians(-123.0), 1.23, mirrored=True))
    check_width(opened, qtbot)
    opened.align.from_here.click()
    assert opened.header.cancel.isVisible()
    check_width(opened, qtbot)
    opened.header.cancel.click()
    qtbot.waitUntil(lambda: not opened.busy, timeout=WAIT_MS)
    check_width(opened, qtbot)
    assert "mirrored" in opened.header.verdict.toolTip()


def test_the_cases_name_is_whole_beside_what_was_done_by_hand(opened):
    opened.session.adjust(Adjustment(-12.345, np.radians(-123.0), 1.23, mirrored=True))
    opened.header.show_progress("a stage with a long name, of which there are many", 0.5)
    opened.header.resize(700, opened.header.height())
    assert opened.header.case.width() >= opened.header.case.sizeHint().width()
    assert opened.header.verdict.shown.endswith("\u2026")


def test_the_window_can_be_made_smaller(opened, qtbot):
    session = opened.session
    session.adjust(Adjustment(-12.345, np.radians(-123.0), 1.23, mirrored=True))
    opened.header.show_progress("a stage with a long name, of which there are many", 0.5)
    opened.main_window.resize(1150, HEIGHT)
    qtbot.wait(50)
    assert opened.main_window.width() == 1150
