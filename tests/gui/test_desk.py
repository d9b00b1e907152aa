"""The whole window in a real napari viewer under a real X server."""

# ruff: noqa: E402 - without the gui extra none of the imports below would work.
import gc
import os
import shutil
import signal
import subprocess
import sys
import threading
import weakref

import numpy as np
import pytest

for extra in ("psygnal", "qtpy", "napari"):
    pytest.importorskip(extra, reason="the viewer needs the gui extra: pip install coreg[gui]")
pytest.importorskip("pytestqt")

from coreg.io.results import read_registration
from coreg.io.review_files import read_review
from coreg.registration.by_hand import Adjustment
from coreg.validation import frame_errors

WAIT_MS = 60_000


@pytest.fixture
def opened(desk, result, qtbot):
    """The window of the patient's result."""
    return open_and_wait(desk, result, qtbot)


def open_and_wait(desk, path, qtbot):
    before = desk.window
    desk.open(path)
    qtbot.waitUntil(lambda: not desk.opening and desk.window is not before, timeout=WAIT_MS)
    return desk.window


def wait_until_ready(window, qtbot):
    """Until the state to solve again from is there."""
    qtbot.waitUntil(lambda: window.session.solved is not None, timeout=WAIT_MS)


def wait_for_work(window, qtbot):
    qtbot.waitUntil(lambda: not window.busy, timeout=WAIT_MS)


def along_mm(path, truth):
    return float(np.nanmean(np.abs(frame_errors(path, truth).error_mm)))


def about_deg(path, truth):
    return float(np.nanmean(np.abs(frame_errors(path, truth).error_deg)))


def test_scrolling_in_any_view_moves_all_of_them(opened, qtbot):
    session, viewer = opened.session, opened.viewer
    step = 77
    viewer.dims.set_current_step(0, step)
    assert session.frame == step
    assert f"frame {step} " in opened.header.frame.text()
    session.go_to_row(20)
    assert int(viewer.dims.current_step[0]) == session.frame
    picture = opened.sections.ccta.data.copy()
    session.go_to_row(120)
    assert np.abs(opened.sections.ccta.data - picture).max() > 50.0
    outline = opened.sections.ccta_outline()
    expected = session.path.origin_mm[120]
    # The catheter is inside of, or at most a wall's thickness outside of, what is drawn around it.
    assert np.hypot(*outline.mean(axis=0)) < 2.0
    np.testing.assert_allclose(session.path.origin_mm[session.row], expected)


def test_a_deliberate_error_is_removed_by_the_dials(desk, wrong, truth, qtbot):
    window = open_and_wait(desk, wrong, qtbot)
    session = window.session
    assert along_mm(session.path, truth) > 2.0
    assert about_deg(session.path, truth) > 35.0
    window.align.shift.box.setValue(-7 * session.case.pullback.frame_spacing_mm)
    window.align.turn.box.setValue(-40.0)
    assert along_mm(session.path, truth) < 0.1
    assert about_deg(session.path, truth) < 1.0
    window.align.undo.click()
    assert about_deg(session.path, truth) > 35.0


@pytest.mark.slow
def test_a_deliberate_error_is_mostly_found_by_the_best_place_nearby(desk, wrong, truth, qtbot):
    window = open_and_wait(desk, wrong, qtbot)
    qtbot.waitUntil(lambda: window.align.to_best.isEnabled(), timeout=WAIT_MS)
    window.align.to_best.click()
    # A grid of 0.1 mm and 1.5 degrees, on lumens that differ as labels do.
    assert along_mm(window.session.path, truth) < 0.6
    assert about_deg(window.session.path, truth) < 8.0


@pytest.mark.slow
def test_automatic_removes_the_same_error(desk, wrong, truth, qtbot):
    window = open_and_wait(desk, wrong, qtbot)
    window.align.nonrigid.click()
    assert window.busy
    wait_for_work(window, qtbot)
    session = window.session
    assert along_mm(session.path, truth) < 0.5
    assert about_deg(session.path, truth) < 5.0
    assert session.undo_label == "register, non-rigid"
    assert session.command.startswith("coreg register ")


