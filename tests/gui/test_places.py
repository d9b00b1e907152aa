"""Where reviews are saved and cases are found again."""

# ruff: noqa: E402 - without the gui extra none of the imports below would work.
import os
import shutil
from pathlib import Path

import pytest

for extra in ("psygnal", "qtpy", "napari"):
    pytest.importorskip(extra, reason="the viewer needs the gui extra: pip install coreg[gui]")
pytest.importorskip("pytestqt")

from qtpy.QtWidgets import QFileDialog

from coreg.io.review_files import read_review
from coreg_napari import sample
from coreg_napari.memory import MOST_PLACES, Memory, recall, remember
from coreg_napari.places import start_folder

WAIT_MS = 60_000


def open_and_wait(desk, path, qtbot):
    before = desk.window
    desk.open(path)
    qtbot.waitUntil(lambda: not desk.opening and desk.window is not before, timeout=WAIT_MS)
    return desk.window


@pytest.fixture
def cached(patient, tmp_path, monkeypatch):
    """A case in a hidden cache, as the sample is."""
    cache = tmp_path / ".cache" / "coreg"
    cache.mkdir(parents=True)
    (cache / "sample-0").symlink_to(patient)
    monkeypatch.setattr(sample, "user_cache_path", lambda *_, **__: cache)
    return cache / "sample-0"


@pytest.fixture
def unsaved(desk, cached, registration, qtbot):
    """The window of a case that has no result folder yet, with a registration."""
    window = open_and_wait(desk, cached / "case.toml", qtbot)
    window.cancel()
    window.session.take_first(registration)
    return window


@pytest.fixture
def dialog(monkeypatch):
    """A dialog that answers with what is put into it, and keeps its title and where it began."""
    seen = []
    answers = []

    def ask(_parent, title, start):
        seen.append((title, Path(start)))
        return answers.pop(0)

    monkeypatch.setattr(QFileDialog, "getExistingDirectory", ask)
    return seen, answers


def test_a_sign_off_without_a_folder_is_none_and_says_so(unsaved, dialog, tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    seen, answers = dialog
    answers[:] = ["", str(home / "review")]
    unsaved.sign_off.approve.click()
    assert not unsaved.session.locked
    assert unsaved.session.review.events == ()
    assert "Not signed off" in unsaved.header.text.text()
    title, start = seen[0]
    assert "folder for the review of sample-OCT" in title
    assert start == home
    unsaved.sign_off.approve.click()
    assert unsaved.session.locked
    assert not unsaved.session.unsaved
    assert read_review(home / "review").sign_off.decision == "approved"
    assert len(seen) == 2


def test_a_save_without_a_folder_says_that_nothing_was_saved(unsaved, dialog):
    _seen, answers = dialog
    answers[:] = [""]
    assert not unsaved.save()
    assert "Not saved" in unsaved.header.text.text()


@pytest.mark.slow
def test_the_review_of_a_sample_is_opened_again_without_a_question(desk, unsaved, cached, tmp_path, qtbot):
    far = tmp_path / "a" / "b" / "c" / "review"
    unsaved.session.save(far)
    desk.ask_case = lambda case_id, _path: pytest.fail(f"asked for {case_id}")
    again = open_and_wait(desk, far, qtbot)
    assert again.session.opened.case_path == cached / "case.toml"


def test_dialogs_begin_where_people_see_what_they_save(tmp_path, monkeypatch):
    seen, hidden = tmp_path / "study", tmp_path / ".cache" / "coreg"
    for each in (seen, hidden):
        each.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(seen))
    assert start_folder(seen) == seen
    assert start_folder(hidden) == tmp_path
    monkeypatch.chdir(hidden)
    assert start_folder(hidden) == seen
    shutil.rmtree(hidden)
    assert start_folder(hidden) == seen
    os.chdir(tmp_path)


def another_start(desk, qtbot):
    """A desk that remembers what the first one wrote, and knows nothing else of it."""
    import napari

    from coreg_napari.desk import Desk

    state = desk.state_folder
    desk.viewer.close()
    qtbot.wait(50)
    again = Desk(napari.Viewer(show=True), ask=lambda _question, names: names[-1])
    again.state_folder = state
    return again


@pytest.mark.slow
def test_a_case_that_was_named_and_the_reader_are_known_at_the_next_start(desk, patient, result, qtbot):
    (result.parent / "case").unlink()
    before = {each.name for each in result.iterdir()}
    desk.reviewer = ""
    desk.ask_case = lambda _case_id, _path: patient / "case.toml"
    window = open_and_wait(desk, result, qtbot)
    window.session.reviewer = "R7"
    again = another_start(desk, qtbot)
    again.ask_case = lambda case_id, _path: pytest.fail(f"asked for {case_id}")
    window = open_and_wait(again, result, qtbot)
    assert window.session.opened.case_path == patient / "case.toml"
    assert window.session.reviewer == "R7"
    again.viewer.close()
    # A path may name a patient: nothing of it comes near the result.
    assert {each.name for each in result.iterdir()} == before


def test_a_few_places_are_remembered_the_last_one_first(tmp_path):
    memory = Memory("R1")
    for i in [*range(MOST_PLACES + 3), 5]:
        memory = memory.with_place(tmp_path / f"study{i}" / "case")
    remember(tmp_path / "state", memory)
    again = recall(tmp_path / "state")
    assert again == memory
    assert again.reviewer == "R1"
    assert len(again.case_places) == MOST_PLACES
    assert again.near[:2] == (tmp_path / "study5" / "case", tmp_path / "study5")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"reviewer": 5, "case_places": [3, null, ""]}', "\x00"])
def test_a_memory_that_is_broken_is_none(tmp_path, text):
    (tmp_path / "viewer.json").write_text(text, encoding="utf-8")
    assert recall(tmp_path) == Memory()


def test_a_state_folder_that_cannot_be_written_stops_nobody(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    remember(tmp_path / "file", Memory("R1"))
    assert recall(tmp_path / "file") == Memory()
