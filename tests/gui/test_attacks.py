"""Broken files, full disks, killed programs and hasty hands: a message each, and nothing lost."""

# ruff: noqa: E402 - without the gui extra none of the imports below would work.
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

for extra in ("psygnal", "qtpy", "napari"):
    pytest.importorskip(extra, reason="the viewer needs the gui extra: pip install coreg[gui]")
pytest.importorskip("pytestqt")

from coreg.errors import InputError
from coreg.io.results import read_registration, write_registration
from coreg.io.review_files import autosave_path, read_autosave, read_review, save_autosave, save_review
from coreg.landmarks import Landmark
from coreg.registration.by_hand import Adjustment
from coreg.review import Event, Review, ReviewedLandmark, SignOff

# Most of them open windows, some of them several.
pytestmark = pytest.mark.slow

WAIT_MS = 60_000
CASE_ID = "sample-OCT"


def open_and_wait(desk, path, qtbot):
    before = desk.window
    desk.open(path)
    qtbot.waitUntil(lambda: not desk.opening and desk.window is not before, timeout=WAIT_MS)
    return desk.window


def refusal(desk, path, qtbot):
    """What is said of a path that cannot be opened."""
    desk.open(path)
    qtbot.waitUntil(lambda: bool(desk.last_error) or desk.window is not None, timeout=WAIT_MS)
    assert desk.window is None
    return desk.last_error


def said(window):
    return window.header.text.text()


def landmark_json(folder, **fields):
    """Save a review with one landmark, and change fields of it in the file."""
    save_review(folder, Review(CASE_ID, (ReviewedLandmark(Landmark("A", frame=3.0)),)), None)
    content = json.loads((folder / "review.json").read_text(encoding="utf-8"))
    content["landmarks"][0].update(fields)
    (folder / "review.json").write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"frame": 1e300}, "frame"),
        ({"frame": -4.0}, "frame"),
        ({"radius_mm": 1e30}, "radius_mm"),
        ({"sd_frames": -1.0}, "sd_frames"),
        ({"world_mm": [1e9, 0.0, 0.0]}, "world_mm"),
        ({"angle_rad": 10**400}, "angle_rad"),
        ({"world_mm": [10**400, 0, 0]}, "world_mm"),
    ],
)
def test_a_landmark_that_no_pullback_can_have_is_refused_by_name(tmp_path, fields, names):
    landmark_json(tmp_path, **fields)
    with pytest.raises(InputError, match=rf"review.json: landmarks\[0\].{names}: found"):
        read_review(tmp_path)


def test_halves_of_characters_do_not_keep_a_review_from_being_saved(tmp_path):
    event = Event("2026-01-01T00:00:00Z", "R\ud800", "x", "\udcff")
    landmarks = (ReviewedLandmark(Landmark("A", frame=1.0), reviewer="R\ud800"),)
    review = Review(CASE_ID, landmarks, (event,), None, "a\ud800\0b", "coreg /\udcff")
    save_review(tmp_path, review, None)
    save_autosave(tmp_path / ".coreg-autosave.json", review, None)
    assert read_review(tmp_path).comment == "a?\0b"
    assert read_autosave(tmp_path / ".coreg-autosave.json").review.events[0].reviewer == "R?"


def test_unsaved_work_that_cannot_be_read_is_kept_under_another_name(desk, result, qtbot):
    kept = autosave_path(result)
    kept.write_text('{"schema_version": 9}', encoding="utf-8")
    window = open_and_wait(desk, result, qtbot)
    assert "cannot be read" in said(window)
    aside = kept.with_name(f"{kept.name}.unread-1")
    assert aside.name in said(window)
    assert aside.read_text(encoding="utf-8") == '{"schema_version": 9}'
    window.session.adjust(Adjustment(1.0))
    window.autosave()
    assert kept.exists()
    assert aside.exists()


