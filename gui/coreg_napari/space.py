"""The vessel, the catheter and the landmarks in space.

The world is LPS mm, a right-handed system. Where napari's layers are (z, y, x) of an image, its camera shows
the axes towards the reader, down and to the right: a right-handed screen for axes in the layers' own order,
but a mirror for (x, y, z). So the layers of this view get (L, P, S) in that order, and no point is ever
turned round; the camera is put in front of the patient by its direction, and its axes are kept as they are
whatever the reader's settings say.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.layers import Layer, Points, Surface
from napari.qt import QtViewer
from napari.utils import Colormap
from qtpy.QtCore import QTimer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from coreg.catheter_path import VirtualCatheterPath
from coreg.centerline import Centerline
from coreg.landmarks import Landmark
from coreg_napari.colours import DOUBTFUL, PULLBACK_LUMEN, STATE_COLOURS
from coreg_napari.links import Links
from coreg_napari.napari_keys import silence
from coreg_napari.session import FILE_FRAME, Session
from coreg_napari.space_shapes import disc, overview, rods, tube, vessel_surface
from coreg_napari.space_texture import FramePainter

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# Of the layers' three axes; right-handed in that order.
UNMIRRORED = ("towards", "down", "right")
# At the positive ends of the axes.
LETTERS = ("L", "P", "S")
WAIT_MS = 250
# The colour of the CCTA's lumen, lighter: it is shaded and seen through.
LIGHT_LUMEN = "#F2915A"
# A rapid-exchange imaging catheter is about 0.9 mm thick.
CATHETER_MM, ROD_MM = 0.35, 0.08
POINT_MM, SELECTED_MM = 1.5, 2.8
# A letter is about 1.3 of these wide.
EN_SPACE, EN_PER_LETTER = "\u2002", 1.3
RESET_TIP = (
    "<qt>Look at the whole vessel again, with the head up: from the side that shows most of it, and of its "
    "two sides the one nearer to the patient's front. The axes point to the patient's left (L), back (P) and "
    "head (S).</qt>"
)
BESIDE_MM, FOLLOWED_MM = 6.0, 22.0
NOTHING = (np.zeros((3, 3)), np.zeros((1, 3), dtype=np.int64))


class SpaceView(QWidget):
    """A view in space that follows a session.

    Parameters
    ----------
    session : Session
        What is shown.
    parent : QWidget, optional
        Of the widget.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.viewer = ViewerModel(ndisplay=3)
        self.qt_viewer = QtViewer(self.viewer)
        self._stale: set[str] = set()
        self._timer = QTimer(self, singleShot=True, interval=WAIT_MS)
        self._timer.timeout.connect(self.update_now)
        self._painter = FramePainter.of(session.case)
        self._vessel_line: Centerline | None = None
        self._home: tuple[Any, ...] = ()
        self._set_up_viewer()
        self._add_layers()
        self._lay_out()
        self._links = Links(
            (session.frame_changed, self._on_frame),
            (session.path_changed, self._on_path),
            (session.landmarks_changed, self._on_landmarks),
            (session.selection_changed, self._on_landmarks),
            (session.view_changed, self._on_path),
        )
        self._show_vessel()
        self._stale = {"path", "frame", "landmarks", "carried"}
        self.update_now()

    def _set_up_viewer(self) -> None:
        self.viewer.dims.axis_labels = LETTERS
        axes = self.viewer.canvas.overlays.axes
        axes.visible, axes.size, axes.box = True, 44, False
        self.viewer.canvas.overlays.scale_bar.visible = True
        text = self.viewer.canvas.overlays.text
        text.visible, text.position, text.font_size = True, "top_left", 9
        self.viewer.mouse_wheel_callbacks[:] = [self._scroll_frames]
        silence([self.viewer])
        self._keep_unmirrored()
        self.viewer.scene.camera.events.orientation.connect(self._keep_unmirrored)
        self.viewer.dims.events.ndisplay.connect(self._keep_unmirrored)
        self.viewer.canvas.events.size.connect(self._on_size)
        # Files that are dropped here are meant for the whole window.
        self.qt_viewer.setAcceptDrops(False)

    def _keep_unmirrored(self) -> None:
        if tuple(str(each) for each in self.viewer.scene.camera.orientation) != UNMIRRORED:
            self.viewer.scene.camera.orientation = UNMIRRORED
        self.viewer.dims.ndisplay = 3

    def _add_layers(self) -> None:
        """Add layers in the order in which they are drawn: what is seen through comes late, marks last."""
        path_colours = Colormap([DOUBTFUL, PULLBACK_LUMEN], name="reliable", interpolation="zero")
        self.path_layer = self._surface("catheter path", path_colours)
        self.plane_layer = self._plane()
        self.rod_layer = self._surface("errors", Colormap(["white"] * 2, name="errors"))
        self.vessel_layer = self._surface("CCTA lumen", Colormap([LIGHT_LUMEN] * 2, name="lumen"))
        self.vessel_layer.opacity, self.vessel_layer.shading = 0.45, "smooth"
        self.carried_layer = self._points("landmarks of the pullback", "disc")
        self.ccta_layer = self._points("landmarks of the CCTA", "diamond")

    def _plane(self) -> Surface:
        layer = self._surface("frame", "gray")
        xy_mm, faces = disc(self._painter.reach_mm)
        _set(layer, np.column_stack([xy_mm, np.zeros(len(xy_mm))]), faces)
        layer.texcoords = self._painter.texture_places(xy_mm)
        return layer

    def _surface(self, name: str, colormap: Colormap | str) -> Surface:
        layer = Surface(
            NOTHING,
            name=name,
            colormap=colormap,
            contrast_limits=(0.0, 1.0),
            shading="none",
            units=("mm",) * 3,
        )
        layer.auto_contrast = False
        self.viewer.add_layer(layer)
        return layer

    def _points(self, name: str, symbol: str) -> Points:
        layer = Points(np.empty((0, 3)), ndim=3, name=name, symbol=symbol, units=("mm",) * 3)
        # Marks are seen through the vessel, and do not hide it from near by.
        layer.blending, layer.canvas_size_limits, layer.border_color = (
            "translucent_no_depth",
            (6, 15),
            "white",
        )
        self.viewer.add_layer(layer)
        return layer

    def _lay_out(self) -> None:
        self.follow = QCheckBox("Follow frame")
        self.follow.setToolTip("Keep the frame that is shown in the middle, and near")
        self.follow.toggled.connect(self._on_follow)
        reset = QPushButton("Reset view")
        reset.setToolTip(RESET_TIP)
        reset.clicked.connect(self.reset_view)
        hint = QLabel("drag: turn · Shift+drag: move · wheel: zoom · Ctrl+wheel: frames")
        below = QHBoxLayout()
        below.setContentsMargins(4, 0, 4, 2)
        below.addWidget(self.follow)
        below.addStretch(1)
        below.addWidget(reset)
        self.qt_viewer.setToolTip(hint.text())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.qt_viewer, 1)
        layout.addLayout(below)

    # Following the session.

    def _on_frame(self) -> None:
        self._later("frame")

    def _on_path(self) -> None:
        self._later("path", "frame", "carried")

    def _on_landmarks(self) -> None:
        self._later("landmarks", "carried")

    def _later(self, *what: str) -> None:
        """Show it soon, and once for many changes; hidden, when it is seen again."""
        self._stale.update(what)
        if self.isVisible() and not self._timer.isActive():
            self._timer.start()

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what happened while it was hidden."""
        super().showEvent(event)
        if self._stale:
            self._timer.start()

    def update_now(self) -> None:
        """Show what has changed."""
        stale, self._stale = self._stale, set()
        if "path" in stale:
            self._show_vessel()
            self._show_path()
        if "frame" in stale:
            self._show_frame()
        if "landmarks" in stale:
            self._show_landmarks()
        if "carried" in stale:
            self._show_carried()

    def close_view(self) -> None:
        """Leave the session and give all of OpenGL back; the widget is of no use afterwards."""
        self._timer.stop()
        self._links.cut()
        self.viewer.mouse_wheel_callbacks.clear()
        self.viewer.canvas.events.size.disconnect(self._on_size)
        # All of its listeners: napari's settings reach the model while it waits to be collected.
        self.viewer.scene.camera.events.orientation.disconnect()
        self.viewer.dims.events.ndisplay.disconnect(self._keep_unmirrored)
        self.qt_viewer.close()
        self.close()
        self.deleteLater()

    # What is shown.

    @property
    def _path(self) -> VirtualCatheterPath | None:
        """The path, unless the CCTA is to be seen without what the pullback says of it."""
        return None if self.session.blinded else self.session.path

    def _line(self) -> Centerline | None:
        case, registration = self.session.case, self.session.registration
        if registration is not None:
            return registration.centerline
        return None if case.tree is None else case.tree.vessel(case.ostium_mm, case.distal_mm)

    def _show_vessel(self) -> None:
        lumen, line, before = self.session.case.lumen, self._line(), self._vessel_line
        known = before is not None and line is not None and np.array_equal(before.points_mm, line.points_mm)
        if known or lumen is None:
            return
        self._vessel_line = line
        surface = vessel_surface(lumen, line)
        if surface is not None:
            _set(self.vessel_layer, surface.points_mm, surface.faces)
            self.reset_view()

    def _show_path(self) -> None:
        path = self._path
        if path is None or not path.posed.any():
            _show(self.path_layer, False)
            return
        column, row = np.nan_to_num(path.column), np.nan_to_num(path.row)
        joined = np.ones(len(path) - 1, dtype=bool)
        points, faces = tube(path.origin_mm, column, row, radius_mm=CATHETER_MM, joined=joined)
        sure = np.repeat(path.reliable.astype(np.float64), len(points) // len(path))
        _set(self.path_layer, points, faces, sure)

    def _show_frame(self) -> None:
        path, row = self._path, self.session.row
        self.viewer.canvas.overlays.text.text = self._frame_text()
        if path is None or not path.posed[row]:
            _show(self.plane_layer, False)
            return
        axes = np.column_stack([path.column[row], path.row[row], path.plane_normal[row]])
        # The mesh stays as it is, in the image's own mm: a transform is cheaper than new vertices.
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = axes, path.origin_mm[row]
        self.plane_layer.affine = pose
        self.plane_layer.texture = self._painter.painted(self.session.frame)
        _show(self.plane_layer, True)
        if self.follow.isChecked():
            self.viewer.scene.camera.center = tuple(path.origin_mm[row])

    def _frame_text(self) -> str:
        session = self.session
        if session.blinded:
            return "Blinded: the pullback is not shown here"
        if session.path is None:
            outlined = session.case.lumen is not None
            return "Nothing is registered yet" if outlined else "The CCTA's lumen is not outlined yet"
        text = f"frame {session.frame} ({FILE_FRAME})"
        return text if session.path.posed[session.row] else f"{text}: {session.path.reason[session.row]}"

    def _show_landmarks(self) -> None:
        placed = {
            each.landmark.id: each.landmark.world_mm
            for each in self.session.landmarks
            if each.landmark.world_mm is not None
        }
        self._set_points(self.ccta_layer, placed)
        self.ccta_layer.text = _labels(list(placed))

    def _show_carried(self) -> None:
        """Show where the pullback's halves are carried to, and join the halves of a pair."""
        path = self._path
        carried = {} if path is None else carried_mm(path, [each.landmark for each in self.session.landmarks])
        self._set_points(self.carried_layer, carried)
        seen = {each.landmark.id: each.landmark.world_mm for each in self.session.landmarks}
        # One name for a pair; a landmark that has no place in the CCTA yet has its name here.
        self.carried_layer.text = _labels(["" if seen[name] is not None else name for name in carried])
        pairs = [(seen[name], world_mm) for name, world_mm in carried.items() if seen[name] is not None]
        if pairs:
            start, end = (np.array(each) for each in zip(*pairs, strict=True))
            _set(self.rod_layer, *rods(start, end, radius_mm=ROD_MM))
        else:
            _show(self.rod_layer, False)

    def _set_points(self, layer: Points, world_mm: dict[str, FloatArray]) -> None:
        """Show points by id, in the colours of their states, the selected one larger."""
        layer.data = np.array(list(world_mm.values()), dtype=np.float64).reshape(-1, 3)
        if world_mm:
            states = {each.landmark.id: each.state for each in self.session.landmarks}
            selected = np.array([each == self.session.selected for each in world_mm])
            layer.face_color = [STATE_COLOURS[states[each]] for each in world_mm]
            layer.size = np.where(selected, SELECTED_MM, POINT_MM)
            layer.border_width = np.where(selected, 0.2, 0.0)

    # The camera.

    def _focus_mm(self) -> FloatArray:
        """Points (M, 3) along the vessel and the path, that the whole view holds."""
        line, path = self._vessel_line, self.session.path
        along = [] if line is None else [line.points_mm]
        if path is not None and path.posed.any():
            along.append(path.origin_mm[path.posed])
        return np.concatenate(along) if along else np.asarray(self.vessel_layer.vertices)

    def reset_view(self) -> None:
        """Look at the whole vessel from where most of it is seen, the head up."""
        focus_mm = self._focus_mm()
        into = overview(focus_mm)
        camera = self.viewer.scene.camera
        camera.set_view_direction(tuple(into), self._up(into))
        up = np.array(camera.up_direction)
        seen = focus_mm @ np.stack([np.cross(into, up), up], axis=1)
        low, high = seen.min(axis=0) - BESIDE_MM, seen.max(axis=0) + BESIDE_MM
        depth = focus_mm @ into
        middle = (
            0.5 * (low + high) @ np.stack([np.cross(into, up), up]) + 0.5 * (depth.min() + depth.max()) * into
        )
        height, width = self.viewer.canvas.size
        camera.center = tuple(middle)
        camera.zoom = float((np.array([width, height]) / (high - low)).min())
        self._home = self._camera_now()

    @staticmethod
    def _up(into: FloatArray) -> tuple[float, ...]:
        """The head is up; where the look goes along the body, the patient's front is."""
        head = abs(into[2]) < 0.9 * float(np.linalg.norm(into))
        return tuple(np.array([0.0, 0.0, 1.0] if head else [0.0, -1.0, 0.0]))

    def _camera_now(self) -> tuple[Any, ...]:
        camera = self.viewer.scene.camera
        return tuple(camera.center), camera.zoom, tuple(camera.angles)

    def _on_size(self) -> None:
        """Keep the whole vessel in a window that changes, until the reader moves the camera."""
        if self._home == self._camera_now():
            self.reset_view()

    def _on_follow(self, followed: bool) -> None:
        if followed:
            self._look_at_plane()
            self._later("frame")

    def _look_at_plane(self) -> None:
        """Look at the frame that is shown from near by, distally and from the side."""
        path, row, camera = self._path, self.session.row, self.viewer.scene.camera
        camera.zoom = max(camera.zoom, min(self.viewer.canvas.size) / FOLLOWED_MM)
        if path is None or not path.posed[row]:
            return
        distal = path.plane_normal[row] * (
            1.0 if self.session.case.pullback.view == "looking-distal" else -1.0
        )
        across = overview(self._focus_mm())
        across = across - (across @ distal) * distal
        into = distal + across / max(float(np.linalg.norm(across)), 1e-9)
        camera.set_view_direction(tuple(into), self._up(into))

    def _scroll_frames(self, _viewer: ViewerModel, event: Any) -> None:
        """Go through the frames where the wheel is turned with Ctrl, as in the other views."""
        if "Control" in event.modifiers:
            self.session.go_to_row(self.session.row + (1 if event.delta[1] < 0 else -1))


