"""Write a pullback as DICOM: one multi-frame object, without anything about a person or a day.

IVUS becomes an Ultrasound Multi-frame Image with a calibrated region, OCT an Intravascular OCT Image for
presentation, as far as a synthetic pullback can fill their attributes.

References
----------
DICOM PS3.3, C.8.5.5 (ultrasound regions), C.8.5.6 (ultrasound image) and C.8.27 (intravascular OCT).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import (
    IntravascularOpticalCoherenceTomographyImageStorageForPresentation,
    UltrasoundMultiFrameImageStorage,
)

from coreg.io.dicom_write import synthetic_dataset, synthetic_uid
from coreg.pullback import Pullback
from coreg.pullback_images import PullbackImages

FloatArray = npt.NDArray[np.float64]

TWO_DIMENSIONAL, TISSUE, CENTIMETRES = 1, 1, 3
# A position that the header tells may be off by this much.
STEADY_MM = 0.002


def write_pullback_dicom(path: Path, images: PullbackImages, pullback: Pullback, *, name: str) -> None:
    """Write a pullback of a synthetic patient, with its scale and what can be said of its motion.

    Parameters
    ----------
    path : Path
        File, replaced.
    images : PullbackImages
        Frames in acquisition order, as a console shows them.
    pullback : Pullback
        Their positions and how they were acquired.
    name : str
        Patient id; the same name always gives the same UIDs.

    Raises
    ------
    ValueError
        If the pullback has other frames than the images.
    """
    if sorted(pullback.frame.tolist()) != list(range(len(images))):
        msg = f"{len(images)} images need frames 0 to {len(images) - 1}, got {len(pullback)} frames"
        raise ValueError(msg)
    dataset = _oct(images, pullback, name) if images.modality == "OCT" else _ivus(images, pullback, name)
    dataset.StudyInstanceUID = synthetic_uid(name, "pullback study")
    dataset.SeriesInstanceUID = synthetic_uid(name, "pullback series")
    instance = synthetic_uid(name, "pullback")
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = instance
    dataset.SeriesNumber = dataset.InstanceNumber = 1
    dataset.BurnedInAnnotation = "YES"
    dataset.NumberOfFrames = len(images)
    dataset.set_pixel_data(images.pixels, "MONOCHROME2", 8, generate_instance_uid=False)
    dataset.save_as(path, enforce_file_format=True)


def header_tells_positions(images: PullbackImages, pullback: Pullback) -> bool:
    """Tell whether what is written says where every frame lies.

    OCT has a distance for each frame. IVUS has one speed, or one step per beat, which does not do where
    steps are uneven.
    """
    if images.modality == "OCT":
        return True
    told = images.frame_rate_hz is not None or pullback.acquisition == "gated"
    withdrawn = _withdrawn_mm(pullback)
    even = withdrawn[0] + _step_mm(pullback) * np.arange(len(withdrawn))
    return told and bool(np.abs(withdrawn - even).max() < STEADY_MM)


def _withdrawn_mm(pullback: Pullback) -> FloatArray:
    """Positions (N,) in acquisition order."""
    return pullback.position_mm[np.argsort(pullback.frame)]


def _step_mm(pullback: Pullback) -> float:
    withdrawn = _withdrawn_mm(pullback)
    return float(withdrawn[-1] - withdrawn[0]) / max(len(withdrawn) - 1, 1)


def _ivus(images: PullbackImages, pullback: Pullback, name: str) -> Dataset:
    dataset = synthetic_dataset(UltrasoundMultiFrameImageStorage, name, empty=("PatientOrientation",))
    dataset.Modality = "IVUS"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "INTRAVASCULAR"]
    dataset.LossyImageCompression = "00"
    dataset.SequenceOfUltrasoundRegions = [_region(images)]
    _add_motion(dataset, images, pullback, gated="GATED_PULLBACK", motor="MOTOR_PULLBACK")
    if images.frame_rate_hz is None:
        dataset.FrameIncrementPointer = Tag("IVUSGatedRate")
    else:
        dataset.FrameTime = f"{1000.0 / images.frame_rate_hz:.10g}"
        dataset.FrameIncrementPointer = Tag("FrameTime")
    return dataset


def _region(images: PullbackImages) -> Dataset:
    """The whole picture, in centimetres about the catheter."""
    _, rows, columns = images.pixels.shape
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = TWO_DIMENSIONAL, TISSUE, 0
    region.RegionLocationMinX0 = region.RegionLocationMinY0 = 0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = columns - 1, rows - 1
    column, row = np.rint(images.catheter_px).astype(int).tolist()
    region.ReferencePixelX0, region.ReferencePixelY0 = column, row
    region.ReferencePixelPhysicalValueX = region.ReferencePixelPhysicalValueY = 0.0
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = CENTIMETRES
    region.PhysicalDeltaX, region.PhysicalDeltaY = (images.pixel_spacing_mm / 10.0).tolist()
    return region


def _oct(images: PullbackImages, pullback: Pullback, name: str) -> Dataset:
    storage = IntravascularOpticalCoherenceTomographyImageStorageForPresentation
    dataset = synthetic_dataset(storage, name)
    dataset.Modality = "IVOCT"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "INTRAVASCULAR", "NONE"]
    dataset.PresentationIntentType = "FOR PRESENTATION"
    dataset.PixelIntensityRelationship = "LOG"
    dataset.CatheterDirectionOfRotation = "CW"
    dataset.RefractiveIndexApplied = dataset.OCTZOffsetApplied = "YES"
    _add_motion(dataset, images, pullback, gated="MEASURED", motor="MOTORIZED")
    if images.frame_rate_hz is not None:
        dataset.FrameTime = f"{1000.0 / images.frame_rate_hz:.10g}"
    spacing = Dataset()
    spacing.PixelSpacing = [f"{each:.10g}" for each in images.pixel_spacing_mm[::-1]]
    shared = Dataset()
    shared.PixelMeasuresSequence = [spacing]
    dataset.SharedFunctionalGroupsSequence = [shared]
    steps = np.diff(_withdrawn_mm(pullback), prepend=_withdrawn_mm(pullback)[0])
    dataset.PerFrameFunctionalGroupsSequence = [_frame(i, step) for i, step in enumerate(steps.tolist())]
    return dataset


def _frame(number: int, step_mm: float) -> Dataset:
    """What is said of one frame: its place in the run, and how far it was withdrawn from the one before."""
    content = Dataset()
    content.InStackPositionNumber, content.StackID = number + 1, "1"
    place = Dataset()
    place.IntravascularLongitudinalDistance = round(step_mm, 6)
    frame = Dataset()
    frame.FrameContentSequence = [content]
    frame.IntravascularFrameContentSequence = [place]
    return frame


def _add_motion(
    dataset: Dataset, images: PullbackImages, pullback: Pullback, *, gated: str, motor: str
) -> None:
    step_mm = _step_mm(pullback)
    if pullback.acquisition == "gated":
        dataset.IVUSAcquisition = gated
        dataset.IVUSGatedRate = f"{step_mm:.6g}"
        return
    dataset.IVUSAcquisition = motor
    if images.frame_rate_hz is not None:
        dataset.IVUSPullbackRate = f"{step_mm * images.frame_rate_hz:.6g}"
        dataset.IVUSPullbackStartFrameNumber = 1
        dataset.IVUSPullbackStopFrameNumber = len(images)
