"""The centerline of one vessel from a CCTA lumen label and two rough clicks.

The path of least cost runs from click to click inside the label, where a step costs the inverse
square of the distance to the wall. Its points are voxels, so they are then moved to the centres of
the vessel's cross-sections, measured by rays on a blurred copy of the label, and smoothed. Rays
that escape into a side branch are cut to the section's usual radius.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_dilation, find_objects
from scipy.ndimage import label as components_of
from scipy.spatial import cKDTree
from skimage.graph import MCP_Geometric

from coreg.centerline import Centerline
from coreg.errors import InputError
from coreg.segmentation.cross_sections import RAY_REACH_MM, CrossSections
from coreg.volume import Volume

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

FARTHEST_CLICK_MM = 5.0
SHORTEST_MM = 3.0
# Wider than any coronary artery all is alike, so that a path need not visit the aorta's middle.
WIDEST_MM = 2.5
SPACING_MM = 0.5
SMOOTHING_MM3 = 1.0
ROUNDS = 4
LONGEST_SHIFT_MM = 0.5


def centerline_from_label(label: Volume, ostium_mm: FloatArray, distal_mm: FloatArray) -> Centerline:
    """Find the line through the middle of the lumen between two clicks.

    Parameters
    ----------
    label : Volume
        Non-zero inside the lumen; branches and the aorta may belong to it.
    ostium_mm, distal_mm : (3,) arrays
        World mm near the vessel's mouth and its far end, at most 5 mm from the label.

    Returns
    -------
    Centerline
        From the point nearest to the ostium click, where arc length is 0, to the one nearest to
        the distal click. The radius is that of a circle with the area of the cross-section, side
        branches left out.

    Raises
    ------
    InputError
        If the label is empty, a click is far from it, it does not connect the two, or they mark
        no stretch of vessel.
    """
    clicks = np.array([ostium_mm, distal_mm], dtype=np.float64)
    if clicks.shape != (2, 3) or not np.isfinite(clicks).all():
        msg = f"ostium_mm and distal_mm must be three finite numbers each, got {clicks.tolist()}"
        raise ValueError(msg)
    part = _part_at(_occupied(label), clicks)
    path_mm = _cheapest_path(part, clicks)
    length_mm = float(np.linalg.norm(np.diff(path_mm, axis=0), axis=1).sum())
    if length_mm < SHORTEST_MM:
        msg = (
            f"ccta.ostium and ccta.distal: found {length_mm:.1f} mm of lumen between {_text(clicks[0])} and "
            f"{_text(clicks[1])}, expected at least {SHORTEST_MM:g} mm of vessel"
        )
        raise InputError(msg)
    return _centred(CrossSections(_cropped(part, path_mm)), path_mm, clicks)


def _text(point_mm: FloatArray) -> str:
    return "(" + ", ".join(f"{each:.1f}" for each in point_mm) + ")"


def _occupied(label: Volume) -> Volume:
    """Cut a label to its non-zero voxels, with a margin of one empty voxel."""
    inside = np.asarray(label.values != 0)
    if not inside.any():
        msg = f"ccta.lumen: the label is empty (found 0 of {inside.size} voxels), expected the vessel's lumen"
        raise InputError(msg)
    box = []
    for axis in range(3):
        used = np.flatnonzero(inside.any(axis=tuple(each for each in range(3) if each != axis)))
        box.append(slice(int(used[0]), int(used[-1]) + 1))
    return _padded(label, inside, tuple(box))


def _padded(volume: Volume, inside: BoolArray, box: tuple[slice, ...]) -> Volume:
    matrix = volume.index_to_world.copy()
    matrix[:3, 3] = volume.to_world(np.array([each.start - 1.0 for each in box]))
    return Volume(np.pad(inside[box], 1), matrix)


def _part_at(lumen: Volume, clicks: FloatArray) -> Volume:
    """Return the connected part of the lumen that both clicks can mean."""
    parts, _ = components_of(lumen.values, np.ones((3, 3, 3)))
    gaps = [
        _part_gaps(lumen, parts, name, click)
        for name, click in zip(("ostium", "distal"), clicks, strict=True)
    ]
    common = sorted(set(gaps[0]) & set(gaps[1]), key=lambda number: gaps[0][number] + gaps[1][number])
    if not common:
        raise InputError(_disconnected(lumen, parts, [min(each, key=each.__getitem__) for each in gaps]))
    return _padded(lumen, parts == common[0], find_objects(parts)[common[0] - 1])


def _part_gaps(lumen: Volume, parts: IntArray, name: str, click: FloatArray) -> dict[int, float]:
    """Distance in mm from a click to each connected part within reach."""
    index, gap = _voxels_near(lumen, click)
    if len(index):
        numbers = parts[tuple(index.T)]
        return {int(each): float(gap[numbers == each].min()) for each in np.unique(numbers)}
    nearest = np.linalg.norm(
        lumen.to_world(np.argwhere(lumen.values).astype(np.float64)) - click, axis=1
    ).min()
    mirrored = len(_voxels_near(lumen, click * np.array([-1.0, -1.0, 1.0]))[0]) > 0
    hint = "with x and y negated it fits: RAS instead of LPS mm?" if mirrored else "is it in LPS mm?"
    msg = (
        f"ccta.{name}: {_text(click)} is {nearest:.1f} mm from the lumen label, expected at most "
        f"{FARTHEST_CLICK_MM:g} mm; {hint}"
    )
    raise InputError(msg)


def _voxels_near(lumen: Volume, click: FloatArray) -> tuple[IntArray, FloatArray]:
    """Array indices (M, 3) of labelled voxels within reach of a click, and their distances (M,) in mm."""
    steps = FARTHEST_CLICK_MM * np.linalg.norm(lumen.world_to_index[:3, :3], axis=1)
    centre = lumen.to_index(click)
    low = np.clip(np.floor(centre - steps), 0, lumen.values.shape).astype(int)
    high = np.clip(np.ceil(centre + steps) + 1, 0, lumen.values.shape).astype(int)
    index = np.argwhere(lumen.values[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]) + low
    gap = np.linalg.norm(lumen.to_world(index.astype(np.float64)) - click, axis=1)
    return index[gap <= FARTHEST_CLICK_MM], gap[gap <= FARTHEST_CLICK_MM]


def _disconnected(lumen: Volume, parts: IntArray, numbers: list[int]) -> str:
    voxel_mm3 = abs(float(np.linalg.det(lumen.index_to_world[:3, :3])))
    near, far = (lumen.to_world(np.argwhere(parts == each).astype(np.float64)) for each in numbers)
    gap_mm = float(cKDTree(near).query(far)[0].min())
    sizes = " and ".join(f"{len(each) * voxel_mm3:.1f}" for each in (near, far))
    return (
        "ccta.lumen: the label does not connect ccta.ostium and ccta.distal: they lie in separate parts of "
        f"{sizes} mm3, whose nearest voxels are {gap_mm:.1f} mm apart; expected one part"
    )


def _cheapest_path(part: Volume, clicks: FloatArray) -> FloatArray:
    """Voxel centres (N, 3) of the cheapest way through the lumen, in world mm."""
    inside = np.asarray(part.values)
    depth_mm = _depth_mm(part)
    cost = np.full(inside.shape, np.inf)
    cost[inside] = 1.0 / depth_mm[inside] ** 2
    start, end = (_seed(part, depth_mm, click) for click in clicks)
    search = MCP_Geometric(cost, sampling=tuple(part.spacing_mm))
    search.find_costs([start], [end])
    return part.to_world(np.array(search.traceback(end), dtype=np.float64))


def _depth_mm(part: Volume) -> FloatArray:
    """Distance from labelled voxels to the wall, at most ``WIDEST_MM``; 0 elsewhere.

    A tree of the voxels around the lumen is much faster than a distance map of the whole box, of
    which a vessel fills a hundredth.
    """
    inside = np.asarray(part.values)
    index = np.argwhere(inside)
    around = np.argwhere(binary_dilation(inside) & ~inside)
    half_voxel_mm = 0.5 * float(part.spacing_mm.min())
    distance, _ = cKDTree(part.to_world(around.astype(np.float64))).query(
        part.to_world(index.astype(np.float64)), distance_upper_bound=WIDEST_MM + half_voxel_mm
    )
    depth_mm = np.zeros(inside.shape)
    depth_mm[tuple(index.T)] = np.minimum(distance - half_voxel_mm, WIDEST_MM)
    return depth_mm


def _seed(part: Volume, depth_mm: FloatArray, click: FloatArray) -> tuple[int, ...]:
    """Voxel that a click means: near to it, and away from the wall."""
    index, gap = _voxels_near(part, click)
    # A power distance: a click beside the vessel's middle finds the middle, not the wall.
    return tuple(index[np.argmin(gap**2 - 2.0 * depth_mm[tuple(index.T)] ** 2)].tolist())


def _cropped(part: Volume, path_mm: FloatArray) -> Volume:
    index = part.to_index(path_mm)
    steps = (RAY_REACH_MM + 1.0) * np.linalg.norm(part.world_to_index[:3, :3], axis=1)
    low = np.maximum(np.floor(index.min(axis=0) - steps), 0).astype(int)
    high = np.minimum(np.ceil(index.max(axis=0) + steps) + 1, part.values.shape).astype(int)
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return _padded(part, np.asarray(part.values), box)


def _centred(sections: CrossSections, path_mm: FloatArray, clicks: FloatArray) -> Centerline:
    """Move a path to the centres of the vessel's cross-sections and end it at the clicks."""
    line = Centerline(path_mm).resampled(spacing_mm=SPACING_MM, smoothing=SMOOTHING_MM3)
    for _ in range(ROUNDS):
        line = _ended(sections, line, clicks)
        frames = line.frames_at(line.arc_length_mm)
        shift, radius = sections.measured(line.points_mm, frames)
        # Where the vessel opens into the aorta the section jumps; small steps keep the line in one piece.
        length = np.linalg.norm(shift, axis=1, keepdims=True)
        points = line.points_mm + shift * np.minimum(1.0, LONGEST_SHIFT_MM / np.maximum(length, 1e-9))
        # Smoothing may cut a corner of a thin vessel; the path itself never left it.
        outside = radius == 0.0
        if outside.any():
            points[outside] = path_mm[cKDTree(path_mm).query(points[outside])[1]]
        line = Centerline(_leading_on(points, frames[:, :, 2])).resampled(
            spacing_mm=SPACING_MM, smoothing=SMOOTHING_MM3
        )
    line = _ended(sections, line, clicks).resampled()
    _, radius = sections.measured(line.points_mm, line.frames_at(line.arc_length_mm))
    return Centerline(line.points_mm, radius)


