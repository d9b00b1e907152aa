"""A case under review: what is looked at, what was done to it, and what can be undone. Knows no screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from coreg.case import Case
from coreg.catheter_path import VirtualCatheterPath
from coreg.io.review_files import save_review
from coreg.io.reviewable import Reviewable
from coreg.landmarks import Kind, Landmark
from coreg.registration import Solved
from coreg.registration.by_hand import Adjustment, LocalPoses, lumen_centres
from coreg.registration.likeness import Likeness
from coreg.result import Registration
from coreg.review import Decision, Event, Review, ReviewedLandmark, SignOff, State
from coreg.validation import LandmarkError, landmark_errors, paired_branches
from coreg_napari.command import command_line, how_of
from coreg_napari.history import History

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BY_HAND = "Placed by hand by a reader"
# How events begin that the audit trail keeps whatever was done then.
NEVER_UNDONE = ("sign off", "reopen", "recover")
GUIDED_STEP = "solve again with landmarks"
LONGEST_NAME = 64
# Beside a frame's number, where a reader may think of the console's, which counts from 1.
FILE_FRAME = "file"
# By hand; what is farther off is better searched anew.
MOST_SHIFT_MM = 20.0


class LockedError(RuntimeError):
    """A signed-off review was to be changed."""


@dataclass(frozen=True, eq=False)
class Work:
    """What can be undone.

    Attributes
    ----------
    registration : Registration or None
        By the program, or as it was opened.
    adjustment : Adjustment
        By hand, on top of it.
    landmarks : tuple of ReviewedLandmark
        All of them, rejected ones too.
    how : tuple of str
        Options of ``coreg register`` that make the registration.
    """

    registration: Registration | None
    adjustment: Adjustment
    landmarks: tuple[ReviewedLandmark, ...]
    how: tuple[str, ...] = ()


def utc_now() -> str:
    """Time in ISO 8601, in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


