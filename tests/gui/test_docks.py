"""Panels that are hidden come back; none of them can be lost."""

# ruff: noqa: E402 - without the gui extra none of the imports below would work.
import pytest

for extra in ("psygnal", "qtpy", "napari"):
    pytest.importorskip(extra, reason="the viewer needs the gui extra: pip install coreg[gui]")
pytest.importorskip("pytestqt")

from qtpy.QtWidgets import QDockWidget, QPushButton

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
