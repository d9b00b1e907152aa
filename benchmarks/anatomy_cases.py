"""Cases simulated inside a closed surface of real coronary arteries, each with its exact truth."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
import numpy.typing as npt
from anatomy_catheter import (
    FASTEST,
    FROM_END_MM,
    SLACK_MM,
    CatheterPath,
    Withdrawal,
    draw_withdrawal,
    lay_catheter,
    run_limits,
)
from anatomy_ccta import drawn_line, shown_label
from anatomy_lines import STEP_MM, Vessel, coronary_vessels
from anatomy_reader import Branches, branches_of, outlines
from anatomy_surface import LumenSurface

from coreg.case import Case
from coreg.catheter_path import VirtualCatheterPath
from coreg.centerline import Centerline, VesselTree
from coreg.landmarks import Landmark
from coreg.pullback import Pullback

FloatArray = npt.NDArray[np.float64]
Poses = tuple[FloatArray, FloatArray, FloatArray]

HERE = Path(__file__).parent
SHORTEST_RUN_MM = 35.0
RUN_RANGE_MM = (45.0, 74.0)
# Nearer to the catheter an angle says little; farther away the frame does not show the mouth.
SEEN_MM = (1.0, 4.0)


@dataclass(frozen=True, kw_only=True)
class Errors:
    """How large the errors of a simulated case are; pairs are lowest and highest value.

    Attributes
    ----------
    radius_scale : pair
        CCTA over true radius.
    surface_mm, line_mm : float, pair
        Standard deviations of the CCTA label's surface and of the line, per axis.
    reader_mm : pair
        Standard deviation of the contours.
    """

    radius_scale: tuple[float, float] = (0.9, 1.1)
    surface_mm: float = 0.12
    line_mm: tuple[float, float] = (0.15, 0.20)
    reader_mm: tuple[float, float] = (0.03, 0.05)


@dataclass(frozen=True, eq=False)
class Simulation:
    """A simulated case and what is true of it.

    Attributes
    ----------
    name : str
        Vessel and seed.
    case : Case
        What a user would have.
    truth : VirtualCatheterPath
        Exact poses.
    catheter, withdrawal, branches
        How it was made.
    """

    name: str
    case: Case
    truth: VirtualCatheterPath
    catheter: CatheterPath
    withdrawal: Withdrawal
    branches: Branches


def real_folder() -> Path | None:
    """Folder of the real anatomy, or None where it is not at hand."""
    root = Path(os.environ.get("COREG_REAL_DATA", HERE.parent.parent / "shared" / "real"))
    folder = root / "anomalous-rca"
    return folder if (folder / "ccta_surface.stl").exists() else None


def make_cases(
    count: int, seed: int, *, folder: Path | None = None
) -> Iterator[tuple[str, Case, VirtualCatheterPath]]:
    """Simulate pullbacks in every real vessel that is long enough.

    Parameters
    ----------
    count : int
        How many for each vessel.
    seed : int
        Of the first; the next ones have the next seeds. One seed is one case, always the same.
    folder : Path, optional
        Of the surface and the right coronary's lines.

    Raises
    ------
    FileNotFoundError
        If the real anatomy is not at hand.
    """
    folder = folder or real_folder()
    if folder is None:
        msg = "no real anatomy: set COREG_REAL_DATA to the folder that holds anomalous-rca"
        raise FileNotFoundError(msg)
    surface, tree = coronary_vessels(folder)
    for each in range(seed, seed + count):
        for vessel in long_enough(tree):
            made = simulated(surface, vessel, tree, each)
            yield made.name, made.case, made.truth


def long_enough(tree: list[Vessel]) -> list[Vessel]:
    """Vessels with room for a pullback of their own: one that no longer vessel's room holds as well."""
    chosen: list[Vessel] = []
    for vessel in sorted(tree, key=lambda each: -run_limits(each)[1]):
        first, last = run_limits(vessel)
        end = vessel.line_mm[round(last / STEP_MM)]
        other = [np.linalg.norm(each.line_mm - end, axis=1).min() for each in chosen]
        if last - first >= SHORTEST_RUN_MM + 2.0 * SLACK_MM and min(other, default=np.inf) > 2.0:
            chosen.append(vessel)
    return sorted(chosen, key=lambda each: each.name)


