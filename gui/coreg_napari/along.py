"""The view along the vessel: both lengthwise cuts, areas and spread, with a cursor at the frame shown."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from matplotlib.backend_bases import Event, MouseButton, MouseEvent
from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg
from matplotlib.transforms import BboxBase
from qtpy.QtCore import Qt, QTimer
from qtpy.QtCore import Signal as QtSignal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QSlider, QSpinBox, QVBoxLayout, QWidget

from coreg.registration.by_hand import Adjustment
from coreg_napari.along_data import AlongData, Shown
from coreg_napari.along_picture import BACKGROUND, CONTROL, TEXT, AlongPicture
from coreg_napari.links import Links
from coreg_napari.narrow import ElidedLabel
from coreg_napari.session import FILE_FRAME, LockedError, Session

# A burst of changes, as from a slider that is dragged, is drawn once.
WAIT_MS = 30
# Of the axes from above.
CCTA_CUT = 1


class _Canvas(FigureCanvasQTAgg):
    """A canvas that is put on the screen together with all that changes in the window.

    Painting one widget at once would draw every OpenGL view of the window with it.
    """

    def blit(self, bbox: BboxBase | None = None) -> None:
        """Show what was drawn with the next round of events."""
        del bbox
        self.update()


class AlongView(QWidget):
    """Shows a session along the pullback.

    A click or drag goes to the frame there, the wheel to the frame before or after. With Shift, the cut of
    the CCTA is dragged along the pullback.

    Parameters
    ----------
    session : Session
        What to show.
    parent : QWidget, optional
        As Qt has it.
    """

    drawn = QtSignal()
    refused = QtSignal(str)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.data = AlongData(session)
        self.picture = AlongPicture(
            self.data.position_mm,
            self.data.columns,
            self.data.reach_mm,
            self.data.pullback_outlines.area_mm2,
            session.case.pullback.modality or "pullback",
        )
        self.shown: Shown = self.data.shown()
        self._empty = self._filled = None
        self._dragging, self._turned = False, 0.0
        # Where the CCTA was taken hold of, and how it was placed then.
        self._held: tuple[float, Adjustment] | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(WAIT_MS)
        self._timer.timeout.connect(self.refresh)
        self._lay_out()
        self._connect()
        self.refresh()

    # Building.

    def _lay_out(self) -> None:
        self.canvas = _Canvas(self.picture.figure)
        self.canvas.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.spin = QSpinBox()
        self.spin.setSuffix("°")
        self.spin.setWrapping(True)
        for each in (self.slider, self.spin):
            each.setRange(-179, 180)
            each.setToolTip(
                "Angle of both cuts in the pullback's image: 0° to the right, 90° down; drawn upwards"
            )
            each.valueChanged.connect(self._on_angle)
        self.slider.setFixedWidth(180)
        self.readout = ElidedLabel(greedy=True)
        row = QHBoxLayout()
        row.setContentsMargins(8, 0, 8, 4)
        for part in (QLabel("cut at"), self.slider, self.spin):
            row.addWidget(part)
        row.addSpacing(16)
        row.addWidget(self.readout, stretch=1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.canvas, stretch=1)
        column.addLayout(row)
        self.setStyleSheet(
            f"AlongView {{ background: {BACKGROUND}; }} QLabel, QSpinBox {{ color: {TEXT}; }} "
            f"QSpinBox {{ background: {CONTROL}; }}"
        )
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._show_angle()

    def _connect(self) -> None:
        session = self.session
        self._links = Links(
            (session.frame_changed, self._on_frame),
            (session.path_changed, self._later),
            (session.view_changed, self._on_view),
            (session.landmarks_changed, self._later),
            (session.selection_changed, self._on_selection),
        )
        hear = self.canvas.mpl_connect
        self._hooks = [
            hear("draw_event", self._on_drawn),
            hear("resize_event", self._on_resized),
            hear("button_press_event", self._on_press),
            hear("motion_notify_event", self._on_move),
            hear("button_release_event", self._on_release),
            hear("scroll_event", self._on_wheel),
        ]

    def close_view(self) -> None:
        """Let go of the session, and of the figure."""
        if not self._links.cut():
            return
        self._timer.stop()
        for hook in self._hooks:
            self.canvas.mpl_disconnect(hook)
        self._hooks = []
        self._empty = self._filled = None
        self.picture.figure.clear()
        self.canvas.close()
        self.canvas.deleteLater()

    # The session has changed.

    def _on_frame(self, _row: int) -> None:
        self._say()
        self._draw_cursor()

    def _on_view(self) -> None:
        self._show_angle()
        self._later()

    def _on_selection(self, _name: str) -> None:
        self._later()

    def _later(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def refresh(self) -> None:
        """Measure and draw everything anew, now."""
        self._timer.stop()
        session = self.session
        self.shown = self.data.shown()
        anew = self.picture.show(self.shown, blinded=session.blinded, notes=self._notes())
        self.picture.mark(self.data.marks(), session.selected)
        self._say()
        if anew or self._empty is None:
            self.canvas.draw_idle()
        else:
            self._draw_content()
            self._draw_cursor()
        self.drawn.emit()

    @property
    def pixels(self) -> npt.NDArray[np.uint8] | None:
        """What is drawn now, shape (rows, columns, 4); None while nothing is."""
        return None if self._filled is None else np.array(self.canvas.buffer_rgba())

    def _notes(self) -> tuple[str, str, str, str]:
        session = self.session
        unplaced = "" if session.path is not None else "not registered yet"
        images = "" if session.case.pullback_images is not None else "no pullback images: outlines only"
        ccta = "" if session.case.image is not None else "no CCTA image: outlines only"
        spread = "" if np.isfinite(self.shown.sd_mm).any() else "spread not known"
        spread = "hidden while blinded" if session.blinded else spread
        return images, unplaced or ccta, "", unplaced or spread

    def _say(self) -> None:
        """Say in words what the cursor stands at."""
        row, shown = self.session.row, self.shown
        parts = [f"frame {self.session.frame} ({FILE_FRAME})", f"{self.data.position_mm[row]:.1f} mm"]
        areas: list[tuple[str, float]] = [
            (self.session.case.pullback.modality or "pullback", shown.pullback_area_mm2[row])
        ]
        blinded, path = self.session.blinded, self.session.path
        if not blinded:
            areas.append(("CCTA", shown.ccta_area_mm2[row]))
        parts += [f"{name} {area:.1f} mm²" for name, area in areas if np.isfinite(area)]
        if np.isfinite(shown.sd_mm[row]) and shown.posed[row] and not blinded:
            parts.append(f"place ± {shown.sd_mm[row]:.1f} mm")
        if path is not None and path.reason[row] and not blinded:
            parts.append(path.reason[row])
        self.readout.setText("  ·  ".join(parts))

    def _show_angle(self) -> None:
        angle = round(np.degrees(self.session.cut_angle_rad))
        for each in (self.slider, self.spin):
            each.blockSignals(True)
            each.setValue(180 - (180 - angle) % 360)
            each.blockSignals(False)

    # Drawing, a layer on the other.

    def _on_resized(self, _event: Event) -> None:
        width, height = self.picture.figure.get_size_inches()
        self.picture.place(width, height)

    def _on_drawn(self, _event: Event) -> None:
        self._empty = self.canvas.copy_from_bbox(self.picture.figure.bbox)
        self._draw_content()
        self._put_cursor()

    def _draw_content(self) -> None:
        self.canvas.restore_region(self._empty)
        for axes, artist in self.picture.content():
            axes.draw_artist(artist)
        self._filled = self.canvas.copy_from_bbox(self.picture.figure.bbox)

    def _put_cursor(self) -> None:
        self.picture.move_cursor(float(self.data.position_mm[self.session.row]))
        self.picture.figure.draw_artist(self.picture.cursor)

    def _draw_cursor(self) -> None:
        if self._filled is None:
            return
        self.canvas.restore_region(self._filled)
        self._put_cursor()
        self.canvas.blit(self.picture.figure.bbox)

    # A person does something.

    def _on_angle(self, degrees: int) -> None:
        self.session.cut_angle_rad = float(np.radians(degrees))

    def _on_press(self, event: MouseEvent) -> None:
        if event.button is not MouseButton.LEFT or event.inaxes is None:
            return
        if "shift" in event.modifiers and event.inaxes is self.picture.axes[CCTA_CUT]:
            self._held = self._position_mm(event), self.session.adjustment
            return
        self._dragging = True
        self._go_to(event)

    def _on_move(self, event: MouseEvent) -> None:
        if self._dragging:
            self._go_to(event)
        elif self._held is not None:
            held_mm, start = self._held
            # What is more proximal in the CCTA comes to a frame when the frame is shifted there.
            moved = self.session.shifted(self._position_mm(event) - held_mm, start)
            self._guarded(lambda: self.session.preview(moved))

    def _on_release(self, _event: Event) -> None:
        self._dragging = False
        if self._held is not None:
            self._held = None
            self._guarded(lambda: self.session.adjust(self.session.adjustment))

    def _guarded(self, verb: Callable[[], object]) -> None:
        try:
            verb()
        except (LockedError, ValueError) as error:
            self._held = None
            self.refused.emit(str(error))

    def _position_mm(self, event: MouseEvent) -> float:
        return float(self.picture.axes[0].transData.inverted().transform((event.x, event.y))[0])

    def _go_to(self, event: MouseEvent) -> None:
        at_mm = self._position_mm(event)
        self.session.go_to_row(int(np.abs(self.data.position_mm - at_mm).argmin()))

    def _on_wheel(self, event: MouseEvent) -> None:
        """Go proximally upwards; a fine wheel has to be turned for a whole step."""
        self._turned += event.step
        steps = int(self._turned)
        self._turned -= steps
        self.session.go_to_row(self.session.row - steps)
