"""What segmentation makes of the images of synthetic pullbacks, against what they were made from."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from pages import ratio
from pullback_matching import BranchMatch, CalciumMatch, branch_match, calcium_match
from pullback_methods import plain_outlines

from coreg.phantom import ccta_preset, make_patient, make_pullback_images, preset, pullback_preset
from coreg.pullback import Modality
from coreg.pullback_vessel import PullbackVessel
from coreg.segmentation import segment_pullback

NAN = float("nan")
EVERY_FRAME = 3
BAD_DICE = 0.9
COREG, SOME, PLAIN = "coreg", "coreg, every third frame", "plain path, every third frame"
LEFT_VESSEL = ("in the guide catheter", "in the aorta")


@dataclass(frozen=True, eq=False)
class FrameDice:
    """Agreement of outlines with the true ones, by frame (F,).

    Attributes
    ----------
    lumen, wall, eem : arrays
        Dice of the whole lumen, of the vessel's own with the mouths closed, and of what lies within the
        membrane; NaN where a method does not look for it.
    bias_mm, absolute_mm : arrays
        Mean error of the wall's distance from the catheter, signed and absolute.
    """

    lumen: np.ndarray
    wall: np.ndarray
    eem: np.ndarray
    bias_mm: np.ndarray
    absolute_mm: np.ndarray

    def at(self, rows: np.ndarray) -> FrameDice:
        """Some of the frames."""
        names = ("lumen", "wall", "eem", "bias_mm", "absolute_mm")
        return FrameDice(*(getattr(self, name)[rows] for name in names))


@dataclass(frozen=True, eq=False)
class CaseResult:
    """One synthetic pullback as segmented.

    Attributes
    ----------
    seed, modality : int, str
        Which.
    coreg, some, plain : FrameDice
        Of all frames; of every third; of the same by the plain path. Frames in a guide catheter or the
        aorta are left out.
    marked, spoilt : bool arrays
        Frames of ``coreg`` that coreg marks, and that residual blood fills in truth.
    reason : tuple of str
        Of the marks.
    branches, loose : BranchMatch
        Side branches, at most 0.6 mm and 15 degrees apart, and at most 1 mm and 30 degrees.
    calcium : CalciumMatch
        Calcified plaque.
    seconds : float
        Of coreg.
    """

    seed: int
    modality: Modality
    coreg: FrameDice
    some: FrameDice
    plain: FrameDice
    marked: np.ndarray
    spoilt: np.ndarray
    reason: tuple[str, ...]
    branches: BranchMatch
    loose: BranchMatch
    calcium: CalciumMatch
    seconds: float


@dataclass(frozen=True)
class Row:
    """One case by one method, for a table on disk; Dice and errors are means over its frames."""

    seed: int
    modality: str
    method: str
    frames: int
    lumen_dice: float
    lumen_dice_5: float
    wall_dice: float
    eem_dice: float
    bias_mm: float
    absolute_mm: float
    marked: float = NAN
    branches: int = 0
    branches_found: int = 0
    offered: int = 0
    offered_right: int = 0


def phantom_case(seed: int, modality: Modality, level: str) -> CaseResult:
    """Make one synthetic pullback and segment it in both ways."""
    begin = time.perf_counter()
    patient = make_patient(seed, settings=preset(level, modality=modality))
    settings = pullback_preset(level, modality=modality)
    made = make_pullback_images(patient, settings=settings, ccta_settings=ccta_preset(level))
    start = time.perf_counter()
    vessel = segment_pullback(made.images, patient.case.pullback)
    seconds = time.perf_counter() - start
    truth = made.vessel
    rows = np.flatnonzero([each not in LEFT_VESSEL for each in truth.reason])
    few = rows[::EVERY_FRAME]
    coreg = compared(vessel.lumen_mm, vessel.wall_mm, vessel.eem_mm, truth)
    plain_mm = np.full((len(truth), vessel.lumen_mm.shape[1] // 2), truth.field_of_view_mm)
    plain_mm[few] = plain_outlines(made.images, few.tolist())
    plain = compared(plain_mm, plain_mm, None, truth)
    position_mm = patient.case.pullback.position_mm[np.argsort(patient.case.pullback.frame)]
    result = CaseResult(
        seed,
        modality,
        coreg.at(rows),
        coreg.at(few),
        plain.at(few),
        vessel.marked[rows],
        truth.marked[rows],
        tuple(vessel.reason[row] for row in rows),
        branch_match(vessel.side_branches, truth.side_branches, position_mm),
        branch_match(vessel.side_branches, truth.side_branches, position_mm, loose=True),
        calcium_match(vessel.calcium, truth.calcium),
        seconds,
    )
    _tell(result, level, time.perf_counter() - begin)
    return result


def _tell(result: CaseResult, level: str, seconds: float) -> None:
    branches, calcium = result.branches, result.calcium
    print(
        f"{level} {result.modality} {result.seed}: lumen {result.coreg.lumen.mean():.3f}, "
        f"wall {result.coreg.wall.mean():.3f}, plain path {result.plain.lumen.mean():.3f} "
        f"(coreg there {result.some.lumen.mean():.3f}), {result.marked.mean():.0%} marked, "
        f"branches {branches.recalled}/{branches.expected}, {branches.right}/{branches.offered} right, "
        f"calcium {calcium.recalled}/{calcium.expected}, {seconds:.0f} s ({result.seconds:.0f} s coreg)",
        flush=True,
    )


def compared(
    lumen_mm: np.ndarray, wall_mm: np.ndarray, eem_mm: np.ndarray | None, truth: PullbackVessel
) -> FrameDice:
    """Compare outlines (N, A) along rays with the true ones, within the field of view."""
    reach_mm = truth.field_of_view_mm
    true = [np.minimum(each, reach_mm) for each in (truth.lumen_mm, truth.wall_mm, truth.eem_mm)]
    given = (lumen_mm, wall_mm, eem_mm)
    count = true[0].shape[1]
    found = [None if each is None else np.minimum(along_rays(each, count), reach_mm) for each in given]
    scores = [
        np.full(len(truth), NAN) if mine is None else dice(mine, theirs)
        for mine, theirs in zip(found, true, strict=True)
    ]
    error_mm = found[1] - true[1]
    return FrameDice(*scores, error_mm.mean(axis=1), np.abs(error_mm).mean(axis=1))


def along_rays(distance_mm: np.ndarray, count: int) -> np.ndarray:
    """Give outlines (N, A) at other rays (N, count), linearly between their own."""
    own = distance_mm.shape[1]
    at = np.arange(count) * own / count
    low = at.astype(int)
    share = at - low
    return (1.0 - share) * distance_mm[:, low] + share * distance_mm[:, (low + 1) % own]


def dice(a_mm: np.ndarray, b_mm: np.ndarray) -> np.ndarray:
    """Twice the common area over the sum of both, of outlines (N, A) along the same rays, shape (N,)."""
    common = (np.minimum(a_mm, b_mm) ** 2).sum(axis=1)
    return 2.0 * common / ((a_mm**2).sum(axis=1) + (b_mm**2).sum(axis=1))


def case_rows(results: list[CaseResult]) -> list[Row]:
    """Sum up the cases for a table on disk."""
    rows = []
    for each in results:
        found = each.branches
        counts = (float(each.marked.mean()), found.expected, found.recalled, found.offered, found.right)
        rows += [
            Row(each.seed, each.modality, COREG, *_means(each.coreg), *counts),
            Row(each.seed, each.modality, SOME, *_means(each.some)),
            Row(each.seed, each.modality, PLAIN, *_means(each.plain)),
        ]
    return rows


def _means(frames: FrameDice) -> tuple[int, float, float, float, float, float, float]:
    names = ("wall", "eem", "bias_mm", "absolute_mm")
    rest = (float(getattr(frames, name).mean()) for name in names)
    return (len(frames.lumen), float(frames.lumen.mean()), float(np.percentile(frames.lumen, 5)), *rest)


def accuracy_tables(results: list[CaseResult]) -> str:
    """Outlines, marks, side branches and calcium in Markdown."""
    return "\n\n".join([_outline_table(results), _mark_table(results), _branch_table(results)])


def _modalities(results: list[CaseResult]) -> dict[str, list[CaseResult]]:
    names = dict.fromkeys(each.modality for each in results)
    return {name: [each for each in results if each.modality == name] for name in names}


def _outline_table(results: list[CaseResult]) -> str:
    lines = [
        "| modality | method | frames | lumen Dice: mean / median / 5 % of frames / worst case "
        "| own wall Dice: the same | EEM Dice: the same | wall's distance, mm: bias / absolute |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for modality, mine in _modalities(results).items():
        parts = {
            COREG: [each.coreg for each in mine],
            "coreg, frames that it does not mark": [each.coreg.at(~each.marked) for each in mine],
            SOME: [each.some for each in mine],
            PLAIN: [each.plain for each in mine],
        }
        lines += [f"| {modality} | {name} | {_outline_cells(cases)} |" for name, cases in parts.items()]
    return "\n".join(lines)


def _outline_cells(cases: list[FrameDice]) -> str:
    cases = [each for each in cases if len(each.lumen)]
    bias, absolute = (
        np.mean([getattr(each, name).mean() for each in cases]) for name in ("bias_mm", "absolute_mm")
    )
    scores = [_spread([getattr(each, name) for each in cases]) for name in ("lumen", "wall", "eem")]
    count = sum(len(each.lumen) for each in cases)
    return " | ".join([str(count), *scores, f"{bias:+.3f} / {absolute:.3f}"])


def _spread(cases: list[np.ndarray]) -> str:
    """Mean of the cases' means, median and 5th percentile of all frames, worst case's mean."""
    frames, means = np.concatenate(cases), [each.mean() for each in cases]
    if not np.isfinite(frames).all():
        return "-"
    parts = (np.mean(means), np.median(frames), np.percentile(frames, 5), np.min(means))
    return " / ".join(f"{each:.3f}" for each in parts)


def _mark_table(results: list[CaseResult]) -> str:
    lines = [
        "| modality | marked: mean / most of a case | frames below 0.9: marked "
        "| frames full of blood: marked | marks on frames below 0.9 or full of blood "
        "| own wall Dice: marked / not | absolute, mm: marked / not | reasons |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for modality, mine in _modalities(results).items():
        marked, spoilt, wall, absolute = (
            np.concatenate(each)
            for each in zip(
                *((each.marked, each.spoilt, each.coreg.wall, each.coreg.absolute_mm) for each in mine),
                strict=True,
            )
        )
        bad, shares = wall < BAD_DICE, [each.marked.mean() for each in mine]
        cells = [
            f"{np.mean(shares):.1%} / {np.max(shares):.1%}",
            ratio(int((bad & marked).sum()), int(bad.sum())),
            ratio(int((spoilt & marked).sum()), int(spoilt.sum())),
            ratio(int(((bad | spoilt) & marked).sum()), int(marked.sum())),
            f"{_mean(wall[marked])} / {_mean(wall[~marked])}",
            f"{_mean(absolute[marked])} / {_mean(absolute[~marked])}",
            _reasons(mine),
        ]
        lines.append(f"| {modality} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _mean(values: np.ndarray) -> str:
    return f"{values.mean():.3f}" if len(values) else "-"


def _reasons(results: list[CaseResult]) -> str:
    reasons = [reason for each in results for reason in each.reason if reason]
    return "; ".join(f"{reasons.count(name)} {name}" for name in sorted(set(reasons))) or "-"


def _branch_table(results: list[CaseResult]) -> str:
    lines = [
        "| modality | side branches within 0.6 mm and 15 degrees: recall / precision "
        "| within 1 mm and 30 degrees: the same | of the latter, off by: mm / degrees "
        "| calcium: recall / precision |",
        "| --- | --- | --- | --- | --- |",
    ]
    for modality, mine in _modalities(results).items():
        loose = [each.loose for each in mine]
        mm, rad = (
            np.abs(np.concatenate([getattr(each, name) for each in loose]))
            for name in ("error_mm", "error_rad")
        )
        cells = [
            _recall([each.branches for each in mine]),
            _recall(loose),
            f"{_mean(mm)} / {np.degrees(rad.mean()):.1f}" if len(mm) else "-",
            _recall([each.calcium for each in mine]),
        ]
        lines.append(f"| {modality} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _recall(matches: list[BranchMatch] | list[CalciumMatch]) -> str:
    names = ("recalled", "expected", "right", "offered")
    recalled, expected, right, offered = (sum(getattr(each, name) for each in matches) for name in names)
    return f"{ratio(recalled, expected)} / {ratio(right, offered)}"