def simulated(
    surface: LumenSurface, vessel: Vessel, tree: list[Vessel], seed: int, *, errors: Errors | None = None
) -> Simulation:
    """Simulate one pullback in one vessel: OCT at even seeds, gated IVUS at odd ones."""
    errors = errors or Errors()
    rng = np.random.default_rng(np.random.SeedSequence([seed, crc32(vessel.name.encode())]))
    beating = seed % 2 == 0
    catheter, withdrawal, poses = _drawn_back(rng, surface, vessel, beating=beating)
    branches = branches_of(vessel, tree)
    noise_mm = rng.uniform(*errors.reader_mm)
    pullback = Pullback(
        np.arange(len(withdrawal.position_mm)),
        withdrawal.position_mm,
        outlines(rng, surface, branches, poses, withdrawal, noise_mm=noise_mm),
        modality="OCT" if beating else "IVUS",
        acquisition="motorized" if beating else "gated",
    )
    scale = rng.uniform(*errors.radius_scale)
    label = shown_label(rng, surface, vessel, tree, radius_scale=scale, error_mm=errors.surface_mm)
    line, ostium_mm, distal_mm = drawn_line(rng, vessel, error_mm=rng.uniform(*errors.line_mm))
    lines = VesselTree((line,))
    truth = true_path(lines.vessel(ostium_mm, distal_mm), withdrawal, poses)
    name, marks = f"{vessel.name}-{seed}", branch_landmarks(truth, branches)
    case = Case(name, label, pullback, lines, ostium_mm, distal_mm, marks, vessel=vessel.name)
    return Simulation(name, case, truth, catheter, withdrawal, branches)


def _drawn_back(
    rng: np.random.Generator, surface: LumenSurface, vessel: Vessel, *, beating: bool
) -> tuple[CatheterPath, Withdrawal, Poses]:
    """Lay a catheter into a vessel and draw it back through a part of it."""
    first, last = run_limits(vessel)
    run = min(rng.uniform(*RUN_RANGE_MM), (last - first - 2.0 * SLACK_MM) / FASTEST)
    start = rng.uniform(first + SLACK_MM + FASTEST * run, last - SLACK_MM)
    withdrawal = draw_withdrawal(rng, run, pitch_mm=0.2 if beating else 0.5, beating=beating)
    low, high = round(first / STEP_MM), round((last + FROM_END_MM) / STEP_MM)
    catheter = lay_catheter(rng, surface, vessel.line_mm[low : high - 5])
    # A leap at the distal end must not leave the path that was laid; there is slack at the other.
    place = catheter.nearest_mm(vessel.line_mm[round(start / STEP_MM)]) - withdrawal.withdrawn_mm
    place -= max(place.max() - catheter.length_mm, 0.0)
    if place.min() < 0.0:
        msg = f"the catheter left {vessel.name} by {-place.min():.1f} mm"
        raise ValueError(msg)
    return catheter, withdrawal, catheter.poses(place, withdrawal.turn_rad)


def true_path(line: Centerline, withdrawal: Withdrawal, poses: Poses) -> VirtualCatheterPath:
    """Exact poses, proximal to distal, with their place and rotation along a line."""
    origin, column, row = (each[::-1] for each in poses)
    arc_length_mm = line.nearest_arc_length(origin)
    moving = line.frames_at(arc_length_mm)
    rotation = np.arctan2(*(np.einsum("ni,ni->n", column, moving[:, :, axis]) for axis in (1, 0)))
    count = len(origin)
    return VirtualCatheterPath(
        np.arange(count)[::-1],
        withdrawal.position_mm[::-1],
        arc_length_mm,
        rotation,
        origin,
        column,
        row,
        np.ones(count, dtype=bool),
        ("",) * count,
    )


def branch_landmarks(truth: VirtualCatheterPath, branches: Branches) -> tuple[Landmark, ...]:
    """Where side branches leave, in the frame in the middle of those whose plane meets the mouth."""
    landmarks = []
    for number, mouth in enumerate(branches.mouths_mm, start=1):
        rows = truth.crossings(mouth)
        if not len(rows):
            continue
        origin, axes = truth.poses_at(np.array([np.median(rows)]))
        x, y, depth = (mouth - origin[0]) @ axes[0]
        if not SEEN_MM[0] <= np.hypot(x, y) <= SEEN_MM[1] or abs(depth) > 0.5:
            continue
        frame = float(truth.frame_at(np.array([np.median(rows)]))[0])
        landmarks.append(
            Landmark(f"B{number}", "branch", frame, float(np.arctan2(y, x)), mouth, float(np.hypot(x, y)))
        )
    return tuple(landmarks)
