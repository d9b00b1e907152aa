"""What a table is, told by its header: for ``coreg info`` and ``coreg init``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from coreg.cli.describe import Described, described_centerlines
from coreg.cli.describe_contours import described_contours
from coreg.cli.describe_review import described_reviewed_landmarks
from coreg.io.files import read_text, unusable
from coreg.io.tables import Table, has_rows, read_table

FloatArray = npt.NDArray[np.float64]

# A side branch has one row; its course has many.
COURSE_HEADER = "id,x_mm,y_mm,z_mm,arc_length_mm,radius_mm"
SEGMENTED = "a segmented pullback"
SYNTHETIC = "a synthetic patient"


def described_table(path: Path) -> Described:
    """Tell what a table of coreg or HolOrama is.

    Raises
    ------
    InputError
        If it is broken or of no known kind.
    """
    header = (read_text(path).lstrip() or "\n").splitlines()[0]
    columns = [each.strip().strip('"') for each in header.replace(";", ",").replace("\t", ",").split(",")]
    kinds: tuple[tuple[set[str], Callable[[Path], Described]], ...] = (
        ({"frame", "kind", "point"}, described_contours),
        ({"frame", "position_mm", "arc_length_mm"}, _poses),
        ({"frame", "position_mm", "lumen_area_mm2"}, _measured_frames),
        ({"frame", "position_mm"}, _positions),
        ({"frame", "quality", "reason"}, _quality),
        ({"frame", "signal", "gated"}, _gating),
        ({"id", "frame_expected", "frame_found"}, _validation),
        ({"id", "frame", "angle_deg", "x_mm", "state"}, described_reviewed_landmarks),
        ({"id", "frame", "angle_deg", "x_mm"}, _landmarks),
        ({"arc_length_mm", "angle_deg", "lumen_radius_mm"}, _written("rays of a segmented CCTA")),
        ({"id", "start_mm", "end_mm", "thickness_mm"}, _written("calcium of a segmented CCTA")),
        ({"id", "first_frame", "last_frame", "extent_deg"}, _calcium),
        ({"line", "x_mm", "y_mm", "z_mm"}, _written("lines of a coronary tree")),
        ({"id", "x_mm", "y_mm", "z_mm"}, _ccta_branches),
        ({"id", "frame", "angle_deg"}, _pullback_branches),
        ({"x_mm", "y_mm", "z_mm"}, described_centerlines),
        ({"fact", "value"}, _written(f"facts of {SYNTHETIC}")),
        ({"kind", "first_mm", "last_mm", "thickness_mm"}, _plaque),
        ({"case_id", "case"}, _manifest),
        ({"frame", "position", "phase", "lumen_area"}, _holorama_report),
    )
    for needed, describe in kinds:
        if needed <= set(columns):
            return describe(path)
    if not header[:1].isalpha():
        return described_contours(path)
    found = f"a table of unknown kind (columns {', '.join(columns)})"[:200]
    raise unusable(path, "header", found=found, expected="the columns of one of coreg's tables")


def _rows(path: Path) -> int:
    """Count the rows below the header."""
    return len(read_text(path).strip().splitlines()) - 1


def _whole(path: Path) -> Table:
    """Read a table with whatever columns it has."""
    header = read_text(path).lstrip().splitlines()[0]
    delimiter = max(",;\t", key=header.count)
    return read_table(path, required=[each.strip().strip('"') for each in header.split(delimiter)])


def _range(values: FloatArray, unit: str = "", digits: int = 2) -> str:
    known = values[np.isfinite(values)]
    if not len(known):
        return "none"
    return f"{known.min():.{digits}f} to {known.max():.{digits}f}{unit}"


def _written(kind: str) -> Callable[[Path], Described]:
    """Describe a table that coreg writes for others to read: only its rows are counted."""

    def describe(path: Path) -> Described:
        return Described(kind, "", {"rows": str(_rows(path))}, {"rows": _rows(path)})

    return describe


def _positions(path: Path) -> Described:
    from coreg.io.landmark_files import read_positions

    positions = read_positions(path)
    low, high = min(positions.values()), max(positions.values())
    facts = {"frames": str(len(positions)), "positions": f"{low:.2f} to {high:.2f} mm"}
    return Described(
        "positions", "pullback.positions", facts, {"frames": len(positions), "position_mm": [low, high]}
    )


def _landmarks(path: Path) -> Described:
    from coreg.io.landmark_files import read_landmarks

    landmarks = read_landmarks(path)
    paired = sum(each.paired for each in landmarks)
    facts = {"landmarks": f"{len(landmarks)}, {paired} in both modalities"}
    return Described("landmarks", "landmarks.file", facts, {"landmarks": len(landmarks), "paired": paired})


def _ccta_branches(path: Path) -> Described:
    from coreg.io.landmark_files import read_ccta_side_branches

    header, *rows = read_text(path).strip().splitlines()
    if header == COURSE_HEADER and len({row.split(",")[0] for row in rows[:2]}) == 1 < len(rows):
        return _written("courses of side branches (CCTA)")(path)
    count = len(read_ccta_side_branches(path)) if rows else 0
    return _branches("CCTA", "ccta", count)


def _pullback_branches(path: Path) -> Described:
    from coreg.io.landmark_files import read_pullback_side_branches

    return _branches("pullback", "pullback", len(read_pullback_side_branches(path)) if has_rows(path) else 0)


def _branches(where: str, section: str, count: int) -> Described:
    role = f"{section}.side_branches" if count else ""
    return Described(f"side branches ({where})", role, {"branches": str(count)}, {"branches": count})


def _poses(path: Path) -> Described:
    rows = _rows(path)
    return Described("poses of a registration (frames.csv)", "", {"frames": str(rows)}, {"frames": rows})


def _quality(path: Path) -> Described:
    table = _whole(path)
    quality, reasons = table.numbers("quality"), Counter(filter(None, table.texts("reason")))
    marked = sum(reasons.values())
    facts = {"frames": f"{len(table)}, {marked} marked", "quality": _range(quality)}
    facts |= {f"marked {i + 1}": f"{count} x {why}" for i, (why, count) in enumerate(reasons.most_common(5))}
    facts["read with"] = "contours.csv or pullback_lumen.nii.gz in the same folder"
    data = {"frames": len(table), "marked": marked, "reasons": dict(reasons)}
    return Described(f"quality of the frames of {SEGMENTED}", "", facts, data)


def _measured_frames(path: Path) -> Described:
    table = _whole(path)
    area, position = table.numbers("lumen_area_mm2"), table.numbers("position_mm")
    marked = sum(each is not None for each in table.texts("reason"))
    facts = {
        "frames": f"{len(table)} over {np.ptp(position):.1f} mm, {marked} marked",
        "lumen areas": _range(area, " mm2"),
    }
    data: dict[str, Any] = {"frames": len(table), "marked": marked, "length_mm": float(np.ptp(position))}
    data |= {"lumen_area_mm2": [np.nanmin(area), np.nanmax(area)]} if np.isfinite(area).any() else {}
    burden = table.numbers("plaque_burden")
    if np.isfinite(burden).any():
        facts["plaque burden"] = _range(burden)
    return Described(f"measures of the frames of {SEGMENTED}", "", facts, data)


def _gating(path: Path) -> Described:
    table = _whole(path)
    gated = int(table.whole_numbers("gated").sum())
    facts = {"frames": f"{len(table)}, {gated} gated"}
    return Described(f"heartbeat of {SEGMENTED}", "", facts, {"frames": len(table), "gated": gated})


def _calcium(path: Path) -> Described:
    kind = f"calcium of {SEGMENTED}"
    if not has_rows(path):
        return Described(kind, "", {"arcs": "0"}, {"arcs": 0})
    table = _whole(path)
    first, last = table.whole_numbers("first_frame"), table.whole_numbers("last_frame")
    widest = float(table.numbers("extent_deg").max())
    facts = {
        "arcs": f"{len(table)}, in frames {first.min()} to {last.max()}, up to {widest:.0f} degrees wide"
    }
    return Described(kind, "", facts, {"arcs": len(table), "largest_extent_deg": widest})


def _plaque(path: Path) -> Described:
    kind = f"plaque of {SYNTHETIC}"
    if not has_rows(path):
        return Described(kind, "", {"plaques": "0"}, {"plaques": {}})
    kinds = Counter(_whole(path).columns["kind"])
    text = ", ".join(f"{count} {name}" for name, count in sorted(kinds.items()))
    return Described(kind, "", {"plaques": text}, {"plaques": dict(kinds)})


def _manifest(path: Path) -> Described:
    rows = _rows(path)
    return Described("a list of cases (manifest)", "", {"cases": str(rows)}, {"cases": rows})


def _validation(path: Path) -> Described:
    table = _whole(path)
    facts, data = {"landmarks": str(len(table))}, {"landmarks": len(table)}
    for name, unit in (("error_mm", "mm"), ("error_deg", "degrees")):
        values = np.abs(table.numbers(name))
        if np.isfinite(values).any():
            facts[name.replace("_", " ")] = f"{np.nanmean(values):.2f} {unit} in the mean (absolute)"
    return Described("errors of a registration at landmarks", "", facts, data)


def _holorama_report(path: Path) -> Described:
    table = _whole(path)
    facts = {
        "frames": f"{len(table)}, counted from 1",
        "lumen areas": _range(table.numbers("lumen_area"), " mm2"),
        "not read": "give its contours; positions go into positions.csv (frame from 0, position_mm)",
    }
    return Described("measurements of HolOrama", "", facts, {"frames": len(table)})