def test_unsaved_work_on_other_frames_is_not_taken_up(desk, result, registration, qtbot):
    path = registration.path
    fewer = type(path)(**{name: getattr(path, name)[:-5] for name in path.__dataclass_fields__})
    cut = replace(registration, path=fewer, rigid_path=fewer, residual_mm=registration.residual_mm[:-5])
    save_autosave(autosave_path(result), Review(CASE_ID), cut)
    window = open_and_wait(desk, result, qtbot)
    assert "cannot be read" in said(window)
    assert len(window.session.path) == len(path)
    assert not window.session.unsaved


def test_a_result_without_any_placed_frame_opens_and_says_what_to_do(desk, result, registration, qtbot):
    path = registration.path
    nowhere = replace(
        path,
        **{
            name: np.full_like(getattr(path, name), np.nan)
            for name in ("arc_length_mm", "rotation_rad", "origin_mm", "column", "row")
        },
        reliable=np.zeros(len(path), bool),
        reason=("beyond the vessel",) * len(path),
    )
    write_registration(result, replace(registration, path=nowhere), case_id=CASE_ID)
    window = open_and_wait(desk, result, qtbot)
    press_all(window)
    window.align.nudge(frames=1.0)
    assert "run the automatic registration first" in said(window)


def test_places_where_no_patient_is_are_refused(desk, result, registration, qtbot):
    away = replace(registration.path, origin_mm=registration.path.origin_mm + 1e200)
    write_registration(result, replace(registration, path=away), case_id=CASE_ID)
    assert "path.origin_mm: found 1e+200 mm" in refusal(desk, result, qtbot)


def press_all(window):
    for key in window.shortcuts():
        if key.what != "save":
            key.run()


def test_every_key_is_harmless_in_every_state(desk, result, qtbot):
    window = open_and_wait(desk, result, qtbot)
    session = window.session
    press_all(window)
    session.select(session.landmarks[0].landmark.id)
    press_all(window)
    window.align.nonrigid.click()
    assert window.busy
    press_all(window)
    window.cancel()
    qtbot.waitUntil(lambda: not window.busy, timeout=WAIT_MS)
    session.sign_off("approved")
    before = session.work
    press_all(window)
    assert session.work is before


def test_texts_of_others_are_shown_as_texts(desk, result, registration, qtbot):
    evil = "<h1>big</h1><img src='/etc/hostname'>"
    write_registration(result, replace(registration, verdict="review", reasons=(evil,)), case_id=CASE_ID)
    signed = SignOff("approved", evil, "<b>now</b>", evil)
    save_review(result, Review(CASE_ID, (), (Event("t", evil, evil, evil),), signed), None)
    window = open_and_wait(desk, result, qtbot)
    panel = window.sign_off
    assert "&lt;h1&gt;big" in panel.verdict.text()
    assert evil in panel.state.text()
    from qtpy.QtCore import Qt

    for label in (panel.state, window.header.text, window.align.command, window.header.frame):
        assert label.textFormat() == Qt.TextFormat.PlainText


def test_a_name_in_many_lines_becomes_one(desk, result, qtbot):
    session = open_and_wait(desk, result, qtbot).session
    session.reviewer = 'A\nB\r\n","state": "x' + 100 * "y"
    assert session.reviewer.startswith('A B ","state": "x')
    assert len(session.reviewer) == 64


def test_a_comment_of_a_megabyte_is_saved_and_comes_back(desk, result, qtbot):
    window = open_and_wait(desk, result, qtbot)
    comment = "word\n" * 200_000
    window.sign_off.comment.setPlainText(comment)
    start = time.perf_counter()
    window.sign_off.approve.click()
    window.session.go_to_row(3)
    assert time.perf_counter() - start < 3.0
    assert read_review(result).sign_off.comment == comment
    assert len(window.sign_off.trail.item(0).text()) < 400


def test_work_is_kept_while_it_goes_on_without_a_pause(desk, result, qtbot):
    window = open_and_wait(desk, result, qtbot)
    end = time.monotonic() + 2.5
    turn = 0.0
    while time.monotonic() < end:
        turn += 0.01
        window.session.adjust(Adjustment(0.0, turn))
        qtbot.wait(50)
    assert autosave_path(result).exists()


