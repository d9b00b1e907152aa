"""The CT series of a DICOM folder: found, told apart by phase, and listed for a choice.

Names of files inside a folder are never shown: exports put patients' names into them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from coreg.errors import InputError
from coreg.io.dicom_headers import (
    Progress,
    SliceHeader,
    dicom_files,
    read_headers,
)
from coreg.io.dicom_phases import grouped, phases
from coreg.io.dicom_stack import Stack, stacked
from coreg.io.files import existing_file, is_dicom_file, unusable

FEWEST_SLICES = 30
THICKEST_MM = 3.0
# Reformatted series of fewer slices are views for reading, not volumes.
FEWEST_REFORMATTED = 100
_VIEWS = frozenset({"MIP", "MINIP", "MAX_IP", "MIN_IP", "VRT", "VOLREN", "SSD", "CPR", "CURVED", "RENDERED"})
_REFORMATTED = frozenset({"MPR", "REFORMATTED", "RESAMPLED", "PROJECTION IMAGE"})
_MODALITIES = {
    "MR": "MR",
    "PT": "PET",
    "NM": "NM",
    "CR": "X-ray",
    "DX": "X-ray",
    "XA": "angiography",
    "US": "ultrasound",
    "SR": "report",
    "PR": "presentation",
    "SEG": "segmentation",
    "CT": "CT capture or report",
}
_PULLBACKS = {"IVUS": "IVUS pullback", "IVOCT": "OCT pullback"}


@dataclass(frozen=True)
class CtSeries:
    """One CT series, or one phase of it, as it is listed.

    Attributes
    ----------
    number : int
        Its place in the list, from 1; what ``ccta.series`` names.
    slices, rows, columns : int
        Its size.
    pixel_spacing_mm : tuple of float or None
        Between rows, between columns.
    slice_spacing_mm, slice_thickness_mm : float or None
        Distance between slices, and how thick each is.
    kernel : str
        Code of the reconstruction kernel; empty if unknown.
    series_number : int or None
        As the scanner's console shows it.
    phase_percent : float or None
        Of the cardiac cycle.
    distinction : str
        What tells it from others of the same DICOM series, such as ``trigger time 350 ms``.
    image_type : tuple of str
        Codes such as ``ORIGINAL``, ``PRIMARY``, ``AXIAL``.
    files : tuple of Path
        Where its slices are.
    warnings : tuple of str
        What to know before relying on it.
    left_out : str
        Why it is no CCTA volume; empty if it may be one.
    problem : str
        Why it cannot be read; empty if nothing is wrong with its headers.
    """

    number: int
    slices: int
    rows: int
    columns: int
    pixel_spacing_mm: tuple[float, float] | None
    slice_spacing_mm: float | None
    slice_thickness_mm: float | None
    kernel: str
    series_number: int | None
    phase_percent: float | None
    distinction: str
    image_type: tuple[str, ...]
    files: tuple[Path, ...] = field(repr=False)
    warnings: tuple[str, ...]
    left_out: str
    problem: str


@dataclass(frozen=True)
class DicomContent:
    """What a folder or a file of DICOM holds.

    Attributes
    ----------
    series : tuple of CtSeries
        All CT series, those that are left out too.
    stacks : tuple of Stack or None
        Their slices, in the same order; None where they have no geometry.
    others : mapping of str to int
        Files that are no CT slices, by what they are.
    pullbacks : int
        How many of these are intravascular pullbacks.
    """

    series: tuple[CtSeries, ...]
    stacks: tuple[Stack | None, ...]
    others: Mapping[str, int]
    pullbacks: int


def list_series(path: Path) -> tuple[CtSeries, ...]:
    """List the CT series of a folder, or of the file's series in its folder.

    Raises
    ------
    InputError
        If there is no CT, more than one patient, or nothing that can be read.
    """
    return ct_content(path).series


def ct_content(path: Path, progress: Progress = lambda _stage, _fraction: None) -> DicomContent:
    """Find the CT series of a folder or file, and refuse one without.

    Raises
    ------
    InputError
        If there is no CT, more than one patient, or nothing that can be read.
    """
    return with_ct(path, dicom_content(path, progress))


def with_ct(path: Path, content: DicomContent) -> DicomContent:
    """Return the content if there is CT in it.

    Raises
    ------
    InputError
        If there is none; it says what there is instead.
    """
    if not content.series:
        found = f"no CT slices ({counted(content.others)})"
        raise unusable(path, "", found=found, expected="the CCTA's slices; export the CT series")
    return content


def dicom_content(path: Path, progress: Progress = lambda _stage, _fraction: None) -> DicomContent:
    """Find what a DICOM folder or file holds, CT or not.

    Raises
    ------
    InputError
        If there is no DICOM, more than one patient, or nothing that can be read.
    """
    headers, unreadable = _folder(path, progress) if path.is_dir() else _file(path, progress)
    if not headers:
        found = f"{unreadable} DICOM files, all cut off or damaged" if unreadable else "no DICOM images"
        raise unusable(path, "", found=found, expected="a CCTA in DICOM files; export it again")
    for each in zip(*(header.patient for header in headers), strict=True):
        if len(set(each) - {b""}) > 1:
            expected = "the files of one patient per folder"
            raise unusable(path, "", found="more than one patient", expected=expected)
    ct = [each for each in headers if each.is_ct_image]
    # A scout may share its series with the slices.
    parts = grouped(ct, lambda header: (header.series, "LOCALIZER" in header.image_type))
    groups = [each for part in parts for each in phases(part)]
    groups.sort(key=lambda each: _listing_order(each[1]))
    stacks = tuple(_stack(slices) for _, slices in groups)
    note = f"{unreadable} DICOM files beside it are cut off or damaged; a slice may be lacking at an end"
    notes = (note,) if unreadable else ()
    series = tuple(
        _described(i + 1, distinction, slices, stack, notes)
        for i, ((distinction, slices), stack) in enumerate(zip(groups, stacks, strict=True))
    )
    rest = [each for each in headers if not each.is_ct_image]
    pullbacks = sum(_is_pullback(each) for each in rest)
    return DicomContent(series, stacks, Counter(_kind(each) for each in rest), pullbacks)


def series_facts(series: CtSeries) -> str:
    """Say in a line what a series is."""
    facts = [f"{series.slices} slices of {series.columns} x {series.rows}"]
    if series.pixel_spacing_mm is not None:
        facts.append("pixels of {:.3g} x {:.3g} mm".format(*series.pixel_spacing_mm[::-1]))
    if series.slice_spacing_mm is not None:
        facts.append(f"every {series.slice_spacing_mm:.3g} mm")
    if series.slice_thickness_mm is not None:
        facts.append(f"{series.slice_thickness_mm:.3g} mm thick")
    if series.kernel:
        facts.append(f"kernel {series.kernel}")
    if series.phase_percent is not None:
        facts.append(f"phase {series.phase_percent:g} %")
    if series.distinction and not series.distinction.startswith("phase"):
        facts.append(series.distinction)
    if series.series_number is not None:
        facts.append(f"series number {series.series_number}")
    if series.image_type:
        facts.append("/".join(series.image_type[:4]))
    return ", ".join(facts)


def counted(others: Mapping[str, int]) -> str:
    """Say how many files there are of what."""
    return ", ".join(f"{count} {kind}" for kind, count in sorted(others.items())) or "nothing"


def chosen_series(path: Path, content: DicomContent, number: int | None) -> tuple[CtSeries, Stack]:
    """Take the series of that number, or the only one that may be a CCTA.

    Raises
    ------
    InputError
        If there are several to choose from, none, or the chosen one cannot be read.
    """
    usable = [each for each in content.series if not each.left_out]
    if number is None and len(usable) != 1:
        raise _choice(path, content.series, usable)
    if number is not None and not 1 <= number <= len(content.series):
        expected = f"1 to {len(content.series)}; `coreg info` lists them"
        raise unusable(path, "ccta.series", found=number, expected=expected)
    series = usable[0] if number is None else content.series[number - 1]
    stack = content.stacks[series.number - 1]
    if series.left_out or stack is None:
        found = f"series {series.number}, which is left out: {series.left_out}"
        raise unusable(path, "ccta.series", found=found, expected="a CCTA volume; `coreg info` lists them")
    if stack.problem is not None:
        problem = stack.problem
        field = f"series {series.number}, {problem.field}"
        raise unusable(path, field, found=problem.found, expected=problem.expected)
    return series, stack


def _choice(path: Path, listed: Sequence[CtSeries], usable: Sequence[CtSeries]) -> InputError:
    lines = [f"  {each.number}: {series_facts(each)}" for each in usable]
    lines += [
        f"  left out, {each.number}: {series_facts(each)}: {each.left_out}"
        for each in listed
        if each.left_out
    ]
    if usable:
        found, expected = (
            f"{len(usable)} CT series",
            "one; set `ccta.series = N` in case.toml, N being one of",
        )
    else:
        found, expected = "no CT series that may be a CCTA", "thin slices; export the original series"
    return InputError("\n".join([str(unusable(path, "", found=found, expected=expected)), *lines]))


def _folder(folder: Path, progress: Progress) -> tuple[list[SliceHeader], int]:
    files = dicom_files(folder)
    if not files:
        expected = "DICOM files, or an image in NIfTI, NRRD or MetaImage format"
        raise unusable(folder, "", found="a folder without DICOM files", expected=expected)
    return read_headers(files, progress)


def _file(path: Path, progress: Progress) -> tuple[list[SliceHeader], int]:
    """Read a multi-frame file, or the whole series of a slice from its folder."""
    if not is_dicom_file(existing_file(path)):
        raise unusable(path, "", found="a file that is not DICOM", expected="a DICOM file or folder")
    headers, unreadable = read_headers([path], progress)
    if path.name.upper() == "DICOMDIR" or (not headers and not unreadable):
        raise unusable(path, "", found="a DICOMDIR", expected="the folder of the slices themselves")
    if unreadable or not _is_slice(headers[0]):
        return headers, unreadable
    around, damaged = read_headers(dicom_files(path.parent, deep=False), progress)
    return [each for each in around if each.series == headers[0].series], damaged


def _is_slice(header: SliceHeader) -> bool:
    return header.frames == 1 and header.is_ct_image


def series_folder(path: Path) -> Path | None:
    """Return the folder whose slices are read for a file that is one of them; None for any other file."""
    if not is_dicom_file(path):
        return None
    headers, _ = read_headers([path], lambda _stage, _fraction: None)
    return path.parent if headers and _is_slice(headers[0]) else None


def _listing_order(slices: Sequence[SliceHeader]) -> tuple[float, float, str]:
    first = slices[0]
    number = float("inf") if first.series_number is None else float(first.series_number)
    return number, _phase_percent(slices) or 0.0, str(min(each.file for each in slices))


def _stack(slices: Sequence[SliceHeader]) -> Stack | None:
    if any(each.position_mm is None or each.orientation is None for each in slices):
        return None
    return stacked(slices)


def _described(
    number: int, distinction: str, slices: Sequence[SliceHeader], stack: Stack | None, notes: tuple[str, ...]
) -> CtSeries:
    first = slices[0]
    thickness = max((each.thickness_mm for each in slices if each.thickness_mm), default=None)
    spacing = None if stack is None else stack.spacing_mm
    return CtSeries(
        number=number,
        slices=len(slices) if stack is None else len(stack.levels),
        rows=first.rows,
        columns=first.columns,
        pixel_spacing_mm=first.pixel_spacing_mm,
        slice_spacing_mm=spacing,
        slice_thickness_mm=thickness,
        kernel=first.kernel,
        series_number=first.series_number,
        phase_percent=_phase_percent(slices),
        distinction=distinction,
        image_type=first.image_type,
        files=tuple(sorted({each.file for each in slices})),
        warnings=(*_warnings(slices, stack, thickness), *notes),
        left_out=_left_out(slices, stack, thickness),
        problem="" if stack is None or stack.problem is None else str(stack.problem),
    )


def _phase_percent(slices: Sequence[SliceHeader]) -> float | None:
    """Give the phase of a volume; its slabs may differ by a little."""
    phases = [each.phase_percent for each in slices if each.phase_percent is not None]
    if len(phases) < len(slices) or max(phases) - min(phases) > 10.0:
        return None
    return round(sum(phases) / len(phases), 1)


def _left_out(slices: Sequence[SliceHeader], stack: Stack | None, thickness_mm: float | None) -> str:
    types = {code for each in slices for code in each.image_type}
    if "LOCALIZER" in types:
        return "a scout (localizer)"
    if types & _VIEWS:
        return "a projection or rendering, no slices of the body"
    if any(each.samples != 1 for each in slices):
        return "colour images"
    if stack is None or any(each.pixel_spacing_mm is None for each in slices):
        return "slices without position, orientation or pixel spacing"
    count = len(stack.levels)
    if types & _REFORMATTED and count < FEWEST_REFORMATTED:
        return f"reformatted views ({count}; fewer than {FEWEST_REFORMATTED})"
    if count < FEWEST_SLICES:
        return f"{count} slice{'s' * (count != 1)}, fewer than {FEWEST_SLICES}"
    thickest = max(thickness_mm or 0.0, stack.spacing_mm or 0.0)
    if thickest > THICKEST_MM + 1e-3:
        return f"slices too thick: {thickest:.3g} mm, more than {THICKEST_MM:g} mm"
    return ""


def _warnings(
    slices: Sequence[SliceHeader], stack: Stack | None, thickness_mm: float | None
) -> tuple[str, ...]:
    found = []
    if stack is not None and stack.repeated:
        found.append(
            f"{stack.repeated} slices lie where others lie; identical copies are dropped, others refused"
        )
    spacing = None if stack is None else stack.spacing_mm
    if spacing is not None and thickness_mm is not None and spacing > 1.5 * thickness_mm:
        found.append(f"slices of {thickness_mm:.3g} mm every {spacing:.3g} mm leave gaps between them")
    if any(each.lossy for each in slices):
        found.append("lossy compression: CT numbers are approximate")
    return tuple(found)


def _is_pullback(header: SliceHeader) -> bool:
    return header.modality in _PULLBACKS or (header.modality == "US" and header.frames > 1)


def _kind(header: SliceHeader) -> str:
    if header.modality == "US" and header.frames > 1:
        return "ultrasound pullback"
    return {**_MODALITIES, **_PULLBACKS}.get(header.modality, "other")
