"""A CCTA as a volume of CT numbers, from DICOM or from an image file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from coreg.io.dicom_headers import Progress
from coreg.io.dicom_pixels import Int16Array, read_hu
from coreg.io.dicom_series import CtSeries, chosen_series, ct_content, series_facts
from coreg.io.dicom_slabs import slab_steps
from coreg.io.files import existing_file, is_dicom_file, unusable
from coreg.io.volumes import is_volume_file, read_volume
from coreg.volume import Volume

PIXEL_MM = (0.1, 2.0)
SLICE_MM = (0.1, 3.0)
FEWEST_VOXELS, MOST_VOXELS = 16, 1_500_000_000
LARGEST_LABEL = 255
# In any scan of the chest there is fat or lung below, and blood or bone above.
FAT_HU, BLOOD_HU = -100, 100
_HOUNSFIELD = "CT numbers in HU: air near -1000, contrast-filled blood 200 to 600"


def _silent(_stage: str, _fraction: float) -> None:
    """Report no progress."""


class CctaImage(NamedTuple):
    """A CCTA as read.

    Attributes
    ----------
    volume : Volume
        int16 HU.
    warnings : tuple of str
        What to know before relying on it.
    phase_percent : float or None
        Phase of the heart, in per cent of the RR interval, where the file says it.
    """

    volume: Volume
    warnings: tuple[str, ...]
    phase_percent: float | None = None


def read_ccta(path: Path, *, series: int | None = None, progress: Progress = _silent) -> CctaImage:
    """Read a CCTA from a DICOM folder or file, or a NIfTI, NRRD or MetaImage file.

    Parameters
    ----------
    path : Path
        Where it is.
    series : int, optional
        Which of several DICOM series, as listed by ``coreg info``.
    progress : callable, optional
        Told the stage and the fraction done.

    Returns
    -------
    CctaImage
        With warnings.

    Raises
    ------
    InputError
        If it cannot be read, has several series and none is chosen, or does not hold CT numbers.
    """
    if path.is_dir() or (not is_volume_file(path) and is_dicom_file(existing_file(path))):
        volume, taken = read_ccta_dicom(path, series=series, progress=progress)
        return CctaImage(volume, taken.warnings, taken.phase_percent)
    if series is not None:
        raise unusable(path, "ccta.series", found=series, expected="no such key, as the image is not DICOM")
    volume = read_volume(path)
    _check_size(path, volume)
    values, warnings = _whole_hu(path, volume)
    _check_hu(path, "voxels", int(values.min()), int(values.max()))
    return CctaImage(Volume(values, volume.index_to_world), warnings)


def read_ccta_dicom(
    path: Path, *, series: int | None = None, progress: Progress = _silent
) -> tuple[Volume, CtSeries]:
    """Read a CCTA from a DICOM folder, or from a file: a slice of a series, or a multi-frame file.

    Parameters
    ----------
    path : Path
        Where it is.
    series : int, optional
        Which of several series, as listed by ``list_series``.
    progress : callable, optional
        Told the stage and the fraction done.

    Returns
    -------
    volume : Volume
        int16 HU, slices in growing order along the normal; padding is -1024.
    series : CtSeries
        What was read, with warnings.

    Raises
    ------
    InputError
        If there are several series and none is chosen, or the series is incomplete, tilted, uneven,
        without HU, or cannot be decoded.
    """
    content = ct_content(path, progress)
    taken, stack = chosen_series(path, content, series)
    matrix = stack.index_to_world
    if matrix is None:
        raise unusable(path, "slices", found=series_facts(taken), expected="slices with a geometry")
    values, span, copies = read_hu(path, stack, progress)
    volume = Volume(values, matrix)
    _check_size(path, volume)
    _check_hu(path, f"series {taken.number}, pixels", *span)
    warnings = [each for each in taken.warnings if not (copies and "identical copies" in each)]
    if copies:
        warnings.append(f"{copies} identical copies of slices were dropped")
    warnings += [
        f"a step between slabs after {stack.place[each]}: what crosses it may be displaced"
        for each in slab_steps(values)
    ]
    return volume, replace(taken, warnings=tuple(warnings))


def _check_size(path: Path, volume: Volume) -> None:
    shape = volume.values.shape
    size = f"{shape[2]} x {shape[1]} x {shape[0]} voxels"
    if min(shape) < FEWEST_VOXELS:
        raise unusable(path, "size", found=size, expected=f"at least {FEWEST_VOXELS} along each axis")
    if volume.values.size > MOST_VOXELS:
        expected = f"at most {MOST_VOXELS:,}; crop it to the heart"
        raise unusable(path, "size", found=size, expected=expected)
    spacing = volume.spacing_mm
    for axis, (least, most) in zip(("slice", "row", "column"), (SLICE_MM, PIXEL_MM, PIXEL_MM), strict=True):
        found = float(spacing[("slice", "row", "column").index(axis)])
        if not least - 1e-6 <= found <= most + 1e-3:
            expected = f"{least} to {most} mm; export the original reconstruction"
            raise unusable(path, f"{axis} spacing", found=f"{found:.3g} mm", expected=expected)


def _whole_hu(path: Path, volume: Volume) -> tuple[Int16Array, tuple[str, ...]]:
    """Round values to int16, slice by slice; -1024 stands for anything lower than int16."""
    if volume.values.dtype == np.int16:
        return np.asarray(volume.values, np.int16), ()
    values = np.empty(volume.values.shape, np.int16)
    rounded = False
    for i, each in enumerate(np.asarray(volume.values)):
        if not np.isfinite(each).all():
            found = f"NaN or infinity in slice {i}"
            raise unusable(path, "voxels", found=found, expected="CT numbers without NaN")
        whole = np.rint(each)
        rounded |= bool((whole != each).any())
        values[i] = np.clip(whole, -32768, 32767)
    low, high = int(values.min()), int(values.max())
    if rounded and high <= 1 and low >= -1:
        raise unusable(path, "voxels", found="values from -1 to 1 (scaled?)", expected=_HOUNSFIELD)
    return values, ("values were rounded to whole HU",) if rounded else ()


def _check_hu(path: Path, field: str, low: int, high: int) -> None:
    if low >= 0 and high <= LARGEST_LABEL:
        found = f"whole numbers from {low} to {high} (a label image?)"
        raise unusable(path, field, found=found, expected=f"{_HOUNSFIELD}; a label goes to ccta.lumen")
    if low > FAT_HU or high < BLOOD_HU:
        found = f"values from {low} to {high}"
        raise unusable(path, field, found=found, expected=f"{_HOUNSFIELD}; export it with its rescale")