def test_work_on_a_folder_that_is_gone_is_kept_and_can_be_saved(desk, result, qtbot):
    window = open_and_wait(desk, result, qtbot)
    window.session.adjust(Adjustment(1.0))
    shutil.rmtree(result)
    window.autosave()
    assert not result.exists()
    assert "is kept in" in said(window)
    assert window.unsaved_work.places[1].exists()
    assert window.save()
    assert (result / "registration_reviewed.json").exists()
    assert not window.unsaved_work.places[1].exists()


def test_a_folder_that_cannot_be_written_loses_nothing(desk, result, qtbot, tmp_path):
    window = open_and_wait(desk, result, qtbot)
    window.session.adjust(Adjustment(1.0))
    shutil.rmtree(result)
    # Not even an administrator can write into a file.
    result.write_text("no folder", encoding="utf-8")
    assert not window.save()
    assert "Not saved" in said(window)
    assert window.session.unsaved
    assert window.unsaved_work.places[1].exists()
    desk.answers[:] = ["Another folder"]
    window._ask_folder = lambda: tmp_path / "other"
    assert window.save()
    assert window.session.folder == tmp_path / "other"
    assert (tmp_path / "other" / "review.json").exists()


def test_a_first_folder_that_cannot_be_written_is_not_kept(desk, patient, qtbot, tmp_path):
    window = open_and_wait(desk, patient, qtbot)
    qtbot.waitUntil(lambda: window.session.registration is not None, timeout=WAIT_MS)
    (tmp_path / "file").write_text("", encoding="utf-8")
    window.session.adjust(Adjustment(1.0))
    window._ask_folder = lambda: tmp_path / "file"
    assert not window.save()
    assert window.session.folder is None
    window._ask_folder = lambda: tmp_path / "good"
    assert window.save()


def test_a_review_that_another_reader_saved_meanwhile_is_not_overwritten_unasked(desk, result, qtbot):
    window = open_and_wait(desk, result, qtbot)
    save_review(result, Review(CASE_ID, (), (Event("t", "R2", "accept"),)), None)
    window.session.adjust(Adjustment(1.0))
    assert not window.save()
    assert read_review(result).events[0].reviewer == "R2"
    assert "Not saved" in said(window)
    desk.answers[:] = ["Overwrite it"]
    assert window.save()
    assert read_review(result).events[0].reviewer == "R1"


def test_what_is_changed_while_another_case_is_read_is_asked_for(desk, result, qtbot):
    window = open_and_wait(desk, result, qtbot)
    desk.open(result)
    window.session.adjust(Adjustment(1.0))
    qtbot.waitUntil(lambda: bool(desk.asked), timeout=WAIT_MS)
    qtbot.wait(100)
    assert desk.window is window
    assert not window.closed
    desk.answers[:] = ["Discard"]
    assert open_and_wait(desk, result, qtbot) is not window
    assert len(desk.asked) == 2


def test_closing_the_window_while_a_case_is_read_ends_the_reading(desk, result, qtbot):
    desk.open(result)
    desk.viewer.close()
    qtbot.wait(500)
    assert desk.window is None
    assert not desk.opening


def test_a_dock_that_the_user_closed_does_not_keep_the_case_from_closing(desk, result, qtbot):
    window = open_and_wait(desk, result, qtbot)
    for dock in window._docks[1:]:
        dock.destroyOnClose()
    qtbot.wait(100)
    press_all(window)
    desk.answers[:] = ["Discard"]
    again = open_and_wait(desk, result, qtbot)
    assert again is not window
    qtbot.waitUntil(again.along.isVisible, timeout=WAIT_MS)


def test_a_click_beside_the_sections_sets_nothing(desk, result, qtbot):
    window = open_and_wait(desk, result, qtbot)
    name = window.session.add_landmark()
    before = window.session.landmark(name)
    window.sections.set_half("pullback", np.array([-60.0, 0.0]))
    assert window.session.landmark(name) is before
    assert "inside" in said(window)


