"""A segmented pullback in the order of its positions, and which frames of it to show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from coreg.landmarks import SideBranch
from coreg.pullback import Pullback
from coreg.pullback_images import PullbackImages
from coreg.pullback_measures import gated_frames, measures_of
from coreg.pullback_vessel import PullbackVessel
from coreg.report.figures_along import Frames

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

MOST_COLUMNS = 1200
MOST_LOOKED_AT, DIMMEST_WHITE = 40, 60.0
MOST_BRANCHES = 5
MOST_DOUBTS = 4
RANKS = ("best", "better quarter", "median", "worse quarter", "worst")
PLACES = ("first", "at a quarter", "middle", "at three quarters", "last")
# Less does not show in two decimals.
ALIKE = 0.005


@dataclass(frozen=True, eq=False)
class SegmentedRun:
    """A pullback, what was found in it, and its images where there are any."""

    pullback: Pullback
    vessel: PullbackVessel
    images: PullbackImages | None

    @property
    def frames(self) -> Frames:
        """Frames with their positions, proximal to distal, reliable where they are not marked."""
        frame = self.pullback.frame
        everywhere = np.ones(len(frame), dtype=bool)
        return Frames(frame, self.pullback.position_mm, ~self.vessel.marked[frame], everywhere)

    def position_at(self, frame: float) -> float:
        """Position in mm at an acquisition index, between frames too."""
        order = np.argsort(self.pullback.frame)
        return float(np.interp(frame, self.pullback.frame[order], self.pullback.position_mm[order]))


class Columns(NamedTuple):
    """Equal steps along a pullback, proximal to distal: a frame for each, and where they begin and end."""

    frame: IntArray
    first_mm: float
    last_mm: float


class FramePick(NamedTuple):
    """A frame to show, and why."""

    frame: int
    why: str


def columns_of(run: SegmentedRun) -> Columns:
    """Divide a pullback into equal steps, each with the nearest frame."""
    position = run.pullback.position_mm
    margin = 0.5 * run.pullback.frame_spacing_mm or 0.5
    first, last = float(position[0]) + margin, float(position[-1]) - margin
    count = MOST_COLUMNS
    at = first - (first - last) * (np.arange(count) + 0.5) / count
    row = np.clip(np.searchsorted(-position, -at), 1, max(1, len(position) - 1))
    row = np.minimum(row, len(position) - 1)
    nearer = np.abs(position[row - 1] - at) <= np.abs(position[row] - at)
    return Columns(run.pullback.frame[np.where(nearer, row - 1, row)], first, last)


def white_level(images: PullbackImages) -> float:
    """Grey value to show white: dim images are brightened, as on a console."""
    some = images.pixels[:: max(1, len(images) // MOST_LOOKED_AT)]
    lit = some[some > 0]
    return float(max(np.percentile(lit, 99.8), DIMMEST_WHITE)) if lit.size else 255.0


def shown_reach_mm(vessel: PullbackVessel) -> float:
    """How far from the catheter pictures must reach, so that nearly all outlines are in them."""
    outline = (vessel.wall_mm if vessel.eem_mm is None else vessel.eem_mm)[vessel.frame]
    return float(min(1.2 * np.percentile(outline, 99.5) + 0.3, vessel.field_of_view_mm))


def whole_reach_mm(run: SegmentedRun) -> float:
    """How far from the catheter pictures must reach to show all of the images, or else all outlines."""
    if run.images is not None:
        return run.images.field_of_view_mm
    vessel = run.vessel
    outline = (vessel.wall_mm if vessel.eem_mm is None else vessel.eem_mm)[vessel.frame]
    return 1.05 * float(outline.max()) + 0.1


def blacked_out(images: PullbackImages | None) -> bool:
    """Tell whether marks within the field of view were blacked out."""
    if images is None:
        return False
    rows, columns = np.indices(images.pixels.shape[1:])
    x = (columns - images.catheter_px[0]) * images.pixel_spacing_mm[0]
    y = (rows - images.catheter_px[1]) * images.pixel_spacing_mm[1]
    inside = np.hypot(x, y) <= images.field_of_view_mm
    masks = [*images.marks.values(), *([] if images.hidden is None else [images.hidden])]
    return any(bool((mask & inside).any()) for mask in masks)


def named_branches(vessel: PullbackVessel) -> list[tuple[SideBranch, float, float]]:
    """Side branches with a place: each with its frame and its angle in rad."""
    return [
        (each, each.frame, each.angle_rad)
        for each in vessel.side_branches
        if each.frame is not None and each.angle_rad is not None
    ]


def picked_frames(run: SegmentedRun) -> list[FramePick]:
    """Choose frames from the best to the worst, with side branches, and of each doubt.

    Frames that are all alike have no best one; then they come from the first to the last.
    """
    vessel = run.vessel
    known = _known_frames(run)
    ranked = known if all_alike(run) else known[np.argsort(-vessel.quality[known], kind="stable")]
    names = PLACES if all_alike(run) else RANKS
    places = np.rint(np.linspace(0, len(ranked) - 1, len(names))).astype(int)
    picks = [FramePick(int(ranked[at]), name) for at, name in zip(places, names, strict=True)]
    smallest = measures_of(vessel).smallest_frame
    if smallest is not None:
        picks.append(FramePick(smallest, "smallest lumen"))
    likely = sorted(named_branches(vessel), key=lambda each: -each[0].probability)[:MOST_BRANCHES]
    for branch, frame, _ in sorted(likely, key=lambda each: each[1]):
        picks.append(
            FramePick(int(known[np.argmin(np.abs(known - frame))]), f"pullback side branch {branch.id}")
        )
    shown = {vessel.reason[pick.frame] for pick in picks}
    picks += [pick for pick in _doubted(vessel) if vessel.reason[pick.frame] not in shown]
    chosen: dict[int, str] = {}
    for pick in picks:
        chosen[pick.frame] = f"{chosen[pick.frame]}, {pick.why}" if pick.frame in chosen else pick.why
    return [FramePick(frame, why) for frame, why in chosen.items()]


def all_alike(run: SegmentedRun) -> bool:
    """Tell whether the frames that may be picked have the same quality."""
    return bool(np.ptp(run.vessel.quality[_known_frames(run)]) < ALIKE)


def _known_frames(run: SegmentedRun) -> IntArray:
    """Frames that take part and have an outline of their own; all where there is none."""
    frames = np.sort(run.pullback.frame)
    known = frames[(gated_frames(run.vessel) & (run.vessel.quality > 0.0))[frames]]
    return known if len(known) else frames


def _doubted(vessel: PullbackVessel) -> list[FramePick]:
    """Pick the middle of the longest stretch of each reason, the longest first."""
    longest: dict[str, tuple[int, int]] = {}
    for first, last, reason in vessel.marked_stretches:
        if reason not in longest or last - first > longest[reason][1] - longest[reason][0]:
            longest[reason] = (first, last)
    ranges = sorted(longest.values(), key=lambda each: each[0] - each[1])[:MOST_DOUBTS]
    return [FramePick((first + last) // 2, "marked") for first, last in ranges]
