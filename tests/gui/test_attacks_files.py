"""Folders nobody may write, odd and long names, full disks, drags that go astray: nothing is lost."""

# ruff: noqa: E402 - without the gui extra none of the imports below would work.
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

for extra in ("psygnal", "qtpy", "napari"):
    pytest.importorskip(extra, reason="the viewer needs the gui extra: pip install coreg[gui]")
pytest.importorskip("pytestqt")

from qtpy.QtCore import QPoint, Qt
from typer.main import get_command

from coreg.cli.main import app
from coreg.io.review_files import autosave_path, read_autosave, read_review
from coreg.registration.by_hand import Adjustment
from coreg_napari.command import FROM_PLACEMENT, GUIDED, command_line
from coreg_napari.marks import pullback_xy_mm

WAIT_MS = 60_000
NOBODY = 65534
# Most of them open windows.
pytestmark = pytest.mark.slow


def open_and_wait(desk, path, qtbot):
    before = desk.window
    desk.open(path)
    qtbot.waitUntil(lambda: not desk.opening and desk.window is not before, timeout=WAIT_MS)
    return desk.window


def said(window):
    return window.header.text.text()


@contextmanager
def as_a_user():
    """Without an administrator's rights, who may write everywhere."""
    if os.geteuid():
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def read_only(desk, result):
    """A result that a user may read and not write, and a folder of their own for unsaved work."""
    # pytest's folders are closed to other users.
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        top.chmod(0o755)
        shutil.copytree(result.parent, top / "theirs", symlinks=True)
        folder = top / "theirs" / "result"
        folder.parent.chmod(0o755)
        desk.state_folder = top / "state"
        desk.state_folder.mkdir(mode=0o777)
        desk.state_folder.chmod(0o777)
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)


def test_a_result_that_a_user_cannot_write_is_signed_off_and_nothing_is_lost(
    desk, read_only, result, qtbot, tmp_path
):
    window = open_and_wait(desk, read_only, qtbot)
    kept = window.unsaved_work.places[1]
    other = read_only.parents[1] / "other"
    other.mkdir()
    other.chmod(0o777)
    with as_a_user():
        window.session.adjust(Adjustment(1.0))
        window.sign_off.approve.click()
        assert window.session.locked
        assert "Permission denied" in said(window)
        assert f"The work is kept in {kept}" in said(window)
        assert "Unsaved changes" in window.sign_off.state.text()
        assert read_autosave(kept).review.sign_off.decision == "approved"
        desk.answers[:] = ["Another folder"]
        window._ask_folder = lambda: other
        assert window.save()
        assert said(window) == f"Saved into {other}."
    assert read_review(other).sign_off.decision == "approved"
    # Else it would be offered for the first folder for ever.
    assert not kept.exists()
    assert read_review(read_only) is None


def test_unsaved_work_on_a_result_that_a_user_cannot_write_is_offered_again(desk, read_only, qtbot):
    window = open_and_wait(desk, read_only, qtbot)
    with as_a_user():
        window.session.adjust(Adjustment(1.0))
        window.autosave()
        assert "Unsaved work is kept in" in said(window)
        # As if the program had ended.
        window.close()
        desk.window = None
    desk.answers[:] = ["Take it up"]
    window = open_and_wait(desk, read_only, qtbot)
    assert "was found" in desk.asked[-1]
    assert window.session.unsaved
    assert "Placed by hand" in window.session.registration.reasons[-1]


def test_where_nothing_at_all_can_be_written_it_is_said_before_the_window_is_closed(desk, read_only, qtbot):
    window = open_and_wait(desk, read_only, qtbot)
    desk.state_folder.chmod(0o555)
    with as_a_user():
        window.session.adjust(Adjustment(1.0))
        assert not window.save()
        assert "not kept anywhere yet" in said(window)
        assert not window.may_close()


def test_a_folder_that_was_closed_to_the_user_meanwhile_loses_nothing(desk, read_only, qtbot):
    window = open_and_wait(desk, read_only, qtbot)
    read_only.parent.chmod(0o700)
    with as_a_user():
        window.session.adjust(Adjustment(1.0))
        window.autosave()
        assert "closed to you" in said(window)
        assert not window.save()
        assert f"The work is kept in {window.unsaved_work.places[1]}" in said(window)


