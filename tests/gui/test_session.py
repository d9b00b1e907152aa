"""The session without a screen: what is done, undone, locked and saved."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("psygnal", reason="the viewer needs the gui extra: pip install coreg[gui]")

from coreg.io.landmark_files import read_landmarks
from coreg.io.results import read_registration
from coreg.io.reviewable import open_reviewable
from coreg.registration.by_hand import Adjustment
from coreg.validation import frame_errors
from coreg_napari.command import FROM_PLACEMENT, GUIDED, RIGID, command_line, how_of
from coreg_napari.history import History
from coreg_napari.session import LockedError, Session


@pytest.fixture
def session(result):
    times = iter(f"2026-01-01T00:00:{i:02d}Z" for i in range(60))
    return Session(open_reviewable(result), reviewer="R1", now=lambda: next(times))


def along_mm(path, truth):
    return np.nanmean(np.abs(frame_errors(path, truth).error_mm))


def test_undo_and_redo_walk_the_history_and_a_new_step_ends_what_was_undone():
    history = History("a")
    history.push("b", "to b")
    history.push("c", "to c")
    assert (history.undo(), history.undo(), history.undo()) == ("b", "a", "a")
    assert history.redo_label == "to b"
    assert (history.redo(), history.undo_label) == ("b", "to b")
    history.push("d", "to d")
    assert (history.redo_label, history.present) == ("", "d")


def test_a_deliberate_error_is_removed_by_the_opposite_adjustment(wrong, truth):
    session = Session(open_reviewable(wrong), reviewer="R1")
    assert along_mm(session.path, truth) > 2.0
    session.adjust(Adjustment(-7 * session.case.pullback.frame_spacing_mm, np.radians(-40.0)))
    found = frame_errors(session.path, truth)
    # The moved path is smoothed along the centerline, so that it comes back to a tenth of a millimetre.
    assert np.nanmean(np.abs(found.error_mm)) < 0.1
    assert np.nanmean(np.abs(found.error_deg)) < 1.0


def test_undo_gives_back_the_very_path_and_is_kept_in_the_audit_trail(session):
    before = session.path
    session.adjust(Adjustment(1.0))
    assert session.path is not before
    session.undo()
    assert session.path is before
    session.redo()
    assert session.adjustment.shift_mm == 1.0
    assert [each.action for each in session.review.events] == ["place by hand", "undo", "redo"]
    assert session.review.events[0].detail == "shifted by +1.00 mm"


def test_what_was_undone_again_is_nothing_to_be_saved_but_a_decision_is(session):
    session.adjust(Adjustment(1.0))
    session.set_state(session.landmarks[0].landmark.id, "accepted")
    session.undo()
    assert session.unsaved
    session.undo()
    assert not session.unsaved
    session.redo()
    assert session.unsaved
    session.save()
    session.undo()
    assert session.unsaved
    session.redo()
    assert not session.unsaved
    session.sign_off("approved")
    session.reopen()
    # The audit trail keeps both.
    assert session.unsaved


def test_a_comment_that_was_taken_back_is_nothing_to_be_saved(session):
    session.set_comment("hm")
    assert session.unsaved
    session.set_comment("")
    assert not session.unsaved


def test_dragging_leaves_no_steps_behind_until_the_slider_is_let_go(session):
    for shift in (0.1, 0.2, 0.3):
        session.preview(Adjustment(shift))
    assert (session.adjustment.shift_mm, session.undo_label, session.unsaved) == (0.3, "", False)
    session.adjust(Adjustment(0.3))
    session.undo()
    assert (session.adjustment.is_none, session.undo_label) == (True, "")


def test_a_corrected_landmark_has_the_reader_and_its_error_follows(session):
    first = session.landmarks[0].landmark
    away = session.errors()[first.id].error_frames
    session.set_pullback_half(first.id, row=session.shown_row(first) + 5, xy_mm=np.array([0.0, 1.5]))
    changed = session.landmark(first.id)
    assert (changed.state, changed.reviewer) == ("corrected", "R1")
    assert np.degrees(changed.landmark.angle_rad) == pytest.approx(90.0)
    # Five rows distally are five frames earlier, so the expected frame is five less.
    assert session.errors()[first.id].error_frames == pytest.approx(away + 5.0, abs=0.51)


def test_only_accepted_and_corrected_pairs_guide(session):
    names = [each.landmark.id for each in session.landmarks]
    session.set_state(names[0], "accepted")
    session.set_state(names[1], "rejected")
    half = session.add_landmark()
    session.set_pullback_half(half, row=30, xy_mm=np.array([1.0, 0.0]))
    assert [each.id for each in session.accepted] == [names[0]]
    session.set_ccta_half(half, np.array([1.0, 2.0, 3.0]))
    assert [each.id for each in session.accepted] == [names[0], half]
    assert session.landmark(half).origin == "manual"


def test_a_signed_off_review_is_locked_until_it_is_reopened(session):
    session.set_comment("fine")
    session.sign_off("approved")
    name = session.landmarks[0].landmark.id
    for change in (
        lambda: session.adjust(Adjustment(1.0)),
        lambda: session.preview(Adjustment(1.0)),
        lambda: session.set_state(name, "accepted"),
        lambda: session.add_landmark(),
        lambda: session.undo(),
        lambda: session.set_comment("no"),
    ):
        with pytest.raises(LockedError, match="signed off"):
            change()
    session.reopen()
    session.adjust(Adjustment(1.0))
    assert [each.action for each in session.review.events] == [
        "sign off: approved",
        "reopen",
        "place by hand",
    ]


def test_nobody_signs_off_without_a_name(session):
    session.reviewer = " "
    with pytest.raises(ValueError, match="who reviews"):
        session.sign_off("approved")


def test_what_was_saved_is_what_is_opened_again(session, result):
    session.adjust(Adjustment(0.7, 0.2))
    name = session.landmarks[0].landmark.id
    session.set_state(name, "accepted")
    session.set_comment("moved")
    session.sign_off("approved")
    assert session.unsaved
    session.save()
    assert not session.unsaved
    again = Session(open_reviewable(result), reviewer="R2")
    for field in ("origin_mm", "column", "row", "arc_length_mm", "rotation_rad"):
        np.testing.assert_array_equal(getattr(again.path, field), getattr(session.path, field))
    assert again.locked
    assert again.review.events == session.review.events
    assert [each.state for each in again.landmarks] == [each.state for each in session.landmarks]
    assert again.registration.verdict == "review"
    assert "by hand" in again.registration.reasons[-1]
    # The landmarks of the review are readable as any landmarks, those that were accepted.
    assert [each.id for each in read_landmarks(result / "landmarks_reviewed.csv")] == [name]
    # The program's own result stays as it was.
    untouched = read_registration(result).path.origin_mm[0]
    assert untouched == pytest.approx(session.registration.path.origin_mm[0])


def test_the_command_repeats_what_was_done(session, result):
    session.set_registration(session.registration, "x", how=(GUIDED, FROM_PLACEMENT))
    line = session.command
    assert line.startswith("coreg register ")
    assert f"--landmarks {result / 'landmarks_reviewed.csv'}" in line
    assert f"--start {result / 'registration_reviewed.json'}" in line
    session.adjust(Adjustment(1.0))
    assert session.command.endswith("shifted by +1.00 mm; the result is in registration_reviewed.json")


@pytest.mark.parametrize("how", [(), RIGID, (FROM_PLACEMENT,), (GUIDED,), (GUIDED, FROM_PLACEMENT)])
def test_how_a_registration_was_made_is_read_back_from_its_command(tmp_path, how):
    folder = tmp_path / "a result --use-landmarks"
    assert how_of(command_line(tmp_path / "case.toml", folder, how, by_hand="--start 'x")) == how


@pytest.mark.parametrize(
    "line", ["", "rm -rf /", "coreg register 'x", "coreg register c --method wild --start"]
)
def test_of_another_command_nothing_is_taken(line):
    assert how_of(line) == ()


def test_the_command_repeats_what_was_done_before_it_was_opened_again(session, result):
    name = session.landmarks[0].landmark.id
    session.set_registration(session.registration, "x", how=(GUIDED,))
    session.adjust(Adjustment(turn_rad=np.radians(50.0)))
    before = session.command
    session.save()
    again = Session(open_reviewable(result), reviewer="R1")
    assert again.command == before
    again.set_state(name, "accepted")
    again.save()
    third = Session(open_reviewable(result), reviewer="R1")
    assert third.command == before
    assert third.bare_command.endswith("landmarks_reviewed.csv")
    third.adjust(Adjustment(1.0))
    assert "by hand: turned by +50 degrees, then shifted by +1.00 mm; the" in third.command
    assert third.by_hand == "turned by +50 degrees, then shifted by +1.00 mm"


def test_the_command_repeats_what_was_done_before_work_was_recovered(session, result):
    session.set_registration(session.registration, "x", how=RIGID)
    session.adjust(Adjustment(0.5))
    again = Session(open_reviewable(result), reviewer="R1")
    again.recover(session.review, session.outcome())
    assert again.command == session.command
    again.set_registration(again.opened.registration, "x")
    assert again.by_hand == ""
    again.undo()
    assert again.command == session.command


def test_back_to_registration_also_takes_back_what_was_saved_by_hand(session, result):
    program = session.registration
    assert session.before_hand is None
    session.adjust(Adjustment(1.0, 0.3))
    assert session.before_hand is program
    session.save()
    again = Session(open_reviewable(result), reviewer="R1")
    assert not np.allclose(again.path.origin_mm[5], program.path.origin_mm[5])
    again.adjust(Adjustment(0.5))
    again.go_back()
    np.testing.assert_array_equal(again.path.origin_mm, program.path.origin_mm)
    assert (again.by_hand, again.registration.verdict, again.before_hand) == ("", program.verdict, None)
    assert again.review.events[-1].action == "back to the program's registration"
    again.undo()
    again.undo()
    assert again.by_hand.endswith("turned by +17 degrees")


def test_back_to_registration_takes_back_what_was_recovered(session, result):
    session.adjust(Adjustment(1.0))
    again = Session(open_reviewable(result), reviewer="R1")
    again.recover(session.review, session.outcome())
    again.go_back()
    np.testing.assert_array_equal(again.path.origin_mm, session.registration.path.origin_mm)


def test_without_the_programs_own_file_only_what_is_new_by_hand_is_taken_back(session, result):
    session.adjust(Adjustment(1.0))
    session.save()
    (result / "registration.json").unlink()
    again = Session(open_reviewable(result), reviewer="R1")
    assert again.before_hand is None
    again.adjust(Adjustment(0.5))
    again.go_back()
    assert again.adjustment.is_none
    assert again.by_hand == "shifted by +1.00 mm"


def test_a_program_file_that_is_broken_keeps_no_review_from_being_opened(session, result):
    session.save()
    (result / "registration.json").write_text("{", encoding="utf-8")
    assert open_reviewable(result).found is None


def test_paths_with_spaces_are_quoted_in_the_command(tmp_path):
    line = command_line(tmp_path / "a case" / "case.toml", None, ("--method", "rigid"))
    assert f"'{tmp_path}/a case/case.toml'" in line


@pytest.mark.parametrize("mirrored", [False, True])
def test_turned_by_an_angle_the_ccta_turns_by_that_angle_in_the_image(session, mirrored):
    start = Adjustment(mirrored=mirrored)
    session.adjust(start)
    row, middle = session.row + 20, session.centre_mm[session.row + 20]
    session.go_to_row(row)

    def direction(at):
        offset = at - session.path.origin_mm[row]
        xy = np.array([offset @ session.path.column[row], offset @ session.path.row[row]]) - middle
        return np.arctan2(xy[1], xy[0])

    place = session.path.to_world(np.array([float(row)]), middle[None] + [[0.9, 0.3]])[0]
    before = direction(place)
    session.adjust(session.turned(np.radians(25.0), start))
    assert np.degrees(direction(place) - before) == pytest.approx(25.0, abs=1.0)


def test_steps_of_the_slider_go_on_over_frames_that_have_no_outline(session):
    # Of a case with contours in every fifth frame.
    session.frames = session.frames[::5]
    known = np.sort(session.frames)
    session.step_to_frame(int(known[3]))
    assert session.frame == known[3]
    session.step_to_frame(int(known[3]) + 1)
    assert session.frame == known[4]
    session.step_to_frame(int(known[4]) - 1)
    assert session.frame == known[3]
    session.step_to_frame(int(known[-1]) + 3)
    assert session.frame == known[-1]


def test_the_nearest_frame_is_found(session):
    session.go_to_frame(42.4)
    assert session.frame == 42
    seen = []
    session.frame_changed.connect(seen.append)
    session.go_to_row(session.row)
    assert seen == []
    session.go_to_row(10_000)
    assert session.row == len(session.frames) - 1


def test_a_reviewed_registration_by_hand_is_no_good_verdict_any_more(session):
    assert session.registration.verdict == "good"
    session.adjust(Adjustment(0.1))
    assert session.outcome().verdict == "review"
    bad = replace(session.registration, verdict="failed")
    session.set_registration(bad, "x")
    session.adjust(Adjustment(0.1))
    assert session.outcome().verdict == "failed"
