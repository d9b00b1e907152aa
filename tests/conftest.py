import os
import signal
from pathlib import Path

import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset


@pytest.fixture(scope="session", autouse=True)
def signals_of_a_terminal():
    """Let signals do what they do at a terminal, also under nohup and in the background."""
    defaults = {"SIGINT": signal.default_int_handler, "SIGHUP": signal.SIG_DFL}
    for name, default in defaults.items():
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, default)


@pytest.fixture(scope="session")
def real_data():
    """Folder of the public research data, which is not part of the repository."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "real"
    folder = Path(os.environ.get("COREG_REAL_DATA", beside))
    if not folder.is_dir():
        pytest.skip(
            f"no real data: set COREG_REAL_DATA, or put them at ../shared/real ({folder} is no folder)"
        )
    return folder


# What no output may show: every DICOM file the tests write carries all of it.
IDENTITY = {
    "PatientName": "Zzsurname^Zzgiven",
    "PatientID": "ZZID4711",
    "PatientBirthDate": "19010203",
    "PatientComments": "ZZCOMMENT",
    "StudyDate": "19020304",
    "SeriesDate": "19020305",
    "ContentDate": "19020306",
    "StudyID": "ZZSTUDY",
    "AccessionNumber": "ZZACCESSION",
    "InstitutionName": "ZZHOSPITAL",
    "ReferringPhysicianName": "Zzphysician",
    "StudyDescription": "ZZSTUDYTEXT",
    "SeriesDescription": "ZZSERIESTEXT 75 %",
    "ProtocolName": "ZZPROTOCOL",
    "ImageComments": "ZZIMAGETEXT",
    "StationName": "ZZSTATION",
}
UID_ROOT = "1.2.826.0.1.3680043.8.498.4711"


def chest_hu(shape=(40, 64, 64)):
    """A body of soft tissue with lungs and blood in air, textured, smooth from slice to slice."""
    k, j, i = np.meshgrid(*(np.linspace(-1.0, 1.0, each) for each in shape), indexing="ij")
    hu = np.full(shape, -1000.0)
    body = i**2 / 0.8 + j**2 / 0.55 < 1.0
    hu[body] = (40.0 + 25.0 * np.sin(9.0 * i + 2.0 * k) * np.cos(11.0 * j))[body]
    lung = ((np.abs(i) - 0.45) / 0.25) ** 2 + (j / 0.5) ** 2 < 1.0
    hu[lung] = (-830.0 + 60.0 * np.sin(14.0 * i) * np.sin(13.0 * j + k))[lung]
    hu[(i - 0.1 * k) ** 2 + (j + 0.1) ** 2 < 0.04] = 380.0
    hu[np.abs(i - 0.2) + np.abs(j - 0.45) < 0.1] = 700.0
    return np.rint(hu).astype(np.int16)


class CtFiles:
    """Writes DICOM files with an identity that must never be seen again."""

    identity = (*IDENTITY.values(), "Zzsurname", "Zzgiven", UID_ROOT)

    def dataset(self, number=1, storage="CTImageStorage", **tags):
        """Make a dataset without pixels; a tag of None is left out."""
        made = Dataset()
        made.file_meta = FileMetaDataset()
        made.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
        made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = getattr(uid, storage, storage)
        instance = uid.generate_uid(f"{UID_ROOT}.")
        made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = instance
        made.SeriesInstanceUID = f"{UID_ROOT}.{number}"
        made.StudyInstanceUID = f"{UID_ROOT}.0"
        facts = {"Modality": "CT", "SeriesNumber": number, **IDENTITY, **tags}
        for keyword, value in facts.items():
            if value is not None:
                setattr(made, keyword, value)
        return made

    def save(self, path, made):
        path.parent.mkdir(parents=True, exist_ok=True)
        made.save_as(path, enforce_file_format=True)
        return path

    def pixels(self, made, stored):
        """Put in stored values (frames, rows, columns) or (rows, columns) of 16 bits."""
        made.Rows, made.Columns = stored.shape[-2:]
        made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
        made.BitsAllocated = made.BitsStored = 16
        made.HighBit = 15
        made.PixelRepresentation = int(np.issubdtype(stored.dtype, np.signedinteger))
        made.PixelData = stored.tobytes()

    def series(
        self,
        folder,
        hu=None,
        *,
        number=1,
        spacing=(1.0, 0.8, 0.7),
        origin=(-20.0, -150.0, 900.0),
        turn=None,
        skip=(),
        change=None,
        prefix="",
        **tags,
    ):
        """Write a series of single slices, spaced by slice, row and column; `change(dataset, i)` spoils one.

        Names and instance numbers go against the positions, as they may.
        """
        hu = chest_hu() if hu is None else hu
        turn = np.eye(3) if turn is None else turn
        axes = turn @ np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
        files = []
        for i, plane in enumerate(hu):
            if i in skip:
                continue
            facts = {
                "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
                "InstanceNumber": len(hu) - i,
                "PixelSpacing": list(spacing[1:]),
                "SliceThickness": spacing[0],
                "ImageOrientationPatient": [*axes[:, 2].round(9), *axes[:, 1].round(9)],
                "ImagePositionPatient": list((np.array(origin) + axes[:, 0] * spacing[0] * i).round(6)),
                "RescaleIntercept": -1024,
                "RescaleSlope": 1,
                "ConvolutionKernel": "B26f",
                **tags,
            }
            made = self.dataset(number, **facts)
            self.pixels(made, (plane.astype(np.int32) + 1024).astype(np.uint16))
            if change is not None:
                change(made, i)
            files.append(self.save(folder / f"{prefix}{number}-{(i * 37) % 1000:03d}-{i}", made))
        return files

    def multiframe(self, path, phases=1, hu=None):
        """Write an Enhanced CT file whose frames repeat the positions for each phase, +10 HU each."""
        hu = chest_hu() if hu is None else hu
        made = self.dataset(storage="EnhancedCTImageStorage")
        frames = [(phase, i) for i in range(len(hu)) for phase in range(phases)]
        made.NumberOfFrames = len(frames)
        self.pixels(made, np.stack([hu[i] + 10 * phase for phase, i in frames]).astype(np.int16))
        made.SharedFunctionalGroupsSequence = [_group(
            PixelMeasures={"PixelSpacing": [0.8, 0.7], "SliceThickness": 1.0},
            PlaneOrientation={"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]},
            PixelValueTransformation={"RescaleSlope": 1, "RescaleIntercept": 0, "RescaleType": "HU"},
        )]  # fmt: skip
        made.PerFrameFunctionalGroupsSequence = [
            _group(
                PlanePosition={"ImagePositionPatient": [-20, -150, 900 + i]},
                CardiacSynchronization={"NominalPercentageOfCardiacPhase": 40.0 + 30.0 * phase},
                FrameContent={"FrameComments": IDENTITY["ImageComments"]},
            )
            for phase, i in frames
        ]
        return self.save(path, made)


def _group(**macros):
    group = Dataset()
    for name, facts in macros.items():
        item = Dataset()
        for keyword, value in facts.items():
            setattr(item, keyword, value)
        setattr(group, f"{name}Sequence", [item])
    return group


@pytest.fixture
def ct_files():
    """Writer of DICOM files."""
    return CtFiles()


@pytest.fixture
def chest():
    """CT numbers of a small chest, (slices, rows, columns)."""
    return chest_hu()


def vessel_frames(count=12, size=96, seed=5):
    """Grey frames of a noisy wall about a dark lumen that wanders, black outside a circle."""
    rng = np.random.default_rng(seed)
    across = np.arange(size) - (size - 1) / 2.0
    x, y = np.meshgrid(across, across)
    frames = []
    for i in range(count):
        depth = np.hypot(x - 0.08 * size * np.sin(0.7 * i), y - 0.06 * size * np.cos(0.5 * i)) - 0.22 * size
        wall = 120.0 * np.exp(-np.maximum(depth, 0.0) / (0.15 * size)) * (depth > 0.0)
        grey = (wall + 12.0) * rng.gamma(4.0, 0.25, x.shape)
        grey[np.hypot(x, y) > 0.49 * size] = 0.0
        frames.append(np.clip(grey, 0.0, 190.0))
    return np.rint(frames).astype(np.uint8)


MOTOR = {
    "Modality": "IVUS",
    "IVUSAcquisition": "MOTOR_PULLBACK",
    "IVUSPullbackRate": 0.5,
    "FrameTime": 40.0,
}


class PullbackFiles(CtFiles):
    """Writes pullbacks in DICOM; 0.05 mm a pixel and 0.02 mm a frame unless tags say otherwise."""

    def frames(self, **options):
        return vessel_frames(**options)

    def region(self, box=(0, 0, 95, 95), delta_cm=0.005, **tags):
        made = Dataset()
        corners = dict(zip(("MinX0", "MinY0", "MaxX1", "MaxY1"), box, strict=True))
        facts = {f"RegionLocation{name}": value for name, value in corners.items()}
        facts |= {"PhysicalDeltaX": delta_cm, "PhysicalDeltaY": delta_cm}
        facts |= {"PhysicalUnitsXDirection": 3, "PhysicalUnitsYDirection": 3}
        facts |= {"RegionSpatialFormat": 1, "RegionDataType": 1}
        for keyword, value in (facts | tags).items():
            setattr(made, keyword, value)
        return made

    def made(self, frames, storage="UltrasoundMultiFrameImageStorage", **tags):
        """Make a dataset of frames (N, rows, columns) or (N, rows, columns, 3)."""
        facts = {"SequenceOfUltrasoundRegions": [self.region()], **MOTOR, **tags}
        made = self.dataset(9, storage, **facts)
        made.NumberOfFrames = len(frames)
        made.Rows, made.Columns = frames.shape[1:3]
        made.SamplesPerPixel = 3 if frames.ndim == 4 else 1
        made.PhotometricInterpretation = tags.get("PhotometricInterpretation") or (
            "RGB" if frames.ndim == 4 else "MONOCHROME2"
        )
        if frames.ndim == 4:
            made.PlanarConfiguration = 0
        bits = 8 * frames.dtype.itemsize
        made.BitsAllocated, made.BitsStored, made.HighBit = bits, bits, bits - 1
        made.PixelRepresentation = 0
        made.add_new("PixelData", "OB" if bits == 8 else "OW", _even(frames.tobytes()))
        return made

    def pullback(self, path, frames=None, **options):
        """Write a multi-frame file."""
        return self.save(path, self.made(vessel_frames() if frames is None else frames, **options))

    def polar(self, path, lines, *, per_frame=(), **tags):
        """Write Intravascular OCT for processing; `per_frame` has the macros of each frame."""
        facts = {
            "Modality": "IVOCT",
            "SequenceOfUltrasoundRegions": None,
            "PresentationIntentType": "FOR PROCESSING",
            "IVUSAcquisition": "MOTORIZED",
            "IVUSPullbackRate": 20.0,
            "FrameTime": 10.0,
            "ALinePixelSpacing": 0.02,
            "RefractiveIndexApplied": "YES",
            "OCTZOffsetApplied": "YES",
            "FirstALineLocation": 0.0,
            "CatheterDirectionOfRotation": "CW",
            **tags,
        }
        storage = "IntravascularOpticalCoherenceTomographyImageStorageForProcessing"
        made = self.made(lines, storage, **facts)
        if per_frame:
            made.PerFrameFunctionalGroupsSequence = [_group(**each) for each in per_frame]
        return self.save(path, made)

    def single_frames(self, folder, frames=None, prefix="", **options):
        """Write a file a frame, named against their order."""
        frames = vessel_frames() if frames is None else frames
        for i, frame in enumerate(frames):
            made = self.made(frame[None], "UltrasoundImageStorage", InstanceNumber=i + 1, **options)
            del made.NumberOfFrames
            self.save(folder / f"{prefix}{(i * 37) % 1000:03d}-{i}", made)
        return folder


def _even(content):
    return content + b"\0" * (len(content) % 2)


@pytest.fixture
def pullback_files():
    """Writer of pullbacks in DICOM."""
    return PullbackFiles()