def _leading_on(points: FloatArray, tangents: FloatArray) -> FloatArray:
    """Drop points (N, 3) that were moved back onto or behind the one before them."""
    steps = np.einsum("ij,ij->i", np.diff(points, axis=0), tangents[:-1])
    return points[np.append(True, steps > 0.1 * SPACING_MM)]


def _ended(sections: CrossSections, line: Centerline, clicks: FloatArray) -> Centerline:
    """Cut a line at the feet of the clicks, or lead it straight on to them inside the lumen."""
    low, high = (float(each) for each in line.arc_length_mm[[0, -1]])
    # A vessel that bends back may come near to a click again, so only the line's ends count.
    reach = min(2.0 * FARTHEST_CLICK_MM, 0.4 * (high - low))
    first = _foot(line, clicks[0], low, low + reach)
    last = _foot(line, clicks[1], high - reach, high)
    if first == low:
        first -= _way_on(sections, clicks[0], line.points_at(np.array(low)), -line.tangents_at(np.array(low)))
    if last == high:
        last += _way_on(sections, clicks[1], line.points_at(np.array(high)), line.tangents_at(np.array(high)))
    count = max(5, round((last - first) / SPACING_MM) + 1)
    return Centerline(line.points_at(np.linspace(first, last, count)))


def _foot(line: Centerline, click: FloatArray, low: float, high: float) -> float:
    """Arc length of the point nearest to a click between two others."""
    s = np.linspace(low, high, 201)
    return float(s[np.argmin(np.linalg.norm(line.points_at(s) - click, axis=1))])


def _way_on(sections: CrossSections, click: FloatArray, end: FloatArray, direction: FloatArray) -> float:
    """How far one can go towards the plane through a click without leaving the lumen, in mm."""
    wanted_mm = float((click - end) @ direction)
    if wanted_mm <= 0.0:
        return 0.0
    steps_mm = np.linspace(0.0, wanted_mm, int(np.ceil(wanted_mm / 0.2)) + 1)
    inside = sections.contain(end + steps_mm[:, None] * direction)
    return float(steps_mm[np.logical_and.accumulate(inside)].max(initial=0.0))
