"""``coreg init``: a case.toml from files."""

from __future__ import annotations

import json as json_text
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coreg.cli.options import Force, Json, Quiet, Seed, Threads, Verbose
from coreg.errors import InputError

if TYPE_CHECKING:
    from coreg.cli.describe import Described

_CATHETER_MM, _FRAME_SPACING = "pullback.catheter_mm", "pullback.frame_spacing_mm"
# By key of a case.toml: an example, and why it is needed.
_NEEDED = {
    _CATHETER_MM: ("[4.5, 4.5]", "the catheter in the contours' own coordinates (mm)"),
    "pullback.catheter_px": (
        "[255.5, 255.5]",
        "the catheter's column and row in the images that the contours were drawn on; their centre if "
        "nothing else is known",
    ),
    "pullback.pixel_spacing_mm": ("0.02", "the size of a pixel in mm, which the contours do not say"),
    _FRAME_SPACING: ("0.2", "distance between frames, or a positions.csv"),
}

Found = Mapping[str, tuple[Path, "Described"]]
Required = Callable[[str, str, str], str]


def init(
    *,
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILES]...", help="Inputs, in any order.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="The case.toml to write.")] = Path("case.toml"),
    force: Force = False,
    seed: Seed = 0,
    threads: Threads = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Write a case.toml from files. For research use only.

    Each file finds its role by its content. What could not be told is there as a line to fill in,
    marked REQUIRED where nothing works without it.
    """
    del seed, threads  # every command takes them; nothing here is random or heavy
    from coreg.cli.console import Console
    from coreg.cli.describe import described
    from coreg.io.files import is_folder, is_there, write_text

    console = Console(verbose=verbose, quiet=quiet, as_json=json)
    if is_folder(out):
        out = out / "case.toml"
    if is_there(out) and not force:
        msg = f"--out {out} exists; --force replaces it"
        raise typer.BadParameter(msg)
    if any(is_there(each) and is_there(out) and out.samefile(each) for each in files or []):
        msg = f"--out {out} is one of the inputs; give a case.toml to write"
        raise typer.BadParameter(msg)
    found: dict[str, tuple[Path, Described]] = {}
    unused: list[str] = []
    slices = 0
    for file in files or []:
        if _is_slice_of(file, found.get("ccta.image")):
            slices += 1
            continue
        try:
            what = described(file)
        except InputError as error:
            if not is_there(file):
                raise
            unused.append(str(error))
            continue
        if not what.role or what.role in found:
            other = f"; {what.role} is {found[what.role][0]} already" if what.role else ""
            unused.append(f"{file} ({what.kind}{other})")
        else:
            found[what.role] = (file, what)
            console.note(f"{what.role:<24} {file} ({what.kind})")
    if slices:
        unused.append(
            f"{slices} more DICOM files beside {found['ccta.image'][0]}, which stands for its series"
        )
    text, missing = case_text(found, out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_text(out, text)
    except OSError as error:
        msg = f"--out {out}: found {error.strerror or error}, expected a file that can be written"
        raise typer.BadParameter(msg) from error
    lines = [f"{out} written"]
    lines += [f"not used: {each}" for each in unused]
    lines += [f"to fill in: {each}" for each in missing] or [f"next: coreg register {out} --out result"]
    roles = {role: path for role, (path, _) in found.items()}
    console.outcome("\n".join(lines), {"case": out, "roles": roles, "unused": unused, "missing": missing})


def case_text(found: Found, out: Path) -> tuple[str, list[str]]:
    """Write the content of a case.toml and list the keys that are still missing."""
    missing: list[str] = []

    def required(key: str, example: str, why: str) -> str:
        missing.append(f"{key}: {why}")
        return f"# REQUIRED: {why}\n# {key.rsplit('.', 1)[1]} = {example}"

    def files(section: str, *keys: str) -> list[str]:
        roles = [f"{section}.{key}" for key in keys if f"{section}.{key}" in found]
        return [f"{role.split('.')[1]} = {_quoted(found[role][0], out)}" for role in roles]

    folder = out.resolve().parent.name
    name = folder if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", folder) else "case-1"
    ccta = files("ccta", "image", "lumen", "wall", "centerline", "side_branches")
    if "ccta.lumen" not in found:
        ccta.append(_lumen(found, required))
    ccta += _series(found, required)
    ccta += _clicks(found, required)
    pullback = files("pullback", "image", "lumen", "eem", "positions", "side_branches")
    pullback += _pullback(found, required)
    landmarks = files("landmarks", "file")
    parts = [
        "# A case for coreg; docs/reference/case.md tells all keys. World coordinates are LPS, in mm.",
        f"id = {json_text.dumps(name)}",
        '# patient = "P001"',
        '# vessel = "LAD"',
        "\n[ccta]",
        *(
            ["# `coreg segment pullback` does not need this table."]
            if found and all(role.startswith("pullback.") for role in found)
            else []
        ),
        *ccta,
        "\n[pullback]",
        *(["# `coreg segment ccta` does not need this table."] if found.keys() == {"ccta.image"} else []),
        *pullback,
        *(["\n[landmarks]", *landmarks] if landmarks else []),
    ]
    return "\n".join(parts) + "\n", missing


def _is_slice_of(file: Path, image: tuple[Path, Described] | None) -> bool:
    """Tell whether a file is a further one of DICOM files that were given one by one."""
    from coreg.io.files import is_dicom_file

    return image is not None and image[0].is_file() and image[0].parent == file.parent and is_dicom_file(file)


def _lumen(found: Found, required: Required) -> str:
    if "ccta.image" in found:
        return '# lumen = "ccta_lumen.nii.gz"   # else it is segmented from the image'
    why = "the CCTA lumen: a label image or closed surface; or ccta.image, to segment it from"
    return required("ccta.lumen", '"ccta_lumen.nii.gz"', why)


def _series(found: Found, required: Required) -> Sequence[str]:
    usable: Sequence[int] = found["ccta.image"][1].data.get("usable", ()) if "ccta.image" in found else ()
    if len(usable) < 2:
        return []
    numbers = ", ".join(map(str, usable))
    why = f"which CT series the image is, one of {numbers} as `coreg info` lists them"
    return [required("ccta.series", str(usable[0]), why)]


def _clicks(found: Found, required: Required) -> Sequence[str]:
    line = found.get("ccta.centerline")
    if line is not None and line[1].data["lines"] == 1:
        return ["# ostium = [0.0, 0.0, 0.0]   # else arc length counts from the centerline's first point"]
    why = "there is no centerline" if line is None else "the centerline has several lines"
    ends = "; `coreg segment ccta CASE --tree` lists far ends" if "ccta.image" in found else ""
    return [
        required("ccta.ostium", "[0.0, 0.0, 0.0]", f"LPS mm near the vessel's mouth, as {why}"),
        required("ccta.distal", "[0.0, 0.0, 0.0]", f"LPS mm near the vessel's far end, as {why}{ends}"),
    ]


def _pullback(found: Found, required: Required) -> list[str]:
    lumen, image = found.get("pullback.lumen"), found.get("pullback.image")
    lines = []
    if lumen is None and image is None:
        lines.append(required("pullback.lumen", '"contours.csv"', "the pullback's lumen, or its image"))
        lines += _needed((_FRAME_SPACING,), found, required)
    elif lumen is None:
        lines.append('# lumen = "contours.csv"      # else it is segmented from the image')
    else:
        lines += _needed(lumen[1].data.get("needs", ()), found, required)
    if image is not None:
        lines += _image(image[1].data, required, positions="pullback.positions" in found)
    elif lumen is not None:
        lines += _drawn_on(lumen[1].data.get("images") or {}, lumen[0].name)
    return [
        *lines,
        *(['# modality = "OCT"            # or "IVUS"'] if image is None else []),
        '# first_frame = "distal"      # or "proximal"',
        '# view = "looking-distal"     # or "looking-proximal"',
    ]


def _needed(keys: Sequence[str], found: Found, required: Required) -> list[str]:
    """Lines for what contours do not tell, as far as neither images nor positions stand in for it."""
    return [
        required(key, *_NEEDED[key])
        for key in keys
        if not ("pullback.image" in found and key != _CATHETER_MM)
        and not ("pullback.positions" in found and key == _FRAME_SPACING)
    ]


def _drawn_on(images: Mapping[str, Any], name: str) -> list[str]:
    """Lines for what a file of contours says of the images, which need not be repeated."""
    told = {
        "pixel_spacing_mm": images.get("pixel_spacing_mm") and round(images["pixel_spacing_mm"][0], 7),
        "frame_spacing_mm": images.get("frame_spacing_mm") and round(images["frame_spacing_mm"], 7),
        "catheter_px": images.get("size_px") and [(each - 1) / 2 for each in images["size_px"]],
    }
    lines = [f"# {key} = {value}   # as {name} says" for key, value in told.items() if value]
    phases = list(images.get("phase", {}).values())
    if phases:
        diastolic = phases.count("diastole")
        lines.append(f'# acquisition = "gated"   # takes only the {diastolic} frames in diastole of {name}')
    return lines


def _image(told: Mapping[str, Any], required: Required, *, positions: bool) -> list[str]:
    """Lines for what images of a pullback say, which need not be repeated, and for what they do not."""
    whys = {
        "pixel_spacing_mm": ("0.02", "the size of a pixel in mm, which the images do not say"),
        "frame_spacing_mm": ("0.2", "distance between frames, or a positions.csv; the images do not say it"),
        "modality": ('"OCT"', '"OCT" or "IVUS", which the images do not say'),
    }
    sources = told["sources"] | {"frame_spacing_mm": told["sources"].get("position_mm")}
    lines = []
    for key, (example, why) in whys.items():
        if f"pullback.{key}" in told["missing"]:
            if not (positions and key == "frame_spacing_mm"):
                lines.append(required(f"pullback.{key}", example, why))
            continue
        value = told[key]
        if key == "pixel_spacing_mm":
            value = sum(value) / len(value)
        text = json_text.dumps(value if isinstance(value, str) else round(value, 7))
        lines.append(f"# {key} = {text}   # as the images say ({sources[key]})")
    return lines


def _quoted(path: Path, out: Path) -> str:
    """Name a file relative to the case where it lies beside or below it, else absolutely."""
    full, folder = path.resolve(), out.resolve().parent
    near = full.is_relative_to(folder)
    return json_text.dumps(os.path.relpath(full, folder) if near else str(full), ensure_ascii=False)