class Session:
    """One case under review.

    Parameters
    ----------
    opened : Reviewable
        As read from files.
    reviewer : str
        Who reviews.
    now : callable
        Gives the time of an event.
    """

    frame_changed = Signal(int)
    path_changed = Signal()
    landmarks_changed = Signal()
    selection_changed = Signal(str)
    view_changed = Signal()
    blinded_changed = Signal(bool)
    review_changed = Signal()
    prepared_changed = Signal()

    def __init__(self, opened: Reviewable, *, reviewer: str = "", now: Callable[[], str] = utc_now) -> None:
        self.opened = opened
        self.reviewer = reviewer
        self._now = now
        self._review = opened.review or Review(opened.case.id)
        how = how_of(self._review.command)
        self._history = History(Work(opened.registration, Adjustment(), _landmarks_of(opened), how))
        self._found = opened.found
        self._preview: Adjustment | None = None
        self._saved = self._signature
        self._row = 0
        self._cut_angle_rad = 0.0
        self._blinded = False
        self._selected = ""
        self.solved: Solved | None = None
        self.likeness: Likeness | None = None
        self.left_out: dict[str, LandmarkError] = {}
        self._path: VirtualCatheterPath | None = None
        self._local: LocalPoses | None = None
        self._met: dict[tuple[float, ...], tuple[float, FloatArray] | None] = {}
        self._met_on: VirtualCatheterPath | None = None
        if self.path is not None:
            self._row = int(np.flatnonzero(self.path.posed)[0]) if self.path.posed.any() else 0

    # What is looked at.

    @property
    def case(self) -> Case:
        """The case, with all its images."""
        return self.opened.case

    @cached_property
    def frames(self) -> IntArray:
        """Acquisition index of each row, proximal to distal, shape (N,)."""
        return self.case.pullback.frame

    @property
    def centre_mm(self) -> FloatArray:
        """Middle of each row's lumen in its image, shape (N, 2); in line between outlined frames."""
        return self.local_poses.centre_mm

    @property
    def row(self) -> int:
        """Row of the path that all views show."""
        return self._row

    @property
    def frame(self) -> int:
        """Acquisition index of the frame that all views show."""
        return int(self.frames[self._row])

    def go_to_row(self, row: int) -> None:
        """Show a row, the nearest there is."""
        row = int(np.clip(row, 0, len(self.frames) - 1))
        if row != self._row:
            self._row = row
            self.frame_changed.emit(row)

    def go_to_frame(self, frame: float) -> None:
        """Show the frame nearest to an acquisition index."""
        self.go_to_row(int(np.abs(self.frames - frame).argmin()))

    def step_to_frame(self, frame: int) -> None:
        """Show a frame; where it has no row, the next one that has, in the direction of the step."""
        onward = self.frames >= frame if frame >= self.frame else self.frames <= frame
        # Beyond the last one there is none to go on to.
        rows = np.flatnonzero(onward) if onward.any() else np.arange(len(self.frames))
        self.go_to_row(int(rows[np.abs(self.frames[rows] - frame).argmin()]))

    @property
    def cut_angle_rad(self) -> float:
        """Angle of the longitudinal cuts in the image, from +column towards +row."""
        return self._cut_angle_rad

    @cut_angle_rad.setter
    def cut_angle_rad(self, angle_rad: float) -> None:
        if angle_rad != self._cut_angle_rad:
            self._cut_angle_rad = angle_rad
            self.view_changed.emit()

    @property
    def blinded(self) -> bool:
        """Whether each modality is shown without what the other one says of it."""
        return self._blinded

    @blinded.setter
    def blinded(self, blinded: bool) -> None:
        if blinded != self._blinded:
            self._blinded = blinded
            self.view_changed.emit()
            self.blinded_changed.emit(blinded)

    @property
    def selected(self) -> str:
        """Id of the landmark that clicks set; empty for none."""
        return self._selected

    def select(self, name: str, *, jump: bool = True) -> None:
        """Select a landmark, and show it in every view."""
        self._selected = name
        landmark = self.landmark(name).landmark if name else None
        # Where the path meets the other half would tell a blinded reader what to find.
        told = landmark is not None and landmark.frame is None and self.blinded
        if jump and landmark is not None and not told:
            row = self.shown_row(landmark)
            if row is not None:
                self.go_to_row(row)
        self.selection_changed.emit(name)

    # What was done to it.

    @property
    def reviewer(self) -> str:
        """Who reviews, in one line."""
        return self._reviewer

    @reviewer.setter
    def reviewer(self, name: str) -> None:
        self._reviewer = " ".join(name.split())[:LONGEST_NAME]

    @property
    def work(self) -> Work:
        """What can be undone, as it is now."""
        return self._history.present

    @property
    def registration(self) -> Registration | None:
        """By the program, before anything was moved by hand."""
        return self.work.registration

    @property
    def adjustment(self) -> Adjustment:
        """By hand, also while a slider is being dragged."""
        return self.work.adjustment if self._preview is None else self._preview

    @property
    def path(self) -> VirtualCatheterPath | None:
        """The poses that all views show; None while nothing is registered."""
        if self._path is None and self.registration is not None:
            none = self.adjustment.is_none
            self._path = self.registration.path if none else self.path_with(self.adjustment)
        return self._path

    def path_with(self, adjustment: Adjustment) -> VirtualCatheterPath:
        """Return the registration's path as another adjustment would have it."""
        return self.local_poses.adjusted(adjustment)

    @property
    def local_poses(self) -> LocalPoses:
        """The registration's path taken apart, ready to be moved."""
        registration = self._known()
        if self._local is None or self._local.path is not registration.path:
            centres = lumen_centres(registration.path, self.case.pullback)
            self._local = LocalPoses.of(registration.path, registration.centerline, centres)
        return self._local

    def shifted(self, by_mm: float, start: Adjustment) -> Adjustment:
        """Shift a placement along the vessel, no farther than is allowed by hand."""
        shift_mm = float(np.clip(start.shift_mm + by_mm, -MOST_SHIFT_MM, MOST_SHIFT_MM))
        return replace(start, shift_mm=shift_mm)

    def turned(self, by_rad: float, start: Adjustment) -> Adjustment:
        """Turn what the CCTA shows in the current frame's image, about the lumen's middle, from +x to +y."""
        sense = self.local_poses.sense[self._row] * (-1.0 if start.mirrored else 1.0)
        # Against the images turned the other way, seen from the same side.
        turn_rad = float(np.angle(np.exp(1j * (start.turn_rad - sense * by_rad))))
        return replace(start, turn_rad=turn_rad)

    def preview(self, adjustment: Adjustment) -> None:
        """Show a placement while it is being dragged; nothing is recorded."""
        self._check_movable()
        self._preview = adjustment
        self._moved()

    def adjust(self, adjustment: Adjustment) -> None:
        """Place by hand; one step of undo.

        Raises
        ------
        LockedError
            If the review is signed off.
        ValueError
            If nothing is registered yet, or no frame has a place.
        """
        self._check_movable()
        self._preview = None
        if adjustment == self.work.adjustment:
            self._moved()
            return
        self._push(replace(self.work, adjustment=adjustment), "place by hand", adjustment_text(adjustment))
        self._moved()

    def set_registration(
        self, registration: Registration, label: str, *, how: Sequence[str] = (), detail: str = ""
    ) -> None:
        """Take another registration of the program; what was moved by hand is in it or gone."""
        self._check_open()
        self._preview = None
        work = replace(self.work, registration=registration, adjustment=Adjustment(), how=tuple(how))
        if not work.landmarks:
            work = replace(work, landmarks=_found_landmarks(self.case, registration.path))
        self.left_out = {}
        self._push(work, label, detail)
        self._moved()
        self.landmarks_changed.emit()

    @property
    def before_hand(self) -> Registration | None:
        """The program's registration that `go_back` takes; None where there is nothing to go back to."""
        now, found, moved = self.registration, self._found, not self.work.adjustment.is_none
        if now is not None and moved and (found is None or not _by_hand(now, Adjustment())):
            return now
        there = now is not None and not moved and found is not None and _same_path(now.path, found.path)
        return None if there else found

    def go_back(self) -> None:
        """Take back what was done by hand; of what is in files already, with the program's registration.

        Raises
        ------
        LockedError
            If the review is signed off.
        """
        before = self.before_hand
        if before is not None and before is self.registration:
            self.adjust(Adjustment())
        elif before is not None:
            self.set_registration(before, "back to the program's registration")

    def take_first(self, registration: Registration) -> None:
        """Take the program's first registration of a case that came without one; not a step of undo."""
        landmarks = self.work.landmarks or _found_landmarks(self.case, registration.path)
        self._history = History(Work(registration, Adjustment(), landmarks))
        self._found = registration
        self._saved = (self._history.present, *self._saved[1:])
        self._moved()
        self.landmarks_changed.emit()

    @property
    def undo_label(self) -> str:
        """What undo would take back; empty where there is nothing."""
        return self._history.undo_label

    @property
    def redo_label(self) -> str:
        """What redo would do again; empty where there is nothing."""
        return self._history.redo_label

    def undo(self) -> None:
        """Take the last step back."""
        self._travel("undo", self._history.undo_label, self._history.undo)

    def redo(self) -> None:
        """Do the step again that was taken back."""
        self._travel("redo", self._history.redo_label, self._history.redo)

    def _travel(self, action: str, label: str, go: Callable[[], Work]) -> None:
        self._check_open()
        if not label:
            return
        self._preview = None
        # Measured on another path, or of other landmarks.
        self.left_out = {}
        go()
        self._record(action, label)
        self._moved()
        self.landmarks_changed.emit()
        if self._selected not in {each.landmark.id for each in self.landmarks}:
            self.select("")

    # Landmarks.

    @property
    def landmarks(self) -> tuple[ReviewedLandmark, ...]:
        """All landmarks."""
        return self.work.landmarks

    @property
    def accepted(self) -> tuple[Landmark, ...]:
        """Landmarks that may guide: accepted or corrected, with both halves."""
        return tuple(each.landmark for each in self.landmarks if each.counts)

    def landmark(self, name: str) -> ReviewedLandmark:
        """Return the landmark of an id.

        Raises
        ------
        KeyError
            If there is none.
        """
        found = [each for each in self.landmarks if each.landmark.id == name]
        if not found:
            raise KeyError(name)
        return found[0]

    def errors(self) -> dict[str, LandmarkError]:
        """Errors at all complete landmarks on the path that is shown, by id."""
        if self.path is None:
            return {}
        found = landmark_errors(self.path, [each.landmark for each in self.landmarks])
        return {each.id: each for each in found}

    def met(self, landmark: Landmark) -> tuple[float, FloatArray] | None:
        """Where the path that is shown meets a landmark's place in the CCTA.

        Returns
        -------
        tuple of float and (2,) array, or None
            Fractional row, and image mm there; None where there is no such place, or no plane meets it.
        """
        path = self.path
        if path is None or landmark.world_mm is None:
            return None
        if self._met_on is not path:
            self._met, self._met_on = {}, path
        key = tuple(landmark.world_mm.tolist())
        if key not in self._met:
            found = path.to_pullback(landmark.world_mm)
            known = bool(np.isfinite(found.row[0]))
            self._met[key] = (float(found.row[0]), found.xy_mm[0]) if known else None
        return self._met[key]

    def shown_row(self, landmark: Landmark) -> int | None:
        """Row in which a landmark is seen: its own frame, else where the path passes its place."""
        if landmark.frame is not None:
            return int(np.abs(self.frames - landmark.frame).argmin())
        met = self.met(landmark)
        return None if met is None else round(met[0])

    def set_state(self, name: str, state: State) -> None:
        """Accept, reject or reopen a landmark."""
        if state != self.landmark(name).state:
            self._change(replace(self.landmark(name), state=state), f"{name}: {state}", "")

    def set_pullback_half(self, name: str, *, row: int, xy_mm: FloatArray) -> None:
        """Set where the pullback shows a landmark: in a row's image, mm from the catheter."""
        angle, radius = float(np.arctan2(xy_mm[1], xy_mm[0])), float(np.hypot(*xy_mm))
        frame = float(self.frames[row])
        before = self.landmark(name)
        landmark = replace(before.landmark, frame=frame, angle_rad=angle, radius_mm=radius)
        detail = f"frame {frame:g}, {np.degrees(angle):.0f} degrees, {radius:.2f} mm from the catheter"
        self._change(_corrected(before, landmark), f"{name}: set in the pullback", detail)

    def set_ccta_half(self, name: str, world_mm: FloatArray) -> None:
        """Set where the CCTA shows a landmark, in LPS mm."""
        before = self.landmark(name)
        landmark = replace(before.landmark, world_mm=np.array(world_mm, dtype=np.float64))
        detail = "LPS mm " + ", ".join(f"{each:.2f}" for each in world_mm)
        self._change(_corrected(before, landmark), f"{name}: set in the CCTA", detail)

    def add_landmark(self, kind: Kind = "branch") -> str:
        """Add an empty landmark, select it and return its id."""
        self._check_open()
        taken = {each.landmark.id for each in self.landmarks}
        name = next(f"M{i}" for i in range(1, len(taken) + 2) if f"M{i}" not in taken)
        new = ReviewedLandmark(Landmark(name, kind), "proposed", "manual", self.reviewer, self._now())
        self._push(replace(self.work, landmarks=(*self.landmarks, new)), f"{name}: add", kind)
        self.landmarks_changed.emit()
        self.select(name, jump=False)
        return name

    def set_kind(self, name: str, kind: Kind) -> None:
        """Say what a landmark is."""
        before = self.landmark(name)
        if kind != before.landmark.kind:
            self._change(replace(before, landmark=replace(before.landmark, kind=kind)), f"{name}: {kind}", "")

    def _change(self, changed: ReviewedLandmark, label: str, detail: str) -> None:
        self._check_open()
        changed = replace(changed, reviewer=self.reviewer, time=self._now())
        name = changed.landmark.id
        landmarks = tuple(changed if each.landmark.id == name else each for each in self.landmarks)
        self.left_out = {}
        self._push(replace(self.work, landmarks=landmarks), label, detail)
        self.landmarks_changed.emit()

    def set_left_out(self, errors: Sequence[LandmarkError]) -> None:
        """Take errors at landmarks on paths found without them."""
        self.left_out = {each.id: each for each in errors}
        self.landmarks_changed.emit()

    def set_prepared(self, likeness: Likeness | None, solved: Solved | None) -> None:
        """Take what interactive work needs: likeness, and the state to solve again from."""
        self.likeness = likeness or self.likeness
        self.solved = solved or self.solved
        self.prepared_changed.emit()

    # The decision, and files.

    @property
    def locked(self) -> bool:
        """Whether the review is signed off."""
        return self._review.locked

    @property
    def review(self) -> Review:
        """All but the path, as it would be saved now."""
        return replace(self._review, landmarks=self.landmarks, command=self.command)

    @property
    def folder(self) -> Path | None:
        """Where the review is saved; None while nobody said."""
        return self.opened.folder

    @property
    def command(self) -> str:
        """Command line that repeats what was done, as far as one can."""
        by_hand = _by_hand(self.registration, self.work.adjustment)
        return command_line(self.opened.case_path, self.folder, self.work.how, by_hand=by_hand)

    @property
    def by_hand(self) -> str:
        """What was done by hand to the program's registration, in words; empty for nothing."""
        return _by_hand(self.registration, self.adjustment)

    @property
    def bare_command(self) -> str:
        """The same without a word on what was done by hand: some shells know no comments on their prompt."""
        return command_line(self.opened.case_path, self.folder, self.work.how)

    @property
    def _signature(self) -> tuple[Work, tuple[Event, ...], SignOff | None, str]:
        return self._history.present, self._review.events, self._review.sign_off, self._review.comment

    @property
    def state(self) -> tuple[object, ...]:
        """What was done so far, to be compared with what it is later."""
        return self._signature

    @property
    def unsaved(self) -> bool:
        """Whether something would be lost; what was done and undone again since it was saved is nothing."""
        work, events, *decision = self._signature
        work_before, events_before, *decision_before = self._saved
        kept = any(each.action.startswith(NEVER_UNDONE) for each in events[len(events_before) :])
        return work is not work_before or decision != decision_before or kept

    def set_comment(self, comment: str) -> None:
        """Keep a comment that is not signed yet."""
        self._check_open()
        if comment != self._review.comment:
            self._review = replace(self._review, comment=comment)
            self.review_changed.emit()

    def check_sign_off(self) -> None:
        """Refuse what `sign_off` would refuse; raises as it does."""
        self._check_open()
        if not self.reviewer.strip():
            msg = "say who reviews before signing off"
            raise ValueError(msg)
        if self.registration is None:
            msg = "there is no registration to sign off yet"
            raise ValueError(msg)

    def sign_off(self, decision: Decision) -> None:
        """Decide, with the comment as it is; the review is locked until it is reopened.

        Raises
        ------
        ValueError
            If nobody says who reviews, or there is nothing to approve.
        """
        self.check_sign_off()
        signed = SignOff(decision, self.reviewer, self._now(), self._review.comment)
        self._review = replace(self._review, sign_off=signed)
        self._record(f"sign off: {decision}", self._review.comment)

    def reopen(self) -> None:
        """Take a sign-off back; the audit trail keeps it."""
        self._review = replace(self._review, sign_off=None)
        self._record("reopen", "")

    def recover(self, review: Review, registration: Registration | None) -> None:
        """Take up unsaved work again that an earlier run left behind."""
        self._review = review
        landmarks = review.landmarks or self.landmarks
        how = how_of(review.command)
        self._history = History(Work(registration or self.registration, Adjustment(), landmarks, how))
        self._selected, self.left_out = "", {}
        last = review.events[-1].reviewer if review.events else ""
        self._record("recover", "unsaved work of an earlier run")
        self.reviewer = last or self.reviewer
        self._moved()
        self.landmarks_changed.emit()

    def outcome(self) -> Registration | None:
        """Return the registration as it is shown, with what was done by hand said in its reasons."""
        registration, path = self.registration, self.path
        if registration is None or path is None or self.adjustment.is_none:
            return registration
        reason = f"{BY_HAND}: {adjustment_text(self.adjustment)}"
        verdict = "review" if registration.verdict == "good" else registration.verdict
        residual = registration.residual_mm
        if self.likeness is not None:
            residual = self.likeness.residual_mm(path, radius_scale=registration.radius_scale)
        return replace(
            registration,
            path=path,
            verdict=verdict,
            reasons=(*registration.reasons, reason),
            residual_mm=residual,
        )

    def save(self, folder: Path | None = None) -> Path:
        """Write the review into a folder, by default the one it was opened from.

        Raises
        ------
        ValueError
            If there is no folder.
        """
        folder = folder or self.folder
        if folder is None:
            msg = "no folder to save into"
            raise ValueError(msg)
        before = self.opened
        # The command that goes into the files names the folder.
        self.opened = replace(before, folder=folder)
        try:
            save_review(folder, self.review, self.outcome())
        except BaseException:
            self.opened = before
            raise
        self._saved = self._signature
        self.review_changed.emit()
        return folder

    def _known(self) -> Registration:
        if self.registration is None:
            msg = "nothing is registered yet: run the automatic registration first"
            raise ValueError(msg)
        return self.registration

    def _check_movable(self) -> None:
        self._check_open()
        if not self._known().path.posed.any():
            msg = "no frame has a place in the CCTA that could be moved: run the automatic registration first"
            raise ValueError(msg)

    def _check_open(self) -> None:
        if self.locked:
            msg = "this review is signed off: reopen it before changing anything"
            raise LockedError(msg)

    def _push(self, work: Work, label: str, detail: str) -> None:
        self._history.push(work, label)
        self._record(label, detail)

    def _record(self, action: str, detail: str) -> None:
        self._review = self._review.with_event(Event(self._now(), self.reviewer, action, detail))
        self.review_changed.emit()

    def _moved(self) -> None:
        self._path = None
        self.path_changed.emit()


