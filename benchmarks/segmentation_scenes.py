"""CCTA images with two clicks and the truth between them, and what a segmentation makes of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.ndimage import map_coordinates
from segmentation_methods import METHODS, Outcome

from coreg.centerline import Centerline
from coreg.io.case_file import load_case
from coreg.io.volumes import read_volume
from coreg.landmarks import SideBranch
from coreg.phantom import CctaSettings, ccta_preset, make_ccta, make_patient, preset
from coreg.phantom.ccta import true_centerline
from coreg.phantom.lumen import Branch, Lumen
from coreg.phantom.truth import ostium_mm
from coreg.validation import branch_errors, centerline_errors, lumen_overlap, radius_errors
from coreg.volume import Volume

REAL = Path(os.environ.get("COREG_REAL_DATA", Path(__file__).parents[2] / "shared" / "real"))
NAN = float("nan")
SAMPLE = 50_000
Membership = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Scene:
    """An image, its clicks, and the truth over the stretch between the clicks.

    ``equal_area`` says whether the line's radii are of circles of the sections' area; ``branches``
    is None where they are not known.
    """

    image: Volume
    ostium_mm: np.ndarray
    distal_mm: np.ndarray
    line: Centerline
    inside: Membership
    belonging: Membership
    branches: tuple[SideBranch, ...] | None
    equal_area: bool = True


@dataclass(frozen=True)
class Row:
    """Errors of one segmentation; NaN where there is nothing to measure."""

    case: str
    method: str
    dice: float = NAN
    elsewhere_ml: float = NAN
    bias_mm: float = NAN
    absolute_mm: float = NAN
    unmarked_bias_mm: float = NAN
    overlap: float = NAN
    overlap_until_error: float = NAN
    overlap_relevant: float = NAN
    inside_mm: float = NAN
    marked: float = NAN
    expected: int = 0
    recalled: int = 0
    offered: int = 0
    right: int = 0
    error: str = ""


def phantom_scene(
    seed: int,
    level: str,
    *,
    settings: CctaSettings | None = None,
    field_shape: tuple[int, int, int] | None = None,
) -> Scene:
    """Make a synthetic patient's CCTA; the clicks are the case's."""
    patient = make_patient(seed, settings=preset(level))
    ccta = make_ccta(patient, settings=settings or ccta_preset(level), field_shape=field_shape)
    lumen, case = ccta.lumen, patient.case
    whole = true_centerline(lumen)
    first, last = (float(whole.nearest_arc_length(click)) for click in (case.ostium_mm, case.distal_mm))
    return Scene(
        ccta.image,
        case.ostium_mm,
        case.distal_mm,
        between(whole, first, last),
        lambda world: lumen.level(world, capped=True) < 0.0,
        lambda world: lumen.main_level(world) < lumen.branch_level(world),
        _branches_between(lumen, whole, first, last),
    )


def between(line: Centerline, first_mm: float, last_mm: float) -> Centerline:
    """Cut a line at two arc lengths."""
    s = np.linspace(first_mm, last_mm, max(2, round((last_mm - first_mm) / 0.5) + 1))
    return Centerline(line.points_at(s), np.interp(s, line.arc_length_mm, line.radius_mm))


def _branches_between(
    lumen: Lumen, line: Centerline, first_mm: float, last_mm: float
) -> tuple[SideBranch, ...]:
    branches = tuple(_true_branch(lumen, line, each) for each in lumen.branches)
    return tuple(each for each in branches if first_mm <= each.arc_length_mm <= last_mm)


def _true_branch(lumen: Lumen, line: Centerline, branch: Branch) -> SideBranch:
    """Side branch with its radius where it passes the main vessel's wall."""
    place = ostium_mm(lumen, branch)
    nearest = int(np.argmin(np.linalg.norm(branch.points_mm - place, axis=1)))
    radius = float(branch.radius_mm[nearest])
    return SideBranch(branch.id, place, float(line.nearest_arc_length(place)), radius)


def semisynthetic_scene() -> Scene | None:
    """Real anatomy under a made image; None where the data are not at hand."""
    folder = REAL / "anomalous-rca"
    if not folder.exists():
        return None
    case = load_case(folder)
    truth = read_volume(folder / "ccta_semisynthetic_lumen.nii.gz")
    whole = case.tree.vessel(case.ostium_mm, case.distal_mm)
    feet = whole.nearest_arc_length(np.array([case.ostium_mm, case.distal_mm]))
    line = between(whole, *feet)

    def inside(world: np.ndarray) -> np.ndarray:
        return map_coordinates(truth.values, truth.to_index(world).T, order=0) > 0

    def gap(vessel: Centerline, world: np.ndarray) -> np.ndarray:
        return np.linalg.norm(vessel.points_at(vessel.nearest_arc_length(world)) - world, axis=1)

    def belonging(world: np.ndarray) -> np.ndarray:
        # The lines share their trunk but for the rounding of the file.
        return gap(line, world) <= np.min([gap(each, world) for each in case.tree.lines], axis=0) + 0.05

    image = read_volume(folder / "ccta_semisynthetic.nii.gz")
    return Scene(image, case.ostium_mm, case.distal_mm, line, inside, belonging, None, equal_area=False)


def measured(case: str, method: str, scene: Scene) -> Row:
    """Segment a scene by one method and compare with its truth."""
    outcome = METHODS[method](scene.image, scene.ostium_mm, scene.distal_mm)
    row = Row(case, method, error=outcome.error)
    if outcome.label is not None:
        overlap = lumen_overlap(outcome.label, scene.inside, scene.line, belonging=scene.belonging)
        row = replace(row, dice=overlap.dice, elsewhere_ml=_elsewhere_ml(outcome.label, scene.inside))
    if outcome.branches is not None and scene.branches is not None:
        found = branch_errors(outcome.branches, scene.branches)
        row = replace(
            row,
            expected=found.expected,
            recalled=found.recalled,
            offered=found.offered,
            right=found.right,
        )
    return row if outcome.line is None else _with_line(row, outcome, scene)


def _elsewhere_ml(label: Volume, inside: Membership) -> float:
    """Volume that is labelled but is in no artery, from a sample of the labelled voxels."""
    index = np.argwhere(label.values != 0)
    volume_ml = len(index) * float(np.prod(label.spacing_mm)) / 1000.0
    some = np.random.default_rng(0).permutation(len(index))[:SAMPLE]
    return volume_ml * float(1.0 - inside(label.to_world(index[some].astype(np.float64))).mean())


def _with_line(row: Row, outcome: Outcome, scene: Scene) -> Row:
    errors = centerline_errors(outcome.line, scene.line)
    radii = radius_errors(outcome.line, scene.line, marked=outcome.marked)
    row = replace(
        row,
        overlap=errors.overlap,
        overlap_until_error=errors.overlap_until_error,
        overlap_relevant=errors.overlap_relevant,
        inside_mm=errors.inside_mm,
        marked=radii.marked_share,
    )
    if not scene.equal_area:
        return row
    unmarked = radii.error_mm[~radii.marked & np.isfinite(radii.error_mm)]
    return replace(
        row,
        bias_mm=radii.bias_mm,
        absolute_mm=radii.absolute_mm,
        unmarked_bias_mm=float(unmarked.mean()) if len(unmarked) else NAN,
    )