@pytest.mark.slow
def test_refining_from_a_rough_placement_by_hand_ends_near_the_truth(desk, wrong, truth, qtbot):
    window = open_and_wait(desk, wrong, qtbot)
    session = window.session
    session.adjust(Adjustment(-6 * session.case.pullback.frame_spacing_mm, np.radians(-30.0)))
    window.align.from_here.click()
    wait_for_work(window, qtbot)
    assert along_mm(session.path, truth) < 0.6
    assert session.registration.verdict == "review"
    assert "--start" in session.command


def test_cancelling_changes_nothing(opened, qtbot):
    session = opened.session
    before = session.path
    opened.align.nonrigid.click()
    opened.header.cancel.click()
    wait_for_work(opened, qtbot)
    assert session.path is before
    assert "cancelled" in opened.header.text.text()
    assert session.undo_label == ""


def test_a_corrected_landmark_guides_when_solved_again(opened, truth, qtbot):
    session = opened.session
    wait_until_ready(opened, qtbot)
    name = session.landmarks[1].landmark.id
    session.select(name)
    assert session.row == session.shown_row(session.landmark(name).landmark)
    opened.sections.pick_mode = "pullback"
    before = session.path
    opened.sections.set_half("pullback", np.array([1.0, 0.5]))
    assert session.landmark(name).state == "corrected"
    opened.resolve()
    wait_for_work(opened, qtbot)
    assert session.path is not before
    assert session.registration.guides == {name: "guide"}
    assert "--use-landmarks" in session.command
    session.undo()
    assert session.path is before


def test_solving_again_needs_an_accepted_landmark(opened, qtbot):
    wait_until_ready(opened, qtbot)
    opened.resolve()
    assert "at least one landmark" in opened.header.text.text()


@pytest.mark.slow
def test_left_out_errors_come_and_go_with_the_landmarks(opened, qtbot):
    session = opened.session
    wait_until_ready(opened, qtbot)
    for each in session.landmarks[:2]:
        session.set_state(each.landmark.id, "accepted")
    opened.leave_one_out()
    wait_for_work(opened, qtbot)
    assert set(session.left_out) == {each.landmark.id for each in session.landmarks[:2]}
    session.set_state(session.landmarks[0].landmark.id, "rejected")
    assert session.left_out == {}


def test_a_click_in_each_section_sets_that_half(opened):
    session, sections = opened.session, opened.sections
    name = session.add_landmark()
    session.go_to_row(60)
    sections.set_half("pullback", np.array([0.0, -1.2]))
    sections.set_half("ccta", np.array([0.4, -1.1]))
    landmark = session.landmark(name).landmark
    assert landmark.frame == session.frame
    assert np.degrees(landmark.angle_rad) == pytest.approx(-90.0)
    world = session.path.origin_mm[60] + 0.4 * session.path.column[60] - 1.1 * session.path.row[60]
    np.testing.assert_allclose(landmark.world_mm, world)


def test_where_a_place_of_the_canvas_is_in_the_sections(opened):
    sections = opened.sections
    drawn = sections.drawn_at("ccta", np.array([0.4, -1.1]))
    view, at = sections.section_at(drawn)
    assert view == "ccta"
    np.testing.assert_allclose(at, [0.4, -1.1])
    assert sections.section_at([0.0, -2.0, 1.0])[0] == "pullback"


def drawn_in(sections, view):
    """Lengths of lumen lines drawn in a section, by colour: the pullback's, the CCTA's."""
    start, step = sections.lumens.data[:, 0], sections.lumens.data[:, 1]
    inside = (start[:, 1] > sections.offset_mm / 2.0) == (view == "ccta")
    length = np.where(inside, np.linalg.norm(step, axis=1), 0.0)
    half = len(length) // 2
    return length[:half].sum(), length[half:].sum()


