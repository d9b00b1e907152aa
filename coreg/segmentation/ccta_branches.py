"""Side branches of a vessel: bright tubes that leave it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import label as components_of
from scipy.special import expit
from skimage.graph import MCP_Geometric

from coreg.centerline import Centerline
from coreg.segmentation.blurred_disc import disc_share
from coreg.segmentation.ccta_search import FLOOR, SearchField
from coreg.segmentation.lumen_fit import WALL_HU
from coreg.segmentation.rays import SmoothImage
from coreg.segmentation.traced import STEP_MM, Traced, measured, roughly_centred, section_centres, shifted
from coreg.segmentation.tube_level import tube_level

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

REACH_MM = 12.0
LEAST_REACH_MM = 2.8
BESIDE_MM = 1.6
DIMMEST_TUBE = 0.25
MOST_COST = 90.0
MARGIN_MM = 0.35
HIDDEN_MM = 4.0
MOUTH_MM = 0.8
# Cosine of the angle up to which a tube goes on where the vessel ends, rather than leaves it.
ONWARD = 0.85


@dataclass(frozen=True, eq=False)
class FoundBranch:
    """A tube that leaves the vessel.

    Attributes
    ----------
    line : Centerline
        Its course from inside the vessel outwards, with radius.
    exit_mm : float
        Arc length on it at which it passes through the vessel's wall.
    radius_mm : float
        Near its mouth.
    brightness, mouth : float
        Contrast of its blood, and the lowest on the way through its mouth, over what the vessel's
        blood would show in a tube of its size.
    reach_mm : float
        How far from the vessel's wall it was followed.
    """

    line: Centerline
    exit_mm: float
    radius_mm: float
    brightness: float
    mouth: float
    reach_mm: float

    @property
    def mouth_mm(self) -> FloatArray:
        """World place (3,) where it passes through the vessel's wall."""
        return self.line.points_at(np.array(self.exit_mm))

    @property
    def probability(self) -> float:
        """How likely it is a side branch, rather than a vein beside the vessel or a plaque."""
        signs = (
            (self.brightness - 0.66) / 0.05,
            (self.mouth - 0.57) / 0.05,
            (self.reach_mm - LEAST_REACH_MM) / 0.5,
        )
        return float(np.prod(expit(np.array(signs))))


def find_branches(field: SearchField, image: SmoothImage, vessel: Traced) -> tuple[FoundBranch, ...]:
    """Find the tubes that leave a vessel, proximal to distal.

    Paths grow from the lumen through bright tubes; what they reach beyond the wall falls into
    connected pieces, one for each tube.
    """
    inside, level, cost = _surroundings(field, vessel)
    search = MCP_Geometric(cost)
    total, _ = search.find_costs(inside.tolist())
    beyond = (total <= MOST_COST) & (level > BESIDE_MM)
    pieces, count = components_of(beyond, np.ones((3, 3, 3)))
    found = []
    for number in range(1, count + 1):
        index = np.argwhere(pieces == number)
        place = tuple(index.T)
        if level[place].max() < LEAST_REACH_MM:
            continue
        tube = field.tube[place]
        far = np.where(tube > 0.4 * tube.max(), total[place], -np.inf)
        path = field.grid.to_world(np.array(search.traceback(index[int(np.argmax(far))]), dtype=np.float64))
        branch = _measured_branch(image, vessel, path)
        if branch is not None:
            found.append(branch)
    return tuple(sorted(found, key=lambda each: float(vessel.line.nearest_arc_length(each.mouth_mm))))


def mouths(branches: tuple[FoundBranch, ...]) -> FloatArray:
    """Balls (M, 4), world centre and radius in mm, that fill the branches from their mouths outwards."""
    balls = [np.zeros((0, 4))]
    for each in branches:
        s = np.arange(each.exit_mm, min(each.exit_mm + HIDDEN_MM, each.line.arc_length_mm[-1]), 0.2)
        radius = np.full((len(s), 1), each.radius_mm + MARGIN_MM)
        balls.append(np.hstack([each.line.points_at(s), radius]))
    return np.concatenate(balls)


def _surroundings(field: SearchField, vessel: Traced) -> tuple[IntArray, FloatArray, FloatArray]:
    """Voxels (M, 3) inside the vessel; distance from its wall and step cost on the field's grid."""
    near = field.tube > DIMMEST_TUBE * 0.5
    index = np.argwhere(near)
    world = field.grid.to_world(index.astype(np.float64))
    rough = np.linalg.norm(world - vessel.line.points_at(vessel.line.nearest_arc_length(world)), axis=1)
    index, world = index[rough < REACH_MM + 2.0], world[rough < REACH_MM + 2.0]
    distance, s = tube_level(vessel.line, vessel.radius_mm, world)
    expected = (vessel.level_hu - WALL_HU) / (field.level_hu - WALL_HU)
    tube = field.tube[tuple(index.T)] / np.interp(s, vessel.line.arc_length_mm, expected)
    level = np.full(field.tube.shape, np.inf)
    level[tuple(index.T)] = distance
    cost = np.full(field.tube.shape, np.inf)
    use = (distance < REACH_MM) & (tube > DIMMEST_TUBE)
    use &= ~_going_on(vessel.line, world, s)
    cost[tuple(index[use].T)] = 1.0 / (np.minimum(tube[use], 1.0) ** 2 + FLOOR**2)
    core = distance < 0.0
    cost[tuple(index[core].T)] = 1.0
    level[~np.isfinite(cost)] = -np.inf
    return index[core], level, cost