def adjustment_text(adjustment: Adjustment) -> str:
    """Say a placement by hand in words."""
    parts = []
    if adjustment.shift_mm:
        parts.append(f"shifted by {adjustment.shift_mm:+.2f} mm")
    turn_deg = round(float(np.degrees(adjustment.turn_rad)))
    if turn_deg:
        parts.append(f"turned by {turn_deg:+d} degrees")
    if adjustment.stretch != 1.0:
        parts.append(f"stretched to {adjustment.stretch:.0%}")
    if adjustment.mirrored:
        parts.append("mirrored")
    return ", ".join(parts) or "as registered"


def _same_path(a: VirtualCatheterPath, b: VirtualCatheterPath) -> bool:
    pairs = ((a.origin_mm, b.origin_mm), (a.column, b.column), (a.row, b.row))
    return all(np.array_equal(one, other, equal_nan=True) for one, other in pairs)


def _by_hand(registration: Registration | None, adjustment: Adjustment) -> str:
    """Say all that was done by hand, one after the other: before it was last opened, and since."""
    reasons = () if registration is None else registration.reasons
    earlier = [each.removeprefix(BY_HAND).lstrip(": ") for each in reasons if each.startswith(BY_HAND)]
    now = [] if adjustment.is_none else [adjustment_text(adjustment)]
    return ", then ".join([*earlier, *now])


def _corrected(before: ReviewedLandmark, landmark: Landmark) -> ReviewedLandmark:
    """A reader's own landmark is accepted by being set; the program's is corrected."""
    if before.origin == "manual":
        return replace(before, landmark=landmark, state="accepted" if landmark.paired else "proposed")
    return replace(before, landmark=landmark, state="corrected")


def _landmarks_of(opened: Reviewable) -> tuple[ReviewedLandmark, ...]:
    if opened.review is not None and opened.review.landmarks:
        return opened.review.landmarks
    if opened.case.landmarks:
        return tuple(ReviewedLandmark(each, "proposed", "given") for each in opened.case.landmarks)
    if opened.registration is None:
        return ()
    return _found_landmarks(opened.case, opened.registration.path)


def _found_landmarks(case: Case, path: VirtualCatheterPath) -> tuple[ReviewedLandmark, ...]:
    """Side branches that both modalities show, and those that only one does."""
    found = paired_branches(path, case.ccta_side_branches, case.pullback_side_branches)
    return tuple(ReviewedLandmark(each, "proposed", "found") for each in found)