NAMES = (
    "with space",
    "\u00fcbung \u00df",
    "\u7814\u7a76 \u30c7\u30fc\u30bf",
    'it\'s "quoted"',
    "a#b",
    "-dash",
    "~tilde $HOME `id` %s",
    "new\nline",
    "/".join(240 * letter for letter in "abcdefghij"),
)


@pytest.mark.parametrize("name", NAMES, ids=lambda name: name[:6].encode("unicode_escape").decode())
def test_a_folder_of_any_name_is_opened_saved_and_recovered(desk, result, qtbot, tmp_path, name):
    folder = tmp_path / name / "result"
    shutil.copytree(result.parent, folder.parent, symlinks=True)
    window = open_and_wait(desk, folder, qtbot)
    window.session.adjust(Adjustment(1.0))
    assert window.save()
    window.session.adjust(Adjustment(2.0))
    window.autosave()
    assert autosave_path(folder).exists()
    words = shlex.split(window.session.command, comments=True)
    assert words[:5] == ["coreg", "register", str(folder.parent / "case" / "case.toml"), "--out", str(folder)]
    window.close()
    desk.window = None
    desk.answers[:] = ["Take it up"]
    window = open_and_wait(desk, folder, qtbot)
    assert window.session.unsaved


def parsed(line):
    """What ``coreg register`` understands of a line that a shell was given."""
    command = get_command(app).commands["register"]
    words = shlex.split(line, comments=True)
    assert words[:2] == ["coreg", "register"]
    return command.make_context("register", words[2:]).params


