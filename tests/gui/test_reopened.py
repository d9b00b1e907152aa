"""A placement by hand that was saved, opened again in a real window."""

# ruff: noqa: E402 - without the gui extra none of the imports below would work.
import numpy as np
import pytest

for extra in ("psygnal", "qtpy", "napari"):
    pytest.importorskip(extra, reason="the viewer needs the gui extra: pip install coreg[gui]")
pytest.importorskip("pytestqt")

from qtpy.QtCore import Qt

from coreg.io.reviewable import open_reviewable
from coreg.registration.by_hand import Adjustment
from coreg_napari.session import Session

WAIT_MS = 60_000


@pytest.fixture
def reopened(desk, result, qtbot):
    """The window of a result that a reader has turned by 50 degrees and saved."""
    session = Session(open_reviewable(result), reviewer="R1")
    session.adjust(Adjustment(turn_rad=np.radians(50.0)))
    session.save()
    desk.open(result)
    qtbot.waitUntil(lambda: desk.window is not None and not desk.opening, timeout=WAIT_MS)
    return desk.window


def test_unsaved_work_that_was_undone_is_not_offered_again(reopened):
    session = reopened.session
    session.adjust(Adjustment(1.0))
    reopened.autosave()
    assert reopened.autosave_file.exists()
    session.undo()
    assert "*" not in reopened.header.verdict.text()
    assert reopened.may_close()
    assert not reopened.autosave_file.exists()


def test_opened_again_a_placement_by_hand_says_so_and_can_be_taken_back(reopened, qtbot):
    header, reset = reopened.header, reopened.align.reset
    assert "by hand: turned by +50 degrees" in header.verdict.text()
    assert reset.isEnabled()
    assert "registration.json" in reset.toolTip()
    qtbot.mouseClick(reset, Qt.MouseButton.LeftButton)
    assert "by hand" not in header.verdict.text()
    assert "by hand" not in reopened.align.command.text()
    assert not reset.isEnabled()
    reopened.session.adjust(Adjustment(1.0))
    assert reset.isEnabled()
    qtbot.mouseClick(reset, Qt.MouseButton.LeftButton)
    assert reopened.session.adjustment.is_none
    reopened.session.undo()
    reopened.session.undo()
    reopened.session.undo()
    assert "by hand: turned by +50 degrees" in header.verdict.text()
