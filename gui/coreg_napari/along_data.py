"""What the view along the vessel shows, as arrays: cuts, edges, areas and marks by position. No screen."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from coreg.catheter_path import VirtualCatheterPath
from coreg.centerline import Centerline
from coreg.fusion import ccta_cut, lengthwise_cut
from coreg.report.pullback_views import white_level
from coreg.report.style import WINDOW_HU, cell_edges
from coreg.review import ReviewedLandmark
from coreg.volume import Volume
from coreg_napari.lumen_rays import lumen_level, ray_lumen
from coreg_napari.outlines import Outlines, edges_mm, joined, joined_rows, no_outlines
from coreg_napari.session import Session

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
RgbaArray = npt.NDArray[np.uint8]

COLUMNS, PIXELS = 1000, 120
# How much wall a cut shows around the lumen, and how far it goes where no lumen is known.
WALL_MM, NO_LUMEN_REACH_MM = 1.0, 4.0


class Columns(NamedTuple):
    """Equal steps along a pullback, proximal to distal: the row of each, and where they begin and end."""

    row: IntArray
    first_mm: float
    last_mm: float


class Marks(NamedTuple):
    """Where landmarks (L,) lie along the pullback, in mm; NaN for a half that is missing or not met."""

    landmarks: tuple[ReviewedLandmark, ...]
    pullback_mm: FloatArray
    ccta_mm: FloatArray


@dataclass(frozen=True, eq=False)
class Shown:
    """One picture along the vessel: N rows, proximal to distal.

    Attributes
    ----------
    pullback_cut, ccta_cut : (PIXELS, COLUMNS, 4) uint8 arrays or None
        The last row lies towards the cut's angle; transparent where nothing is seen.
    pullback_edge_mm, ccta_edge_mm : (N, 2) arrays
        Lumen's edge opposite of the angle and towards it, mm from the catheter.
    pullback_area_mm2, ccta_area_mm2 : (N,) arrays
        Inside the lumen's outline in the frame's plane.
    reliable, posed : (N,) bool arrays
        Of the path; all without one.
    sd_mm : (N,) array
        Standard deviation of the place along the vessel.
    placed : bool
        Whether there is a path at all.
    """

    pullback_cut: RgbaArray | None
    ccta_cut: RgbaArray | None
    pullback_edge_mm: FloatArray
    ccta_edge_mm: FloatArray
    pullback_area_mm2: FloatArray
    ccta_area_mm2: FloatArray
    reliable: BoolArray
    posed: BoolArray
    sd_mm: FloatArray
    placed: bool


class AlongData:
    """Measures a session along the vessel; what does not change is measured once.

    Parameters
    ----------
    session : Session
        What to show.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self._path: VirtualCatheterPath | None = None
        self._ccta = no_outlines(len(self.position_mm))
        self._centerline: Centerline | None = None
        self._level: Volume | None = None
        self._angle_rad = np.nan
        self._pullback: tuple[RgbaArray | None, FloatArray] = (None, np.empty((0, 2)))

    @cached_property
    def position_mm(self) -> FloatArray:
        """Withdrawal at each row, shape (N,); falls along the array."""
        return self.session.case.pullback.position_mm

    @cached_property
    def columns(self) -> Columns:
        """Which row each column of a cut shows."""
        return columns_of(self.position_mm)

    @cached_property
    def pullback_outlines(self) -> Outlines:
        """The pullback's lumen in each row."""
        lumen = self.session.case.pullback.lumen
        return joined([lumen.get(frame) for frame in self.session.frames.tolist()])

    @cached_property
    def reach_mm(self) -> float:
        """How far from the catheter the cuts go."""
        distance = np.hypot(*self.pullback_outlines.points_mm.T)
        reach = float(np.percentile(distance, 99.0)) + WALL_MM if len(distance) else NO_LUMEN_REACH_MM
        images = self.session.case.pullback_images
        return reach if images is None else min(reach, images.field_of_view_mm)

    @cached_property
    def _white(self) -> float:
        images = self.session.case.pullback_images
        return 255.0 if images is None else white_level(images)

    def ccta_outlines(self) -> Outlines:
        """The CCTA's lumen in the plane of each row, on the path as it is."""
        path = self.session.path
        if path is not self._path:
            level = self._current_level()
            self._path, self._ccta = path, no_outlines(len(self.position_mm))
            if path is not None and level is not None and path.posed.any():
                seen = ray_lumen(level, path, self.session.centre_mm)
                rows = np.flatnonzero(np.isfinite(seen.area_mm2))
                self._ccta = joined_rows(seen.outline_mm[rows], rows, seen.area_mm2)
        return self._ccta

    def _current_level(self) -> Volume | None:
        registration, lumen = self.session.registration, self.session.case.lumen
        if registration is None or lumen is None:
            return None
        line = registration.centerline
        if self._centerline is None or not np.array_equal(self._centerline.points_mm, line.points_mm):
            self._centerline = line
            try:
                self._level = lumen_level(lumen, line.resampled(spacing_mm=0.5).points_mm)
            except ValueError:
                # The lumen of another patient, say: the cut of the CCTA then has no edge, as it should.
                self._level = None
        return self._level

    def shown(self) -> Shown:
        """Measure everything for the path and the angle as they are."""
        path, angle = self.session.path, self.session.cut_angle_rad
        ccta, count = self.ccta_outlines(), len(self.position_mm)
        cut, edge_mm = self._pullback_at(angle)
        return Shown(
            cut,
            self._ccta_cut(path, angle),
            edge_mm,
            edges_mm(ccta, angle),
            self.pullback_outlines.area_mm2,
            ccta.area_mm2,
            np.ones(count, dtype=bool) if path is None else path.reliable,
            np.ones(count, dtype=bool) if path is None else path.posed,
            np.full(count, np.nan) if path is None else path.arc_length_sd_mm,
            path is not None,
        )

    def _pullback_at(self, angle_rad: float) -> tuple[RgbaArray | None, FloatArray]:
        """Cut of the images and edges of the lumen at an angle, which no path changes."""
        if angle_rad != self._angle_rad:
            self._angle_rad = angle_rad
            self._pullback = self._pullback_cut(angle_rad), edges_mm(self.pullback_outlines, angle_rad)
        return self._pullback

    def _pullback_cut(self, angle_rad: float) -> RgbaArray | None:
        images = self.session.case.pullback_images
        if images is None:
            return None
        cut = lengthwise_cut(images, self.session.frames, angle_rad, reach_mm=self.reach_mm, pixels=PIXELS)
        return grey_levels(cut, 0.0, self._white)[:, self.columns.row]

    def _ccta_cut(self, path: VirtualCatheterPath | None, angle_rad: float) -> RgbaArray | None:
        image = self.session.case.image
        if image is None or path is None:
            return None
        cut = ccta_cut(image, path, angle_rad, reach_mm=self.reach_mm, pixels=PIXELS)
        return grey_levels(cut, *WINDOW_HU)[:, self.columns.row]

    def marks(self) -> Marks:
        """Find all landmarks along the pullback; blinded, only where the pullback itself has them."""
        reviewed, path = self.session.landmarks, self.session.path
        halves = [each.landmark for each in reviewed]
        frame = np.array([np.nan if each.frame is None else each.frame for each in halves])
        ccta = np.full(len(halves), np.nan)
        met = [i for i, each in enumerate(halves) if each.world_mm is not None]
        if path is not None and met and not self.session.blinded:
            rows = path.to_pullback(np.array([halves[i].world_mm for i in met])).row
            ccta[met] = path.position_at(rows)
        return Marks(reviewed, self._position_of(frame), ccta)

    def _position_of(self, frame: FloatArray) -> FloatArray:
        """Position (L,) of the rows nearest to acquisition indices (L,): where a landmark is shown."""
        nearest = np.abs(self.session.frames - np.nan_to_num(frame)[:, None]).argmin(axis=1)
        return np.where(np.isnan(frame), np.nan, self.position_mm[nearest])