@pytest.mark.parametrize("name", ["-dash", "--help", "a b#c", "it's"])
def test_the_command_of_a_case_that_was_named_from_its_own_folder_is_understood(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    case = tmp_path / name / "case.toml"
    case.parent.mkdir()
    case.write_text("", encoding="utf-8")
    line = command_line(Path(name) / "case.toml", Path(name), (GUIDED, FROM_PLACEMENT), by_hand="it's moved")
    found = parsed(line)
    assert found["case"] == case
    assert found["out"] == tmp_path / name


def test_what_is_copied_has_no_comment_that_a_prompt_may_take_for_words(desk, result, qtbot):
    from qtpy.QtWidgets import QApplication

    window = open_and_wait(desk, result, qtbot)
    window.session.adjust(Adjustment(1.0))
    window.align.copy.click()
    copied = QApplication.clipboard().text()
    assert copied
    assert window.session.command.startswith(f"{copied}  # then by hand: ")
    assert "by hand is not in it" in said(window)


def test_a_long_name_does_not_widen_the_window(desk, result, qtbot, tmp_path):
    folder = tmp_path / (200 * "x") / "result"
    shutil.copytree(result.parent, folder.parent, symlinks=True)
    window = open_and_wait(desk, folder, qtbot)
    window.sign_off.verdict.setText(300 * "w")
    # Behind another tab, the header says it too.
    window.landmarks.tell(str(folder))
    window.header.tell(f"Saved into {folder}.")
    for widget in (window.header, window.align, window.landmarks, window.sign_off):
        assert widget.minimumSizeHint().width() < 800, widget
    assert window.header.text.toolTip() == f"Saved into {folder}."


@pytest.mark.skipif(os.name != "posix", reason="other systems have no such names")
def test_a_name_that_is_not_utf_8_is_refused_and_the_program_goes_on(desk, result, qtbot, tmp_path):
    window = open_and_wait(desk, result, qtbot)
    other = tmp_path / os.fsdecode(b"bad\xff")
    try:
        shutil.copytree(result.parent, other, symlinks=True, ignore=shutil.ignore_patterns("bad*"))
    except OSError:
        pytest.skip("this file system has no such names")
    desk.open(other / "result")
    qtbot.waitUntil(lambda: bool(desk.last_error), timeout=WAIT_MS)
    assert "bad?" in desk.last_error
    assert "not UTF-8" in desk.last_error
    assert desk.window is window
    window.session.adjust(Adjustment(1.0))
    assert window.save()


class Mouse:
    """A real mouse on a window's cross-sections."""

    def __init__(self, window, qtbot):
        self.window, self.qtbot = window, qtbot
        self.canvas = window.viewer.window._qt_viewer.canvas.native

    def pixel(self, view, xy_mm):
        """Pixel of a place in a section."""
        y, x = self.window.sections.drawn_at(view, np.asarray(xy_mm))
        camera = self.window.viewer.scene.camera
        right, down = (x - camera.center[-1]) * camera.zoom, (y - camera.center[-2]) * camera.zoom
        return QPoint(round(0.5 * self.canvas.width() + right), round(0.5 * self.canvas.height() + down))

    def press(self, at, button=Qt.MouseButton.LeftButton):
        self.qtbot.mousePress(self.canvas, button, pos=at)
        self.qtbot.wait(20)

    def move(self, at):
        self.qtbot.mouseMove(self.canvas, at)
        self.qtbot.wait(20)

    def release(self, at, button=Qt.MouseButton.LeftButton):
        self.qtbot.mouseRelease(self.canvas, button, pos=at)
        self.qtbot.wait(20)

    def drag(self, start, end, button=Qt.MouseButton.LeftButton):
        self.press(start, button)
        for share in (0.1, 0.4, 0.7, 1.0):
            self.move(start + (end - start) * share)
        self.release(end, button)


@pytest.fixture
def ring(desk, result, qtbot):
    """A mouse, the id of a landmark that is shown, and the pixel of its ring in the pullback."""
    window = open_and_wait(desk, result, qtbot)
    # The view in space comes last, and takes its room.
    qtbot.waitUntil(lambda: window.space is not None, timeout=WAIT_MS)
    qtbot.wait(300)
    mouse, session = Mouse(window, qtbot), window.session
    reviewed = next(each for each in session.landmarks if each.landmark.paired)
    session.select(reviewed.landmark.id)
    session.select("", jump=False)
    qtbot.wait(50)
    return mouse, reviewed.landmark.id, mouse.pixel("pullback", pullback_xy_mm(reviewed))


def test_a_ring_goes_where_it_is_dragged_and_undo_brings_it_back(ring):
    mouse, name, at = ring
    session = mouse.window.session
    before = session.landmark(name)
    mouse.drag(at, mouse.pixel("pullback", (-0.8, 0.9)))
    assert session.selected == name
    pixel_mm = 1.0 / mouse.window.viewer.scene.camera.zoom
    np.testing.assert_allclose(pullback_xy_mm(session.landmark(name)), (-0.8, 0.9), atol=pixel_mm)
    assert session.landmark(name).state == "corrected"
    mouse.window.align.undo.click()
    assert session.landmark(name) is before


def test_a_ring_that_is_dragged_out_of_its_section_stays_where_it_was(ring):
    mouse, _name, at = ring
    session = mouse.window.session
    before = session.work
    # Over the middle of the other section, and out of the window.
    for end in (mouse.pixel("ccta", (0.0, 0.0)), QPoint(-300, -200)):
        mouse.drag(at, end)
        assert session.work is before
        assert "nothing was set" in said(mouse.window)
    assert mouse.window.viewer.scene.camera.mouse_pan


def test_a_ring_of_a_signed_review_or_under_another_button_stays(ring):
    mouse, _name, at = ring
    session = mouse.window.session
    before, there = session.work, mouse.pixel("pullback", (-0.8, 0.9))
    mouse.drag(at, there, Qt.MouseButton.RightButton)
    assert session.work is before
    mouse.window.sections.fit()
    session.sign_off("approved")
    mouse.drag(at, there)
    assert session.work is before
    assert "signed off" in said(mouse.window)


def test_a_ring_that_is_held_while_another_case_comes_changes_neither(ring, desk, result, qtbot):
    mouse, _name, at = ring
    first, there = mouse.window, mouse.pixel("pullback", (-0.8, 0.9))
    before = first.session.work
    mouse.press(at)
    mouse.move(there)
    second = open_and_wait(desk, result, qtbot)
    mouse.release(there)
    assert first.session.work is before
    assert not second.session.undo_label
    assert second.viewer.scene.camera.mouse_pan


@pytest.fixture
def full_disk(result):
    """A result on a disk of its own that has no room left."""
    with tempfile.TemporaryDirectory() as name:
        mount = [shutil.which("mount") or "mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", name]
        if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
            pytest.skip("only an administrator can make a small disk")
        try:
            folder = Path(name)
            shutil.copy(result / "registration.json", folder)
            (folder / "fill").write_bytes(bytes(shutil.disk_usage(folder).free))
            yield folder
        finally:
            subprocess.run([shutil.which("umount") or "umount", "--lazy", name], check=False)


def test_a_full_disk_loses_nothing_and_is_saved_to_once_there_is_room(desk, full_disk, result, qtbot):
    desk.open(full_disk, case=result.parent / "case")
    qtbot.waitUntil(lambda: desk.window is not None and not desk.opening, timeout=WAIT_MS)
    window = desk.window
    before = {each.name for each in full_disk.iterdir()}
    window.session.adjust(Adjustment(1.0))
    window.sign_off.approve.click()
    assert "No space left on device" in said(window)
    kept = window.unsaved_work.places[1]
    assert read_autosave(kept).review.sign_off.decision == "approved"
    assert {each.name for each in full_disk.iterdir()} == before
    (full_disk / "fill").unlink()
    assert window.save()
    assert read_review(full_disk).sign_off.decision == "approved"
    assert not kept.exists()


def test_a_folder_that_was_renamed_meanwhile_is_made_anew_and_said_so(desk, result, qtbot):
    window = open_and_wait(desk, result, qtbot)
    window.session.adjust(Adjustment(1.0))
    result.rename(result.with_name("renamed"))
    assert window.save()
    assert "which was gone and is made anew" in said(window)
    assert read_review(result) is not None


def test_a_review_with_all_landmarks_rejected_offers_no_guides_and_is_signed_off(desk, result, qtbot):
    window = open_and_wait(desk, result, qtbot)
    session = window.session
    for each in session.landmarks:
        session.set_state(each.landmark.id, "rejected")
    qtbot.waitUntil(lambda: session.solved is not None, timeout=WAIT_MS)
    window.tabs.setCurrentWidget(window.landmarks)
    assert not window.landmarks.resolve.isEnabled()
    assert not window.landmarks.leave_out.isEnabled()
    for refused in (window.resolve, window.leave_one_out):
        window.header.tell("")
        refused()
        assert said(window).startswith("Accept")
        assert not window.busy
    window.landmarks.compare_with(result.parent / "case" / "landmarks.csv")
    assert "No accepted landmark has the same id in both" in window.landmarks.message.text()
    window.sign_off.approve.click()
    assert {each.state for each in read_review(result).landmarks} == {"rejected"}


def test_a_window_that_is_closed_right_after_a_case_was_made_opens_nothing(desk, result, qtbot):
    desk.open_made("Making", lambda _tell: result)
    # Qt calls what was read one turn later; a reader may close the window in between.
    qtbot.waitUntil(lambda: not desk.opening, timeout=WAIT_MS)
    opened = []
    desk.open = opened.append
    desk.viewer.close()
    desk._shown(lambda: opened.append("shown"))
    qtbot.wait(100)
    assert desk.closed
    assert not opened
    assert not desk.last_error


@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="needs Xvfb")
def test_a_screen_without_glx_is_a_line_and_status_3(tmp_path):
    with (tmp_path / "number").open("w+") as number:
        # The server picks a free number, and writes it once it is ready.
        command = ["Xvfb", "-displayfd", str(number.fileno()), "-extension", "GLX"]
        with subprocess.Popen(
            command, pass_fds=[number.fileno()], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as server:
            try:
                display = _number_of(Path(number.name))
                words = [sys.executable, "-c", "from coreg.cli.main import main; main()", "view", "."]
                done = subprocess.run(
                    words,
                    capture_output=True,
                    text=True,
                    env={**os.environ, "DISPLAY": f":{display}"},
                    timeout=100,
                    check=False,
                )
            finally:
                server.terminate()
    assert done.returncode == 3, done.stderr
    assert "found no OpenGL" in done.stderr
    assert "Traceback" not in done.stderr


def _number_of(path):
    end = time.monotonic() + 20.0
    while not path.read_text(encoding="utf-8").strip():
        assert time.monotonic() < end, "the server does not start"
        time.sleep(0.05)
    return path.read_text(encoding="utf-8").strip()