def carried_mm(path: VirtualCatheterPath, landmarks: Sequence[Landmark]) -> dict[str, FloatArray]:
    """Take the pullback's halves of landmarks to the world.

    Returns
    -------
    dict of str to (3,) array
        LPS mm by id, of those that have such a half in a frame with a pose.
    """
    halves = [each for each in landmarks if each.frame is not None and each.angle_rad is not None]
    rows = path.rows_of(np.array([each.frame for each in halves], dtype=np.float64))
    angle = np.array([each.angle_rad for each in halves], dtype=np.float64)
    radius_mm = np.array([each.radius_mm or 0.0 for each in halves])
    world_mm = path.to_world(rows, radius_mm[:, None] * np.column_stack([np.cos(angle), np.sin(angle)]))
    return {each.id: place for each, place in zip(halves, world_mm, strict=True) if np.isfinite(place).all()}


def _labels(names: list[str]) -> dict[str, Any]:
    """Write names right of their points."""
    return {
        "string": [_beside(each) for each in names],
        "color": "white",
        "size": 9,
        "anchor": "lower_left",
        "blending": "translucent_no_depth",
    }


def _beside(name: str) -> str:
    """Begin with as much room as a name takes, and its mark: napari writes it about the point's middle."""
    return EN_SPACE * (round(EN_PER_LETTER * len(name)) + 3) + name if name else ""


def _set(layer: Surface, points_mm: FloatArray, faces: IntArray, values: FloatArray | None = None) -> None:
    """Show a mesh in world mm; values choose from the layer's colours."""
    values = np.ones(len(points_mm)) if values is None else values
    layer.data = (points_mm, faces, values)
    _show(layer, True)


def _show(layer: Layer, visible: bool) -> None:
    """Show or hide a layer; napari rebuilds its scene even where nothing changes."""
    if layer.visible != visible:
        layer.visible = visible
