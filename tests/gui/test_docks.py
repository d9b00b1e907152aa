"""Panels that are hidden come back; none of them can be lost."""

# ruff: noqa: E402 - without the gui extra none of the imports below would work.
import pytest

for extra in ("psygnal", "qtpy", "napari"):
    pytest.importorskip(extra, reason="the viewer needs the gui extra: pip install coreg[gui]")
pytest.importorskip("pytestqt")

from qtpy.QtWidgets import QDockWidget, QPushButton

from coreg_napari.header import VERDICT_COLOURS

WAIT_MS = 60_000
PANELS = {"coreg: case", "coreg: along the vessel", "coreg: in space", "coreg: review", "coreg: work list"}


@pytest.fixture
def docks(desk, result, qtbot):
    """All panels of a case and its work list, by name."""
    desk.open(result.parent)
    qtbot.waitUntil(lambda: desk.window is not None and not desk.opening, timeout=WAIT_MS)
    found = desk.window.main_window.findChildren(QDockWidget)
    return {each.name: each for each in found if each.name.startswith("coreg: ")}


def buttons(dock):
    title = dock.titleBarWidget()
    return {each.toolTip(): each for each in title.findChildren(QPushButton)}


def test_no_panel_has_a_button_that_takes_it_apart(docks):
    assert set(docks) == PANELS
    assert not [name for name, dock in docks.items() if "close this panel" in buttons(dock)]
    dock = docks["coreg: review"]
    dock.setFloating(True)
    dock.setFloating(False)
    assert "hide this panel" in buttons(dock)
    assert "close this panel" not in buttons(dock)


def test_the_menu_brings_hidden_panels_back(desk, docks, qtbot):
    actions = {each.text(): each for each in desk.viewer.window.window_menu.actions()}
    assert set(actions) >= PANELS
    for name in PANELS - {"coreg: case"}:
        buttons(docks[name])["hide this panel"].click()
        assert not docks[name].isVisible()
        actions[name].trigger()
        qtbot.waitUntil(docks[name].isVisible)


def test_the_menu_lists_only_what_is_open(desk, docks):
    desk.window.close()
    actions = {each.text() for each in desk.viewer.window.window_menu.actions()}
    assert actions & PANELS == {"coreg: work list"}


def colours(widget, rect):
    """All colours that are drawn in a part of a widget."""
    picture = widget.grab(rect).toImage()
    places = [(x, y) for x in range(picture.width()) for y in range(picture.height())]
    return {picture.pixelColor(*each).name() for each in places}


def test_the_case_that_is_open_keeps_the_colour_of_its_verdict(desk, docks):
    table = desk.work_list.table
    assert table.currentRow() == 0
    assert table.item(0, 1).isSelected()
    here = table.visualItemRect(table.item(0, 1))
    assert VERDICT_COLOURS[table.item(0, 1).text()] in colours(table.viewport(), here)


def test_the_comment_has_an_edge(desk, docks):
    desk.window.tabs.setCurrentIndex(2)
    comment = desk.window.sign_off.comment
    assert "#6a727c" in colours(comment, comment.rect())
