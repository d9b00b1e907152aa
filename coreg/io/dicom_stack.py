"""Slices in order of their position, and what is wrong with a stack of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from coreg.io.dicom_headers import SliceHeader
from coreg.volume import FloatArray

LARGEST_TILT_DEG = 0.5
# Rounded positions drift by far less than this; a shear of a pixel over a heart is more.
LARGEST_LEAN_DEG = 0.1
LARGEST_SIDE_STEP_MM = 0.1
SAME_POSITION_MM = 0.02
# Positions are often rounded to 0.01 mm.
JITTER_MM, JITTER = 0.01, 0.01
HU_TYPES = frozenset({"", "HU", "US", "HU_MOD"})


@dataclass(frozen=True)
class Problem:
    """Why a series cannot be read: the field, what was found and what was expected."""

    field: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.field}: found {self.found}, expected {self.expected}"


@dataclass(frozen=True, eq=False)
class Stack:
    """Slices by their position along the normal of the image plane.

    Attributes
    ----------
    levels : tuple of tuple of SliceHeader
        The slices of each position, in growing order; more than one where a position repeats.
    place : tuple of str
        Where each level is, for people: its coordinate along the axis nearest to the normal.
    position_mm : (levels,) array
        Along the normal.
    index_to_world : (4, 4) array or None
        Takes (slice, row, column, 1) to LPS mm; None where there is a problem with the geometry.
    problem : Problem or None
        What keeps it from being read.
    """

    levels: tuple[tuple[SliceHeader, ...], ...]
    place: tuple[str, ...]
    position_mm: FloatArray
    index_to_world: FloatArray | None
    problem: Problem | None

    @property
    def spacing_mm(self) -> float | None:
        """Mean distance between levels, or None for a single one."""
        if len(self.levels) < 2:
            return None
        return float(np.ptp(self.position_mm)) / (len(self.levels) - 1)

    @property
    def repeated(self) -> int:
        """How many slices lie where another one lies already."""
        return sum(len(each) - 1 for each in self.levels)


def stacked(slices: Sequence[SliceHeader]) -> Stack:
    """Sort slices that have a position and an orientation, and look for what is wrong."""
    corner = np.array([each.position_mm for each in slices])
    plane = np.array([each.orientation for each in slices])
    normal = _unit(np.cross(plane[0, :3], plane[0, 3:]))
    along = corner @ normal
    order = np.argsort(along, kind="stable")
    first = np.flatnonzero(np.diff(along[order], prepend=-np.inf) > SAME_POSITION_MM)
    levels = [[slices[i] for i in each] for each in np.split(order, first[1:])]
    ordered = order[first]
    axis = int(np.argmax(np.abs(normal)))
    place = tuple(f"{'xyz'[axis]} = {corner[i, axis]:.2f} mm" for i in ordered)
    position = along[ordered]
    problem = (
        _plane_problem(slices, plane)
        or _tilt_problem(slices, corner[ordered], normal)
        or _spacing_problem(position, place)
        or _rescale_problem(slices)
    )
    matrix = None
    if problem is None and len(levels) > 1:
        spacing = levels[0][0].pixel_spacing_mm or (math.nan, math.nan)
        step = float(np.ptp(position)) / (len(position) - 1)
        matrix = np.eye(4)
        matrix[:3, 0] = normal * step
        matrix[:3, 1] = _unit(plane[0, 3:]) * spacing[0]
        matrix[:3, 2] = _unit(plane[0, :3]) * spacing[1]
        matrix[:3, 3] = corner[ordered[0]]
    return Stack(tuple(tuple(each) for each in levels), place, position, matrix, problem)


def _unit(vector: FloatArray) -> FloatArray:
    length = float(np.linalg.norm(vector))
    return vector / length if length > 0.0 else np.array([0.0, 0.0, 1.0])


def _plane_problem(slices: Sequence[SliceHeader], plane: FloatArray) -> Problem | None:
    if np.abs(plane - plane[0]).max() > 1e-3:
        expected = "parallel slices; export the series without other views"
        return Problem("ImageOrientationPatient", "slices in different orientations", expected)
    across, down = plane[0, :3], plane[0, 3:]
    if np.abs([across @ down, across @ across - 1.0, down @ down - 1.0]).max() > 1e-3:
        found = f"{plane[0].round(4).tolist()}"
        return Problem("ImageOrientationPatient", found, "two perpendicular directions of length 1")
    sizes = {(each.rows, each.columns, each.pixel_spacing_mm) for each in slices}
    if len(sizes) > 1:
        expected = "slices of one size; export one reconstruction per series"
        return Problem("Rows, Columns, PixelSpacing", "slices of different size or spacing", expected)
    return None


def _tilt_problem(slices: Sequence[SliceHeader], corner: FloatArray, normal: FloatArray) -> Problem | None:
    straighten = "slices stacked along their normal; straighten (resample) the tilted series first"
    offset = corner - corner[0]
    aside = np.linalg.norm(offset - np.outer(offset @ normal, normal), axis=1)
    lean_deg = math.degrees(math.atan2(aside[-1], abs(float(offset[-1] @ normal))))
    if lean_deg > LARGEST_LEAN_DEG and aside[-1] > LARGEST_SIDE_STEP_MM:
        return Problem("gantry tilt", f"slices stacked {lean_deg:.1f} degrees off their normal", straighten)
    if aside.max() > max(LARGEST_SIDE_STEP_MM, 2.0 * float(aside[-1])):
        found = f"slices shifted sideways by up to {aside.max():.2f} mm"
        return Problem("ImagePositionPatient", found, "one field of view for all slices")
    tilt_deg = max((each.tilt_deg for each in slices), key=abs)
    if abs(tilt_deg) > LARGEST_TILT_DEG:
        return Problem("GantryDetectorTilt", f"{tilt_deg:.1f} degrees", straighten)
    return None


def _spacing_problem(position: FloatArray, place: Sequence[str]) -> Problem | None:
    if len(position) < 3:
        return None
    gap = np.diff(position)
    usual = float(np.median(gap))
    allowed = max(JITTER_MM, JITTER * usual) + 1e-6
    whole = np.rint(gap / usual)
    missing = np.where((whole > 1) & (np.abs(gap - whole * usual) <= whole * allowed), whole - 1, 0)
    # Many wide steps are a change of spacing, not slices that were lost.
    if 0 < np.count_nonzero(missing) <= 0.25 * len(gap):
        worst = int(np.flatnonzero(missing)[0])
        count = int(missing.sum())
        found = f"{count} missing slice{'s' * (count != 1)}, the first after {place[worst]}"
        expected = f"a slice every {usual:.3g} mm; export the whole series again"
        return Problem("slices", found, expected)
    uneven = np.abs(gap - usual) > allowed
    even = np.linspace(position[0], position[-1], len(position))
    if uneven.any() or np.abs(position - even).max() > 0.25 * usual:
        worst = int(np.argmax(np.abs(gap - usual)))
        found = f"steps from {gap.min():.3f} to {gap.max():.3f} mm, the oddest after {place[worst]}"
        expected = f"equal steps (within 1 % or {JITTER_MM} mm); export the original reconstruction"
        return Problem("slice spacing", found, expected)
    return None


def _rescale_problem(slices: Sequence[SliceHeader]) -> Problem | None:
    without = sum(each.slope is None or each.intercept is None for each in slices)
    hounsfield = "CT numbers in HU; export the original reconstruction"
    if without:
        found = f"{without} of {len(slices)} slices without RescaleSlope and RescaleIntercept"
        return Problem("rescale", found, hounsfield)
    if any((each.slope or 0.0) <= 0.0 for each in slices):
        return Problem("RescaleSlope", "a slope that is not above 0", hounsfield)
    if not {each.rescale_type for each in slices} <= HU_TYPES:
        return Problem("RescaleType", "values in another unit than HU", hounsfield)
    return None
