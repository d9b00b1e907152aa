"""Napari's slider of the frames, with proximal on the left whichever way the pullback was acquired."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QScrollBar, QStyle, QStyleOptionSlider

ENDS = (QStyle.SubControl.SC_ScrollBarAddLine, QStyle.SubControl.SC_ScrollBarSubLine)


def point_slider(slider: QScrollBar, *, inverted: bool) -> None:
    """Let a slider count from the right, or from the left again; all of it agrees on that."""
    slider.setInvertedAppearance(inverted)
    if slider.findChild(_Ends) is None:
        _Ends(slider)


class _Ends(QObject):
    """Lets the buttons at the ends of a scroll bar move it the way they point.

    Qt turns round the handle, the groove and the keys of an inverted scroll bar, not these buttons.
    """

    def __init__(self, slider: QScrollBar) -> None:
        super().__init__(slider)
        self.slider = slider
        # To the right or to the left while a button is held, which repeats it; 0 while none is.
        self._way = 0
        slider.installEventFilter(self)
        slider.actionTriggered.connect(self._step)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Notice which button is held."""
        if isinstance(event, QMouseEvent) and watched is self.slider:
            if event.type() in (QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonDblClick):
                self._way = self._way_at(event) if event.button() == Qt.MouseButton.LeftButton else 0
            elif event.type() == QEvent.Type.MouseButtonRelease:
                self._way = 0
        return False

    def _way_at(self, event: QMouseEvent) -> int:
        slider, option = self.slider, QStyleOptionSlider()
        slider.initStyleOption(option)
        at = event.position().toPoint()
        part = slider.style().hitTestComplexControl(QStyle.ComplexControl.CC_ScrollBar, option, at, slider)
        if part not in ENDS:
            return 0
        return 1 if at.x() > slider.width() / 2 else -1

    def _step(self, _action: int) -> None:
        if self._way:
            slider = self.slider
            on = -self._way if slider.invertedAppearance() else self._way
            slider.setSliderPosition(slider.value() + on * slider.singleStep())