def test_blinded_hides_what_the_other_modality_says(opened):
    sections, session = opened.sections, opened.session
    session.go_to_row(80)
    contour = session.case.pullback.lumen[session.frame]
    around = np.linalg.norm(np.roll(contour, -1, axis=0) - contour, axis=1).sum()
    own, guest = drawn_in(sections, "pullback")
    assert own == pytest.approx(around, rel=0.02)
    assert guest > 1.0
    session.blinded = True
    assert drawn_in(sections, "pullback") == (pytest.approx(own), 0.0)
    assert drawn_in(sections, "ccta")[0] == 0.0
    assert drawn_in(sections, "ccta")[1] > 1.0


def test_a_signed_off_case_is_saved_locked_and_reopened(opened, desk, result, qtbot):
    opened.sign_off.comment.setPlainText("looks right")
    opened.sign_off.approve.click()
    signed = read_review(result).sign_off
    assert (signed.decision, signed.reviewer, signed.comment) == ("approved", "R1", "looks right")
    assert not opened.align.shift.isEnabled()
    opened.align.nudge(frames=1.0)
    assert "signed off" in opened.header.text.text()
    again = open_and_wait(desk, result, qtbot)
    assert again.session.locked
    again.sign_off.reopen.click()
    assert again.align.shift.isEnabled()
    assert read_review(result).sign_off is not None


def test_unsaved_changes_are_asked_for_before_another_case_is_opened(opened, desk, result, qtbot):
    opened.session.adjust(Adjustment(1.0))
    desk.answers[:] = ["Cancel"]
    desk.open(result)
    assert not desk.opening
    assert desk.window is opened
    desk.answers[:] = ["Save"]
    again = open_and_wait(desk, result, qtbot)
    assert again is not opened
    np.testing.assert_allclose(again.session.path.origin_mm, opened.session.path.origin_mm)


def test_the_window_does_not_close_over_unsaved_changes_unless_told_to(opened, desk, qtbot):
    opened.session.adjust(Adjustment(1.0))
    desk.answers[:] = ["Cancel"]
    opened.main_window.close()
    assert not opened.closed
    assert opened.main_window.isVisible()


def threads_of_coreg():
    return [each for each in threading.enumerate() if each.name.startswith("coreg")]


def test_a_closed_case_leaves_nothing_behind(desk, result, qtbot):
    from napari.qt import QtViewer

    open_and_wait(desk, result, qtbot)
    session, viewer = desk.window.session, desk.viewer
    desk.window.close()
    desk.window = None
    qtbot.wait(100)
    for name in ("frame_changed", "path_changed", "landmarks_changed", "view_changed", "prepared_changed"):
        assert len(getattr(session, name)) == 0, name
    assert len(viewer.layers) == 0
    assert [name for name in viewer.window.dock_widgets if name.startswith("coreg")] == []
    gc.collect()
    assert len(QtViewer._instances) == 1
    # Abandoned work stops where it next tells of its progress.
    qtbot.waitUntil(lambda: not threads_of_coreg(), timeout=WAIT_MS)


def test_a_result_whose_case_lies_elsewhere_asks_for_it(desk, patient, result, qtbot):
    (result.parent / "case").unlink()
    asked = []
    desk.ask_case = lambda case_id, _path: asked.append(case_id)
    desk.open(result)
    qtbot.waitUntil(lambda: not desk.opening and "--case" in desk.last_error, timeout=WAIT_MS)
    assert asked == ["sample-OCT"]
    assert desk.window is None
    desk.ask_case = lambda _case_id, _path: patient / "case.toml"
    assert open_and_wait(desk, result, qtbot).session.case.id == "sample-OCT"
    # Known from then on.
    desk.ask_case = lambda case_id, _path: asked.append(case_id)
    open_and_wait(desk, result, qtbot)
    assert asked == ["sample-OCT"]


@pytest.mark.slow
def test_many_cases_one_after_the_other_leave_one_window(desk, result, qtbot):
    from napari.qt import QtViewer

    before = weakref.WeakSet(QtViewer._instances)

    def open_whole():
        # In a frame of its own, that nothing of a window stays in.
        window = open_and_wait(desk, result, qtbot)
        qtbot.waitUntil(lambda: window.space is not None, timeout=WAIT_MS)

    for _ in range(3):
        open_whole()

    def one_is_new():
        gc.collect()
        assert len([each for each in QtViewer._instances if each not in before]) == 1

    # That of the last case's view in space.
    qtbot.waitUntil(one_is_new, timeout=WAIT_MS)
    assert len([name for name in desk.viewer.window.dock_widgets if name.startswith("coreg")]) == 4


