"""Heartbeats that are found in IVUS images without an ECG, against the true ones."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from coreg.phantom import PhantomPatient, make_patient, make_pullback_images, preset, pullback_preset
from coreg.pullback_measures import areas_mm2
from coreg.pullback_vessel import Gating
from coreg.segmentation import find_gating, segment_pullback

NAN = float("nan")
RUN_MM = 20.0
SIZE = 256
NEAR = 0.1


@dataclass(frozen=True)
class GatingRow:
    """One run; phases are shares of the beat.

    Attributes
    ----------
    seed, frames : int
        Which, and how long.
    speed_mm_s, beat_frames : float
        Of the run, and the true mean beat.
    error : float
        Of the beat's length, relative.
    beats, gated : int
        True beats that begin within the run, and gated frames.
    spread, near : float
        Standard deviation of the gated frames' true phase about its mean, and share within a tenth of it.
    at : float
        True mean phase.
    told, true : str
        Phase as told, and what the heart does at ``at``.
    probability : float
        As told.
    """

    seed: int
    frames: int
    speed_mm_s: float
    beats: int
    beat_frames: float
    error: float = NAN
    gated: int = 0
    spread: float = NAN
    near: float = NAN
    at: float = NAN
    told: str = "none"
    true: str = ""
    probability: float = NAN


def gating_row(seed: int) -> GatingRow:
    """Segment and gate a short run through the heartbeat, as ``coreg segment pullback`` does."""
    begin = time.perf_counter()
    settings = replace(
        preset("typical", modality="IVUS"), ivus_acquisition="motorized", run_range_mm=(RUN_MM, RUN_MM)
    )
    patient = make_patient(seed, settings=settings)
    images = make_pullback_images(patient, settings=pullback_preset("typical", modality="IVUS"), size=SIZE)
    vessel = segment_pullback(images.images, patient.case.pullback)
    gating, note = find_gating(images.images, area_mm2=areas_mm2(vessel.wall_mm))
    row = _row(patient, gating)
    print(
        f"gating {seed}: {row.frames} frames, beat of {row.beat_frames:.1f} off by {row.error:+.1%}, spread "
        f"{row.spread:.3f}, {row.told} ({row.true}), {time.perf_counter() - begin:.0f} s. {note}",
        flush=True,
    )
    return row


def _row(patient: PhantomPatient, gating: Gating | None) -> GatingRow:
    motion, pullback = patient.motion, patient.case.pullback
    start = motion.beat_start_frames
    true = float(np.diff(start).mean())
    speed = pullback.frame_spacing_mm * patient.settings.ivus_frame_rate_hz
    row = GatingRow(patient.seed, len(pullback), round(speed, 2), len(start), true)
    if gating is None:
        return row
    phase = motion.phase[gating.frame]
    mean = float(np.angle(np.exp(2j * np.pi * phase).mean()) / (2.0 * np.pi)) % 1.0
    off = (phase - mean + 0.5) % 1.0 - 0.5
    return replace(
        row,
        error=gating.beat_frames / true - 1.0,
        gated=len(gating.frame),
        spread=float(np.sqrt((off**2).mean())),
        near=float((np.abs(off) <= NEAR).mean()),
        at=mean,
        told=gating.phase,
        true="systole" if mean < motion.active_share else "diastole",
        probability=gating.probability,
    )


def gating_table(rows: list[GatingRow]) -> str:
    """One line per run, and all together, in Markdown."""
    lines = [
        "| seed | frames | mm/s | true beat, frames | beat's length off by | beats / gated frames "
        "| true phase of gated frames: mean / standard deviation / within a tenth of a beat "
        "| phase told / true |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        known = [f"{row.seed}", f"{row.frames}", f"{row.speed_mm_s:g}", f"{row.beat_frames:.1f}"]
        cells = ["-", f"{row.beats} / 0", "-", "-"]
        if row.gated:
            cells = [
                f"{row.error:+.1%}",
                f"{row.beats} / {row.gated}",
                f"{row.at:.2f} / {row.spread:.3f} / {row.near:.0%}",
                f"{row.told} ({row.probability:.2f}) / {row.true}",
            ]
        lines.append(f"| {' | '.join([*known, *cells])} |")
    found = [row for row in rows if row.gated]
    right = sum(row.told == row.true for row in found)
    if found:
        size, spread, near = ([getattr(row, name) for row in found] for name in ("error", "spread", "near"))
        lines.append(
            f"| all | | | | {np.mean(np.abs(size)):.1%} on average, {np.max(np.abs(size)):.1%} at most | "
            f"| - / {np.mean(spread):.3f} / {np.mean(near):.0%} | {right} of {len(found)} right |"
        )
    lines += ["", f"No heartbeat was found in {len(rows) - len(found)} of {len(rows)} runs."]
    return "\n".join(lines)
