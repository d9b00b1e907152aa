"""What happens to a segmented line when clicks, noise or anatomy are less kind."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from segmentation_methods import METHODS, Outcome
from segmentation_scenes import NAN, Scene, phantom_scene

from coreg.centerline import Centerline
from coreg.phantom import CctaSettings, ExtraPlaque, ccta_preset

CLICK_SHIFT_MM = 2.0
ALLOWED_MM = 0.5
PERTURBATIONS = {
    "clicks 2 mm off": lambda base, _: base,
    "30 % more noise": lambda base, _: replace(base, noise_factor=1.3),
    "soft plaque in half the lumen": lambda base, s: replace(base, extra_plaque=ExtraPlaque(s, 0.5, "soft")),
    "calcified plaque in half the lumen": lambda base, s: replace(
        base, extra_plaque=ExtraPlaque(s, 0.5, "calcified")
    ),
    "a touching vein": lambda base, _: replace(base, vein_touch_odds=1.0),
}


@dataclass(frozen=True, eq=False)
class ShiftRow:
    """One perturbed image.

    Distances of unmarked points from the line without the perturbation and from the true line with it,
    and how far the true line has moved, in mm.
    """

    seed: int
    perturbation: str
    shift_mm: np.ndarray
    apart_mm: np.ndarray
    truly_moved_mm: np.ndarray
    marked: float = NAN
    error: str = ""


def shift_rows(seed: int, method: str) -> list[ShiftRow]:
    """Segment a patient whose vein touches nothing, then with each perturbation."""
    settings = replace(ccta_preset("typical"), vein_touch_odds=0.0)
    scene = phantom_scene(seed, "typical", settings=settings)
    base = METHODS[method](scene.image, scene.ostium_mm, scene.distal_mm)
    rows = [_row(seed, name, method, scene, base, settings) for name in PERTURBATIONS]
    for row in rows:
        most = row.shift_mm.max() if len(row.shift_mm) else NAN
        print(
            f"{seed} {row.perturbation}: {most:.2f} mm at most, {row.marked:.0%} marked {row.error}",
            flush=True,
        )
    return rows


def _row(seed: int, name: str, method: str, scene: Scene, base: Outcome, settings: CctaSettings) -> ShiftRow:
    nothing = np.zeros(0)
    if base.line is None:
        return ShiftRow(seed, name, nothing, nothing, nothing, error=f"unperturbed: {base.error}")
    middle_mm = 0.5 * float(scene.line.arc_length_mm[-1])
    changed = _perturbed(seed, name, scene, PERTURBATIONS[name](settings, middle_mm))
    found = METHODS[method](changed.image, changed.ostium_mm, changed.distal_mm)
    if found.line is None:
        return ShiftRow(seed, name, nothing, nothing, nothing, error=found.error)
    good = found.line.points_mm[~found.marked]
    return ShiftRow(
        seed,
        name,
        beside(good, base.line),
        beside(good, changed.line),
        beside(changed.line.points_mm, scene.line),
        float(found.marked.mean()),
    )


def _perturbed(seed: int, name: str, scene: Scene, settings: CctaSettings) -> Scene:
    if name == "clicks 2 mm off":
        rng = np.random.default_rng(seed)
        shift = rng.standard_normal((2, 3))
        shift *= CLICK_SHIFT_MM / np.linalg.norm(shift, axis=1, keepdims=True)
        return replace(scene, ostium_mm=scene.ostium_mm + shift[0], distal_mm=scene.distal_mm + shift[1])
    return phantom_scene(seed, "typical", settings=settings)


def beside(points_mm: np.ndarray, line: Centerline) -> np.ndarray:
    """Distances of points from a line, of those that lie beside it and not beyond its ends."""
    s = line.nearest_arc_length(points_mm)
    inner = (s > line.arc_length_mm[0] + 1e-6) & (s < line.arc_length_mm[-1] - 1e-6)
    return np.linalg.norm(points_mm - line.points_at(s), axis=1)[inner]


def robustness_table(rows: list[ShiftRow]) -> str:
    """Summarise the cases of each perturbation in Markdown."""
    lines = [
        "| perturbation | moved by, mm: median / 95 % / most | cases below 0.5 mm where unmarked "
        "| the true line moved, mm: the same | from the true line, mm: the same | marked: mean / most "
        "| no line |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name in PERTURBATIONS:
        mine = [row for row in rows if row.perturbation == name]
        done = [row for row in mine if not row.error]
        kept = sum(bool((row.shift_mm < ALLOWED_MM).all()) for row in done)
        marked = [row.marked for row in done]
        share = f"{np.mean(marked):.1%} / {np.max(marked):.1%}" if done else "-"
        lost = len(mine) - len(done)
        lines.append(
            f"| {name} | {_spread([row.shift_mm for row in done])} | {kept} of {len(mine)} "
            f"| {_spread([row.truly_moved_mm for row in done])} "
            f"| {_spread([row.apart_mm for row in done])} | {share} | {lost} of {len(mine)} |"
        )
    return "\n".join(lines)


def _spread(some: list[np.ndarray]) -> str:
    values = np.concatenate(some) if some else np.zeros(0)
    if not len(values):
        return "-"
    return " / ".join(f"{part:.2f}" for part in (*np.percentile(values, [50.0, 95.0]), values.max()))