def columns_of(position_mm: FloatArray, count: int = COLUMNS) -> Columns:
    """Divide a pullback into equal steps, each with the row that is nearest.

    >>> columns_of(np.array([2.0, 1.0, 0.0]), 6)
    Columns(row=array([0, 0, 1, 1, 2, 2]), first_mm=2.5, last_mm=-0.5)
    """
    edges = cell_edges(position_mm)
    first, last = float(edges[0]), float(edges[-1])
    at = first - (first - last) * (np.arange(count) + 0.5) / count
    return Columns(np.searchsorted(-edges[1:-1], -at), first, last)


def grey_levels(picture: npt.NDArray[np.float32], black: float, white: float) -> RgbaArray:
    """Turn values (rows, columns) into grey RGBA, transparent where they are NaN.

    >>> grey_levels(np.array([[np.nan, 5.0]], np.float32), 0.0, 10.0).tolist()
    [[[0, 0, 0, 0], [127, 127, 127, 255]]]
    """
    level = np.nan_to_num((picture - black) * (255.0 / (white - black)), nan=0.0).clip(0.0, 255.0)
    rgba = np.repeat(level.astype(np.uint8)[..., None], 4, axis=2)
    rgba[..., 3] = np.where(np.isnan(picture), 0, 255)
    return rgba
