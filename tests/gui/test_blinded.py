"""Blinded, no view says of one modality what the other one says."""

# ruff: noqa: E402 - without the gui extra none of the imports below would work.
import re
from dataclasses import replace

import numpy as np
import pytest

for extra in ("psygnal", "qtpy", "napari"):
    pytest.importorskip(extra, reason="the viewer needs the gui extra: pip install coreg[gui]")
pytest.importorskip("pytestqt")

from coreg.io.reviewable import open_reviewable
from coreg.registration.by_hand import Adjustment
from coreg.registration.likeness import Nearby
from coreg_napari.align_panel import AlignPanel
from coreg_napari.along import AlongView
from coreg_napari.header import Header
from coreg_napari.session import Session
from coreg_napari.sign_off_panel import SignOffPanel
from coreg_napari.work import likeness_of


@pytest.fixture
def session(result):
    """A registered patient, some of whose frames are not reliable."""
    opened = open_reviewable(result)
    path = opened.registration.path
    rows = np.arange(len(path))
    doubted = replace(
        path,
        reliable=(rows < 55) | (rows > 65),
        reason=tuple("doubted" if 55 <= row <= 65 else "" for row in rows),
    )
    opened = replace(opened, registration=replace(opened.registration, path=doubted))
    session = Session(opened, reviewer="R1")
    session.go_to_row(60)
    return session


def silent(_stage, _share):
    """Tell nobody."""


def test_the_header_keeps_the_frame_and_hides_what_the_registration_says(session, qtbot):
    header = Header(session)
    qtbot.addWidget(header)
    frame, place = header.frame.text(), header.place.text()
    assert header.verdict.text() == "good"
    assert "SD" in place
    assert "not reliable: doubted" in place
    session.blinded = True
    assert header.verdict.text() == "blinded"
    assert re.fullmatch(r"CCTA: [\d.]+ mm from the ostium", header.place.text())
    assert header.frame.text() == frame
    session.blinded = False
    assert (header.verdict.text(), header.place.text()) == ("good", place)


def test_the_panel_for_aligning_says_nothing_of_the_lumens(session, qtbot):
    panel = AlignPanel(session)
    qtbot.addWidget(panel)
    session.set_prepared(likeness_of(session.case, session.registration, silent), None)
    panel.show_nearby(Nearby(Adjustment(0.5), 0.01))
    assert "apart here" in panel.likeness.text()
    assert panel.to_best.isEnabled()
    session.blinded = True
    assert "hidden" in panel.likeness.text()
    assert not panel.to_best.isEnabled()
    session.preview(Adjustment(0.5))
    panel.show_nearby(Nearby(Adjustment(0.5), 0.01))
    assert not re.search(r"\d", panel.likeness.text())
    session.blinded = False
    assert "apart here" in panel.likeness.text()


def test_the_verdict_and_its_reasons_are_hidden(session, qtbot):
    panel = SignOffPanel(session)
    qtbot.addWidget(panel)
    session.blinded = True
    assert "good" not in panel.verdict.text()
    assert "blinded" in panel.verdict.text()
    session.blinded = False
    assert "good" in panel.verdict.text()


def test_along_the_vessel_neither_spread_nor_doubt_nor_the_ccta_s_marks_are_seen(session, qtbot):
    view = AlongView(session)
    qtbot.addWidget(view)
    view.show()
    qtbot.waitExposed(view)
    view.refresh()
    assert "place ±" in view.readout.text()
    assert "doubted" in view.readout.text()
    assert all(len(each.get_paths()) for each in view.picture._shade)
    marked = np.isfinite(view.data.marks().ccta_mm)
    assert marked.any()
    own = view.data.marks().pullback_mm
    session.blinded = True
    view.refresh()
    assert "place" not in view.readout.text()
    assert "doubted" not in view.readout.text()
    assert f"frame {session.frame}" in view.readout.text()
    assert not np.isfinite(view.data.marks().ccta_mm).any()
    np.testing.assert_array_equal(view.data.marks().pullback_mm, own)
    assert view.picture.notes[3] == "hidden while blinded"
    assert not any(each.get_visible() for _, each in view.picture._bands)
    assert not any(len(each.get_paths()) for each in view.picture._shade)
    session.blinded = False
    view.refresh()
    assert all(each.get_visible() for _, each in view.picture._bands)
    view.close_view()