KILLED = """
import sys, time
from pathlib import Path
import napari
from qtpy.QtWidgets import QApplication
from coreg.registration.by_hand import Adjustment
from coreg_napari.desk import Desk
viewer = napari.Viewer(show=False)
desk = Desk(viewer)
desk.open(Path(sys.argv[1]))
app = QApplication.instance()
while desk.window is None:
    app.processEvents()
desk.window.session.adjust(Adjustment(1.25, 0.5))
end = time.time() + 3.0
while time.time() < end:
    app.processEvents()
print("changed", flush=True)
while True:
    app.processEvents()
"""


@pytest.mark.slow
def test_work_of_a_killed_process_is_recovered(desk, result, qtbot):
    before = read_registration(result)
    command = [sys.executable, "-W", "ignore", "-c", KILLED, str(result)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline().strip() == "changed"
        finally:
            os.kill(process.pid, signal.SIGKILL)
    assert (read_registration(result).path.origin_mm == before.path.origin_mm).all()
    desk.answers[:] = ["Take it up"]
    window = open_and_wait(desk, result, qtbot)
    session = window.session
    assert session.unsaved
    assert session.review.events[-1].action == "recover"
    # Who worked on it goes on, unless another name is typed.
    assert session.reviewer == desk.window.sign_off.reviewer.text() == session.review.events[0].reviewer
    shifted = session.path.arc_length_mm - before.path.arc_length_mm
    assert np.nanmedian(shifted) == pytest.approx(1.25, abs=0.1)
    assert window.save()
    assert not window.autosave_file.exists()


@pytest.mark.slow
def test_recovered_work_can_be_discarded(desk, result, qtbot):
    window = open_and_wait(desk, result, qtbot)
    window.session.adjust(Adjustment(1.0))
    window.autosave()
    kept = window.autosave_file
    assert kept.is_file()
    shutil.copy(kept, kept.with_suffix(".copy"))
    desk.answers[:] = ["Discard"]
    assert window.may_close()
    assert not kept.exists()
    kept.with_suffix(".copy").rename(kept)
    desk.answers[:] = ["Discard"]
    again = open_and_wait(desk, result, qtbot)
    assert again.session.adjustment.is_none
    assert not kept.exists()


def test_a_case_without_a_result_is_registered_when_it_is_opened(desk, patient, truth, qtbot, tmp_path):
    window = open_and_wait(desk, patient, qtbot)
    session = window.session
    qtbot.waitUntil(lambda: session.registration is not None, timeout=WAIT_MS)
    assert along_mm(session.path, truth) < 0.5
    assert not session.unsaved
    session.adjust(Adjustment(0.5))
    window.autosave()
    # Nothing is written beside the user's files.
    assert window.autosave_file.is_relative_to(tmp_path / "state")
    window._ask_folder = lambda: tmp_path / "review"
    assert window.save()
    assert (tmp_path / "review" / "registration_reviewed.json").is_file()


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda folder: (folder / "registration.json").write_text("{"), "run coreg register again"),
        (lambda folder: rewrite(folder, '"schema_version": 1', '"schema_version": 99'), "schema_version"),
        (lambda folder: (folder.parent / "case").unlink(), "--case"),
    ],
)
def test_what_cannot_be_opened_is_a_message(desk, result, qtbot, break_it, said):
    break_it(result)
    desk.open(result)
    qtbot.waitUntil(lambda: bool(desk.last_error), timeout=WAIT_MS)
    assert said in desk.last_error
    assert desk.window is None


def test_a_case_whose_image_is_gone_is_a_message(desk, patient, tmp_path, qtbot):
    case = tmp_path / "copy"
    shutil.copytree(patient, case)
    (case / "pullback.nii.gz").unlink()
    desk.open(case)
    qtbot.waitUntil(lambda: bool(desk.last_error) or desk.window is not None, timeout=WAIT_MS)
    said = desk.last_error or desk.window.header.text.text()
    assert "pullback.nii.gz" in said


