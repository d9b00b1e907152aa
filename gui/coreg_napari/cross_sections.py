"""The two cross-sections in one napari canvas: the pullback's frame, and the CCTA cut in its plane."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.layers import Image, Layer, Points, Vectors
from napari.utils.colormaps.standardize_color import transform_color
from psygnal import Signal

from coreg.catheter_path import VirtualCatheterPath
from coreg.contours import resampled_contour
from coreg.fusion.planes import plane_images
from coreg.report.cuts import lumen_outlines
from coreg.report.style import WINDOW_HU
from coreg_napari.colours import BRANCH, CCTA_LUMEN, CUT, PULLBACK_LUMEN, STATE_COLOURS
from coreg_napari.links import Links
from coreg_napari.marks import Mark, View, labels, marks_at
from coreg_napari.session import LockedError, Session

FloatArray = npt.NDArray[np.float64]
PickMode = Literal["", "pullback", "ccta"]

GAP_MM = 0.6
STEP_MM = 0.06
LEAST_REACH_MM, MOST_REACH_MM = 3.0, 7.0
LINE_MM = 0.06
# Of an outline where it is whole; where it is broken, half of them.
SEGMENTS = 96
MARK_MM = 0.45
# A click this near to a mark takes hold of it.
GRAB_MM = 0.4
TITLES = ("pullback", "CCTA")


class CrossSections:
    """Draws a session's current frame into a viewer, and takes clicks, drags and the wheel.

    Both sections are drawn in image mm from the catheter, the CCTA's to the right. What belongs to the
    pullback is blue, what belongs to the CCTA orange, in both; the guest's outline is broken.

    Parameters
    ----------
    session : Session
        What to show.
    viewer : ViewerModel
        Where; its layers of these names are replaced.
    """

    pick_done = Signal()
    refused = Signal(str)

    def __init__(self, session: Session, viewer: ViewerModel) -> None:
        self.session, self.viewer = session, viewer
        self.pick_mode: PickMode = ""
        self._busy = self.closed = False
        self._outlines: dict[int, FloatArray | None] = {}
        self._layers: list[Any] = []
        self._add_layers()
        self._set_up_viewer()
        self._connect()
        self.refresh()
        self._draw_cut()

    # What is drawn.

    @cached_property
    def reach_mm(self) -> float:
        """Half the width of a section."""
        images = self.session.case.pullback_images
        if images is not None:
            rows, columns = images.pixels.shape[1:]
            sides = np.array([columns - 1 - images.catheter_px[0], rows - 1 - images.catheter_px[1]])
            sides = np.maximum(sides, images.catheter_px) * images.pixel_spacing_mm
            return float(np.clip(sides.max(), LEAST_REACH_MM, MOST_REACH_MM))
        contours = self.session.case.pullback.lumen.values()
        farthest = max((float(np.abs(each).max()) for each in contours), default=LEAST_REACH_MM)
        return float(np.clip(1.3 * farthest, LEAST_REACH_MM, MOST_REACH_MM))

    @property
    def _half_mm(self) -> float:
        """From the middle of the CCTA's section to that of its first pixel."""
        return STEP_MM * int(self.reach_mm / STEP_MM + 1e-9)

    @property
    def offset_mm(self) -> float:
        """How far right of the pullback's section the CCTA's is drawn."""
        return 2.0 * self.reach_mm + GAP_MM

    def _add_layers(self) -> None:
        session, reach = self.session, self.reach_mm
        images = session.case.pullback_images
        if images is None:
            # A step of napari's slider is a frame of the pullback, outlined or not.
            count = int(session.frames.max()) + 1
            stack: npt.NDArray[np.uint8] = np.broadcast_to(np.zeros((1, 2, 2), np.uint8), (count, 2, 2))
            spacing, corner = np.full(2, 2.0 * reach), np.full(2, -reach)
        else:
            stack = images.pixels
            spacing = images.pixel_spacing_mm[::-1]
            corner = -images.catheter_px[::-1] * spacing
        self.pullback = Image(
            stack,
            scale=(1.0, *spacing),
            translate=(0.0, *corner),
            units=("pixel", "mm", "mm"),
            contrast_limits=(0, 255),
            colormap="gray",
            name=f"{session.case.pullback.modality or 'pullback'} frames",
        )
        blank = np.zeros((2, 2), np.float32)
        self.ccta = Image(
            blank,
            scale=(STEP_MM, STEP_MM),
            translate=(-self._half_mm, self.offset_mm - self._half_mm),
            units=("mm", "mm"),
            contrast_limits=WINDOW_HU,
            colormap="gray",
            interpolation2d="linear",
            name="CCTA in the frame's plane",
        )
        lines = {"edge_width": LINE_MM, "vector_style": "line", "opacity": 1.0, "units": ("mm", "mm")}
        empty = np.zeros((0, 2, 2))
        colours = np.repeat(transform_color([PULLBACK_LUMEN, CCTA_LUMEN]), SEGMENTS + SEGMENTS // 2, axis=0)
        self.lumens = Vectors(
            np.zeros((len(colours), 2, 2)), edge_color=colours, name="lumens", ndim=2, **lines
        )
        self.cut = Vectors(empty, edge_color=CUT, name="cut", ndim=2, **(lines | {"opacity": 0.6}))
        self.marks = Points(
            np.zeros((0, 2)),
            size=MARK_MM,
            name="landmarks",
            ndim=2,
            border_width=0.15,
            opacity=1.0,
            units=("mm", "mm"),
        )
        self._layers = [self.pullback, self.ccta, self.cut, self.lumens, self.marks]
        with self.viewer.layers.batched_update():
            for layer in self._layers:
                self.viewer.add_layer(layer)
        # Clicks go to our own callbacks, not to a layer that would be edited.
        self.viewer.layers.selection.active = self.pullback

    def _set_up_viewer(self) -> None:
        viewer = self.viewer
        viewer.dims.axis_labels = ("frame (file)", "y", "x")
        viewer.canvas.overlays.scale_bar.visible = True
        viewer.scene.camera.mouse_zoom = False
        self.fit()

    def fit(self) -> None:
        """Show both sections whole."""
        self.viewer.scene.camera.center = (0.0, 0.5 * self.offset_mm)
        height, width = self.viewer.canvas.size
        wanted = 2.0 * self.reach_mm
        self.viewer.scene.camera.zoom = 0.96 * min(height / wanted, width / (wanted + self.offset_mm))
        self._fitted = self._seen()

    def _seen(self) -> tuple[float, ...]:
        """Which part of the sections is shown."""
        camera = self.viewer.scene.camera
        return (*camera.center, camera.zoom)

    def refresh(self) -> None:
        """Draw the current frame anew."""
        self._outlines = {}
        self._draw()

    def _draw(self) -> None:
        session = self.session
        self._busy = True
        try:
            self.viewer.dims.set_current_step(0, session.frame)
        finally:
            self._busy = False
        self._draw_plane()
        self._draw_lines()
        self._draw_marks()

    def _draw_plane(self) -> None:
        session = self.session
        path, image, row = session.path, session.case.image, session.row
        if path is None or image is None or not path.posed[row]:
            size = 2 * round(self._half_mm / STEP_MM) + 1
            self.ccta.data = np.full((size, size), WINDOW_HU[0], np.float32)
            return
        here = slice(row, row + 1)
        found = plane_images(
            image,
            path.origin_mm[here],
            path.column[here],
            path.row[here],
            reach_mm=self.reach_mm,
            step_mm=STEP_MM,
        )
        self.ccta.data = np.nan_to_num(found[0], nan=WINDOW_HU[0])

    def _draw_lines(self) -> None:
        session = self.session
        own = session.case.pullback.lumen.get(session.frame)
        theirs = self.ccta_outline()
        # Always as many lines, so that their colours stay: napari is slow at anything else.
        self.lumens.data = np.concatenate(
            [self._twice(own, host="pullback"), self._twice(theirs, host="ccta")]
        )

    def _draw_cut(self) -> None:
        session = self.session
        along = np.array([np.sin(session.cut_angle_rad), np.cos(session.cut_angle_rad)])
        start = -self.reach_mm * along
        right = np.array([0.0, self.offset_mm])
        both = [[start, 2.0 * self.reach_mm * along], [start + right, 2.0 * self.reach_mm * along]]
        self.cut.data = np.array(both)

    def _twice(self, outline: FloatArray | None, *, host: View) -> FloatArray:
        """Segments of an outline in its own section, and broken in the other one."""
        if outline is None or len(outline) < 3:
            return np.zeros((SEGMENTS + SEGMENTS // 2, 2, 2))
        start = resampled_contour(outline, SEGMENTS)[:, ::-1]
        segments = np.stack([start, np.roll(start, -1, axis=0) - start], axis=1)
        right = np.array([[0.0, self.offset_mm], [0.0, 0.0]])
        whole = segments + (right if host == "ccta" else 0.0)
        dashes = segments[np.arange(SEGMENTS) % 4 < 2] + (right if host == "pullback" else 0.0)
        if self.session.blinded or self.session.path is None:
            dashes = np.zeros_like(dashes)
        return np.concatenate([whole, dashes])

    def ccta_outline(self) -> FloatArray | None:
        """Outline (M, 2) of the CCTA's lumen in the current frame's plane."""
        session, row = self.session, self.session.row
        if row not in self._outlines:
            path, lumen = session.path, session.case.lumen
            found = None
            if path is not None and lumen is not None and path.posed[row]:
                (found,) = lumen_outlines(lumen, one_row(path, row))
            self._outlines[row] = found
        return self._outlines[row]

    def _draw_marks(self) -> None:
        marks = marks_at(self.session, self.session.row)
        if not marks and not len(self.marks.data):
            return
        at = np.array([self.drawn_at(each.view, each.xy_mm) for each in marks]).reshape(-1, 2)
        self.marks.data = at
        if not marks:
            return
        names: dict[str, str] = {**dict(STATE_COLOURS.items()), "found": BRANCH}
        colours = transform_color([names[each.state] for each in marks])
        # Rings, so that what is marked stays visible.
        faces = colours.copy()
        faces[[each.shape != "expected" for each in marks], 3] = 0.0
        self.marks.face_color, self.marks.border_color = faces, colours
        self.marks.symbol = [_SYMBOLS[each.shape] for each in marks]
        # The cross fits into the ring where both halves agree.
        part = {"set": 1.0, "expected": 0.5, "branch": 1.0}
        self.marks.size = [MARK_MM * (1.5 if each.selected else 1.0) * part[each.shape] for each in marks]
        self.marks.text = {
            "string": labels(marks),
            "color": "white",
            "size": 10,
            "anchor": "lower_left",
            "translation": [-0.5 * MARK_MM, 0.9 * MARK_MM],
        }

    @property
    def layers(self) -> tuple[Layer, ...]:
        """What was put into the viewer."""
        return tuple(self._layers)

    def drawn_at(self, view: View, xy_mm: FloatArray) -> FloatArray:
        """Place (y, x) in the canvas of a point in a section's image mm."""
        return np.array([xy_mm[1], xy_mm[0] + (self.offset_mm if view == "ccta" else 0.0)])

    def section_at(self, position: npt.ArrayLike) -> tuple[View, FloatArray]:
        """Which section a place (..., y, x) of the canvas is in, and its image mm there."""
        view: View = "ccta" if float(np.asarray(position)[-1]) > 0.5 * self.offset_mm else "pullback"
        return view, self._within(view, position)

    def _within(self, view: View, position: npt.ArrayLike) -> FloatArray:
        """Image mm in a section of a place of the canvas, be it outside of that section."""
        y, x = np.asarray(position, dtype=np.float64)[-2:]
        return np.array([x - (self.offset_mm if view == "ccta" else 0.0), y])

    # What it listens to.

    def _connect(self) -> None:
        session, viewer = self.session, self.viewer
        self._links = Links(
            (session.frame_changed, self._on_frame),
            (session.path_changed, self.refresh),
            (session.landmarks_changed, self._draw_marks),
            (session.selection_changed, self._on_selection),
            (session.view_changed, self._on_view),
        )
        viewer.dims.events.current_step.connect(self._on_step)
        viewer.canvas.events.size.connect(self._on_size)
        self._wheels_before = list(viewer.mouse_wheel_callbacks)
        viewer.mouse_wheel_callbacks.clear()
        viewer.mouse_wheel_callbacks.append(self._on_wheel)
        viewer.mouse_drag_callbacks.append(self._on_drag)

    def _on_frame(self, _row: int) -> None:
        self._draw()

    def _on_selection(self, _name: str) -> None:
        self._draw_marks()

    def _on_view(self) -> None:
        self._draw_lines()
        self._draw_cut()
        self._draw_marks()

    def _on_step(self, _event: Any = None) -> None:
        if self._busy:
            return
        step = int(self.viewer.dims.current_step[0])
        self.session.step_to_frame(step)
        if self.session.frame != step:
            self.viewer.dims.set_current_step(0, self.session.frame)

    def _on_size(self, _event: Any = None) -> None:
        # A message above takes room for a while: what a reader has zoomed into stays.
        if self._seen() == self._fitted:
            self.fit()

    def _on_wheel(self, _viewer: ViewerModel, event: Any) -> None:
        """Step through the frames; with Control, zoom."""
        turned = float(event.delta[1])
        if "Control" in event.modifiers:
            self.viewer.scene.camera.zoom *= 1.1**turned
        elif turned:
            self.session.go_to_row(self.session.row - int(np.sign(turned)))
        event.handled = True

    def _on_drag(self, _viewer: ViewerModel, event: Any) -> Iterator[None]:
        """Set a half of the selected landmark, or take hold of a mark and move it."""
        if event.button != 1:
            return
        view, at = self.section_at(event.position)
        if "Shift" in event.modifiers and view == "ccta":
            yield from self._turn(event)
            return
        held = self._held(view, at)
        if self.pick_mode not in ("", view) or not (self.pick_mode or held):
            return
        if held is not None and not self.pick_mode:
            self.session.select(held.name, jump=False)
        panned = self.viewer.scene.camera.mouse_pan
        self.viewer.scene.camera.mouse_pan = False
        try:
            yield
            moved = False
            while event.type == "mouse_move":
                # Beyond its own section it is nowhere, whatever section it is over.
                at, moved = self._within(view, event.position), True
                yield
            # Another case may have come while it was held.
            if self.closed:
                return
            if self.pick_mode or (moved and held is not None and held.shape == "set"):
                self.set_half(view, at)
        finally:
            self.viewer.scene.camera.mouse_pan = panned

    def _turn(self, event: Any) -> Iterator[None]:
        """Turn the CCTA with the mouse about the middle of the lumen."""
        session = self.session
        if session.path is None or not session.path.posed[session.row]:
            return
        start, begun_rad = session.adjustment, self._angle_rad(event)
        panned = self.viewer.scene.camera.mouse_pan
        self.viewer.scene.camera.mouse_pan = False
        try:
            yield
            while event.type == "mouse_move":
                session.preview(session.turned(self._angle_rad(event) - begun_rad, start))
                yield
            if self.closed:
                return
            # Where it was let go; moves in quick succession are not told.
            session.adjust(session.turned(self._angle_rad(event) - begun_rad, start))
        except (LockedError, ValueError) as error:
            self.refused.emit(str(error))
        finally:
            self.viewer.scene.camera.mouse_pan = panned

    def _angle_rad(self, event: Any) -> float:
        """Direction of the mouse from the lumen's middle in the CCTA's section."""
        y, x = np.asarray(event.position, dtype=np.float64)[-2:]
        middle = self.session.centre_mm[self.session.row]
        return float(np.arctan2(y - middle[1], x - self.offset_mm - middle[0]))

    def set_half(self, view: View, xy_mm: FloatArray) -> None:
        """Set a half of the selected landmark at a place of a section."""
        session, row = self.session, self.session.row
        if not session.selected:
            return
        if np.abs(xy_mm).max() > self.reach_mm:
            self.refused.emit("Click inside of a cross-section; nothing was set.")
            return
        try:
            if view == "pullback":
                session.set_pullback_half(session.selected, row=row, xy_mm=xy_mm)
            elif session.path is not None and session.path.posed[row]:
                world = session.path.to_world(np.array([float(row)]), xy_mm[None])[0]
                session.set_ccta_half(session.selected, world)
        except (LockedError, ValueError) as error:
            self.refused.emit(str(error))
        self.pick_done.emit()

    def _held(self, view: View, xy_mm: FloatArray) -> Mark | None:
        marks = [m for m in marks_at(self.session, self.session.row) if m.view == view and m.shape == "set"]
        near = [(float(np.hypot(*(each.xy_mm - xy_mm))), each) for each in marks]
        near = [each for each in near if each[0] < GRAB_MM]
        return min(near, key=lambda each: each[0])[1] if near else None

    def close_view(self) -> None:
        """Stop listening, and take the layers away."""
        self.closed = True
        self._links.cut()
        viewer = self.viewer
        viewer.dims.events.current_step.disconnect(self._on_step)
        viewer.canvas.events.size.disconnect(self._on_size)
        viewer.mouse_wheel_callbacks[:] = self._wheels_before
        if self._on_drag in viewer.mouse_drag_callbacks:
            viewer.mouse_drag_callbacks.remove(self._on_drag)
        viewer.scene.camera.mouse_zoom = True
        # Together: napari collects garbage whenever its scene changes.
        with viewer.layers.batched_update():
            for layer in self._layers:
                if layer in viewer.layers:
                    viewer.layers.remove(layer)


_SYMBOLS = {"set": "disc", "expected": "x", "branch": "triangle_up"}


def one_row(path: VirtualCatheterPath, row: int) -> VirtualCatheterPath:
    """Return one frame of a path as a path."""
    here = slice(row, row + 1)
    return VirtualCatheterPath(
        path.frame[here],
        path.position_mm[here],
        path.arc_length_mm[here],
        path.rotation_rad[here],
        path.origin_mm[here],
        path.column[here],
        path.row[here],
        path.reliable[here],
        path.reason[here],
    )
