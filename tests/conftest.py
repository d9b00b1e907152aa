import os
from pathlib import Path

import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset


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
