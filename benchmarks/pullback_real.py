"""Real OCT frames with masks, and real IVUS contours with their areas."""

from __future__ import annotations

import csv
import os
import tempfile
from pathlib import Path

import numpy as np
from pullback_methods import plain_outlines
from scipy.ndimage import distance_transform_edt
from skimage.io import imread

from coreg.case import PullbackCase
from coreg.io.case_file import load_pullback, write_case_file
from coreg.io.contour_formats import read_contours
from coreg.io.holorama_json import area_deviations, stated_areas_mm2
from coreg.pullback_images import PullbackImages
from coreg.radial_raster import radial_raster
from coreg.segmentation import segment_pullback

REAL = Path(os.environ.get("COREG_REAL_DATA", Path(__file__).parents[2] / "shared" / "real"))
NOT_THERE = "The real data were not at hand."
OCT_PIXEL_MM, OCT_PITCH_MM = 0.01337, 0.15
IVUS_PIXEL_MM = 0.017557
BAD_DICE = 0.9
# A disc that fits into a round lumen but not into the mouth of a branch.
DISC, MOUTH_SHARE = 0.6, 0.02
JSON_FILES = ("anonymized_contours_ho_0_1_0.json", "anonymized_contours_0_7_4.json")
CSV_FILE, REPORT_FILE = "diastolic_contours.csv", "anonymized_report.txt"


def oct_table() -> str:
    """Compare the outlines of real OCT frames with masks, in Markdown."""
    folder = REAL / "oct-frames"
    if not folder.exists():
        return NOT_THERE
    case = _oct_case(folder / "img")
    images = case.known_images
    masks = np.array([imread(path) > 0 for path in sorted((folder / "lumen").glob("*.png"))])
    vessel = segment_pullback(images, case.pullback)
    plain_mm = plain_outlines(images, range(len(images)))
    scores = {
        "coreg": _mask_dice(images, vessel.lumen_mm, masks),
        "coreg, mouths of side branches closed": _mask_dice(images, vessel.wall_mm, masks),
        "plain path": _mask_dice(images, plain_mm, masks),
    }
    with_mouth = np.array([mouth_share(mask) > MOUTH_SHARE for mask in masks])
    lines = [
        f"{len(masks)} frames. Those with a side branch by their masks: "
        f"{', '.join(str(each) for each in np.flatnonzero(with_mouth))} (from 0).",
        "",
        "| method | Dice: median / 5 % / worst | frames without a side branch: the same "
        "| frames with one: the same | below 0.9 |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, score in scores.items():
        parts = [_spread(each) for each in (score, score[~with_mouth], score[with_mouth])]
        lines.append(f"| {name} | {' | '.join(parts)} | {int((score < BAD_DICE).sum())} |")
        print(lines[-1], flush=True)
    bad = np.flatnonzero(scores["coreg"] < BAD_DICE)
    named = "; ".join(
        f"{i} ({scores['coreg'][i]:.3f}, {vessel.reason[i] or 'not marked'})" for i in bad.tolist()
    )
    marked = "; ".join(
        f"{first}-{last} ({reason})" if last > first else f"{first} ({reason})"
        for first, last, reason in vessel.marked_stretches
    )
    wrong = int((vessel.marked & (scores["coreg"] >= BAD_DICE)).sum())
    lines += ["", f"Frames of coreg below 0.9: {named or 'none'}."]
    lines.append(f"Marked frames: {marked or 'none'}; {wrong} of them reach 0.9.")
    branches = ", ".join(
        f"{each.first_frame:.0f}-{each.last_frame:.0f} (probability {each.probability:.2f})"
        for each in vessel.side_branches
    )
    lines.append(f"Frames of the side branches that coreg finds: {branches or 'none'}.")
    return "\n".join(lines)


def _oct_case(pictures: Path) -> PullbackCase:
    """Read the frames as a user's case would."""
    run = {
        "image": str(pictures),
        "modality": "OCT",
        "pixel_spacing_mm": OCT_PIXEL_MM,
        "frame_spacing_mm": OCT_PITCH_MM,
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "case.toml"
        write_case_file(path, {"id": "oct-frames", "pullback": run})
        return load_pullback(path)


def _mask_dice(images: PullbackImages, distance_mm: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Dice (N,) of outlines (N, A) along rays with masks (N, rows, columns)."""
    raster = radial_raster(
        images.pixels.shape[1:],
        catheter_px=images.catheter_px,
        pixel_spacing_mm=images.pixel_spacing_mm,
        rays=distance_mm.shape[1],
    )
    found = np.array([raster.inside(outline) > 0 for outline in distance_mm])
    common = (found & masks).sum(axis=(1, 2))
    return 2.0 * common / (found.sum(axis=(1, 2)) + masks.sum(axis=(1, 2)))


def mouth_share(mask: np.ndarray) -> float:
    """Share of a mask that its opening loses, by a disc of 0.6 of the largest that fits into it."""
    depth = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    radius = DISC * depth.max()
    opened = distance_transform_edt(depth < radius) < radius
    return 1.0 - float((opened & mask).sum() / mask.sum())


def _spread(values: np.ndarray) -> str:
    if not len(values):
        return "-"
    parts = (np.median(values), np.percentile(values, 5), values.min())
    return " / ".join(f"{each:.3f}" for each in parts)


def contours_table() -> str:
    """Compare areas of real contours with those that their makers state, in Markdown."""
    folder = REAL / "ivus-contours"
    if not folder.exists():
        return NOT_THERE
    report = _report_areas(folder / REPORT_FILE)
    lines = [
        "| contours | against | frames | deviation of the area: median / largest | frames off by over 1 % |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name in JSON_FILES:
        outlines = read_contours(folder / name).contours["lumen"]
        for against, areas in (
            ("areas in the same file", stated_areas_mm2(folder / name)["lumen"]),
            ("report", report),
        ):
            deviation = area_deviations(outlines, areas, IVUS_PIXEL_MM)
            lines.append(f"| {name} | {against} | {_deviation_cells(deviation)} |")
    outlines = read_contours(folder / CSV_FILE).contours["lumen"]
    lines.append(f"| {CSV_FILE} | report | {_deviation_cells(area_deviations(outlines, report, 1.0))} |")
    print("\n".join(lines[2:]), flush=True)
    return "\n".join(lines)


def _report_areas(path: Path) -> dict[int, float]:
    """Lumen area in mm2 by frame from 0."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file, delimiter="\t")
        return {int(row["frame"]) - 1: float(row["lumen_area"]) for row in rows}


def _deviation_cells(deviation: np.ndarray) -> str:
    size = np.abs(deviation)
    return f"{len(size)} | {np.median(size):.2%} / {size.max():.2%} | {int((size > 0.01).sum())}"
