"""The panel for reviewing landmarks: a table, verbs for the selected one, and a second reader beside."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from qtpy.QtCore import QItemSelectionModel, QModelIndex, QSortFilterProxyModel, Qt, Signal
from qtpy.QtGui import QKeySequence, QShortcut, QShowEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from coreg.errors import InputError
from coreg.io.landmark_files import read_landmarks
from coreg.io.reviewable import result_case_id, result_folder_of
from coreg.landmarks import KINDS
from coreg.review import State
from coreg.validation.agreement import reader_agreement
from coreg_napari.coloured_cells import ColouredCells
from coreg_napari.cross_sections import PickMode
from coreg_napari.landmark_table import COLUMNS, SORT, LandmarkTable, summary
from coreg_napari.links import Links
from coreg_napari.narrow import let_shrink
from coreg_napari.reader_table import ReaderTable
from coreg_napari.session import LockedError, Session

# Ten columns in the width of a dock.
NARROW = """
QTableView { font-size: 11px; }
QTableView::item { padding: 0px; }
QHeaderView::section { font-size: 10px; padding: 1px; }
"""


class LandmarkPanel(QWidget):
    """Shows a session's landmarks and changes them.

    Signals
    -------
    pick_mode_changed : str
        What a click sets from now on: ``pullback``, ``ccta`` or nothing.
    resolve_requested
        The registration should be solved again with the accepted landmarks.
    leave_one_out_requested
        Errors should be measured on paths that were found without each landmark.
    said : str
        What the panel's own line says while nobody sees the panel.
    """

    pick_mode_changed = Signal(str)
    resolve_requested = Signal()
    leave_one_out_requested = Signal()
    said = Signal(str)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self._was_locked = session.locked
        self.table = LandmarkTable(session)
        self._add_table()
        self._add_buttons()
        self._lay_out()
        self._add_keys()
        self._links = Links(
            (session.landmarks_changed, self.refresh),
            (session.path_changed, self._refresh_when_seen),
            (session.view_changed, self._refresh_when_seen),
            (session.review_changed, self._show_state),
            (session.selection_changed, self._show_selection),
        )
        self._show_selection()
        self._show_state()

    # Building.

    def _add_table(self) -> None:
        self.sorted = QSortFilterProxyModel(self)
        self.sorted.setSourceModel(self.table)
        self.sorted.setSortRole(SORT)
        self.view = QTableView()
        self.view.setModel(self.sorted)
        self.view.setSortingEnabled(True)
        self.view.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
        self.view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.view.setStyleSheet(NARROW)
        self.view.setItemDelegate(ColouredCells(self.view))
        self.view.setWordWrap(False)
        self.view.verticalHeader().hide()
        self.view.verticalHeader().setDefaultSectionSize(20)
        header = self.view.horizontalHeader()
        header.setMinimumSectionSize(24)
        header.setStretchLastSection(True)
        for i, column in enumerate(COLUMNS):
            header.resizeSection(i, column.width)
        self.view.selectionModel().currentRowChanged.connect(self._on_row)

    def _add_buttons(self) -> None:
        self.accept = _button("Accept", "A", lambda: self._set_state("accepted"))
        self.reject = _button("Reject", "R", lambda: self._set_state("rejected"))
        self.propose = _button("Undecided", "U: back to proposed", lambda: self._set_state("proposed"))
        self.new = _button("New", "N: a landmark of your own, to be set in both views", self.add)
        self.kind = QComboBox()
        self.kind.addItems(KINDS)
        self.kind.setToolTip("What the selected landmark is")
        self.kind.activated.connect(self._set_kind)
        self.in_pullback = _button("Set in pullback", "P: then click in the pullback's cross-section", None)
        self.in_ccta = _button("Set in CCTA", "C: then click in the CCTA's cross-section", None)
        for button, mode in ((self.in_pullback, "pullback"), (self.in_ccta, "ccta")):
            button.setCheckable(True)
            button.clicked.connect(lambda on=False, mode=mode: self.pick(mode if on else ""))
        self.resolve = _button(
            "Re-solve", "Register again with the accepted ones", self.resolve_requested.emit
        )
        self.leave_out = _button(
            "Leave one out",
            "Errors at each landmark on a path that is found without it",
            self.leave_one_out_requested.emit,
        )
        self.compare = _button(
            "Second reader\u2026",
            "Compare with the landmarks_reviewed.csv of another reader",
            self._ask_second_reader,
        )

    def _lay_out(self) -> None:
        self.summary, self.message = _label(), _label()
        self.message.setStyleSheet("color: #E69F00;")
        self.message.hide()
        self.readers = ReaderTable()
        self.readers.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.setSpacing(4)
        layout.addWidget(self.view, 1)
        # What is said takes its room from the table, so that no button moves under the mouse.
        for widget in (self.readers, self.summary, self.message):
            layout.addWidget(widget)
        layout.addLayout(_line(self.accept, self.reject, self.propose, self.new))
        layout.addLayout(_line(self.in_pullback, self.in_ccta, self.kind))
        layout.addLayout(_line(self.resolve, self.leave_out, self.compare))

    def _add_keys(self) -> None:
        for key, button in (("A", self.accept), ("R", self.reject), ("U", self.propose), ("N", self.new)):
            shortcut = QShortcut(QKeySequence(key), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(button.click)

    # Following the session.

    def _refresh_when_seen(self) -> None:
        """Show what the session says; behind another tab, once it is seen, so that dragging stays fast."""
        if self.isVisible():
            self.refresh()

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what happened while it was hidden."""
        super().showEvent(event)
        self.refresh()

    def refresh(self) -> None:
        """Show what the session says."""
        self.table.refresh()
        self._show_selection()
        self._show_state()

    def _show_selection(self) -> None:
        """Mark the selected landmark's row, without selecting it anew."""
        names = [each.id for each in self.table.rows]
        model = self.view.selectionModel()
        if self.selected not in names:
            model.clear()
        else:
            row = self.sorted.mapFromSource(self.table.index(names.index(self.selected), 0))
            flags = QItemSelectionModel.SelectionFlag
            model.setCurrentIndex(row, flags.ClearAndSelect | flags.Rows)
            self.view.scrollTo(row)
            self.kind.setCurrentText(self.session.landmark(self.selected).landmark.kind)
        self._show_state()

    def _show_state(self) -> None:
        """Offer what can be done now."""
        session, selected = self.session, bool(self.selected)
        session_open = not session.locked
        if self._was_locked and session_open:
            # Nothing is refused any more.
            self.tell("")
        self._was_locked = session.locked
        if not (session_open and selected):
            self.end_pick()
        for button in (self.accept, self.reject, self.propose, self.in_pullback, self.in_ccta, self.kind):
            button.setEnabled(session_open and selected)
        self.new.setEnabled(session_open)
        known = session.registration is not None
        self.resolve.setEnabled(session_open and known and bool(session.accepted))
        self.leave_out.setEnabled(session_open and known and bool(session.accepted))
        self.summary.setText(summary(self.table.rows, blinded=session.blinded))

    @property
    def selected(self) -> str:
        """Id of the selected landmark; empty where there is none, or undo has taken it back."""
        there = any(each.landmark.id == self.session.selected for each in self.session.landmarks)
        return self.session.selected if there else ""

    def close_view(self) -> None:
        """Leave the session."""
        self._links.cut()

    # Verbs.

    def guarded(self, verb: Callable[[], object]) -> None:
        """Do something to the session; what it refuses becomes a message."""
        self.tell("")
        try:
            verb()
        except (LockedError, ValueError) as error:
            self.tell(str(error))
            self.refresh()

    def tell(self, text: str) -> None:
        """Say something in the panel's own line."""
        self.message.setText(text)
        self.message.setVisible(bool(text))
        if text and not self.isVisible():
            self.said.emit(text)

    def _on_row(self, current: QModelIndex) -> None:
        if not current.isValid():
            return
        name = self.table.rows[self.sorted.mapToSource(current).row()].id
        if name != self.session.selected:
            self.guarded(lambda: self.session.select(name))

    def _set_state(self, state: State) -> None:
        if self.selected:
            self.guarded(lambda: self.session.set_state(self.selected, state))

    def _set_kind(self, at: int) -> None:
        if self.selected:
            self.guarded(lambda: self.session.set_kind(self.selected, KINDS[at]))

    def add(self) -> None:
        """Add a landmark of the reader's own, and say how it is set."""
        before = len(self.session.landmarks)
        self.guarded(self.session.add_landmark)
        if len(self.session.landmarks) > before:
            self.tell(
                f"{self.selected} is new. Set it in the pullback (key P) and in the CCTA (key C); once both "
                "are set it is accepted."
            )

    @property
    def pick_mode(self) -> PickMode:
        """What a click sets."""
        if self.in_pullback.isChecked():
            return "pullback"
        return "ccta" if self.in_ccta.isChecked() else ""

    def pick(self, mode: PickMode) -> None:
        """Let clicks set a half of the selected landmark, or nothing."""
        if mode and self.session.locked:
            self.tell("this review is signed off: reopen it before changing anything")
            mode = ""
        elif mode and not self.selected:
            self.tell("select a landmark first, or add a new one")
            mode = ""
        self.in_pullback.setChecked(mode == "pullback")
        self.in_ccta.setChecked(mode == "ccta")
        if mode:
            where = "pullback" if mode == "pullback" else "CCTA"
            self.tell(f"Click where the {where}'s cross-section shows {self.selected}; Escape leaves it.")
        self.pick_mode_changed.emit(mode)

    def end_pick(self) -> None:
        """Let clicks set nothing, as after a half was set."""
        if self.pick_mode:
            self.pick("")
            self.tell("")

    # A second reader.

    def _ask_second_reader(self) -> None:
        folder = str(self.session.folder or "")
        name, _ = QFileDialog.getOpenFileName(
            self, "Landmarks of a second reader", folder, "Landmarks (*.csv)"
        )
        if name:
            self.compare_with(Path(name))

    def compare_with(self, path: Path) -> None:
        """Show how far a second reader's landmarks are from those that this reader accepted."""
        self.tell("")
        try:
            second = read_landmarks(path)
            own = [each.landmark for each in self.session.landmarks if each.counts]
            found = reader_agreement(own, second, self.session.case.pullback)
        except (InputError, ValueError) as error:
            self.readers.hide()
            self.tell(str(error))
            return
        other = _other_case(path, self.session.case.id)
        self.readers.show_agreement(found)
        self.readers.setVisible(bool(found.differences))
        alone = [(found.only_first, "only here"), (found.only_second, "only in the other file")]
        parts = [f"{where}: {', '.join(names)}" for names, where in alone if names]
        if not found.differences:
            parts.insert(0, "No accepted landmark has the same id in both: is it of another case?")
        if other:
            parts.insert(0, f"These are landmarks of case {other}, as the files beside them say")
        self.tell("; ".join(parts))


def _other_case(path: Path, case_id: str) -> str:
    """Name the other case in whose result landmarks lie; empty where it is this one, or unknown."""
    folder = result_folder_of(path.parent)
    with suppress(InputError):
        owner = case_id if folder is None else result_case_id(folder)
        return "" if owner == case_id else owner
    return ""


def _button(text: str, tip: str, clicked: Callable[[], object] | None) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    if clicked is not None:
        button.clicked.connect(lambda _=False: clicked())
    return button


def _label() -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    let_shrink(label)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label


def _line(*widgets: QWidget) -> QHBoxLayout:
    line = QHBoxLayout()
    line.setSpacing(4)
    for widget in widgets:
        line.addWidget(widget, 1)
    return line