def rewrite(folder, old, new):
    path = folder / "registration.json"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_cohort_opens_its_riskiest_case_and_goes_on_from_there(desk, result, patient, tmp_path, qtbot):
    cohort = tmp_path / "cohort"
    (cohort / "cases").mkdir(parents=True)
    for name, verdict in (("one", "good"), ("two", "review")):
        folder = cohort / "cases" / name
        shutil.copytree(result, folder)
        (cohort / f"case-{name}").mkdir()
        for each in patient.iterdir():
            if each.name != "case.toml":
                (cohort / f"case-{name}" / each.name).symlink_to(each)
        text = (
            (patient / "case.toml")
            .read_text(encoding="utf-8")
            .replace('id = "sample-OCT"', f'id = "{name}"', 1)
        )
        (cohort / f"case-{name}" / "case.toml").write_text(text, encoding="utf-8")
        rewrite(folder, '"case_id": "sample-OCT"', f'"case_id": "{name}"')
        rewrite(folder, '"verdict": "good"', f'"verdict": "{verdict}"')
    (cohort / "cases" / "three").mkdir()
    (cohort / "cases" / "three" / "registration.json").write_text("{")
    desk.open(cohort)
    qtbot.waitUntil(lambda: desk.work_list is not None, timeout=WAIT_MS)
    names = [each.case_id for each in desk.work_list.items]
    assert names == ["three", "two", "one"]
    desk.work_list.open(0)
    assert "three cannot be opened" in desk.last_error
    qtbot.waitUntil(lambda: desk.window is not None and not desk.opening, timeout=WAIT_MS)
    assert desk.window.session.case.id == "two"
    desk.work_list.next.click()
    qtbot.waitUntil(lambda: desk.window.session.case.id == "one", timeout=WAIT_MS)
    desk.window.session.sign_off("approved")
    assert desk.window.save()
    assert [each.case_id for each in desk.work_list.items][-1] == "one"
    assert desk.work_list.items[-1].sign_off is not None


def test_nothing_to_say_takes_no_room(opened):
    opened.header.tell("something")
    assert not opened.header.text.isHidden()
    opened.header.tell("")
    assert opened.header.text.isHidden()


def test_a_message_has_the_room_it_needs_and_gives_it_back(opened, qtbot):
    header, canvas = opened.header, opened.viewer.window._qt_viewer.canvas.native
    opened.main_window.resize(1400, 900)
    qtbot.wait(50)

    def heights():
        return header.height(), header.parentWidget().height(), canvas.height() + opened.along.height()

    opened.header.tell("")
    qtbot.wait(50)
    before = heights()
    opened.header.tell("a long message; " * 30)
    qtbot.waitUntil(lambda: heights()[1] > before[1] and heights()[2] < before[2])
    assert header.text.height() >= header.text.heightForWidth(header.text.width())
    opened.header.tell("")
    qtbot.waitUntil(lambda: heights() == before)


def test_what_is_done_says_so_in_the_place_of_what_was_said_before(opened, qtbot):
    opened.align.nonrigid.click()
    opened.header.cancel.click()
    wait_for_work(opened, qtbot)
    assert "cancelled" in opened.header.text.text()
    opened.align.rigid.click()
    assert opened.header.text.isHidden()
    wait_for_work(opened, qtbot)
    assert opened.header.text.text() == "register, rigid: done."
    assert not opened.header.text.isHidden()


@pytest.mark.slow
def test_solving_again_and_leaving_out_say_that_they_are_done(opened, qtbot):
    wait_until_ready(opened, qtbot)
    for each in opened.session.landmarks[:3]:
        opened.session.set_state(each.landmark.id, "accepted")
    for verb, title in ((opened.resolve, "solve again"), (opened.leave_one_out, "leave one out")):
        verb()
        wait_for_work(opened, qtbot)
        assert opened.header.text.text() == f"{title}: done."