def test_errors_that_were_measured_go_with_the_step_that_is_taken_back(desk, result, qtbot):
    session = open_and_wait(desk, result, qtbot).session
    session.set_state(session.landmarks[0].landmark.id, "accepted")
    session.set_left_out(list(session.errors().values()))
    assert session.left_out
    session.undo()
    assert session.left_out == {}


def test_a_cohort_of_which_nothing_can_be_read_lists_why(desk, tmp_path, qtbot):
    for name in ("one", "two"):
        (tmp_path / "cohort" / name).mkdir(parents=True)
        (tmp_path / "cohort" / name / "registration.json").write_text("{", encoding="utf-8")
    desk.open(tmp_path / "cohort")
    qtbot.waitUntil(lambda: desk.work_list is not None and not desk.opening, timeout=WAIT_MS)
    assert all(item.failed for item in desk.work_list.items)
    desk.work_list.open(1)
    assert "cannot be opened" in desk.last_error
    assert desk.window is None


def test_a_long_work_list_is_read_once_and_saving_reads_one_result_again(desk, result, tmp_path, qtbot):
    cohort = tmp_path / "cohort"
    for i in range(200):
        (cohort / f"r{i:03d}").mkdir(parents=True)
        (cohort / f"r{i:03d}" / "registration.json").symlink_to(result / "registration.json")
    case = cohort / "case"
    case.symlink_to(result.parent / "case")
    desk.open(cohort)
    qtbot.waitUntil(lambda: desk.window is not None and not desk.opening, timeout=WAIT_MS)
    assert len(desk.work_list.items) == 200
    shutil.rmtree(cohort / "r150")
    start = time.perf_counter()
    desk.window.session.sign_off("approved")
    assert desk.window.save()
    assert time.perf_counter() - start < 1.0
    # What was there when the list was read stays on it; the signed one has gone to its end.
    assert len(desk.work_list.items) == 200
    assert [each.sign_off is not None for each in desk.work_list.items] == 199 * [False] + [True]
    assert desk.work_list.current == 199


def test_two_viewers_in_one_process_each_have_their_own_case(desk, result, tmp_path, qtbot):
    import napari

    from coreg_napari.desk import Desk

    second = napari.Viewer(show=True)
    other = Desk(second, ask=lambda _question, names: names[-1])
    other.state_folder = tmp_path / "state"
    copy = tmp_path / "copy"
    shutil.copytree(result, copy)
    first = open_and_wait(desk, result, qtbot)
    window = open_and_wait(other, copy, qtbot)
    window.session.go_to_row(50)
    assert first.session.row == 0
    other.viewer.close()
    assert window.closed
    assert not first.closed
    first.session.go_to_row(20)
    assert int(desk.viewer.dims.current_step[0]) == first.session.frame


@pytest.mark.parametrize("name", ["notes.txt", "folder", "table.csv"])
def test_other_files_that_are_dropped_are_left_to_napari(tmp_path, name):
    from coreg_napari.plugin import reader_of

    path = tmp_path / name
    path.mkdir() if name == "folder" else path.write_text("x", encoding="utf-8")
    assert reader_of(str(path)) is None
    assert reader_of("x" * 5000) is None


def run_view(*words, **changes):
    environment = {**os.environ, **changes}
    command = [sys.executable, "-W", "ignore", "-c", "from coreg.cli.main import main; main()", "view"]
    return subprocess.run(
        [*command, *map(str, words)], capture_output=True, text=True, env=environment, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("words", "changes", "names"),
    [
        (["/nowhere/at/all"], {}, "found nothing"),
        (["x" * 5000], {}, "found nothing"),
        ([".", "--case", "/nowhere"], {}, "--case /nowhere: found nothing"),
        (["."], {"DISPLAY": "", "WAYLAND_DISPLAY": "", "QT_QPA_PLATFORM": ""}, "found no screen"),
        (["."], {"DISPLAY": ":987", "QT_QPA_PLATFORM": "xcb"}, "DISPLAY is :987"),
    ],
)
def test_what_cannot_be_viewed_is_a_line_and_status_3(words, changes, names):
    done = run_view(*words, **changes)
    assert done.returncode == 3, done.stderr
    assert names in done.stderr
    assert "Traceback" not in done.stderr