def _going_on(line: Centerline, world_mm: FloatArray, s: FloatArray) -> BoolArray:
    """Which points (M,), nearest to the line at arc lengths (M,), belong to what goes on beyond its ends.

    That is the aorta before it, and the vessel itself after it; what leaves sideways there is a branch.
    """
    low, high = line.arc_length_mm[[0, -1]]
    offset = world_mm - line.points_mm[-1]
    along = offset @ line.tangents_at(np.array(high))
    onward = along > ONWARD * np.linalg.norm(offset, axis=1)
    return np.asarray((s <= low + 1e-3) | ((s >= high - 1e-3) & onward))


def _measured_branch(image: SmoothImage, vessel: Traced, path_mm: FloatArray) -> FoundBranch | None:
    """Measure a tube along a path from the vessel's lumen outwards; None if it hardly leaves it."""
    if len(path_mm) < 5:
        return None
    nearest = int(np.argmin(np.linalg.norm(vessel.line.points_mm - path_mm[0], axis=1)))
    blood_hu = float(vessel.level_hu[nearest])
    line = roughly_centred(image, path_mm, blood_hu)
    if len(line.points_mm) < 8:
        return None
    level, _ = tube_level(vessel.line, vessel.radius_mm, line.points_mm)
    outside = np.flatnonzero(level > 0.0)
    if not len(outside) or level.max() < LEAST_REACH_MM - 0.5:
        return None
    core = np.column_stack([vessel.line.points_mm, vessel.radius_mm.mean(axis=1)])
    blur = vessel.fit.blur_mm
    fitted = measured(image, line, blood_hu, blur, hidden=core, branch=True, iterations=4)
    line = _straight_inside(shifted(fitted.rays, section_centres(fitted.radius_mm)), vessel)
    fitted = measured(image, line, blood_hu, blur, hidden=core, branch=True, iterations=5)
    level, _ = tube_level(vessel.line, vessel.radius_mm, line.points_mm)
    s, outside = line.arc_length_mm, np.flatnonzero(level > 0.0)
    if not len(outside):
        return None
    exit_mm = float(s[outside[0]])
    radius = np.sqrt((fitted.radius_mm**2).mean(axis=1))
    # Within the mouth nothing of the branch's own wall is seen.
    radius = np.interp(np.maximum(s, exit_mm + MOUTH_MM), s, radius)
    early = (s > exit_mm + 0.8) & (s < exit_mm + 4.5)
    if not early.any():
        return None
    size = float(np.median(radius[early]))
    along = image.at(line.points_mm)
    share = disc_share(np.zeros(1), np.array([size]), vessel.fit.blur_mm)[0][0]
    contrast = (along - WALL_HU) / ((blood_hu - WALL_HU) * share)
    mouth = (s > exit_mm - 0.6) & (s < exit_mm + 1.6)
    return FoundBranch(
        Centerline(line.points_mm, radius),
        exit_mm,
        size,
        float(np.median(contrast[early])),
        float(contrast[mouth].min()),
        float(level.max()),
    )


def _straight_inside(line: Centerline, vessel: Traced) -> Centerline:
    """Replace the part of a branch's line within the vessel and its mouth by a straight one."""
    level, _ = tube_level(vessel.line, vessel.radius_mm, line.points_mm)
    s = line.arc_length_mm
    outside = np.flatnonzero(level > 0.0)
    if not len(outside) or s[-1] - s[outside[0]] < 2.0 * MOUTH_MM:
        return line
    middle, direction = _axis(line, float(s[outside[0]]))
    outer = line.points_at(np.arange(s[outside[0]] + MOUTH_MM, s[-1] + 1e-6, STEP_MM))
    reach = float((outer[0] - middle) @ direction)
    back = middle + np.arange(reach - STEP_MM, reach - 8.0, -STEP_MM)[:, None] * direction
    level, _ = tube_level(vessel.line, vessel.radius_mm, back)
    points = np.concatenate([back[: int(np.argmin(level)) + 1][::-1], outer])
    return Centerline(points).resampled(spacing_mm=STEP_MM, smoothing=0.1)


def _axis(line: Centerline, exit_mm: float) -> tuple[FloatArray, FloatArray]:
    """A point of the straight line through a branch's first mm outside the vessel, and its direction."""
    s = np.linspace(exit_mm + 0.5, min(exit_mm + 3.5, float(line.arc_length_mm[-1])), 13)
    points = line.points_at(s)
    middle = points.mean(axis=0)
    direction = np.linalg.svd(points - middle)[2][0]
    return middle, direction * np.sign(direction @ (points[-1] - points[0]))


def ostium_of(vessel: Traced, line: Centerline, exit_mm: float) -> tuple[FloatArray, FloatArray]:
    """Where the branch's axis, straight on from outside, meets the vessel's wall; and its direction."""
    middle, direction = _axis(line, exit_mm)
    back = middle - np.linspace(0.0, 6.0, 61)[:, None] * direction
    level, _ = tube_level(vessel.line, vessel.radius_mm, back)
    crossed = np.flatnonzero(level < 0.0)
    at = back[crossed[0]] if len(crossed) else back[int(np.argmin(level))]
    return at, direction
