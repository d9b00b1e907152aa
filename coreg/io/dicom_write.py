"""Write a CT as DICOM: one CT Image Storage file per slice, without anything about a person or a day."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, generate_uid

from coreg.volume import Volume

INTERCEPT_HU = -1024
LARGEST_HU = INTERCEPT_HU + 4095
PATIENT = "PHANTOM"
# Required to be there, and empty.
EMPTY = (
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "PatientBirthDate",
    "PatientSex",
    "StudyID",
)


def write_ct_series(folder: Path, volume: Volume, *, name: str) -> None:
    """Write whole HU as a series of a synthetic patient.

    Parameters
    ----------
    folder : Path
        Must exist.
    volume : Volume
        Integers from -1024 to 3071 HU, which 12 bits hold.
    name : str
        Patient id; the same name always gives the same UIDs.

    Raises
    ------
    ValueError
        If a value is out of range, or the volume's axes are not perpendicular.
    """
    low, high = int(volume.values.min()), int(volume.values.max())
    if low < INTERCEPT_HU or high > LARGEST_HU:
        msg = f"values must be from {INTERCEPT_HU} to {LARGEST_HU} HU, got {low} to {high}"
        raise ValueError(msg)
    axes = volume.index_to_world[:3, :3] / volume.spacing_mm
    if not np.allclose(axes.T @ axes, np.eye(3), atol=1e-4):
        msg = f"DICOM slices need perpendicular axes, got {axes.tolist()}"
        raise ValueError(msg)
    stored = (volume.values.astype(np.int32) - INTERCEPT_HU).astype("<u2")
    for number, pixels in enumerate(stored, start=1):
        origin = volume.to_world(np.array([number - 1.0, 0.0, 0.0]))
        dataset = _common(volume, axes, name)
        dataset.InstanceNumber = number
        dataset.ImagePositionPatient = [f"{value:.10g}" for value in np.round(origin, 4)]
        instance = synthetic_uid(name, f"image {number}")
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = instance
        dataset.set_pixel_data(pixels, "MONOCHROME2", 12, generate_instance_uid=False)
        dataset.save_as(folder / f"IM{number:04d}.dcm", enforce_file_format=True)


def synthetic_uid(name: str, what: str) -> UID:
    """Make the UID of something of a synthetic patient; the same names always give the same one."""
    return generate_uid(entropy_srcs=["coreg phantom", name, what])


def synthetic_dataset(storage: UID, name: str, *, empty: Sequence[str] = ()) -> Dataset:
    """Begin an object of a synthetic patient.

    Parameters
    ----------
    storage : UID
        Its SOP class.
    name : str
        Patient id.
    empty : sequence of str
        Keywords of more attributes that are required to be there, and empty.
    """
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = storage
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = Dataset()
    dataset.file_meta = meta
    dataset.SOPClassUID = storage
    dataset.Manufacturer = "coreg phantom"
    dataset.PatientName = PATIENT
    dataset.PatientID = name
    for keyword in (*EMPTY, *empty):
        setattr(dataset, keyword, None)
    return dataset


def _common(volume: Volume, axes: npt.NDArray[np.float64], name: str) -> Dataset:
    """Everything of a slice but its number, place and pixels."""
    dataset = synthetic_dataset(
        CTImageStorage, name, empty=("PositionReferenceIndicator", "AcquisitionNumber", "KVP")
    )
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.Modality = "CT"
    dataset.PatientPosition = "HFS"
    dataset.StudyInstanceUID = synthetic_uid(name, "study")
    dataset.SeriesInstanceUID = synthetic_uid(name, "series")
    dataset.FrameOfReferenceUID = synthetic_uid(name, "frame of reference")
    dataset.SeriesNumber = 1
    slice_mm, row_mm, column_mm = volume.spacing_mm.tolist()
    dataset.SliceThickness = f"{slice_mm:.6g}"
    dataset.PixelSpacing = [f"{row_mm:.6g}", f"{column_mm:.6g}"]
    dataset.ImageOrientationPatient = [f"{value:.10g}" for value in (*axes[:, 2], *axes[:, 1])]
    dataset.RescaleIntercept = str(INTERCEPT_HU)
    dataset.RescaleSlope = "1"
    dataset.RescaleType = "HU"
    dataset.WindowCenter, dataset.WindowWidth = "250", "900"
    return dataset