def test_without_opengl_nothing_starts(qtbot):
    done = run_view(".", QT_XCB_GL_INTEGRATION="none", LIBGL_DRIVERS_PATH="/nowhere")
    assert done.returncode == 3, done.stderr
    assert "found no OpenGL" in done.stderr


EDITING = """
import sys
from pathlib import Path
import napari
from qtpy.QtWidgets import QApplication
from coreg.registration.by_hand import Adjustment
from coreg_napari.desk import Desk
viewer = napari.Viewer(show=False)
desk = Desk(viewer, ask=lambda question, names: names[0])
desk.reviewer, desk.state_folder = "R1", Path(sys.argv[2])
desk.open(Path(sys.argv[1]))
application = QApplication.instance()
while desk.window is None:
    application.processEvents()
window, step = desk.window, 0
while True:
    step += 1
    window.session.set_comment(str(step))
    window.session.adjust(Adjustment(0.001 * step))
    application.processEvents()
    if step % 7 == 0:
        window.save()
    print(step, flush=True)
"""


def test_killed_at_any_moment_nothing_is_half_written_or_lost(result, tmp_path):
    draw = random.Random(6)  # noqa: S311 - moments, no secrets
    for _ in range(6):
        events = 0 if read_review(result) is None else len(read_review(result).events)
        command = [sys.executable, "-W", "ignore", "-c", EDITING, str(result), str(tmp_path / "state")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline().strip() == "1"
            time.sleep(draw.uniform(0.0, 2.0))
            os.kill(process.pid, signal.SIGKILL)
            steps = [1, *(int(each) for each in process.stdout.read().split("\n")[:-1])]
        review, kept = read_review(result), read_autosave(autosave_path(result))
        files = [each for each in (review, kept and kept.review) if each is not None]
        there = max((len(each.events) for each in files), default=0)
        # All that was done until the last save; the kept work comes at the latest 1.5 s after a change.
        assert there >= events + steps[-1] // 7 * 7
        if review is not None:
            read_registration(result / "registration_reviewed.json")


def test_interrupted_at_the_terminal_it_ends_and_keeps_what_was_not_saved(result, tmp_path, qtbot):
    program = """
import sys
import coreg_napari.desk as desks
from coreg.registration.by_hand import Adjustment
from qtpy.QtCore import QTimer
shown = desks.Desk.show
def show(desk, opened):
    shown(desk, opened)
    desk.window.session.adjust(Adjustment(1.0))
    QTimer.singleShot(2500, lambda: print("ready", flush=True))
desks.Desk.show = show
from coreg.cli.main import main
main()
"""
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}
    command = [sys.executable, "-W", "ignore", "-c", program, "view", str(result)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stdout.readline().strip() == "ready"
            process.send_signal(signal.SIGINT)
            status = process.wait(20)
        finally:
            process.kill()
        errors = process.stderr.read()
    assert status == 130, errors
    assert "Traceback" not in errors
    assert read_autosave(autosave_path(result)) is not None


def test_what_fails_while_a_window_is_built_is_a_message(desk, qtbot):
    def bad(tell):
        tell("making", 0.5)
        return

    # No path at all comes of it, which is no case.
    desk.open_made("Making", bad)
    qtbot.waitUntil(lambda: "which is a bug" in desk.last_error, timeout=WAIT_MS)
    assert not desk.opening


def test_a_sample_is_refused_in_words_while_something_is_opened(desk, result, qtbot):
    desk.open(result)
    desk.open_made("Making", lambda tell: result)
    assert "being opened already" in desk.last_error
    qtbot.waitUntil(lambda: not desk.opening and desk.window is not None, timeout=WAIT_MS)
