"""The panels for aligning and for signing off say what their controls do, and it is true."""

# ruff: noqa: E402 - without the gui extra none of the imports below would work.
import numpy as np
import pytest

for extra in ("psygnal", "qtpy", "napari"):
    pytest.importorskip(extra, reason="the viewer needs the gui extra: pip install coreg[gui]")
pytest.importorskip("pytestqt")

from coreg.io.reviewable import open_reviewable
from coreg.registration.by_hand import Adjustment
from coreg.registration.likeness import Nearby
from coreg_napari.align_panel import AlignPanel
from coreg_napari.session import Session
from coreg_napari.sign_off_panel import SignOffPanel
from coreg_napari.work import likeness_of


@pytest.fixture
def session(result):
    return Session(open_reviewable(result), reviewer="R1")


@pytest.fixture
def panel(session, qtbot):
    panel = AlignPanel(session)
    qtbot.addWidget(panel)
    yield panel
    panel.close_view()


def silent(_stage, _share):
    """Tell nobody."""


def test_every_control_of_the_placement_and_of_the_decision_has_a_tooltip(session, panel, qtbot):
    decision = SignOffPanel(session)
    qtbot.addWidget(decision)
    dials = [part for dial in (panel.shift, panel.turn, panel.stretch) for part in (dial.slider, dial.box)]
    others = panel.mirrored, decision.approve, decision.reject, decision.reopen
    assert all(each.toolTip() for each in (*dials, *others))
    decision.close_view()


def test_more_shift_is_distally_as_its_tooltip_says(session, panel):
    before = session.path
    panel.shift.box.setValue(2.0)
    moved_mm = session.path.arc_length_mm - before.arc_length_mm
    assert "to the right (more) distally, away from the ostium" in panel.shift.slider.toolTip()
    # Arc length counts from the ostium.
    assert np.nanmedian(moved_mm) == pytest.approx(2.0, abs=0.05)


def test_more_turn_is_clockwise_looking_distally_as_its_tooltip_says(session, panel):
    before = session.path
    panel.turn.box.setValue(20.0)
    after, rows = session.path, np.flatnonzero(before.posed)[5:-5]
    distal = before.origin_mm[rows + 3] - before.origin_mm[rows - 3]
    distal /= np.linalg.norm(distal, axis=1)[:, None]
    # A right-handed turn about the direction in which one looks is clockwise to who looks.
    sine = np.sum(np.cross(before.column[rows], after.column[rows]) * distal, axis=1)
    assert "clockwise in the vessel, seen looking distally" in panel.turn.slider.toolTip()
    assert np.degrees(np.arcsin(np.median(sine))) == pytest.approx(20.0, abs=1.5)


def test_more_stretch_lays_the_frames_farther_apart(session, panel):
    before = np.ptp(session.path.arc_length_mm[session.path.posed])
    panel.stretch.box.setValue(105.0)
    assert np.ptp(session.path.arc_length_mm[session.path.posed]) > before
    assert "farther apart" in panel.stretch.box.toolTip()


def test_a_best_place_as_far_as_was_looked_is_said_to_be_so(session, panel):
    session.set_prepared(likeness_of(session.case, session.registration, silent), None)
    panel.show_nearby(Nearby(Adjustment(1.0), 0.01))
    assert "as far as it looks" not in panel.likeness.text()
    panel.show_nearby(Nearby(Adjustment(3.0), 0.01, at_edge=True))
    assert "which is as far as it looks (3 mm, 45 degrees)" in panel.likeness.text()
